"""A machine that boots nothing: it writes the log that a kernel would, and tells what one tells."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from powercut.checkers.kernel.block_log import FLUSH
from powercut.checkers.kernel.guest.machine import Boot, Console, End
from powercut.checkers.kernel.medium import BaseImage, Medium
from powercut.checkers.kernel.rounds import DISK_MIB, file_name
from powercut.checkers.kernel.trial import letters_of_sectors
from powercut.checkers.kernel.volume import Volume
from tests.kernel.images import MIB
from tests.kernel.logs import Logged, write_log

BZIMAGE = b"\0" * 0x202 + b"HdrS" + b"\0" * 100
"""What passes for a kernel that boots, where none is booted."""
FLUSHED = Logged(flags=FLUSH)
_ROUNDS = re.compile(r"^rounds (\d+) (\d+) ", re.MULTILINE)
_LOOK = re.compile(r"^look (\d+) (\d+)$", re.MULTILINE)


def mark(round_: int, task: int, call: int, errno: int = 0) -> Logged:
    """A call has returned, as the guest says it: a sector behind the file system."""
    text = b"powercut mark %d %d %d %d" % (round_, task, call, errno)
    return Logged(DISK_MIB * MIB, text.ljust(512, b"\0"))


def said(*told: str) -> list[str]:
    """Lines of a console."""
    return [f"powercut: {text}" for text in told]


Entries = Callable[[bytes, range], Sequence[Logged]]
"""From the base image and the rounds of a program to what a kernel writes meanwhile."""


@dataclass(slots=True)
class FakeMachine:
    """Answers boots: ``entries`` has a log for each program that runs, in turns.

    ``lie`` is put before what the "kernel" shows of a file that it is asked to look at, ``told`` is
    what the guest says beside that.
    """

    entries: list[Entries]
    lie: str = ""
    end: End = End.DONE
    told: tuple[str, ...] = ()
    scripts: list[str] = field(default_factory=list)

    def boot(self, boot: Boot, on_line: Callable[[str], None] = lambda _: None) -> Console:
        """Do as a machine does."""
        self.scripts.append(boot.script)
        image = boot.image.read_bytes()
        lines = said("kernel 9.9-fake", "mounted")
        look = _LOOK.search(boot.script)
        if look is not None:
            lines.append(self._shown(image, int(look[1]), int(look[2])))
        else:
            ran = sum(bool(_ROUNDS.search(script)) for script in self.scripts)
            make = self.entries[(ran - 1) % len(self.entries)]
            programs = [range(int(f), int(f) + int(n)) for f, n in _ROUNDS.findall(boot.script)]
            write_log(boot.log, [entry for rounds in programs for entry in make(image, rounds)])
            lines += [self._shown(image, 0, n) for rounds in programs for n in rounds]
            lines += said(*self.told)
        if self.end is End.DONE:
            lines += said("done")
        for line in lines:
            on_line(line)
        return Console(self.end, "fake", 1.0, lines)

    def _shown(self, image: bytes, inode: int, round_: int) -> str:
        volume = Volume(Medium(BaseImage(image)))
        file = volume.file(volume.root[file_name(inode, round_)])
        letters = letters_of_sectors(volume.read(file))
        told = f"file {inode} round {round_} links 1 size {file.size_bytes} shows "
        return said(told + self.lie + letters[len(self.lie) :])[0]


def writes(before: bytes, after: bytes, block_bytes: int) -> tuple[list[Logged], list[Logged]]:
    """Return what turns one image into the other: blocks of file data, and the rest."""
    data: list[Logged] = []
    metadata: list[Logged] = []
    for at in range(0, len(before), block_bytes):
        new = after[at : at + block_bytes]
        if new != before[at : at + block_bytes]:
            letters = {new[n] for n in range(0, block_bytes, 512)}
            (data if letters <= set(b"123O") else metadata).append(Logged(at, new))
    return data, metadata
