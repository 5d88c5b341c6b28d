"""What only some commands need is an extra; a missing one is a line that names the extra."""

import subprocess
import sys
from pathlib import Path

import pytest

from powercut.checkers.locks.csource import source
from tests.cli.support import ROOT, Runner, assert_refused, environment

LOCKS = ("locks", "order.c")
CVC5 = ("prove", "--cross-check")
CLUSTER = ("check", "--design", "seed", "--scope", "append-fsync", "--cluster", "local")


@pytest.mark.parametrize(
    ("package", "extra", "argv"),
    [
        ("tree_sitter", "locks", LOCKS),
        ("tree_sitter_c", "locks", LOCKS),
        ("cvc5", "cvc5", CVC5),
        ("distributed", "cluster", CLUSTER),
    ],
)
def test_a_missing_extra_is_named(
    powercut: Runner,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    package: str,
    extra: str,
    argv: tuple[str, ...],
) -> None:
    (tmp_path / "order.c").write_text("static void f(void)\n{\n}\n")
    monkeypatch.chdir(tmp_path)
    source._parser.cache_clear()
    monkeypatch.setitem(sys.modules, package, None)
    assert_refused(powercut(*argv), f'pip install "powercut[{extra}]"')


def test_a_check_needs_no_extra_no_solver_and_no_test_library() -> None:
    program = (
        "import sys\n"
        "for name in ('tree_sitter', 'tree_sitter_c', 'cvc5', 'distributed', 'z3', 'hypothesis'):\n"
        "    sys.modules[name] = None\n"
        "from powercut import cli\n"
        "argv = ['check', '--design', 'seed', '--scope', 'append-fsync', '--jobs', '1']\n"
        "sys.exit(cli.run([*argv, '--engine', 'python', '--json']))\n"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")
