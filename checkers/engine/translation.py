"""What is compiled once for all array sizes of a program: frames and generated code.

A model has many geometries and one source.  Numbers that depend on the sizes keep a name through
lowering (``layout.Written``); :meth:`Translation.bind` puts the numbers of one layout into the
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

import gc
import marshal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from powercut.checkers.engine import cache
from powercut.checkers.engine.emit_c import Steps, emit_steps
from powercut.checkers.engine.emit_python import Emitter, compile_module
from powercut.checkers.engine.errors import DeclarationError, LanguageError
from powercut.checkers.engine.expressions import IndexCheck, constant_byte
from powercut.checkers.engine.fingerprint import fingerprint
from powercut.checkers.engine.frames import Frames, Place
from powercut.checkers.engine.graph import HelperSet, build_graph
from powercut.checkers.engine.layout import Layout, StructType
from powercut.checkers.engine.plan import Lowered, Plan, plan_of
from powercut.model.language import Program

if TYPE_CHECKING:
    import ast

Value = Callable[[str], int]
"""Gives the number behind a written sum."""


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


def translate(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Translation:
    """Return the translation of ``program`` with its ``predicates``, the same for every layout.

    The cache on disk has it, or gets it.  Raises :class:`LanguageError` and
    :class:`DeclarationError`; the former also where a constant index is outside its array in
    ``layout``.
    """
    translation = _shared(program, tuple(predicates), checked, zero_dead, _Layout(layout))
    for check in translation.index_checks:
        check.against(layout)
    return translation


class _Layout:
    """Hands a layout through a cache that must not tell layouts apart."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Layout)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=16)
def _shared(
    program: Program,
    predicates: tuple[Callable[..., int], ...],
    checked: bool,
    zero_dead: bool,
    first: _Layout,
) -> Translation:
    layout = first.layout
    key = fingerprint(program, predicates, layout, (checked, zero_dead))
    name = f"{key}.translation"
    kept = cache.user_cache().read(name) if key else None
    if kept is not None:
        return unpacked(kept)
    made = translate_anew(program, predicates, layout, checked=checked, zero_dead=zero_dead)
    if key:
        cache.user_cache().keep(name, packed(made))
    return made


def translate_anew(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Translation:
    """Return the translation of ``program``, made here and now; ``layout`` is any of its layouts.

    Raises :class:`LanguageError` and :class:`DeclarationError`.
    """
    with _uncollected():
        return _made(program, predicates, layout, checked=checked, zero_dead=zero_dead)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Do not look for garbage: trees of 100,000 nodes are made, and none of them dropped."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _made(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Translation:
    lowered = _lower(program, predicates, layout, checked=checked, zero_dead=zero_dead)
    counts = {thread.name: thread.count for thread in program.threads}
    tables: dict[str, StructType] = {}
    statements: list[ast.stmt] = []
    for kind, plan in lowered.plans.items():
        emitter = Emitter(plan, tables, zero_dead, checked, is_alone=counts[kind] == 1)
        statements += emitter.emit()
    statements += lowered.helpers.definitions.values()
    code = compile_module(statements)
    places = {name: at for name in _names_in(code) if (at := constant_byte(name)) is not None}
    return Translation(
        frames={kind: plan.frames for kind, plan in lowered.plans.items()},
        tables={name: kind.number for name, kind in tables.items()},
        predicate_names=list(lowered.predicates),
        index_checks=lowered.helpers.index_checks,
        code=code,
        constant_bytes=dict(sorted(places.items())),
        c_steps=_in_c(lowered),
    )


def _lower(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Lowered:
    helpers = HelperSet(layout, checked=checked)
    plans: dict[str, Plan] = {}
    for thread in program.threads:
        if not thread.name.isidentifier() or thread.name in plans:
            raise DeclarationError(f"thread {thread.name!r}: a name of its own is needed")
        graph = build_graph(thread.name, thread.path, layout, helpers)
        plans[thread.name] = plan_of(graph, zero_dead=zero_dead)
    names = [helpers.predicate(predicate) for predicate in predicates]
    return Lowered(plans, helpers, names, zero_dead)


def _in_c(lowered: Lowered) -> Steps | Refusal:
    try:
        return emit_steps(lowered)
    except LanguageError as error:
        return Refusal(error.file, error.line, error.reason)


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


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
