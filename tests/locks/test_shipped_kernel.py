"""A released kernel is right until somebody shows otherwise: what is not listed is not reported.

The sources are not part of the project: ``POWERCUT_LINUX`` names a folder with them.
"""

import os
from pathlib import Path

import pytest

from powercut.checkers.locks.csource.analyse import analyse_path
from powercut.checkers.locks.documented import ACCEPTED, CONTRADICTS, documented_acceptances
from powercut.checkers.locks.report import Report, report_on_source

LINUX = os.environ.get("POWERCUT_LINUX", "")


def report_on(folder: str) -> Report:
    path = Path(LINUX) / folder
    if not LINUX or not path.is_dir():
        pytest.skip("POWERCUT_LINUX names no kernel source")
    return report_on_source(folder, analyse_path(path))


@pytest.mark.exhaustive
@pytest.mark.parametrize("folder", ["fs/ext4", "fs/jbd2", "fs/iomap"])
def test_no_mistake_and_no_contradiction_but_those_with_a_reason(folder: str) -> None:
    report = report_on(folder)
    assert report.source is not None
    assert report.source.mistakes == []
    assert [c for c in report.contradictions if c.kind == CONTRADICTS] == []


@pytest.mark.exhaustive
def test_every_reason_is_about_something() -> None:
    found = [c for c in report_on("fs/ext4").contradictions if c.kind == ACCEPTED]
    assert {function for c in found for function in c.seen.holders} == {
        one.function for one in documented_acceptances()
    }
