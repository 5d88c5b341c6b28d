"""What is compiled once for all array sizes of a program: graphs, frames, generated code.

A model has many geometries and one source.  Numbers that depend on the sizes keep a name through
lowering (``layout.Written``); :meth:`Translation.bind` puts the numbers of one layout into the
generated Python code, where they are plain constants again, so they cost nothing when steps run.

Rejected: a translation for every geometry (that was two thirds of the time of a default check);
names looked up when a step runs (slower steps).
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from types import CodeType
from typing import TYPE_CHECKING, Any

from powercut.checkers.engine.emit_python import Emitter, Frames, compile_module, plan_frames
from powercut.checkers.engine.errors import DeclarationError
from powercut.checkers.engine.expressions import constant_byte
from powercut.checkers.engine.graph import HelperSet, build_graph
from powercut.checkers.engine.layout import Layout, StructType
from powercut.model.language import Program

if TYPE_CHECKING:
    import ast

Value = Callable[[str], int]
"""Gives the number behind a written sum."""


class Translation:
    """The code of ``program`` with its ``predicates``; ``layout`` is any of its layouts.

    ``constant_bytes`` maps the names under which generated code reads single bytes of the constant
    vector to where they are.  Raises :class:`LanguageError` and :class:`DeclarationError`.
    """

    def __init__(
        self,
        program: Program,
        predicates: Sequence[Callable[..., int]],
        layout: Layout,
        *,
        checked: bool,
        zero_dead: bool,
    ) -> None:
        self.zero_dead = zero_dead
        self.helpers = helpers = HelperSet(layout, checked=checked)
        self.frames: dict[str, Frames] = {}
        self.tables: dict[str, StructType] = {}
        statements: list[ast.stmt] = []
        for thread in program.threads:
            if not thread.name.isidentifier() or thread.name in self.frames:
                raise DeclarationError(f"thread {thread.name!r}: a name of its own is needed")
            graph = build_graph(thread.name, thread.path, layout, helpers)
            frames = plan_frames(graph, zero_dead=zero_dead)
            self.frames[thread.name] = frames
            is_alone = thread.count == 1
            emitter = Emitter(frames, self.tables, zero_dead, checked, is_alone)
            statements += emitter.emit()
        self.predicate_names = [helpers.predicate(p) for p in predicates]
        statements += helpers.definitions.values()
        self.code = compile_module(statements)
        self.constant_bytes = {
            name: at for name in _names_in(self.code) if (at := constant_byte(name)) is not None
        }

    def bind(self, value: Value) -> CodeType:
        """Return the generated module with the numbers of one layout."""
        return _bound(self.code, value)


@lru_cache(maxsize=16)
def _shared(
    program: Program,
    predicates: tuple[Callable[..., int], ...],
    checked: bool,
    zero_dead: bool,
    first: "_Layout",
) -> Translation:
    return Translation(program, predicates, first.layout, checked=checked, zero_dead=zero_dead)


class _Layout:
    """Hands a layout through a cache that must not tell layouts apart."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Layout)

    def __hash__(self) -> int:
        return 0


def translate(
    program: Program,
    predicates: Sequence[Callable[..., int]],
    layout: Layout,
    *,
    checked: bool,
    zero_dead: bool,
) -> Translation:
    """Return the translation of ``program``, the same one for every layout of it.

    Raises :class:`LanguageError` where a constant index is outside its array in ``layout``.
    """
    translation = _shared(program, tuple(predicates), checked, zero_dead, _Layout(layout))
    for check in translation.helpers.index_checks:
        check.against(layout)
    return translation


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
