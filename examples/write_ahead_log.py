"""A write-ahead log over a disk with a volatile cache: with and without a flush before the commit.

    powercut check examples/write_ahead_log.py

A transaction writes two blocks into the log, then a commit record, then it acknowledges.  The disk
may write its cache back in any order and at any time.  A power cut keeps the platter and nothing
else; recovery replays the log if the commit record is there.
"""

from typing import Annotated

from powercut.model.language import (
    Array,
    Bit,
    Len,
    Max,
    Path,
    Program,
    Property,
    Protocol,
    Struct,
    Thread,
)

NEW = 2
COMMIT = 2  # the commit record's place, behind the two blocks


class Config(Struct):
    """What stays the same during a run."""

    flush_before_commit: Bit
    flush_before_reply: Bit


class Disk(Struct):
    """What survives: the log, the blocks at home, and a ghost that remembers the reply.

    No thread and no recovery reads `replied`; only a property does.
    """

    log: Annotated[Array[int], Len(3), Max(2)]
    home: Annotated[Array[int], Len(2), Max(2)]
    replied: Bit


class State(Struct):
    """The cache in front of the log (0: nothing to write), and the disk."""

    conf: Config
    cached: Annotated[Array[int], Len(3), Max(2)]
    disk: Disk


def setup(k: State) -> None:
    """Start with old content at home."""
    k.conf.flush_before_commit = 1
    k.conf.flush_before_reply = 1
    k.disk.home[0] = 1
    k.disk.home[1] = 1


def setup_without_flush(k: State) -> None:
    """Start in the same way, and trust the disk to keep the order."""
    setup(k)
    k.conf.flush_before_commit = 0


def setup_hasty(k: State) -> None:
    """Start in the same way, and reply before the commit record is on the platter."""
    setup(k)
    k.conf.flush_before_reply = 0


def is_dirty(k: State) -> int:
    """Something waits in the cache."""
    return k.cached[0] or k.cached[1] or k.cached[COMMIT]


def write_back(k: State, at: int) -> None:
    """Put one block of the cache on the platter."""
    if k.cached[at]:
        k.disk.log[at] = k.cached[at]
        k.cached[at] = 0


def flush(k: State) -> Path[None]:
    """Put the cache on the platter, a block a step."""
    for at in range(3):
        yield  # write a block back
        write_back(k, at)


def transaction(k: State, _: int) -> Path[None]:
    """Log both blocks, commit, reply."""
    for block in range(2):
        yield  # log a block
        k.cached[block] = NEW
    if k.conf.flush_before_commit:
        yield from flush(k)
    yield  # write the commit record
    k.cached[COMMIT] = 1
    if k.conf.flush_before_reply:
        yield from flush(k)
    yield  # reply
    k.disk.replied = 1


def device(k: State, at: int) -> Path[None]:
    """Write one block of the cache back whenever the disk likes to."""
    while True:
        yield lambda: k.cached[at]  # write back
        write_back(k, at)


def recover(k: State) -> None:
    """Copy the log home if it is committed."""
    if k.disk.log[COMMIT]:
        for block in range(2):
            k.disk.home[block] = k.disk.log[block]


def is_torn(k: State) -> int:
    """The blocks at home are not all old and not all new."""
    return k.disk.home[0] != k.disk.home[1] or k.disk.home[0] == 0


def is_lost(k: State) -> int:
    """A reply was given, and the new content is not there."""
    return k.disk.replied and (k.disk.home[0] != NEW or k.disk.home[1] != NEW)


def has_replied(k: State) -> int:
    """A reply was given."""
    return k.disk.replied


SITUATIONS = {"dirty-cache": is_dirty, "replied": has_replied}
PROGRAM = Program(
    State,
    (Thread("transaction", transaction), Thread("device", device, 3, daemon=True)),
    constant="conf",
    projected="disk",
)
AFTER_A_CRASH = (
    Property("atomic", "both blocks are old or both are new", is_torn),
    Property("durable", "what was replied to is there", is_lost),
)

FLUSHED = Protocol(
    PROGRAM,
    crash_properties=AFTER_A_CRASH,
    situations=SITUATIONS,
    setup=setup,
    recover=recover,
    summary="a flush before the commit record, and one before the reply",
)
NO_FLUSH = Protocol(
    PROGRAM,
    crash_properties=AFTER_A_CRASH,
    situations=SITUATIONS,
    setup=setup_without_flush,
    recover=recover,
    summary="no flush before the commit record",
)
HASTY = Protocol(
    PROGRAM,
    crash_properties=AFTER_A_CRASH,
    situations=SITUATIONS,
    setup=setup_hasty,
    recover=recover,
    summary="no flush before the reply",
)
