"""What is outside the model's language is refused with file, line and reason."""

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from powercut.checkers.engine.errors import DeclarationError, LanguageError
from powercut.checkers.engine.lockstep import run_schedule
from powercut.checkers.engine.system import Build, System

HEAD = """
import functools
import math
from enum import IntEnum
from typing import Annotated

from powercut.model.language import Array, Bit, Byte, Len, Max, Path, Program, Struct, Thread


class Colour(IntEnum):
    RED = 1


class Conf(Struct):
    rounds: Byte


class Lock(Struct):
    owner: Byte


class Other(Struct):
    value: Byte


class Nowhere(Struct):
    value: Byte


class Bag(Struct):
    cell: Annotated[Array[int], Len(2), Max(3)]


class K(Struct):
    conf: Conf
    bag: Annotated[Array[Bag], Len(2)]
    lock: Annotated[Array[Lock], Len(2)]
    other: Other
    count: Byte
    cell: Annotated[Array[int], Len(3), Max(9)]


partial = functools.partial(int)


def helper(k: K, n: int) -> int:
    return n + k.count


def impure(k: K) -> int:
    k.count = 1
    return 1


def owner_of(k: K, lock: Lock) -> int:
    return lock.owner


def path(k: K, n: int) -> Path[int]:
    yield
    return n


def first_of(k: K, cells: Array[int]) -> Path[int]:
    yield
    return cells[0]


def other_of(k: K) -> Path[Other]:
    yield
    return k.other


"""

FOOT = """

PROGRAM = Program(K, (Thread("task", work),), constant="conf")
"""

# Bodies of a path `work(k, t)`, or whole functions; `# <-` marks the line that is refused.
BODIES = [
    # statements
    ("import os  # <-", "Import is outside the model's language"),
    ("global count  # <-", "Global is outside"),
    ("del k.count  # <-", "Delete is outside"),
    ("try:  # <-\n    k.count = 1\nfinally:\n    k.count = 2", "Try is outside"),
    ("with k.lock[0]:  # <-\n    pass", "With is outside"),
    ("raise ValueError  # <-", "Raise is outside"),
    ("def inner():  # <-\n    pass", "FunctionDef is outside"),
    ("class Inner:  # <-\n    pass", "ClassDef is outside"),
    ("match k.count:  # <-\n    case _:\n        pass", "Match is outside"),
    ("k.count  # <-", "an expression without effect"),
    # assignments
    ("a = b = 1  # <-", "assign to one target at a time"),
    ("a, b = 1, 2  # <-", "assign to a local or to a declared variable"),
    ("a: int  # <-", "a declared local needs a value"),
    ("a += 1  # <-", "'a' is not assigned yet"),
    ("k = 1  # <-", "the state root 'k' must not be assigned"),
    ("k.conf.rounds = 1  # <-", "k.conf.rounds is constant during a run"),
    ("k.lock[0] = 1  # <-", "k.lock[0] is not a number"),
    ("k.nothing = 1  # <-", "k.nothing is not declared"),
    ("k.count = k.lock[0]  # <-", "a number is expected here"),
    ("a = k.lock[k.count]\na = k.other  # <-", "k.other: a Lock is expected here"),
    ("a = k.count\na = k.other  # <-", "k.other: a number is expected here"),
    ("a = k.lock[k.count]\na += 1  # <-", "1: a Lock is expected here"),
    ("k.count = yield from path(k, 1)  # <-", "assign the result of a path to a local first"),
    # loops
    ("for i in [1, 2]:  # <-\n    pass", "a for loop runs over range(stop) or range(start, stop)"),
    ("for i in range(0, 9, 2):  # <-\n    pass", "a for loop runs over range"),
    ("for i, j in range(2):  # <-\n    pass", "write `for name in range(...)` without else"),
    ("for i in range(2):  # <-\n    pass\nelse:\n    pass", "without else"),
    ("while k.count:  # <-\n    pass\nelse:\n    pass", "a loop with else is outside"),
    ("for i in range(2):\n    i = 1  # <-", "the loop variable 'i' must not be assigned"),
    ("for i in range(2):\n    for i in range(2):  # <-\n        yield", "an outer loop has"),
    ("for i in range(2):\n    yield\nk.count = i  # <-", "'i' is read outside its loop"),
    ("for i in range(k.count):  # <-\n    yield", "needs an unchanging stop value"),
    ("n = 3\nfor i in range(n):  # <-\n    yield\n    n = 1", "needs an unchanging stop value"),
    ("for k in range(2):  # <-\n    pass", "the state root 'k' must not be assigned"),
    # expressions
    ("k.count = 1.5  # <-", "the constant 1.5 is not a small number"),
    ("k.count = None  # <-", "the constant None is not a small number"),
    ("x = 'text'  # <-", "the constant 'text' is not a small number"),
    ("k.count = k.count / 2  # <-", "Div is outside"),
    ("k.count /= 2  # <-", "Div is outside"),
    ("k.count = (\n    1\n    + k.count ** 2  # <-\n)", "Pow is outside"),
    ("k.count = k.count in k.cell  # <-", "In is outside"),
    ("k.count = k.lock[0] is k.lock[1]  # <-", "Is is outside"),
    ("k.count = +k.count  # <-", "UAdd is outside"),
    ("x = [1]  # <-", "List is outside"),
    ("x = {1: 2}  # <-", "Dict is outside"),
    ("x = [i for i in range(2)]  # <-", "ListComp is outside"),
    ("k.count = (n := 1)  # <-", "NamedExpr is outside"),
    ("x = lambda: 1  # <-", "Lambda is outside"),
    ("x = f'{k.count}'  # <-", "JoinedStr is outside"),
    ("k.count = k.cell[0:1]  # <-", "Slice is outside"),
    ("k.count = max(*k.cell)  # <-", "Starred is outside"),
    ("k.count = 0 < helper(k, 1) < 3  # <-", "a chained comparison must not call functions"),
    ("k.count = k.cell[3]  # <-", "k.cell[3]: index outside 0..2"),
    ("k.count = k.nothing  # <-", "K has no field 'nothing'"),
    ("k.count = k.count.real  # <-", "k.count is not a struct"),
    ("k.count = k.count[0]  # <-", "k.count is not an array"),
    ("k.count = nobody  # <-", "unknown name 'nobody'"),
    ("k.count = Colour.BLUE  # <-", "Colour has no member 'BLUE'"),
    ("k.count = k.lock[0] == k.lock[1]  # <-", "k.lock[0] is not a number"),
    ("if k.other:  # <-\n    pass", "k.other is not a number"),
    ("assert k.lock[0]  # <-", "k.lock[0] is not a number"),
    ("assert k.count, k.count  # <-", "the message of an assert is a plain string"),
    # calls
    ("k.count = len(k.cell)  # <-", "'len' is not a function of the model"),
    ("k.count = math.floor(1)  # <-", "call functions by name, with positional arguments"),
    ("k.count = helper(k, n=1)  # <-", "call functions by name, with positional arguments"),
    ("k.count = helper(k)  # <-", "helper takes 2 arguments"),
    ("k.count = helper(1, k)  # <-", "the first argument must be the state root 'k'"),
    ("k.count = helper(k, k.other)  # <-", "k.other: a number is expected here"),
    ("k.count = owner_of(k, k.other)  # <-", "k.other: a Lock is expected here"),
    ("k.count = owner_of(k, 1)  # <-", "1: a Lock is expected here"),
    ("k.count = max(1)  # <-", "max takes two arguments or more"),
    ("k.count = partial(k)  # <-", "'partial' is not a function of the model"),
    ("path(k, 1)  # <-", "path is a path: call it with `yield from`"),
    ("yield from helper(k, 1)  # <-", "helper has no yield: call it directly"),
    ("yield from path(1, k)  # <-", "the first argument must be the state root 'k'"),
    ("yield from path(k)  # <-", "path takes 2 arguments"),
    ("yield from path(k, k.other)  # <-", "k.other: a number is expected here"),
    ("yield from first_of(k, k.bag[k.count].cell)  # <-", "k.bag[k.count].cell: pass its struct"),
    ("yield from work(k, 1)  # <-", "work calls itself: recursion is not allowed"),
    # yields
    ("yield 1  # <-", "yield nothing, or `lambda: condition`"),
    ("yield lambda x: x  # <-", "yield nothing, or `lambda: condition`"),
    ("yield lambda *x: 1  # <-", "yield nothing, or `lambda: condition`"),
    ("x = yield  # <-", "yield must be a statement of its own or `x = yield from`"),
    ("if (yield):  # <-\n    pass", "yield must be a statement of its own"),
    ("yield from [1]  # <-", "`yield from` takes a call of another path"),
    ("yield lambda: k.lock[0]  # <-", "k.lock[0] is not a number"),
    ("yield lambda: impure(k)  # <-", "the condition of a wait must not change the state"),
]

FUNCTIONS = [
    ("async def work(k: K, t: int):  # <-\n    pass", "expected a plain function"),
    ("work = lambda k, t: 1  # <-", "expected a plain function"),
    ("def work(k: K, t: int):  # <-\n    pass", "a thread is a path of (state, thread number)"),
    ("def work(k: K):  # <-\n    yield", "a thread is a path of (state, thread number)"),
    ("def work(k: K, t: int = 0):  # <-\n    yield", "only plain positional parameters"),
    ("def work(*k: int):  # <-\n    yield", "only plain positional parameters"),
    ("def work():  # <-\n    yield", "the first parameter must be the state root"),
    (
        (
            "@functools.lru_cache\ndef cached(k: K) -> int:\n    return 1\n\n"
            "def work(k: K, t: int):\n    yield\n    k.count = cached(k)  # <-"
        ),
        "'cached' is not a function of the model",
    ),
    (
        (
            "def same(f):\n    return f\n\n@same\ndef marked(k: K) -> int:  # <-\n    return 1\n\n"
            "def work(k: K, t: int):\n    yield\n    k.count = marked(k)"
        ),
        "decorators are not allowed",
    ),
    (
        (
            "def wrong(k: K) -> Lock:\n    return k.other  # <-\n\n"
            "def work(k: K, t: int):\n    yield\n    k.count = wrong(k).owner"
        ),
        "k.other: a Lock is expected here",
    ),
    (
        (
            "def wrong(k: K, x: Nowhere) -> int:  # <-\n    return 1\n\n"
            "def work(k: K, t: int):\n    yield\n    k.count = wrong(k, k.other)"
        ),
        "no declared variable is a Nowhere",
    ),
    (
        (
            "def wrong(k: K) -> Path[Lock]:\n    yield\n    return k.count  # <-\n\n"
            "def work(k: K, t: int):\n    lock = yield from wrong(k)\n    lock.owner = 1"
        ),
        "k.count: a Lock is expected here",
    ),
    (
        (
            "def wrong(k: K) -> Path[int]:\n    yield\n    return  # <-\n\n"
            "def work(k: K, t: int):\n    n = yield from wrong(k)\n    k.count = n"
        ),
        "needs a value from this return",
    ),
    (
        (
            "def wrong(k: K) -> Path[int]:  # <-\n    yield\n    if k.count:\n        return 1\n\n"
            "def work(k: K, t: int):\n    n = yield from wrong(k)\n    k.count = n"
        ),
        "wrong can end without a value",
    ),
    (
        (
            "def wrong(k: K, n: int) -> Path[None]:\n    yield from work(k, n)  # <-\n\n"
            "def work(k: K, t: int):\n    yield from wrong(k, t)"
        ),
        "work calls itself: recursion is not allowed",
    ),
]


@pytest.fixture
def load(tmp_path: Path) -> Iterator["Loader"]:
    loader = Loader(tmp_path)
    yield loader
    sys.modules.pop("toy_source", None)


class Loader:
    """Writes and imports small modules, so that their source can be read back."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "toy_source.py"

    def __call__(self, text: str) -> ModuleType:
        self.path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location("toy_source", self.path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["toy_source"] = module
        spec.loader.exec_module(module)
        return module


def indent(body: str) -> str:
    return "\n".join(f"    {line}" for line in body.splitlines())


def refused(load: Loader, text: str, reason: str) -> None:
    line = next(n for n, each in enumerate(text.splitlines(), 1) if "# <-" in each)
    module = load(text)
    with pytest.raises(LanguageError) as caught:
        Build(module.PROGRAM, {})
    error = caught.value
    assert reason in error.reason
    assert error.line == line
    assert error.file == f"{load.path.parent.name}/toy_source.py"
    assert str(error) == f"{error.file}:{line}: {error.reason}"
    assert "\n" not in str(error)


@pytest.mark.parametrize(("body", "reason"), BODIES, ids=[body for body, _ in BODIES])
def test_refused_in_a_path(load: Loader, body: str, reason: str) -> None:
    text = f"{HEAD}def work(k: K, t: int):\n    yield\n{indent(body)}\n{FOOT}"
    refused(load, text, reason)


@pytest.mark.parametrize(("text", "reason"), FUNCTIONS, ids=[reason for _, reason in FUNCTIONS])
def test_refused_functions(load: Loader, text: str, reason: str) -> None:
    refused(load, f"{HEAD}{text}\n{FOOT}", reason)


PURE = "def work(k: K, t: int):\n    yield\n\ndef bad(k: K) -> int:\n    return k.count > 9\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def bad(k: K, n: int) -> int:\n    return n", "a predicate takes the state root"),
        ("def bad(k: K) -> int:\n    yield", "bad is a path"),
        ("def bad(k: K) -> int:\n    return impure(k)", "a predicate must not change the state"),
    ],
)
def test_refused_predicates(load: Loader, text: str, reason: str) -> None:
    module = load(f"{HEAD}{text}\n\n{PURE.partition(chr(10) * 2)[0]}\n{FOOT}")
    with pytest.raises(LanguageError, match=reason):
        Build(module.PROGRAM, {}, [module.bad])


def test_what_is_not_python_is_refused_as_predicate(load: Loader) -> None:
    module = load(f"{HEAD}{PURE}\n{FOOT}")
    with pytest.raises(LanguageError, match="is not a plain Python function"):
        Build(module.PROGRAM, {}, [len])
    build = Build(module.PROGRAM, {}, [module.bad])
    assert System(build, b"\0", bytes(build.layout.shared_size)).predicates[0](bytes(99)) == 0


def test_too_many_preemption_points(load: Loader) -> None:
    parts = "".join(
        f"def part{n}(k: K, t: int) -> Path[None]:\n" + f"    {call}\n" * 18 + "\n\n"
        for n, call in enumerate(["yield", *(f"yield from part{n}(k, t)" for n in range(3))])
    )
    module = load(f"{HEAD}{parts}def work(k: K, t: int):\n    yield from part3(k, t)\n\n{FOOT}")
    with pytest.raises(LanguageError, match="104976 preemption points; at most 65280"):
        Build(module.PROGRAM, {})


def test_what_the_language_allows(load: Loader) -> None:
    body = """
    "A docstring."
    lock = yield from first_lock(k)
    lock.owner = Colour.RED
    yield lambda: owner_of(k, lock) == Colour.RED  # as it should be
    k.count = 1 // 0 if k.count else ~k.count & 3
    assert k.count == 3, "a message"
    while k.count > k.conf.rounds:
        k.count -= 1
        pass
    yield
    """
    first = "def first_lock(k: K) -> Path[Lock]:\n    yield\n    return k.lock[0]\n\n\n"
    module = load(f"{HEAD}{first}def work(k: K, t: int):{body}\n{FOOT}")
    build = Build(module.PROGRAM, {})
    system = System(build, b"\1", bytes(build.layout.shared_size))
    states = run_schedule(system, system.initial, (0, 0, 0))
    assert system.place(states[1], 0).label == "as it should be"
    assert [system.view(state).count for state in states] == [0, 0, 1, 1]
    assert system.view(states[1]).lock[0].owner == 1
    assert system.is_finished(states[-1], 0)
    assert system.place(states[-1], 0).function == "finished"


THREADS = [
    ('Thread("a b", work)', "thread 'a b': a name of its own is needed"),
    ('Thread("task", work), Thread("task", work)', "thread 'task': a name of its own is needed"),
    ('Thread("task", work, "many")', "thread task: unknown dimension 'many'; known: few"),
    ('Thread("task", work, 256)', "256 threads; at most 255"),
    ('Thread("task", work, 2**32)', "4294967296 threads; at most 255"),
]


@pytest.mark.parametrize(("threads", "message"), THREADS)
def test_wrong_threads(load: Loader, threads: str, message: str) -> None:
    module = load(f"{HEAD}{PURE}\n\nPROGRAM = Program(K, ({threads},), constant='conf')\n")
    with pytest.raises(DeclarationError, match=message):
        Build(module.PROGRAM, {"few": 1})
