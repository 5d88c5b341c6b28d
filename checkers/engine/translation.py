"""What is compiled once for all array sizes of a program: frames and generated code.

A model has many geometries and one source.  Numbers that depend on the sizes keep a name through
lowering (``sums.Written``); :meth:`Translation.bind` puts the numbers of one layout into the
generated Python code, where they are plain constants again, so they cost nothing when steps run.

A translation is plain data: numbers, text and a code object, no graph and no class of the model.
So ``marshal`` keeps one on disk and loads it in milliseconds, where making it takes seconds; what
it was made from is in its key (``fingerprint``), who may have written it is the matter of
``cache``.

Rejected:
- a translation for every geometry (that was two thirds of the time of a default check);
- names looked up when a step runs (slower steps);
- graphs kept as well (no explorer asks for them, and they load slowly);
- ``pickle`` (a file could then name any function to be called while it is read).
"""

import marshal
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from types import CodeType
from typing import Any

from powercut.checkers.engine.errors import LanguageError
from powercut.checkers.engine.frames import Frames, Place
from powercut.checkers.engine.layout import IndexCheck

Value = Callable[[str], int]
"""Gives the number behind a written sum."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The C text of a program; ``sums`` are the written numbers it finds in ``pc_geometry``."""

    text: str
    sums: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a program cannot be had in C: what the :class:`LanguageError` of the back end said."""

    file: str
    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Translation:
    """A translated program: what runs it in Python and in C, and how its threads are laid out.

    ``tables`` gives the number (in the order of declaration) of every struct that live pointers
    point to.  ``constant_bytes`` maps the names under which generated code reads single bytes of
    the constant vector to where they are.
    """

    frames: dict[str, Frames]
    tables: dict[str, int]
    predicate_names: list[str]
    index_checks: list[IndexCheck]
    code: CodeType
    constant_bytes: dict[str, str]
    c_steps: Steps | Refusal

    def bind(self, value: Value) -> CodeType:
        """Return the generated module with the numbers of one layout."""
        return _bound(self.code, value)

    def steps(self) -> Steps:
        """Return the C text.  Raises :class:`LanguageError` for what only Python can run."""
        if isinstance(self.c_steps, Refusal):
            raise LanguageError(self.c_steps.file, self.c_steps.line, self.c_steps.reason)
        return self.c_steps


def packed(translation: Translation) -> bytes:
    """Return ``translation`` as bytes for this version of Python."""
    steps = translation.c_steps
    return marshal.dumps(
        {
            "frames": [asdict(frames) for frames in translation.frames.values()],
            "tables": translation.tables,
            "predicate_names": translation.predicate_names,
            "index_checks": [astuple(check) for check in translation.index_checks],
            "code": translation.code,
            "constant_bytes": translation.constant_bytes,
            "c_steps": (isinstance(steps, Steps), astuple(steps)),
        }
    )


def unpacked(content: bytes) -> Translation:
    """Return the translation that :func:`packed` gave as ``content``."""
    parts: dict[str, Any] = marshal.loads(content)
    frames = [Frames(**part) for part in parts["frames"]]
    for each in frames:
        places: dict[int, Any] = each.places
        each.places = {number: Place(**place) for number, place in places.items()}
    parts["frames"] = {each.kind: each for each in frames}
    parts["index_checks"] = [IndexCheck(*check) for check in parts["index_checks"]]
    in_c, steps = parts["c_steps"]
    parts["c_steps"] = Steps(*steps) if in_c else Refusal(*steps)
    return Translation(**parts)


def _bound(code: CodeType, value: Value) -> CodeType:
    constants = tuple(_constant(constant, value) for constant in code.co_consts)
    return code.replace(co_consts=constants)


def _constant(constant: Any, value: Value) -> Any:
    if isinstance(constant, bytes):
        return value(constant.decode())
    return _bound(constant, value) if isinstance(constant, CodeType) else constant


def run_head(kind: str, parameter: str = "T") -> str:
    """Return the head of the function that runs a thread of ``kind``."""
    return f"int run_{kind}(uint8_t *S, const uint8_t *C, size_t F, int64_t {parameter})"
