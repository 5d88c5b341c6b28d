"""The graph of a running kernel, from ``/proc/lockdep`` and ``/proc/lockdep_chains``.

Why so: ``lockdep`` lists for each class only those taken directly inside, ``lockdep_chains`` every
stack of held locks that occurred; only the second says what was held *at the same time*, which is
what an edge means here.  So edges come from both, and pairs that never met in one stack are not
invented by following arrows.  Addresses tell the classes apart: names repeat.

What the files do not say: which attempts were trylocks, and in which mode a lock was taken.
"""

import re
import tomllib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.graph import (
    IRQ,
    READ,
    TASK,
    WRITE,
    Edge,
    LockClass,
    LockGraph,
    Mode,
    known_classes,
    lock_class,
)
from powercut.reading import TooLarge, Unreadable, read_bytes

LOCKDEP, CHAINS = "lockdep", "lockdep_chains"
MAX_BYTES = 256 << 20

_CLASS = re.compile(
    r"^([0-9a-fA-F]{4,16})(?: OPS:\s*\d+)?(?: FD:\s*\d+)?(?: BD:\s*\d+)? ([-+.?]{4,8}): (.+)$"
)
_ARROW = re.compile(r"^ -> \[([0-9a-fA-F]{4,16})\] (.+)$")
_LINK = re.compile(r"^\[([0-9a-fA-F]{4,16})\] (.+)$")
_CONTEXT = re.compile(r"^irq_context: (\S+)$")
_NUMBER = re.compile(r"(?:#\d+)?(?:/\d+)?$")


@dataclass(frozen=True, slots=True)
class NameRule:
    """One entry of the name map."""

    pattern: re.Pattern[str]
    lock: str
    holds: tuple[str, ...] = ()
    held_by: tuple[str, ...] = ()


@dataclass(slots=True)
class Dump:
    """What the two files say, by address."""

    names: dict[str, str] = field(default_factory=dict)
    usage: dict[str, str] = field(default_factory=dict)
    direct: list[tuple[str, str, int]] = field(default_factory=list)
    chains: list[tuple[str, tuple[str, ...], int]] = field(default_factory=list)


@dataclass(slots=True)
class RealGraph:
    """The graph of a kernel in our names, and what was left out."""

    graph: LockGraph
    names: dict[str, str]
    """Our class → the name lockdep has for it."""
    invisible: list[LockClass]
    never_seen: list[str]
    foreign: int


@cache
def name_map() -> tuple[NameRule, ...]:
    """Return the name map."""
    text = files("powercut.checkers.locks").joinpath("lockdep.toml").read_text(encoding="utf-8")
    return tuple(
        NameRule(
            re.compile(entry["class"]),
            entry["lock"],
            tuple(entry.get("holds", ())),
            tuple(entry.get("held_by", ())),
        )
        for entry in tomllib.loads(text)["name"]
    )


def read_lockdep(folder: Path, rules: Iterable[NameRule] | None = None) -> RealGraph:
    """Return the graph of the kernel whose files are in ``folder``.  Raises LocksError."""
    if not folder.is_dir():
        raise LocksError(
            str(folder), f"not a directory; give one with the files {LOCKDEP} and {CHAINS}"
        )
    dump = Dump()
    _read_classes(folder / LOCKDEP, dump)
    _read_chains(folder / CHAINS, dump)
    return _graph_of(dump, tuple(rules or name_map()), folder)


def _lines(path: Path) -> list[str]:
    try:
        data = read_bytes(path, MAX_BYTES)
    except TooLarge:
        raise LocksError(str(path), "larger than any dump of lockdep") from None
    except Unreadable as error:
        raise LocksError(str(path), f"{error}; copy it from /proc") from None
    if not data:
        raise LocksError(str(path), "empty; was it copied as root?")
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise LocksError(str(path), f"not a copy of /proc/{path.name}: it is not text") from None
    if not text.endswith("\n"):
        raise LocksError(f"{path}:{text.count(chr(10)) + 1}", "cut off in this line; copy it again")
    return text.split("\n")[:-1]


def _expect(path: Path, lines: list[str], title: str) -> None:
    if lines[0] != title:
        raise LocksError(f"{path}:1", f'not a copy of /proc/{path.name}: it starts with "{title}"')


def _read_classes(path: Path, dump: Dump) -> None:
    lines = _lines(path)
    _expect(path, lines, "all lock classes:")
    current = ""
    arrows: list[tuple[str, str, str, int]] = []
    for number, line in enumerate(lines[1:], 2):
        if arrow := _ARROW.match(line):
            if not current:
                raise LocksError(f"{path}:{number}", "an arrow without a class above it")
            arrows.append((current, arrow[1], arrow[2], number))
        elif match := _CLASS.match(line):
            current = match[1]
            dump.names[current], dump.usage[current] = match[3].strip(), match[2]
        elif not line.strip():
            current = ""
        else:
            raise LocksError(f"{path}:{number}", f"not a line of /proc/{path.name}: {line[:40]!r}")
    if not dump.names:
        raise LocksError(str(path), "no lock class in it")
    for source, target, name, number in arrows:
        if dump.names.get(target) != name.strip():
            raise LocksError(
                f"{path}:{number}",
                f"class {target} ({name[:40]}) is not in the file: it is cut off",
            )
        dump.direct.append((source, target, number))


def _read_chains(path: Path, dump: Dump) -> None:
    lines = _lines(path)
    _expect(path, lines, "all lock chains:")
    context, start, links = "", 0, list[str]()
    for number, line in enumerate([*lines[1:], ""], 2):
        if match := _CONTEXT.match(line):
            context, start, links = match[1], number, []
        elif match := _LINK.match(line):
            if not context:
                raise LocksError(f"{path}:{number}", "a lock without an irq_context above it")
            if match[1] not in dump.names and not match[2].startswith("("):
                raise LocksError(
                    f"{path}:{number}",
                    f"class {match[1]} is not in {LOCKDEP}: the two are not from one boot",
                )
            links.append(match[1])
        elif not line.strip():
            if context and not links:
                raise LocksError(f"{path}:{start}", "a chain without locks: the file is cut off")
            if context:
                dump.chains.append((context, tuple(links), start))
            context = ""
        else:
            raise LocksError(f"{path}:{number}", f"not a line of /proc/{path.name}: {line[:40]!r}")
    if not dump.chains:
        raise LocksError(str(path), "no chain in it")


def _graph_of(dump: Dump, rules: tuple[NameRule, ...], folder: Path) -> RealGraph:
    ours = _ours(dump, rules)
    names: dict[str, str] = {}
    graph = LockGraph(str(folder))
    for address, lock in ours.items():
        graph.add_class(lock_class(lock))
        names.setdefault(lock, dump.names[address])
    for source, target, _ in dump.direct:
        if source in ours and target in ours and ours[source] != ours[target]:
            graph.add(_edge(dump, ours, source, target, TASK, ()))
    for context, chain, _ in dump.chains:
        _add_chain(graph, dump, ours, context, chain)
    visible = known_classes().values()
    return RealGraph(
        graph,
        names,
        [lock for lock in visible if not lock.lockdep],
        sorted({rule.lock for rule in rules} - set(ours.values())),
        len(dump.names) - len(ours),
    )


def _add_chain(
    graph: LockGraph, dump: Dump, ours: dict[str, str], context: str, chain: tuple[str, ...]
) -> None:
    where = TASK if context in ("0", "process") else IRQ
    mine = [address for address in chain if address in ours]
    for index, target in enumerate(mine):
        held = tuple(ours[address] for address in mine[:index])
        for source in mine[:index]:
            if ours[source] != ours[target]:
                graph.add(_edge(dump, ours, source, target, where, held))


def _edge(
    dump: Dump, ours: dict[str, str], source: str, target: str, context: str, held: tuple[str, ...]
) -> Edge:
    return Edge(
        ours[source],
        ours[target],
        "acquire",
        _mode(dump.usage[source]),
        _mode(dump.usage[target]),
        context,
        None,
        held or (ours[source],),
    )


def _mode(usage: str) -> Mode:
    """A class that was never taken for writing with interrupts on or off is a reader."""
    marks = usage[:4]
    written = any(mark in "+-?" for mark in marks[0::2])
    read = any(mark in "+-?" for mark in marks[1::2])
    return READ if read and not written else WRITE


def _ours(dump: Dump, rules: tuple[NameRule, ...]) -> dict[str, str]:
    """Return the class of ours for every address that has one.

    A subclass is a class of its own to lockdep; here it is the same one, so edges from one to
    another of them say nothing and are left out.
    """
    inside: dict[str, set[str]] = defaultdict(set)
    outside: dict[str, set[str]] = defaultdict(set)
    pairs = [(source, target) for source, target, _ in dump.direct]
    for _, chain, _ in dump.chains:
        pairs += [(a, b) for index, b in enumerate(chain) for a in chain[:index]]
    for source, target in pairs:
        if source in dump.names and target in dump.names:
            inside[source].add(_base(dump.names[target]))
            outside[target].add(_base(dump.names[source]))
    ours: dict[str, str] = {}
    for address, name in sorted(dump.names.items(), key=lambda item: (len(item[1]), item[1])):
        rule = next((r for r in rules if r.pattern.fullmatch(_base(name))), None)
        if rule is None:
            continue
        holds = not rule.holds or inside[address] & set(rule.holds)
        held_by = not rule.held_by or outside[address] & set(rule.held_by)
        if holds and held_by:
            ours[address] = rule.lock
    return ours


def _base(name: str) -> str:
    return _NUMBER.sub("", name)
