"""Declared state: where it lies, what is refused, and views that check every access."""

import re
from typing import Annotated, Any

import pytest

from powercut.checkers.engine.errors import DeclarationError, RangeError
from powercut.checkers.engine.layout import Layout
from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.depth import DepthFirst
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.strategy import Walk
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.engine.system import Build, System
from powercut.model.language import (
    ASSERTION,
    Array,
    Bit,
    Byte,
    Len,
    Max,
    Path,
    Program,
    Struct,
    Thread,
)


class Inner(Struct):
    low: Bit
    many: Annotated[Array[Byte], Len(2)]


class Conf(Struct):
    switch: Bit
    table: Annotated[Array[int], Len("n"), Max(7)]


class Kept(Struct):
    block: Annotated[Array[int], Len("n"), Max("top")]


class Root(Struct):
    kept: Kept
    conf: Conf
    inner: Annotated[Array[Inner], Len(2)]
    number: Annotated[int, Max("top")]


DIMS = {"n": 3, "top": 5}


def layout() -> Layout:
    return Layout(Root, DIMS, constant="conf", projected="kept")


def test_the_projected_part_is_one_slice_at_the_end() -> None:
    laid = layout()
    assert laid.names() == [
        "inner[0].low",
        "inner[0].many[0]",
        "inner[0].many[1]",
        "inner[1].low",
        "inner[1].many[0]",
        "inner[1].many[1]",
        "number",
        "kept.block[0]",
        "kept.block[1]",
        "kept.block[2]",
    ]
    assert laid.shared_size == 10
    assert laid.projected == slice(7, 10)
    assert laid.constant_size == 4


def test_without_special_parts() -> None:
    laid = Layout(Inner, {})
    assert laid.shared_size == 3
    assert laid.projected == slice(0, 0)
    assert laid.constant_size == 0


def test_views_read_and_write_the_bytes() -> None:
    shared = bytearray(10)
    view = layout().view(shared, b"\1\5\6\7")
    view.number = 5
    view.inner[1].many[1] = 255
    view.kept.block[2] = 4
    assert bytes(shared) == bytes([0, 0, 0, 0, 0, 255, 5, 0, 0, 4])
    assert view.inner[1].many[1] == 255
    assert view.conf.switch == 1
    assert [view.conf.table[i] for i in range(3)] == [5, 6, 7]
    assert len(view.inner) == 2


def set_number(view: Any) -> None:
    view.number = 6


def set_negative(view: Any) -> None:
    view.number = -1


def set_element(view: Any) -> None:
    view.kept.block[0] = 6


def set_nested(view: Any) -> None:
    view.inner[1].low = 2


def set_behind(view: Any) -> None:
    view.kept.block[3] = 1


def get_before(view: Any) -> None:
    view.inner[-1]


def set_struct(view: Any) -> None:
    view.inner[0] = 1


@pytest.mark.parametrize(
    ("access", "message"),
    [
        (set_number, "number = 6: outside 0..5"),
        (set_negative, "number = -1: outside 0..5"),
        (set_element, "kept.block[0] = 6: outside 0..5"),
        (set_nested, "inner[1].low = 2: outside 0..1"),
        (set_behind, "kept.block[3]: index outside 0..2"),
        (get_before, "inner[-1]: index outside 0..1"),
        (set_struct, "inner[0] is not a number"),
    ],
)
def test_views_check_ranges(access: Any, message: str) -> None:
    shared = bytearray(10)
    with pytest.raises(RangeError) as caught:
        access(layout().view(shared, bytes(4)))
    assert str(caught.value) == message
    assert bytes(shared) == bytes(10)


def test_views_know_their_fields() -> None:
    view = layout().view(bytearray(10), bytes(4))
    with pytest.raises(AttributeError, match="Root has no field 'nothing'"):
        _ = view.nothing
    with pytest.raises(AttributeError, match="Root has no field 'nothing'"):
        view.nothing = 1
    with pytest.raises(TypeError):
        view.conf.switch = 1


class Unbounded(Struct):
    x: int


class TooLarge(Struct):
    x: Annotated[int, Max(256)]


class Unmeasured(Struct):
    x: Array[int]


class NegativeLength(Struct):
    x: Annotated[Array[int], Len(-1)]


class Endless(Struct):
    x: Annotated[Array[Bit], Len(2**32)]


class ManyTimesMany(Struct):
    x: Annotated[Array[Inner], Len(0xFFFF)]


class NamesNoDimension(Struct):
    x: Annotated[int, Max("nowhere")]


class NotANumber(Struct):
    x: str


class Nested(Struct):
    x: Annotated[Array[Annotated[Array[int], Len(2)]], Len(2)]


class Selfish(Struct):
    x: "Selfish"


class Ping(Struct):
    x: "Pong"


class Pong(Struct):
    x: Ping


class AroundPing(Struct):
    x: Ping


class Private(Struct):
    _x: Bit


class Unknown(Struct):
    x: "Nobody"  # type: ignore[name-defined]  # noqa: F821


class Twice(Struct):
    conf: Inner
    inner: Inner


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (Unbounded, "Unbounded.x: a number needs Annotated"),
        (TooLarge, "TooLarge.x: a number needs .* n <= 255"),
        (Unmeasured, "Unmeasured.x: an array needs"),
        (NegativeLength, "NegativeLength.x: an array of length -1"),
        (Endless, "Endless.x: an array of length 4294967296; at most 65535 bytes"),
        (ManyTimesMany, "ManyTimesMany.x: an array of length 65535; at most 65535 bytes"),
        (NamesNoDimension, "NamesNoDimension.x: unknown dimension 'nowhere'; known: n, top"),
        (NotANumber, "NotANumber.x: .* is neither a number, a struct nor an array"),
        (Nested, "Nested.x: an array of arrays"),
        (Selfish, "Selfish contains itself"),
        (AroundPing, "Ping contains itself"),
        (Private, "Private._x: a field must not start with '_'"),
        (Unknown, "Unknown: name 'Nobody' is not defined"),
    ],
)
def test_wrong_declarations(root: type[Struct], message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Layout(root, DIMS)


@pytest.mark.parametrize(
    ("constant", "projected", "message"),
    [
        ("nothing", "", "Root has no field 'nothing'"),
        ("", "nothing", "Root has no field 'nothing'"),
        ("number", "", "Root.number: the constant part is a struct"),
        ("inner", "", "Root.inner: the constant part is a struct"),
    ],
)
def test_wrong_special_parts(constant: str, projected: str, message: str) -> None:
    with pytest.raises(DeclarationError, match=message):
        Layout(Root, DIMS, constant=constant, projected=projected)


def test_a_struct_is_constant_or_state() -> None:
    with pytest.raises(DeclarationError, match="Inner is used both as constant and as state"):
        Layout(Twice, {}, constant="conf")


class Checked(Struct):
    wide: Byte
    narrow: Annotated[int, Max(3)]
    cell: Annotated[Array[Bit], Len(2)]


def store(k: Checked, t: int) -> Path[None]:
    yield
    k.narrow = k.wide


def index(k: Checked, t: int) -> Path[None]:
    yield
    k.narrow = k.cell[k.wide]


def store_at(k: Checked, t: int) -> Path[None]:
    yield
    k.cell[k.wide - 5] = 1


def augment(k: Checked, t: int) -> Path[None]:
    yield
    k.narrow -= 1


def wait_for(k: Checked, t: int) -> Path[None]:
    yield lambda: k.cell[k.wide]


def keep(k: Checked, t: int) -> Path[None]:
    yield
    lower = k.narrow - 1
    yield
    k.narrow = lower + 1


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (store, r"engine/test_layout.py:\d+: k.narrow = 4: outside 0..3"),
        (index, r"engine/test_layout.py:\d+: k.cell\[k.wide\]: index 4 outside 0..1"),
        (store_at, r"engine/test_layout.py:\d+: k.cell\[k.wide - 5\]: index -1 outside 0..1"),
        (augment, r"engine/test_layout.py:\d+: k.narrow = -1: outside 0..3"),
        (wait_for, r"engine/test_layout.py:\d+: k.cell\[k.wide\]: index 4 outside 0..1"),
        (keep, "local lower of task = -1: outside 0..255"),
    ],
)
def test_a_checked_build_checks_ranges(path: Any, message: str) -> None:
    build = Build(Program(Checked, (Thread("task", path),)), {}, checked=True)
    system = System(build, b"", bytes([4, 0, 0, 0]))
    with pytest.raises(RangeError, match=message):
        run_schedule(system, system.initial, (0,))
    outcomes = [
        BreadthFirst(system, Watch(), Limits()).run(),
        DepthFirst(system, Watch(), Limits()).run(),
        RandomWalks(system, Watch(), Limits(), [system.initial], Walk(1, 1)).run(),
    ]
    for outcome in outcomes:
        assert set(outcome.found) == {ASSERTION}
        assert re.search(message, outcome.found[ASSERTION].detail)
