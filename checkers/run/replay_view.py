"""A replayed mount as the ladder shows it: steps, changes, who waits, what a cut can leave."""

from powercut.checkers.run.follow import Follower, Taken
from powercut.checkers.run.standing import call_of, is_blocked, locks_of
from powercut.checkers.traces.describe import (
    context_of,
    describe_changes,
    describe_state,
    journal_at_crash,
    locks_held,
    values_of,
)
from powercut.checkers.traces.format import colour_set
from powercut.checkers.traces.views import EpochReplay, StepView, WrongCell


def view_of(run: Follower, wrong: list[WrongCell]) -> EpochReplay:
    """Return the mount that ``run`` went through; ``wrong`` are the cells that show it."""
    values = values_of(run.mount.system.build.layout, run.variables)
    return EpochReplay(
        steps=[_step_view(run, taken) for taken in run.taken],
        possible=[colour_set(may).split("|") for may in run.mount.crash(run.variables).may],
        journal=journal_at_crash(values),
        state=describe_state(values),
        waiting=_waiting(run),
        wrong=wrong,
    )


def _step_view(run: Follower, taken: Taken) -> StepView:
    layout = run.mount.system.build.layout
    info = run.mount.threads[taken.thread]
    before, after = values_of(layout, taken.before), values_of(layout, taken.after)
    return StepView(
        thread=info.name,
        place=f"{taken.function}(): {taken.call}",
        function=taken.function,
        call=taken.call,
        file=taken.place.file,
        line=taken.place.line,
        locks=locks_held(after, context_of(info.kind, info.number)),
        changes=describe_changes(before, after) + ([taken.failure] if taken.failure else []),
    )


def _waiting(run: Follower) -> list[str]:
    waiting = []
    for thread, info in enumerate(run.mount.threads):
        if not is_blocked(run.native, thread):
            continue
        function, call = call_of(run.mount, run.native, run.state, thread)
        held = ", ".join(locks_of(run.mount, run.state, thread))
        holding = f" holding {held}" if held else ""
        waiting.append(f"{info.name}{holding} waits in {function}(): {call}")
    return waiting
