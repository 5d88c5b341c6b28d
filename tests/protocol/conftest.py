"""Fixtures: a runner, and a place for files that declare protocols."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.support import Runner

Declare = Callable[..., Path]

HEAD = """from typing import Annotated
from powercut.model.language import *
class S(Struct):
    n: Annotated[int, Max(3)]
    kept: Bit
def work(k: S, me: int) -> Path[None]:
    yield  # count
    k.n += 1
    k.kept = 1
def never(k: S) -> int:
    return k.n > 3
"""
HEAD_LINES = len(HEAD.splitlines())


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run commands in this process."""
    return Runner(capsys)


@pytest.fixture
def declare(tmp_path: Path) -> Declare:
    """Write a file: ``HEAD`` (a state, a path, a property) and what is given."""

    def write(text: str, *, head: str = HEAD) -> Path:
        path = tmp_path / "own.py"
        path.write_text(head + text, encoding="utf-8")
        return path

    return write
