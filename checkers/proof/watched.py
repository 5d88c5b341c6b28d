"""One fsync, watched along a walk through the executable model: the bridge with history.

What: :class:`Watch` carries the history fields (what an fsync saw, what it waits for, what was
written last) beside the mapped state, by taking the protocol steps that the bridge found.  It adds
the steps of the fsync where the model's call enters, has waited, and returns; each must be allowed
there.  Every claimed conjunct is judged on mapped state and history together, and what the fsync
may be answered by is compared with what the model's oracle noted.
Why so: that everything an fsync found dirty was written is nothing that a state shows.
An fdatasync is not watched: it waits for another transaction, and its promise is not proved.
Rejected: ghost variables in the model, the history as a part of every explored state (it would
multiply them; walks are enough to catch a mistake on either side, which the tests show).
"""

import random
from typing import Any

from powercut.checkers.proof.bridge import Bridge, Crossing, Guess
from powercut.checkers.proof.invariant import conjuncts_of
from powercut.checkers.proof.mapping import HISTORY, Plain, no_history, state_of
from powercut.checkers.proof.rules import Rules
from powercut.checkers.proof.state import NO_SYNC, RETURNED
from powercut.checkers.run.mount import Mount
from powercut.model.scope import OpCode
from powercut.model.state import MAX_TASKS


class Watch:
    """The history of one walk, in one colour; ``bridge`` explains the walk's steps."""

    def __init__(self, bridge: Bridge, colour: int) -> None:
        self.bridge = bridge
        self.colour = colour
        self.history = no_history(bridge.x.nr_cells)
        self.task = -1
        self.conjuncts = conjuncts_of(bridge.rules)

    def step(self, before: bytes, thread: int, after: bytes, path: tuple[Guess, ...]) -> None:
        """Follow one step of the model, which is the protocol steps ``path``."""
        self.where = self.bridge.where(before, thread)
        current = {**self.bridge.mapped(before)[self.colour], **self.history}
        syncing = self._syncing(before), self._syncing(after)
        call = self.bridge.mapper.call_of(before, thread)
        if call is not None and call.code == OpCode.FSYNC:
            entered = [t for t in syncing[1] if t not in syncing[0]]
            current = self._begin(current, entered)
        for name, params in path:
            current = self._take(current, name, params)
        if self.task >= 0 and self._has_waited(before, after):
            current = self._take(current, "sync_written", {})
        if self.task >= 0 and self.task not in syncing[1]:
            current = self._return(current, before)
        self.history = {name: current[name] for name in HISTORY}
        self._judge(after)

    def _syncing(self, state: bytes) -> list[int]:
        k = self.bridge.mount.view(state)
        return [t for t in range(MAX_TASKS) if k.oracle.caller[t].syncing]

    def _begin(self, current: Plain, entered: list[int]) -> Plain:
        """Watch a call that enters, unless one is being watched that has not returned."""
        if not entered or current["sync"] not in (NO_SYNC, RETURNED) or current["erred"]:
            return current
        self.task = entered[0]
        forgotten = {**current, **no_history(self.bridge.x.nr_cells), "must": current["must"]}
        return self._take(forgotten, "sync_begin", {})

    def _has_waited(self, before: bytes, after: bytes) -> bool:
        thread = next(i for i, number, _ in self.bridge.mapper.tasks if number == self.task)
        chains = [self.bridge.mapper.chain(state, thread) for state in (before, after)]
        inside = ["ext4_fsync_journal" in chain for chain in chains]
        return inside == [False, True]

    def _return(self, current: Plain, before: bytes) -> Plain:
        """The watched call returns: with success, unless an error ended it."""
        self.task = -1
        if current["sync"] == NO_SYNC:
            return current
        if current["s_flush"]:
            current = self._take(current, "sync_flush", {})
        current = self._take(current, "sync_return", {})
        self._compare(current, before)
        return current

    def _compare(self, current: Plain, before: bytes) -> None:
        """The model's oracle promises nothing that the protocol does not."""
        k = self.bridge.mount.view(before)
        callers = [k.oracle.caller[t] for t in self._syncing(before)]
        for caller in callers:
            size = min(caller.sync_size[0], current["s_size"])
            for c in range(size):
                allowed = caller.snapshot[c]
                may = (bool(allowed & self.colour), bool(allowed & ~self.colour))
                if len(callers) == 1 and may != (current["ok"][c], current["ok_else"][c]):
                    self.bridge.complain("another promise", self.where, self.colour, str(current))
                    return
            if len(callers) == 1 and caller.sync_size[0] > current["s_size"]:
                self.bridge.complain("a larger promise", self.where, self.colour, str(current))

    def _take(self, current: Plain, name: str, params: dict[str, Any]) -> Plain:
        following = self.bridge.take(current, name, params)
        if following is None:
            self.bridge.complain(f"{name} is not allowed", self.where, self.colour, str(current))
            return current
        return following

    def _judge(self, after: bytes) -> None:
        mapped = state_of({**self.bridge.mapped(after)[self.colour], **self.history})
        broken = [c.name for c in self.conjuncts if not c.sentence(self.bridge.x, mapped)]
        if broken:
            self.bridge.complain(
                "outside the invariant",
                f"{', '.join(broken)} after {self.where}",
                self.colour,
                str(self.history),
            )


def watch_walks(mount: Mount, rules: Rules, *, runs: int, steps: int, seed: int) -> Crossing:
    """Check seeded random walks together with the history of the fsyncs in them."""
    bridge = Bridge(mount, rules)
    chooser = random.Random(seed)
    if not bridge.start(mount.start):
        return bridge.result
    for _ in range(runs):
        walk(bridge, mount.start, chooser, steps)
    return bridge.result


def walk(bridge: Bridge, start: bytes, chooser: random.Random, steps: int) -> bytes:
    """Check one random walk of at most ``steps`` steps from ``start``; return where it ends."""
    mount = bridge.mount
    watches = [Watch(bridge, colour) for colour in bridge.colours]
    state = start
    for _ in range(steps):
        enabled = mount.enabled(state)
        if not enabled or mount.view(state).journal.aborted:
            break
        thread = chooser.choice(enabled)
        following = mount.step(state, thread)
        found = bridge.transition(state, thread, following)
        bridge.result.states += 1
        if len(found) < len(watches) or any(path is None for path in found.values()):
            break
        for watch in watches:
            watch.step(state, thread, following, found[watch.colour] or ())
        state = following
    return state
