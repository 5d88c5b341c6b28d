"""Counterexamples as random runs find them: long, with threads that alternate for no reason."""

from functools import cache
from typing import TYPE_CHECKING

from powercut.checkers.crash.evidence import evidence_image
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.run.mount import Epoch, Mount, predicates_of
from powercut.checkers.run.question import Question
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.format import Trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from powercut.properties.crash import factored

if TYPE_CHECKING:
    from powercut.model.recovery import Disk


@cache
def random_trace(design: str, scope: str, prop: str, mutant: str = "", seed: int = 1) -> Trace:
    """Return the first counterexample of seeded random runs of a scope of one mount."""
    question = Question(DESIGNS[design], SCOPES[scope], MUTANTS.get(mutant))
    mount = Mount.of(question)
    images: list[Disk] = []

    def look(projection: bytes, _number: int) -> list[str]:
        state = mount.crash_of(projection)
        bad = [finding for finding in factored(state) if finding.prop == prop]
        if bad and not images:
            images.append(evidence_image(state, bad[0]))
        return [prop] if bad else []

    invariants = {
        name: check for name, check in predicates_of(mount.system)[0].items() if name == prop
    }
    watch = Watch(invariants=invariants, on_projection=look)
    outcome = RandomWalks(mount.system, watch, Limits(), [mount.start], Walk(seed, 3_000)).run()
    found = outcome.found[prop]
    epoch = Epoch(mount.disk, found.schedule, images[0] if images else None)
    return make_trace(question, prop, [epoch], found.detail or prop)
