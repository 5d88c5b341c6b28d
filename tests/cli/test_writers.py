"""All that writes, on a file system that fails: nothing half-written, and the verdict stands.

What writes goes through :mod:`powercut.writing`: the first tests here read the sources for that.
Each module that uses it has a command in ``WRITERS``, which runs on every kind of failing disk.
"""

import ast
import errno
import os
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from powercut.errors import BAD_INPUT, HOLDS, INCONCLUSIVE, VIOLATED
from powercut.writing import System
from tests.cli.support import ROOT, Runner, environment, files_below, run_apart
from tests.cli.test_trace import EIO, NO_PREFLUSH
from tests.tiers import EXHAUSTIVE

SEAM = "powercut/writing.py"
FOLDERS = ("powercut", "checkers", "properties", "model")
STREAMS = {"powercut/terminal/streams.py": 2}
"""Opens of /dev/null, which change no file system."""
WRITES = {"write_text", "write_bytes", "touch", "symlink_to", "hardlink_to", "rename", "savefig"}
WRITES |= {"mkdir", "makedirs", "mkfifo", "unlink", "rmdir", "truncate", "ftruncate", "rmtree"}
MODULES = {"tempfile", "shutil"}
HARMLESS = {"which", "get_terminal_size", "gettempdir"}


@cache
def sources() -> tuple[tuple[str, ast.Module], ...]:
    """Every module of the product but the seam, each once."""
    paths = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    names = {str(path.relative_to(ROOT)): path for path in paths if path == path.resolve()}
    return tuple(
        (name, ast.parse(path.read_text(encoding="utf-8")))
        for name, path in names.items()
        if name != SEAM
    )


def writes(node: ast.AST) -> bool:
    """Tell whether a call changes a file system, by its name and its arguments."""
    if not isinstance(node, ast.Call):
        return False
    name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
    owner = node.func.value if isinstance(node.func, ast.Attribute) else None
    of = owner.id if isinstance(owner, ast.Name) else ""
    if of in MODULES:
        return name not in HARMLESS
    if name == "replace":  # that of a text has two arguments, that of a path has one
        return of == "os" or (len(node.args) == 1 and not node.keywords)
    if name == "open" and of == "os":
        return any(word in ast.unparse(node) for word in ("O_WRONLY", "O_RDWR", "O_CREAT"))
    if name == "open" or (isinstance(node.func, ast.Name) and node.func.id == "open"):
        return not _only_reads(node, builtin=name != "open" or of == "tarfile")
    return name in WRITES or (of == "os" and name in {"link", "symlink", "rename", "remove"})


def _only_reads(node: ast.Call, *, builtin: bool) -> bool:
    given = node.args[int(builtin) :][:1]
    given += [word.value for word in node.keywords if word.arg == "mode"]
    mode = ast.literal_eval(given[0]) if given and isinstance(given[0], ast.Constant) else "?"
    return not given or not set(str(mode)) - set("rbt|*")


def test_nothing_but_the_seam_changes_a_file_system() -> None:
    found: dict[str, int] = {}
    for name, tree in sources():
        if calls := [node for node in ast.walk(tree) if writes(node)]:
            found[name] = len(calls)
    assert found == STREAMS


@pytest.mark.parametrize(
    ("call", "is_one"),
    [
        ("open(path, 'w')", True),
        ("open(path, mode='ab')", True),
        ("open(path, mode)", True),
        ("path.open('r+')", True),
        ("path.write_text('a')", True),
        ("os.replace(a, b)", True),
        ("a.replace(b)", True),
        ("os.open(path, os.O_WRONLY)", True),
        ("tempfile.mkstemp()", True),
        ("path.open('rb')", False),
        ("tarfile.open(path, 'r|*')", False),
        ("open(path)", False),
        ("'a'.replace('b', 'c')", False),
        ("replace(record, field=1)", False),
        ("os.open(path, os.O_RDONLY)", False),
    ],
)
def test_what_counts_as_a_write(call: str, is_one: bool) -> None:
    assert any(writes(node) for node in ast.walk(ast.parse(call))) == is_one


# A command that writes, the place it writes to, and whether its verdict stands without that.


ALL = ("no room", "broken", "not durable", "no name", "short")
FEW = ("not durable", "short")


@dataclass(frozen=True, slots=True)
class Writer:
    """A command that writes to ``{}``, its exit code if it cannot, and the disks it meets."""

    argv: tuple[str, ...]
    code: int = BAD_INPUT
    faults: tuple[str, ...] = ALL

    @property
    def stands(self) -> bool:
        """Whether the answer does not depend on what is written."""
        return self.code != BAD_INPUT


CHECK = ("check", "--design", "seed", "--scope", "eio-overwrite", "--engine", "python")
PATCH = str(ROOT / "tests" / "locks" / "demo.patch")
WRITERS = {
    "powercut/verbs/check.py": Writer((*CHECK, "--jobs", "1", "--save-traces", "{}"), VIOLATED),
    "powercut/pages/index.py": Writer((*CHECK, "--jobs", "1", "--html", "{}"), VIOLATED, FEW),
    "powercut/verbs/trace/files.py": Writer(("trace", "convert", str(EIO), "--output", "{}/a")),
    "powercut/verbs/trace/diff.py": Writer(
        ("trace", "diff", str(NO_PREFLUSH), "--mutant", "no-preflush", "--output", "{}/a")
    ),
    "powercut/verbs/trace/minimise.py": Writer(
        ("trace", "minimise", str(NO_PREFLUSH), "--output", "{}/a"), faults=FEW
    ),
    "powercut/verbs/locks.py": Writer(("locks", PATCH, "--dot", "{}/a")),
    "powercut/verbs/litmus.py": Writer(("litmus", "{}/a.litmus", "--update", "--jobs", "1")),
    "powercut/verbs/image.py": Writer(("image", str(NO_PREFLUSH), "-o", "{}/a")),
    "powercut/explore/commands.py": Writer(
        ("explore", str(EIO), "--script", "{}/../in/save.script")
    ),
    "powercut/verbs/exam.py": Writer(
        ("exam", "--mutant", "no-preflush", "--jobs", "1", "--save-traces", "{}"),
        HOLDS,
        FEW,
    ),
    "powercut/verbs/fuzz.py": Writer(
        ("fuzz", "--mutant", "no-preflush", "--save-traces", "{}"), HOLDS, FEW
    ),
    "powercut/verbs/prove.py": Writer(
        ("prove", "--wrong", "no-zeroing", "--save-traces", "{}"), HOLDS, FEW[:1]
    ),
}
ELSEWHERE = {
    "powercut/inputs/files.py": "what the commands above call",
    "powercut/api.py": "write_whole and nothing more",
    "powercut/verbs/sweep.py": "what check calls for its traces",
    "powercut/verbs/exam_generated.py": "the campaign, below",
    "powercut/verbs/kernel/checks.py": "tests/kernel/test_run_cli.py",
    "powercut/verbs/kernel/conform.py": "tests/kernel/test_conform_cli.py",
    "powercut/verbs/kernel/log.py": "tests/kernel/test_log_cli.py",
    "powercut/verbs/kernel/run.py": "tests/kernel/test_run_cli.py",
    "checkers/mistakes/campaign.py": "tests/mistakes/test_campaign.py",
    "checkers/engine/cache.py": "tests/engine/test_cache.py",
    "checkers/engine/c_library.py": "test_no_room_for_anything, below",
    "checkers/kernel/e2fsprogs.py": "the image above",
    "checkers/kernel/guest/machine.py": "tests/kernel/test_guest.py",
    "checkers/kernel/log_check.py": "tests/kernel/test_log_cli.py",
    "checkers/kernel/trial.py": "tests/kernel/test_run_cli.py",
}
SEAMS = {"powercut.writing", "powercut.inputs.files"}


def test_every_module_that_writes_is_known() -> None:
    assert set(FAULTS) == set(ALL)
    using = {
        name
        for name, tree in sources()
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in SEAMS
    }
    assert using == {*WRITERS, *ELSEWHERE}


def no_room(handle: int, content: memoryview) -> int:
    """Take the first bytes and then no more."""
    if len(content) > 3:
        return os.write(handle, content[:3])
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def short(handle: int, content: memoryview) -> int:
    """Take less than is given, as a system may."""
    return os.write(handle, content[: max(1, len(content) // 2)])


def fails(*_arguments: object) -> None:
    """Fail as a broken disk does."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


FAULTS: dict[str, dict[str, Callable[..., object]]] = {
    "no room": {"write": no_room},
    "broken": {"write": fails},
    "not durable": {"fsync": fails},
    "no name": {"link": fails, "replace": fails},
    "short": {"write": short},
}


def cases() -> Iterator[object]:
    """Each writer on each failing disk; the cheap ones in the fast tier on one of them."""
    for name, writer in WRITERS.items():
        for fault in writer.faults:
            is_fast = fault == "no room" and name.endswith("files.py")
            marks = () if is_fast else (EXHAUSTIVE,)
            yield pytest.param(name, fault, id=f"{Path(name).stem}-{fault}", marks=marks)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder to write to, with an older file where a command replaces one."""
    (tmp_path / "in").mkdir()
    folder = tmp_path / "out"
    folder.mkdir()
    (tmp_path / "in" / "save.script").write_text(f"next 3\ncrash new\nsave {folder}/a over\n")
    return folder


def prepared(place: Path, name: str) -> tuple[list[str], dict[str, bytes]]:
    """Return the command line, and the files that are there before."""
    writer = WRITERS[name]
    if name.endswith("litmus.py"):
        good = (ROOT / "properties/litmus/crashmonkey-append-fsync.litmus").read_text()
        (place / "a.litmus").write_text(wrong_sets(good))
    elif not writer.stands:
        (place / "a").write_text("older")
    return [word.replace("{}", str(place)) for word in writer.argv], files_below(place)


def wrong_sets(text: str) -> str:
    """Drop an outcome, so that an update has something to write."""
    lines = text.splitlines(keepends=True)
    at = max(n for n, line in enumerate(lines) if line.startswith("  "))
    return "".join(lines[:at] + lines[at + 1 :])


@pytest.mark.parametrize(("name", "fault"), list(cases()))
def test_a_failing_disk(
    powercut: Runner, place: Path, monkeypatch: pytest.MonkeyPatch, name: str, fault: str
) -> None:
    argv, before = prepared(place, name)
    with monkeypatch.context() as patch:
        for call, how in FAULTS[fault].items():
            patch.setattr(System, call, staticmethod(how))
        ended = powercut(*argv)
    after = files_below(place)
    if fault == "short":
        assert after != before
        assert ended.code in (HOLDS, VIOLATED, INCONCLUSIVE)
        return
    assert after == before
    told = [line for line in ended.err.splitlines() if "not kept" not in line]
    assert len(told) == 1, ended
    assert os.strerror(errno.ENOSPC if fault == "no room" else errno.EIO) in told[0]
    assert ended.code == WRITERS[name].code


@pytest.mark.exhaustive
def test_no_room_for_anything(tmp_path: Path, place: Path) -> None:
    """No file may grow: no library, no trace.  The verdict needs neither."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))

    env = {**environment(), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    argv = ("check", "--design", "seed", "--scope", "folio-tail", "--jobs", "1")
    ended = run_apart(*argv, "--save-traces", place, env=env, preexec_fn=limit)
    assert ended.code == 1, ended
    assert "Traceback" not in ended.err
    assert os.strerror(errno.EFBIG) in ended.err
    assert files_below(place) == {}
    assert files_below(tmp_path / "cache") == {}
