"""mke2fs, e2fsck and debugfs: the second opinion about every image.

Why so: the readers and writers of this folder are our own, and ext4's own tools know nothing of
them.  ``mke2fs`` gets every feature by name and no configuration file, so that an image does not
depend on the machine.
Rejected: a library (none reads a journal and an orphan list), mounting (needs root).
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.kernel.errors import LabError
from powercut.writing import scratch_folder, write_scratch

FEATURES = (
    "has_journal,ext_attr,dir_index,filetype,extent,64bit,flex_bg,sparse_super,large_file,"
    "huge_file,dir_nlink,extra_isize"
)
"""What mke2fs makes by default, but for resize_inode and metadata_csum."""
_TIMEOUT_SECONDS = 60
_UUID = "00000000-0000-4000-8000-000000000001"
_TIME = "1700000000"
"""What the tools take for now, so that the same image is the same file."""
_CLEAN, _FIXED = 0, 1
_EXTENT = re.compile(r"\((\d+)(?:-(\d+))?(\[u\])?\):(\d+)(?:-(\d+))?")
_SIZE = re.compile(r"^User:.*\bSize: (\d+)$", re.MULTILINE)
TOOLS = ("mke2fs", "e2fsck", "debugfs")


@dataclass(frozen=True, slots=True)
class Shown:
    """A file as debugfs shows it: (physical block, written) of each mapped logical block."""

    size_bytes: int
    blocks: dict[int, tuple[int, bool]]
    content: bytes


@dataclass(frozen=True, slots=True)
class Opinion:
    """What e2fsck and debugfs say: nothing wrong, or the complaints, and the files by name.

    Where e2fsck repaired more than a mount would, there are no files.
    """

    complaints: str
    files: dict[str, Shown | None]


@contextmanager
def scratch() -> Iterator[Path]:
    """Have a folder for images while the block lasts.

    Raises :class:`LabError` where nothing can be written there.
    """
    try:
        with scratch_folder() as folder:
            yield folder
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}; let TMPDIR name another folder"
        raise LabError("temporary files", reason) from None


def missing_tools() -> list[str]:
    """Return the tools that are not installed."""
    return [name for name in TOOLS if find_tool(name) is None]


def make_image(path: Path, size_bytes: int, block_bytes: int, journal_mib: int, *more: str) -> None:
    """Make a file system of this size in ``path``.  Raises :class:`LabError`."""
    write_scratch(path, b"", size_bytes)
    command = ["-q", "-F", "-t", "ext4", "-b", str(block_bytes), "-I", "256", "-N", "64"]
    command += ["-m", "0", "-O", f"none,{FEATURES}", "-J", f"size={journal_mib}", "-U", _UUID]
    command += ["-E", f"hash_seed={_UUID},lazy_itable_init=0,root_owner=0:0", *more, str(path)]
    done = _run("mke2fs", *command)
    if done.returncode:
        raise LabError("mke2fs", done.stderr.strip().rpartition("\n")[2] or "it failed")


def recover_as_mount(path: Path) -> str:
    """Have e2fsck replay the journal and process the orphans in ``path``.

    Returns nothing if that was all it did: then it calls the file system clean.  Otherwise it
    checked and repaired more, and what it said is returned.
    """
    done = _run("e2fsck", "-p", str(path))
    was_all = done.returncode in (_CLEAN, _FIXED) and f"{path}: clean, " in done.stdout
    return "" if was_all else _said(done)


def complaints(path: Path) -> str:
    """Return what e2fsck finds wrong in ``path``, which is not changed; nothing if all is well."""
    done = _run("e2fsck", "-fn", str(path))
    return "" if done.returncode == _CLEAN else _said(done)


def opinion(content: bytes, names: Sequence[str]) -> Opinion:
    """Recover a copy of an image as a mount does, check it, and read the files in its root.

    Raises :class:`LabError` where a tool is missing.
    """
    with scratch() as folder:
        path = folder / "image"
        write_scratch(path, content)
        repaired = recover_as_mount(path)
        if repaired:
            return Opinion(repaired, {})
        return Opinion(complaints(path), _shown(path, names))


def _shown(path: Path, names: Sequence[str]) -> dict[str, Shown | None]:
    """Return files as debugfs shows them, None for a name that is not there."""
    outs = [path.with_name(f"dumped{n}") for n in range(len(names))]
    script = path.with_name("script")
    lines = (
        f'stat "/{name}"\ndump "/{name}" {out}\n' for name, out in zip(names, outs, strict=True)
    )
    write_scratch(script, "".join(lines).encode())
    said = _run("debugfs", "-f", str(script), str(path)).stdout
    _, *parts = said.split("debugfs: stat ")
    if len(parts) != len(names):
        raise LabError("debugfs", f"{len(parts)} answers to {len(names)} questions")
    found: dict[str, Shown | None] = {}
    for name, part, out in zip(names, parts, outs, strict=True):
        size = _SIZE.search(part)
        content = out.read_bytes() if size else b""
        found[name] = Shown(int(size[1]), _blocks(part), content) if size else None
    return found


def _blocks(said: str) -> dict[int, tuple[int, bool]]:
    blocks: dict[int, tuple[int, bool]] = {}
    for first, last, unwritten, physical, _ in _EXTENT.findall(said.partition("EXTENTS:")[2]):
        for n in range(int(last or first) - int(first) + 1):
            blocks[int(first) + n] = int(physical) + n, not unwritten
    return blocks


def _said(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stdout + done.stderr).splitlines()
    return "; ".join(line.strip() for line in lines if line.strip()) or str(done.returncode)


def find_tool(tool: str) -> str | None:
    """Return where a tool is, which may not be on the path of a plain user."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return shutil.which(tool, path=places)


def _run(tool: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = find_tool(tool)
    if path is None:
        raise LabError(tool, "not installed; install the package e2fsprogs")
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "LC_ALL": "C",
        "MKE2FS_CONFIG": os.devnull,
        "E2FSPROGS_FAKE_TIME": _TIME,
        "E2FSCK_TIME": _TIME,
    }
    try:
        return subprocess.run(
            [path, *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        text = f"did not end within {_TIMEOUT_SECONDS} s; is the disk full?"
        raise LabError(tool, text) from None
