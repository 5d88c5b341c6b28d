"""One root for every error: what it says, how a command ends, and that it survives a pipe."""

import ast
import pickle
from pathlib import Path

import pytest

from powercut.checkers.engine.errors import EngineError, LanguageError, RangeError
from powercut.checkers.locks.errors import LocksError
from powercut.checkers.traces.errors import TraceError, TraceMismatch
from powercut.checkers.workload import LimitError, Place, WorkloadError
from powercut.errors import (
    BAD_INPUT,
    INTERNAL,
    InputError,
    InternalError,
    MissingExtraError,
    PowercutError,
)
from powercut.explore.session import CommandError
from tests.cli.support import ROOT

PLACE = Place("a.workload", 3, 7)
ERRORS = [
    InputError("no such file", "give another name", place="--output"),
    MissingExtraError("--cluster", "Dask distributed", "cluster"),
    InternalError("lost", "Traceback"),
    WorkloadError(PLACE, "expected a number"),
    LimitError("timer", "timer must be never, once or free"),
    TraceError("a.trace.json", "$.epochs", "expected a list"),
    TraceMismatch("a.trace.json", "$.epochs[0]", "nobody can run"),
    LocksError("a.c:3", "no function"),
    CommandError("there is no pane"),
    LanguageError("model/jbd2.py", 12, "no lambda"),
    RangeError("model/jbd2.py:12"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_a_pipe(error: PowercutError) -> None:
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert (str(copy), vars(copy)) == (str(error), vars(error))
    assert copy.to_json() == error.to_json()


def test_an_error_as_json() -> None:
    assert ERRORS[0].to_json() == {
        "error": "InputError",
        "place": "--output",
        "message": "no such file",
        "remedy": "give another name",
        "exit_code": 2,
    }
    assert ERRORS[3].to_json()["place"] == "a.workload:3:7"
    assert ERRORS[2].to_json()["remedy"] is None


def test_an_error_as_text() -> None:
    assert str(ERRORS[0]) == "--output: no such file; give another name"
    assert str(ERRORS[1]).endswith('; pip install "powercut[cluster]"')
    assert str(InputError("bad\nname")) == r"bad\nname"


def test_what_is_wrong_with_the_input_is_not_taken_for_a_bug() -> None:
    codes = {type(error): error.exit_code for error in ERRORS}
    bugs = {kind for kind, code in codes.items() if code == INTERNAL}
    assert bugs == {InternalError, LanguageError, RangeError}
    assert set(codes.values()) == {BAD_INPUT, INTERNAL}


PUBLIC = [kind for kind in EngineError.__subclasses__() if not kind.__name__.startswith("_")]


@pytest.mark.parametrize("kind", PUBLIC, ids=lambda kind: kind.__name__)
def test_every_mistake_in_a_model_has_a_remedy(kind: type[EngineError]) -> None:
    assert kind.remedy


def roots(folder: Path) -> set[str]:
    """Exception classes below folder that stand beside the root, by name."""
    return {
        node.name
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ClassDef) and node.bases
        if {ast.unparse(base) for base in node.bases} <= {"Exception", "ValueError", "RuntimeError"}
    }


def test_there_is_one_root() -> None:
    found = set().union(*map(roots, map(ROOT.joinpath, ("model", "properties", "checkers"))))
    found |= roots(ROOT / "powercut")
    assert found == {"PowercutError", "ImageError"}  # the reader of a trace catches the second
