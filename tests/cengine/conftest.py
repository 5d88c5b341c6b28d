"""Compiled engines go to one temporary cache for the whole run; without a compiler, all skip."""

import os

import pytest

from powercut.checkers.engine.c_library import CannotCompile, NoCompiler, try_compiler


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep away from the user's cache.  The variable outlives the run of one test on purpose."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # one cache for all processes of the run
        folder = folder.parent
    cache = folder / "cache"
    cache.mkdir(exist_ok=True)
    pytest.MonkeyPatch().setenv("XDG_CACHE_HOME", str(cache))


@pytest.fixture(autouse=True)
def compiler_needed(own_cache: None) -> None:
    """Skip where there is nothing to compile with."""
    try:
        try_compiler()
    except (NoCompiler, CannotCompile) as reason:
        pytest.skip(str(reason))
