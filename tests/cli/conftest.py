"""Fixtures: a runner, and traces that a real check found."""

from pathlib import Path

import pytest

from powercut import cli
from tests.cli.support import Runner


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run commands in this process."""
    return Runner(capsys)


@pytest.fixture(scope="session")
def traces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of traces: one mount, two mounts, and a live state."""
    folder = tmp_path_factory.mktemp("traces")
    scopes = ("eof-truncate-up", "eof-two-mounts", "eio-overwrite")
    argv = ["check", "--design", "seed", "--scope", *scopes, "--save-traces", str(folder)]
    assert cli.run([*argv, "--jobs", "1"]) == 1
    return folder


@pytest.fixture
def one_mount(traces: Path) -> Path:
    """A stale-data trace of one mount."""
    return traces / "seed-eof-truncate-up-stale-data.trace.json"


@pytest.fixture
def two_mounts(traces: Path) -> Path:
    """A stale-data trace of two mounts."""
    return traces / "seed-eof-two-mounts-stale-data.trace.json"


@pytest.fixture
def live(traces: Path) -> Path:
    """A trace without a power cut: a failed bio that does not abort the journal."""
    return traces / "seed-eio-overwrite-data-err-abort.trace.json"
