"""A source tree that a patch is for: a folder, a git repository at a revision, a source tar.

Why so: whoever reviews has one of the three, and only a few folders of it matter, so files are
asked for by folder and nothing is unpacked or checked out.  git is asked through its own commands;
the files that were taken out of a tar are kept, because finding them means reading all of it.
Rejected: a library for git (the command is there where repositories are).
"""

import os
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Protocol

from powercut.checkers.engine.cache import user_cache
from powercut.checkers.locks.csource.chunk import C_SUFFIXES
from powercut.checkers.locks.errors import LocksError
from powercut.reading import Unreadable, read_bytes

MAX_FILE_BYTES = 16 << 20
MAX_FILES = 20_000
_TARS = (".tar", ".tar.xz", ".tar.gz", ".tar.bz2", ".txz", ".tgz")


class Tree(Protocol):
    """Where the files of a kernel are."""

    @property
    def name(self) -> str:
        """What to call it in a report."""

    def files(self, places: Iterable[str]) -> dict[str, bytes]:
        """Return the C files at or below ``places`` (a folder ends with ``/``), by path."""


def open_tree(path: Path, rev: str | None) -> Tree:
    """Return the tree at ``path``.  Raises :class:`LocksError`."""
    if os.path.isdir(path):
        bare = (path / "HEAD").is_file() and (path / "objects").is_dir()
        if rev is not None or bare:
            return _GitTree(path, rev or "HEAD")
        return _FolderTree(path)
    if rev is not None:
        raise LocksError(str(path), "no folder, and --rev needs a git repository")
    if path.is_file() and path.name.endswith(_TARS):
        return _TarTree(path)
    wanted = "a source folder, a git repository or a source tar"
    raise LocksError(str(path), f"no tree there; give {wanted}")


@dataclass(slots=True)
class _FolderTree:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def files(self, places: Iterable[str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for place in places:
            for name in self._names(place):
                try:
                    found[name] = read_bytes(self.path / name, MAX_FILE_BYTES, pipes=False)
                except Unreadable:
                    continue
        return found

    def _names(self, place: str) -> Iterator[str]:
        if not place.endswith("/"):
            yield place
            return
        for folder, folders, names in os.walk(self.path / place):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(names):
                if name.endswith(C_SUFFIXES):
                    yield (Path(folder) / name).relative_to(self.path).as_posix()


class _GitTree:
    def __init__(self, path: Path, rev: str) -> None:
        self.path = path
        found = self._git(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{rev}^{{commit}}"
        )
        if found is None:
            raise LocksError(str(path), f"no revision {rev} in it; give one that git log shows")
        self.commit = found.decode().strip()
        self.rev = rev

    @property
    def name(self) -> str:
        return f"{self.path} at {self.rev}"

    def files(self, places: Iterable[str]) -> dict[str, bytes]:
        listed = self._git("ls-tree", "-r", "-z", "--name-only", self.commit, "--", *places) or b""
        names = [name for name in listed.decode("utf-8", "replace").split("\0") if name]
        names = [name for name in names if name.endswith(C_SUFFIXES)][:MAX_FILES]
        asked = "".join(f"{self.commit}:{name}\n" for name in names)
        answer = self._git("cat-file", "--batch", given=asked.encode()) or b""
        return dict(_batch(names, answer))

    def _git(self, *arguments: str, given: bytes = b"") -> bytes | None:
        try:
            ended = subprocess.run(
                ["git", "-C", str(self.path), *arguments],
                input=given,
                capture_output=True,
                check=False,
            )
        except OSError:
            raise LocksError(
                str(self.path), "git is needed to read a revision; install it"
            ) from None
        return ended.stdout if ended.returncode == 0 else None


def _batch(names: list[str], answer: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield name and content from what ``git cat-file --batch`` answers."""
    start = 0
    for name in names:
        end = answer.find(b"\n", start)
        words = answer[start:end].split() if end >= 0 else []
        if len(words) != 3 or words[1] != b"blob":
            start = end + 1
            continue
        size = int(words[2])
        yield name, answer[end + 1 : end + 1 + size]
        start = end + 1 + size + 1


@dataclass(slots=True)
class _TarTree:
    path: Path

    @property
    def name(self) -> str:
        return str(self.path)

    def files(self, places: Iterable[str]) -> dict[str, bytes]:
        import msgspec

        wanted = sorted(places)
        found = self.path.stat()
        words = (os.path.abspath(self.path), found.st_size, found.st_mtime_ns, wanted)
        key = f"tar-{blake2b(repr(words).encode(), digest_size=16).hexdigest()}"
        kept = user_cache().read(key)
        if kept is not None:
            return msgspec.msgpack.decode(kept, type=dict[str, bytes])
        files = self._unpacked(wanted)
        user_cache().keep(key, msgspec.msgpack.encode(files))
        return files

    def _unpacked(self, wanted: list[str]) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        folders = tuple(place for place in wanted if place.endswith("/"))
        try:
            with tarfile.open(self.path, "r|*") as tar:
                for member in tar:
                    name = member.name.removeprefix("./").partition("/")[2]
                    if not member.isreg() or member.size > MAX_FILE_BYTES:
                        continue
                    inside = name.startswith(folders) and name.endswith(C_SUFFIXES)
                    content = tar.extractfile(member) if inside or name in wanted else None
                    if content is not None:
                        files[name] = content.read()
        except (tarfile.TarError, EOFError, OSError) as error:
            raise LocksError(str(self.path), f"not a tar that can be read: {error}") from None
        return files
