"""Follow one function: which locks are held at every call, on every path.

Why so: paths that hold the same locks are merged and keep only the answers they agree on; paths
that hold different locks stay apart.  So the number of states is the number of different lock
sets, small in real code, and conditional locking is still followed.  Rejected: all paths
(exponential), and one merged lock set (it loses every trylock and every error path).

A caller sees only the ways to return that it can tell apart by the result.  Where some path keeps a
lock and nothing in the result says so, the function is taken to give it back: either that path is
not possible, or it is a mistake that is reported in this function and not in all its callers.
"""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from powercut.checkers.locks.csource import facts as know
from powercut.checkers.locks.csource.cfg import (
    OUT_OF_SIGHT,
    RETURNED,
    Assign,
    Block,
    Call,
    Cfg,
    EndScope,
    Jump,
    Op,
)
from powercut.checkers.locks.csource.effects import Effects
from powercut.checkers.locks.csource.source import Function
from powercut.checkers.locks.csource.summary import Held, Outcome, State, Summary

MAX_STATES = 48
"""Different lock sets followed at one point of a function; the rest is dropped and reported."""

MAX_VISITS = 60
MAX_OUTCOMES = 16

States = dict[State, dict[str, bool]]


class Ended:
    """The end of a path: what is held, at which line, what kind of value is returned.

    ``about`` has what the path knows about the arguments.
    """

    __slots__ = ("about", "line", "returned", "state")

    def __init__(self, state: State, line: int, returned: str, about: dict[str, bool]) -> None:
        self.state, self.line, self.returned, self.about = state, line, returned, about


class Flow:
    """The run over one function; the result is in ``summary``, ``exits`` and ``effects``."""

    def __init__(self, function: Function, cfg: Cfg, effects: Effects) -> None:
        self.function = function
        self.cfg = cfg
        self.effects = effects
        self.exits: list[Ended] = []
        self.complete = True
        self._ends: dict[State, dict[str, bool]] = {}
        self._parameters = effects.parameters = _never_assigned(function, cfg)
        effects.questions = frozenset(jump.atom for block in cfg.blocks for jump in block.jumps)

    def run(self, held: tuple[Held, ...] = ()) -> Summary:
        """Follow every path, from ``held``, and return the summary."""
        order = _reverse_postorder(self.cfg.blocks)
        entering: dict[int, States] = {0: {State(held): {}}}
        queue, queued, visits = [(0, 0)], {0}, dict.fromkeys(order, 0)
        final: dict[int, list[tuple[State, dict[str, bool]]]] = {}
        while queue:
            _, number = heapq.heappop(queue)
            queued.discard(number)
            visits[number] += 1
            block = self.cfg.blocks[number]
            leaving = self._block(block, entering[number])
            final[number] = leaving
            if visits[number] > MAX_VISITS:
                self.complete = False
                continue
            for jump in block.jumps:
                arriving = self._jump(jump, leaving)
                changed = self._merge(entering.setdefault(jump.to, {}), arriving)
                if changed and jump.to not in queued:
                    queued.add(jump.to)
                    heapq.heappush(queue, (order[jump.to], jump.to))
        for number in sorted(final):
            self._end(self.cfg.blocks[number], final[number])
        ended = frozenset(name for state in self._ends for name in state.released)
        return Summary(self.effects.events, self._outcomes(), ended, self.complete)

    def _block(self, block: Block, entering: States) -> list[tuple[State, dict[str, bool]]]:
        states = list(entering.items())
        for op in block.ops:
            states = [after for state, facts in states for after in self._op(state, facts, op)]
            if len(states) > 2 * MAX_STATES:
                states = self._fewer(states)
        return states

    def _fewer(
        self, states: list[tuple[State, dict[str, bool]]]
    ) -> list[tuple[State, dict[str, bool]]]:
        merged: States = {}
        self._merge(merged, states)
        return list(merged.items())

    def _op(
        self, state: State, facts: dict[str, bool], op: Op
    ) -> Iterable[tuple[State, dict[str, bool]]]:
        if isinstance(op, Call):
            return self._call(state, facts, op)
        if isinstance(op, EndScope):
            held = tuple(h for h in state.held if h.scope != op.scope)
            return [(replace(state, held=held), facts)]
        return [(state, self._assigned(facts, op))]

    def _assigned(self, facts: dict[str, bool], op: Assign) -> dict[str, bool]:
        learnt = know.of_value(op.value, facts)
        return {**know.without(facts, op.target), **know.filled(learnt, op.target)}

    def _call(
        self, state: State, facts: dict[str, bool], call: Call
    ) -> Iterable[tuple[State, dict[str, bool]]]:
        result = call.target or call.text
        pure = _pure_result(call, facts)
        if call.target or (pure is None and self.effects.knows(call)):
            facts = know.without(facts, result)
        for arg in call.args:
            if re.fullmatch(r"&[A-Za-z_]\w*", arg):
                facts = know.without(facts, arg[1:])
        if pure is not None:
            return [(state, {**facts, **know.filled(pure, result)} if call.target else facts)]
        return [
            (after, {**facts, **know.filled(learnt, result)})
            for after, learnt in self.effects.call(state, call, facts)
        ]

    def _jump(
        self, jump: Jump, leaving: list[tuple[State, dict[str, bool]]]
    ) -> list[tuple[State, dict[str, bool]]]:
        if not jump.atom:
            return leaving
        trusted = (
            know.is_local(jump.atom)
            or jump.atom in self.effects.answered
            or know.believed(jump.atom, (facts for _, facts in leaving))
        )
        return [
            (state, know.learn(facts, jump.atom, jump.truth))
            for state, facts in leaving
            if not trusted or know.answer(jump.atom, facts) in (None, jump.truth)
        ]

    def _merge(self, into: States, arriving: list[tuple[State, dict[str, bool]]]) -> bool:
        changed = False
        for state, facts in arriving:
            if state not in into:
                if len(into) >= MAX_STATES:
                    self.complete = False
                    continue
                into[state] = facts
                changed = True
            else:
                both = know.common(into[state], facts)
                if both != into[state]:
                    into[state] = both
                    changed = True
        return changed

    def _end(self, block: Block, leaving: list[tuple[State, dict[str, bool]]]) -> None:
        if block.returns is None or block.returns == OUT_OF_SIGHT:
            return
        for state, facts in leaving:
            state, end = self.ended(block, state, facts)
            self.exits.append(end)
            result = {**know.templates_of(facts, RETURNED), **end.about}
            if state in self._ends:
                self._ends[state] = know.common(self._ends[state], result)
            else:
                self._ends[state] = result

    def ended(self, block: Block, state: State, facts: dict[str, bool]) -> tuple[State, Ended]:
        """Return what is held after the end of a block that leaves the function, and the end."""
        kept = tuple(h for h in state.held if not h.scope and h.kind != "queued")
        state = _balanced(replace(state, held=kept))
        about = know.about_arguments(facts, self._parameters)
        return state, Ended(state, block.line, _kind(block.returns or "", facts), about)

    def step(
        self, number: int, state: State, facts: dict[str, bool]
    ) -> Iterator[tuple[State, dict[str, bool], Jump | None]]:
        """Yield every way through one block from one state, with the jump that it takes."""
        block = self.cfg.blocks[number]
        leaving = self._block(block, {state: facts})
        for after, known in leaving:
            if block.returns is not None:
                yield after, known, None
            for jump in block.jumps:
                for arrived, learnt in self._jump(jump, [(after, known)]):
                    yield arrived, learnt, jump

    def _outcomes(self) -> list[Outcome]:
        """Return the ways to return that a caller can tell apart."""
        found = self._ends
        for lock in sorted({h.lock for state in found for h in state.held}):
            if not _told_apart(found, partial(_holds, lock)):
                found = _changed(found, partial(_without_lock, lock))
        for lock in sorted({name for state in found for name in state.released}):
            if not _told_apart(found, partial(_gave_back, lock)):
                found = _changed(found, partial(_kept, lock))
        if len(found) > MAX_OUTCOMES:
            self.complete = False
        outcomes = [
            Outcome(state.held, state.released, tuple(sorted(result.items())))
            for state, result in found.items()
        ]
        return outcomes[:MAX_OUTCOMES]


def _never_assigned(function: Function, cfg: Cfg) -> dict[str, int]:
    """Return the parameters that keep their values, with their numbers."""
    targets = {
        op.target for block in cfg.blocks for op in block.ops if not isinstance(op, EndScope)
    }
    return {
        name: number for number, name in enumerate(function.params) if name and name not in targets
    }


def _told_apart(ends: States, special: Callable[[State], bool]) -> bool:
    """Whether the result says if a path was one of the special ones, or all paths are."""
    yes = [facts for state, facts in ends.items() if special(state)]
    no = [facts for state, facts in ends.items() if not special(state)]
    return all(
        any(
            other.get(template) is not truth for template, truth in one.items() if template in other
        )
        for one in yes
        for other in no
    )


def _changed(ends: States, change: Callable[[State], State]) -> States:
    result: States = {}
    for state, facts in ends.items():
        after = change(state)
        result[after] = know.common(result[after], facts) if after in result else facts
    return result


def _holds(lock: str, state: State) -> bool:
    return any(h.lock == lock for h in state.held)


def _without_lock(lock: str, state: State) -> State:
    return replace(state, held=tuple(h for h in state.held if h.lock != lock))


def _gave_back(lock: str, state: State) -> bool:
    return lock in state.released


def _kept(lock: str, state: State) -> State:
    return replace(state, released=tuple(name for name in state.released if name != lock))


def _kind(returns: str, facts: dict[str, bool]) -> str:
    """Say what kind of value is returned: void, error, zero, nonzero or unknown."""
    if returns != RETURNED:
        return "void"
    if know.answer(f"{RETURNED}<0", facts) or know.answer(f"IS_ERR({RETURNED})", facts):
        return "error"
    truth = know.answer(RETURNED, facts)
    return "unknown" if truth is None else "nonzero" if truth else "zero"


def _balanced(state: State) -> State:
    """Cancel what was given back and taken again."""
    held, released = list(state.held), list(state.released)
    for lock in state.released:
        again = next((h for h in held if h.lock == lock), None)
        if again:
            held.remove(again)
            released.remove(lock)
    return State(tuple(held), tuple(released))


def _pure_result(call: Call, facts: dict[str, bool]) -> dict[str, bool] | None:
    """Return what the result of a helper for error values is, if ``call`` is one."""
    if call.name in ("ERR_PTR", "ERR_CAST"):
        return dict(know.FAILED_POINTER)
    if call.name == "PTR_ERR":
        return dict(know.NEGATIVE)
    if call.name == "PTR_ERR_OR_ZERO" and call.args:
        failed = know.answer(f"IS_ERR({call.args[0]})", facts)
        return {} if failed is None else dict(know.NEGATIVE if failed else know.ZERO)
    if call.name == "ACQUIRE_ERR":
        return know.templates_of(facts, call.text)
    if call.name in ("IS_ERR", "IS_ERR_OR_NULL"):
        return {}
    return None


def _reverse_postorder(blocks: list[Block]) -> dict[int, int]:
    """Number the blocks so that, loops apart, each comes after those that lead to it."""
    finished: list[int] = []
    visited = {0}
    stack = [(0, iter(blocks[0].jumps))]
    while stack:
        number, jumps = stack[-1]
        for jump in jumps:
            if jump.to not in visited:
                visited.add(jump.to)
                stack.append((jump.to, iter(blocks[jump.to].jumps)))
                break
        else:
            finished.append(number)
            stack.pop()
    return {number: place for place, number in enumerate(reversed(finished))}
