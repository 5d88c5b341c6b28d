"""The replay writes what e2fsck's replay writes, in every form of the journal."""

from pathlib import Path

import pytest

from powercut.checkers.kernel import jbd2_layout as jbd2
from powercut.checkers.kernel import journal
from powercut.checkers.kernel.crc32c import crc32c
from powercut.checkers.kernel.errors import DamagedError
from powercut.checkers.kernel.journal_writer import Form, JournalWriter, Transaction
from tests.kernel.images import (
    journal_blocks,
    needing_recovery,
    needs_e2fsprogs,
    plain_image,
    replayed_by_e2fsck,
    volume_of,
)

BLOCK = 1024
FIRST = 3000
"""The first of the blocks that the transactions write; nobody owns them."""
LOGGED = 0
"""No kind of header: the first block that a descriptor names."""
FORMS = [Form(wide, csum) for wide in (False, True) for csum in (0, 2, 3)]


def named(form: Form) -> str:
    return f"{'64' if form.wide else '32'}bit-csum{form.csum}"


def filled(letter: str) -> bytes:
    return letter.encode() * BLOCK


MAGIC_BLOCK = jbd2.MAGIC.to_bytes(4) + b"m" * (BLOCK - 4)
HISTORY = (
    Transaction({FIRST: filled("a"), FIRST + 1: filled("b"), FIRST + 2: MAGIC_BLOCK}),
    Transaction({FIRST + n: filled("c") for n in range(3, 200)}),
    Transaction({FIRST: filled("d")}, revoked=[FIRST + 1, FIRST + 4]),
    Transaction({FIRST + 4: filled("e")}, revoked=[FIRST + 5]),
    Transaction({FIRST: filled("f")}, revoked=[FIRST + 2], commits=False),
)


def crashed(form: Form, history: tuple[Transaction, ...] = HISTORY) -> bytes:
    """An image with these transactions in its journal."""
    image = needing_recovery(plain_image())
    blocks = journal_blocks(plain_image())
    JournalWriter(image, blocks, BLOCK, form).write(history)
    return bytes(image)


def differences(content: bytes, folder: Path) -> list[int]:
    """The blocks that the two replays leave differently."""
    theirs = replayed_by_e2fsck(content, folder)
    volume = volume_of(content)
    blocks = range(FIRST, FIRST + 201)
    return [n for n in blocks if volume.block(n) != theirs[n * BLOCK : (n + 1) * BLOCK]]


def test_the_checksum_is_castagnolis() -> None:
    """The check value of the CRC catalogues, and lengths that are no whole words."""
    assert crc32c(0xFFFFFFFF, b"123456789") ^ 0xFFFFFFFF == 0xE3069283
    assert crc32c(crc32c(7, b"1234567"), b"89") == crc32c(7, b"123456789")


@needs_e2fsprogs
@pytest.mark.parametrize("form", FORMS, ids=named)
def test_the_replay_agrees_with_e2fsck(form: Form, tmp_path: Path) -> None:
    content = crashed(form)
    assert differences(content, tmp_path) == []
    volume = volume_of(content)
    assert volume.transactions == 4
    shown = {n: volume.block(FIRST + n)[:1] for n in (0, 1, 3, 4, 5)}
    assert shown == {0: b"d", 1: b"\0", 3: b"c", 4: b"e", 5: b"\0"}
    assert volume.block(FIRST + 2) == MAGIC_BLOCK


@needs_e2fsprogs
@pytest.mark.parametrize("form", [Form(start=1000), Form(csum=0, start=1023)], ids=named)
def test_the_log_goes_round(form: Form, tmp_path: Path) -> None:
    assert differences(crashed(form), tmp_path) == []


@needs_e2fsprogs
def test_sequence_numbers_go_round(tmp_path: Path) -> None:
    """A revoke in a transaction after the wrap is younger than the block before it."""
    content = crashed(Form(sequence=0xFFFFFFFE))
    assert differences(content, tmp_path) == []
    assert volume_of(content).transactions == 4


@needs_e2fsprogs
@pytest.mark.parametrize("mistake", ["revokes", "escapes"])
def test_a_mistake_in_the_replay_is_noticed(
    mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = crashed(Form())
    if mistake == "revokes":
        monkeypatch.setattr(journal, "_revoked", lambda *_: ())
    else:
        monkeypatch.setattr(journal, "_content", lambda log, _, tag, at: log.block(at))
    assert differences(content, tmp_path) != []


def position_of(kind: int, content: bytes) -> int:
    """The byte at which the first journal block of this kind begins."""
    blocks = journal_blocks(plain_image())
    if kind == LOGGED:
        return blocks[2] * BLOCK
    for block in blocks:
        head = jbd2.BLOCK_HEADER.unpack_from(content, block * BLOCK)
        if head[:2] == (jbd2.MAGIC, kind):
            return block * BLOCK
    raise LookupError(kind)


@needs_e2fsprogs
@pytest.mark.parametrize(
    ("kind", "at", "words"),
    [
        (jbd2.SUPER_V2, 0x30, "the journal's superblock"),
        (jbd2.DESCRIPTOR, 20, "a block of transaction 1"),
        (LOGGED, 9, "block 3000 in transaction 1"),
        (jbd2.COMMIT, 20, "the commit block of transaction 1"),
        (jbd2.REVOKE, 30, "a block of transaction 3"),
    ],
)
def test_a_wrong_checksum_is_refused(kind: int, at: int, words: str) -> None:
    image = bytearray(crashed(Form()))
    image[position_of(kind, bytes(image)) + at] ^= 1
    with pytest.raises(DamagedError, match=words):
        volume_of(bytes(image))


@needs_e2fsprogs
def test_a_torn_commit_block_counts() -> None:
    """Its header is in the first sector, and the checksum is that of a block of zeros behind."""
    image = bytearray(crashed(Form()))
    at = position_of(jbd2.COMMIT, bytes(image)) + BLOCK // 2
    image[at : at + BLOCK // 2] = b"x" * (BLOCK // 2)
    assert volume_of(bytes(image)).transactions == 4


@needs_e2fsprogs
def test_a_journal_that_needs_no_recovery_is_left_alone() -> None:
    """kernel: ext4_load_journal() wipes it, whatever it holds."""
    image = bytearray(crashed(Form()))
    clean = plain_image()
    image[1024:2048] = clean[1024:2048]
    assert volume_of(bytes(image)).transactions == 0


@needs_e2fsprogs
@pytest.mark.parametrize("flag", [jbd2.INCOMPAT_FAST_COMMIT, jbd2.INCOMPAT_CSUM_V2])
def test_unknown_features_are_refused(flag: int) -> None:
    image = bytearray(crashed(Form()))
    head = memoryview(image)[position_of(jbd2.SUPER_V2, bytes(image)) :]
    jbd2.Super.incompat.put(head, jbd2.Super.incompat.get(head) | flag)
    with pytest.raises(DamagedError, match="journal"):
        volume_of(bytes(image))
