"""``powercut kernel conform`` with a machine that boots nothing: what is outside is noticed."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from powercut.checkers.kernel import conform
from powercut.checkers.kernel.guest.machine import End
from powercut.checkers.kernel.rounds import Situation, base_image, batches_of
from powercut.checkers.litmus import Litmus, load_litmus
from powercut.checkers.run.observation import Outcome
from powercut.model.recovery import Disk, DiskInode
from powercut.model.state import HOLE, WRITTEN
from tests.cli.support import Ended, Runner, assert_refused
from tests.kernel.images import needs_e2fsprogs
from tests.kernel.logs import Logged
from tests.kernel.machines import BZIMAGE, FLUSHED, Entries, FakeMachine, mark, writes

pytestmark = needs_e2fsprogs

ROUNDS = 2
LITMUS = """name cut
summary a sync makes the new size durable
source an example
file size=2
mount
  task truncate 1; fsync
observe file fsync
"""
LIVE = LITMUS.replace("observe", "  crash none\nobserve").replace("name cut", "name cut-live")


@pytest.fixture
def litmus(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "cut.litmus"
    path.parent.mkdir()
    path.write_text(LITMUS)
    return path


def changed(path: Path, inode: DiskInode, cells: tuple[int, ...]) -> Entries:
    """A kernel that makes this of all files, flushes it and returns from both calls."""
    situation = conform.asked_of(load_litmus(path), "bh-ordered").situation
    rest = situation.disk.cells[len(cells) :]
    disk = Disk((inode,), situation.disk.bitmap, (*cells, *rest))
    other = dataclasses.replace(situation, disk=disk)
    after = base_image(batches_of([other], ROUNDS), other.block_bytes)

    def entries(base: bytes, rounds: range) -> list[Logged]:
        data, metadata = writes(base, after, 4096)
        done = [mark(n, 0, call) for n in rounds for call in (1, 2)]
        return [*data, FLUSHED, *metadata, FLUSHED, *done]

    return entries


def cut(path: Path) -> Entries:
    """The file is cut to one cell, as it should be."""
    return changed(path, DiskInode(1, False, ((WRITTEN, 0), (HOLE, 0))), (8, 1))


def uncut(path: Path) -> Entries:
    """The sync has returned, and the file is as long as it was."""
    return changed(path, DiskInode(2, False, ((WRITTEN, 0), (HOLE, 0))), (8, 1))


Run = Callable[..., Ended]


@pytest.fixture
def run(powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Ask a machine."""
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(BZIMAGE)
    monkeypatch.setattr("powercut.verbs.kernel.conform.missing_machine", lambda: "")

    def call(machine: FakeMachine, *more: str | Path) -> Ended:
        monkeypatch.setattr("powercut.verbs.kernel.conform.Machine", lambda: machine)
        usual = ("--rounds", str(ROUNDS)) if "--rounds" not in more else ()
        return powercut("kernel", "conform", "--kernel", kernel, *usual, *more)

    return call


def test_what_is_in_the_set_conforms(run: Run, litmus: Path) -> None:
    done = run(FakeMachine([cut(litmus)]), litmus, "--json")
    assert (done.code, done.err) == (0, "")
    document = done.document
    (file,) = document["files"]
    assert (document["verdict"], document["asked"]) == ("conforms", 1)
    assert (file["allowed"], file["seen"], file["outside"]) == (4, 4, [])
    assert document["states"] > 3
    assert file["looks"] >= document["states"]


def test_what_is_outside_is_named_and_kept(run: Run, litmus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(FakeMachine([uncut(litmus)]), litmus, "--save", out)
    assert done.code == 1
    assert 'outside: 1.2=0 size=2 "o." (round ' in done.out
    assert {path.name for path in out.iterdir()} == {
        "boot-1-base.img.gz",
        "boot-1-disk.log.gz",
        "boot-1-console.txt",
    }


def test_an_outcome_that_the_model_lost_is_noticed(
    run: Run, litmus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked_of = conform.asked_of
    lost = Outcome(((1, "o"),), (("1.2", "0"),))

    def without(test: Litmus, design: str) -> conform.Asked:
        asked = asked_of(test, design)
        assert lost in asked.allowed
        return dataclasses.replace(asked, allowed=asked.allowed - {lost})

    monkeypatch.setattr("powercut.verbs.kernel.conform.asked_of", without)
    done = run(FakeMachine([cut(litmus)]), litmus)
    assert done.code == 1
    assert 'outside: 1.2=0 size=1 "o"' in done.out


def test_what_a_read_shows_is_looked_at_without_a_power_cut(run: Run, litmus: Path) -> None:
    entries = uncut(litmus)
    litmus.write_text(LIVE)
    done = run(FakeMachine([entries]), litmus)
    assert done.code == 1
    assert 'outside: 1.2=0 size=2 "oo" (round 0, by a read)' in done.out


def test_a_state_that_nobody_can_mount_is_outside(run: Run, litmus: Path) -> None:
    def entries(base: bytes, rounds: range) -> list[Logged]:
        return [Logged(0, bytes(4096)), FLUSHED]

    done = run(FakeMachine([entries]), litmus)
    assert done.code == 1
    assert "1 states cannot be recovered" in done.out


def test_a_guest_that_dies_is_inconclusive(run: Run, litmus: Path, tmp_path: Path) -> None:
    done = run(FakeMachine([cut(litmus)], end=End.PANIC), litmus, "--save", tmp_path / "out")
    assert done.code == 3
    assert "the guest did not finish" in done.out
    assert (tmp_path / "out" / "console.txt").exists()


def test_a_time_limit_is_inconclusive(run: Run, litmus: Path) -> None:
    done = run(FakeMachine([cut(litmus)]), litmus, "--time-limit", "1e-9")
    assert done.code == 3
    assert "time limit of 1e-09 s" in done.out


def test_letters_of_nobody_had_another_owner(run: Run, litmus: Path) -> None:
    entries = changed(litmus, DiskInode(1, False, ((WRITTEN, 0), (HOLE, 0))), (32, 1))
    done = run(FakeMachine([entries]), litmus)
    assert 'size=1 "x"' in done.out


def test_what_no_kernel_can_be_asked(run: Run, litmus: Path) -> None:
    litmus.write_text(LITMUS.replace("mount", "errors 1\nmount"))
    assert_refused(run(FakeMachine([]), litmus), "can be asked none")
    litmus.write_text(LITMUS.replace("observe", "mount\n  task fsync\nobserve"))
    assert_refused(run(FakeMachine([]), litmus), "can be asked none")
    assert_refused(run(FakeMachine([]), litmus, "--rounds", "65"), "--rounds", "64")
    assert_refused(run(FakeMachine([]), litmus, "--design", "bh-orderd"), "bh-ordered")
    litmus.write_text("name\n")
    assert_refused(run(FakeMachine([]), litmus), str(litmus))


def test_tests_that_differ_in_disk_or_options_do_not_share_a_boot(litmus: Path) -> None:
    plain = conform.asked_of(load_litmus(litmus), "bh-ordered")
    litmus.write_text(LITMUS.replace("mount\n", "nodelalloc\nmount\n", 1))
    other = conform.asked_of(load_litmus(litmus), "bh-ordered")
    groups = conform.groups_of([plain, other, plain, plain], 2)
    assert groups == [[plain, plain], [plain], [other]]
    assert isinstance(plain.situation, Situation)
