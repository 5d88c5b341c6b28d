"""Small ext4 images for the tests, made once by mke2fs; e2fsck on copies of them."""

import subprocess
import tempfile
from functools import cache
from pathlib import Path

import pytest

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.e2fsprogs import find_tool, make_image, missing_tools
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Volume

MISSING = missing_tools()
needs_e2fsprogs = pytest.mark.skipif(
    bool(MISSING), reason=f"{', '.join(MISSING)} not installed (package e2fsprogs)"
)
MIB = 1 << 20


@cache
def plain_image(block_bytes: int = 1024, *more: str) -> bytes:
    """An empty file system with a clean journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image"
        size = 4 * MIB if block_bytes == 1024 else 16 * MIB
        make_image(path, size, block_bytes, 1 if block_bytes == 1024 else 4, *more)
        return path.read_bytes()


def volume_of(content: bytes) -> Volume:
    """The file system in an image, recovered in memory."""
    return Volume(Medium(BaseImage(content)))


def journal_blocks(content: bytes) -> list[int]:
    """The blocks of the journal."""
    volume = volume_of(content)
    return [e.physical + n for e in volume.extents(8) for n in range(e.length)]


def needing_recovery(content: bytes) -> bytearray:
    """A copy whose superblock asks for a replay."""
    image = bytearray(content)
    super_block = memoryview(image)[ext4.SUPERBLOCK_OFFSET :]
    incompat = ext4.Super.incompat.get(super_block)
    ext4.Super.incompat.put(super_block, incompat | ext4.INCOMPAT_RECOVER)
    return image


def replayed_by_e2fsck(content: bytes, folder: Path) -> bytes:
    """What e2fsck makes of an image when it replays the journal, and nothing else."""
    path = folder / "replayed"
    path.write_bytes(content)
    command = [str(find_tool("e2fsck")), "-fy", "-E", "journal_only", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done
    return path.read_bytes()
