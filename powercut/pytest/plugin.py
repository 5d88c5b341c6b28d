"""The pytest plugin: collects litmus files and traces, and offers the fixture ``powercut``.

Why so: pytest imports every installed plugin at every start, wherever it runs, so this module has
nothing but hooks, and what they need is imported when there is a file to collect or a test that
asks for the fixture.  A project without such files is collected exactly as before.
Rejected: a marker or a base class in the user's tests (the files would need a Python file each).
"""

from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from powercut.pytest.shared import DESIGNS, SCENARIOS
from powercut.reading import Unreadable, read_bytes

if TYPE_CHECKING:
    from powercut.pytest.fixture import Scenarios

LITMUS = ".litmus"
TRACE = ".trace.json"
COLLECT = "powercut_collect"
_PEEKED_BYTES = 4 * 1024 * 1024  # the largest trace
_SCHEMA = b'"powercut.trace'


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the ini setting."""
    group = parser.getgroup("powercut", "powercut: litmus tests and traces")
    group.addoption(
        "--powercut-design",
        action="append",
        default=[],
        dest=DESIGNS,
        metavar="NAME",
        help="run litmus files and traces of this design only (may be repeated)",
    )
    group.addoption(
        "--no-powercut",
        action="store_true",
        dest="no_powercut",
        help="collect no *.litmus and *.trace.json files",
    )
    parser.addini(
        COLLECT, "collect *.litmus and *.trace.json files (default: true)", "bool", default=True
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse a design that does not exist."""
    if not config.getoption(DESIGNS):
        return
    from powercut.model import designs

    for name in config.getoption(DESIGNS):
        if name not in designs.DESIGNS:
            known = ", ".join(designs.DESIGNS)
            raise pytest.UsageError(f'--powercut-design: unknown design "{name}"; known: {known}')


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect litmus files, and those ``*.trace.json`` files that are ours."""
    if not file_path.name.endswith((LITMUS, TRACE)):
        return None
    config = parent.config
    if config.getoption("no_powercut") or not config.getini(COLLECT):
        return None
    from powercut.pytest import items as pytest_items

    if file_path.name.endswith(LITMUS):
        return pytest_items.LitmusFile.from_parent(parent, path=file_path)
    if is_foreign(file_path):
        return None
    return pytest_items.TraceFile.from_parent(parent, path=file_path)


def is_foreign(path: Path) -> bool:
    """Tell whether a ``*.trace.json`` file is some other program's.

    It begins like JSON and names no schema of ours anywhere (keys come in any order); a file that
    is not even that is damaged, and is collected so that somebody hears of it.
    """
    try:
        content = read_bytes(path, _PEEKED_BYTES, pipes=False)
    except Unreadable:
        return False
    return content.lstrip()[:1] in (b"{", b"[") and _SCHEMA not in content


@pytest.fixture
def powercut(request: pytest.FixtureRequest) -> "Scenarios":
    """Explore workloads with a power cut at every step: ``powercut.run(text, design="seed")``."""
    from powercut.pytest.fixture import Scenarios

    return Scenarios(request.node)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the drawn runs of a failed test into its report, unless the failure shows them."""
    report = yield
    if report.when == "call" and report.failed:
        failure = call.excinfo.exconly() if call.excinfo else ""
        parts = [part for run in item.stash.get(SCENARIOS, []) for part in run.sections()]
        report.sections += [part for part in parts if part[1].rstrip() not in failure]
    return report
