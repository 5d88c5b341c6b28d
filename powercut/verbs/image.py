"""``powercut image``: the crash state of a trace as a real ext4 image, agreed on by everybody.

Why so: an image that only the model understands proves nothing, so it is written when the model's
recovery, our reader, and e2fsck with debugfs find the same files in it, and not before.
Rejected: writing it and checking on request.
"""

from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.kernel.errors import DisagreementError, LabError
from powercut.checkers.kernel.model_image import (
    BLOCK_BYTES,
    ModelImage,
    Recovered,
    agreement,
    runs,
    structural_faults,
    usual_block_bytes,
    write_image,
)
from powercut.checkers.run.replay import replay
from powercut.checkers.traces.codec import load_trace, scope_of
from powercut.checkers.traces.errors import TraceError, TraceMismatch
from powercut.checkers.traces.format import Trace, disk_of
from powercut.documents.document import print_document
from powercut.documents.image import ImageDocument, MappedBlock, RecoveredFile
from powercut.errors import HOLDS, InputError, InternalError
from powercut.inputs.files import make_writable_file, write_whole
from powercut.inputs.names import pick

IN_PLACE = "clean"
IN_JOURNAL = "committed"
JOURNALS = {name: name for name in (IN_PLACE, IN_JOURNAL)}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line of ``image``, as typed."""

    output: Path | None = None
    mount: int | None = None
    block_size: int | None = None
    journal: str = IN_PLACE
    json: bool = False


def run_image(path: Path, options: Options) -> int:
    """Write the image of the trace at ``path``, say what is in it and return the exit code."""
    if options.output is None:
        raise InputError("image: no output given; name the image with -o FILE")
    make_writable_file("--output", options.output)
    try:
        trace = load_trace(path)
        replay(trace, str(path))
        image = _image_of(trace, path, options)
        files = agreement(image)
    except (TraceError, TraceMismatch, LabError) as error:
        raise InputError(str(error)) from None
    except DisagreementError as error:
        raise InternalError(f"{path}: {error}") from None
    write_whole(options.output, image.content)
    document = _document(path, options.output, image, files)
    if options.json:
        print_document(document)
    else:
        _print(document)
    return HOLDS


def _image_of(trace: Trace, path: Path, options: Options) -> ModelImage:
    scope = scope_of(trace, str(path))
    number = len(trace.epochs) if options.mount is None else options.mount
    if not 1 <= number <= len(trace.epochs):
        raise InputError(f"--mount {number}: the trace has mounts 1 to {len(trace.epochs)}")
    crash = trace.epochs[number - 1].crash
    if crash is None:
        raise InputError(f"{path}: mount {number} ends without a power cut; nothing to write")
    block_bytes = options.block_size or usual_block_bytes(scope.geometry)
    if block_bytes not in BLOCK_BYTES:
        raise InputError(f"--block-size {block_bytes}: give one of {_listed(BLOCK_BYTES)}")
    if block_bytes % scope.geometry.cells_per_block:
        raise InputError(
            f"{path}: {scope.geometry.cells_per_block} cells a block do not divide {block_bytes} "
            "bytes; the model's cells need a size of their own"
        )
    in_journal = pick("--journal", options.journal, JOURNALS, "journal") == IN_JOURNAL
    try:
        return write_image(
            disk_of(crash, scope.geometry), scope.geometry, block_bytes, in_journal=in_journal
        )
    except ValueError as error:
        raise InputError(f"{path}: {error}; the writer has no room for that") from None


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))


def _document(
    path: Path, output: Path, image: ModelImage, files: dict[str, Recovered | None]
) -> ImageDocument:
    return ImageDocument(
        verdict="written",
        exit_code=HOLDS,
        trace=str(path),
        image=str(output),
        block_size=image.block_bytes,
        first_block=image.first_block,
        faults=structural_faults(image),
        agreed=["model", "powercut", "e2fsck", "debugfs"],
        files=[_file(name, file) for name, file in files.items()],
    )


def _file(name: str, file: Recovered | None) -> RecoveredFile:
    return RecoveredFile(
        name=name,
        size=file.size_bytes if file else None,
        content=runs(file.content) if file else None,
        blocks=[
            MappedBlock(logical=logical, physical=physical, written=written)
            for logical, (physical, written) in (file.blocks if file else ())
        ],
    )


def _print(document: ImageDocument) -> None:
    print(f"{document.image}: {document.block_size} bytes a block; after recovery:")
    for file in document.files:
        if file.size is None:
            print(f"  {file.name}: gone")
            continue
        blocks = ", ".join(
            f"{b.logical}:{b.physical}{'' if b.written else ' unwritten'}" for b in file.blocks
        )
        print(f"  {file.name}: {file.size} bytes: {file.content or 'empty'}")
        print(f"    blocks {blocks or 'none'}")
    print("  the model, our reader, e2fsck and debugfs agree on that")
    for fault in document.faults:
        print(f"  structure: {fault}")
