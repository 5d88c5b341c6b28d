"""What two places must agree on: naming twice changes nothing, mounting gives the disk back."""

import pytest

from powercut.checkers.crash.image import all_images, decode
from powercut.checkers.run.runner import make_system
from powercut.model.designs import DESIGNS
from powercut.model.recovery import canonical, mkfs, recover
from powercut.model.scopes import SCOPES


@pytest.mark.parametrize("name", ["append-fsync", "eof-two-mounts", "punch-other-file", "unlink"])
def test_naming_twice_changes_nothing(name: str) -> None:
    scope = SCOPES[name]
    named = canonical(mkfs(scope), scope.geometry)
    assert canonical(named, scope.geometry) == named


@pytest.mark.parametrize("name", ["append-fsync", "eof-two-mounts", "punch-other-file", "unlink"])
def test_a_crash_right_after_the_mount_finds_the_disk_that_was_mounted(name: str) -> None:
    scope = SCOPES[name]
    system = make_system(scope, 0, DESIGNS["seed"], None)
    layout = system.build.layout
    projection = bytes(system.shared(system.initial)[layout.projected])
    images = list(all_images(decode(layout, projection, scope.geometry)))
    found = {canonical(recover(image, scope.geometry), scope.geometry) for image in images}
    assert found == {canonical(mkfs(scope), scope.geometry)}
