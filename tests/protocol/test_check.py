"""What a check of a protocol of one's own finds, and how it shows that."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.outcome import Found, Outcome
from powercut.checkers.protocol.replay import replay
from powercut.errors import InternalError
from powercut.inputs.protocols import read_protocols
from tests.cli.support import ROOT, Runner, environment
from tests.engine.brute import explore, put
from tests.protocol.conftest import Declare

EXAMPLES = ROOT / "examples"
MUTUAL_EXCLUSION = EXAMPLES / "mutual_exclusion.py"
WRITE_AHEAD_LOG = EXAMPLES / "write_ahead_log.py"

needs_compiler = pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
ENGINES = ["python", pytest.param("c", marks=needs_compiler), "auto"]

PROPERTIES = {"deadlock", "livelock", "assertion"}


def only(document: dict[str, Any], name: str) -> dict[str, Any]:
    """The protocol called ``name``."""
    (found,) = (each for each in document["protocols"] if each["name"] == name)
    assert isinstance(found, dict)
    return found


def violated(protocol: dict[str, Any]) -> dict[str, int]:
    """What is violated, in how many steps."""
    return {each["property"]: len(each["steps"]) for each in protocol["violations"]}


@pytest.mark.parametrize("engine", ENGINES)
def test_mutual_exclusion(engine: str, powercut: Runner) -> None:
    ended = powercut("check", MUTUAL_EXCLUSION, "--engine", engine, "--json")
    assert (ended.code, ended.err) == (1, "")
    right = only(ended.document, "PETERSON")
    assert right["verdict"] == "holds"
    assert right["properties"].keys() == PROPERTIES | {"mutual-exclusion"}
    assert set(right["properties"].values()) == {"holds"}
    assert right["reached"] == {"both-want": True}
    assert violated(only(ended.document, "LOOK_FIRST")) == {"mutual-exclusion": 4}
    assert violated(only(ended.document, "ASK_FIRST")) == {"deadlock": 2}


def test_peterson_has_as_many_states_as_another_explorer_sees(powercut: Runner) -> None:
    def moves(state: Any) -> Any:
        wants, turn, threads = state
        for me, (at, turns) in enumerate(threads):
            if at == "done" or (at == "wait" and wants[1 - me] and turn != me):
                continue
            following = {"ask": "turn", "turn": "wait", "wait": "leave", "leave": "ask"}[at]
            left = turns - (at == "leave")
            after = put(threads, me, (following if left else "done", left))
            asked = put(wants, me, at != "leave") if at in ("ask", "leave") else wants
            yield asked, (1 - me if at == "turn" else turn), after

    states, transitions, _ = explore(((False, False), 0, (("ask", 2), ("ask", 2))), moves)
    found = only(powercut("check", MUTUAL_EXCLUSION, "--json").document, "PETERSON")
    assert (found["states"], found["transitions"]) == (states, transitions)


@pytest.mark.parametrize("engine", ENGINES)
def test_write_ahead_log(engine: str, powercut: Runner) -> None:
    ended = powercut("check", WRITE_AHEAD_LOG, "--engine", engine, "--json")
    assert (ended.code, ended.err) == (1, "")
    right = only(ended.document, "FLUSHED")
    assert set(right["properties"].values()) == {"holds"}
    assert right["properties"].keys() == PROPERTIES | {"atomic", "durable", "recovery"}
    assert right["reached"] == {"dirty-cache": True, "replied": True}
    assert violated(only(ended.document, "NO_FLUSH")) == {"atomic": 4}
    assert violated(only(ended.document, "HASTY")) == {"durable": 7}
    (torn,) = only(ended.document, "NO_FLUSH")["violations"]
    kept = {name: value for name, value in torn["power_cut"]["kept"].items() if value}
    assert kept == {"disk.log[2]": 1, "disk.home[0]": 1, "disk.home[1]": 1}
    assert [(c["variable"], c["after"]) for c in torn["power_cut"]["recovery"]] == [
        ("disk.home[0]", 0),
        ("disk.home[1]", 0),
    ]


def test_the_text_shows_every_step_of_a_violation(powercut: Runner) -> None:
    out = powercut("check", WRITE_AHEAD_LOG).out
    assert max(map(len, out.splitlines())) <= 100
    shown = out.split("NO_FLUSH, atomic: 4 steps, replayed natively\n")[1].split("\n\n")[0]
    steps, rest = shown.splitlines()[:4], shown.splitlines()[4:]
    assert [line.split()[1:3] for line in steps] == [
        ["transaction", "transaction()"],
        ["transaction", "transaction()"],
        ["transaction", "transaction()"],
        ["device2", "device()"],
    ]
    assert "write the commit record" in steps[2]
    assert steps[2].endswith("cached[2] 0→1")
    assert [line.split()[0] for line in rest] == ["***", "kept", "recovery", "atomic"]


def test_lines_of_steps_are_lines_of_the_file(powercut: Runner) -> None:
    text = WRITE_AHEAD_LOG.read_text(encoding="utf-8").splitlines()
    document = powercut("check", WRITE_AHEAD_LOG, "--json").document
    steps = [s for p in document["protocols"] for v in p["violations"] for s in v["steps"]]
    assert len(steps) == 11
    assert all(text[step["line"] - 1].endswith(f"# {step['label']}") for step in steps)


LIVELOCK = """
def wait(k: S, me: int) -> Path[None]:
    while k.n == 0:
        yield  # poll
P = Protocol(Program(S, (Thread('t', wait),)))
"""
ASSERTION = """
def claim(k: S, me: int) -> Path[None]:
    yield  # count
    k.n += 1
    yield  # look
    assert k.n == 1
P = Protocol(Program(S, (Thread('t', claim, 2),)))
"""
OUT_OF_RANGE = """
def count(k: S, me: int) -> Path[None]:
    while True:
        yield
        k.n += 1
P = Protocol(Program(S, (Thread('t', count),)))
"""
TOO_LARGE_A_LOCAL = """
def count(k: S, me: int) -> Path[None]:
    much = k.n + 200
    much = much + much
    yield
    yield
    k.n = much - 399
P = Protocol(Program(S, (Thread('t', count),)), setup=lambda k: None)
"""
WAIT_THAT_FAILS = """
class R(Struct):
    i: Byte
    a: Annotated[Array[Bit], Len(2)]
def wait(k: R, me: int) -> Path[None]:
    yield lambda: k.a[k.i]
def move(k: R, me: int) -> Path[None]:
    yield
    k.i = 2
P = Protocol(Program(R, (Thread('wait', wait), Thread('move', move))))
"""
FAILING_RECOVERY = """
def recover(k: S) -> None:
    assert not k.kept
P = Protocol(Program(S, (Thread('t', work),), projected="kept"), recover=recover)
"""
DAEMON = """
def wait(k: S, me: int) -> Path[None]:
    while True:
        yield lambda: k.n == 3
P = Protocol(Program(S, (Thread('t', wait, daemon=True),)))
"""


@pytest.mark.parametrize("engine", ENGINES[:2])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LIVELOCK, {"livelock": 1}),
        (ASSERTION, {"assertion": 3}),
        (OUT_OF_RANGE, {"assertion": 4}),
        (WAIT_THAT_FAILS, {"assertion": 2}),
        (FAILING_RECOVERY, {"recovery": 1}),
        (DAEMON, {}),
    ],
    ids=["livelock", "assertion", "range", "wait", "recovery", "daemon"],
)
def test_what_is_asked_of_every_protocol(
    text: str, expected: dict[str, int], engine: str, declare: Declare, powercut: Runner
) -> None:
    ended = powercut("check", declare(text), "--engine", engine, "--json")
    assert ended.code == bool(expected), ended
    assert violated(only(ended.document, "P")) == expected


@pytest.mark.parametrize("engine", ENGINES)
def test_a_guard_that_fails_hides_no_other_violation(
    engine: str, powercut: Runner, tmp_path: Path
) -> None:
    """The third process asks for the wish of process -1; the other two break the exclusion."""
    text = MUTUAL_EXCLUSION.read_text()
    assert text.count("look_first, 2") == 1
    path = tmp_path / "three.py"
    path.write_text(text.replace("look_first, 2", "look_first, 3"))
    ended = powercut("check", path, "--engine", engine, "--json")
    assert (ended.code, ended.err) == (1, "")
    found = violated(only(ended.document, "LOOK_FIRST"))
    assert found == {"mutual-exclusion": 4, "assertion": 1}


def test_a_violation_that_the_native_run_does_not_show_is_not_reported(powercut: Runner) -> None:
    closed = next(c for c in read_protocols(MUTUAL_EXCLUSION) if c.name == "LOOK_FIRST")
    start = closed.system.initial
    shown = replay(closed, Found("mutual-exclusion", start, (0, 1, 0, 1)))
    assert len(shown.steps) == 4
    for prop in ("mutual-exclusion", "deadlock", "livelock", "assertion"):
        with pytest.raises(InternalError, match=f"does not show {prop}"):
            replay(closed, Found(prop, start, (0, 1, 0)))


def test_an_invented_violation_is_a_bug_of_ours(
    monkeypatch: pytest.MonkeyPatch, powercut: Runner
) -> None:
    def invent(self: BreadthFirst) -> Outcome:
        return Outcome(found={"deadlock": Found("deadlock", self.system.initial, (0,))})

    monkeypatch.setattr(BreadthFirst, "run", invent)
    ended = powercut("check", MUTUAL_EXCLUSION, "--engine", "python")
    assert ended.code == 4
    assert "PETERSON: the native run does not show deadlock" in ended.err


def test_cut_short_is_inconclusive(powercut: Runner) -> None:
    ended = powercut("check", MUTUAL_EXCLUSION, "--max-states", "10", "--json")
    cut = only(ended.document, "PETERSON")
    assert (cut["verdict"], cut["exhaustive"]) == ("inconclusive", False)
    assert cut["stopped"] == "limit of 10 states reached"


def test_the_time_limit_is_that_of_the_command(declare: Declare, powercut: Runner) -> None:
    ended = powercut("check", declare(DAEMON), "--time-limit", "1e-9", "--json")
    assert ended.code == 3
    assert only(ended.document, "P")["stopped"] == "time limit of 1e-09 s reached"


def test_a_situation_that_is_never_reached_is_told(declare: Declare, powercut: Runner) -> None:
    text = "P = Protocol(Program(S, (Thread('t', work),)), situations={'high': never})\n"
    out = powercut("check", declare(text)).out
    assert "never seen  high: what needs it says little" in out


def test_sizes_start_and_the_same_protocol_twice(declare: Declare, powercut: Runner) -> None:
    text = """
class R(Struct):
    n: Annotated[int, Max("many")]
def up(k: R, me: int) -> Path[None]:
    yield
    k.n += 1
def three(k: R) -> int:
    return k.n == 3
def start(k: R) -> None:
    k.n = 1
    print("started")
P = Protocol(Program(R, (Thread('t', up, "threads"),)), (Property("few", "n is not 3", three),),
    dims={"threads": 2, "many": 3}, setup=start)
Q = P
"""
    ended = powercut("check", declare(text), "--json")
    assert ended.err == "started\n"  # what the file prints is no part of the document
    assert [each["name"] for each in ended.document["protocols"]] == ["P"]
    assert violated(only(ended.document, "P")) == {"few": 2}
    assert "threads = 2, many = 3" in only(ended.document, "P")["bound"]


def test_a_file_finds_what_stands_beside_it(declare: Declare, powercut: Runner) -> None:
    path = declare("from beside import P\n", head="")
    beside = path.with_name("beside.py")
    declare("P = Protocol(Program(S, (Thread('t', work),)))\n").rename(beside)
    path = declare("from beside import P\n", head="")
    ended = powercut("check", path)
    sys.modules.pop("beside")
    assert ended.code == 0, ended


SEAM = """
import sys
from powercut import cli
code = cli.run(["check", sys.argv[1]])
known = [name for name in sys.modules if name.startswith(("powercut.model.", "powercut.prop"))]
print(code, *known, file=sys.stderr)
"""


@pytest.mark.parametrize("path", [MUTUAL_EXCLUSION, WRITE_AHEAD_LOG], ids=lambda p: p.stem)
def test_nothing_of_ext4_is_loaded(path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", SEAM, str(path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=environment(),
    )
    assert run.stderr.split() == ["1", "powercut.model.language"]


def test_the_document_is_json(powercut: Runner) -> None:
    out = powercut("check", MUTUAL_EXCLUSION, "--json").out
    document = json.loads(out)
    assert document["schema"] == "powercut.check-protocol/1"
    assert document["exit_code"] == 1


def test_the_commands_of_the_page_do_what_it_says(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    page = (ROOT / "docs" / "own-protocol.md").read_text(encoding="utf-8")
    commands = [line.split()[2:] for line in page.splitlines() if line.startswith("$ powercut ")]
    assert len(commands) == 2
    for command in commands:
        ended = powercut(*command, "--engine", "python")
        assert ended.code == 1, command
        assert "replayed natively" in ended.out
