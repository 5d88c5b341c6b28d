"""How fast crash states of a block log are judged: ``python -m benchmarks.kernel_log``.

The log is made here: 200 files of a 64 MiB image are appended to, a commit each, in the order that
data=ordered promises.  Required: 600 states in 10 s of one core.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from powercut.checkers.kernel import ext4_layout as ext4
from powercut.checkers.kernel.block_log import ENTRY, FLUSH, FUA, HEADER, MAGIC, VERSION, BlockLog
from powercut.checkers.kernel.crash_states import Choice, CrashStates
from powercut.checkers.kernel.e2fsprogs import make_image
from powercut.checkers.kernel.journal_writer import JournalWriter, Transaction
from powercut.checkers.kernel.log_check import Plan, Report, check_states
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.volume import Volume

STATES = 600
REQUIRED_SECONDS = 10.0
FILES = 200
COMMITS = 150
BLOCK = 4096
SECTOR = 512


def make_files(folder: Path) -> bytes:
    """Return an image with files of half a block each."""
    source = folder / "source"
    source.mkdir()
    for n in range(FILES):
        (source / f"file-{n:03}").write_bytes(b"A" * (BLOCK // 2))
    path = folder / "image"
    make_image(path, 64 << 20, BLOCK, 4, "-N", "1024", "-d", str(source))
    return path.read_bytes()


def make_log(folder: Path) -> tuple[Path, Path]:
    """Write the image and a log of one commit a file; return both."""
    image = bytearray(make_files(folder))
    volume = Volume(Medium(BaseImage(bytes(image))))
    ring = [e.physical + n for e in volume.extents(8) for n in range(e.length)]
    head = memoryview(image)[ext4.SUPERBLOCK_OFFSET :]
    ext4.Super.incompat.put(head, ext4.Super.incompat.get(head) | ext4.INCOMPAT_RECOVER)
    JournalWriter(image, ring, BLOCK).write([])
    numbers = [volume.root[f"file-{n:03}"] for n in range(COMMITS)]
    table = ext4.Group.inode_table.get(volume.descriptor(0)) * BLOCK
    directory = volume.extents(ext4.ROOT_INODE)[0].physical
    full = bytearray(image)
    transactions = []
    for number in numbers:
        at = table + (number - 1) * 256
        ext4.Inode.size_low.put(memoryview(full)[at : at + 256], BLOCK)
        block = at // BLOCK
        content = bytes(full[block * BLOCK : (block + 1) * BLOCK])
        transactions.append(Transaction({block: content, directory: volume.block(directory)}))
    JournalWriter(full, ring, BLOCK).write(transactions)
    parts = list(commits(volume, numbers, ring, full))
    header = HEADER.pack(MAGIC, VERSION, len(parts), SECTOR).ljust(SECTOR, b"\0")
    base, log = folder / "base", folder / "log"
    base.write_bytes(image)
    log.write_bytes(header + b"".join(parts))
    return base, log


def commits(
    volume: Volume, numbers: Sequence[int], ring: Sequence[int], full: bytearray
) -> Iterator[bytes]:
    """Yield the entries of each commit: data, flush, journal, flush, commit block."""
    for n, number in enumerate(numbers):
        (extent,) = volume.extents(number)
        data = b"A" * (BLOCK // 2) + b"B" * (BLOCK // 2)
        *places, commit = ring[1 + 4 * n : 5 + 4 * n]
        yield entry(extent.physical * BLOCK, data)
        yield entry(0, b"", FLUSH)
        for place in places:
            yield entry(place * BLOCK, bytes(full[place * BLOCK : (place + 1) * BLOCK]))
        yield entry(0, b"", FLUSH)
        yield entry(commit * BLOCK, bytes(full[commit * BLOCK : (commit + 1) * BLOCK]), FUA)


def entry(offset: int, data: bytes, flags: int = 0) -> bytes:
    """Return one entry of a log."""
    head = ENTRY.pack(offset // SECTOR, len(data) // SECTOR, flags, 0)
    return head.ljust(SECTOR, b"\0") + data


def main() -> None:
    """Make a log, judge its states and print how long that took."""
    with tempfile.TemporaryDirectory(prefix="powercut-") as name:
        base, log = make_log(Path(name))
        begun = time.process_time()
        states = CrashStates(BaseImage.of_file(base), BlockLog(log), Choice())
        report = Report()
        for violation in check_states(states, Plan(), report):
            raise AssertionError(violation.faults)
        seconds = time.process_time() - begun
    scaled = seconds * STATES / report.states
    missed = "" if scaled <= REQUIRED_SECONDS else ", MISSED"
    print(f"{report.states} states of {FILES} files in {seconds:.1f} s of CPU time")
    print(f"{STATES} states: {scaled:.1f} s (required: {REQUIRED_SECONDS:.1f} s{missed})")


if __name__ == "__main__":
    main()
