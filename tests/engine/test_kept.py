"""Translations on disk: the same as fresh ones, and forgotten when what they rest on changes."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from powercut.checkers.engine import kept, plan
from powercut.checkers.engine.cache import user_cache
from powercut.checkers.engine.errors import LanguageError
from powercut.checkers.engine.fingerprint import fingerprint
from powercut.checkers.engine.layout import Layout
from powercut.checkers.engine.system import Build
from powercut.checkers.engine.translation import packed, unpacked
from powercut.checkers.engine.translator import translate_anew
from powercut.checkers.run.mount import build_for
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.fs.iomap.buffered_io import writeback
from powercut.model.kernel import primitives
from powercut.model.kernel.tasks import PROGRAM
from powercut.model.language import Program, Thread
from powercut.model.setup import dimensions
from powercut.properties.catalog import PREDICATES

SMALL, LARGE = (dimensions(SCOPES[n], SCOPES[n].mounts[0]) for n in ("enospc", "cookie-race"))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep translations in a folder of the test's own; forget those of this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    kept._shared.cache_clear()
    build_for.cache_clear()
    yield tmp_path / "powercut"
    kept._shared.cache_clear()
    build_for.cache_clear()


def layout_of(dims: dict[str, int]) -> Layout:
    """Lay the model out."""
    return Layout(PROGRAM.state, dims, constant=PROGRAM.constant, projected=PROGRAM.projected)


def key(dims: dict[str, int] = SMALL, options: tuple[object, ...] = (False, True, "")) -> str:
    """Return the key of the model's translation."""
    return fingerprint(PROGRAM, PREDICATES, layout_of(dims), options)


def test_the_key_is_that_of_what_is_translated(monkeypatch: pytest.MonkeyPatch) -> None:
    first = key()
    assert first
    assert SMALL != LARGE
    assert key(LARGE) == first, "sizes keep their names in a translation"
    others = {key(options=options) for options in ((True, True, ""), (False, False, ""))}
    others.add(fingerprint(PROGRAM, PREDICATES[1:], layout_of(SMALL), (False, True, "")))
    threads = Program(PROGRAM.state, PROGRAM.threads[1:], PROGRAM.constant, PROGRAM.projected)
    others.add(fingerprint(threads, PREDICATES, layout_of(SMALL), (False, True, "")))
    monkeypatch.setattr(writeback, "folio_lock", primitives.folio_unlock)
    others.add(key())
    assert len(others - {"", first}) == 5


def test_a_replaced_function_of_the_engine_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "assign_slots", lambda groups: {})
    assert key() == ""


@pytest.mark.exhaustive
def test_a_translation_is_kept_and_the_same(folder: Path) -> None:
    layout = layout_of(SMALL)
    fresh = translate_anew(PROGRAM, PREDICATES, layout, checked=False, zero_dead=True)
    assert unpacked(packed(fresh)) == fresh
    first = Build(PROGRAM, SMALL, PREDICATES)
    assert os.listdir(folder) == [f"{key()}.translation"]
    kept._shared.cache_clear()
    second = Build(PROGRAM, LARGE, PREDICATES)
    assert second.translation is not first.translation
    assert first.translation == fresh == second.translation


def test_runs_from_a_kept_translation_count_the_same(folder: Path) -> None:
    def counted() -> tuple[int, int, int]:
        build_for.cache_clear()
        kept._shared.cache_clear()
        run = run_scope(Question(DESIGNS["seed"], SCOPES["enospc"], engine="python"))
        return run.states, run.transitions, run.crash_projections

    fresh = counted()
    (made,) = folder.iterdir()
    first = made.stat().st_ino
    assert counted() == fresh
    assert [path.stat().st_ino for path in folder.iterdir()] == [first], "it was made again"


HEAD = """
from typing import Annotated
from powercut.model.language import Array, Bit, Len, Max, Struct
class Row(Struct):
    cell: Annotated[Array[int], Max(9), Len("cells")]
class Root(Struct):
    row: Row
    bit: Bit
STEP = 1
"""


def module_of(tmp_path: Path, helpers: int, body: str, add: str = "STEP") -> ModuleType:
    """Return a module with a path and a chain of helpers, loaded from a file."""
    path = tmp_path / f"many{len(os.listdir(tmp_path))}.py"
    lines = [HEAD]
    for number in range(helpers):
        call = f"h{number + 1}(k)" if number + 1 < helpers else add
        lines.append(f"def h{number}(k: Root) -> int:\n    return {call}\n")
    path.write_text("\n".join([*lines, f"def run(k: Root, t: int):\n{body}"]), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("many", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


BODY = "    yield  # once\n    k.row.cell[2] = h0(k)\n"


def key_of(module: ModuleType, cells: int = 3) -> str:
    """Return the key of the program in ``module``."""
    program = Program(module.Root, (Thread("run", module.run),))
    return fingerprint(program, (), Layout(module.Root, {"cells": cells}), (False, True))


def test_the_key_follows_every_name(tmp_path: Path) -> None:
    first = module_of(tmp_path, 40, BODY)
    keys = {key_of(first)}
    assert key_of(first, cells=5) in keys
    first.STEP = 2  # type: ignore[attr-defined]
    keys.add(key_of(first))
    keys.add(key_of(module_of(tmp_path, 40, BODY, "STEP + 1")))
    keys.add(key_of(module_of(tmp_path, 40, BODY.replace("once", "twice"))))
    assert len(keys - {""}) == 4


def test_what_cannot_be_told_or_is_small_has_no_key(tmp_path: Path) -> None:
    assert key_of(module_of(tmp_path, 3, BODY)) == ""
    module = module_of(tmp_path, 40, BODY)
    namespace = vars(module) | {}
    exec("def run(k: Root, t: int):\n    yield\n    k.bit = h0(k)\n", namespace)
    module.run = namespace["run"]  # type: ignore[attr-defined]
    assert key_of(module) == ""


def test_constant_indexes_are_checked_in_every_layout(folder: Path, tmp_path: Path) -> None:
    module = module_of(tmp_path, 40, BODY)
    program = Program(module.Root, (Thread("run", module.run),))
    Build(program, {"cells": 3})
    kept._shared.cache_clear()
    with pytest.raises(LanguageError, match=r"k.row.cell\[2\]: index outside 0..1"):
        Build(program, {"cells": 2})
    assert len(os.listdir(folder)) == 1


def test_a_damaged_one_is_made_again(folder: Path, tmp_path: Path) -> None:
    module = module_of(tmp_path, 40, BODY)
    program = Program(module.Root, (Thread("run", module.run),))
    Build(program, {"cells": 3})
    (path,) = folder.iterdir()
    good = path.read_bytes()
    path.write_bytes(good[: len(good) // 2])
    kept._shared.cache_clear()
    Build(program, {"cells": 3})
    assert user_cache().read(path.name) is not None


def test_without_a_cache_it_is_made(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = module_of(tmp_path, 40, BODY)
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    build = Build(Program(module.Root, (Thread("run", module.run),)), {"cells": 3})
    assert build.translation.code
    assert not folder.exists()
