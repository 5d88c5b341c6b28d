"""A crash state of the model is a real image, in which everybody finds the same files."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from powercut.checkers.kernel import ext4_writer, model_image, volume
from powercut.checkers.kernel.e2fsprogs import opinion
from powercut.checkers.kernel.errors import DisagreementError
from powercut.checkers.kernel.model_image import (
    ModelImage,
    agreement,
    structural_faults,
    usual_block_bytes,
    write_image,
)
from powercut.checkers.traces.codec import load_trace, scope_of
from powercut.checkers.traces.format import disk_of
from powercut.model.recovery import Disk, DiskInode
from powercut.model.scope import Geometry
from powercut.model.state import FOREIGN, HOLE, OLD, POLLUTION, UNWRITTEN, WRITTEN, ZERO
from tests.kernel.images import needs_e2fsprogs
from tests.traces.corpus import ENDING, FOLDER

FILES = sorted(FOLDER.glob(f"*{ENDING}"))
TWO_FILES = Geometry(nr_blocks=3, nr_phys=6, nr_inodes=2)
DELETED = DiskInode(2, True, ((WRITTEN, 4), (HOLE, 0), (HOLE, 0)), deleted=True)
CUT = DiskInode(1, True, ((WRITTEN, 2), (UNWRITTEN, 0), (WRITTEN, 1)))
CELLS = (OLD, POLLUTION, FOREIGN, ZERO, OLD, OLD, 16, 32, 64, 128, ZERO, FOREIGN)
CRASHED = Disk((CUT, DELETED), 0b010111, CELLS)

pytestmark = needs_e2fsprogs


def crash_images(path: Path) -> Iterator[tuple[Disk, Geometry]]:
    """The crash states of a trace."""
    trace = load_trace(path)
    geometry = scope_of(trace).geometry
    for epoch in trace.epochs:
        if epoch.crash is not None:
            yield disk_of(epoch.crash, geometry), geometry


def drawn_disks(count: int) -> Iterator[tuple[Disk, Geometry]]:
    """Crash states of any form: a block has one owner, the bitmap knows, the rest is chance."""
    draw = random.Random(1)
    for _ in range(count):
        per_block = draw.choice((1, 2, 4))
        files = draw.randint(1, 2)
        geometry = Geometry(draw.randint(1, 8 // files), per_block, nr_phys=8, nr_inodes=files)
        free = list(range(geometry.nr_phys))
        draw.shuffle(free)
        inodes = []
        for _ in range(geometry.nr_inodes):
            size = draw.randint(0, geometry.nr_blocks * per_block)
            states = [draw.choice((HOLE, UNWRITTEN, WRITTEN)) for _ in range(geometry.nr_blocks)]
            extents = tuple((s, free.pop() if s != HOLE else 0) for s in states)
            deleted = draw.random() < 0.2
            inodes.append(DiskInode(size, deleted or draw.random() < 0.4, extents, deleted))
        bitmap = (1 << geometry.nr_phys) - 1 & ~sum(1 << block for block in free)
        cells = tuple(1 << draw.randrange(8) for _ in range(geometry.nr_phys * per_block))
        yield Disk(tuple(inodes), bitmap, cells), geometry


@pytest.mark.parametrize("in_journal", [False, True], ids=["clean", "committed"])
@pytest.mark.parametrize("block_bytes", [1024, 2048, 4096])
def test_everybody_finds_the_same_files(block_bytes: int, in_journal: bool) -> None:
    image = write_image(CRASHED, TWO_FILES, block_bytes, in_journal=in_journal)
    files = agreement(image)
    cell = block_bytes // 2
    assert structural_faults(image) == []
    assert files["file1"] is None
    assert files["file0"] is not None
    assert files["file0"].content == b"O" * cell
    assert [logical for logical, _ in files["file0"].blocks] == [0]


@pytest.mark.parametrize("in_journal", [False, True], ids=["clean", "committed"])
@pytest.mark.parametrize("is_orphan", [False, True], ids=["file", "orphan"])
def test_more_extents_than_an_inode_holds(is_orphan: bool, in_journal: bool) -> None:
    """They go into a leaf block of their own, which a truncate of the orphan may free."""
    geometry = Geometry(nr_blocks=6, nr_phys=8)
    states = [WRITTEN, UNWRITTEN] * 3
    extents = tuple((state, block) for state, block in zip(states, (7, 5, 3, 1, 0, 2), strict=True))
    bitmap = 0b10101111
    crashed = Disk((DiskInode(12 - 8 * is_orphan, is_orphan, extents),), bitmap, CELLS + CELLS[:4])
    files = agreement(write_image(crashed, geometry, 1024, in_journal=in_journal))
    assert files["file0"] is not None
    assert len(files["file0"].blocks) == (2 if is_orphan else 6)


def test_an_image_is_the_same_whenever_it_is_made() -> None:
    first = write_image(CRASHED, TWO_FILES, 1024).content
    model_image._template.cache_clear()
    assert write_image(CRASHED, TWO_FILES, 1024).content == first


SOME = [path for path in FILES if path.name.startswith(("bh-ordered-cut-twice", "seed-unlink"))]


def agree_on(path: Path) -> int:
    """Write every crash state of a trace, in both forms, and return their number."""
    count = 0
    for disk, geometry in crash_images(path):
        for in_journal in (False, True):
            block_bytes = usual_block_bytes(geometry)
            agreement(write_image(disk, geometry, block_bytes, in_journal=in_journal))
            count += 1
    return count


def test_some_of_the_corpus() -> None:
    assert sum(map(agree_on, SOME)) >= 6


@pytest.mark.exhaustive
def test_the_whole_corpus() -> None:
    assert sum(map(agree_on, FILES)) >= 2 * 100


@pytest.mark.exhaustive
def test_crash_states_of_any_form() -> None:
    faulty = 0
    for n, (disk, geometry) in enumerate(drawn_disks(300)):
        image = write_image(disk, geometry, (1024, 2048, 4096)[n % 3], in_journal=bool(n % 2))
        agreement(image)
        faulty += bool(structural_faults(image))
    assert 0 < faulty < 300


@pytest.mark.parametrize(
    "wrong",
    [
        replace(CRASHED, bitmap=0b000111),
        replace(CRASHED, bitmap=0b011111),
        replace(CRASHED, inodes=(CUT, replace(DELETED, extents=CUT.extents))),
        replace(CRASHED, inodes=(replace(CUT, orphan=False), DELETED)),
    ],
    ids=["used-but-free", "free-but-used", "owned-twice", "behind-size"],
)
def test_e2fsck_finds_what_the_structure_property_finds(wrong: Disk) -> None:
    image = write_image(wrong, TWO_FILES, 1024)
    assert structural_faults(image)
    assert opinion(image.content, image.names).complaints
    agreement(image)


def test_e2fsck_forgives_a_block_that_begins_at_the_size() -> None:
    inode = DiskInode(2, False, ((WRITTEN, 0), (WRITTEN, 1), (HOLE, 0)))
    gone = DiskInode(0, False, ((HOLE, 0),) * 3, deleted=True)
    image = write_image(Disk((inode, gone), 0b11, CELLS), TWO_FILES, 1024)
    assert structural_faults(image)
    agreement(image)


@pytest.mark.parametrize(("size", "is_forgiven"), [(10, False), (2, True)])
def test_e2fsck_forgives_it_in_a_leaf_for_a_file_of_one_block(size: int, is_forgiven: bool) -> None:
    geometry = Geometry(nr_blocks=6, nr_phys=8)
    states = [UNWRITTEN, WRITTEN] + [UNWRITTEN] * 4 if is_forgiven else [UNWRITTEN] * 5 + [WRITTEN]
    extents = tuple(zip(states, (7, 4, 6, 3, 2, 0), strict=True))
    crashed = Disk((DiskInode(size, False, extents),), 0b11011101, CELLS + CELLS[:4])
    image = write_image(crashed, geometry, 1024)
    assert structural_faults(image)
    assert bool(opinion(image.content, image.names).complaints) != is_forgiven
    agreement(image)


def planted_in_writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Plant one mistake after the other."""
    real_put = ext4_writer.ImageWriter._put_inode
    real_use = ext4_writer.ImageWriter.use_block

    def larger(self: ext4_writer.ImageWriter, number: int, file: ext4_writer.NewFile) -> None:
        real_put(self, number, replace(file, size_bytes=file.size_bytes + 1))

    def all_written(self: ext4_writer.ImageWriter, number: int, file: ext4_writer.NewFile) -> None:
        extents = tuple(replace(extent, written=True) for extent in file.extents)
        real_put(self, number, replace(file, extents=extents))

    def next_block(self: ext4_writer.ImageWriter, block: int) -> None:
        real_use(self, block + 1)

    for name, attribute, mistake in (
        ("size", "_put_inode", larger),
        ("unwritten", "_put_inode", all_written),
        ("bitmap", "use_block", next_block),
    ):
        with monkeypatch.context() as planted:
            planted.setattr(ext4_writer.ImageWriter, attribute, mistake)
            yield name


def plain() -> ModelImage:
    """A file with an unwritten block and a written one, and a deleted one."""
    inode = DiskInode(5, False, ((WRITTEN, 2), (UNWRITTEN, 0), (WRITTEN, 1)))
    return write_image(Disk((inode, DELETED), 0b010111, CELLS), TWO_FILES, 1024)


def test_a_mistake_in_the_writer_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    agreement(plain())
    noticed = []
    for name in planted_in_writer(monkeypatch):
        with pytest.raises(DisagreementError):
            agreement(plain())
        noticed.append(name)
    assert noticed == ["size", "unwritten", "bitmap"]


def test_a_mistake_in_the_models_recovery_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    image = write_image(CRASHED, TWO_FILES, 1024)
    agreement(image)
    monkeypatch.setattr(model_image, "recover", lambda disk, _: disk)
    with pytest.raises(DisagreementError, match="the model"):
        agreement(image)


def test_a_mistake_in_our_reader_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    image = write_image(CRASHED, TWO_FILES, 1024)
    monkeypatch.setattr(volume, "_cut", lambda extents, _: iter(extents))
    with pytest.raises(DisagreementError, match="our reader"):
        agreement(image)


def test_a_mistake_of_debugfs_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    image = write_image(CRASHED, TWO_FILES, 1024)
    real = opinion(image.content, image.names)
    shown = real.files["file0"]
    assert shown is not None
    wrong = replace(real, files={**real.files, "file0": replace(shown, content=b"x" * 512)})
    monkeypatch.setattr(model_image, "opinion", lambda *_: wrong)
    with pytest.raises(DisagreementError, match="debugfs"):
        agreement(image)
