"""One boot in QEMU: from the first message to the power cut, within a limit, with nothing left.

What: the disk is logged from outside the guest (``blklogwrites``), so a log holds what reached the
device and nothing that was in flight.  KVM is used where a boot shows that it works, else TCG.
Why so: a guest may hang, panic or lose its disk; whatever happens, the machine is ended, and what
it said on its console is there.
Rejected: ``reboot=`` tricks and an agent in the guest (the console is enough), trusting
``/dev/kvm`` (there are machines where it exists and runs no kernel).
"""

import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from powercut.checkers.kernel.errors import LabError
from powercut.checkers.kernel.guest.initramfs import initramfs
from powercut.checkers.kernel.guest.kernels import Kernel
from powercut.writing import write_scratch

QEMU = "qemu-system-x86_64"
PREFIX = "powercut: "
_KERNEL, _MOUNTED, _DONE = "kernel ", "mounted", "done"
_FAILED = "failed: "
_PANIC = "Kernel panic"
_APPEND = "console=ttyS0 quiet loglevel=4 panic=-1 tsc=unstable no_timer_check"
_FIRST_WORD_SECONDS = 15.0
"""How long KVM may be silent before it counts as not working."""
_BROKEN_KVM = ("KVM internal error", "failed to set MSR", "Could not access KVM")


MOST_BOOTS = 4
"""How often a kernel that dies before it mounts the disk is booted.

QEMU 7.2 with several virtual CPUs on TCG loses a breakpoint now and then while a kernel patches
itself at boot: "Oops: int3".  The disk is untouched then.
"""


class End(Enum):
    """How a boot ended."""

    DONE = "ran to its end"
    FAILED = "the guest's program failed"
    PANIC = "the kernel panicked"
    DIED = "the machine ended by itself"
    LIMIT = "did not end in time"


@dataclass(frozen=True, slots=True)
class Boot:
    """What is booted and for how long; ``image`` is changed, ``log`` is created."""

    kernel: Kernel
    script: str
    image: Path
    log: Path
    time_limit_seconds: float = 120.0
    cpus: int = 2
    memory_mib: int = 512
    writes_per_second: int = 0


@dataclass(slots=True)
class Console:
    """What a boot said: every line, and those of the guest's program without their prefix."""

    end: End = End.DIED
    accelerator: str = ""
    seconds: float = 0.0
    lines: list[str] = field(default_factory=list)

    @property
    def told(self) -> Iterator[str]:
        """What the guest's program told, in order."""
        for line in self.lines:
            if line.startswith(PREFIX):
                yield line.removeprefix(PREFIX)

    @property
    def is_mounted(self) -> bool:
        """Whether the guest came so far as to mount the disk."""
        return _MOUNTED in self.told

    @property
    def kernel(self) -> str:
        """The version of the kernel that ran, or nothing."""
        releases = (told.removeprefix(_KERNEL) for told in self.told if told.startswith(_KERNEL))
        return next(releases, "")

    @property
    def reason(self) -> str:
        """One line about the end: what failed, or the last thing that was said."""
        for told in self.told:
            if told.startswith(_FAILED):
                return told.removeprefix(_FAILED)
        for line in self.lines:
            if _PANIC in line:
                return line[line.index(_PANIC) :]
        last = next((line for line in reversed(self.lines) if line.strip()), "nothing was said")
        return f"{self.end.value}; the last line: {last.strip()}"


@dataclass(slots=True)
class Machine:
    """Boots guests; remembers which accelerator works."""

    accelerators: list[str] = field(default_factory=lambda: _accelerators())

    def boot(self, boot: Boot, on_line: Callable[[str], None] = lambda _: None) -> Console:
        """Boot once, until the guest cuts its power or the limit is reached.

        Raises :class:`LabError` where QEMU is missing or starts no machine.
        """
        boots = 0
        while True:
            accelerator = self.accelerators[0]
            console = _run(boot, accelerator, on_line)
            boots += 1
            if accelerator != "tcg" and not console.kernel:
                self.accelerators.pop(0)
            elif console.is_mounted or console.end is End.FAILED or boots >= MOST_BOOTS:
                return console


def _accelerators() -> list[str]:
    has_kvm = os.access("/dev/kvm", os.R_OK | os.W_OK)
    return ["kvm", "tcg"] if has_kvm else ["tcg"]


def missing_machine() -> str:
    """Return what is missing to boot a guest and how to get it, or nothing."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed; install the package qemu-system-x86"
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        return "no C compiler; install gcc and libc6-dev"
    return ""


def _command(boot: Boot, initrd: Path, accelerator: str) -> list[str]:
    qemu = shutil.which(QEMU)
    if qemu is None:
        raise LabError(QEMU, "not installed; install the package qemu-system-x86")
    accel = "tcg,thread=multi" if accelerator == "tcg" else accelerator
    image = initrd.with_name("vmlinuz")
    write_scratch(image, boot.kernel.image)
    command = [
        qemu,
        "-M",
        "q35",
        "-accel",
        accel,
        "-cpu",
        "max" if accelerator == "tcg" else "host",
    ]
    command += ["-smp", str(boot.cpus), "-m", str(boot.memory_mib), "-nodefaults", "-no-reboot"]
    command += ["-display", "none", "-serial", "stdio", "-kernel", str(image)]
    command += ["-initrd", str(initrd), "-append", _APPEND, *_disk(boot)]
    setpriv = shutil.which("setpriv")  # a machine must not outlive a killed parent
    return [setpriv, "--pdeathsig", "KILL", *command] if setpriv else command


def _disk(boot: Boot) -> Iterator[str]:
    """Yield the options of the disk: the file, the log above it, perhaps a slow device on top."""
    for name, path in (("file", boot.image), ("logfile", boot.log)):
        text = str(path).replace(",", ",,")
        yield from ("-blockdev", f"driver=file,node-name={name},filename={text},cache.no-flush=on")
    log = "driver=blklogwrites,node-name=logged,file=file,log=logfile,log-super-update-interval=1"
    yield from ("-blockdev", log)
    top = "logged"
    if boot.writes_per_second:
        limit = f"throttle-group,id=slow,x-iops-write={boot.writes_per_second}"
        yield from ("-object", limit)
        yield from (
            "-blockdev",
            "driver=throttle,node-name=throttled,throttle-group=slow,file=logged",
        )
        top = "throttled"
    yield from ("-device", f"virtio-blk-pci,drive={top},write-cache=on")


def _run(boot: Boot, accelerator: str, on_line: Callable[[str], None]) -> Console:
    initrd = boot.log.with_name("initrd")
    write_scratch(initrd, initramfs(boot.kernel, boot.script))
    write_scratch(boot.log, b"")
    console = Console(accelerator=accelerator)
    begun = time.monotonic()
    with _started(_command(boot, initrd, accelerator)) as machine:
        _listen(machine, console, boot, begun, on_line)
    console.seconds = time.monotonic() - begun
    return console


@contextmanager
def _started(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """Have the machine while the block lasts; it is killed at the end, whatever happens."""
    try:
        machine = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise LabError(QEMU, f"cannot be run: {error.strerror or error}") from None
    try:
        yield machine
    finally:
        with suppress(ProcessLookupError):
            os.killpg(machine.pid, signal.SIGKILL)
        machine.wait()
        assert machine.stdout is not None
        machine.stdout.close()


def _listen(
    machine: subprocess.Popen[bytes],
    console: Console,
    boot: Boot,
    begun: float,
    on_line: Callable[[str], None],
) -> None:
    """Read the console until the guest is done, dead or over its limit."""
    assert machine.stdout is not None
    handle = machine.stdout.fileno()
    os.set_blocking(handle, False)
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            left = boot.time_limit_seconds - (time.monotonic() - begun)
            if console.accelerator != "tcg" and not console.kernel:
                left = min(left, _FIRST_WORD_SECONDS - (time.monotonic() - begun))
            if left <= 0 or not selector.select(left):
                console.end = End.LIMIT
                return
            chunk = os.read(handle, 1 << 16)
            *lines, rest = (rest + chunk).split(b"\n")
            for raw in lines if chunk else [rest]:
                line = raw.decode("utf-8", "replace").rstrip("\r")
                console.lines.append(line)
                on_line(line)
                end = _end_of(line)
                if end is not None:
                    console.end = end
                    return
            if not chunk:
                console.end = End.DIED
                return


def _end_of(line: str) -> End | None:
    if line == PREFIX + _DONE:
        return End.DONE
    if line.startswith(PREFIX + _FAILED):
        return End.FAILED
    if _PANIC in line:
        return End.PANIC
    return End.DIED if any(word in line for word in _BROKEN_KVM) else None
