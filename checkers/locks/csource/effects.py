"""What a call does: to the locks that are held, and to the graph.

Why so: the flow over a function only asks "after this call, what is held and what is the result";
everything that is recorded (edges, events for callers, sleeping with a spinlock held) happens here.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Protocol

from powercut.checkers.locks.csource import facts as know
from powercut.checkers.locks.csource.cfg import Call
from powercut.checkers.locks.csource.primitives import Effect, Knowledge, Primitive, argument
from powercut.checkers.locks.csource.source import Function
from powercut.checkers.locks.csource.summary import (
    ATOMIC_KINDS,
    MAX_CHAIN,
    SLEEPING_KINDS,
    UNORDERED_KINDS,
    Event,
    Held,
    Outcome,
    Place,
    State,
    Summary,
)
from powercut.checkers.locks.graph import TASK, Edge, Where, same_lock

Result = tuple[State, dict[str, bool]]

MAX_SAME = 2
"""How often one lock is counted as held: a loop that takes it again would never end."""

MAX_SLEEPS = 12

_ARGUMENT = re.compile(r"@\d+")


@dataclass(frozen=True, slots=True)
class Sleeping:
    """Something that may sleep was called where nothing may."""

    lock: str
    what: str
    place: Place
    line: int


class Resolver(Protocol):
    """Who knows the functions of the source."""

    def resolve(self, function: Function, name: str) -> list[Summary] | None:
        """Return the summaries of a called function, or None if it is not in the source."""

    def pointed_to(self, struct: str, field: str) -> list[tuple[str, Summary]]:
        """Return name and summary of every function put into a pointer field."""

    def queue_of(self, expression: str) -> str:
        """Return the class of the work queue (or of the queue of a work item)."""


class Effects:
    """Applies calls of one function; collects its edges, events and mistakes."""

    def __init__(self, function: Function, knowledge: Knowledge, resolver: Resolver) -> None:
        self.function = function
        self.knowledge = knowledge
        self.resolver = resolver
        self.edges: dict[tuple[object, ...], Edge] = {}
        self.events: dict[Event, Place] = {}
        self.sleeping: dict[tuple[str, str, int], Sleeping] = {}
        self.unseen: set[str] = set()
        self.answered: set[str] = set()
        self.releases: dict[str, Held] = {}
        """What was given back without having been taken, as it was held at the first such place."""
        self.acquired: dict[str, int] = {}
        """The first line at which a lock was taken."""
        self.given_back: set[str] = set()
        """What was given back after it had been taken here."""
        self.parameters: dict[str, int] = {}
        """The parameters that keep their values, with their numbers."""
        self._facts: know.Facts = {}
        self.questions: frozenset[str] = frozenset()
        """What the conditions of the function ask."""
        self._entered: set[tuple[object, ...]] = set()

    def call(self, state: State, call: Call, facts: know.Facts) -> list[Result]:
        """Return every (state, facts) after ``call``; facts about the result have ``{}`` in them.

        Facts about arguments are returned as they are written in the function.
        """
        self._facts = facts
        known = self.knowledge.primitive(call)
        if known is None or not known.fixed:
            found = self.resolver.resolve(self.function, call.name)
            if found is not None:
                return self._defined(state, call, found, facts)
        if known is not None:
            return self._known(state, call, known, facts)
        if call.name.startswith("*"):
            self._pointer(state, call, "", call.name[1:], ())
        else:
            self.unseen.add(call.name)
        return [(state, {})]

    def knows(self, call: Call) -> bool:
        """Whether the result of a call is worth more than its words."""
        if self.knowledge.primitive(call) is not None:
            return True
        return self.resolver.resolve(self.function, call.name) is not None

    # Known functions.

    def _known(self, state: State, call: Call, known: Primitive, facts: know.Facts) -> list[Result]:
        result = call.target or call.text
        if known.effects[0].verb == "ask":
            return [(state, self._asked(state, call, known.effects[0]))]
        ways: list[Result] = [(state, {})]
        for effect in known.effects:
            ways = [
                way for before in ways for way in self._step(before, call, effect, known, facts)
            ]
        if not known.returns or (known.returns == "pointer" and not call.target):
            return ways
        self.answered |= {result, f"{result}<0", f"IS_ERR({result})"}
        good, bad = _results(known.returns, result, self.questions)
        return [*((after, {**learnt, **good}) for after, learnt in ways), (state, bad)]

    def _asked(self, state: State, call: Call, effect: Effect) -> dict[str, bool]:
        """Return the answer to the question whether a lock is held."""
        name = self._lock(call, effect.lock)
        if not any(same_lock(held.lock, name) for held in state.held):
            return {}
        self.answered.add(call.target or call.text)
        return {"{}": True}

    def _step(
        self, before: Result, call: Call, effect: Effect, known: Primitive, facts: know.Facts
    ) -> list[Result]:
        """Return what a step leads to; a step with a condition may happen or not."""
        state, learnt = before
        if not effect.given:
            return [(self._effect(state, call, effect, known.trylock), learnt)]
        number, _, flags = effect.given.partition("&")
        atom = f"{argument(call, number)}&{flags}"
        truth = know.of_call(atom, {**facts, **learnt})
        found: list[Result] = []
        if truth is not False:
            after = self._effect(state, call, effect, known.trylock)
            found.append((after, {**learnt, atom: True}))
        if truth is not True:
            found.append((state, {**learnt, atom: False}))
        return found

    def _effect(self, state: State, call: Call, effect: Effect, trylock: bool) -> State:
        verb = effect.verb
        if verb == "invoke":
            struct, _, field = effect.lock.partition(".")
            self._pointer(state, call, struct, field, effect.more)
            return state
        if verb == "sleep":
            self._event(state, Event("sleep", call.name), self._here(call))
            return state
        if verb == "block":
            for queued in [h for h in state.held if h.kind == "queued"]:
                self._event(state, Event("wait", queued.lock, kind="wait"), self._here(call))
            self._event(state, Event("sleep", call.name), self._here(call))
            return state
        if verb in ("wait_queue", "wait_work"):
            name = self.resolver.queue_of(argument(call, effect.lock))
            self._event(state, Event("wait", name, kind="wait"), self._here(call))
            return state
        name = self._lock(call, effect.lock)
        ident = argument(call, effect.ident) if effect.ident else call.target
        if effect.lock.startswith("@"):
            ident = argument(call, effect.lock.partition("/")[0])
        if verb in ("release", "signal"):
            after = _released(state, name, ident)
            if after.released == state.released:
                self.given_back.add(name)
            if verb == "release" and after.released != state.released:
                held = Held(name, effect.mode, effect.kind, ident, 0, effect.irqsafe, call.line)
                self.releases.setdefault(name, held)
            return after
        if verb == "drop":
            return _released(state, name, ident, own=True)
        scope = next((int(a[6:]) for a in call.args if a.startswith("@scope")), 0)
        held = Held(name, effect.mode, effect.kind, ident, scope, effect.irqsafe, call.line)
        if verb in ("hold", "downgrade"):
            return _with(state, held)
        if verb != "wait" and not trylock:
            self.acquired.setdefault(name, call.line)
        kind = "wait" if verb == "wait" else effect.kind
        event = Event(
            "wait" if verb == "wait" else "acquire",
            name,
            effect.mode,
            kind,
            trylock,
            effect.irqsafe,
            effect.unless,
        )
        self._event(state, event, self._here(call))
        return state if verb in ("touch", "wait") else _with(state, held)

    def _lock(self, call: Call, word: str) -> str:
        word, _, subclass = word.partition("/")
        name = argument(call, word)
        if word.startswith("@"):
            name = self.knowledge.lock_name(name, self.function.types)
        name = self.knowledge.split_name(name, self.function.name)
        if subclass:
            subclass = argument(call, subclass)
            name += f"/{subclass}" if subclass not in ("0", "I_DATA_SEM_NORMAL") else ""
        return name

    # Functions of the source.

    def _defined(
        self, state: State, call: Call, found: list[Summary], facts: know.Facts
    ) -> list[Result]:
        results: list[Result] = []
        for summary in found:
            self._inside(state, call.name, summary, call=call)
            for outcome in summary.outcomes:
                learnt = _given(outcome, call, facts)
                if learnt is None:
                    continue
                after = state
                for lock in outcome.released:
                    after = _released(after, lock, "")
                for held in outcome.added:
                    ident = _renamed(held.ident, call)
                    after = _with(after, replace(held, ident=ident, line=call.line))
                results.append((after, learnt))
        if len(results) > 1:
            result = call.target or call.text
            self.answered |= {result, f"{result}<0", f"IS_ERR({result})"}
        return results or [(state, {})]

    def _pointer(
        self, state: State, call: Call, struct: str, field: str, more: Iterable[tuple[str, object]]
    ) -> None:
        """Everything that is registered under a pointer may be what is called."""
        held = tuple(Held(name, mode) for name, mode in more)  # type: ignore[arg-type]
        inside = replace(state, held=state.held + held)
        via = () if call.name.startswith("*") else (call.name,)
        for name, summary in self.resolver.pointed_to(struct, field):
            self._inside(inside, name, summary, via)

    def _inside(
        self,
        state: State,
        name: str,
        summary: Summary,
        via: tuple[str, ...] = (),
        call: Call | None = None,
    ) -> None:
        key = (state, name, via, id(summary), call.args if call else ())
        if key in self._entered and not self._facts:
            return
        self._entered.add(key)
        for event, place in summary.events.items():
            given = _answers(place.given, call, self._facts)
            if given is None:
                continue
            chain = (*via, name, *place.chain)[:MAX_CHAIN]
            self._event(state, event, Place(place.where, chain), {**self._facts, **given})

    # Recording.

    def _here(self, call: Call) -> Place:
        return Place(Where(self.function.name, self.function.file, call.line))

    def _event(
        self, state: State, event: Event, place: Place, facts: know.Facts | None = None
    ) -> None:
        given_back, remaining = list(event.released), list(state.held)
        for lock in event.released:
            mine = next((h for h in reversed(remaining) if same_lock(h.lock, lock)), None)
            if mine:
                remaining.remove(mine)
                given_back.remove(lock)
        nested = event.lock in self.knowledge.reentrant
        counted = event.unless
        if nested and event.verb == "acquire":
            counted = (*counted, event.lock)
        if counted and any(h.lock in counted for h in remaining):
            return
        if event.verb != "sleep":
            self._edges(remaining, event, place)
        if event.verb != "acquire" or (event.kind in SLEEPING_KINDS and not event.trylock):
            self._may_sleep(remaining, event, place)
        released = tuple(sorted({*state.released, *given_back}))
        outside = event if released == event.released else replace(event, released=released)
        if event.verb == "sleep" and sum(e.verb == "sleep" for e in self.events) >= MAX_SLEEPS:
            return
        if event.kind not in UNORDERED_KINDS:
            given = know.about_arguments(self._facts if facts is None else facts, self.parameters)
            self._remember(outside, replace(place, given=tuple(sorted(given.items()))))

    def _remember(self, event: Event, place: Place) -> None:
        """Keep an event; if it happens on several paths, with what all of them know."""
        before = self.events.setdefault(event, place)
        if before.given and before.given != place.given:
            both = tuple(pair for pair in before.given if pair in place.given)
            self.events[event] = replace(before, given=both)

    def _edges(self, held: list[Held], event: Event, place: Place) -> None:
        if event.kind in UNORDERED_KINDS:
            return
        ordered = [h for h in held if h.kind not in UNORDERED_KINDS]
        names = tuple(h.lock for h in ordered)
        for source in ordered:
            edge = Edge(
                source.lock,
                event.lock,
                "wait" if event.verb == "wait" else "acquire",
                source.mode,
                event.mode,
                TASK,
                place.where,
                names,
                event.trylock,
                (self.function.name, *place.chain),
            )
            self.edges.setdefault((edge.key, place.where), edge)

    def _may_sleep(self, held: list[Held], event: Event, place: Place) -> None:
        atomic = next((h for h in held if h.kind in ATOMIC_KINDS), None)
        if atomic:
            key = (atomic.lock, event.lock, place.where.line)
            line = atomic.line or place.where.line
            self.sleeping.setdefault(key, Sleeping(atomic.lock, event.lock, place, line))


def _results(
    returns: str, result: str, questions: frozenset[str]
) -> tuple[dict[str, bool], dict[str, bool]]:
    """Return what is known about a result if it worked, and if it did not."""
    if returns == "nonzero":
        return {"{}": True}, dict(know.ZERO)
    if returns == "zero":
        return dict(know.ZERO), dict(know.NEGATIVE)
    asks_for_error = questions & {f"IS_ERR({result})", f"IS_ERR_OR_NULL({result})"}
    is_null = result in questions and not asks_for_error
    return dict(know.GOOD_POINTER), dict(know.ZERO if is_null else know.FAILED_POINTER)


def _given(outcome: Outcome, call: Call, facts: know.Facts) -> dict[str, bool] | None:
    """Return the facts of an outcome, or None if the arguments say that it is another one."""
    about = [pair for pair in outcome.facts if pair[0].startswith("@")]
    found = _answers(about, call, facts)
    if found is None:
        return None
    return {**found, **{atom: truth for atom, truth in outcome.facts if atom[:1] != "@"}}


def _answers(
    about: Iterable[tuple[str, bool]], call: Call | None, facts: know.Facts
) -> dict[str, bool] | None:
    """Return what must be true of the arguments of a call, or None if it is not."""
    found: dict[str, bool] = {}
    if call is None:
        return found
    for template, truth in about:
        word = _ARGUMENT.match(template)
        atom = argument(call, word[0]) + template[word.end() :] if word else template
        known = know.of_call(atom, facts)
        if known is not None and known is not truth:
            return None
        if known is None and know.is_local(atom):
            found[atom] = truth
    return found


def _with(state: State, held: Held) -> State:
    same = sum(h == held for h in state.held)
    return state if same >= MAX_SAME else replace(state, held=(*state.held, held))


def _released(state: State, lock: str, ident: str, *, own: bool = False) -> State:
    """Give back the lock that fits best: same instance, then same class, then the caller's."""
    tests: tuple[Callable[[Held], bool], ...] = (
        lambda h: h.lock == lock and h.ident == ident,
        lambda h: h.lock == lock,
        lambda h: same_lock(h.lock.partition("/")[0], lock),
    )
    for test in tests:
        for index in range(len(state.held) - 1, -1, -1):
            if test(state.held[index]):
                held = state.held[:index] + state.held[index + 1 :]
                return replace(state, held=held)
    return state if own else replace(state, released=tuple(sorted({*state.released, lock})))


def _renamed(ident: str, call: Call) -> str:
    """Return the instance as the caller writes it, where that is easy to say."""
    return call.args[0] if ident and len(call.args) == 1 and ident in call.args[0] else ident


def kind_of(name: str) -> str:
    """Return a class name without what makes it special, for messages."""
    return re.sub(r"\[.*\]", "", name)
