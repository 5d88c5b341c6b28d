"""Good files of every format that users give, and damage to them; a number names all of a case.

Why so: a case is drawn from its number by :mod:`random`, so that it is the same in every process
and a long run can be taken up where it ended.  Rejected: Hypothesis (what a seed draws depends on
the modules that are loaded, and twenty thousand examples cannot be cut in pieces).
"""

import json
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from tests.cli.support import ROOT
from tests.cli.test_trace import EIO, NO_PREFLUSH
from tests.kernel.commits import change, disk
from tests.kernel.images import MISSING
from tests.kernel.logs import Logged, write_log

CODE = b"static int f(struct inode *i)\n{\n\tmutex_lock(&i->a);\n\tmutex_unlock(&i->a);\n}\n"
LOCKDEP = (
    b"all lock classes:\nffff0001 FD:    1 BD:    1 ++++: a\n -> [ffff0002] b\n\n"
    b"ffff0002 FD:    1 BD:    1 ++++: b\n"
)
CHAINS = b"all lock chains:\nirq_context: 0\n[ffff0001] a\n[ffff0002] b\n\n"
LOCKDEP_COMMANDS = ("locks --lockdep .", "locks --lockdep . --json")
WALK = b"threads\ncrash new\n"
TOKENS = (
    *(b"", b"\0", b"\xff\xfe", b"\x1b[2J", b"\n", b"{", b"[" * 500, b'"', b"-1", b"9" * 5000),
    *(b"1e999", b"mount\n", b"task fsync;", b"@@ -1,9 +1,9 @@\n", b"#if 0\n", b"null"),
    *(b"\xe2\x80\xae", b" " * 300, b"(" * 3000, b"#define a a\n", b"../../../", b"\r\n", b"%s{}"),
)
NUMBERS = (b"0", b"-1", b"1", b"2", b"3", b"63", b"64", b"255", b"256", b"4294967296", b"9" * 40)
VALUES: tuple[Any, ...] = (None, True, -1, 0, 1, 2, 10**9, 1e300, "", "x", [], {}, [[]], "\ud800")


@dataclass(frozen=True, slots=True)
class Format:
    """A good file, what lies beside it, and the commands that read it.

    A word of a command may be ``NAME`` of a file or ``.`` for their folder; ``-`` begins options.
    """

    name: str
    content: bytes
    commands: tuple[str, ...]
    beside: Mapping[str, bytes] = field(default_factory=dict)
    weight: int = 8


@dataclass(frozen=True, slots=True)
class Case:
    """A damaged file, the command that reads it, and which case this is."""

    number: int
    form: Format
    command: str
    content: bytes

    def write(self, folder: Path) -> None:
        """Write the files of the case into ``folder``."""
        for name, content in {**self.form.beside, self.form.name: self.content}.items():
            (folder / name).write_bytes(content)

    def words(self, folder: Path) -> list[str]:
        """Return the command line on the files in ``folder``."""
        files = {self.form.name, *self.form.beside, "out.img"}
        return [
            str(folder / word) if word in files else str(folder) if word == "." else word
            for word in self.command.split()
        ]


@cache
def formats() -> tuple[Format, ...]:
    """Return the formats; those of the kernel's own files only where e2fsprogs is installed."""
    walk = {"walk": WALK}
    litmus = ROOT / "properties" / "litmus" / "crashmonkey-append-fsync.litmus"
    workload = format_workload(SCOPES["append-fsync"]).encode()
    plain = (
        Format("a.trace.json", EIO.read_bytes(), TRACE_COMMANDS, walk, 16),
        Format("b.trace.json", NO_PREFLUSH.read_bytes(), IMAGE_COMMANDS),
        Format("a.workload", workload, WORKLOAD_COMMANDS, walk, 12),
        Format("a.fsxops", FSX, ("explore --workload a.fsxops --script walk",), walk),
        Format("a.script", SCRIPT, ("explore a.trace.json --script a.script",), TRACE),
        Format("a.litmus", litmus.read_bytes(), LITMUS_COMMANDS),
        Format("a.patch", (ROOT / "tests/locks/demo.patch").read_bytes(), LOCKS_COMMANDS),
        Format("a.c", CODE, ("locks a.c", "locks . --json")),
        Format("lockdep", LOCKDEP, LOCKDEP_COMMANDS, {"lockdep_chains": CHAINS}),
        Format("lockdep_chains", CHAINS, LOCKDEP_COMMANDS, {"lockdep": LOCKDEP}, 4),
        Format("b.patch", MODEL_PATCH.read_bytes(), MODEL_COMMANDS, TRACE, 2),
        Format("own.py", PROTOCOL.read_bytes(), ("check own.py --engine python --max-states 99",)),
    )
    return plain if MISSING else plain + kernel_formats()


TRACE_COMMANDS = (
    "replay a.trace.json --no-ladder",
    "replay a.trace.json --json",
    "trace convert a.trace.json",
    "trace show a.trace.json",
    "explore a.trace.json --script walk",
)
IMAGE_COMMANDS = ("image b.trace.json -o out.img", "replay b.trace.json --json")
WORKLOAD_COMMANDS = (
    "explore --workload a.workload --script walk",
    "check --workload a.workload --design seed --max-states 50 --jobs 1 --engine python",
)
LITMUS_COMMANDS = ("litmus a.litmus --design seed --jobs 1 --no-ladder",)
LOCKS_COMMANDS = ("locks a.patch", "locks a.patch --json")
MODEL_COMMANDS = ("replay a.trace.json --patch b.patch --no-ladder",)
TRACE = {"a.trace.json": EIO.read_bytes()}
FSX = b"write 0x0 0x1000 0x0\ntruncate 0x0 0x800 0x1000\n"
SCRIPT = b"next 2\nshow all\ncrash new\nverdict\n"
MODEL_PATCH = ROOT / "model" / "mutants" / "cookie-unchecked.patch"
PROTOCOL = ROOT / "examples" / "mutual_exclusion.py"


def kernel_formats() -> tuple[Format, ...]:
    """Return a block log and the image it begins with, each damaged beside the other, good one."""
    import tempfile

    step = change(disk(2, "OOFF", used=0b1, blocks=1), disk(4, "OO11"))
    with tempfile.TemporaryDirectory() as folder:
        entries = (*step.journal, Logged(flags=1), step.commit, *step.data)
        log = write_log(Path(folder) / "a.log", entries).read_bytes()
    commands = ("kernel log a.base a.log --subsets 2",)
    return (
        Format("a.log", log, commands, {"a.base": bytes(step.base)}),
        Format("a.base", bytes(step.base), commands, {"a.log": log}),
    )


def case(number: int) -> Case:
    """Return the case of this number, the same in every process."""
    chance = random.Random(f"damaged {number}")
    forms = formats()
    (form,) = chance.choices(forms, [form.weight for form in forms])
    content = form.content
    for _ in range(chance.randint(1, 4)):
        content = chance.choice(_damages(form))(content, chance)
    return Case(number, form, chance.choice(form.commands), content)


Damage = Callable[[bytes, random.Random], bytes]


def _damages(form: Format) -> tuple[Damage, ...]:
    if form.name.endswith(".json"):
        return (_splice, _number, _value, _value, _line)
    if form.name in ("a.log", "a.base"):
        return (_splice_binary, _splice_binary, _splice)
    return (_splice, _number, _line, _word)


def _splice(content: bytes, chance: random.Random) -> bytes:
    """Put a token, a few bytes or a copy where some bytes were."""
    begin = chance.randint(0, len(content))
    end = min(len(content), begin + chance.choice((0, 0, 1, 8, 100, 1 << 20)))
    few = chance.randbytes(chance.randint(0, 6))
    put = chance.choice((chance.choice(TOKENS), few, content[begin:end] * 2))
    return content[:begin] + put + content[end:]


def _splice_binary(content: bytes, chance: random.Random) -> bytes:
    """Change a few bytes in a block that is not empty, and no place."""
    sectors = [n for n in range(0, len(content), 512) if content[n : n + 512].strip(b"\0")]
    if not sectors:
        return content
    begin = chance.choice(sectors) + chance.choice((chance.randrange(64), chance.randrange(512)))
    put = chance.choice((b"\0" * 4, b"\xff" * 4, b"\xff", b"\1", chance.randbytes(8)))
    return content[:begin] + put + content[begin + len(put) :]


def _number(content: bytes, chance: random.Random) -> bytes:
    found = list(re.finditer(rb"-?\d+", content))
    if not found:
        return content
    begin, end = chance.choice(found).span()
    return content[:begin] + chance.choice(NUMBERS) + content[end:]


def _line(content: bytes, chance: random.Random) -> bytes:
    """Drop a line, say it twice, or take it elsewhere."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return content
    line = lines.pop(chance.randrange(len(lines)))
    for _ in range(chance.randint(0, 2)):
        lines.insert(chance.randint(0, len(lines)), line)
    return b"".join(lines)


def _word(content: bytes, chance: random.Random) -> bytes:
    """Put a word of the file where another one was."""
    found = list(re.finditer(rb"[^\s;]+", content))
    if not found:
        return content
    begin, end = chance.choice(found).span()
    return content[:begin] + chance.choice(found).group() + content[end:]


def _value(content: bytes, chance: random.Random) -> bytes:
    """Replace or drop a value of a JSON document, at any depth."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return _splice(content, chance)
    here = document
    while isinstance(here, dict | list) and here:
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = chance.choice(keys)
        if chance.random() < 0.3 or not isinstance(here[key], dict | list):
            here[key] = chance.choice((*VALUES, here[chance.choice(keys)]))
            break
        if chance.random() < 0.1:
            del here[key]
            break
        here = here[key]
    return json.dumps(document).encode("utf-8", "surrogatepass")
