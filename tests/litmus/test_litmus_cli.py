"""``powercut litmus``: exit codes, the JSON document, updates."""

from pathlib import Path

import pytest

from powercut.checkers.litmus import shipped_files
from powercut.checkers.run.question import Question
from powercut.checkers.run.result import RunResult
from powercut.checkers.run.runner import OnProgress, run_scope
from tests.cli.support import Runner, assert_refused
from tests.litmus.support import APPEND, written


@pytest.fixture
def powercut_run(capsys: pytest.CaptureFixture[str]) -> Runner:
    return Runner(capsys)


def test_exact_is_exit_code_0(powercut_run: Runner, tmp_path: Path) -> None:
    ended = powercut_run("litmus", written(tmp_path), "--jobs", "1")
    assert (ended.code, ended.err) == (0, "")
    assert "append  seed: exact  (3 outcomes, " in ended.out
    assert ended.out.endswith("2 of 2 exact, 1 file (exit code 0)\n")


def test_a_difference_is_exit_code_1(powercut_run: Runner, tmp_path: Path) -> None:
    path = written(tmp_path, APPEND.replace('=- size=2 "oo"', '=- size=2 "o."'))
    ended = powercut_run("litmus", path, "--design", "seed", "--jobs", "1", "--no-ladder")
    assert ended.code == 1
    assert 'not allowed, but shown:   1.2=- size=2 "oo"' in ended.out
    assert 'allowed, but never shown: 1.2=- size=2 "o."  (line 13)' in ended.out
    assert "power cut" not in ended.out


def test_a_bad_file_does_not_hide_the_others(powercut_run: Runner, tmp_path: Path) -> None:
    good = written(tmp_path)
    bad = written(tmp_path, "source x\nmount\n task wirte 1\n", "bad.litmus")
    ended = powercut_run("litmus", bad, good, "--jobs", "1")
    assert ended.code == 2
    assert len(ended.err.splitlines()) == 1
    assert f'{bad}:3:7: unknown operation "wirte"; expected write, ' in ended.err
    assert "append  seed: exact" in ended.out


def test_nothing_to_compare_with_is_bad_input(powercut_run: Runner, tmp_path: Path) -> None:
    path = written(tmp_path, APPEND.partition("allowed")[0])
    ended = powercut_run("litmus", path, "--jobs", "1")
    assert ended.code == 2
    assert 'no "allowed" set to compare with; `powercut litmus --update --design' in ended.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.litmus"], "nowhere.litmus:1:1: cannot be read"),
        (["--design", "sead"], 'unknown design "sead"; did you mean "seed"?'),
        (["--jobs", "0"], "--jobs: must be a whole number from 1 up"),
        (["--design"], "--design"),
    ],
)
def test_bad_usage(powercut_run: Runner, tmp_path: Path, words: list[str], message: str) -> None:
    ended = powercut_run("litmus", *words)
    if words == ["nowhere.litmus"]:
        assert (ended.code, len(ended.err.splitlines())) == (2, 1)
        assert message in ended.err
    else:
        assert_refused(ended, message)


def test_a_folder_without_litmus_files_is_refused(powercut_run: Runner, tmp_path: Path) -> None:
    assert_refused(powercut_run("litmus", tmp_path), "no *.litmus file in it")


def test_the_document(powercut_run: Runner, tmp_path: Path) -> None:
    path = written(tmp_path, APPEND.replace('=- size=2 "oo"', '=- size=2 "o."'))
    document = powercut_run("litmus", tmp_path, "--json", "--jobs", "1").document
    assert document["schema"] == "powercut.litmus/1"
    assert (document["verdict"], document["exit_code"]) == ("violated", 1)
    (file,) = document["files"]
    assert (file["file"], file["name"], file["error"]) == (str(path), "append", None)
    run = file["runs"][0]
    assert run["design"] == "seed"
    assert (run["verdict"], run["exhaustive"]) == ("different", True)
    assert run["extra"] == ['1.2=- size=2 "oo"']
    assert run["missing"] == ['1.2=- size=2 "o."']
    assert '1.2=0 size=4 "oo|AA"' in run["outcomes"]


def test_an_update_writes_the_set_and_shows_the_difference(
    powercut_run: Runner, tmp_path: Path
) -> None:
    path = written(tmp_path, APPEND.replace('=- size=2 "oo"', '=- size=2 "o."'))
    ended = powercut_run("litmus", path, "--update", "--jobs", "1")
    assert ended.code == 0
    assert '-  1.2=- size=2 "o."' in ended.out
    assert '+  1.2=- size=2 "oo"' in ended.out
    assert "# durable" in path.read_text(encoding="utf-8")
    assert powercut_run("litmus", path, "--jobs", "1").code == 0
    before = path.stat()
    assert powercut_run("litmus", path, "--update", "--jobs", "1").out == ""
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_update_keeps_the_line_ends(powercut_run: Runner, tmp_path: Path) -> None:
    text = APPEND.replace('=- size=2 "oo"', '=- size=2 "o."').replace("seed seed-gap-", "seed-gap-")
    plain, other = written(tmp_path, text), tmp_path / "other.litmus"
    other.write_bytes(text.replace("\n", "\r\n").encode())
    argv = ("--update", "--design", "seed-gap-ordered", "seed", "--jobs", "1")
    assert powercut_run("litmus", plain, other, *argv).code == 0
    assert plain.read_bytes() != text.encode()
    assert other.read_bytes() == plain.read_bytes().replace(b"\n", b"\r\n")
    assert powercut_run("litmus", other, "--jobs", "1").code == 0


def test_an_update_makes_sets_for_new_designs(powercut_run: Runner, tmp_path: Path) -> None:
    path = written(tmp_path, APPEND.partition("allowed")[0])
    ended = powercut_run("litmus", path, "--update", "--design", "seed", "--jobs", "1", "--json")
    assert ended.document["files"][0]["updated"] is True
    assert 'allowed seed\n  1.2=- size=2 "oo"\n' in path.read_text(encoding="utf-8")


@pytest.mark.exhaustive
def test_two_processes_say_the_same(powercut_run: Runner, tmp_path: Path) -> None:
    written(tmp_path)
    one = powercut_run("litmus", tmp_path, "--jobs", "1")
    two = powercut_run("litmus", tmp_path, "--jobs", "2")
    assert (one.code, one.out) == (two.code, two.out)


def test_the_shipped_files_are_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    from powercut.verbs import litmus

    assert litmus.litmus_paths(()) == shipped_files()
    assert len(shipped_files()) >= 10


def test_a_fault_of_powercut_is_exit_code_4_and_keeps_the_other_runs(
    powercut_run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from powercut.execute import job as jobs

    def broken(question: Question, on_progress: OnProgress) -> RunResult:
        if question.design.name == "seed":
            raise RuntimeError("planted")
        return run_scope(question, on_progress)

    monkeypatch.setattr(jobs, "run_scope", broken)
    ended = powercut_run("litmus", written(tmp_path), "--jobs", "1")
    assert ended.code == 4
    assert "powercut: internal error: seed append: RuntimeError: planted" in ended.err
    assert "append  seed-gap-ordered: exact" in ended.out
