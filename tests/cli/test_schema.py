"""``powercut VERB --schema``: every document has a schema, and what is printed keeps it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cyclopts
import jsonschema
import pytest

from powercut.checkers.litmus import SHIPPED
from powercut.checkers.machines import search as searching
from powercut.documents.audit import AuditDocument
from powercut.documents.check import CheckDocument
from powercut.documents.document import Document
from powercut.documents.exam import ExamDocument, ExamGeneratedDocument
from powercut.documents.explore import ExploreDocument
from powercut.documents.fuzz import FuzzDocument, FuzzMutantsDocument
from powercut.documents.image import ImageDocument
from powercut.documents.kernel_conform import KernelConformDocument
from powercut.documents.kernel_log import KernelLogDocument
from powercut.documents.kernel_run import KernelRunDocument
from powercut.documents.list import ListDocument
from powercut.documents.litmus import LitmusDocument
from powercut.documents.locks import LocksDocument
from powercut.documents.locks_report import LocksReportDocument
from powercut.documents.protocol import ProtocolDocument
from powercut.documents.prove import ProveDocument, ProveWrongDocument
from powercut.documents.replay import ReplayDocument
from powercut.documents.schema import DOCUMENTS
from powercut.documents.sweep import SweepDocument
from powercut.documents.trace import (
    ConvertDocument,
    DiffDocument,
    MinimiseDocument,
    SchemaDocument,
    ShowDocument,
)
from powercut.verbs.signatures import app
from tests.cli.support import ROOT, Runner, assert_refused, typed
from tests.cli.test_fuzz import TINY
from tests.kernel.commits import change, disk
from tests.kernel.images import needs_e2fsprogs
from tests.kernel.logs import Logged, write_log
from tests.kernel.machines import BZIMAGE, FakeMachine, mark
from tests.traces.corpus import FOLDER

TRACE = FOLDER / "seed-eof-two-mounts-stale-data.trace.json"
SCRIPT = Path(__file__).parent / "walk.script"
LITMUS = ROOT / "properties/litmus/eof-wait-unsubmitted.litmus"
PUNCH = ("--design", "seed", "--scope", "append-fsync", "--jobs", "1")
CASES: list[tuple[type[Document], tuple[str | Path, ...]]] = [
    (CheckDocument, ("check", "--design", "seed", "--scope", "eof-truncate-up", "--jobs", "1")),
    (CheckDocument, ("check", *PUNCH, "--swarm", "2", "--max-states", "200")),
    (AuditDocument, ("check", *PUNCH[:-2], "--audit", "--max-states", "200")),
    (ProtocolDocument, ("check", ROOT / "examples/write_ahead_log.py")),
    (ExamDocument, ("exam", "--mutant", "cookie-unchecked", "--jobs", "1")),
    (ExploreDocument, ("explore", TRACE, "--script", SCRIPT)),
    (FuzzDocument, ("fuzz", "--design", "bh-ordered")),
    (ListDocument, ("list",)),
    (LitmusDocument, ("litmus", LITMUS, "--design", "seed", "--jobs", "1")),
    (LocksDocument, ("locks", ROOT / "tests/locks/demo.patch")),
    (LocksReportDocument, ("locks", "--report", ROOT / "tests/locks/hung.txt")),
    (ProveDocument, ("prove",)),
    (ProveWrongDocument, ("prove", "--wrong", "no-orphan")),
    (ReplayDocument, ("replay", TRACE, "missing.trace.json")),
    (ShowDocument, ("trace", "show", TRACE)),
    (MinimiseDocument, ("trace", "minimise", TRACE, "--max-runs", "1")),
    (DiffDocument, ("trace", "diff", TRACE, "--under", "bh-ordered")),
    (ConvertDocument, ("trace", "convert", TRACE)),
    (SchemaDocument, ("trace", "schema")),
]


def verbs(at: cyclopts.App, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every verb of the command line that does something, as its words."""
    below = [name for name in at if not name.startswith("-")]
    if not below:
        yield words
    for name in below:
        yield from verbs(at[name], (*words, name))


def schema(powercut: Runner, *verb: str) -> Any:
    """Return what ``--schema`` prints."""
    ended = powercut(*verb, "--schema")
    assert (ended.code, ended.err) == (0, "")
    return json.loads(ended.out)


def assert_kept(powercut: Runner, kind: type[Document], *argv: str | Path) -> None:
    """Assert that a command prints a document of this kind, which the verb's schema allows."""
    document = powercut(*argv, "--json").document
    assert kind in {type(found) for found in typed(document)}
    (verb,) = (verb for verb in DOCUMENTS if argv[: len(verb)] == verb)
    validator = jsonschema.Draft202012Validator(schema(powercut, *verb))
    validator.validate(document)
    for wrong in ({"schema": "powercut.other/1"}, {"exit_code": "0"}, {"verdict": None}):
        assert not validator.is_valid({**document, **wrong})


def test_every_verb_has_documents() -> None:
    assert set(verbs(app)) == set(DOCUMENTS)


def test_no_kind_of_document_is_left_out() -> None:
    there = {kind for kinds in DOCUMENTS.values() for kind in kinds}
    assert there == {kind for kind, _ in CASES} | {
        ExamGeneratedDocument,
        FuzzMutantsDocument,
        ImageDocument,
        KernelConformDocument,
        KernelLogDocument,
        KernelRunDocument,
        SweepDocument,
    }


@pytest.mark.parametrize("verb", DOCUMENTS, ids=" ".join)
def test_a_schema_is_one(powercut: Runner, verb: tuple[str, ...]) -> None:
    found = schema(powercut, *verb)
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["title"] == f"powercut {' '.join(verb)} --json"
    assert "--schema" in powercut(*verb, "--help").out


@pytest.mark.parametrize(("kind", "argv"), CASES, ids=[k.__name__ for k, _ in CASES])
def test_what_is_printed_keeps_the_schema(
    powercut: Runner,
    monkeypatch: pytest.MonkeyPatch,
    kind: type[Document],
    argv: tuple[str | Path, ...],
) -> None:
    monkeypatch.setitem(searching.PROFILES, "dev", TINY)
    if argv == ("prove",):  # cut short, which costs less and has the same keys
        stop = lambda *_: os.kill(os.getpid(), signal.SIGINT)  # noqa: E731
        monkeypatch.setattr("powercut.checkers.proof.ranks.explore", stop)
        monkeypatch.setattr("powercut.checkers.proof.theorems._decide_protocol", lambda *_: None)
    assert_kept(powercut, kind, *argv)


def test_the_document_of_generated_mistakes(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.verbs.exam_generated.seen_by_default", list)
    monkeypatch.setattr("powercut.verbs.exam_generated.judged", lambda *_, **__: iter(()))
    assert_kept(powercut, ExamGeneratedDocument, "exam", "--generate", "--sample", "2")


def test_the_document_of_a_search_for_a_mutant(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("powercut.verbs.fuzz.examine", lambda *_, **__: iter(()))
    assert_kept(powercut, FuzzMutantsDocument, "fuzz", "--mutant", "no-preflush")


@needs_e2fsprogs
def test_the_document_of_an_image(powercut: Runner, tmp_path: Path) -> None:
    assert_kept(powercut, ImageDocument, "image", TRACE, "-o", tmp_path / "x.img")


@needs_e2fsprogs
def test_the_document_of_a_log(powercut: Runner, tmp_path: Path) -> None:
    step = change(disk(2, "OOFF", used=0b1, blocks=1), disk(4, "OO11"))
    base, log = tmp_path / "base", tmp_path / "log"
    base.write_bytes(step.base)
    write_log(log, (*step.journal, Logged(flags=1), step.commit, *step.data))
    assert_kept(powercut, KernelLogDocument, "kernel", "log", base, log)


@needs_e2fsprogs
@pytest.mark.parametrize(
    ("kind", "verb", "more"),
    [
        (KernelRunDocument, "run", ("--finding", "zero-range-tail")),
        (KernelConformDocument, "conform", (SHIPPED / "generic-482.litmus",)),
    ],
)
def test_the_documents_of_a_real_kernel(
    powercut: Runner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    kind: type[Document],
    verb: str,
    more: tuple[str | Path, ...],
) -> None:
    machine = FakeMachine([lambda _, rounds: [mark(n, 0, 1) for n in rounds]])
    kernel = tmp_path / "vmlinuz"
    kernel.write_bytes(BZIMAGE)
    monkeypatch.setattr(f"powercut.verbs.kernel.{verb}.missing_machine", lambda: "")
    monkeypatch.setattr(f"powercut.verbs.kernel.{verb}.Machine", lambda: machine)
    assert_kept(powercut, kind, "kernel", verb, "--kernel", kernel, "--rounds", "2", *more)


def test_a_schema_needs_no_files(powercut: Runner) -> None:
    assert schema(powercut, "trace", "diff", "one", "--json") == schema(powercut, "trace", "diff")


def test_what_has_no_document_has_no_schema(powercut: Runner) -> None:
    assert_refused(powercut("trace", "--schema"), "trace", "--schema")
    assert_refused(powercut("chekc", "--schema"), "chekc")
    assert_refused(powercut("check", "--", "--schema"), "--schema")
