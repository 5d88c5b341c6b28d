"""Files, extent trees, directories and orphans are read as ext4's own tools read them."""

import subprocess
from pathlib import Path

import pytest

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.e2fsprogs import FEATURES, find_tool, make_image, opinion
from powercut.checkers.kernel.errors import DamagedError
from powercut.checkers.kernel.model_image import as_recovered, recovered
from powercut.checkers.kernel.volume import Volume
from tests.kernel.images import MIB, needs_e2fsprogs, plain_image, volume_of

pytestmark = needs_e2fsprogs

NAMES = 300
FRAGMENTS = 400
"""More extents than four leaves of 1 KiB hold: a tree of two levels."""


def debugfs(path: Path, *commands: str) -> None:
    """Change an image by hand."""
    for command in commands:
        subprocess.run(
            [str(find_tool("debugfs")), "-w", "-R", command, str(path)],
            check=True,
            capture_output=True,
        )


@pytest.fixture(
    scope="module", params=[FEATURES, FEATURES.replace("64bit,", "")], ids=["64bit", "32bit"]
)
def populated(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An image of three groups with a fragmented file, many names and a folder."""
    folder = tmp_path_factory.mktemp("populated")
    source = folder / "source"
    (source / "deep" / "er").mkdir(parents=True)
    (source / "deep" / "er" / "leaf").write_bytes(b"leaf" * 1000)
    (source / "empty").touch()
    with (source / "fragments").open("wb") as file:
        for n in range(FRAGMENTS):
            file.seek(2 * n * 1024)
            file.write(bytes([n % 251 + 1]) * 1000)
    for n in range(NAMES):
        (source / f"name-{n:03}-{'x' * 20}").write_bytes(b"%d" % n)
    path = folder / "image"
    make_image(
        path, 20 * MIB, 1024, 1, "-O", f"none,{request.param}", "-N", "1000", "-d", str(source)
    )
    command = [str(find_tool("e2fsck")), "-fyD", str(path)]  # makes the directory a hash tree
    subprocess.run(command, check=False, capture_output=True)
    return path


def same_as_debugfs(path: Path, *names: str) -> Volume:
    """Compare some files with what debugfs says."""
    volume = volume_of(path.read_bytes())
    said = opinion(path.read_bytes(), names)
    assert said.complaints == ""
    for name in names:
        number = volume.lookup(name)
        assert number is not None
        assert recovered(volume, number) == as_recovered(said.files[name]), name
    return volume


def test_a_fragmented_file(populated: Path) -> None:
    volume = same_as_debugfs(populated, "fragments", "empty", "deep/er/leaf")
    number = volume.root["fragments"]
    depth = ext4.EXTENT_HEADER.unpack_from(volume.inode(number), ext4.Inode.block_offset)[3]
    assert depth == 2
    assert len(volume.extents(number)) == FRAGMENTS


def test_every_name_of_a_large_directory(populated: Path) -> None:
    volume = volume_of(populated.read_bytes())
    assert ext4.Inode.flags.get(volume.inode(ext4.ROOT_INODE)) & 0x1000, "no hash tree"
    names = {name for name in volume.root if name.startswith("name-")}
    assert len(names) == NAMES
    number = volume.root[f"name-123-{'x' * 20}"]
    assert volume.read(volume.file(number)) == b"123"
    assert {".", "..", "lost+found", "deep"} <= set(volume.root)


def test_paths(populated: Path) -> None:
    volume = volume_of(populated.read_bytes())
    leaf = volume.lookup("/deep/er/leaf")
    assert leaf is not None
    assert volume.is_regular(leaf)
    assert volume.lookup("/deep/nothing") is None
    assert volume.lookup("/empty/leaf") is None
    assert volume.lookup("/") == ext4.ROOT_INODE


def test_the_bitmap_of_a_later_group(populated: Path) -> None:
    volume = volume_of(populated.read_bytes())
    blocks = [e.physical + n for e in volume.extents(8) for n in range(e.length)]
    assert all(map(volume.is_allocated, blocks))
    assert not volume.is_allocated(volume.block_count - 1)


def test_metadata_checksums_do_not_matter(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "file").write_bytes(b"content" * 2000)
    path = tmp_path / "image"
    make_image(path, 20 * MIB, 4096, 4, "-O", f"none,{FEATURES},metadata_csum", "-d", str(source))
    same_as_debugfs(path, "file")


def test_the_orphan_file(tmp_path: Path) -> None:
    """Written by hand: the feature is younger than some tools that know the rest."""
    path = tmp_path / "image"
    make_image(path, 4 * MIB, 1024, 1)
    source = tmp_path / "source"
    source.write_bytes(b"o" * 3000)
    debugfs(path, f"write {source} orphan-file", f"write {source} cut", "sif cut size 500")
    volume = volume_of(path.read_bytes())
    holder, cut = volume.root["orphan-file"], volume.root["cut"]
    assert [e.length for e in volume.file(cut).extents] == [3]
    image = bytearray(path.read_bytes())
    for n, block in enumerate(range(3)):
        start = (volume.extents(holder)[0].physical + block) * 1024
        image[start : start + 1024] = bytes(1024)
        image[start + 1016 : start + 1020] = ext4.ORPHAN_BLOCK_MAGIC.to_bytes(4, "little")
        if n == 1:
            image[start + 40 : start + 44] = cut.to_bytes(4, "little")
    head = memoryview(image)[ext4.SUPERBLOCK_OFFSET :]
    ext4.Super.orphan_file_inode.put(head, holder)
    ext4.Super.ro_compat.put(head, ext4.Super.ro_compat.get(head) | ext4.RO_COMPAT_ORPHAN_PRESENT)
    volume = volume_of(bytes(image))
    assert volume.orphans == {cut}
    assert [e.length for e in volume.file(cut).extents] == [1]
    start = volume.extents(holder)[0].physical * 1024
    image[start + 1016] ^= 1
    with pytest.raises(DamagedError, match="the orphan file is damaged"):
        _ = volume_of(bytes(image)).orphans


def broken(offset: int, value: bytes) -> bytes:
    """An empty file system with some bytes changed."""
    image = bytearray(plain_image())
    image[offset : offset + len(value)] = value
    return bytes(image)


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(DamagedError, match="no ext4 superblock"):
        volume_of(bytes(8192))
    with pytest.raises(DamagedError, match="bigalloc"):
        volume_of(broken(1024 + 0x60, b"\xff"))
    volume = volume_of(plain_image())
    with pytest.raises(DamagedError, match="there is no inode 0"):
        volume.inode(0)
    with pytest.raises(DamagedError, match="there is no inode 100000"):
        volume.inode(100_000)
    with pytest.raises(DamagedError, match="no extents"):
        volume.file(7)


def test_a_damaged_tree_or_directory_is_refused() -> None:
    volume = volume_of(plain_image())
    directory = volume.extents(ext4.ROOT_INODE)[0].physical * 1024
    table = ext4.Group.inode_table.get(volume.descriptor(0)) * 1024
    root = table + (ext4.ROOT_INODE - 1) * 256 + ext4.Inode.block_offset
    with pytest.raises(DamagedError, match="a directory block is damaged"):
        _ = volume_of(broken(directory + 4, b"\3\0")).root
    with pytest.raises(DamagedError, match="inode 2 has a damaged extent tree"):
        _ = volume_of(broken(root, b"\0")).root
    with pytest.raises(DamagedError, match="inode 2 maps block 65535"):
        _ = volume_of(broken(root + 12 + 8, b"\xff\xff")).root


def test_an_endless_orphan_list_is_refused() -> None:
    image = bytearray(broken(1024 + ext4.Super.last_orphan.offset, b"\x0b"))
    table = ext4.Group.inode_table.get(volume_of(plain_image()).descriptor(0)) * 1024
    ext4.Inode.dtime.put(memoryview(image)[table + 10 * 256 :], 11)
    volume = volume_of(bytes(image))
    with pytest.raises(DamagedError, match="comes back to inode 11"):
        _ = volume.orphans
