"""Numbers: generated expressions on random states, negative intermediate values included.

What C answers is what Python answers; what Python rejects, C leaves to Python.
"""

import importlib.util
import random
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from powercut.checkers.engine.errors import STEP_ERRORS, EngineError
from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import CBreadthFirst, c_step
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.system import Build, System
from powercut.model.language import ASSERTION

HEAD = """
from typing import Annotated
from powercut.model.language import Array, Byte, Len, Max, Path, Program, Struct, Thread

class Box(Struct):
    value: Byte

class State(Struct):
    a: Byte
    b: Byte
    c: Byte
    cell: Annotated[Array[int], Len(4), Max(255)]
    box: Annotated[Array[Box], Len(3)]
    out: Byte

def bump(k: State, n: int) -> int:
    k.c = (k.c + n) & 255
    return k.c - 100

def look(k: State, n: int) -> int:
    i = 0
    while i < 5:
        if k.cell[i % 4] == n:
            return i
        i += 1
    for j in range(n, 3):
        i = i - j
    return -i
"""
BINARY = ("+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>")
COMPARED = ("==", "!=", "<", "<=", ">", ">=")


def expression(chance: random.Random, depth: int) -> str:
    """Return a random expression of the model's language."""
    kind = chance.randrange(12) if depth else chance.randrange(3)

    def inner() -> str:
        return expression(chance, depth - 1)

    if kind == 0:
        return str(chance.choice((0, 1, 2, 3, 7, 200, 255)))
    if kind <= 2:
        return chance.choice(("k.a", "k.b", "k.c", "x", "y", "k.cell[2]", "box.value"))
    if kind <= 5:
        return f"({inner()} {chance.choice(BINARY)} {inner()})"
    if kind == 6:
        return f"({inner()} {chance.choice(COMPARED)} {inner()})"
    if kind == 7:
        return f"({inner()} {chance.choice(('and', 'or'))} {inner()} or {inner()})"
    if kind == 8:
        return f"({chance.choice(('-', '~', 'not '))}{inner()})"
    if kind == 9:
        return f"({inner()} if {inner()} else {inner()})"
    if kind == 10:
        return f"{chance.choice(('min', 'max'))}({inner()}, {inner()}, {inner()})"
    if chance.randrange(3) == 0:
        return f"k.cell[x * 0 + {inner()}]"
    return f"{chance.choice(('bump', 'look'))}(k, {inner()})"


def statements(chance: random.Random) -> list[str]:
    """Return a few statements that use random expressions."""
    lines = ["x = k.a - k.b", "y = 3", f"box = k.box[k.a % {chance.choice((2, 3, 4))}]"]
    lines.append(f"x = {expression(chance, 2)}")
    if chance.randrange(2):
        lines += [f"if {expression(chance, 2)}:", f"    y = {expression(chance, 2)}"]
    if chance.randrange(3) == 0:
        lines += [f"k.cell[x * 0 + {expression(chance, 1)}] += {expression(chance, 1)}"]
    if chance.randrange(3) == 0:
        lines += [f"assert {expression(chance, 1)} != 3"]
    value = expression(chance, 3)
    lines.append(f"k.out = {value}" if chance.randrange(3) == 0 else f"k.out = ({value}) & 255")
    return lines


def module_of(text: str, folder: Path) -> ModuleType:
    """Import ``text``; the language reads functions from their file."""
    path = folder / "generated_program.py"
    path.write_text(text, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(f"generated_{abs(hash(folder))}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def many_threads(chance: random.Random, count: int) -> str:
    """Return a program with ``count`` kinds of threads, one step each."""
    text = [HEAD]
    for n in range(count):
        body = "".join(f"    {line}\n" for line in statements(chance))
        text.append(f"def path{n}(k: State, t: int) -> Path[None]:\n    yield\n{body}")
    kinds = ", ".join(f'Thread("t{n}", path{n})' for n in range(count))
    text.append(f"PROGRAM = Program(State, ({kinds},))\n")
    return "\n".join(text)


@pytest.mark.parametrize("checked", [False, True])
def test_random_expressions(tmp_path: Path, checked: bool) -> None:
    chance = random.Random(5)
    program = module_of(many_threads(chance, 80), tmp_path).PROGRAM
    build = Build(program, {}, checked=checked)
    system = System(build, b"", bytes(build.layout.shared_size))
    answered = left = needless = 0
    for _ in range(150):
        values = bytes(
            chance.choice((0, 1, 2, 3, 255, chance.randrange(256)))
            for _ in range(build.layout.shared_size)
        )
        state = values + system.initial[build.layout.shared_size :]
        for thread in range(len(system.threads)):
            expected: bytes | None = None
            with suppress(*STEP_ERRORS):
                expected = system.step(state, thread)
            try:
                ours = c_step(system, state, thread)
            except EngineError:
                left += 1
                needless += expected is not None
                continue
            assert ours == expected, system.threads[thread].name
            answered += 1
    assert answered > left > needless
    assert needless < answered / 10


LONG = """
from powercut.model.language import Byte, Path, Program, Struct, Thread

class State(Struct):
    a: Byte
    out: Byte

def rounds(k: State, t: int) -> Path[None]:
    n = 0
    total = 0
    yield
    while n < 900 - k.a:
        n += 1
        if n > 5000:
            yield
        total = (total + n) & 127
    k.out = total

def deep(k: State, t: int) -> Path[None]:
    yield
    n = 1
    while k.out < 200:
        n = n * 3
        if n > 1000000000000000000000:
            k.out = 201
        else:
            k.out = k.out & 1

PROGRAM = Program(State, (Thread("rounds", rounds), Thread("deep", deep)))
"""


def test_what_c_cannot_do_python_does(tmp_path: Path) -> None:
    program = module_of(LONG, tmp_path).PROGRAM
    build = Build(program, {})
    system = System(build, b"", bytes(build.layout.shared_size))
    with pytest.raises(EngineError):
        c_step(system, system.initial, 1)
    outcome = CBreadthFirst(system, Watch(), Limits()).run()
    assert outcome.exhaustive
    assert set(outcome.found) <= {ASSERTION}


STRAY = (
    HEAD
    + """
def stray(k: State, t: int) -> Path[None]:
    yield
    box = k.box[k.a]
    yield
    k.out = box.value + 1

PROGRAM = Program(State, (Thread("stray", stray),))
"""
)


@pytest.mark.parametrize("index", [0, 2, 3, 255])
def test_a_pointer_outside_its_array_cannot_be_kept(tmp_path: Path, index: int) -> None:
    build = Build(module_of(STRAY, tmp_path).PROGRAM, {})
    system = System(build, b"", bytes([index]) + bytes(build.layout.shared_size - 1))
    outcomes = [search(system, Watch(), Limits()).run() for search in (BreadthFirst, CBreadthFirst)]
    assert replace(outcomes[0], seconds=0) == replace(outcomes[1], seconds=0)
    assert set(outcomes[1].found) == ({ASSERTION} if index > 2 else set())
