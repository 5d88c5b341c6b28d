"""Fixtures: a runner for commands, a small dump of lockdep, and material that may be there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.support import Runner

SHARED = Path(__file__).parents[3] / "shared"

CLASSES = """all lock classes:
0000000000000a01 OPS:      12 FD:    4 BD:    1 ++++: &sb->s_type->i_mutex_key#8
 -> [0000000000000a02] mapping.invalidate_lock#3
 -> [0000000000000a03] jbd2_handle
 -> [0000000000000a04] &ei->i_data_sem

0000000000000a02 OPS:      12 FD:    3 BD:    2 +.+.: mapping.invalidate_lock#3
 -> [0000000000000a03] jbd2_handle

0000000000000a03 OPS:      12 FD:    2 BD:    3 ++++: jbd2_handle
 -> [0000000000000a04] &ei->i_data_sem

0000000000000a04 OPS:      12 FD:    1 BD:    4 ++++: &ei->i_data_sem

0000000000000b01 OPS:      12 FD:    1 BD:    1 +.+.: &sb->s_type->i_mutex_key

0000000000000c01 OPS:      12 FD:    3 BD:    1 .+.+: &sbi->s_writepages_rwsem
 -> [0000000000000a03] jbd2_handle

"""

CHAINS = """all lock chains:
irq_context: 0
[0000000000000a01] &sb->s_type->i_mutex_key#8
[0000000000000a02] mapping.invalidate_lock#3
[0000000000000a03] jbd2_handle
[0000000000000a04] &ei->i_data_sem

irq_context: 0
[0000000000000c01] &sbi->s_writepages_rwsem
[0000000000000a03] jbd2_handle
[0000000000000a04] &ei->i_data_sem

irq_context: 0
[0000000000000b01] &sb->s_type->i_mutex_key

"""


def write_dump(folder: Path, classes: str = CLASSES, chains: str = CHAINS) -> Path:
    """Write the two files of lockdep."""
    folder.mkdir(exist_ok=True)
    (folder / "lockdep").write_text(classes)
    (folder / "lockdep_chains").write_text(chains)
    return folder


@pytest.fixture
def powercut(capsys: pytest.CaptureFixture[str]) -> Runner:
    """Run commands in this process."""
    return Runner(capsys)


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A folder with a small dump of lockdep."""
    return write_dump(tmp_path / "dump")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """Return a file that is not part of the project, or skip the test."""

    def find(name: str) -> Path:
        path = SHARED / name
        if not path.exists():
            pytest.skip(f"{name} is not here")
        return path

    return find
