"""``powercut kernel run`` with a machine that boots nothing: rates, control, evidence, refusals."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

from powercut.checkers.kernel.guest.machine import End
from powercut.checkers.kernel.rounds import Situation, base_image, batches_of
from powercut.checkers.workload import load_workload
from powercut.errors import InputError
from powercut.model.recovery import Disk, DiskInode
from powercut.model.state import WRITTEN
from powercut.properties.findings.loader import shipped
from powercut.verbs.kernel.run import situation_of_finding
from tests.cli.support import Ended, Runner, assert_refused
from tests.kernel.images import needs_e2fsprogs, volume_of
from tests.kernel.logs import Logged
from tests.kernel.machines import BZIMAGE, FLUSHED, Entries, FakeMachine, mark, writes

pytestmark = needs_e2fsprogs

WORKLOAD = "file size=2 blocks=written@0,unwritten@1\nmount\n  task write 2 2; fsync\n"
ROUNDS = 3
_LETTERS = {"O": 8, "1": 16, "F": 2}


@pytest.fixture
def workload(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "append.workload"
    path.parent.mkdir()
    path.write_text(WORKLOAD)
    return path


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    path = tmp_path / "vmlinuz"
    path.write_bytes(BZIMAGE)
    return path


def appended(workload: Path) -> bytes:
    """The disk when all rounds have appended their block."""
    situation = Situation.of_scope(load_workload(workload))
    inode = DiskInode(4, False, ((WRITTEN, 0), (WRITTEN, 1)))
    cells = tuple(_LETTERS[letter] for letter in "OO11FF")
    disk = Disk((inode,), 0b11, cells)
    after = dataclasses.replace(situation, disk=disk)
    return base_image(batches_of([after], ROUNDS), after.block_bytes)


def late_data(workload: Path) -> Entries:
    """Data that comes after the size: what fsync promised is there only at its return."""
    after = appended(workload)

    def entries(base: bytes, rounds: range) -> list[Logged]:
        data, metadata = writes(base, after, 4096)
        done = [mark(n, 0, call) for n in rounds for call in (1, 2)]
        return [*metadata, FLUSHED, *data, FLUSHED, *done]

    return entries


def in_order(workload: Path) -> Entries:
    """Data before size: no crash state is wrong."""
    after = appended(workload)

    def entries(base: bytes, rounds: range) -> list[Logged]:
        data, metadata = writes(base, after, 4096)
        return [*data, FLUSHED, *metadata, FLUSHED, *(mark(n, 0, 1) for n in rounds)]

    return entries


Run = Callable[..., Ended]


@pytest.fixture
def run(
    powercut: Runner, workload: Path, kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Ended]:
    """Run the workload on a machine."""
    monkeypatch.setattr("powercut.verbs.kernel.run.missing_machine", lambda: "")

    def call(machine: FakeMachine, *more: str | Path) -> Ended:
        monkeypatch.setattr("powercut.verbs.kernel.run.Machine", lambda: machine)
        usual: dict[str, str | Path] = {
            "--kernel": kernel,
            "--workload": workload,
            "--rounds": str(ROUNDS),
        }
        given: list[str | Path] = []
        for option, value in usual.items():
            given += [] if option in more else [option, value]
        return powercut("kernel", "run", *given, *more)

    return call


def test_what_violates_is_counted_and_kept(run: Run, workload: Path, tmp_path: Path) -> None:
    machine = FakeMachine([late_data(workload), in_order(workload)])
    out = tmp_path / "out"
    done = run(machine, "--save", out, "--json")
    assert (done.code, done.err) == (1, "")
    trial, control = done.document["trial"], done.document["control"]
    (fault,) = trial["faults"]
    assert (fault["property"], fault["violating_rounds"]) == ("stale-data", ROUNDS)
    assert fault["text"].startswith("from byte 4096 on data of a previous owner")
    assert [row["violating"] for row in fault["by_help"]] == [1] * ROUNDS
    assert 0 < trial["violating_states"] < trial["states"]
    assert trial["second_opinions"] > 0
    assert trial["mounted"] > 0
    assert (control["program"], control["violating_states"]) == ("write 2 2", 0)
    assert control["faults"] == []
    assert sorted(path.name.rstrip("0123456789") for path in out.iterdir())[-3:] == [
        "before-1.img.gz",
        "console.txt",
        "disk.log.gz",
    ]


def test_what_is_not_seen_is_inconclusive(run: Run, workload: Path) -> None:
    done = run(FakeMachine([in_order(workload)]), "--no-control")
    assert done.code == 3
    assert "inconclusive: not seen in" in done.out
    assert "holds" not in done.out


def test_a_mount_that_shows_something_else_is_our_error(run: Run, workload: Path) -> None:
    done = run(FakeMachine([late_data(workload)], lie="Z"))
    assert done.code == 4
    assert "the kernel's mount shows 8192 bytes ZOO" in done.err


def test_a_guest_that_dies_is_inconclusive_and_its_words_are_kept(
    run: Run, workload: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(FakeMachine([in_order(workload)], end=End.DIED), "--save", out)
    assert done.code == 3
    assert "the guest did not finish: the machine ended by itself" in done.out
    assert "powercut: mounted" in (out / "console.txt").read_text()


def test_the_guest_is_told_calls_helpers_and_options(run: Run, workload: Path) -> None:
    machine = FakeMachine([in_order(workload)])
    run(machine, "--no-control", "--mount-options", "commit=1", "--helpers", "s pw", "--seed", "7")
    told = f"op fsync 0 0 0 -\nrounds 0 {ROUNDS} s pw\n"
    head = "seed 7\nmarks 33554432\nmount commit=1\ntask\nop write 0 4096 4096 1\n"
    assert machine.scripts == [head + told]


def test_calls_that_failed_are_said(run: Run, workload: Path) -> None:
    def entries(base: bytes, rounds: range) -> list[Logged]:
        return [mark(n, 0, 1, 28) for n in rounds]

    done = run(FakeMachine([entries]), "--no-control")
    assert f"{ROUNDS} calls failed" in done.out


RACY = "file size=1 dirty-tail\nmount\n  task write 2 1; zero_range 0 4\n"


def nothing(base: bytes, rounds: range) -> list[Logged]:
    """A kernel whose calls return and write nothing."""
    return [mark(n, 0, call) for n in rounds for call in (1, 2)]


def test_a_steered_run_says_where_and_how_often(run: Run, workload: Path) -> None:
    workload.write_text(RACY)
    told = tuple(f"round {n} came to hold {n % 2}" for n in range(ROUNDS))
    machine = FakeMachine([nothing], told=told)
    done = run(machine, "--steer", "--no-control", "--json")
    document = done.document
    assert document["schedule"] == ["hold truncate_inode_pages_range return task0", "arm 0 1"]
    assert document["trial"]["followed_rounds"] == ROUNDS // 2
    assert "hold truncate_inode_pages_range return task0\narm 0 1\n" in machine.scripts[0]
    assert machine.scripts[0].endswith(f"rounds 0 {ROUNDS} -\n")
    shown = run(FakeMachine([nothing], told=told), "--steer")
    assert f"all holds were reached in {ROUNDS // 2} of {ROUNDS} rounds" in shown.out
    assert "by what helped" not in shown.out


def test_a_control_with_other_calls_is_not_steered(run: Run, workload: Path) -> None:
    workload.write_text(RACY)
    machine = FakeMachine([nothing])
    run(machine, "--steer")
    steered, control = machine.scripts
    assert "arm 0 1" in steered
    assert "arm" not in control
    assert "op zero_range" not in control


def test_a_kernel_that_cannot_be_steered(run: Run, workload: Path) -> None:
    workload.write_text(RACY)
    machine = FakeMachine([nothing], told=("no hold at f: Operation not permitted",))
    assert_refused(run(machine, "--steer"), "no hold at f", "cannot be steered")
    workload.write_text(WORKLOAD)
    assert_refused(run(FakeMachine([]), "--steer"), "shows nothing to steer to")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (("--rounds", "0"), ("--rounds",)),
        (("--rounds", "601"), ("--rounds", "600")),
        (("--subsets", "-1"), ("--subsets",)),
        (("--time-limit", "nan"), ("--time-limit",)),
        (("--finding", "zero-range-tail"), ("--finding", "--litmus")),
    ],
)
def test_what_cannot_be_run_is_refused(
    run: Run, workload: Path, more: tuple[str, ...], words: tuple[str, ...]
) -> None:
    assert_refused(run(FakeMachine([]), *more), *words)


def test_files_that_do_not_fit_are_refused(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("powercut.checkers.kernel.rounds.DISK_MIB", 6)
    assert_refused(run(FakeMachine([]), "--rounds", "600"), "fewer rounds")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("file size=2\nmount\n  task fsync\nmount\n  task fsync\n", ("2 mounts", "trace")),
        ("file size=2\nerrors 1\nmount\n  task fsync\n", ("bio that fails",)),
        ("file size=2\nmount\n  task write 0 1\n  task write 1 1\n", ("several tasks",)),
    ],
)
def test_programs_that_no_guest_runs(
    run: Run, workload: Path, text: str, words: tuple[str, ...]
) -> None:
    workload.write_text(text)
    assert_refused(run(FakeMachine([])), *words)


def test_a_kernel_and_a_program_are_needed(
    powercut: Runner, kernel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = ("--finding", "zero-range-tail")
    assert_refused(powercut("kernel", "run", *finding), "--kernel")
    assert_refused(powercut("kernel", "run", "--kernel", kernel), "--finding")
    done = powercut("kernel", "run", "--kernel", kernel, "--finding", "zero-range-tial")
    assert_refused(done, "zero-range-tail")
    monkeypatch.setattr("powercut.verbs.kernel.run.missing_machine", lambda: "no QEMU; install it")
    assert_refused(powercut("kernel", "run", "--kernel", kernel, *finding), "no QEMU")
    monkeypatch.setattr("powercut.verbs.kernel.run.missing_machine", lambda: "")
    nowhere = tmp_path / "nowhere"
    assert_refused(powercut("kernel", "run", "--kernel", nowhere, *finding), str(nowhere))


def test_findings_of_released_kernels_have_a_situation_or_a_reason() -> None:
    ready, reasons = [], {}
    for finding in shipped():
        try:
            ready.append(situation_of_finding(finding).name)
        except ValueError as error:
            reasons[finding] = str(error)
    assert len(ready) > 4
    assert "not a finding on a path that a released kernel has" in str(reasons)
    with pytest.raises(InputError):
        situation_of_finding("nothing")


def test_rounds_start_from_the_model_s_files(workload: Path) -> None:
    situation = Situation.of_scope(load_workload(workload))
    image = base_image(batches_of([situation], 2), situation.block_bytes)
    volume = volume_of(image)
    assert {"file0", "file0.1"} <= volume.root.keys()
    for name in ("file0", "file0.1"):
        file = volume.file(volume.root[name])
        assert volume.read(file) == b"O" * 4096
    free = [n for n in range(volume.block_count) if not volume.is_allocated(n)]
    assert {volume.block(n)[:1] for n in free[5:200]} == {b"F"}
