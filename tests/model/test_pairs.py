"""What two places must agree on: naming twice changes nothing, mounting gives the disk back."""

import pytest

from powercut.checkers.crash.image import all_images
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS
from powercut.model.recovery import canonical, mkfs, recover


@pytest.mark.parametrize("name", ["append-fsync", "eof-two-mounts", "punch-other-file", "unlink"])
def test_naming_twice_changes_nothing(name: str) -> None:
    scope = SCOPES[name]
    named = canonical(mkfs(scope), scope.geometry)
    assert canonical(named, scope.geometry) == named


@pytest.mark.parametrize("name", ["append-fsync", "eof-two-mounts", "punch-other-file", "unlink"])
def test_a_crash_right_after_the_mount_finds_the_disk_that_was_mounted(name: str) -> None:
    scope = SCOPES[name]
    mount = Mount.of(Question(DESIGNS["seed"], scope))
    images = list(all_images(mount.crash(mount.start)))
    found = {canonical(recover(image, scope.geometry), scope.geometry) for image in images}
    assert found == {canonical(mkfs(scope), scope.geometry)}
