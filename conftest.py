"""What all tests share: examples that repeat, tiers, and a budget for each test of the fast tier.

``tests/README.md`` says what belongs to which tier.

Why so: it is the folder of the project, not ``tests/``, because the litmus files are collected from
``properties/litmus``, and are parted among the tiers here.
Rejected: a limit of wall-clock time (a busy machine breaks it, and it says nothing about the cost),
and a folder a tier (what a family of cases shares would be torn apart).
"""

import contextlib
import io
import time
from collections.abc import Generator

import pytest
from hypothesis import settings

BUDGET_S = 8.0
"""Processor time of this process that the call of a fast test may take."""

TIERS = ("exhaustive", "quality")
LITMUS = ".litmus"

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Part the litmus files among the tiers, and see that a test belongs to one tier only."""
    for item in items:
        if item.path.suffix == LITMUS and not is_in_turn(item):
            item.add_marker("exhaustive")
        if len(tiers := [name for name in TIERS if item.get_closest_marker(name)]) > 1:
            raise pytest.UsageError(f"{item.nodeid}: in two tiers: {', '.join(tiers)}")


def is_in_turn(item: pytest.Item) -> bool:
    """Whether it is this item's turn: the nth file of a folder is fast under its nth design.

    Every file has its turn, and each pair of a file and a design is in one tier.
    """
    litmus = getattr(item, "litmus", None)
    if litmus is None:  # a file that cannot be read
        return True
    number = sorted(item.path.parent.glob(f"*{LITMUS}")).index(item.path)
    return bool(item.name == litmus.designs[number % len(litmus.designs)])


@pytest.fixture(scope="session", autouse=True)
def translated(request: pytest.FixtureRequest) -> None:
    """Translate the model once before the tests of a process, if several may need it.

    Otherwise the first of them would pay for all, and break its budget.
    """
    if len({item.path for item in request.session.items}) < 2:
        return
    from powercut import cli

    argv = ["check", "--design", "seed", "--scope", "eio-overwrite"]
    with contextlib.redirect_stdout(io.StringIO()):
        assert cli.run([*argv, "--jobs", "1", "--engine", "python"]) == 1


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a fast test that takes more than its budget; a measured coverage costs too much."""
    began = time.process_time()
    result = yield
    took = time.process_time() - began
    is_fast = not any(item.get_closest_marker(name) for name in TIERS)
    if is_fast and took > BUDGET_S and not item.config.pluginmanager.hasplugin("_cov"):
        pytest.fail(
            f"{took:.1f} s of processor time, more than the {BUDGET_S:g} s of a fast test:"
            " make it cheaper, or move it to another tier (tests/README.md)",
            pytrace=False,
        )
    return result
