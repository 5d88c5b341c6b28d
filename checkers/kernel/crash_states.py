"""From the log of a device to the contents a power cut may leave on it.

What: a write may be lost until a flush that began after it has ended; a FUA write may not be lost
once it has ended.  At every flush, FUA write and at the end of the log, everything that may be lost
is a *pending* write, and a crash state is the durable content with some of the pending writes:

- every prefix of them, in the order in which they ended,
- every other subset, where all of them fit the budget, else a seeded sample.

With ``torn`` a pending write survives in pieces of 512 bytes, each by itself.
Why so: the device of the model loses cached writes in the same way.  Equal contents are found by
their fingerprint and yielded once.
Rejected: states at flushes only (the least that a disk must keep, not what it may keep), dropping a
write that an older one depends on (a cache knows no such thing).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from powercut.checkers.kernel.block_log import DISCARD, FLUSH, FUA, MARK, BlockLog, Entry
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.medium import BaseImage, Medium

TORN_BYTES = 512


@dataclass(frozen=True, slots=True)
class Choice:
    """What bounds the states: how many subsets at a place, from which seed, torn or not.

    ``subsets`` are those beyond the prefixes.
    """

    subsets: int = 32
    seed: int = 1
    torn: bool = False


@dataclass(frozen=True, slots=True)
class CrashPoint:
    """A content a power cut may leave.

    ``before`` is the number of the first log entry that had not ended.  ``pending`` counts the
    writes that could be lost there and ``survivors`` names those that were not, as log entries;
    ``is_prefix`` says that they are the oldest ones.
    """

    medium: Medium
    before: int
    pending: int
    survivors: tuple[int, ...]
    is_prefix: bool


@dataclass(slots=True)
class Coverage:
    """What was walked: states with and without duplicates, places whose subsets were sampled."""

    drawn: int = 0
    distinct: int = 0
    places: int = 0
    sampled_places: int = 0


@dataclass(frozen=True, slots=True)
class _Write:
    """A write that is not on the medium for sure; one that is ``kept`` is, but for its order."""

    number: int
    offset: int
    data: bytes
    length: int
    kept: bool = False


@dataclass(slots=True)
class CrashStates:
    """The crash states of a log over the image it starts from; iterate once.

    Raises :class:`LabError` for a log that cannot be one of this image.
    """

    base: BaseImage
    log: BlockLog
    choice: Choice = field(default_factory=Choice)
    coverage: Coverage = field(default_factory=Coverage)

    def __iter__(self) -> Iterator[CrashPoint]:
        durable = Medium(self.base)
        pending: list[_Write] = []
        seen: set[int] = set()
        for entry in self.log.entries():
            if entry.flags & MARK:
                continue
            if entry.flags & (FLUSH | FUA):
                yield from self._at(entry.number, durable, pending, seen)
            if entry.flags & FLUSH:
                for write in pending:
                    _apply(durable, write)
                pending = []
            if entry.length_bytes:
                pending.append(self._write_of(entry))
        yield from self._at(self.log.count, durable, pending, seen)

    def _write_of(self, entry: Entry) -> _Write:
        if entry.end_bytes > self.base.size_bytes:
            text = (
                f"entry {entry.number} ends at byte {entry.end_bytes}, the image has "
                f"{self.base.size_bytes}; give the image that this log starts from"
            )
            raise LabError(str(self.log.path), text)
        data = b"" if entry.flags & DISCARD else entry.data
        kept = bool(entry.flags & FUA)
        return _Write(entry.number, entry.offset_bytes, data, entry.length_bytes, kept)

    def _at(
        self, before: int, durable: Medium, pending: Sequence[_Write], seen: set[int]
    ) -> Iterator[CrashPoint]:
        """Yield the states of one place that no place before has shown."""
        free = sum(not write.kept for write in pending)
        self.coverage.places += 1
        for medium, survivors, is_prefix in self._media(durable, pending):
            self.coverage.drawn += 1
            if medium.fingerprint in seen:
                continue
            seen.add(medium.fingerprint)
            self.coverage.distinct += 1
            yield CrashPoint(medium.copy(), before, free, survivors, is_prefix)

    def _media(
        self, durable: Medium, pending: Sequence[_Write]
    ) -> Iterator[tuple[Medium, tuple[int, ...], bool]]:
        free = [n for n, write in enumerate(pending) if not write.kept]
        yield from _prefixes(durable, pending, free)
        pieces = _torn(pending) if self.choice.torn else list(pending)
        loose = [n for n, write in enumerate(pieces) if not write.kept]
        for mask in self._masks(len(loose)):
            surviving = {n for bit, n in enumerate(loose) if mask >> bit & 1}
            medium = durable.copy()
            for n, write in enumerate(pieces):
                if write.kept or n in surviving:
                    _apply(medium, write)
            numbers = dict.fromkeys(pieces[n].number for n in sorted(surviving))
            yield medium, tuple(numbers), False

    def _masks(self, count: int) -> Iterator[int]:
        """Yield sets of survivors as bit masks: all that are no prefix, or as many as allowed."""
        prefixes = set() if self.choice.torn else {(1 << n) - 1 for n in range(count + 1)}
        everything = (1 << count) - len(prefixes)
        if everything <= self.choice.subsets:
            yield from (mask for mask in range(1 << count) if mask not in prefixes)
            return
        self.coverage.sampled_places += 1
        draw = random.Random(f"{self.choice.seed}/{self.coverage.places}")
        for _ in range(self.choice.subsets):
            yield draw.getrandbits(count)


def _prefixes(
    durable: Medium, pending: Sequence[_Write], free: Sequence[int]
) -> Iterator[tuple[Medium, tuple[int, ...], bool]]:
    """Yield the states in which the oldest pending writes survive: none, one, ... all."""
    if any(write.kept for write in pending):
        for count in range(len(free) + 1):
            surviving = set(free[:count])
            medium = durable.copy()
            for n, write in enumerate(pending):
                if write.kept or n in surviving:
                    _apply(medium, write)
            yield medium, tuple(pending[n].number for n in free[:count]), True
        return
    medium = durable.copy()
    yield medium, (), True
    for count, write in enumerate(pending, 1):
        _apply(medium, write)
        yield medium, tuple(earlier.number for earlier in pending[:count]), True


def _apply(medium: Medium, write: _Write) -> None:
    if write.data:
        medium.write(write.offset, write.data)
    else:
        medium.erase(write.offset, write.length)


def _torn(pending: Sequence[_Write]) -> list[_Write]:
    """Return the writes in pieces that survive each by itself; a kept one stays whole."""
    pieces = []
    for write in pending:
        if write.kept:
            pieces.append(write)
            continue
        for at in range(0, write.length, TORN_BYTES):
            length = min(TORN_BYTES, write.length - at)
            data = write.data[at : at + length]
            pieces.append(_Write(write.number, write.offset + at, data, length))
    return pieces
