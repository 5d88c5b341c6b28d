"""Damaged files of every format, under every verb that reads them: never more than one line.

The number of cases is ``POWERCUT_DAMAGED`` in the environment, or a few hundred; a long run is
taken up again at ``POWERCUT_DAMAGED_FROM``.  A case runs in this process.  Each
``APART_EVERY``-th case runs in a process of its own as well, under limits that the system enforces.
"""

import contextlib
import io
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from powercut import cli
from tests.cli.damaged import Case, Format, case, formats
from tests.cli.support import environment, files_below

COUNT = int(os.environ.get("POWERCUT_DAMAGED", "400"))
FIRST = int(os.environ.get("POWERCUT_DAMAGED_FROM", "0"))
PIECE = 100
APART_EVERY = 50
MOST_CPU_S = 5
MOST_BYTES = 1 << 30
PATIENCE_S = 120


class TooLong(BaseException):
    """A case used more processor time than it may; no handler of the product takes it."""


@contextlib.contextmanager
def limited(seconds: int) -> Iterator[None]:
    """Raise :class:`TooLong` when the block has used so much processor time of this process."""

    def stop(*_: object) -> None:
        raise TooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def ending(words: list[str]) -> tuple[int, str, str]:
    """Run a command in this process; return exit code and streams."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(words)
    return code, out.getvalue(), err.getvalue()


def ending_apart(words: list[str]) -> tuple[int, str, str]:
    """Run a command in a process that is killed above the limits; return how it ended."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (MOST_CPU_S, MOST_CPU_S))
        resource.setrlimit(resource.RLIMIT_DATA, (MOST_BYTES, MOST_BYTES))

    done = subprocess.run(
        [sys.executable, "-m", "powercut", *words],
        env=environment(),
        capture_output=True,
        preexec_fn=limit,
        stdin=subprocess.DEVNULL,
        timeout=PATIENCE_S,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def complaint(drawn: Case, *, apart: bool) -> str:
    """Run a case; return what is wrong with how it ended, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        drawn.write(place)
        before = files_below(place)
        try:
            with limited(MOST_CPU_S):
                run = ending_apart if apart else ending
                code, out, err = run(drawn.words(place))
        except TooLong:
            return f"more than {MOST_CPU_S} s of processor time"
        except subprocess.TimeoutExpired:
            return f"not ended after {PATIENCE_S} s"
        after = files_below(place)
    after.pop(str(place / "out.img"), None)
    if code not in (0, 1, 2, 3):
        return f"exit code {code}: {err}"
    if "Traceback" in out + err:
        return f"a traceback: {err}"
    if code == 2 and len(err.splitlines()) != 1:
        return f"not one line: {err!r}"
    return "" if after == before else "a file was changed or left"


def complaints(first: int, count: int) -> list[str]:
    """Run cases; return a line for each that ended wrong, with its number."""
    lines = []
    for number in range(first, first + count):
        drawn = case(number)
        ways = (False, True) if number % APART_EVERY == 0 else (False,)
        wrong = "; ".join(filter(None, (complaint(drawn, apart=apart) for apart in ways)))
        if wrong:
            lines.append(f"case {number} ({drawn.command}): {wrong}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    if peak > MOST_BYTES:
        lines.append(f"{peak >> 20} MiB of memory after case {first + count - 1}")
    return lines


@pytest.mark.quality
@pytest.mark.parametrize("first", range(FIRST, COUNT, PIECE))
def test_damage_is_one_line_at_most(first: int) -> None:
    assert complaints(first, min(PIECE, COUNT - first)) == []


@pytest.mark.quality
@pytest.mark.parametrize("form", formats(), ids=lambda form: form.name)
def test_what_is_damaged_was_good(form: Format) -> None:
    for command in form.commands:
        with tempfile.TemporaryDirectory() as folder:
            good = Case(-1, form, command, form.content)
            good.write(Path(folder))
            code, _, err = ending(good.words(Path(folder)))
        assert code in (0, 1, 3), (command, err)


def test_a_case_is_the_same_every_time() -> None:
    assert case(7) == case(7)
    assert len({case(number).content for number in range(40)}) > 30


@pytest.mark.parametrize(
    ("code", "err", "says"),
    [
        (4, "powercut: internal error\n", "exit code 4"),
        (2, "powercut: one\nand two\n", "not one line"),
        (2, "", "not one line"),
        (1, "Traceback (most recent call last):\n", "a traceback"),
        (0, "", ""),
    ],
)
def test_a_wrong_ending_is_a_complaint(
    monkeypatch: pytest.MonkeyPatch, code: int, err: str, says: str
) -> None:
    monkeypatch.setattr(f"{__name__}.ending", lambda _words: (code, "", err))
    wrong = complaint(case(0), apart=False)
    assert says in wrong
    assert bool(wrong) == bool(says)


def test_a_changed_input_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = case(0)

    def change_it(words: list[str]) -> tuple[int, str, str]:
        next(Path(word) for word in words if Path(word).is_file()).write_bytes(b"changed")
        return 0, "", ""

    monkeypatch.setattr(f"{__name__}.ending", change_it)
    assert complaint(drawn, apart=False) == "a file was changed or left"


def test_an_endless_case_is_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    def spin(_words: list[str]) -> tuple[int, str, str]:
        while time.process_time():
            pass
        return 0, "", ""

    monkeypatch.setattr(f"{__name__}.ending", spin)
    monkeypatch.setattr(f"{__name__}.MOST_CPU_S", 1)
    assert complaint(case(0), apart=False) == "more than 1 s of processor time"
