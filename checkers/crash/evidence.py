"""A crash image that shows what is wrong, and a line that says it."""

from powercut.checkers.crash.image import image_with
from powercut.model.recovery import Disk
from powercut.model.state import WRITTEN
from powercut.properties.crash import Finding
from powercut.properties.crash_state import CrashState

COLOUR_NAMES = {
    1: "zero",
    2: "a previous owner's data",
    4: "data from behind EOF",
    8: "old data",
    16: "data of write 1",
    32: "data of write 2",
    64: "data of write 3",
    128: "data of write 4",
}


def evidence_image(state: CrashState, finding: Finding) -> Disk:
    """Return a crash image that shows ``finding``."""
    if finding.cell < 0:
        return image_with(state, ())
    per_block = state.geometry.cells_per_block
    kind, pblk = state.inodes[finding.inode].extents[finding.cell // per_block]
    if kind != WRITTEN:
        return image_with(state, ())
    return image_with(state, ((pblk * per_block + finding.cell % per_block, finding.colour),))


def describe_finding(finding: Finding) -> str:
    """Say in one line what is wrong and where."""
    if finding.text:
        return f"inode {finding.inode}: {finding.text}"
    return f"inode {finding.inode}: cell {finding.cell} shows {COLOUR_NAMES[finding.colour]}"
