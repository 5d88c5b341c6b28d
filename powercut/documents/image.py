"""The document of ``powercut image``."""

from msgspec import Struct

from powercut.documents.document import Document


class MappedBlock(Struct, frozen=True, kw_only=True):
    """A logical block of a file and the block of the image that it is mapped to."""

    logical: int
    physical: int
    written: bool


class RecoveredFile(Struct, frozen=True, kw_only=True):
    """A file after recovery, ``size`` in bytes; ``size`` and ``content`` are null if it is gone."""

    name: str
    size: int | None
    content: str | None
    blocks: list[MappedBlock]


class ImageDocument(Document, frozen=True, kw_only=True, tag="powercut.image/1"):
    """What was written, and what is in it after recovery; ``block_size`` is in bytes."""

    trace: str
    image: str
    block_size: int
    first_block: int
    faults: list[str]
    agreed: list[str]
    files: list[RecoveredFile]
