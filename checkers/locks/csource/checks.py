"""What is wrong inside functions, whatever the order: sleeping where nobody may, locks kept.

Why so: a lock that some path keeps is a mistake only if it is not the purpose of the function, and
many functions return with a lock held on purpose.  A function that never gives the lock back is
one of those.  So a path counts only if it returns an error, or if a path with the same kind of
result gave the lock back, further down than where it is taken, and the arguments do not tell the
two apart; and only if it can be walked whole, from where the lock is taken to where the function
ends, with nothing on it that may hand the lock over (:mod:`.paths`).
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from powercut.checkers.locks.csource.effects import kind_of
from powercut.checkers.locks.csource.flow import Ended
from powercut.checkers.locks.csource.paths import whole_path
from powercut.checkers.locks.csource.program import Program
from powercut.checkers.locks.csource.reuse import Followed
from powercut.checkers.locks.csource.summary import SLEEPING_KINDS, UNORDERED_KINDS, Event, Place
from powercut.checkers.locks.graph import IRQ, Where

SLEEPS, KEPT, IRQ_UNSAFE = "sleeps in atomic context", "lock not released", "lock unsafe in irq"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A mistake in one function."""

    what: str
    where: Where
    lock: str
    message: str
    chain: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()
    """The path, from where the lock is taken to where the function is left."""


def find_mistakes(program: Program, only: frozenset[str] | None = None) -> list[Finding]:
    """Return every mistake, by place; kept locks of the functions ``only``, if that is given."""
    found = [*_sleeping(program), *_kept(program, only), *_irq_unsafe(program)]
    return sorted(dict.fromkeys(found), key=lambda f: (f.where.file, f.where.line, f))


def _sleeping(program: Program) -> Iterator[Finding]:
    for done in program.followed.values():
        for sleeping in done.sleeping:
            yield Finding(
                SLEEPS,
                sleeping.place.where,
                sleeping.lock,
                f"{_blocks(sleeping.what)} while {sleeping.lock} is held "
                f"(taken at line {sleeping.line} of {done.function.name})",
                (done.function.name, *sleeping.place.chain),
            )
    for root in program.roots:
        if root.context == IRQ:
            for event, place in program.followed[id(root.function)].summary.events.items():
                if _may_sleep(event):
                    yield _in_interrupt(root.function.name, root.why, event, place)


def _in_interrupt(name: str, why: str, event: Event, place: Place) -> Finding:
    called = f" ({why})" if why else ""
    message = f"{_blocks(event.lock)} in an interrupt: {name}{called} is called there"
    return Finding(SLEEPS, place.where, IRQ, message, (name, *place.chain))


def _may_sleep(event: Event) -> bool:
    if event.verb == "acquire":
        return event.kind in SLEEPING_KINDS and not event.trylock
    return True


def _blocks(what: str) -> str:
    return f"{kind_of(what)} may sleep"


def _kept(program: Program, only: frozenset[str] | None) -> Iterator[Finding]:
    for done in program.followed.values():
        if only is not None and done.function.name not in only:
            continue
        if not done.function.partial and not program.knowledge.outranks(done.function.name):
            yield from _kept_in(program, done)


def _kept_in(program: Program, done: Followed) -> Iterator[Finding]:
    taken = {
        event.lock
        for event, place in done.summary.events.items()
        if event.verb == "acquire" and not place.chain and event.kind not in UNORDERED_KINDS
    } & done.given_back
    for lock in sorted(taken):
        held = [end for end in done.exits if _has(end, lock)]
        free = [end for end in done.exits if not _has(end, lock)]
        reported: set[tuple[str, int]] = set()
        for end in held:
            key = (end.returned, end.line)
            taken_at = max(one.line for one in end.state.held if one.lock == lock)
            others = _like(end, [one for one in free if one.line > taken_at])
            if key in reported or not _forgotten(end.returned, others):
                continue
            steps = whole_path(program, done.function, lock, end)
            if steps:
                reported.add(key)
                yield _kept_finding(done, lock, end, steps)


def _kept_finding(done: Followed, lock: str, end: Ended, steps: tuple[str, ...]) -> Finding:
    name = done.function.name
    path = "an error path" if end.returned == "error" else "a path"
    message = f"{lock} is still held on {path} out of {name}"
    return Finding(KEPT, Where(name, done.function.file, end.line), lock, message, steps=steps)


def _has(end: Ended, lock: str) -> bool:
    return any(held.lock == lock for held in end.state.held)


def _like(end: Ended, others: list[Ended]) -> set[str]:
    """Return how others return that the caller cannot tell by its arguments."""
    return {
        other.returned
        for other in others
        if all(end.about.get(question, truth) is truth for question, truth in other.about.items())
    }


def _forgotten(returned: str, free: set[str]) -> bool:
    """Whether returning so with a lock held looks like a mistake, given how others return."""
    if not free:
        return False
    if returned == "error":
        return True
    return returned in free and returned in ("void", "zero")


def _irq_unsafe(program: Program) -> Iterator[Finding]:
    in_irq: dict[str, str] = {}
    elsewhere: dict[str, list[Place]] = defaultdict(list)
    for key, done in program.followed.items():
        contexts = program.contexts.get(key, set())
        off = any(name.startswith("local_irq_") for name in done.function.calls)
        for event, place in done.summary.events.items():
            if event.verb != "acquire" or place.chain or event.kind not in ("spinlock", "rwlock"):
                continue
            if IRQ in contexts:
                in_irq.setdefault(event.lock, done.function.name)
            if contexts - {IRQ} and not event.irqsafe and not off and not event.trylock:
                elsewhere[event.lock].append(place)
    for lock, handler in sorted(in_irq.items()):
        for place in elsewhere.get(lock, ()):
            yield Finding(
                IRQ_UNSAFE,
                place.where,
                lock,
                f"{lock} is taken with interrupts on, and {handler} takes it in an interrupt",
            )
