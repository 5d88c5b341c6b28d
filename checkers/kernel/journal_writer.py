"""Write transactions into the journal of an image, as jbd2 leaves them at a power cut.

Why so: recovery is worth nothing until somebody else's recovery agrees, so every form that
:mod:`~powercut.checkers.kernel.journal` reads can be written and given to e2fsck.
Rejected: a mount to fill the journal (a kernel chooses the form and the moment).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from powercut.checkers.kernel import jbd2_layout as jbd2
from powercut.checkers.kernel.crc32c import crc32c
from powercut.checkers.kernel.journal import ALL_ONES, Features, checksum_of, tag_checksum

_CRC32C = 4
_CSUM_FLAG = {0: 0, 2: jbd2.INCOMPAT_CSUM_V2, 3: jbd2.INCOMPAT_CSUM_V3}


@dataclass(frozen=True, slots=True)
class Transaction:
    """The blocks that it writes, by number, and those that it revokes; the last may not commit."""

    blocks: Mapping[int, bytes]
    revoked: Sequence[int] = ()
    commits: bool = True


@dataclass(frozen=True, slots=True)
class Form:
    """How a journal is written: 64-bit numbers, checksums of version 2, 3 or none (0).

    ``start`` is where in the ring the oldest transaction begins, ``sequence`` its number.
    """

    wide: bool = True
    csum: int = 3
    start: int = 1
    sequence: int = 1


@dataclass(slots=True)
class JournalWriter:
    """Fills a journal; ``image`` is changed in place, ``journal`` are the journal's blocks."""

    image: bytearray
    journal: Sequence[int]
    block_bytes: int
    form: Form = field(default_factory=Form)

    def write(self, transactions: Sequence[Transaction]) -> None:
        """Write these transactions, oldest first.  Raises :class:`ValueError` for too many."""
        features = self._write_super()
        room = jbd2.Super.length.get(self._block(0)) - jbd2.Super.first.get(self._block(0))
        blocks: list[bytes] = []
        for n, transaction in enumerate(transactions):
            sequence = self.form.sequence + n & ALL_ONES
            blocks += self._blocks_of(transaction, sequence, features)
        if len(blocks) > room:
            raise ValueError(f"{len(blocks)} blocks do not fit into a journal of {room}")
        first = jbd2.Super.first.get(self._block(0))
        for n, block in enumerate(blocks):
            self._put(first + (self.form.start - first + n) % room, block)

    def _write_super(self) -> Features:
        """Say where the log starts and what its form is; return that form."""
        block = bytearray(self._block(0))
        flags = _CSUM_FLAG[self.form.csum] | jbd2.INCOMPAT_REVOKE
        flags |= jbd2.INCOMPAT_64BIT if self.form.wide else 0
        jbd2.Super.incompat.put(block, flags)
        jbd2.Super.start.put(block, self.form.start)
        jbd2.Super.sequence.put(block, self.form.sequence)
        uuid = bytes(block[jbd2.Super.uuid_offset : jbd2.Super.uuid_offset + jbd2.UUID_BYTES])
        seed = 0
        if self.form.csum:
            seed = crc32c(ALL_ONES, uuid)
            jbd2.Super.checksum_type.put(block, _CRC32C)
            body = bytes(block[: jbd2.SUPER_BYTES])
            jbd2.Super.checksum.put(block, checksum_of(ALL_ONES, body, jbd2.Super.checksum.offset))
        self._put(0, bytes(block))
        return Features(self.form.wide, self.form.csum, seed)

    def _blocks_of(
        self, transaction: Transaction, sequence: int, features: Features
    ) -> list[bytes]:
        out = []
        if transaction.revoked:
            out.append(self._revoke_block(transaction.revoked, sequence, features))
        escaped = {number: _escaped(block) for number, block in transaction.blocks.items()}
        numbers = list(escaped)
        room = self.block_bytes - jbd2.BLOCK_HEADER.size - jbd2.UUID_BYTES - features.tail_bytes
        per_descriptor = room // features.tag_bytes
        for at in range(0, len(numbers), per_descriptor):
            group = numbers[at : at + per_descriptor]
            out.append(self._descriptor_block(transaction, escaped, group, sequence, features))
            out += [escaped[number] for number in group]
        if transaction.commits:
            out.append(self._commit_block(sequence, features))
        return out

    def _descriptor_block(
        self,
        transaction: Transaction,
        escaped: Mapping[int, bytes],
        numbers: Sequence[int],
        sequence: int,
        features: Features,
    ) -> bytes:
        parts = [jbd2.BLOCK_HEADER.pack(jbd2.MAGIC, jbd2.DESCRIPTOR, sequence)]
        for n, number in enumerate(numbers):
            flags = jbd2.TAG_SAME_UUID if n else 0
            flags |= jbd2.TAG_LAST if n + 1 == len(numbers) else 0
            flags |= jbd2.TAG_ESCAPE if escaped[number] != transaction.blocks[number] else 0
            checksum = tag_checksum(escaped[number], sequence, features) if features.csum else 0
            parts.append(_tag(number, flags, checksum, features))
            if not n:
                parts.append(bytes(jbd2.UUID_BYTES))
        return self._with_tail(b"".join(parts), features)

    def _revoke_block(self, revoked: Sequence[int], sequence: int, features: Features) -> bytes:
        size = 8 if features.wide else 4
        used = jbd2.REVOKE_HEADER_BYTES + size * len(revoked)
        head = jbd2.BLOCK_HEADER.pack(jbd2.MAGIC, jbd2.REVOKE, sequence) + used.to_bytes(4)
        numbers = b"".join(number.to_bytes(size) for number in revoked)
        return self._with_tail(head + numbers, features)

    def _commit_block(self, sequence: int, features: Features) -> bytes:
        block = bytearray(self.block_bytes)
        jbd2.BLOCK_HEADER.pack_into(block, 0, jbd2.MAGIC, jbd2.COMMIT, sequence)
        if features.csum:
            at = jbd2.Commit.checksum.offset
            jbd2.Commit.checksum.put(block, checksum_of(features.seed, bytes(block), at))
        return bytes(block)

    def _with_tail(self, content: bytes, features: Features) -> bytes:
        block = content.ljust(self.block_bytes, b"\0")
        if not features.csum:
            return block
        at = self.block_bytes - jbd2.TAIL_BYTES
        return block[:at] + checksum_of(features.seed, block, at).to_bytes(4)

    def _block(self, position: int) -> bytes:
        start = self.journal[position] * self.block_bytes
        return bytes(self.image[start : start + self.block_bytes])

    def _put(self, position: int, block: bytes) -> None:
        start = self.journal[position] * self.block_bytes
        self.image[start : start + self.block_bytes] = block


def _escaped(block: bytes) -> bytes:
    """Return a block as it is logged: no block of the log but a header begins with the magic."""
    if block[:4] == jbd2.MAGIC.to_bytes(4):
        return bytes(4) + block[4:]
    return block


def _tag(number: int, flags: int, checksum: int, features: Features) -> bytes:
    low, high = number & ALL_ONES, number >> 32
    if features.csum == 3:
        return jbd2.TAG_V3.pack(low, flags, high, checksum)
    tag = jbd2.TAG.pack(low, checksum, flags) + (high.to_bytes(4) if features.wide else b"")
    return tag.ljust(features.tag_bytes, b"\0")
