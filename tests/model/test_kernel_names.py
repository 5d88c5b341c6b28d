"""A kernel prefix means that the kernel has exactly this function, in the file of that place."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from powercut.model.mutants import MUTANTS
from powercut.properties.findings.loader import shipped

MODEL = Path(__file__).parents[2] / "model"
LIST = tomllib.loads((Path(__file__).parent / "kernel_functions.toml").read_text(encoding="utf-8"))
FILES = {name: row["file"] for row in LIST["file"] for name in row["names"]}
ELSEWHERE = {row["module"]: row["files"] for row in LIST["module"]}
PREFIXES = (
    "bio_",
    "blkdev_",
    "buffer_mapped",
    "clear_buffer_",
    "do_",
    "down_",
    "ext4_",
    "file_check_",
    "filemap_",
    "flush_workqueue",
    "folio_",
    "generic_",
    "io_submit_",
    "iomap_",
    "jbd2_",
    "journal_",
    "kjournald",
    "ksys_",
    "mapping_",
    "mpage_",
    "pagecache_",
    "percpu_",
    "set_buffer_",
    "sync_",
    "truncate_inode_",
    "truncate_pagecache",
    "up_",
    "wb_",
    "writeback_single_",
)


def functions(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Yield place (no ending), name and docstring of every function below ``folder``."""
    for path in sorted(folder.rglob("*.py")):
        place = path.relative_to(folder).with_suffix("").as_posix()
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield place, node.name, ast.get_docstring(node) or ""


def is_place_of(place: str, file: str) -> bool:
    """Tell whether the module ``place`` may hold functions of the kernel's ``file``."""
    own = re.sub(r"\.[ch]$", "", file).replace("-", "_")
    if place == own or place.startswith(f"{own}/"):
        return True
    return any(
        file in files and (place == module or place.startswith(f"{module}/"))
        for module, files in ELSEWHERE.items()
    )


def wrong_names(folder: Path) -> list[str]:
    """Say of each function with a kernel prefix what is wrong with it."""
    found = []
    for place, name, _ in functions(folder):
        if name.startswith(PREFIXES):
            file = FILES.get(name) or FILES.get(f"__{name}")
            if file is None:
                found.append(f"{place}: no kernel has {name}()")
            elif not is_place_of(place, file):
                found.append(f"{place}: {name}() is in {file}")
    return found


def test_every_kernel_name_is_the_kernel_s() -> None:
    assert wrong_names(MODEL) == []


def test_docstrings_name_functions_that_there_are() -> None:
    unknown = [
        f"{place}: {name}(): kernel: {said}()"
        for place, name, text in functions(MODEL)
        for sentence in re.findall(r"kernel: (.*?\.)(?:\s|$)", text, re.DOTALL)
        for said in re.findall(r"(?<![>\w])(\w+)\(\)", sentence)
        if said not in FILES
    ]
    assert unknown == []


def test_findings_name_functions_that_there_are() -> None:
    named = {name for finding in shipped().values() for name in finding.kernel}
    assert named - {f"{function}()" for function in FILES} == set()


def test_mutants_name_functions_that_there_are() -> None:
    sources = [m.source for m in MUTANTS.values() if not m.source.startswith("model.")]
    named = {name for text in sources for name in re.findall(r"(?<![>\w])(\w+)\(\)", text)}
    assert named - set(FILES) == set()


def test_a_wrong_name_and_a_wrong_place_are_found(tmp_path: Path) -> None:
    (tmp_path / "fs/ext4").mkdir(parents=True)
    planted = "def ext4_change_range(): ...\ndef ext4_sync_file(): ...\ndef plain(): ...\n"
    (tmp_path / "fs/ext4/inode.py").write_text(planted, encoding="utf-8")
    assert wrong_names(tmp_path) == [
        "fs/ext4/inode: no kernel has ext4_change_range()",
        "fs/ext4/inode: ext4_sync_file() is in fs/ext4/fsync.c",
    ]
