"""Make a translation: from paths to graphs, plans, Python code and C text.

Only who makes one imports this; a process that finds its translation in the cache never does.
"""

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING

from powercut.checkers.engine.emit_c import emit_steps
from powercut.checkers.engine.emit_python import Emitter, compile_module
from powercut.checkers.engine.errors import DeclarationError, LanguageError
from powercut.checkers.engine.graph import HelperSet, build_graph
from powercut.checkers.engine.layout import Layout, StructType
from powercut.checkers.engine.plan import Lowered, Plan, plan_of
from powercut.checkers.engine.sums import constant_byte
from powercut.checkers.engine.translation import Refusal, Steps, Translation
from powercut.model.language import Program

if TYPE_CHECKING:
    import ast


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


def _names_in(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _names_in(constant)
    return names
