"""Two traces side by side: where they part, in steps, in state, and in what the crash leaves.

Steps are aligned by thread, function and label.  States are compared after each pair of aligned
steps, as long as both runs have the same variables.
Rejected: comparing by step number (one step more, and everything differs).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from powercut.checkers.explain.what_if import Course, Plan, Walker, plan_of
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.places import placed_steps
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import HOLDS, VIOLATED
from powercut.checkers.run.trace_of import make_trace
from powercut.checkers.traces.describe import describe_changes, values_of
from powercut.checkers.traces.format import (
    DiskImage,
    Origin,
    Trace,
    TraceStep,
    colour_name,
    image_of,
)
from powercut.checkers.traces.views import PlacedStep
from powercut.model.recovery import cell_content, recover

SUBJECT = ("design", "mutant", "scope", "workload", "property", "verdict")


@dataclass(frozen=True, slots=True)
class Parted:
    """Steps that only one of the traces has, with their numbers (from 1) in mount ``mount``."""

    mount: int
    first: int
    only_first: tuple[PlacedStep, ...]
    second: int
    only_second: tuple[PlacedStep, ...]


@dataclass(frozen=True, slots=True)
class StateDifference:
    """The first aligned steps after which the states differ, and how, in kernel words.

    Step numbers are 0 where the mounts already start from different states.
    """

    mount: int
    first: int
    second: int
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """``subjects`` maps what the traces are about to both values, where they differ.

    ``outcomes`` has the end of each mount in words, where they differ.
    """

    subjects: dict[str, tuple[str, str]]
    parted: tuple[Parted, ...]
    state: StateDifference | None
    outcomes: tuple[tuple[int, str, str], ...]
    states_compared: bool

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not (self.subjects or self.parted or self.state or self.outcomes)


def compare_traces(first: Trace, second: Trace) -> Comparison:
    """Compare two traces that replay.  Raises :class:`TraceError` for an unknown name."""
    subjects = {
        name: (getattr(first, name), getattr(second, name))
        for name in SUBJECT
        if getattr(first, name) != getattr(second, name)
    }
    one = Walker(first.property).walk(plan_of(first))
    other = Walker(second.property).walk(plan_of(second))
    comparable = _names(one) == _names(other)
    state = next(_states(first, second, (one, other)), None) if comparable else None
    parted: list[Parted] = []
    for n in range(max(len(first.epochs), len(second.epochs))):
        parted += _parted(n, first, second, (one.question, other.question))
    outcomes = []
    for n in range(max(len(first.epochs), len(second.epochs))):
        ends = _end(first, one, n), _end(second, other, n)
        if ends[0] != ends[1]:
            outcomes.append((n + 1, *ends))
    return Comparison(subjects, tuple(parted), state, tuple(outcomes), comparable)


def _names(course: Course) -> list[list[str]]:
    """Return the names of the variables in each mount."""
    return [
        Mount.of(course.question, n).system.build.layout.names() for n in range(len(course.epochs))
    ]


def _steps(trace: Trace, n: int) -> Sequence[TraceStep]:
    return trace.epochs[n].steps if n < len(trace.epochs) else ()


def _blocks(first: Sequence[TraceStep], second: Sequence[TraceStep]) -> SequenceMatcher[TraceStep]:
    return SequenceMatcher(None, first, second, autojunk=False)


def _parted(n: int, first: Trace, second: Trace, questions: Sequence[Question]) -> Iterator[Parted]:
    one, other = _steps(first, n), _steps(second, n)
    for tag, a, a_end, b, b_end in _blocks(one, other).get_opcodes():
        if tag != "equal":
            only_one = _placed(questions[0], n, one[a:a_end])
            only_other = _placed(questions[1], n, other[b:b_end])
            yield Parted(n + 1, a + 1, only_one, b + 1, only_other)


def _placed(question: Question, n: int, steps: Sequence[TraceStep]) -> tuple[PlacedStep, ...]:
    return tuple(placed_steps(Mount.of(question, n), steps)) if steps else ()


def _states(first: Trace, second: Trace, courses: Sequence[Course]) -> Iterator[StateDifference]:
    """Yield where the states differ after aligned steps, in order."""
    for n in range(min(len(first.epochs), len(second.epochs))):
        layout = Mount.of(courses[0].question, n).system.build.layout
        pairs = [(0, 0)]
        for a, b, size in _blocks(_steps(first, n), _steps(second, n)).get_matching_blocks():
            pairs += [(a + k + 1, b + k + 1) for k in range(size)]
        for a, b in pairs:
            if max(a - len(courses[0].states[n]), b - len(courses[1].states[n])) >= 0:
                break
            one, other = (
                values_of(layout, course.states[n][at][: layout.shared_size])
                for course, at in zip(courses, (a, b), strict=True)
            )
            if one != other:
                changes = describe_changes(one, other) or _plain(one, other)
                yield StateDifference(n + 1, a, b, tuple(changes))


def _plain(one: dict[str, int], other: dict[str, int]) -> list[str]:
    """Name the variables that differ, where kernel words pass over them."""
    return [f"{name} {one[name]} > {other[name]}" for name in one if one[name] != other[name]]


def _end(trace: Trace, course: Course, n: int) -> str:
    """Say in one line how mount ``n`` ends: the recovered file, or no power cut."""
    if n >= len(trace.epochs):
        return "no such mount"
    run = course.epochs[n]
    if run.crash is None:
        return f"no power cut; {trace.property} {trace.verdict}"
    geometry = course.question.scope.geometry
    disk = recover(run.crash, geometry)
    image = image_of(disk)
    files = []
    for i, inode in enumerate(disk.inodes):
        colours = (cell_content(disk, geometry, i, cell) for cell in range(inode.size))
        names = " ".join(colour_name(colour) for colour in colours)
        name = f"inode {i}: " if len(disk.inodes) > 1 else ""
        files.append(f"{name}size {inode.size} | {names}")
    return f"power cut; recovered {'; '.join(files)}" + _blocks_of(image)


def _blocks_of(image: DiskImage) -> str:
    states = [", ".join(extent.state for extent in inode.extents) for inode in image.inodes]
    return f" | blocks {'; '.join(states)}"


# ---- one schedule under another design ----------------------------------------------------------


def follow(trace: Trace, question: Question, *, counterpart: str = "") -> Trace:
    """Return the run of ``question`` that does what ``trace`` did, as far as it goes.

    A step counts only from the same point of its thread's path; the others are left out.  The power
    is cut where the trace cut it, with the same cells where they can show the same, unless another
    image there violates the trace's property: "holds" means that none does.
    """
    walker = Walker(trace.property)
    plan = Plan(question, plan_of(trace).mounts, exact=True)
    course = walker.walk(plan, any_image=True)
    verdict: Literal["violated", "holds"] = VIOLATED if course.kind else HOLDS
    summary = course.summary if course.kind else f"{walker.prop.name} holds at the end of this run"
    return make_trace(
        question,
        trace.property,
        course.epochs,
        summary or trace.summary,
        verdict,
        origin=Origin(trace.origin.finder, trace.origin.seed, counterpart=counterpart),
    )
