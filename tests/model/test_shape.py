"""The model has the shape of the kernel: a path for every function of the patch it mirrors."""

import re
from pathlib import Path

import pytest

from powercut.checkers.engine.frames import Place
from powercut.checkers.run.mount import Mount
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.model.designs import DESIGNS

PATCH = Path(__file__).parents[3] / "shared" / "seed" / "v3-09-22.patch"
SOURCES = "".join(
    path.read_text(encoding="utf-8")
    for path in sorted((Path(__file__).parents[2] / "model").rglob("*.py"))
)
NOT_MODELLED = {
    "ext4_iomap_punch_delalloc",  # its body is ext4_es_remove_extent() in the model
}


def test_every_function_of_the_patch_has_a_path() -> None:
    if not PATCH.exists():
        pytest.skip("the patch is not beside this checkout")
    text = PATCH.read_text(encoding="utf-8")
    added = set(
        re.findall(r"^\+(?:static )?(?:int|void|ssize_t) (ext4_iomap_\w+)\(", text, re.MULTILINE)
    )
    assert len(added) >= 9
    missing = {name for name in added - NOT_MODELLED if f"def {name}(" not in SOURCES}
    assert not missing


def places() -> dict[str, list[Place]]:
    build = Mount.of(Question(DESIGNS["seed"], SCOPES["eio-append"])).system.build
    return {kind: list(frames.places.values()) for kind, frames in build.frames.items()}


def test_every_preemption_point_says_what_it_is() -> None:
    for of_kind in places().values():
        for place in of_kind:
            assert place.label, f"{place.file}:{place.line} has no label"


def test_the_patch_starts_its_handle_under_the_folio_lock() -> None:
    """folio lock, then handle, then i_data_sem: as call chains of the flusher."""
    chains = [
        [c.split(":")[0] for c in place.callers] + [place.function] for place in places()["flusher"]
    ]
    wanted = ["ext4_iomap_map_one_extent", "ext4_journal_start"]
    assert any(chain[-2:] == wanted for chain in chains)
    assert any(chain[-2:] == ["ext4_iomap_map_one_extent", "down_write"] for chain in chains)
    assert any(chain[-2:] == ["iomap_writepages", "folio_lock"] for chain in chains)
