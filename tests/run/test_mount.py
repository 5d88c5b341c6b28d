"""One mounted file system: pure steps, a native twin, and disks that stay what they are."""

import pytest

from powercut.checkers.crash.image import file_images
from powercut.checkers.engine.lockstep import lockstep
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.recovery import mkfs

STEPS = 400


def walked(mount: Mount) -> tuple[bytes, list[int]]:
    """Let threads that can run step in turn, for a while."""
    state = mount.start
    schedule: list[int] = []
    while (enabled := mount.enabled(state)) and len(schedule) < STEPS:
        schedule.append(enabled[len(schedule) % len(enabled)])
        state = mount.step(state, schedule[-1])
    return state, schedule


def mount_of(scope: str) -> Mount:
    return Mount.of(Question(DESIGNS["seed"], SCOPES[scope]))


@pytest.mark.parametrize("scope", ["append-fsync", "eof-two-mounts", "punch"])
def test_the_native_twin_goes_the_same_way(scope: str) -> None:
    mount = mount_of(scope)
    state, schedule = walked(mount)
    assert mount.disk == mkfs(mount.scope)
    assert lockstep(mount.system, mount.native(), schedule, mount.start) == state
    assert walked(mount) == (state, schedule), "the mount itself does not change"


@pytest.mark.parametrize("scope", ["append-fsync", "truncate-truncate", "punch"])
def test_a_next_disk_stays_what_it_is(scope: str) -> None:
    """Canonical is idempotent, and mounting a disk shows the same files as recovery gives."""
    mount = mount_of(scope)
    state, _ = walked(mount)
    crash = mount.crash(state)
    found = list(mount.next_disks(crash))
    assert [image for image, _ in found] == list(file_images(crash)) == list(mount.images(state))
    assert any(disk != mount.disk for _, disk in found)
    for _, disk in found:
        assert mount.next_disk(disk) == disk
        start = mount.start_from(disk)
        sizes = [size for size, _ in mount.read_files(start)]
        assert sizes == [inode.size for inode in disk.inodes]


def test_mounts_of_one_question_share_their_system() -> None:
    first, second = mount_of("append-fsync"), mount_of("append-fsync")
    assert first.system is second.system
    checked = Mount.of(Question(DESIGNS["seed"], SCOPES["append-fsync"]), checked=True)
    assert checked.system is not first.system
    assert checked.start == first.start
