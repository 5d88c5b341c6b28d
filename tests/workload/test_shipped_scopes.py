"""The scopes that come with powercut: files like a user's own, named as they say."""

from pathlib import Path

import pytest

from powercut.checkers.workload import check_scope, format_workload, parse_workload
from powercut.checkers.workload.errors import WorkloadError
from powercut.checkers.workload.shipped import SCOPES, ShippedScopes


@pytest.mark.parametrize("name", SCOPES)
def test_a_scope_is_named_as_its_file_and_within_the_limits(name: str) -> None:
    scope = SCOPES[name]
    assert scope.name == name
    check_scope(scope)
    assert parse_workload(format_workload(scope), name) == scope


def test_a_scope_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "wrong.workload").write_text("mount\n  task jump\n")
    scopes = ShippedScopes(tmp_path)
    assert list(scopes) == ["wrong"]
    assert "wrong" in scopes
    with pytest.raises(WorkloadError, match=r"wrong\.workload:2:8"):
        scopes["wrong"]
    with pytest.raises(KeyError):
        scopes["right"]
