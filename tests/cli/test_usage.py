"""Help, usage errors and endings: what a command costs to start, and how it stops."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from powercut import cli
from powercut.errors import InternalError
from powercut.verbs import VERBS
from tests.cli.support import Ended, Runner, assert_refused, end_of, environment, run_apart, start

LAYERS = ("powercut.model", "powercut.checkers", "powercut.properties")
HEAVY = ("networkx", "z3", "hypothesis", "rich", "cyclopts", "msgspec", *LAYERS)


def loaded_after(*argv: str) -> set[str]:
    program = (
        "import sys\n"
        "from powercut import cli\n"
        f"assert cli.run({list(argv)!r}) == 0\n"
        "print('\\n' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(),
        text=True,
        capture_output=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_imports_nothing_heavy() -> None:
    assert not loaded_after("--help") & set(HEAVY)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_help_of_a_verb_imports_no_checker(verb: str) -> None:
    needless = {"networkx", "z3", "hypothesis", "msgspec", *LAYERS}
    assert not loaded_after(verb, "--help") & needless


def test_help_names_every_verb(powercut: Runner) -> None:
    ended = powercut("--help")
    assert ended.code == 0
    assert all(f"  {verb} " in ended.out for verb in VERBS)
    assert max(map(len, ended.out.splitlines())) <= 100


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_has_help_and_json(powercut: Runner, verb: str) -> None:
    ended = powercut(verb, "--help")
    assert ended.code == 0
    assert "--json" in ended.out


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        ((), "check"),
        (("chekc",), 'Did you mean "check"?'),
        (("check", "--desing", "seed"), "--design"),
        (("check", "--design", "sede"), 'did you mean "seed"?'),
        (("check", "--design", ""), "unknown design"),
        (("check", "--design"), "at least one"),
        (("check", "--scope", "append-fsnyc"), 'did you mean "append-fsync"?'),
        (("check", "--scope", "quite different"), "powercut list"),
        (("check", "--property", "stale"), 'did you mean "stale-data"?'),
        (("check", "--mutant", "no-preflsh"), 'did you mean "no-preflush"?'),
        (("check", "--engine", "pyton"), 'did you mean "python"?'),
        (("check", "--max-states", "0"), "--max-states"),
        (("check", "--max-states", "many"), "--max-states"),
        (("check", "--max-memory", "-1"), "--max-memory"),
        (("check", "--time-limit", "nan"), "--time-limit"),
        (("check", "--time-limit", "-3"), "--time-limit"),
        (("check", "--jobs", "0"), "--jobs"),
        (("check", "stray"), "stray"),
        (("check", "--design", "bad\nname\x1b[31m"), "unknown design"),
        (("exam", "--mutant", "no-preflsh"), 'did you mean "no-preflush"?'),
        (("exam", "--jobs", "-1"), "--jobs"),
        (("replay",), "no trace"),
        (("explore",), "--scope"),
        (("explore", "--scope", "apend-fsync"), 'did you mean "append-fsync"?'),
        (("explore", "--scope", "append-fsync", "--design", "sed"), 'did you mean "seed"?'),
        (("list", "everything"), "everything"),
    ],
)
def test_bad_usage_is_one_line(powercut: Runner, argv: tuple[str, ...], word: str) -> None:
    ended = powercut(*argv)
    assert_refused(ended, word)
    assert ended.err.rstrip("\n").isprintable()


def test_a_bug_is_one_line_and_says_how_to_see_more(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_options: object) -> int:
        raise ZeroDivisionError("of our own making")

    monkeypatch.delenv("POWERCUT_TRACEBACK", raising=False)
    monkeypatch.setattr("powercut.verbs.list.run", broken)
    ended = powercut("list")
    assert ended.code == 4
    assert len(ended.err.splitlines()) == 1
    assert "of our own making" in ended.err
    assert "POWERCUT_TRACEBACK=1" in ended.err
    monkeypatch.setenv("POWERCUT_TRACEBACK", "1")
    ended = powercut("list")
    assert ended.code == 4
    assert "Traceback" in ended.err


def test_a_bug_of_another_process_shows_its_traceback(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_options: object) -> int:
        raise InternalError("there", "Traceback of the other process\n")

    monkeypatch.setattr("powercut.verbs.list.run", broken)
    monkeypatch.setenv("POWERCUT_TRACEBACK", "1")
    assert powercut("list").err == "Traceback of the other process\n"


def test_ctrl_c_outside_a_search(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_options: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("powercut.verbs.list.run", interrupted)
    ended = powercut("list")
    assert ended.code == 3
    assert ended.err == "powercut: interrupted before anything was known: inconclusive\n"


def test_a_closed_pipe_ends_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with start("list", stdout=writing) as process:
        os.close(writing)
        assert end_of(process) == Ended(3, "", "")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", [("--help",), ("list",), ("list", "--json"), ("check", "--help")])
def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, argv: tuple[str, ...], unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    with Path("/dev/full").open("wb") as full:
        ended = run_apart(*argv, stdout=full)
    line = "powercut: standard output: cannot be written: No space left on device\n"
    assert (ended.code, ended.err) == (2, line)


@pytest.mark.parametrize(
    ("closed", "code", "out", "err"),
    [
        (0, 0, "powercut.list/1", ""),
        (1, 2, "", "powercut: standard output is closed; send it to a file or to /dev/null\n"),
        (2, 0, "powercut.list/1", ""),
    ],
)
def test_a_closed_stream(closed: int, code: int, out: str, err: str) -> None:
    ended = run_apart("list", "--json", preexec_fn=lambda: os.close(closed))
    assert (ended.code, ended.err) == (code, err)
    assert out in ended.out
    assert bool(ended.out) == bool(out)


def test_a_closed_standard_error_takes_its_messages_along() -> None:
    assert run_apart("chekc", preexec_fn=lambda: os.close(2)) == Ended(2, "", "")


def test_a_closed_standard_input_ends_an_exploration(one_mount: Path) -> None:
    ended = run_apart("explore", one_mount, preexec_fn=lambda: os.close(0))
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize("columns", ["0", "00", "7"])
def test_help_ends_whatever_the_width(monkeypatch: pytest.MonkeyPatch, columns: str) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    ended = run_apart("trace", "show", "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "--format" in ended.out


def test_engine_c_needs_a_compiler(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert_refused(powercut("check", "--engine", "c"), "no C compiler", "--engine python")


def test_main_leaves_with_the_exit_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["check", "--engine", "pyton"])
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_a_folder_that_cannot_be_written(powercut: Runner, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    for verb in ("check", "exam"):
        ended = powercut(verb, "--save-traces", blocked / "traces")
        assert_refused(ended, "--save-traces", "file/traces")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
