"""All functions of the given source together: who calls whom, in which context, holding what.

Why so: functions are followed callees first, so that a caller finds summaries; recursion is
followed until nothing changes.  A function that only a pointer reaches starts with what the kernel
is known to hold when it calls that pointer.  The context (task, worker, interrupt) is not part of a
summary: it is spread over the call graph afterwards, from those who call to those who are called.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from powercut.checkers.locks.csource.cfg import build_cfg
from powercut.checkers.locks.csource.chunk import Chunk
from powercut.checkers.locks.csource.effects import Effects, Sleeping
from powercut.checkers.locks.csource.flow import Ended, Flow
from powercut.checkers.locks.csource.primitives import Knowledge, knowledge
from powercut.checkers.locks.csource.source import Function, Pointer, local_types, read_chunk
from powercut.checkers.locks.csource.summary import (
    UNORDERED_KINDS,
    Event,
    Held,
    Place,
    Summary,
)
from powercut.checkers.locks.graph import (
    TASK,
    WORKER,
    WRITE,
    Edge,
    LockClass,
    LockGraph,
    Mode,
    Where,
    known_classes,
    lock_class,
    same_lock,
)

MAX_ROUNDS = 4
MAX_POINTED_TO = 12
"""A pointer field that more functions are put into is not followed: it could be anything."""

_QUEUE_WORK = re.compile(
    r"\bqueue_(?:delayed_)?work\s*\(\s*([^,()]+(?:\([^()]*\))?[^,()]*),\s*&?([^,()]+)"
)
_REGISTERED = re.compile(
    r"\b([A-Za-z_]\w*)\s*\(\s*&?([^,;()]+(?:\([^()]*\))?[^,;()]*),\s*([^;]+)\)"
)
_SET = re.compile(r"(?:->|\.)\s*([A-Za-z_]\w*)\s*=\s*&?([A-Za-z_]\w*)\s*[;,]")
_LAST_NAME = re.compile(r"([A-Za-z_]\w*)\s*$")


@dataclass(slots=True)
class Followed:
    """A function and everything found in it."""

    function: Function
    summary: Summary
    edges: list[Edge] = field(default_factory=list)
    sleeping: list[Sleeping] = field(default_factory=list)
    exits: list[Ended] = field(default_factory=list)
    unseen: set[str] = field(default_factory=set)
    errors: list[int] = field(default_factory=list)
    given_back: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Root:
    """How a function is entered from outside: the context, what is held, and why."""

    function: Function
    context: str
    held: tuple[tuple[str, Mode], ...] = ()
    why: str = ""


def _held_above(effects: Effects) -> tuple[Held, ...]:
    """Return what a part of a function gives back first and takes later, if at all."""
    return tuple(
        replace(held, line=0)
        for lock, held in effects.releases.items()
        if held.line < effects.acquired.get(lock, sys.maxsize)
    )


class Program:
    """The functions of some chunks of C, followed.  The result is :attr:`graph`."""

    def __init__(self, chunks: Iterable[Chunk], known: Knowledge | None = None) -> None:
        self.knowledge = known or knowledge()
        self.functions: list[Function] = []
        self.pointers: list[Pointer] = []
        self.errors: list[tuple[str, int]] = []
        self.lines = 0
        self.queues: dict[str, str] = {}
        self.registered: list[tuple[str, str, str]] = []
        chunks = list(chunks)
        for chunk in chunks:
            self.lines += chunk.text.count("\n")
            unit = read_chunk(chunk)
            self.functions += unit.functions
            self.pointers += unit.pointers
            self.errors += unit.errors
        self.by_name: dict[str, list[Function]] = defaultdict(list)
        for function in self.functions:
            self.by_name[function.name].append(function)
        for chunk in chunks:
            self._registrations(chunk)
        self.fields: dict[str, list[Pointer]] = defaultdict(list)
        for pointer in dict.fromkeys(self.pointers):
            if pointer.function in self.by_name:
                self.fields[pointer.field].append(pointer)
        self.followed: dict[int, Followed] = {}
        self._resolved: dict[tuple[str, str], list[Function]] = {}
        self._follow_all()
        self.roots = self._roots()
        self.contexts = self._contexts()
        self.edges = list(self._all_edges())
        self.graph = self._graph()

    def flow_of(self, function: Function) -> Flow:
        """Return a run over a function that has not begun."""
        return Flow(function, build_cfg(function), Effects(function, self.knowledge, self))

    # What the functions ask.

    def resolve(self, function: Function, name: str) -> list[Summary] | None:
        """Return the summaries of a called function, or None if it is not in the source."""
        found = self.definitions(function, name)
        if not found:
            return None
        return [self.followed[id(f)].summary for f in found if id(f) in self.followed]

    def definitions(self, function: Function, name: str) -> list[Function]:
        """Return what a name means inside ``function``: parts of one function, or one."""
        if name not in self.by_name:
            return []
        key = (function.file, name)
        if key not in self._resolved:
            found = self.by_name[name]
            here = [f for f in found if f.file == function.file]
            others = [f for f in found if not f.static]
            same = here or others[:1]
            self._resolved[key] = [f for f in same if f.file == same[0].file] if same else []
        return self._resolved[key]

    def pointed_to(self, struct: str, field: str) -> list[tuple[str, Summary]]:
        """Return name and summary of every function put into a pointer field."""
        return [
            (function.name, self.followed[id(function)].summary)
            for function in self._targets(struct, field)
            if id(function) in self.followed
        ]

    def queue_of(self, expression: str) -> str:
        """Return the class of the work queue (or of the queue of a work item)."""
        match = _LAST_NAME.search(expression.rstrip(")"))
        name = match[1] if match else expression
        name = self.queues.get(name, name)
        return self.knowledge.fields.get(name) or f"worker_slot[{name}]"

    def _targets(self, struct: str, field: str) -> list[Function]:
        pointers = [p for p in self.fields.get(field, ()) if struct in ("", p.struct)]
        names = dict.fromkeys(p.function for p in pointers)
        if len(names) > MAX_POINTED_TO:
            return []
        return [function for name in names for function in self.by_name[name]]

    # Reading.

    def _registrations(self, chunk: Chunk) -> None:
        for match in _QUEUE_WORK.finditer(chunk.text):
            queue, work = (_LAST_NAME.search(match[n].strip()) for n in (1, 2))
            if queue and work:
                self.queues[work[1]] = queue[1]
        for match in _SET.finditer(chunk.text):
            if match[2] in self.by_name:
                row = chunk.text.count("\n", 0, match.start())
                found = Pointer("", match[1], match[2], chunk.file, chunk.line(row))
                if not any((p.field, p.function) == (match[1], match[2]) for p in self.pointers):
                    self.pointers.append(found)
        for match in _REGISTERED.finditer(chunk.text):
            known = self.knowledge.registrations.get(match[1])
            if known is None:
                continue
            arguments = [match[2], *match[3].split(",")]
            number, context = known
            function = arguments[number].strip().lstrip("&") if number < len(arguments) else ""
            if function in self.by_name:
                item = _LAST_NAME.search(match[2].strip())
                self.registered.append((function, context, item[1] if item else ""))

    # Following.

    def _follow_all(self) -> None:
        import networkx

        interesting = self._interesting()
        calls: networkx.DiGraph[int] = networkx.DiGraph()
        calls.add_nodes_from(id(f) for f in interesting)
        for function in interesting:
            for callee in self._callees(function):
                if id(callee) in calls:
                    calls.add_edge(id(function), id(callee))
        self._calls = calls
        by_id = {id(f): f for f in interesting}
        condensed = networkx.condensation(calls)
        for component in reversed(list(networkx.topological_sort(condensed))):
            members = sorted(
                condensed.nodes[component]["members"], key=lambda m: (by_id[m].file, by_id[m].line)
            )
            recursive = len(members) > 1 or calls.has_edge(members[0], members[0])
            for _ in range(MAX_ROUNDS if recursive else 1):
                before = [self._shape(member) for member in members]
                for member in members:
                    self.followed[member] = self._follow(by_id[member])
                if [self._shape(member) for member in members] == before:
                    break

    def _shape(self, member: int) -> object:
        done = self.followed.get(member)
        return (set(done.summary.events), set(done.summary.outcomes)) if done else None

    def _follow(self, function: Function) -> Followed:
        if len(function.types) <= len(function.params):
            function.types = {**dict(local_types(function.node)), **function.types}
        try:
            cfg = build_cfg(function)
        except RecursionError:  # nested more deeply than anybody writes: it is reported
            return Followed(function, Summary(complete=False))
        effects = Effects(function, self.knowledge, self)
        flow = Flow(function, cfg, effects)
        summary = flow.run()
        if function.partial:
            above = _held_above(effects)
            if above:
                effects = Effects(function, self.knowledge, self)
                flow = Flow(function, cfg, effects)
                summary = replace(flow.run(above), ended=summary.ended)
            summary.outcomes = []  # nobody can say how a part returns
        return Followed(
            function,
            summary,
            list(effects.edges.values()),
            list(effects.sleeping.values()),
            flow.exits,
            effects.unseen,
            cfg.errors,
            effects.given_back,
        )

    def _interesting(self) -> list[Function]:
        """Return the functions that can matter: those from which a known one is reached."""
        known = set(self.knowledge.primitives)
        wanted = {f.name for f in self.functions if f.calls & known}
        wanted |= {name for name in self.by_name if name in self.knowledge.contexts}
        callers: dict[str, set[str]] = defaultdict(set)
        for function in self.functions:
            for callee in function.calls:
                if callee in self.by_name:
                    callers[callee].add(function.name)
        queue = list(wanted)
        while queue:
            for caller in callers.get(queue.pop(), ()):
                if caller not in wanted:
                    wanted.add(caller)
                    queue.append(caller)
        pointer_calls = set(self.fields)
        return [f for f in self.functions if f.name in wanted or (f.calls & pointer_calls)]

    def _callees(self, function: Function) -> list[Function]:
        found: list[Function] = []
        for name in sorted(function.calls):
            if name in self.by_name and not self.knowledge.outranks(name):
                found += self.definitions(function, name)
            for known in self.knowledge.primitives.get(name, ()):
                for effect in known.effects:
                    if effect.verb == "invoke" and name not in self.by_name:
                        struct, _, pointer = effect.lock.partition(".")
                        found += self._targets(struct, pointer)
            if name in self.fields:
                found += self._targets("", name)
        return found

    # Contexts and roots.

    def _roots(self) -> list[Root]:
        roots: list[Root] = []
        for pointer in dict.fromkeys(self.pointers):
            known = self.knowledge.callback(pointer.struct, pointer.field)
            for function in self.by_name.get(pointer.function, ()):
                if id(function) not in self.followed:
                    continue
                why = f"->{pointer.field}"
                roots.append(
                    Root(function, known.context, known.held, why)
                    if known
                    else Root(function, TASK, (), why)
                )
        for name, context, item in self.registered:
            why = f"work item {item}" if context == WORKER else item
            roots += [
                Root(f, context, self._held_by(f, context, item), why)
                for f in self.by_name[name]
                if id(f) in self.followed
            ]
        for name, context in self.knowledge.contexts.items():
            roots += [
                Root(f, context) for f in self.by_name.get(name, ()) if id(f) in self.followed
            ]
        entered = {id(root.function) for root in roots}
        called = {callee for _, callee in self._calls.edges if callee not in entered}
        for done in self.followed.values():
            if id(done.function) not in entered | called:
                roots.append(Root(done.function, TASK))
        return roots

    def _held_by(self, function: Function, context: str, item: str) -> tuple[tuple[str, Mode], ...]:
        """Return what a work function holds when it starts: its slot, and what it will end."""
        if context != WORKER:
            return ()
        summary = self.followed[id(function)].summary
        ended = set(summary.ended)
        ended |= {lock for event in summary.events for lock in event.released}
        waited = sorted(lock for lock in ended if lock_class(lock).kind == "wait")
        return ((self.queue_of(item), WRITE), *((lock, WRITE) for lock in waited))

    def _contexts(self) -> dict[int, set[str]]:
        contexts: dict[int, set[str]] = defaultdict(set)
        queue = [(id(root.function), root.context) for root in self.roots]
        while queue:
            member, context = queue.pop()
            if context in contexts[member]:
                continue
            contexts[member].add(context)
            if member in self._calls:
                queue += [(callee, context) for callee in self._calls.successors(member)]
        return contexts

    # The graph.

    def _graph(self) -> LockGraph:
        graph = LockGraph("C source")
        graph.functions = frozenset(self.by_name)
        for edge in self.edges:
            graph.add(edge)
        for done in self.followed.values():
            for event in done.summary.events:
                if event.verb != "sleep" and event.lock.partition("[")[0] not in known_classes():
                    graph.add_class(LockClass(event.lock, event.kind))
        return graph

    def _all_edges(self) -> Iterator[Edge]:
        """Yield every observation, by function."""
        for done in self.followed.values():
            for edge in done.edges:
                for context in sorted(self.contexts.get(id(done.function)) or {TASK}):
                    yield replace(edge, context=context)
        for root in self.roots:
            if root.held:
                yield from self._entering(root)

    def _entering(self, root: Root) -> Iterator[Edge]:
        """Yield the edges from what is held when a function is called through its pointer."""
        names = tuple(name for name, _ in root.held)
        if root.context == WORKER:
            yield from self._queued(root)
        for event, place in self.followed[id(root.function)].summary.events.items():
            if event.verb == "sleep" or event.kind in UNORDERED_KINDS:
                continue
            for name, mode in root.held:
                if not any(same_lock(name, lock) for lock in event.released):
                    yield self._entry_edge(root, name, mode, names, event, place)

    def _queued(self, root: Root) -> Iterator[Edge]:
        """Who waits for what a work item will end, waits for its turn in the queue too."""
        function = root.function
        where = Where(function.name, function.file, function.line)
        slot, *ended = (name for name, _ in root.held)
        for name in ended:
            yield Edge(
                name,
                slot,
                "wait",
                context=WORKER,
                where=where,
                held=(name,),
                chain=(function.name,),
            )

    def _entry_edge(
        self, root: Root, name: str, mode: Mode, names: tuple[str, ...], event: Event, place: Place
    ) -> Edge:
        return Edge(
            name,
            event.lock,
            "wait" if event.verb == "wait" else "acquire",
            mode,
            event.mode,
            root.context,
            place.where,
            names,
            event.trylock,
            (root.function.name, *place.chain),
        )
