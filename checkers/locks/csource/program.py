"""All functions of the given source together: who calls whom, in which context, holding what.

Why so: functions are followed callees first, so that a caller finds summaries; recursion is
followed until nothing changes.  A function that only a pointer reaches starts with what the kernel
is known to hold when it calls that pointer.  The context (task, worker, interrupt) is not part of a
summary: it is spread over the call graph afterwards, from those who call to those who are called.
"""

import re
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from powercut.checkers.locks.csource.cfg import build_cfg
from powercut.checkers.locks.csource.chunk import Chunk
from powercut.checkers.locks.csource.effects import Effects
from powercut.checkers.locks.csource.flow import Flow
from powercut.checkers.locks.csource.primitives import Knowledge, knowledge
from powercut.checkers.locks.csource.reuse import Followed, LineMap, Reuse, shape_of
from powercut.checkers.locks.csource.source import (
    Function,
    Pointer,
    SetIn,
    Unit,
    local_types,
    read_chunk,
    syntax_of,
)
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

if TYPE_CHECKING:
    import networkx as nx
    from tree_sitter import Node

Progress = Callable[[int, int], None]
"""Is told how many functions are followed, of how many."""

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


@dataclass(frozen=True, slots=True)
class Root:
    """How a function is entered from outside: the context, what is held, and why."""

    function: Function
    context: str
    held: tuple[tuple[str, Mode], ...] = ()
    why: str = ""


def _found_in(chunk: Chunk, known: Knowledge) -> SetIn:
    """Return the work queues, pointers and registered functions that a chunk sets."""
    found = SetIn()
    for match in _QUEUE_WORK.finditer(chunk.text):
        queue, work = (_LAST_NAME.search(match[n].strip()) for n in (1, 2))
        if queue and work:
            found.queues[work[1]] = queue[1]
    for match in _SET.finditer(chunk.text):
        row = chunk.text.count("\n", 0, match.start())
        found.pointers.append(Pointer("", match[1], match[2], chunk.file, chunk.line(row)))
    for match in _REGISTERED.finditer(chunk.text):
        entry = known.registrations.get(match[1])
        if entry is None:
            continue
        arguments = [match[2], *match[3].split(",")]
        number, context = entry
        function = arguments[number].strip().lstrip("&") if number < len(arguments) else ""
        item = _LAST_NAME.search(match[2].strip())
        found.registered.append((function, context, item[1] if item else ""))
    return found


def _held_above(effects: Effects) -> tuple[Held, ...]:
    """Return what a part of a function gives back first and takes later, if at all."""
    return tuple(
        replace(held, line=0)
        for lock, held in effects.releases.items()
        if held.line < effects.acquired.get(lock, sys.maxsize)
    )


class Program:
    """The functions of some chunks of C, followed.  The result is :attr:`graph`."""

    def __init__(
        self,
        chunks: Iterable[Chunk],
        known: Knowledge | None = None,
        before: "Program | None" = None,
        progress: Progress | None = None,
        moved: Mapping[str, LineMap] | None = None,
    ) -> None:
        """Follow every function; ``before`` has what need not be followed again.

        ``moved`` gives for files that differ the line now for a line before.
        """
        self.knowledge = known or knowledge()
        self.before = before
        self.progress = progress
        self.moved = moved or {}
        self.chunks = list(chunks)
        self.units: dict[int, Unit] = {}
        self.followed: dict[int, Followed] = {}
        self._read()
        self._follow_all()
        self._finish()

    def _read(self) -> None:
        kept = self.before.units if self.before else {}
        for chunk in self.chunks:
            self.units[id(chunk)] = kept.get(id(chunk)) or read_chunk(chunk)
        self._collect()

    def _collect(self) -> None:
        units = [self.units[id(chunk)] for chunk in self.chunks]
        self.lines = sum(chunk.text.count("\n") for chunk in self.chunks)
        self.keys = {id(one): one.key for unit in units for one in unit.functions}
        self.functions = [function for unit in units for function in unit.functions]
        self.pointers = [pointer for unit in units for pointer in unit.pointers]
        self.errors = [error for unit in units for error in unit.errors]
        self.queues: dict[str, str] = {}
        self.registered: list[tuple[str, str, str]] = []
        self.by_name: dict[str, list[Function]] = defaultdict(list)
        for function in self.functions:
            self.by_name[function.name].append(function)
        for chunk, unit in zip(self.chunks, units, strict=True):
            self._registrations(chunk, unit)
        self.fields: dict[str, list[Pointer]] = defaultdict(list)
        for pointer in dict.fromkeys(self.pointers):
            if pointer.function in self.by_name:
                self.fields[pointer.field].append(pointer)
        self._resolved: dict[tuple[str, str], list[Function]] = {}

    def _finish(self) -> None:
        self.roots = self._roots()
        self.contexts = self._contexts()
        self.edges = list(self._all_edges())
        self.graph = self._graph()

    # Between runs.

    def kept(self) -> dict[str, Any]:
        """Return what another run needs to go on from here (see :meth:`from_kept`)."""
        return {
            "chunks": self.chunks,
            "units": [self.units[id(chunk)] for chunk in self.chunks],
            "followed": list(self.followed.values()),
        }

    @classmethod
    def from_kept(cls, kept: dict[str, Any]) -> "Program":
        """Return the program that :meth:`kept` was asked of."""
        self = cls.__new__(cls)
        self.knowledge, self.before, self.progress = knowledge(), None, None
        self.moved = {}
        self.chunks = kept["chunks"]
        self.units = {
            id(chunk): unit for chunk, unit in zip(self.chunks, kept["units"], strict=True)
        }
        self.followed = {id(done.function): done for done in kept["followed"]}
        self._collect()
        interesting = [f for f in self.functions if id(f) in self.followed]
        self.call_graph = self._calls_among(interesting)
        self._finish()
        return self

    def _syntax(self, function: Function) -> "Node":
        return syntax_of(function, self.units[id(function.chunk)])

    def flow_of(self, function: Function) -> Flow:
        """Return a run over a function that has not begun."""
        cfg = build_cfg(function, self._syntax(function))
        return Flow(function, cfg, Effects(function, self.knowledge, self))

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

    def _registrations(self, chunk: Chunk, unit: Unit) -> None:
        if unit.set is None:
            unit.set = _found_in(chunk, self.knowledge)
        found = unit.set
        self.queues.update(found.queues)
        known = {(pointer.field, pointer.function) for pointer in self.pointers}
        for pointer in found.pointers:
            if pointer.function in self.by_name and (pointer.field, pointer.function) not in known:
                self.pointers.append(pointer)
                known.add((pointer.field, pointer.function))
        self.registered += [one for one in found.registered if one[0] in self.by_name]

    # Following.

    def _calls_among(self, interesting: list[Function]) -> "nx.DiGraph[int]":
        import networkx

        calls: nx.DiGraph[int] = networkx.DiGraph()
        calls.add_nodes_from(id(f) for f in interesting)
        for function in interesting:
            for callee in self._callees(function):
                if id(callee) in calls:
                    calls.add_edge(id(function), id(callee))
        return calls

    def _follow_all(self) -> None:
        import networkx

        interesting = self._interesting()
        self.call_graph = self._calls_among(interesting)
        by_id = {id(f): f for f in interesting}
        reuse = Reuse(self.before, self, self.moved) if self.before else None
        condensed = networkx.condensation(self.call_graph)
        for component in reversed(list(networkx.topological_sort(condensed))):
            members = sorted(
                condensed.nodes[component]["members"], key=lambda m: (by_id[m].file, by_id[m].line)
            )
            if reuse and reuse.take(members, by_id):
                continue
            self._follow_component(members, by_id)
            if reuse:
                reuse.compare(members)
            if self.progress:
                self.progress(len(self.followed), len(interesting))

    def _follow_component(self, members: list[int], by_id: dict[int, Function]) -> None:
        recursive = len(members) > 1 or self.call_graph.has_edge(members[0], members[0])
        for _ in range(MAX_ROUNDS if recursive else 1):
            before = [self._shape(member) for member in members]
            for member in members:
                self.followed[member] = self._follow(by_id[member])
            if [self._shape(member) for member in members] == before:
                break

    def _shape(self, member: int) -> object:
        done = self.followed.get(member)
        return shape_of(done) if done else None

    def _follow(self, function: Function) -> Followed:
        body = self._syntax(function)
        if len(function.types) <= len(function.params):
            function.types = {**dict(local_types(body)), **function.types}
        try:
            cfg = build_cfg(function, body)
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
        pointer_calls = {f"*{name}" for name in self.fields}
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
            if name[1:] in self.fields and name.startswith("*"):
                found += self._targets("", name[1:])
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
        called = {callee for _, callee in self.call_graph.edges if callee not in entered}
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
            if member in self.call_graph:
                queue += [(callee, context) for callee in self.call_graph.successors(member)]
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
