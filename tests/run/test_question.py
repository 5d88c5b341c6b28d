"""What is asked: one value that can be compared, hashed and printed, and that results carry."""

from dataclasses import FrozenInstanceError, replace

import pytest

from powercut.checkers.engine.search.c import CBreadthFirst, NotCompiled
from powercut.checkers.engine.search.coverage import Sample
from powercut.checkers.engine.search.making import make_search
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import COMPACT, EXHAUSTIVE, Strategy, Swarm, Walk
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS
from tests.engine.toys import TOYS, system_of

ASKED = Question(DESIGNS["seed"], SCOPES["enospc"])
STRATEGIES = (EXHAUSTIVE, COMPACT, Swarm(3), Walk(1, 20))
SMALLEST = min(TOYS, key=lambda toy: toy.states).name


def test_a_question_is_a_value() -> None:
    again = Question(DESIGNS["seed"], SCOPES["enospc"])
    assert again == ASKED
    assert hash(again) == hash(ASKED)
    assert replace(ASKED, limits=Limits(max_states=1)) != ASKED
    assert replace(ASKED, strategy=Swarm(1)) != replace(ASKED, strategy=Swarm(2))
    assert replace(ASKED, engine="python") == ASKED, "the engine changes no answer"
    planted = replace(ASKED, mutant=MUTANTS["no-preflush"], strategy=Swarm(2))
    assert str(planted) == "seed enospc no-preflush seed 2"


def test_an_unknown_engine_is_no_question() -> None:
    with pytest.raises(ValueError, match="unknown engine 'fast'; known: auto, python, c"):
        replace(ASKED, engine="fast")


def test_a_result_is_frozen_and_has_its_question() -> None:
    few = replace(ASKED, limits=Limits(max_states=50), engine="python")
    result = run_scope(few)
    assert result.question is few
    assert result.stopped == "mount 1: limit of 50 states reached"
    with pytest.raises(FrozenInstanceError):
        result.stopped = ""  # type: ignore[misc]


@pytest.mark.parametrize("strategy", STRATEGIES, ids=lambda each: type(each).__name__)
def test_every_search_meets_the_protocol(strategy: Strategy) -> None:
    """The same toy by every search: what is seen of a state, the way to it, and the end."""
    system = system_of(SMALLEST)
    seen: list[tuple[bytes, bytes, tuple[int, ...]]] = []

    def look(state: bytes, number: int) -> None:
        if len(seen) < 4:
            seen.append((state, *search.schedule_to(number)))

    watch = Watch(on_state=look)
    search = make_search(strategy, "python", system, watch, Limits(), [system.initial])
    outcome = search.run()
    assert seen
    for state, start, schedule in seen:
        for thread in schedule:
            start = system.step(start, thread)
        assert start == state
    assert (outcome.states, outcome.stopped != "") != (0, False)
    assert isinstance(outcome.sample, Sample) == isinstance(strategy, Swarm)
    search.close()


def test_what_looks_at_states_is_not_for_c() -> None:
    watch = Watch(on_state=lambda _state, _number: None)
    with pytest.raises(NotCompiled):
        CBreadthFirst(system_of("pool"), watch, Limits())


def test_something_else_is_no_strategy() -> None:
    with pytest.raises(TypeError, match="Strategy is not a strategy"):
        make_search(Strategy(), "python", system_of("pool"), Watch(), Limits(), [])
