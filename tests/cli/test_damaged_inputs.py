"""Damaged files of every format, under every verb that reads them: never more than one line.

The number of examples is ``POWERCUT_DAMAGED`` in the environment, or a few hundred.
"""

import contextlib
import io
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from powercut import cli
from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from tests.cli.support import ROOT, files_below
from tests.cli.test_trace import EIO

EXAMPLES = int(os.environ.get("POWERCUT_DAMAGED", "400"))
MOST_CPU_S = 5.0
LITMUS = ROOT / "properties" / "litmus" / "crashmonkey-append-fsync.litmus"
TOKENS = (
    *(
        b"",
        b"\0",
        b"\xff\xfe",
        b"\x1b[2J",
        b"\n",
        b"{",
        b"[" * 500,
        b'"',
        b"-1",
        b"9" * 5000,
        b"1e999",
    ),
    *(
        b"mount\n",
        b"task fsync;",
        b"@@ -1,9 +1,9 @@\n",
        b"#if 0\n",
        b"null",
        b"\xe2\x80\xae",
        b" " * 300,
    ),
)
CODE = b"static int f(struct inode *i)\n{\n\tmutex_lock(&i->a);\n\tmutex_unlock(&i->a);\n}\n"
WALK = Path(__file__).with_name("walk.script")
LOCKDEP = b"all lock classes:\nffff0001 FD:    1 BD:    1 ++++: a\n -> [ffff0002] b\n"


@dataclass(frozen=True, slots=True)
class Format:
    """A good file, and the commands that read it (``{}``: its path)."""

    name: str
    content: bytes
    commands: tuple[str, ...]


FORMATS = (
    Format(
        "a.trace.json",
        EIO.read_bytes(),
        (
            "replay {}",
            "replay {} --json",
            "trace convert {}",
            "trace show {}",
            "explore {} --script {walk}",
            "image {} -o {}.img",
        ),
    ),
    Format(
        "a.workload",
        format_workload(SCOPES["append-fsync"]).encode(),
        (
            "explore --workload {} --script {walk}",
            "check --workload {} --max-states 50 --jobs 1",
        ),
    ),
    Format(
        "a.fsxops",
        b"write 0x0 0x1000 0x0\ntruncate 0x0 0x800 0x1000\n",
        ("explore --workload {} --script {walk}",),
    ),
    Format(
        "a.script", b"next 2\nshow all\ncrash new\nverdict\n", (f"explore {EIO} --script {{}}",)
    ),
    Format("a.litmus", LITMUS.read_bytes(), ("litmus {} --design seed --jobs 1 --no-ladder",)),
    Format(
        "a.patch", (ROOT / "tests/locks/demo.patch").read_bytes(), ("locks {}", "locks {} --json")
    ),
    Format("a.c", CODE, ("locks {}",)),
    Format("lockdep", LOCKDEP, ("locks --lockdep {}/..",)),
    Format("a.log", bytes(range(256)) * 8, ("kernel log {} {}",)),
)


@st.composite
def damaged(draw: st.DrawFn) -> tuple[Format, str, bytes]:
    """Draw a format, a command, and a file with some damage."""
    form = draw(st.sampled_from(FORMATS))
    content = form.content
    for _ in range(draw(st.integers(1, 4))):
        begin = draw(st.integers(0, len(content)))
        end = min(len(content), begin + draw(st.sampled_from((0, 0, 1, 8, 100, 1 << 20))))
        put = draw(
            st.sampled_from(TOKENS) | st.binary(max_size=6) | st.just(content[begin:end] * 2)
        )
        content = content[:begin] + put + content[end:]
    return form, draw(st.sampled_from(form.commands)), content


def ending(command: str, path: Path) -> tuple[int, str, str]:
    """Run ``command`` on ``path`` in this process; return exit code and streams."""
    out, err = io.StringIO(), io.StringIO()
    words = [word.replace("{}", str(path)).format(walk=WALK) for word in command.split()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = cli.run(words)
    return code, out.getvalue(), err.getvalue()


@pytest.mark.quality
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
@given(damaged())
def test_damage_is_one_line_at_most(drawn: tuple[Format, str, bytes]) -> None:
    form, command, content = drawn
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "in" / form.name
        path.parent.mkdir()
        path.write_bytes(content)
        if form.name == "lockdep":
            (path.parent / "lockdep_chains").write_bytes(b"irq_context: 0\n")
            command = command.replace("{}/..", str(path.parent))
        began = time.process_time()
        code, out, err = ending(command, path)
        took = time.process_time() - began
        assert code in (0, 1, 2, 3), (command, err)
        assert "Traceback" not in out + err
        if code == 2:
            assert len(err.splitlines()) <= 1, err
        assert took < MOST_CPU_S, command
        kept = files_below(path.parent)
        assert kept.pop(str(path)) == content
        assert {name.removeprefix(str(path.parent)) for name in kept} <= {
            "/lockdep_chains",
            f"/{form.name}.img",
        }


@pytest.mark.parametrize("form", FORMATS[:-2], ids=lambda form: form.name)
def test_what_is_damaged_was_good(form: Format, tmp_path: Path) -> None:
    path = tmp_path / form.name
    path.write_bytes(form.content)
    code, _, err = ending(form.commands[0], path)
    assert code in (0, 1, 3), err
