"""What a kernel printed about a deadlock becomes tasks, stacks and a circle of lock names.

What is read: lockdep's reports of circular and of recursive locking, dumps of hung tasks (with or
without the locks that lockdep shows), DEPT's reports, and the stacks of RCU stalls.
Why so: reports come from the console, from dmesg, from syslog and from mails, with time stamps,
other messages between the lines, and without an end; so each line is stripped of what is not the
report's, and what a line says is decided by the line and by the part of the report it stands in.
Rejected: grammars of whole reports (a lost line would lose the rest).
"""

import re
from dataclasses import dataclass, field

CIRCULAR, RECURSIVE, HUNG, DEPT, STALL = "circular", "recursive", "hung tasks", "DEPT", "RCU stall"
FORMS = "lockdep (circular and recursive locking), hung tasks, DEPT, RCU stalls"

_PREFIX = re.compile(
    r"^(?:> ?)*(?:(?:[A-Z][a-z]{2} +\d+ [\d:]{8}|\d{4}-\d\d-\d\dT\S+) \S+ kernel: ?)?"
    r"(?:<\d+>)?(?:\[ *\d+\.\d+\])?(?:\[ *[TC]\d+\])?(?:#012)?[ \t]?"
)
_HEADS = {
    "possible circular locking dependency detected": CIRCULAR,
    "possible recursive locking detected": RECURSIVE,
    "Circular dependency has been detected": DEPT,
    "AA deadlock has been detected": DEPT,
}
_BLOCKED = re.compile(r"INFO: task (.+?):(\d+) blocked for more than \d+ seconds")
_STALLED = re.compile(r"INFO: rcu\w* (?:self-)?detected (?:expedited )?stall")
_TASK = re.compile(r"task:(.+?) +state:\S+ .*?pid:(\d+)")
_WORK = re.compile(r"Workqueue: (\S+) (\S+)")
_FRAME = re.compile(
    r"(\? )?(?:\[<[0-9a-f]+>\] ?(?:\[<[0-9a-f]+>\] ?)?)?(\? )?"
    r"([A-Za-z_][\w.]*)\+0x[0-9a-f]+(?:/0x[0-9a-f]+)?(?: \[\w+\])?\s*$"
)
_LOCK = re.compile(
    r"\((.+?)\)\s?\{[-+.?]{2,8}\}(?:-\{\d+:\d+\})?(?:, at: (?:\[<\w+>\] )?(\w[\w.]*))?"
)
_LINK = re.compile(r"-> #(\d+) \((.+?)\)\s?\{")
_TRYING = re.compile(r"(\S.*?)/(\d+) is trying to acquire lock")
_HOLDS = re.compile(r"\d+ locks? held by (.+?)/(\d+)")
_CONTEXT = re.compile(r"context (\w)$")
_EVENT = re.compile(r"\[([SWE])\] (\S+?)\((\S+?)(?::\d+)?\)")


@dataclass(slots=True)
class Task:
    """A task (or a context of DEPT): its stack, innermost first, and what it is known to hold.

    ``holds`` and ``wants`` are names as the kernel prints them, with the function that took them.
    """

    name: str
    pid: str = ""
    work: str = ""
    frames: list[str] = field(default_factory=list)
    holds: list[tuple[str, str]] = field(default_factory=list)
    wants: tuple[str, str] = ("", "")


@dataclass(slots=True)
class Splat:
    """One report: what it is, its tasks, and the links of a chain as lockdep numbers them."""

    form: str
    line: int
    tasks: list[Task] = field(default_factory=list)
    links: dict[int, tuple[str, list[str]]] = field(default_factory=dict)


def stripped(line: str) -> str:
    """Return a line without time stamps, log levels and quoting."""
    return _PREFIX.sub("", line.rstrip(), count=1)


def read_splats(text: str) -> list[Splat]:
    """Return the reports in ``text``, in order; none if nothing of the known forms is there."""
    reader = _Reader()
    for number, raw in enumerate(text.splitlines(), 1):
        reader.line(stripped(raw), number)
    return [splat for splat in reader.splats if splat.tasks or splat.links]


class _Reader:
    def __init__(self) -> None:
        self.splats: list[Splat] = []
        self.frames: list[str] | None = None
        self.expects = ""
        self.task: Task | None = None

    def line(self, line: str, number: int) -> None:
        """Take one line."""
        for words, form in _HEADS.items():
            if words in line:
                self._begin(form, number)
                return
        if self._hung(line, number) or not self.splats:
            return
        splat = self.splats[-1]
        if splat.form in (CIRCULAR, RECURSIVE):
            self._lockdep(splat, line)
        elif splat.form == DEPT:
            self._dept(splat, line)
        else:
            self._held(splat, line)
        frame = _FRAME.match(line.strip())
        if frame and self.frames is not None and not (frame[1] or frame[2]):
            self.frames.append(frame[3].partition(".")[0])

    def _begin(self, form: str, number: int) -> None:
        self.splats.append(Splat(form, number))
        self.frames, self.expects, self.task = None, "", None

    # Hung tasks and stalls.

    def _hung(self, line: str, number: int) -> bool:
        stalled = _STALLED.search(line)
        blocked = _BLOCKED.search(line)
        if stalled or blocked:
            form = HUNG if blocked else STALL
            if not self.splats or self.splats[-1].form != form:
                self._begin(form, number)
            if blocked:
                self._of(blocked[1], blocked[2])
            return True
        if not self.splats or self.splats[-1].form not in (HUNG, STALL):
            return False
        task = _TASK.search(line)
        if task:
            self._of(task[1].strip(), task[2])
            return True
        work = _WORK.search(line)
        if work and self.task is not None:
            self.task.work = work[2]
        return bool(work)

    def _of(self, name: str, pid: str) -> None:
        """Go on with a task, which may be known already."""
        tasks = self.splats[-1].tasks
        self.task = next((one for one in tasks if one.pid == pid), None)
        if self.task is None:
            self.task = Task(name, pid)
            tasks.append(self.task)
        self.frames = self.task.frames

    def _held(self, splat: Splat, line: str) -> None:
        holder = _HOLDS.search(line)
        if holder:
            known = [one for one in splat.tasks if one.pid == holder[2]]
            self.task = known[0] if known else None
            self.frames = None
            return
        lock = _LOCK.search(line) if re.match(r" *#\d+:", line) else None
        if lock and self.task is not None:
            self.task.holds.append((lock[1], lock[2] or ""))

    # lockdep.

    def _lockdep(self, splat: Splat, line: str) -> None:
        trying = _TRYING.search(line)
        if trying:
            splat.tasks.append(Task(trying[1], trying[2]))
            self.expects = "wanted"
            return
        if "already holding lock" in line:
            self.expects = "held"
            return
        link = _LINK.search(line)
        if link:
            self.frames = []
            splat.links[int(link[1])] = (link[2], self.frames)
            self.expects = ""
            return
        if "other info that might help" in line or "Possible unsafe" in line:
            self.frames = None
        if "stack backtrace" in line and splat.tasks:
            self.frames = splat.tasks[0].frames
        lock = _LOCK.search(line)
        if lock and splat.tasks and self.expects:
            found = (lock[1], lock[2] or "")
            if self.expects == "wanted":
                splat.tasks[0].wants = found
            else:
                splat.tasks[0].holds.append(found)
            self.expects = ""

    # DEPT.

    def _dept(self, splat: Splat, line: str) -> None:
        context = _CONTEXT.match(line.strip())
        if context:
            name = f"context {context[1]}"
            self.task = next((one for one in splat.tasks if one.name == name), None)
            if self.task is None:
                self.task = Task(name)
                splat.tasks.append(self.task)
            return
        event = _EVENT.search(line)
        if event is None or self.task is None:
            return
        kind, function, name = event.groups()
        if kind == "W":
            self.task.wants = self.task.wants if self.task.wants[0] else (name, function)
        elif kind == "E" and not self.task.holds:
            self.task.holds.append((name, function))
