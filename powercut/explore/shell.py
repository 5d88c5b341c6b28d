"""Input and output of the explorer: a terminal, standard input or a script file.

Why so: on a terminal a mistake costs a line and the walk goes on; in a script it ends the walk,
because every later command would be about another run than its author meant.
"""

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from powercut.documents.document import print_document
from powercut.documents.explore import Command, ExploreDocument
from powercut.errors import HOLDS, VIOLATED, InputError
from powercut.explore.commands import command_name, execute, position
from powercut.explore.session import Session
from powercut.reading import TooLarge, Unreadable, read_bytes

_MAX_SCRIPT_BYTES = 1 << 20


def script_lines(path: Path) -> list[str]:
    """Return the lines of a script.  Raises :class:`InputError`."""
    try:
        return read_bytes(path, _MAX_SCRIPT_BYTES).decode("utf-8").splitlines()
    except TooLarge:
        raise InputError(
            f"--script {path}: larger than 1 MiB", "a script is some lines of text"
        ) from None
    except Unreadable as error:
        raise InputError(f"--script {path}: cannot be read: {error}") from None
    except UnicodeDecodeError:
        raise InputError(f"--script {path}: not UTF-8", "a script is some lines of text") from None


def stdin_lines() -> Iterator[str]:
    """Yield the lines of standard input.  Raises :class:`InputError`."""
    try:
        for line in sys.stdin:
            yield line.rstrip("\n")
    except UnicodeDecodeError:
        raise InputError("standard input: not UTF-8", "commands are plain text") from None


def _heading(session: Session) -> str:
    slug = session.question.slug
    mutant = f" with {slug}" if slug else ""
    trace = ", following a trace" if session.guide else ""
    scope = session.scope
    return f"{session.question.design.name}{mutant}, {scope.name}{trace}: {scope.summary}"


def scripted(session: Session, name: str, lines: "list[str] | Iterator[str]", as_json: bool) -> int:
    """Run commands, echoing each; a bad one raises :class:`InputError` with its line."""
    log: list[Command] = []
    if not as_json:
        print(_heading(session))
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        if not as_json:
            print(f"> {text}", flush=True)
        try:
            output = execute(session, text)
        except InputError as error:
            raise InputError(str(error), place=f"{name}:{number}") from None
        log.append(Command(line=number, command=text, output=output))
        if not as_json:
            for out in output:
                print(out)
        if command_name(text.split()[0]) == "quit":
            break
    code = VIOLATED if session.violated() else HOLDS
    if as_json:
        print_document(explore_document(session, log, code))
    return code


def explore_document(session: Session, log: list[Command], code: int) -> ExploreDocument:
    """Return the document of ``powercut explore --json``: where the walk ended, and the log."""
    return ExploreDocument(
        verdict="violated" if code == VIOLATED else "holds",
        exit_code=code,
        design=session.question.design.name,
        mutant=session.question.slug or None,
        scope=session.scope.name,
        mount=session.mount_number,
        step=session.at,
        schedule=[session.here.threads[t].name for t in session.schedule[: session.at]],
        power_cut=session.image is not None,
        properties={
            row.prop: "violated" if row.violated else "holds" if row.known else "inconclusive"
            for row in session.verdicts()
        },
        commands=log,
    )


def interactive(session: Session) -> int:
    """Read commands from the terminal until the user leaves."""
    with suppress(ImportError):
        import readline  # noqa: F401  (importing it gives input() a history)
    print(_heading(session))
    print('"help" lists the commands, "threads" says who can run, Ctrl-D leaves')
    while True:
        try:
            text = input(f"{position(session)}> ").strip()
        except EOFError:
            print()
            return HOLDS
        except KeyboardInterrupt:
            print()
            continue
        if not text or text.startswith("#"):
            continue
        try:
            for line in execute(session, text):
                print(line)
            if command_name(text.split()[0]) == "quit":
                return HOLDS
        except InputError as error:
            print(f"  {error}")
