"""What a kernel's report of a deadlock means in our classes, and what the model says of it.

Why so: a reader asks three things.  Who waits for whom, in names of one kind.  Whether the model
has that circle, forbids an order of it, or cannot see it.  Whether it can happen, or two things of
one class were taken for one.  Each is one sentence, with the reason in it; what the report does not
say is said to be unknown.
"""

import re
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any

from powercut.checkers.locks.csource.mail import texts, unpacked
from powercut.checkers.locks.documented import documented_orders
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.locks.graph import base_of, lock_class, same_lock
from powercut.checkers.locks.lockdep import name_map
from powercut.checkers.locks.report import INCONCLUSIVE, VIOLATED
from powercut.checkers.locks.splat import CIRCULAR, FORMS, RECURSIVE, Splat, Task, read_splats
from powercut.reading import TooLarge, Unreadable, read_bytes

MAX_BYTES = 64 << 20

KNOWN, FORBIDDEN, ALLOWED = "known", "forbidden", "not known"
UNSEEN, OPEN = "cannot see", "no circle"
WIDTH = 100

_NUMBER = re.compile(r"(?:#\d+)?(?:/\d+)?$")
_LOCK_WAITS = ("rwsem_down", "down_write", "down_read", "__mutex_lock", "mutex_lock", "__down")


@dataclass(frozen=True, slots=True)
class Waits:
    """What one task has and waits for, in our classes; ``why`` names the function of the stack."""

    task: str
    holds: tuple[str, ...]
    wants: str
    why: str = ""


@dataclass(slots=True)
class Diagnosis:
    """What one report says: the tasks, the circle (each class is had by who wants the next one)."""

    form: str
    line: int
    tasks: list[Waits] = field(default_factory=list)
    circle: tuple[str, ...] = ()
    verdict: str = OPEN
    finding: str = ""
    model: str = ""
    reality: str = ""


def read_report(path: Path) -> list[Diagnosis]:
    """Return what the reports in a file say; ``-`` is standard input.  Raises LocksError."""
    name = "standard input" if str(path) == "-" else str(path)
    try:
        data = sys.stdin.buffer.read(MAX_BYTES) if str(path) == "-" else read_bytes(path, MAX_BYTES)
    except TooLarge:
        raise LocksError(name, f"larger than {MAX_BYTES >> 20} MiB") from None
    except Unreadable as error:
        raise LocksError(name, f"{error}; give a file with a kernel's report") from None
    texts_of_mails = texts(unpacked(name, data))
    found = [diagnosed(splat) for given in texts_of_mails for splat in read_splats(given.text)]
    if not found:
        raise LocksError(name, f"no report of a deadlock in it; what is read: {FORMS}")
    return found


def verdict_of(found: list[Diagnosis]) -> str:
    """Return violated if the model knows a circle or a documented order forbids it."""
    decided = any(one.verdict in (KNOWN, FORBIDDEN) for one in found)
    return VIOLATED if decided else INCONCLUSIVE


def render_report(found: list[Diagnosis]) -> str:
    """Return the reports as text that ends with a newline."""
    lines: list[str] = []
    for one in found:
        lines += [f"{one.form}, line {one.line}:"]
        lines += [line for task in one.tasks for line in _task_lines(task)]
        circle = " -> ".join([*one.circle, one.circle[0]]) if one.circle else "none"
        for text in (f"circle: {circle}", one.model, one.reality):
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
        lines += [f"  the model: {one.verdict}", ""]
    return "\n".join(lines[:-1]) + "\n"


def _task_lines(task: Waits) -> list[str]:
    holds = ", ".join(task.holds) or "nothing that the report shows"
    why = f" ({task.why}())" if task.why else ""
    wants = f"waits for {task.wants}{why}" if task.wants else f"waits for something unknown{why}"
    text = f"{task.task} has {holds}; {wants}"
    return textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")


def diagnosed(splat: Splat) -> Diagnosis:
    """Return what a report says."""
    result = Diagnosis(splat.form, splat.line)
    result.tasks = [*map(_waits, splat.tasks), *_implied(splat)]
    if splat.form in (CIRCULAR, RECURSIVE):
        result.circle = _lockdep_circle(splat)
    else:
        result.circle = _circle_of(result.tasks)
    _ask_model(result)
    result.reality = _reality(splat, result)
    return result


@cache
def _data() -> dict[str, Any]:
    text = files("powercut.checkers.locks").joinpath("splat.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def class_of(name: str) -> str:
    """Return our class for a name that lockdep or DEPT prints, or the name itself."""
    plain = _NUMBER.sub("", name.strip())
    for rule in name_map():
        if rule.pattern.fullmatch(plain):
            return rule.lock
    found: str = _data()["names"].get(plain, plain)
    return found


def _waits(task: Task) -> Waits:
    wants, why = _wanted(task)
    holds = [class_of(name) for name, _ in task.holds]
    if task.holds and wants and not task.wants[0] and same_lock(holds[-1], wants):
        holds.pop()  # lockdep lists what is waited for among what is held
    for function in reversed(task.frames):
        holds += _data()["hold"].get(function, [])
    kept = [name for name in dict.fromkeys(holds) if not same_lock(name, wants)]
    title = f"{task.name}:{task.pid}" if task.pid else task.name
    return Waits(f"{title} ({task.work})" if task.work else title, tuple(kept), wants, why)


def _implied(splat: Splat) -> Iterator[Waits]:
    """Yield who has to be there, given what the tasks that were printed wait for."""
    entry = _data()["implied"]
    functions = {function for task in splat.tasks for function in task.frames}
    if entry["seen"] in functions and entry["unless"] not in functions:
        yield Waits(entry["task"], (entry["holds"],), entry["wants"])


def _wanted(task: Task) -> tuple[str, str]:
    if task.wants[0]:
        return class_of(task.wants[0]), task.wants[1]
    data = _data()
    for number, function in enumerate(task.frames):
        if function in data["wait"]:
            return data["wait"][function], function
        if function.startswith(_LOCK_WAITS):
            if task.holds:
                return class_of(task.holds[-1][0]), function
            for caller in task.frames[number:]:
                if caller in data["lock_of"]:
                    return data["lock_of"][caller], caller
            return "", function
    return "", ""


def _lockdep_circle(splat: Splat) -> tuple[str, ...]:
    """Return the classes in order: each was held while the next one was taken."""
    if splat.links:
        return tuple(class_of(splat.links[number][0]) for number in sorted(splat.links))
    if not splat.tasks:
        return ()
    task = splat.tasks[0]
    names = [*(name for name, _ in task.holds[:1]), task.wants[0]]
    return tuple(dict.fromkeys(class_of(name) for name in names if name))


def _circle_of(tasks: list[Waits]) -> tuple[str, ...]:
    """Return the shortest circle in which every class is had by a task that wants the next."""
    import networkx

    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for task in tasks:
        for name in task.holds:
            if task.wants:
                graph.add_edge(base_of(name), base_of(task.wants))
    try:
        found = networkx.find_cycle(graph)
    except networkx.NetworkXNoCycle:
        return ()
    shortest = [one for one, _ in found]
    for start in sorted(graph):
        for end in sorted(graph.predecessors(start)):
            if networkx.has_path(graph, start, end):
                path = networkx.shortest_path(graph, start, end)
                shortest = path if len(path) < len(shortest) else shortest
    return tuple(shortest)


def _ask_model(result: Diagnosis) -> None:
    classes = {base_of(name) for name in result.circle}
    if not classes:
        result.model = "The stacks show no circle, so there is nothing to ask the model."
        return
    for entry in _data()["circle"]:
        if set(entry["classes"]) == classes:
            result.verdict, result.finding = KNOWN, entry.get("finding", "")
            shown = f"finding {result.finding}"
            if not result.finding:
                shown = f"the mutant {entry['mutant']} breaks the rule {entry['rule']}"
            result.model = f"The model has this circle: {shown}."
            return
    unseen = sorted(name for name in classes if not lock_class(name).modelled)
    against = list(_against(result.circle))
    if against:
        result.verdict = FORBIDDEN
        result.model = f"A documented order forbids it: {against[0]}."
    elif unseen:
        result.verdict = UNSEEN
        result.model = f"The model cannot see it: it has no {', no '.join(unseen)}."
    else:
        result.verdict = ALLOWED
        result.model = "The model has these classes, and no finding has this circle."


def _against(circle: tuple[str, ...]) -> Iterator[str]:
    """Yield the orders of a circle that every document about both classes has the other way."""
    for first, second in pairwise((*map(base_of, circle), base_of(circle[0]))):
        orders = documented_orders()
        if any(order.before(first, second) for order in orders):
            continue
        other = next((order for order in orders if order.before(second, first)), None)
        if other is not None:
            yield f'{first} before {second}, against "{other.path}" ({other})'


def _reality(splat: Splat, result: Diagnosis) -> str:
    """Say in one sentence whether it can happen or is a confusion of classes."""
    classes = [base_of(name) for name in result.circle]
    if not classes:
        return "Nothing says that it is one deadlock: the tasks may wait for something slow."
    sorted_by = {lock_class(name).order_key for name in classes}
    if len(set(classes)) == 1 and None not in sorted_by:
        return (
            f"It may be a confusion of two {classes[0]}: the kernel takes several of them by "
            f"{sorted_by.pop()}, which a class does not show."
        )
    if len(set(classes)) == 1:
        return f"It is real if both {classes[0]} are one; otherwise an annotation is missing."
    if splat.form == CIRCULAR and "fs_reclaim" in classes:
        return "It is real if reclaim can reach an object of this file system with these flags."
    if splat.form in (CIRCULAR, RECURSIVE):
        shared = sorted({name for name in classes if lock_class(name).order_key})
        doubt = f", unless the two {shared[0]} are never the same one" if shared else ""
        return f"No task hung: it can happen if the paths run at the same time{doubt}."
    return "It happened: the tasks wait for each other now, as far as the stacks say."
