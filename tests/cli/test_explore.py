"""``explore``: walks from a script, survivors, verdicts, mounts, mistakes, saved walks."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.run.replay import subject_of
from powercut.checkers.traces.codec import load_trace
from powercut.checkers.traces.format import Trace
from powercut.explore.commands import COMMANDS, execute, position
from powercut.explore.session import CommandError, Session
from tests.cli.support import Ended, Runner, assert_refused, files_below


class Script:
    """Writes a script and runs it."""

    def __init__(self, powercut: Runner, folder: Path) -> None:
        self.powercut = powercut
        self.file = folder / "commands.txt"

    def __call__(self, *argv: str | Path, commands: str) -> Ended:
        self.file.write_text(commands)
        return self.powercut("explore", *argv, "--script", self.file)


@pytest.fixture
def script(powercut: Runner, tmp_path: Path) -> Script:
    return Script(powercut, tmp_path)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def walk(trace: Trace) -> str:
    """Return the steps of a one-mount trace as commands."""
    return "".join(f"step {step.thread}\n" for step in trace.epochs[0].steps)


def survivors(trace: Trace) -> str:
    """Return the crash image of a one-mount trace as a command."""
    crash = trace.epochs[0].crash
    assert crash is not None
    kept = [f"{c}@p{n // 2}.{n % 2}" for n, c in enumerate(crash.cells) if c.startswith("write")]
    return f"crash keep {' '.join(kept)}\n"


def session_of(path: Path) -> Session:
    trace = load_trace(path)
    return Session(subject_of(trace), trace)


def test_walk_to_a_violation(script: Script, one_mount: Path) -> None:
    trace = load_trace(one_mount)
    commands = f"# by hand\nthreads\n{walk(trace)}\nimages\n{survivors(trace)}verdict\n"
    ended = script("--scope", "eof-truncate-up", commands=commands)
    assert (ended.code, ended.err) == (1, "")
    assert "stale-data           VIOLATED" in ended.out
    assert "<- STALE" in ended.out
    assert "! stale" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100


def test_the_other_survivors_are_harmless(script: Script, one_mount: Path) -> None:
    trace = load_trace(one_mount)
    ended = script("--scope", "eof-truncate-up", commands="crash all\ncrash old\n")
    assert ended.code == 0
    assert "no image that a power cut here can leave violates anything" in ended.out
    ended = script("--scope", "eof-truncate-up", commands=f"{walk(trace)}crash all\nverdict\n")
    assert ended.code == 0, "no survivors were chosen: nothing is wrong yet"
    assert "stale-data: inode 0: cell 1" in ended.out
    assert "stale-data           not decided      cut the power to see" in ended.out


def test_follow_a_trace_through_two_mounts(script: Script, two_mounts: Path) -> None:
    trace = load_trace(two_mounts)
    count = sum(len(epoch.steps) + 1 for epoch in trace.epochs) + 1
    ended = script(two_mounts, commands=f"next {count}\nshow\n")
    assert ended.code == 1
    assert "mounted again (mount 2)" in ended.out
    assert "stale-data           VIOLATED" in ended.out
    for pane in ("page cache", "extents", "journal", "device", "locks"):
        assert pane in ended.out


def test_back_and_goto(two_mounts: Path) -> None:
    session = session_of(two_mounts)
    seen = []
    trace = load_trace(two_mounts)
    total = sum(len(epoch.steps) + 1 for epoch in trace.epochs) + 1
    for _ in range(total):
        seen.append((position(session), session.state, session.image))
        execute(session, "next")
    assert session.violated() == "stale-data"
    with pytest.raises(CommandError, match="the trace ends here"):
        execute(session, "next")
    for before in reversed(seen):
        execute(session, "back")
        assert (position(session), session.state, session.image) == before
    with pytest.raises(CommandError, match="this is the beginning"):
        execute(session, "back")
    execute(session, "next 3")
    state = session.state
    execute(session, "goto 0")
    execute(session, "goto 3")
    assert session.state == state
    with pytest.raises(CommandError, match="not known"):
        execute(session, "goto 99")


def test_leaving_the_trace_is_noticed(one_mount: Path) -> None:
    session = session_of(one_mount)
    execute(session, "next")
    other = next(
        row.name
        for row in session.threads()
        if row.status == "can run" and row.name != load_trace(one_mount).epochs[0].steps[1].thread
    )
    execute(session, f"step {other}")
    with pytest.raises(CommandError, match="not the run of the trace"):
        execute(session, "next")
    execute(session, "back")
    execute(session, "next")


def test_every_pane_at_every_step(two_mounts: Path, live: Path) -> None:
    for path in (two_mounts, live):
        session = session_of(path)
        for _ in range(200):
            for command in ("threads", "show all", "crash", "crash all", "images", "verdict"):
                for line in execute(session, command):
                    assert len(line) <= 100, line
            try:
                execute(session, "next")
            except CommandError:
                break
        assert session.violated()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("setp task0", 'unknown command "setp"; did you mean "step"?'),
        ("xyzzy", 'unknown command "xyzzy"; "help" lists them'),
        ("s", "short for step and for show and for save"),
        ("step", '"step" takes 1 word'),
        ("step task0 task1", '"step" takes 1 word'),
        ("step nobody", "there are task0"),
        ("step 99", "there are task0"),
        ("step ²", "there are task0"),
        ("step kjournald", "kjournald has to wait; task0"),
        ("back", "this is the beginning"),
        ("back -1", "takes a number"),
        ("goto 5", "not known"),
        ("goto five", "takes a number"),
        ("next", "no trace to follow"),
        ("show device now", '"show" takes 0 to 1 words'),
        ("show devcie", 'did you mean "device"?'),
        ("crash keep", "needs what survives"),
        ("crash keep write2", "COLOUR@pBLOCK.CELL"),
        ("crash keep purple@p0.1", "no colour"),
        ("crash keep write1@p9.0", "there is no p9.0"),
        ("crash keep write1@p0.0", "cannot show write1"),
        ("crash some", "expected keep, new, old, all"),
        ("crash new old", '"crash" takes'),
        ("mount", "cut the power first"),
        ("save", '"save" takes'),
        ("save /nowhere/at/all.trace.json sizes", "cannot be written"),
        ("save x.trace.json honesty", "unknown property"),
        ("save x.trace.json stale-data", "cut the power"),
        ("quit now", "takes nothing"),
    ],
)
def test_a_mistake_ends_a_script(
    script: Script, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = script("--scope", "append-fsync", commands=f"# first\n\n{line}\nthreads\n")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert f"commands.txt:3: {words}" in ended.err or words in ended.err
    assert "commands.txt:3: " in ended.err
    assert "> threads" not in ended.out
    assert list(files_below(tmp_path)) == [str(script.file)]


def test_the_last_mount_is_the_last(script: Script) -> None:
    ended = script("--scope", "append-fsync", commands="crash new\nmount\n")
    assert ended.code == 2
    assert "the scope has 1 mount, this is the last" in ended.err


def test_a_saved_walk_replays(
    script: Script, powercut: Runner, one_mount: Path, tmp_path: Path
) -> None:
    trace = load_trace(one_mount)
    bad, good = tmp_path / "bad.trace.json", tmp_path / "good.trace.json"
    commands = (
        f"{walk(trace)}{survivors(trace)}save {bad}\nback\ncrash old\nsave {good} durability\n"
    )
    ended = script("--scope", "eof-truncate-up", commands=commands)
    assert ended.err == ""
    saved = load_trace(bad)
    assert (saved.verdict, saved.property) == ("violated", "stale-data")
    assert saved.epochs == trace.epochs
    assert load_trace(good).verdict == "holds"
    assert powercut("replay", bad, good, "--no-ladder").code == 0


def test_a_saved_walk_of_two_mounts_replays(
    script: Script, powercut: Runner, two_mounts: Path, tmp_path: Path
) -> None:
    saved = tmp_path / "saved.trace.json"
    steps = sum(len(epoch.steps) + 1 for epoch in load_trace(two_mounts).epochs) + 1
    ended = script(two_mounts, commands=f"next {steps}\nsave {saved}\n")
    assert (ended.code, ended.err) == (1, "")
    assert load_trace(saved).epochs == load_trace(two_mounts).epochs
    assert powercut("replay", saved, "--no-ladder").code == 0


def test_commands_from_standard_input(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("crash new\nquit\nnonsense\n"))
    ended = powercut("explore", "--scope", "append-fsync")
    assert (ended.code, ended.err) == (0, "")
    assert "> quit" in ended.out
    monkeypatch.setattr("sys.stdin", io.StringIO("nonsense\n"))
    ended = powercut("explore", "--scope", "append-fsync")
    assert ended.code == 2
    assert "standard input:1: unknown command" in ended.err


def test_the_document(powercut: Runner, one_mount: Path, tmp_path: Path) -> None:
    file = tmp_path / "commands"
    file.write_text("next 99\n")
    assert_refused(powercut("explore", one_mount, "--script", file, "--json"), "the trace ends")
    count = len(load_trace(one_mount).epochs[0].steps) + 1
    file.write_text(f"next {count}\n")
    document = powercut("explore", one_mount, "--script", file, "--json").document
    assert document["schema"] == "powercut.explore/1"
    assert (document["verdict"], document["exit_code"]) == ("violated", 1)
    assert document["properties"]["stale-data"] == "violated"
    assert document["properties"]["livelock"] == "inconclusive"
    assert len(document["schedule"]) == document["step"] == count - 1
    assert [entry["command"] for entry in document["commands"]] == [f"next {count}"]


def test_a_terminal_goes_on_after_a_mistake(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[Any] = ["nonsense", "", "crash new", KeyboardInterrupt, "threads", "quit"]

    def answer(_prompt: str) -> str:
        line = lines.pop(0)
        if line is KeyboardInterrupt:
            raise KeyboardInterrupt
        return str(line)

    monkeypatch.setattr("builtins.input", answer)
    monkeypatch.setattr("sys.stdin", Terminal())
    ended = powercut("explore", "--scope", "append-fsync")
    assert (ended.code, ended.err) == (0, "")
    assert "unknown command" in ended.out
    assert "kjournald" in ended.out
    assert lines == []


def test_a_last_folio_that_is_not_full(script: Script, tmp_path: Path) -> None:
    workload = tmp_path / "odd.workload"
    workload.write_text("geometry blocks=3 folio=2 phys=4\nmount\n  task write 4 2\n")
    ended = script("--workload", workload, commands="show\n")
    assert ended.code == 0, ended.err
    assert "block 2" in ended.out


def test_help_lists_every_command(script: Script) -> None:
    ended = script("--scope", "append-fsync", commands="help\n")
    for name in COMMANDS:
        assert f"  {name}" in ended.out


def test_inputs_that_do_not_go_together(powercut: Runner, one_mount: Path, tmp_path: Path) -> None:
    assert_refused(powercut("explore", one_mount, "--design", "seed"), "--design")
    assert_refused(powercut("explore", one_mount, "--script", tmp_path), "--script")
    missing = tmp_path / "missing"
    assert_refused(powercut("explore", one_mount, "--script", missing), "missing")
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe")
    assert_refused(powercut("explore", one_mount, "--script", binary), "UTF-8")
    document = json.loads(one_mount.read_text())
    document["property"] = "honesty"
    edited = tmp_path / "edited.trace.json"
    edited.write_text(json.dumps(document))
    assert_refused(powercut("explore", edited), "honesty")


def test_save_replaces_a_file_only_when_told(script: Script, one_mount: Path) -> None:
    saved = script.file.parent / "precious"
    saved.write_text("precious")
    commands = f"crash new\nsave {saved} durability"
    ended = script(one_mount, commands=f"{commands}\n")
    assert ended.code == 2
    assert "there is a file of that name" in ended.err
    assert saved.read_text() == "precious"
    assert script(one_mount, commands=f"{commands} over\n").err == ""
    assert load_trace(saved).property == "durability"
    assert sorted(files_below(script.file.parent)) == sorted(map(str, (script.file, saved)))


def test_save_over_a_link_that_leads_nowhere_makes_nothing(
    script: Script, one_mount: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to("elsewhere")
    ended = script(one_mount, commands=f"crash new\nsave {tmp_path / 'link'} durability\n")
    assert ended.code == 2
    assert not (tmp_path / "elsewhere").exists()
