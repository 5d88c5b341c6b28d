"""A small litmus text that is exact, to be changed by tests."""

from pathlib import Path

from powercut.checkers.litmus import Litmus, parse_litmus
from powercut.checkers.workload import WorkloadError
from powercut.properties.catalog import PROPERTIES

APPEND = """\
# A comment on top.
name append
source written for this test
file size=2
timer once
mount
  task write 2 2; fsync  # the append
  crash after 1.1
observe file fsync properties

allowed seed seed-gap-ordered  # both
  # not durable before the commit
  1.2=- size=2 "oo"
  1.2=- size=4 "oo|AA"
  1.2=0 size=4 "oo|AA"  # durable
"""


def parse(text: str, name: str = "t.litmus") -> Litmus:
    """Read litmus text."""
    return parse_litmus(text, name, tuple(PROPERTIES))


def refusal(text: str) -> str:
    """Return the message with which ``text`` is refused."""
    try:
        parse(text)
    except WorkloadError as error:
        return str(error)
    raise AssertionError("accepted")


def written(folder: Path, text: str = APPEND, name: str = "append.litmus") -> Path:
    """Write a litmus file and return its path."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path
