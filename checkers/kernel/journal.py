"""What replaying the journal of a crashed file system would write, without writing it.

kernel: do_one_pass() of fs/jbd2/recovery.c (6.12) with its three passes: find the last committed
transaction, collect the revoked blocks, replay the others.
Why so: thousands of crash states share most blocks of their journal, so what a block says, and
whether its checksum fits, is remembered by its content.
Not read: fast commits and asynchronous commits, which are refused; COMPAT_CHECKSUM, older than the
checksums of version 2, likewise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from powercut.checkers.kernel import jbd2_layout as jbd2
from powercut.checkers.kernel.crc32c import crc32c
from powercut.checkers.kernel.errors import DamagedError

ALL_ONES = 0xFFFFFFFF
_COMMIT_HEADER_BYTES = 60


@dataclass(frozen=True, slots=True)
class Features:
    """What decides how blocks of this journal are read; ``seed`` starts its checksums."""

    wide: bool
    csum: int
    seed: int

    @property
    def tag_bytes(self) -> int:
        """The length of one tag.  kernel: journal_tag_bytes()."""
        if self.csum == 3:
            return jbd2.TAG_V3.size
        return jbd2.TAG.size + (4 if self.wide else 0) + (2 if self.csum == 2 else 0)

    @property
    def tail_bytes(self) -> int:
        """What the checksum at the end of a descriptor or revoke block takes."""
        return jbd2.TAIL_BYTES if self.csum else 0


@dataclass(frozen=True, slots=True)
class Tag:
    """A block in the log: where it belongs, and whether its first four bytes were replaced."""

    block: int
    escaped: bool
    checksum: int


@dataclass(slots=True)
class Replayed:
    """The blocks that the replay writes, and how many committed transactions they are from."""

    blocks: dict[int, bytes]
    transactions: int = 0


@dataclass(slots=True)
class _Transaction:
    sequence: int
    tags: list[tuple[Tag, int]]
    revoked: list[int]
    sums_fit: bool = True


class _Log:
    """The journal as a ring of blocks.  kernel: journal_t, as far as recovery uses it."""

    def __init__(self, read: Callable[[int], bytes], blocks: Sequence[int]) -> None:
        self.read = read
        self.blocks = blocks
        head = read(blocks[0]) if blocks else b""
        magic, kind, _ = jbd2.BLOCK_HEADER.unpack_from(head) if head else (0, 0, 0)
        if magic != jbd2.MAGIC or kind not in (jbd2.SUPER_V1, jbd2.SUPER_V2):
            raise DamagedError("the journal has no superblock")
        self.first = jbd2.Super.first.get(head)
        self.length = jbd2.Super.length.get(head)
        self.sequence = jbd2.Super.sequence.get(head)
        self.start = jbd2.Super.start.get(head)
        if not 0 < self.first < self.length <= len(blocks) or self.start >= self.length:
            raise DamagedError("the journal's superblock names blocks it does not have")
        self.features = _features(head, kind)

    def block(self, position: int) -> bytes:
        return self.read(self.blocks[position])

    def after(self, position: int, count: int = 1) -> int:
        """Go on in the ring.  kernel: wrap()."""
        ring = self.length - self.first
        return self.first + (position - self.first + count) % ring


def replay(read: Callable[[int], bytes], journal: Sequence[int]) -> Replayed:
    """Return what recovery writes; ``journal`` are the journal's blocks, ``read`` reads a block.

    Raises :class:`DamagedError` where a mount would be refused.
    """
    log = _Log(read, journal)
    if log.start == 0:
        return Replayed({})
    transactions = _committed(log)
    revoked: dict[int, int] = {}
    for n, transaction in enumerate(transactions):
        revoked.update(dict.fromkeys(transaction.revoked, n))
    out = Replayed({}, len(transactions))
    for n, transaction in enumerate(transactions):
        for tag, position in transaction.tags:
            if revoked.get(tag.block, -1) < n:
                out.blocks[tag.block] = _content(log, transaction.sequence, tag, position)
    return out


def _features(head: bytes, kind: int) -> Features:
    if kind == jbd2.SUPER_V1:
        return Features(False, 0, 0)
    incompat = jbd2.Super.incompat.get(head)
    if incompat & ~jbd2.KNOWN_INCOMPAT or jbd2.Super.compat.get(head) & jbd2.COMPAT_CHECKSUM:
        raise DamagedError(f"the journal has features that are not read here ({incompat:#x})")
    version = {0: 0, jbd2.INCOMPAT_CSUM_V2: 2, jbd2.INCOMPAT_CSUM_V3: 3}.get(
        incompat & (jbd2.INCOMPAT_CSUM_V2 | jbd2.INCOMPAT_CSUM_V3)
    )
    if version is None:
        raise DamagedError("the journal claims two versions of checksums")
    uuid = head[jbd2.Super.uuid_offset : jbd2.Super.uuid_offset + jbd2.UUID_BYTES]
    body = head[: jbd2.SUPER_BYTES]
    if version and not _fits(ALL_ONES, body, jbd2.Super.checksum.offset):
        raise DamagedError("the checksum of the journal's superblock is wrong")
    seed = crc32c(ALL_ONES, uuid) if version else 0
    return Features(bool(incompat & jbd2.INCOMPAT_64BIT), version, seed)


def _committed(log: _Log) -> list[_Transaction]:
    """Walk the log up to the last commit block.  kernel: do_one_pass(), PASS_SCAN."""
    out: list[_Transaction] = []
    position, left = log.start, log.length - log.first
    current = _Transaction(log.sequence, [], [])
    while left > 0:
        block = log.block(position)
        magic, kind, sequence = jbd2.BLOCK_HEADER.unpack_from(block)
        if magic != jbd2.MAGIC or sequence != current.sequence:
            break
        used = 1
        if kind == jbd2.DESCRIPTOR:
            used += _describe(log, block, position, current)
        elif kind == jbd2.REVOKE:
            current.sums_fit &= _tail_fits(block, log.features)
            current.revoked += _revoked(block, log.features)
        elif kind != jbd2.COMMIT:
            break
        else:
            _check_commit(block, current, log.features)
            out.append(current)
            current = _Transaction(current.sequence + 1 & ALL_ONES, [], [])
        position, left = log.after(position, used), left - used
    return out


def _describe(log: _Log, block: bytes, position: int, current: _Transaction) -> int:
    """Add the blocks of a descriptor to ``current`` and return their number."""
    current.sums_fit &= _tail_fits(block, log.features)
    tags = _tags(block, log.features)
    current.tags += [(tag, log.after(position, n)) for n, tag in enumerate(tags, 1)]
    return len(tags)


def _check_commit(block: bytes, current: _Transaction, features: Features) -> None:
    """Raise :class:`DamagedError` for a transaction that a mount refuses.

    A commit block that is whole only in its header counts.
    kernel: jbd2_commit_block_csum_verify_partial() (6.12; earlier ones refuse).
    """
    if not features.csum:
        return
    at = jbd2.Commit.checksum.offset
    header = block[:_COMMIT_HEADER_BYTES].ljust(len(block), b"\0")
    fits = _fits(features.seed, block, at) or _fits(features.seed, header, at)
    if not fits or not current.sums_fit:
        what = "a block" if fits else "the commit block"
        raise DamagedError(f"the checksum of {what} of transaction {current.sequence} is wrong")


@lru_cache(maxsize=1 << 13)
def _tags(block: bytes, features: Features) -> tuple[Tag, ...]:
    """Return the tags of a descriptor block.  kernel: count_tags(), read_tag_block()."""
    tags = []
    at, end = jbd2.BLOCK_HEADER.size, len(block) - features.tail_bytes
    while at + features.tag_bytes <= end:
        if features.csum == 3:
            low, flags, high, checksum = jbd2.TAG_V3.unpack_from(block, at)
        else:
            low, checksum, flags = jbd2.TAG.unpack_from(block, at)
            high = int.from_bytes(block[at + 8 : at + 12]) if features.wide else 0
        number = low | (high << 32 if features.wide else 0)
        tags.append(Tag(number, bool(flags & jbd2.TAG_ESCAPE), checksum))
        at += features.tag_bytes + (0 if flags & jbd2.TAG_SAME_UUID else jbd2.UUID_BYTES)
        if flags & jbd2.TAG_LAST:
            break
    return tuple(tags)


@lru_cache(maxsize=1 << 10)
def _revoked(block: bytes, features: Features) -> tuple[int, ...]:
    """Return the block numbers of a revoke block.  kernel: scan_revoke_records()."""
    used, size = jbd2.Revoke.used.get(block), 8 if features.wide else 4
    if used > len(block) - features.tail_bytes:
        raise DamagedError("a revoke block claims more than it holds")
    starts = range(jbd2.REVOKE_HEADER_BYTES, used - size + 1, size)
    return tuple(int.from_bytes(block[at : at + size]) for at in starts)


def _content(log: _Log, sequence: int, tag: Tag, position: int) -> bytes:
    """Return a logged block as it goes to its place.  kernel: do_one_pass(), PASS_REPLAY."""
    block = log.block(position)
    if log.features.csum:
        checksum = tag_checksum(block, sequence, log.features)
        if checksum != tag.checksum:
            raise DamagedError(
                f"the checksum of block {tag.block} in transaction {sequence} is wrong"
            )
    if not tag.escaped:
        return block
    return jbd2.MAGIC.to_bytes(4) + block[4:]


def tag_checksum(block: bytes, sequence: int, features: Features) -> int:
    """Return what the tag of a logged block holds.  kernel: jbd2_block_tag_csum_verify()."""
    checksum = crc32c(crc32c(features.seed, sequence.to_bytes(4)), block)
    return checksum if features.csum == 3 else checksum & 0xFFFF


def _tail_fits(block: bytes, features: Features) -> bool:
    return not features.csum or _fits(features.seed, block, len(block) - jbd2.TAIL_BYTES)


@lru_cache(maxsize=1 << 13)
def _fits(seed: int, block: bytes, at: int) -> bool:
    """Tell whether the checksum at byte ``at`` is that of the block with zeros there."""
    return int.from_bytes(block[at : at + 4]) == checksum_of(seed, block, at)


def checksum_of(seed: int, block: bytes, at: int) -> int:
    """Return the checksum of a block whose bytes ``at`` to ``at`` + 3 will hold it."""
    return crc32c(seed, block[:at] + bytes(4) + block[at + 4 :])
