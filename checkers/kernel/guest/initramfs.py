"""The guest's first file system: one static program, the modules, and what the program does.

Why so: the program is built by the user's own compiler from the C files here, so that no binary is
shipped; the archive is the "newc" form of cpio, which every kernel unpacks.
Rejected: busybox (a package more, and a process a call), the cpio tool (not everywhere, and it
wants the files on disk).
"""

import shutil
import stat
import subprocess
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from powercut.checkers.kernel.e2fsprogs import scratch
from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.guest.kernels import Kernel

_SOURCES = ("init.c", "hold.c", "modules.c")
_FLAGS = ("-O2", "-Wall", "-Wextra", "-static", "-pthread")
_COMPILER_SECONDS = 60
_MAGIC = "070701"
_FIELDS = 13
_END = "TRAILER!!!"
_ALIGNMENT = 4


@cache
def guest_program() -> bytes:
    """Return the compiled first process.  Raises :class:`LabError` where it cannot be built."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise LabError("cc", "no C compiler; install gcc and the static C library (libc6-dev)")
    folder = files("powercut.checkers.kernel.guest")
    sources = [str(folder / name) for name in _SOURCES]
    with scratch() as place:
        path = place / "init"
        command = [compiler, *_FLAGS, "-o", str(path), *sources]
        try:
            done = subprocess.run(
                command,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                timeout=_COMPILER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise LabError("cc", f"did not end within {_COMPILER_SECONDS} s") from None
        if done.returncode:
            said = done.stderr.strip().partition("\n")[0] or "it failed"
            text = f"{said}; is the static C library (libc6-dev) installed?"
            raise LabError("cc -static", text)
        return path.read_bytes()


def initramfs(kernel: Kernel, script: str) -> bytes:
    """Return the archive with the first process, the kernel's modules and ``script``."""
    contents = {"init": guest_program(), "program": script.encode()}
    contents |= {f"modules/{name}": module for name, module in kernel.modules}
    return archive(contents, folders=("dev", "proc", "mnt", "modules"))


def archive(contents: Mapping[str, bytes], folders: tuple[str, ...] = ()) -> bytes:
    """Return files (all of them may be executed) and folders as a cpio archive of form "newc"."""
    entries = [(name, stat.S_IFDIR | 0o755, b"") for name in folders]
    entries += [(name, stat.S_IFREG | 0o755, content) for name, content in contents.items()]
    out = bytearray()
    for number, (name, mode, content) in enumerate([*entries, (_END, 0, b"")], 1):
        encoded = name.encode() + b"\0"
        fields = [0] * _FIELDS
        fields[0], fields[1], fields[4] = number, mode, 1
        fields[6], fields[11] = len(content), len(encoded)
        out += _MAGIC.encode() + b"".join(b"%08X" % field for field in fields) + encoded
        out += bytes(-len(out) % _ALIGNMENT) + content
        out += bytes(-len(out) % _ALIGNMENT)
    return bytes(out)
