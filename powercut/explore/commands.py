"""The explorer's command language: one command a line, words separated by blanks.

Why so: the same lines work on a terminal, in a script and in a bug report.  A command may be
shortened as long as it stays unambiguous.  Rejected: single keys (a script of keys cannot be read).
"""

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.crash.evidence import describe_finding
from powercut.checkers.traces.codec import encode_trace
from powercut.checkers.traces.format import COLOURS
from powercut.explore import panes
from powercut.explore.session import CommandError, Session
from powercut.inputs.files import write_whole
from powercut.inputs.names import quoted, suggestion
from powercut.properties.crash import factored

_SURVIVOR = re.compile(r"([a-z0-9]+)@p([0-9]{1,2})\.([0-9]{1,2})")


@dataclass(frozen=True, slots=True)
class Command:
    """A command: how it is written, what it does, and the function that does it."""

    usage: str
    summary: str
    run: Callable[[Session, list[str]], list[str]]


def execute(session: Session, line: str) -> list[str]:
    """Do what ``line`` says and return what to print.  Raises :class:`CommandError`."""
    words = line.split()
    output = COMMANDS[command_name(words[0])].run(session, words[1:])
    return [part for text in output for part in _wrapped(text)]


def _wrapped(text: str) -> list[str]:
    """Break a line that is too long; what follows is indented a little further."""
    if len(text) <= panes.WIDTH:
        return [text]
    indent = len(text) - len(text.lstrip()) + 6
    return textwrap.wrap(text, panes.WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False)


def command_name(word: str) -> str:
    """Return the full name of a command.  Raises :class:`CommandError`."""
    if word in COMMANDS:
        return word
    matches = [name for name in COMMANDS if name.startswith(word)]
    if len(matches) == 1:
        return matches[0]
    if matches:
        raise CommandError(f"{quoted(word)} is short for {' and for '.join(matches)}", "write more")
    right = suggestion(word, list(COMMANDS), '"help" lists them')
    raise CommandError(f"unknown command {quoted(word)}", f"{right}")


def position(session: Session) -> str:
    """Say where the walk is, for a prompt."""
    mount = f"mount {session.mount_number} " if len(session.scope.mounts) > 1 else ""
    cut = " cut" if session.image is not None else ""
    return f"{mount}step {session.at}{cut}"


def _help(_session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "help")
    return [f"  {command.usage:32} {command.summary}" for command in COMMANDS.values()]


def _threads(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "threads")
    return panes.show_threads(session.threads())


def _step(session: Session, words: list[str]) -> list[str]:
    _count(words, 1, 1, "step")
    thread = session.thread_index(words[0])
    return _moved(session, session.here.threads[thread].name, lambda: session.step(thread))


def _moved(session: Session, name: str, act: Callable[[], list[str]]) -> list[str]:
    rows = {row.name: row for row in session.threads()} if not session.failure else {}
    changes = act()
    where = ""
    if name in rows:
        row = rows[name]
        where = f" {row.function}()" + (f": {row.call}" if row.call else "")
    lines = [f"{session.at:3}  {name}{where}", *(f"       {change}" for change in changes)]
    if not session.failure and not session.here.enabled(session.state):
        lines.append("     nobody can run any more")
    return lines


def _next(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 1, "next")
    lines: list[str] = []
    for _ in range(_number(words[0], "next") if words else 1):
        lines += _next_one(session)
    return lines


def _next_one(session: Session) -> list[str]:
    rows = {row.name: row for row in session.threads()} if not session.failure else {}
    name, changes = session.next()
    if name == "power cut":
        return ["     power cut, as in the trace", *_judged(session)]
    if name == "mount":
        return [_mounted(session)]
    row = rows[name]
    call = f": {row.call}" if row.call else ""
    return [f"{session.at:3}  {name} {row.function}(){call}", *(f"       {c}" for c in changes)]


def _back(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 1, "back")
    for _ in range(_number(words[0], "back") if words else 1):
        session.back()
    return [f"at {position(session)}"]


def _goto(session: Session, words: list[str]) -> list[str]:
    _count(words, 1, 1, "goto")
    session.goto(_number(words[0], "goto"))
    return [f"at {position(session)}"]


def _show(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 1, "show")
    wanted = words[0] if words else "all"
    if wanted == "all":
        return [line for pane in panes.PANES.values() for line in pane(session)]
    if wanted not in panes.PANES:
        known = [*panes.PANES, "all"]
        raise CommandError(f"there is no pane {quoted(wanted)}", f"{suggestion(wanted, known)}")
    return panes.PANES[wanted](session)


def _crash(session: Session, words: list[str]) -> list[str]:
    if not words:
        return panes.show_crash_cells(session.crash_cells(), session)
    rule, *rest = words
    if rule == "all":
        _count(rest, 0, 0, "crash")
        return _judged_all(session)
    if rule in ("new", "old"):
        _count(rest, 0, 0, "crash")
        session.cut_with(rule)
    elif rule == "keep":
        if not rest:
            raise CommandError('"crash keep" needs what survives, such as write2@p1.0')
        session.cut_with("old", [_survivor(word) for word in rest])
    else:
        known = ("keep", "new", "old", "all")
        raise CommandError(f'after "crash" expected {", ".join(known)}, not {quoted(rule)}')
    return _judged(session)


def _survivor(word: str) -> tuple[str, int, int]:
    match = _SURVIVOR.fullmatch(word)
    if match is None:
        raise CommandError(f"{quoted(word)}: expected COLOUR@pBLOCK.CELL, such as write2@p1.0")
    colour, block, cell = match.groups()
    if colour not in COLOURS:
        raise CommandError(f"there is no colour {quoted(colour)}", f"known: {', '.join(COLOURS)}")
    return colour, int(block), int(cell)


def _judged(session: Session) -> list[str]:
    return [*panes.show_recovered(session), *panes.show_verdicts(session.verdicts())]


def _judged_all(session: Session) -> list[str]:
    findings = factored(session.crash_state())
    if not findings:
        return ["no image that a power cut here can leave violates anything"]
    lines = [f"  {finding.prop}: {describe_finding(finding)}" for finding in findings]
    return ["over all images that a power cut here can leave:", *dict.fromkeys(lines)]


def _verdict(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "verdict")
    return panes.show_verdicts(session.verdicts())


def _mount(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "mount")
    session.mount()
    return [_mounted(session)]


def _mounted(session: Session) -> str:
    size = session.here.disk.inodes[0].size
    return f"mounted again (mount {session.mount_number}): the file has {size} cells"


def _images(session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "images")
    return panes.show_files(session)


def _save(session: Session, words: list[str]) -> list[str]:
    _count(words, 1, 3, "save")
    over = len(words) > 1 and words[-1] == "over"
    trace = session.trace(*words[1 : -1 if over else None])
    write_whole(Path(words[0]), encode_trace(trace), over=over)
    return [f"saved {words[0]}: {trace.property} {trace.verdict}"]


def _quit(_session: Session, words: list[str]) -> list[str]:
    _count(words, 0, 0, "quit")
    return []


def _count(words: list[str], least: int, most: int, name: str) -> None:
    if not least <= len(words) <= most:
        raise CommandError(f'"{name}" takes {_amount(least, most)}: {COMMANDS[name].usage}')


def _amount(least: int, most: int) -> str:
    if most == 0:
        return "nothing"
    return f"{least} to {most} words" if least != most else f"{least} word{'s' * (least > 1)}"


def _number(word: str, name: str) -> int:
    if not (word.isascii() and word.isdigit()) or len(word) > 6:
        raise CommandError(f'"{name}" takes a number, not {quoted(word)}')
    return int(word)


COMMANDS: dict[str, Command] = {
    "help": Command("help", "this list", _help),
    "threads": Command("threads", "who can run, who waits where and for what", _threads),
    "step": Command("step THREAD", "let a thread (name or number) take a step", _step),
    "next": Command("next [COUNT]", "do what the trace does next", _next),
    "back": Command("back [COUNT]", "take back steps, a power cut or a mount", _back),
    "goto": Command("goto STEP", "go to a step of this mount that is known", _goto),
    "show": Command("show [PANE]", "page, extents, journal, device, locks or all", _show),
    "crash": Command(
        "crash [new|old|keep ...|all]",
        "what a power cut leaves open; cut it: cached writes survive, do not, or those given "
        "(write2@p1.0); judge all images",
        _crash,
    ),
    "verdict": Command("verdict", "every property at this point", _verdict),
    "images": Command("images", "every file that a power cut here can leave", _images),
    "mount": Command("mount", "go on in the next mount, after a power cut", _mount),
    "save": Command(
        "save FILE [PROPERTY] [over]",
        'write the walk as a trace; an existing file only with "over"',
        _save,
    ),
    "quit": Command("quit", "leave", _quit),
}
