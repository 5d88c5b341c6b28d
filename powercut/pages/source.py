"""Lines of the model around a step, as the run had them."""

from functools import lru_cache
from importlib.resources import files

from powercut.checkers.run.mount import Mount
from powercut.pages.data import Source

_AROUND = 4


def source_at(mount: Mount, file: str, line: int) -> Source | None:
    """Return what stands around ``line`` of ``file``, ``None`` where the text is not at hand."""
    lines = _lines(file)
    if not 0 < line <= len(lines):
        return None
    first = max(1, line - _AROUND)
    return Source(file, line, first, list(lines[first - 1 : line + _AROUND]))


@lru_cache(maxsize=64)
def _lines(file: str) -> tuple[str, ...]:
    try:
        text = (files("powercut") / file).read_text(encoding="utf-8")
    except OSError:
        return ()
    return tuple(text.splitlines())
