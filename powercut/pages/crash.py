"""What a power cut at a point can leave, every image recovered and judged by the model."""

from math import prod

from powercut.checkers.crash.evidence import describe_finding
from powercut.checkers.crash.image import file_images, relevant_cells
from powercut.checkers.traces.format import colour_name
from powercut.model.recovery import Disk, cell_content, recover
from powercut.model.scope import Geometry
from powercut.model.state import WRITTEN
from powercut.pages.data import Crash, FreeCell, Outcome, RecoveredInode, Wrong
from powercut.properties.catalog import PROPERTIES
from powercut.properties.crash import on_image
from powercut.properties.crash_state import CrashState, colours_of

MOST_IMAGES = 1_024
"""Images judged at a point; what a page did not judge, it says."""


def crash_of(state: CrashState, journal: list[str]) -> Crash:
    """Return what a power cut in ``state`` can leave; ``journal`` says what it finds there."""
    free = [cell for cell in relevant_cells(state) if state.may[cell].bit_count() > 1]
    images = prod(state.may[cell].bit_count() for cell in free)
    numbers: dict[bytes, int] = {}
    found: list[tuple[list[RecoveredInode], list[Wrong]]] = []
    choice: list[int] = []
    for image in file_images(state):
        if len(choice) == MOST_IMAGES:
            break
        files, wrong = recovered_files(image, state.geometry), wrong_of(state, image)
        number = numbers.setdefault(repr((files, wrong)).encode(), len(numbers))
        if number == len(found):
            found.append((files, wrong))
        choice.append(number)
    outcomes = [
        Outcome(choice.count(number), files, wrong) for number, (files, wrong) in enumerate(found)
    ]
    judged = len(choice)
    return Crash(
        journal=journal,
        free=[_free_cell(state, cell) for cell in free],
        outcomes=outcomes,
        choice=choice if judged == images else [],
        images=images,
        judged=judged,
    )


def outcome_of(state: CrashState, image: Disk) -> Outcome:
    """Return what the one ``image`` recovers to."""
    return Outcome(1, recovered_files(image, state.geometry), wrong_of(state, image))


def recovered_files(image: Disk, geometry: Geometry) -> list[RecoveredInode]:
    """Return every file after recovery of ``image``, cells behind its size included."""
    disk = recover(image, geometry)
    cells = range(geometry.nr_blocks * geometry.cells_per_block)
    return [
        RecoveredInode(
            inode.size,
            inode.deleted,
            [
                colour_name(cell_content(disk, geometry, i, cell))
                if cell < inode.size
                or inode.extents[cell // geometry.cells_per_block][0] == WRITTEN
                else None
                for cell in cells
            ],
        )
        for i, inode in enumerate(disk.inodes)
    ]


def wrong_of(state: CrashState, image: Disk) -> list[Wrong]:
    """Return what ``image`` breaks, a place once."""
    return [
        Wrong(f.prop, f.inode, f.cell, describe_finding(f), PROPERTIES[f.prop].advisory)
        for f in on_image(state, image)
    ]


def _free_cell(state: CrashState, cell: int) -> FreeCell:
    per_block = state.geometry.cells_per_block
    colours = [str(colour_name(mask)) for mask in colours_of(state.may[cell])]
    return FreeCell(cell // per_block, cell % per_block, colours)
