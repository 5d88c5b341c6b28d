"""``powercut kernel log``: what a log shows, and one line for a log that shows nothing."""

import sys
from pathlib import Path

import pytest

from powercut.checkers.kernel import log_check, volume
from tests.cli.support import Runner, assert_refused, files_below
from tests.kernel.commits import Change, change, disk, returned
from tests.kernel.images import needs_e2fsprogs, volume_of
from tests.kernel.logs import Logged, write_log

pytestmark = needs_e2fsprogs

WORKLOAD = "file size=1\nmount\n  task write 2 2; fsync\n"


@pytest.fixture(scope="module")
def step() -> Change:
    """An append of one block."""
    return change(disk(2, "OOFF", used=0b1, blocks=1), disk(4, "OO11"))


class Case:
    """A folder with a base image, a workload and a log."""

    def __init__(self, folder: Path, step: Change) -> None:
        self.step = step
        self.base, self.log = folder / "base", folder / "log"
        self.base.write_bytes(step.base)
        self.workload = folder / "append.workload"
        self.workload.write_text(WORKLOAD)

    def logged(self, *entries: Logged) -> tuple[Path, Path]:
        """Write a log; return the two files that a command needs."""
        write_log(self.log, entries)
        return self.base, self.log

    @property
    def early_commit(self) -> tuple[Logged, ...]:
        """The data comes after the commit that needs it."""
        step = self.step
        return (*step.journal, Logged(flags=1), step.commit, *step.data)


@pytest.fixture
def case(tmp_path: Path, step: Change) -> Case:
    folder = tmp_path / "in"
    folder.mkdir()
    return Case(folder, step)


def test_a_good_log_holds(powercut: Runner, case: Case) -> None:
    files = case.logged(*case.step.in_order, returned(2))
    done = powercut("kernel", "log", *files, "--workload", case.workload, "--json")
    assert (done.code, done.err) == (0, "")
    assert done.document["verdict"] == "holds"
    assert done.document["states"] > 30
    assert done.document["judged_files"] == done.document["states"]


def test_what_was_not_tried_is_inconclusive(powercut: Runner, case: Case) -> None:
    files = case.logged(*case.step.in_order)
    done = powercut("kernel", "log", *files, "--subsets", "3")
    assert done.code == 3
    assert "inconclusive: a sample of the subsets at 1 places" in done.out
    assert powercut("kernel", "log", *files, "--torn").code == 3
    stopped = powercut("kernel", "log", *files, "--time-limit", "1e-9", "--json")
    assert stopped.code == 3
    assert stopped.document["stopped"] == "time limit of 1e-09 s"
    assert stopped.document["states"] == 1


def test_a_violation_is_shown_and_kept(powercut: Runner, case: Case, tmp_path: Path) -> None:
    files = case.logged(*case.early_commit)
    out = tmp_path / "out"
    done = powercut("kernel", "log", *files, "--workload", case.workload, "--save", out)
    assert done.code == 1
    assert "stale-data: file0: from byte 1024 on data of a previous owner" in done.out
    assert "O*1024 F*1024" in done.out
    (kept,) = out.iterdir()
    file = volume_of(kept.read_bytes()).root["file0"]
    assert volume_of(kept.read_bytes()).file(file).size_bytes == 2048


def test_violations_have_a_second_opinion(
    powercut: Runner, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = case.logged(*case.early_commit)
    done = powercut("kernel", "log", *files, "--workload", case.workload, "--json")
    assert done.document["second_opinions"] == done.document["violating_states"] > 0
    real = volume.Volume.read

    def wrong(self: volume.Volume, file: volume.File, limit_bytes: int = 1 << 20) -> bytes:
        return real(self, file, limit_bytes)[::-1]

    monkeypatch.setattr(volume.Volume, "read", wrong)
    done = powercut("kernel", "log", *files, "--workload", case.workload, "--json")
    assert done.code == 4
    assert "for debugfs" in done.err


def test_every_state_may_have_one(powercut: Runner, case: Case) -> None:
    files = case.logged(*case.step.data, *case.step.journal[:1])
    done = powercut("kernel", "log", *files, "--opinion-every", "2", "--json")
    assert done.code == 0
    assert done.document["second_opinions"] == done.document["states"] // 2 == 2


def test_a_command_judges(powercut: Runner, case: Case) -> None:
    """It sees the state before recovery, and any exit code but 0 is a violation."""
    files = case.logged(*case.step.data)
    at = case.step.data[0].offset_bytes
    program = f"import sys; f = open(sys.argv[1], 'rb'); f.seek({at}); sys.exit(f.read(1) == b'1')"
    command = f'{sys.executable} -c "{program}" {{image}}'
    done = powercut("kernel", "log", *files, "--check", command, "--json")
    assert done.code == 1
    assert (done.document["states"], done.document["violating_states"]) == (2, 1)
    assert [fault["text"] for fault in done.document["faults"]] == ["exit code 1: "]
    assert powercut("kernel", "log", *files, "--check", "true {image}").code == 0


def test_a_command_that_does_not_end(
    powercut: Runner, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_check, "_COMMAND_SECONDS", 0.05)
    done = powercut("kernel", "log", *case.logged(*case.step.data), "--check", "tail -f {image}")
    assert done.code == 1
    assert "did not end" in done.out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--check", "true"), ["--check", "{image}"]),
        (("--check", "true '{image}"), ["--check", "quot"]),
        (("--check", "no-such-command {image}"), ["no-such-command", "cannot be run"]),
        (("--subsets", "-1"), ["--subsets -1"]),
        (("--time-limit", "0"), ["--time-limit 0"]),
        (("--opinion-every", "-2"), ["--opinion-every -2"]),
        (("--workload", "nothing"), ["nothing", "No such file"]),
    ],
)
def test_bad_options(
    powercut: Runner, case: Case, options: tuple[str, ...], words: list[str]
) -> None:
    files = case.logged(*case.step.data)
    before = files_below(case.base.parent)
    assert_refused(powercut("kernel", "log", *files, *options), *words)
    assert files_below(case.base.parent) == before


def test_bad_files(powercut: Runner, case: Case, tmp_path: Path) -> None:
    base, log = case.logged(*case.step.in_order)
    nothing = tmp_path / "nothing"
    assert_refused(powercut("kernel", "log", nothing, log), "nothing", "image the log starts from")
    assert_refused(powercut("kernel", "log", log, log), "no ext4 superblock", "give an ext4 image")
    assert_refused(powercut("kernel", "log", base, base), "no dm-log-writes log")
    log.write_bytes(log.read_bytes()[:-100])
    assert_refused(powercut("kernel", "log", base, log), "the log is cut: entry 8 of 9")
    case.workload.write_text("file size=1\nmount\n  task unlink\n")
    files = case.logged(*case.step.data)
    ended = powercut("kernel", "log", *files, "--workload", case.workload)
    assert_refused(ended, "append.workload", "unlink cannot be judged")


def test_the_verb_needs_a_verb(powercut: Runner) -> None:
    assert_refused(powercut("kernel"), "no verb given; give one of conform, log")
    assert_refused(powercut("kernel", "lgo"), 'did you mean "log"?')
