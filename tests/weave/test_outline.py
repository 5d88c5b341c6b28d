"""A patch changes functions: nothing of a patch runs before it is known to be a path."""

import json
from pathlib import Path

import pytest

from powercut.checkers.weave.errors import PatchError
from powercut.checkers.weave.patch import ModelPatch, parse_patch
from powercut.checkers.weave.program import patched_program
from tests.cli.conftest import powercut  # noqa: F401
from tests.cli.support import Runner, assert_refused
from tests.traces.corpus import FOLDER

ROOT = Path(__file__).parents[2]
FILE = "model/fs/jbd2/journal/kjournald.py"
TRACE = FOLDER / "seed-eof-two-mounts-stale-data.trace.json"


def in_front(*lines: str, file: str = FILE) -> str:
    """Return a patch that puts ``lines`` behind the last line of a file."""
    text = (ROOT / file).read_text(encoding="utf-8").splitlines()
    added = "".join(f"+{line}\n" for line in lines)
    head = f"@@ -{len(text)},1 +{len(text)},{len(lines) + 1} @@"
    return f"--- {file}\n+++ {file}\n{head}\n {text[-1]}\n{added}"


def patch(*lines: str, file: str = FILE) -> ModelPatch:
    return parse_patch(in_front(*lines, file=file), "my.patch")


@pytest.mark.parametrize(
    "lines",
    [
        ("raise SystemExit",),
        ("import os",),
        ("from os import system",),
        ("LIMIT = 1",),
        ("@print", "def f():", "    return 1"),
        ("def f(a=print()):", "    return a"),
        ("def f(*, a=print()):", "    return a"),
        ("def f(a: print()):", "    return a"),
        ("def f(a: 'print()'):", "    return a"),
        ("def f() -> print():", "    return 1"),
        ("class C:", "    print()"),
        ("async def f():", "    return 1"),
    ],
)
def test_what_runs_when_a_module_is_made_is_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(PatchError, match=r"my\.patch: model/fs/jbd2/journal/kjournald\.py:\d+: "):
        patched_program([patch(*lines)])


@pytest.mark.parametrize("file", ["model/language.py", "model/recovery.py", "model/designs.py"])
def test_only_the_paths_of_the_kernel_can_change(file: str) -> None:
    with pytest.raises(PatchError, match="only the kernel's paths can change"):
        patched_program([patch("", file=file)])


@pytest.mark.parametrize(
    "lines",
    [
        ("def Thread(a, b, c):", "    return a"),
        ("from powercut.model.state import Kernel as Program",),
    ],
)
def test_what_a_module_calls_when_it_is_made_keeps_its_meaning(lines: tuple[str, ...]) -> None:
    with pytest.raises(PatchError, match="has another meaning there"):
        patched_program([patch(*lines, file="model/kernel/tasks.py")])


def test_a_function_and_an_import_from_the_model_may_come() -> None:
    lines = ("from powercut.model.state import NR_OPS", "def f(a: int, b: int = 1) -> int:")
    patched_program([patch(*lines, "    return a + b")])


def test_a_trace_runs_nothing_that_its_patch_brings(
    powercut: Runner,  # noqa: F811
    tmp_path: Path,
) -> None:
    mark = tmp_path / "ran"
    document = json.loads(TRACE.read_bytes())
    text = in_front(f"open({str(mark)!r}, 'w')")
    document["patches"] = [{"name": "my.patch", "text": text}]
    path = tmp_path / "bad.trace.json"
    path.write_text(json.dumps(document))
    for argv in (("replay", path), ("trace", "show", path), ("explore", path)):
        assert_refused(powercut(*argv), "my.patch", "functions of the model only")
    assert not mark.exists()
