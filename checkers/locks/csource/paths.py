"""One whole path through a function: from where a lock is taken to an end that still holds it.

Why so: the run over a function merges paths that hold the same locks, so what it says about an end
may be true of no path.  Before anybody is accused, one path is walked alone, with everything that
is known on it kept, and every branch that it takes is shown.  Without such a path, or with a call
on it that may give the lock back or take it over, nothing is said.
Rejected: remembering predecessors in the run (they are those of merged states).
"""

import re
from collections import deque
from dataclasses import dataclass

from powercut.checkers.locks.csource.cfg import OUT_OF_SIGHT, Assign, Block, Call, Jump
from powercut.checkers.locks.csource.flow import Ended, Flow
from powercut.checkers.locks.csource.program import Program
from powercut.checkers.locks.csource.source import Function
from powercut.checkers.locks.csource.summary import Held, State

MAX_WALKED = 6_000
MAX_STEPS = 24

_TAKES_OVER = re.compile(
    r"unlock|(^|_)up_|end|finish|release|put|relse|submit|complete|abort|stop|drop|free|cleanup"
    r"|cancel|commit|destroy|exit|done|detach|queue"
)


@dataclass(frozen=True, slots=True)
class _Place:
    block: int
    state: State
    facts: frozenset[tuple[str, bool]]


def whole_path(program: Program, function: Function, lock: str, end: Ended) -> tuple[str, ...]:
    """Return the steps of a path that takes ``lock`` and leaves at ``end`` with it, or nothing."""
    flow = program.flow_of(function)
    start = _Place(0, State(), frozenset())
    came_from: dict[_Place, tuple[_Place, Jump]] = {}
    queue, seen = deque([start]), {start}
    while queue and len(seen) < MAX_WALKED:
        here = queue.popleft()
        block = flow.cfg.blocks[here.block]
        for state, facts, jump in flow.step(here.block, here.state, dict(here.facts)):
            if jump is None:
                if block.returns == OUT_OF_SIGHT:
                    continue
                _, found = flow.ended(block, state, facts)
                if _is_same(found, end) and any(h.lock == lock for h in found.state.held):
                    return _told(program, flow, function, _walked(here, came_from), found, lock)
                continue
            after = _Place(jump.to, state, frozenset(facts.items()))
            if after not in seen:
                seen.add(after)
                came_from[after] = (here, jump)
                queue.append(after)
    return ()


def _is_same(found: Ended, end: Ended) -> bool:
    return (found.line, found.returned) == (end.line, end.returned)


def _walked(
    place: _Place, came_from: dict[_Place, tuple[_Place, Jump]]
) -> list[tuple[int, Jump | None]]:
    """Return the blocks of a path with the jump out of each."""
    path: list[tuple[int, Jump | None]] = [(place.block, None)]
    while place in came_from:
        place, jump = came_from[place]
        path.append((place.block, jump))
    return path[::-1]


def _told(
    program: Program,
    flow: Flow,
    function: Function,
    path: list[tuple[int, Jump | None]],
    end: Ended,
    lock: str,
) -> tuple[str, ...]:
    """Return the path in words; nothing if the lock may be handed over on the way."""
    held = next(h for h in end.state.held if h.lock == lock)
    steps = [f"line {held.line}: {lock} is taken"]
    begun = False
    for number, jump in path:
        block = flow.cfg.blocks[number]
        begun = begun or any(isinstance(op, Call) and op.line == held.line for op in block.ops)
        if not begun:
            continue
        if _handed_over(program, function, block, held):
            return ()
        if jump is not None and jump.atom and block.line > held.line:
            steps.append(f"line {block.line}: {jump.atom} is {str(jump.truth).lower()}")
    del steps[MAX_STEPS:]
    return (*steps, f"line {end.line}: the function is left")


def _handed_over(program: Program, function: Function, block: Block, held: Held) -> bool:
    """Whether a block gives what is locked to somebody who may unlock it."""
    name = _variable(held.ident)
    if not name:
        return False
    mentioned = re.compile(rf"(?<![\w>.]){re.escape(name)}(?!\w)")
    whole = held.ident.lstrip("&*") == name
    for op in block.ops:
        if isinstance(op, Assign):
            stored = op.target.startswith("*") or "->" in op.target or "." in op.target
            if whole and stored and re.fullmatch(rf"&?{re.escape(name)}", op.value):
                return True
        elif isinstance(op, Call) and any(mentioned.search(arg) for arg in op.args):
            given = program.resolve(function, op.name) is not None
            known = given or program.knowledge.primitive(op) is not None
            may_unlock = whole or _TAKES_OVER.search(op.name) or op.name.startswith("*")
            if may_unlock and not known and not program.knowledge.harmless(op.name):
                return True
    return False


def _variable(ident: str) -> str:
    """Return the variable that an instance hangs on: ``ei`` of ``&ei->i_data_sem``."""
    words: list[str] = re.findall(r"(?<![\w>.])[a-z_]\w*(?!\w*\()", ident)
    return words[-1] if words else ""
