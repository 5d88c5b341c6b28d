"""Counterexamples as random runs find them: long, with threads that alternate for no reason."""

from functools import cache

from powercut.checkers.crash.image import decode
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.run.runner import Epoch, evidence_image, make_system, predicates_of
from powercut.checkers.run.trace_of import Subject, make_trace
from powercut.checkers.traces.format import Trace
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.model.recovery import Disk, mkfs
from powercut.model.scopes import SCOPES
from powercut.properties.crash import factored


@cache
def random_trace(design: str, scope: str, prop: str, mutant: str = "", seed: int = 1) -> Trace:
    """Return the first counterexample of seeded random runs of a scope of one mount."""
    subject = Subject(DESIGNS[design], SCOPES[scope], MUTANTS.get(mutant))
    system = make_system(subject.scope, 0, subject.design, subject.mutant)
    images: list[Disk] = []

    def look(projection: bytes, _number: int) -> list[str]:
        state = decode(system.build.layout, projection, subject.scope.geometry)
        bad = [finding for finding in factored(state) if finding.prop == prop]
        if bad and not images:
            images.append(evidence_image(state, bad[0]))
        return [prop] if bad else []

    invariants = {name: check for name, check in predicates_of(system)[0].items() if name == prop}
    watch = Watch(invariants=invariants, on_projection=look)
    outcome = RandomWalks(system, watch, Limits(), [system.initial], Walk(seed, 3_000)).run()
    found = outcome.found[prop]
    epoch = Epoch(mkfs(subject.scope), found.schedule, images[0] if images else None)
    return make_trace(subject, prop, [epoch], found.detail or prop)
