"""The bridge: every step of the executable model is a protocol step, a few of them, or none.

What: for a transition of the model, :class:`Bridge` maps both ends and looks for a sequence of
protocol steps from one to the other, by evaluating guards and changes on numbers; and it evaluates
the invariant in every mapped state.  Parameters come from what differs and from the call a task is
at.  Both answers are remembered by mapped state, so a search of ten thousand transitions asks a few
hundred questions.
Why so: without it the proof is about the protocol only.  What is checked is a simulation on the
transitions visited, exhaustively on the scopes explored and by seeded walks on others: evidence
for, not a proof of, the refinement everywhere.
Rejected: a solver call a transition (slow, and a wrong answer would be hard to read).
"""

import random
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from powercut.checkers.proof.invariant import conjuncts_of, initial
from powercut.checkers.proof.logic import HOLE, Concrete
from powercut.checkers.proof.mapping import HISTORY, Call, Mapper, Plain, canonical, state_of, table
from powercut.checkers.proof.rules import DEFER, HOLD, NO_RULE, Rules
from powercut.checkers.proof.state import FIELDS, NONE, SCALAR, State
from powercut.checkers.proof.steps import STEPS
from powercut.checkers.run.mount import Mount
from powercut.model.scope import OpCode
from powercut.model.state import FOREIGN, NR_OPS, OLD, POLLUTION, ZERO

MAX_SEQUENCE = 5
_EMPTY = "stutter"
_SHOWN = tuple(name for name in FIELDS if name not in HISTORY)
NEED_HISTORY = frozenset({"size_coming", "size_awaited", "marks_awaited"})
"""Conjuncts without meaning where the history is not known: ``watched`` judges them."""

Guess = tuple[str, dict[str, Any]]


@dataclass(slots=True)
class Mismatch:
    """A model step that the protocol has no answer to, or a state outside the invariant."""

    what: str
    where: str
    colour: int
    differences: str


@dataclass(slots=True)
class Crossing:
    """What a check covered: counts, the protocol steps used, and what did not fit."""

    transitions: int = 0
    states: int = 0
    mapped_states: int = 0
    used: dict[str, int] = field(default_factory=dict)
    mismatches: list[Mismatch] = field(default_factory=list)
    unsound_starts: int = 0
    skipped: int = 0


class Bridge:
    """Checks transitions of ``mount`` against the protocol with ``rules``."""

    def __init__(self, mount: Mount, rules: Rules) -> None:
        self.mount = mount
        self.rules = rules
        self.mapper = Mapper(mount.system)
        conf = mount.view(mount.start).conf
        self.x = Concrete(conf.nr_cells, conf.nr_phys * conf.cells_per_block, conf.cells_per_block)
        self.colours = [1 << n for n in range(8) if 1 << n != ZERO and self._occurs(1 << n)]
        claimed = conjuncts_of(rules) if rules.eof in (HOLD, DEFER) else []
        self.conjuncts = [c for c in claimed if c.name not in NEED_HISTORY]
        self._answers: dict[Any, tuple[Guess, ...] | None] = {}
        self._judged: dict[Any, str] = {}
        self._maps: dict[bytes, tuple[dict[int, Plain], list[tuple[int, ...]]]] = {}
        self._commits = False
        self.result = Crossing()

    def _occurs(self, colour: int) -> bool:
        k = self.mount.view(self.mount.start)
        ops = [k.conf.task[t].op[n] for t in range(len(self.mapper.tasks)) for n in range(NR_OPS)]
        return colour in (FOREIGN, POLLUTION, OLD) or any(op.colour == colour for op in ops)

    def start(self, state: bytes) -> bool:
        """Check a mount's first state; ``False`` if its disk is not one the proof starts from."""
        for colour in self.colours:
            if not initial(self.x, state_of(self.mapper.plain(state, colour))):
                self.result.unsound_starts += 1
                return False
            self._judge(state, colour)
        return True

    def transition(
        self, before: bytes, thread: int, after: bytes
    ) -> dict[int, tuple[Guess, ...] | None]:
        """Check one step of the model; return the protocol steps it is, for every colour."""
        found: dict[int, tuple[Guess, ...] | None] = {}
        if self.mount.view(after).journal.aborted:
            self.result.skipped += 1
            return found
        self.result.transitions += 1
        call = self.mapper.call_of(before, thread)
        sets = (*self._mapped(before)[1], *self._mapped(after)[1])
        for colour in self.colours:
            old = self._mapped(before)[0][colour]
            new = self._mapped(after)[0][colour]
            key = (_key(old), _key(new), call, sets, colour)
            if key not in self._answers:
                self._answers[key] = self._explain(old, new, call, sets, colour)
            answer = self._answers[key]
            found[colour] = answer
            if answer is None:
                self.complain(
                    "no protocol step", self.where(before, thread), colour, _differences(old, new)
                )
            else:
                for name in [name for name, _ in answer] or (_EMPTY,):
                    self.result.used[name] = self.result.used.get(name, 0) + 1
            self._judge(after, colour)
        return found

    def where(self, state: bytes, thread: int) -> str:
        """Return the thread and the place it is at, in words."""
        place = self.mount.place(state, thread)
        return f"{self.mount.threads[thread].name} at {place.function} '{place.label}'"

    def mapped(self, state: bytes) -> dict[int, Plain]:
        """Return the mapped state in every colour."""
        return self._mapped(state)[0]

    def _mapped(self, state: bytes) -> tuple[dict[int, Plain], list[tuple[int, ...]]]:
        """Return the mapped state in every colour, and the cells of the worker's ioends."""
        if state not in self._maps:
            if len(self._maps) > 5_000:
                self._maps.clear()
            plains = {colour: self.mapper.plain(state, colour) for colour in self.colours}
            self._maps[state] = (plains, [cells for _, cells in self.mapper.ioends(state)])
        return self._maps[state]

    def _judge(self, state: bytes, colour: int) -> None:
        plain = self._mapped(state)[0][colour]
        key = _key(plain)
        if key not in self._judged:
            mapped = state_of(plain)
            broken = [c.name for c in self.conjuncts if not c.sentence(self.x, mapped)]
            self._judged[key] = ", ".join(broken)
            self.result.mapped_states = len(self._judged)
            if broken:
                self.complain("outside the invariant", ", ".join(broken), colour, str(plain))

    def complain(self, what: str, where: str, colour: int, differences: str) -> None:
        """Note a mismatch; the first twenty are kept."""
        if len(self.result.mismatches) < 20:
            self.result.mismatches.append(Mismatch(what, where, colour, differences))

    def _explain(
        self,
        old: Plain,
        new: Plain,
        call: Call | None,
        sets: tuple[tuple[int, ...], ...],
        colour: int,
    ) -> tuple[Guess, ...] | None:
        """Return the protocol steps that lead from ``old`` to ``new``, shortest first."""
        wanted = _key(new)
        # A commit flushes the cache in its own step: another flush must not stand in for it.
        self._commits = old["commit"] != new["commit"]
        queue: deque[tuple[Plain, tuple[Guess, ...]]] = deque([(old, ())])
        seen = {_key(old)}
        while queue:
            current, path = queue.popleft()
            if _key(current) == wanted:
                return path
            if len(path) == MAX_SEQUENCE:
                continue
            for name, params in self._guesses(current, new, call, sets, colour):
                following = self.take(current, name, params)
                if following is not None and _key(following) not in seen:
                    seen.add(_key(following))
                    queue.append((following, (*path, (name, params))))
        return None

    def take(self, plain: Plain, name: str, params: dict[str, Any]) -> Plain | None:
        """Return ``plain`` after a protocol step, or nothing where its guard forbids it."""
        s = state_of(plain)
        p = State({n: table(v) if isinstance(v, tuple) else v for n, v in params.items()})
        move = STEPS[name].take(self.x, self.rules, s, p)
        if not move.guard:
            return None
        out = dict(plain)
        for field_name, value in move.changes.items():
            kind = FIELDS[field_name].kind
            if kind == SCALAR:
                out[field_name] = value
            else:
                count = self.x.nr_cells if kind == "cell" else self.x.nr_phys
                out[field_name] = tuple(value(n) for n in range(count))
        return canonical(out)

    def _guesses(
        self,
        cur: Plain,
        new: Plain,
        call: Call | None,
        sets: tuple[tuple[int, ...], ...],
        colour: int,
    ) -> Iterator[Guess]:
        yield from self._call_guesses(cur, new, call, colour)
        yield from self._io_guesses(cur, new)
        yield from self._worker_guesses(cur, new, sets)
        yield from self._journal_guesses(cur, new)

    def _call_guesses(
        self, cur: Plain, new: Plain, call: Call | None, colour: int
    ) -> Iterator[Guess]:
        cells = range(self.x.nr_cells)
        dirt = new["dirty"]
        if call is not None and call.code != OpCode.STORE:
            if not cur["extending"]:
                yield "begin_extension", {}
            if not cur["zeroed"]:
                tail = range(cur["isz"], self.x.up(cur["isz"]))
                mapped = tuple(c in tail and cur["map"][c] != HOLE for c in cells)
                none = tuple(False for _ in cells)
                for mark in dict.fromkeys((mapped, none)):
                    yield "zero_eof", {"mark": mark, "dirt": dirt}
        if call is not None and call.code == OpCode.WRITE:
            bounds = [*range(call.pos, call.pos + call.length + 1)]
            for start in bounds:
                for stop in bounds:
                    if start < stop:
                        shows = bool(call.colour & colour)
                        yield (
                            "write",
                            {
                                "start": start,
                                "stop": stop,
                                "colour": shows,
                                "dirt": dirt,
                            },
                        )
        if call is not None and call.code == OpCode.STORE:
            shows = bool(call.colour & colour)
            yield "store", {"at": call.pos, "colour": shows, "dirt": dirt}
        if call is not None and call.code == OpCode.TRUNCATE:
            yield "truncate_begin", {"size": call.pos}
            for allowed in range(self.x.nr_cells + 1):
                yield "truncate_up", {"size": call.pos, "allowed": allowed}
                yield "truncate_sizes", {"allowed": allowed}
            yield "truncate_remove", {}
        if cur["extending"] and not new["extending"]:
            yield "end_extension", {}
        dropped = tuple(cur["page"][c] and not new["page"][c] for c in cells)
        cleaned = tuple(cur["dirty"][c] and not new["dirty"][c] for c in cells)
        behind = tuple(cleaned[c] and c >= self.x.up(cur["isz"]) for c in cells)
        soiled = tuple(dirt[c] and not cur["dirty"][c] for c in cells)
        if any(dropped) or any(behind) or (any(soiled) and call is not None):
            yield "zero_behind_eof", {"cells": dropped, "drop": behind, "dirt": soiled}
        if (new["erred"] and any(cleaned)) or (not cur["erred"] and new["erred"]):
            yield "discard", {"cells": cleaned}

    def _io_guesses(self, cur: Plain, new: Plain) -> Iterator[Guess]:
        cells = range(self.x.nr_cells)
        mapped = tuple(cur["map"][c] == HOLE and new["map"][c] != HOLE for c in cells)
        if any(mapped):
            owner = [0] * self.x.nr_phys
            for c in cells:
                if mapped[c]:
                    owner[new["map"][c]] = c
            last = max(c for c in cells if mapped[c])
            yield (
                "allocate",
                {
                    "cells": mapped,
                    "place": new["map"],
                    "owner": tuple(owner),
                    "last": last,
                },
            )
        started = _moved(cur, new, 0, (1, 2))
        yield from self._built(cur, new, cells)
        for end in sorted({new["end"][c] for c in cells if started[c]}):
            chosen = tuple(started[c] and new["end"][c] == end for c in cells)
            marked = any(chosen[c] and cur["need"][c] for c in cells)
            yield "submit", {"cells": chosen, "end": end, "orders": marked}
        for to, inline in ((2, False), (0, True)):
            done = _moved(cur, new, 1, (to, 3) if to else (to,))
            yield from _completions(cur, done, inline, cells)

    def _built(self, cur: Plain, new: Plain, cells: range) -> Iterator[Guess]:
        """Blocks that join an ioend, one at a time: each has its own end."""
        for c in cells:
            if self.x.up(c) != c or cur["built"][c] or cur["io"][c] != NONE:
                continue
            if not (new["built"][c] or new["io"][c] != NONE):
                continue
            block = tuple(self.x.up(d + 1) == self.x.up(c + 1) for d in cells)
            ends = {min(self.x.up(c + 1), cur["isz"]), min(self.x.up(c + 1), new["end"][c])}
            for end in sorted(ends):
                yield "build", {"cells": block, "end": end}

    def _worker_guesses(
        self, cur: Plain, new: Plain, sets: tuple[tuple[int, ...], ...]
    ) -> Iterator[Guess]:
        cells = range(self.x.nr_cells)
        taken = tuple(cur["io"][c] == 2 and new["io"][c] != 2 for c in cells)
        if any(taken):
            yield "take_list", {"cells": taken}
        at_worker = [c for c in cells if cur["io"][c] == 3]
        for one, other in pairwise(sorted({cur["end"][c] for c in at_worker})):
            grown = tuple(c in at_worker and cur["end"][c] == one for c in cells)
            where = next(c for c in at_worker if cur["end"][c] == other)
            either = any(cur["orders"][c] for c in at_worker if cur["end"][c] in (one, other))
            yield "merge", {"cells": grown, "other": where, "orders": either}
        ended = _moved(cur, new, 3, (0,))
        if any(ended):
            yield "give_up", {"cells": ended}
        for span in dict.fromkeys(sets):
            chosen = tuple(c in span for c in cells)
            yield "convert", {"one": span[0], "cells": chosen}
            yield "give_up", {"cells": chosen}
            for allowed in range(self.x.nr_cells + 1):
                for skip in (False, True):
                    yield (
                        "finish",
                        {
                            "one": span[0],
                            "cells": chosen,
                            "allowed": allowed,
                            "skip": skip,
                        },
                    )

    def _journal_guesses(self, cur: Plain, new: Plain) -> Iterator[Guess]:
        if cur["commit"] != new["commit"]:
            for name in ("freeze", "preflush", "record", "committed", "give_back"):
                yield name, {}
        stable = cur["may"] == new["may"] and cur["else_may"] == new["else_may"]
        if not stable and not self._commits:
            yield "flush", {}
        if cur["itid"] != new["itid"]:
            yield "touch", {}


def _completions(cur: Plain, done: tuple[bool, ...], inline: bool, cells: range) -> Iterator[Guess]:
    if not any(done):
        return
    none = tuple(False for _ in cells)
    everything = tuple(True for _ in cells)
    for error, hit in ((False, none), (True, everything), (True, none)):
        yield "complete", {"cells": done, "error": error, "hit": hit, "inline": inline}


def _moved(cur: Plain, new: Plain, old: int, to: tuple[int, ...]) -> tuple[bool, ...]:
    pairs = zip(cur["io"], new["io"], strict=True)
    return tuple(a == old and b in to for a, b in pairs)


def _key(plain: Plain) -> tuple[Any, ...]:
    return tuple(plain[name] for name in _SHOWN)


def _differences(old: Plain, new: Plain) -> str:
    return "; ".join(f"{n}: {old[n]} -> {new[n]}" for n in _SHOWN if old[n] != new[n])


def cross_all(mount: Mount, rules: Rules, max_states: int) -> Crossing:
    """Check every transition of ``mount``, up to ``max_states`` states."""
    bridge = Bridge(mount, rules)
    sound = [mount.start] if bridge.start(mount.start) else []
    seen = set(sound)
    queue = deque(sound)
    while queue and len(seen) < max_states:
        state = queue.popleft()
        for thread in mount.enabled(state):
            following = mount.step(state, thread)
            bridge.transition(state, thread, following)
            if following not in seen and not mount.view(following).journal.aborted:
                seen.add(following)
                queue.append(following)
    bridge.result.states = len(seen)
    return bridge.result


def cross_walks(mount: Mount, rules: Rules, *, runs: int, steps: int, seed: int) -> Crossing:
    """Check the transitions of seeded random walks."""
    bridge = Bridge(mount, rules)
    chooser = random.Random(seed)
    if not bridge.start(mount.start):
        return bridge.result
    for _ in range(runs):
        state = mount.start
        for _ in range(steps):
            enabled = mount.enabled(state)
            if not enabled or mount.view(state).journal.aborted:
                break
            thread = chooser.choice(enabled)
            following = mount.step(state, thread)
            bridge.transition(state, thread, following)
            bridge.result.states += 1
            state = following
    return bridge.result


__all__ = ["NO_RULE", "Bridge", "Crossing", "Mismatch", "cross_all", "cross_walks"]
