"""``check --audit``: a table of reductions, and an exit code that says whether one does harm."""

from dataclasses import replace

import pytest

from powercut.checkers import audit
from powercut.checkers.audit import REDUCTIONS
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.recovery import Disk, canonical
from powercut.model.scope import Geometry
from powercut.model.state import POLLUTION, ZERO
from powercut.verbs.audit import AUDIT_SCOPES
from tests.cli.support import Runner, assert_refused
from tests.tiers import every

AUDIT = ("check", "--audit", "--design", "seed", "--scope")


@pytest.mark.exhaustive
def test_nothing_differs(powercut: Runner) -> None:
    ended = powercut(*AUDIT, "eio-overwrite", "punch-folio", "--json")
    document = ended.document
    assert (ended.code, document["exit_code"], document["verdict"]) == (0, 0, "holds")
    assert document["schema"] == "powercut.audit/1"
    assert [row["name"] for row in document["reductions"]] == [r.name for r in REDUCTIONS]
    for row in document["reductions"]:
        assert (row["runs"], row["cut_short"], row["differences"]) == (2, 0, [])
        assert row["states"] > 100
    text = powercut(*AUDIT, "eio-overwrite")
    assert text.code == 0
    assert "every search exhausted: holds (exit code 0)" in text.out
    assert max(map(len, text.out.splitlines())) <= 100


@pytest.mark.exhaustive
def test_a_harmful_reduction(powercut: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def forgetful(disk: Disk, geometry: Geometry) -> Disk:
        found = canonical(disk, geometry)
        return replace(found, cells=tuple(ZERO if c == POLLUTION else c for c in found.cells))

    monkeypatch.setattr(audit, "canonical", forgetful)
    ended = powercut(*AUDIT, "eof-two-mounts")
    assert ended.code == 1
    assert "DIFFERS" in ended.out
    assert "seed eof-two-mounts: violated only without it: stale-data" in ended.out
    document = powercut(*AUDIT, "eof-two-mounts", "--json").document
    bad = [row["name"] for row in document["reductions"] if row["verdict"] == "violated"]
    assert bad == ["canonical-starts"]


LIMITS = [("--time-limit", "0.000001"), ("--max-states", "100")]


@pytest.mark.parametrize(("option", "value"), every(2, LIMITS))
def test_cut_short_is_inconclusive(powercut: Runner, option: str, value: str) -> None:
    limit = (option, value)
    ended = powercut(*AUDIT, "append-fsync", *limit, "--json")
    assert (ended.code, ended.document["verdict"]) == (3, "inconclusive")
    assert powercut(*AUDIT, "append-fsync", *limit).code == 3


@pytest.mark.exhaustive
def test_without_a_compiler_one_row_is_not_run(
    powercut: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    ended = powercut(*AUDIT, "eio-overwrite")
    assert ended.code == 0
    assert "pieces-in-c: not compared: no C compiler" in ended.out


def test_what_an_audit_has_no_use_for(powercut: Runner) -> None:
    for words in (("--swarm", "2"), ("--cluster", "local"), ("--engine", "c"), ("--jobs", "2")):
        assert_refused(powercut(*AUDIT, "eio-overwrite", *words), words[0], "audit")


def test_the_default_scopes_exist() -> None:
    assert set(AUDIT_SCOPES) <= SCOPES.keys()
