"""A wrong file: exit code 2, one line with file and line, nothing written beside it."""

from pathlib import Path

import pytest

from tests.cli.support import Runner, assert_refused, files_below
from tests.protocol.conftest import HEAD_LINES, Declare

P = "P = Protocol(Program(S, (Thread('t', work),)"

# What follows the head of a file, the line of it that is wrong (0: the whole file), words.
FILES: dict[str, tuple[str, int, str]] = {
    "no Python": ("def f(:\n", 1, "no Python: "),
    "outside a function": ("return 1\n", 1, "SyntaxError"),
    "no protocol": ("P = 1\n", 0, "declares no Protocol"),
    "raises": ("x = 1\nx / 0\n", 2, "ZeroDivisionError"),
    "leaves": ("raise SystemExit(0)\n", 1, "SystemExit"),
    "imports nothing": ("\nimport no_such_module\n", 2, "no_such_module"),
    "outside the language": (
        (
            "def bad(k: S, me: int) -> Path[None]:\n    yield\n    k.n = [1]\n"
            "P = Protocol(Program(S, (Thread('t', bad),)))\n"
        ),
        3,
        "List is outside the model's language",
    ),
    "no path": (f"{P.replace('work', 'never')}))\n", -1, "a thread is a path"),
    "unknown annotation": (
        "from __future__ import annotations\n",
        1,
        "from __future__ imports must occur",
    ),
    "annotation of nothing": (
        (
            "def bad(k: 'Nothing', me: int) -> Path[None]:\n    yield\n"
            "P = Protocol(Program(S, (Thread('t', bad),)))\n"
        ),
        1,
        "name 'Nothing' is not defined",
    ),
    "not declared": (
        f"def bad(k: S) -> int:\n    return k.m\n{P}), (Property('p', 'words', bad),))\n",
        2,
        "S has no field 'm'",
    ),
    "a property that writes": (
        (
            "def bad(k: S) -> int:\n    k.n = 1\n    return 0\n"
            f"{P}), (Property('p', 'words', bad),))\n"
        ),
        1,
        "must not change the state",
    ),
    "a property by lambda": (f"{P}), (Property('p', 'w', lambda k: 0),))\n", 1, "plain function"),
    "field without a range": (
        (
            "class R(Struct):\n    a: Bit\n    b: int\n"
            "def w(k: R, me: int) -> Path[None]:\n    yield\n"
            "P = Protocol(Program(R, (Thread('t', w),)))\n"
        ),
        3,
        "R.b: a number needs",
    ),
    "unknown dimension": (
        (
            "class R(Struct):\n    a: Annotated[Array[Bit], Len('n')]\n"
            "def w(k: R, me: int) -> Path[None]:\n    yield\n"
            "P = Protocol(Program(R, (Thread('t', w),)), dims={'m': 1})\n"
        ),
        2,
        "unknown dimension 'n'",
    ),
    "unknown projection": (f"{P}, projected='m'))\n", -8, "S has no field 'm'"),
    "no tuple": (f"\n{P}), [Property('p', 'w', never)])\n", 2, "properties is a tuple of Property"),
    "no program": ("P = Protocol(S)\n", 1, "program is a Program"),
    "no threads": ("P = Protocol(Program(S, ()))\n", 1, "at least one"),
    "two of a name": (
        f"{P}), (Property('p', 'w', never), Property('p', 'w', never)))\n",
        1,
        "two properties",
    ),
    "a name that is taken": (f"{P}), (Property('deadlock', 'w', never),))\n", 1, "deadlock"),
    "a name of words": (f"{P}), (Property('Two words', 'w', never),))\n", 1, "small letters"),
    "no statement": (f"{P}), (Property('p', '', never),))\n", 1, "needs a statement"),
    "no check": (f"{P}), (Property('p', 'w', 3),))\n", 1, "needs a check"),
    "size of another kind": (f"{P}), dims={{'n': True}})\n", 1, "dims is names with"),
    "nothing survives": (
        f"{P}), crash_properties=(Property('p', 'w', never),))\n",
        1,
        "nothing survives",
    ),
    "recovery of two": (
        f"def r(k: S, n: int) -> None:\n    k.n = 1\n{P}, projected='kept'), recover=r)\n",
        1,
        "recovery takes the state root",
    ),
    "recovery outside the language": (
        f"def r(k: S) -> None:\n    k.n = len([])\n{P}, projected='kept'), recover=r)\n",
        2,
        "outside the model's language",
    ),
    "setup out of range": (f"def s(k: S) -> None:\n    k.n = 4\n{P}), setup=s)\n", 2, "RangeError"),
    "setup of nothing": (f"def s(k: S) -> None:\n    k.m = 4\n{P}), setup=s)\n", 2, "no field 'm'"),
    "fails before it starts": (
        (
            "def w(k: S, me: int) -> Path[None]:\n    assert k.n\n    yield\n"
            "P = Protocol(Program(S, (Thread('t', w),)))\n"
        ),
        4,
        "put a yield before what fails",
    ),
    "a property that fails": (
        (
            "class R(Struct):\n    i: Byte\n    a: Annotated[Array[Bit], Len(2)]\n"
            "def w(k: R, me: int) -> Path[None]:\n    yield\n    k.i = 9\n"
            "def bad(k: R) -> int:\n    return k.a[k.i]\n"
            "P = Protocol(Program(R, (Thread('t', w),)), (Property('p', 'w', bad),))\n"
        ),
        0,
        "own.py:19: k.a[k.i]: index 9 outside 0..1",
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_wrong_file(name: str, declare: Declare, powercut: Runner) -> None:
    text, line, words = FILES[name]
    path = declare(text)
    before = files_below(path.parent)
    place = f"{path}:{line + HEAD_LINES}: " if line else f"{path}: "
    assert_refused(powercut("check", path), place, words)
    assert files_below(path.parent) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "No such file"), (b"\xff\xfe", "UTF-8"), (b"a\0b", "no Python"), (b"", "no Protocol")],
)
def test_no_file_of_text(
    tmp_path: Path, powercut: Runner, content: bytes | None, words: str
) -> None:
    path = tmp_path / "own.py"
    if content is not None:
        path.write_bytes(content)
    assert_refused(powercut("check", path), str(path), words)


def test_a_folder(tmp_path: Path, powercut: Runner) -> None:
    assert_refused(powercut("check", tmp_path), "directory")


OPTIONS = [
    ("--design", "seed"),
    ("--scope", "append-fsync"),
    ("--workload", "x.workload"),
    ("--property", "deadlock"),
    ("--mutant", "no-eof-wait"),
    ("--save-traces", "out"),
    ("--jobs", "2"),
    ("--cluster", "local"),
    ("--swarm", "2"),
    ("--seed", "2"),
    ("--audit",),
    ("--compact",),
]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option[0])
def test_an_option_about_ext4(option: tuple[str, ...], declare: Declare, powercut: Runner) -> None:
    path = declare(f"{P}))\n")
    words = f"{option[0]}: a protocol of your own has no use for it; leave it out"
    assert_refused(powercut("check", path, *option), words)
    assert powercut("check", path).code == 0


@pytest.mark.parametrize(
    "option",
    [("--engine", "d"), ("--max-states", "0"), ("--max-memory", "0"), ("--time-limit", "nan")],
)
def test_an_option_that_makes_no_sense(
    option: tuple[str, ...], declare: Declare, powercut: Runner
) -> None:
    assert_refused(powercut("check", declare(f"{P}))\n"), *option), option[0])
