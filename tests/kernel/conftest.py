"""What the tests of the kernel lab's verbs share."""

import pytest

from tests.cli.support import Runner


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run a command in this process."""
    return Runner(capsys)
