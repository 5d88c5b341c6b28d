"""The notation of outcomes: patterns stand for exactly the set they were made from."""

from hypothesis import given
from hypothesis import strategies as st

from powercut.checkers.litmus import Outcome, Pattern, compress, format_outcome
from powercut.checkers.run.observation import (
    CrashPoint,
    Observation,
    format_pattern,
    outcome_of,
)


def test_colours_become_letters_with_bars_between_blocks() -> None:
    seen = Observation((CrashPoint((0,)),))
    outcome = outcome_of(seen, [(7, (1, 2, 4, 8, 16, 32, 64)), (0, ())], [(0, 0)])
    assert format_outcome(outcome, 2) == 'size=7 ".x|po|AB|C" @1 size=0'


def test_results_of_syncs_are_read_from_two_bits_an_operation() -> None:
    seen = Observation((CrashPoint((0, 0)),), files=False, syncs=((0, 1), (0, 3), (1, 0)))
    outcome = outcome_of(seen, [(1, (8,))], [(3, 0b01_00_01_00), (1, 0b11)])
    assert outcome.files == ()
    assert format_outcome(outcome, 2) == "1.2=EIO 1.4=- 2.1=EROFS"


def test_a_crash_point_counts_when_every_task_is_there() -> None:
    point = CrashPoint((2, 0))
    assert [point.counts(seen) for seen in ((1, 4), (2, 0), (3, 1))] == [False, True, True]


def test_a_product_is_one_line() -> None:
    outcomes = {Outcome(((3, a + "A" + b),)) for a in ".o" for b in "xB"}
    (pattern,) = compress(outcomes)
    assert format_pattern(pattern, 2) == 'size=3 "[.o]A|[xB]"'


def test_a_product_with_a_hole_is_not() -> None:
    outcomes = {Outcome(((2, a + b),)) for a in ".o" for b in ".o"} - {Outcome(((2, "oo"),))}
    assert [format_pattern(p, 2) for p in compress(outcomes)] == ['size=2 ".[.o]"', 'size=2 "o."']


FILES = st.integers(0, 4).flatmap(
    lambda size: st.tuples(st.just(size), st.text(".xpoAB", min_size=size, max_size=size))
)
OUTCOMES = st.builds(
    Outcome,
    st.tuples(FILES, FILES),
    st.sampled_from([(), (("1.2", "0"),), (("1.2", "EIO"),)]),
)


@given(st.sets(OUTCOMES, max_size=12))
def test_patterns_stand_for_each_outcome_once(outcomes: set[Outcome]) -> None:
    patterns = compress(outcomes)
    expanded = [outcome for pattern in patterns for outcome in pattern.outcomes()]
    assert len(expanded) == len(set(expanded))
    assert set(expanded) == outcomes
    assert compress(expanded) == patterns


def test_a_pattern_without_files_is_one_outcome() -> None:
    pattern = Pattern((), (("1.1", "EIO"),))
    assert list(pattern.outcomes()) == [Outcome((), (("1.1", "EIO"),))]
