"""Each operator on a small file: exactly these mistakes, read as the lines that differ."""

import pytest

from powercut.checkers.mistakes.operators import OPERATORS
from tests.mistakes.small import TEXT, mistakes_in

GUARD = "if n < inode.i_size and inode.i_sync:"
SIZE = "inode.i_disksize = min(n, inode.i_size)"
START = "error = yield from start(k, current)"
LOCK = "yield from down_write(k, current, inode.i_data_sem)"
UNLOCK = "up_write(k, inode.i_data_sem)"
WAIT = "yield lambda: inode.work_queued == 0  # wait for the worker"
NOTE = "note_written(k, inode)"
FREEING = "inode.i_freeing = 1"

EXPECTED = {
    "left-out": [
        ((FREEING,), ()),
        ((START,), ("yield from start(k, current)", "error = 0")),
        ((START,), ("error = 0",)),
        (("submit(k, inode)",), ()),
        ((SIZE,), ()),
        (("return EIO",), ("pass",)),
        (("inode.i_size += 1",), ()),
    ],
    "guard": [
        ((GUARD,), ("if 1:",)),
        ((GUARD,), ("if 0:",)),
        ((GUARD,), ("if inode.i_sync:",)),
        ((GUARD,), ("if n < inode.i_size:",)),
        (("if error:",), ("if 1:",)),
        (("if error:",), ("if 0:",)),
    ],
    "negated": [
        ((GUARD,), ("if not (n < inode.i_size and inode.i_sync):",)),
        ((GUARD,), ("if n >= inode.i_size and inode.i_sync:",)),
        ((GUARD,), ("if n < inode.i_size and (not inode.i_sync):",)),
        ((WAIT,), (WAIT.replace("==", "!="),)),
        (("if error:",), ("if not error:",)),
    ],
    "off-by-one": [((GUARD,), ("if n <= inode.i_size and inode.i_sync:",))],
    "and-or": [((GUARD,), ("if n < inode.i_size or inode.i_sync:",))],
    "bound": [
        ((SIZE,), ("inode.i_disksize = max(n, inode.i_size)",)),
        ((SIZE,), ("inode.i_disksize = n",)),
        ((SIZE,), ("inode.i_disksize = inode.i_size",)),
    ],
    "wait": [((WAIT,), ("yield",))],
    "lock": [
        ((LOCK,), ()),
        ((LOCK, GUARD, SIZE, NOTE, FREEING, UNLOCK), (GUARD, SIZE, NOTE, FREEING)),
        ((UNLOCK,), ()),
    ],
    "exchanged": [
        ((LOCK, GUARD, SIZE, NOTE), (GUARD, SIZE, NOTE, LOCK)),
        ((UNLOCK, WAIT), (WAIT, UNLOCK)),
        ((WAIT, START), (START, WAIT)),
        (
            ("if error:", "return EIO", "submit(k, inode)"),
            ("submit(k, inode)", "if error:", "return EIO"),
        ),
    ],
    "moved-out": [
        ((GUARD, SIZE, NOTE, FREEING, UNLOCK), (FREEING, UNLOCK, "yield", GUARD, SIZE, NOTE)),
        ((LOCK, GUARD, SIZE, NOTE, FREEING), (FREEING, LOCK, GUARD, SIZE, NOTE)),
        ((FREEING, UNLOCK), (UNLOCK, "yield", FREEING)),
    ],
    "constant": [
        ((FREEING,), ("inode.i_freeing = 0",)),
        (("return OK",), ("return 3",)),
        (("return OK",), ("return EIO",)),
        (("return EIO",), ("return OK",)),
        (("return EIO",), ("return 2",)),
        (("inode.i_size += 1",), ("inode.i_size += 0",)),
    ],
}


def _read(kind: str) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    return [(mistake.was, mistake.now) for mistake in mistakes_in(kind=kind)]


@pytest.mark.parametrize("kind", EXPECTED)
def test_an_operator_makes_exactly_these(kind: str) -> None:
    assert _read(kind) == EXPECTED[kind]


def test_a_field_is_taken_for_those_declared_next_to_it_of_the_same_kind() -> None:
    found = _read("field")
    assert ((LOCK,), (LOCK.replace("i_data_sem", "invalidate_lock"),)) in found
    assert ((GUARD,), (GUARD.replace("i_size", "i_disksize"),)) in found
    assert ((GUARD,), (GUARD.replace("i_size", "held_size"),)) in found
    assert ((WAIT,), (WAIT.replace("work_queued", "disksize_grow_pending"),)) in found
    assert not any("work_queued < " in line for _, now in found for line in now)
    assert len(found) == 18


def test_every_operator_is_looked_at() -> None:
    assert {*EXPECTED, "field"} == set(OPERATORS)


def test_neither_assertions_nor_the_oracle_are_made_wrong() -> None:
    changed = {line for mistake in mistakes_in(kind="left-out") for line in mistake.was}
    assert changed
    assert NOTE not in changed
    assert not any("assert" in line for m in mistakes_in() for line in m.was if len(m.was) == 1)


def test_what_guards_the_oracle_alone_is_no_guard() -> None:
    text = TEXT.replace("    inode.i_freeing = 1\n", "    if n:\n        note_written(k, inode)\n")
    assert not any("if n:" in m.was for m in mistakes_in(text) if len(m.was) == 1)


def test_statements_that_cannot_meet_are_not_exchanged() -> None:
    apart = TEXT.replace(
        "    submit(k, inode)\n", "    inode.i_sync = 1\n    inode.i_freeing = 0\n"
    )
    pair = ("inode.i_sync = 1", "inode.i_freeing = 0")
    assert not any(m.was == pair for m in mistakes_in(apart, "exchanged"))
    meeting = apart.replace("inode.i_freeing = 0", "inode.i_freeing = inode.i_sync")
    pair = ("inode.i_sync = 1", "inode.i_freeing = inode.i_sync")
    assert any(m.was == pair for m in mistakes_in(meeting, "exchanged"))


def test_the_last_yield_of_a_path_leaves_a_yield() -> None:
    text = '''from powercut.model.state import Inode, Kernel


def lock(k: Kernel, current: int, inode: Inode) -> Path[None]:
    """Lock."""
    yield from down_write(k, current, inode.i_data_sem)
    inode.i_size = 1
    up_write(k, inode.i_data_sem)
'''
    now = [m.now for m in mistakes_in(text, "lock")]
    assert now[0] == ("yield",)


def test_what_depends_on_the_design_alone_is_not_moved_by_one() -> None:
    text = TEXT.replace("n < inode.i_size", "k.conf.revision >= 5")
    assert mistakes_in(text, "off-by-one") == []
