"""The document of ``powercut explore``."""

from msgspec import Struct

from powercut.documents.document import Document, Verdict


class Command(Struct, frozen=True, kw_only=True):
    """A command of the script, and the lines that it answered."""

    line: int
    command: str
    output: list[str]


class ExploreDocument(Document, frozen=True, kw_only=True, tag="powercut.explore/1"):
    """Where a walk ended, and what was said on the way.

    ``schedule`` has the thread of each step of the mount.  ``mount`` counts from 1.
    """

    design: str
    mutant: str | None
    scope: str
    mount: int
    step: int
    schedule: list[str]
    power_cut: bool
    properties: dict[str, Verdict]
    commands: list[Command]
