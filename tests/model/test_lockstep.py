"""The compiled model against the native one: same variables, same enabled threads, every step."""

import random

import pytest

from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import Build, System
from powercut.checkers.run.mount import Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.weave.program import MODEL
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.setup import dimensions
from powercut.properties.catalog import PREDICATES, SITUATIONS, STATE_PROPERTIES
from tests.model.walking import walk_together
from tests.tiers import every

CHOICES = (*DESIGNS.values(), *MUTANTS.values())


@pytest.mark.parametrize("scope_name", every(8, SCOPES))
def test_random_schedules_agree(scope_name: str) -> None:
    chooser = random.Random(scope_name)
    for choice in chooser.sample(CHOICES, 4):
        design = choice if choice in DESIGNS.values() else DESIGNS["seed"]
        mutant = None if choice in DESIGNS.values() else choice
        mount = Mount.of(Question(design, SCOPES[scope_name], mutant))  # type: ignore[arg-type]
        walk_together(mount.system, mount.native(), chooser, 300)


def test_properties_agree_on_native_views() -> None:
    mount = Mount.of(Question(DESIGNS["seed"], SCOPES["eio-abort"]))
    system = mount.system
    properties, situations = predicates_of(system)
    checks = {**STATE_PROPERTIES, **SITUATIONS}
    chooser = random.Random(3)
    for _ in range(6):
        native = mount.native()
        state = system.initial
        while enabled := system.enabled(state):
            for name, compiled in {**properties, **situations}.items():
                assert bool(compiled(state)) == bool(checks[name](native.root)), name
            thread = chooser.choice(enabled)
            native.step(thread)
            state = system.step(state, thread)


def build(scope_name: str, *, checked: bool = False, zero_dead: bool = True) -> Build:
    dims = dimensions(SCOPES[scope_name], SCOPES[scope_name].mounts[0])
    return Build(MODEL, dims, PREDICATES, checked=checked, zero_dead=zero_dead)


def explore(built: Build, scope_name: str) -> BreadthFirst:
    reference = Mount.of(Question(DESIGNS["seed"], SCOPES[scope_name]))
    system = System(built, reference.system.constants, reference.variables)
    invariants, situations = predicates_of(system)
    search = BreadthFirst(system, Watch(invariants, situations), Limits())
    search.run()
    return search


@pytest.mark.parametrize("scope_name", ["append-fsync", "eio-abort", "cookie-race", "log-full"])
def test_no_write_leaves_its_declared_range(scope_name: str) -> None:
    checked = explore(build(scope_name, checked=True), scope_name).outcome
    plain = explore(build(scope_name), scope_name).outcome
    assert not checked.found
    assert (checked.states, checked.transitions) == (plain.states, plain.transitions)


@pytest.mark.parametrize("scope_name", ["append-fsync", "eio-overwrite", "truncate-truncate"])
def test_zeroing_dead_locals_changes_no_verdict(scope_name: str) -> None:
    zeroed = explore(build(scope_name), scope_name).outcome
    kept = explore(build(scope_name, zero_dead=False), scope_name).outcome
    assert set(zeroed.found) == set(kept.found)
    assert zeroed.reached == kept.reached
    assert zeroed.states <= kept.states
