"""The limits, checked on scopes that no reader made."""

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given

from powercut.checkers.workload import LimitError, check_scope, format_workload
from powercut.model.scope import Geometry, Mount, Op, OpCode, Scope, Timer
from tests.workload.strategies import scopes

FSYNC = Op(OpCode.FSYNC)
GOOD = Scope("good", "", (Mount(((Op(OpCode.WRITE, 0, 1),),)),))


def with_ops(*ops: Op) -> Scope:
    """The good scope with one task of these operations."""
    return replace(GOOD, mounts=(Mount((ops,)),))


OUTSIDE: dict[str, tuple[Scope, str]] = {
    "no mounts": (replace(GOOD, mounts=()), "the number of mounts must be 1..3, not 0"),
    "no tasks": (
        replace(GOOD, mounts=(Mount(()),)),
        "mount 1: the number of tasks must be 1..3, not 0",
    ),
    "no operations": (with_ops(), "mount 1: operations of task 1 must be 1..4, not 0"),
    "five operations": (
        replace(GOOD, mounts=(*GOOD.mounts, Mount(((FSYNC,), (FSYNC,) * 5)))),
        "mount 2: operations of task 2 must be 1..4, not 5",
    ),
    "data operations": (
        replace(GOOD, mounts=(Mount(((Op(OpCode.STORE, 0, 1),) * 3,) * 2),)),
        (
            "mount 1: a mount may have 4 writes and stores together, each with a colour of "
            "its own; drop one or move it to another mount"
        ),
    ),
    "write past the file": (
        with_ops(FSYNC, Op(OpCode.WRITE, 2, 3)),
        "mount 1, task 1, operation 2: length must be 1..2, not 3",
    ),
    "no code": (
        with_ops(Op(OpCode.NONE)),
        "mount 1, task 1, operation 1: unknown operation",
    ),
    "truncate with a length": (
        with_ops(Op(OpCode.TRUNCATE, 1, 1)),
        "mount 1, task 1, operation 1: length of an operation without a range must be 0..0, not 1",
    ),
    "sync with a position": (
        with_ops(Op(OpCode.FDATASYNC, 1)),
        "mount 1, task 1, operation 1: position of a sync must be 0..0, not 1",
    ),
    "another file": (
        with_ops(Op(OpCode.WRITE, 0, 1, inode=1)),
        "mount 1, task 1, operation 1: the file of an operation must be 0..0, not 1",
    ),
    "three inodes": (
        replace(GOOD, geometry=Geometry(nr_inodes=3)),
        "inodes must be 1..2, not 3",
    ),
    "huge": (
        replace(GOOD, max_errors=10**5000),
        "errors must be 0..2, not a number above 10^9",
    ),
    "hugely negative": (
        replace(GOOD, max_errors=-(10**5000)),
        "errors must be 0..2, not a number below -10^9",
    ),
    "truth value for a number": (
        replace(GOOD, max_errors=True),
        "errors must be a whole number 0..2",
    ),
    "truth value for the log": (
        replace(GOOD, log_transactions=False),
        "log must be a whole number 2..4; or 0 for a log that never fills",
    ),
    "plain number for the timer": (
        replace(GOOD, timer=cast("Timer", 2)),
        "timer must be never, once or free",
    ),
    "plain number for an operation": (
        with_ops(Op(cast("OpCode", 1), 0, 1)),
        "mount 1, task 1, operation 1: unknown operation",
    ),
    "number for a truth value": (
        replace(GOOD, data_err_abort=cast("bool", 1)),
        "data_err=abort must be true or false",
    ),
    "summary of two lines": (
        replace(GOOD, summary="a\nb"),
        "summary must be one line of printable text without end blanks",
    ),
    "no name": (
        replace(GOOD, name=""),
        "name must be 1..64 ASCII letters, digits, '-', '_' or '.'",
    ),
}


@given(scopes())
def test_valid_scopes_pass(scope: Scope) -> None:
    check_scope(scope)


@pytest.mark.parametrize(("scope", "message"), OUTSIDE.values(), ids=OUTSIDE.keys())
def test_outside_the_limits(scope: Scope, message: str) -> None:
    with pytest.raises(LimitError) as caught:
        check_scope(scope)
    assert str(caught.value) == message
    assert isinstance(caught.value, ValueError)


def test_format_refuses_what_it_could_not_read_back() -> None:
    with pytest.raises(LimitError):
        format_workload(replace(GOOD, name="two words"))
