"""The saved traces: which there are, and how to make them again.

``python -m tests.traces.corpus`` writes them to ``traces/``, or to the folder given;
``--missing`` leaves files alone that are there.  There is one counterexample for each row of
``FINDINGS`` and for each mutant, and for each mutant and some findings the same schedule where the
property holds: without the mutant, or under another design.  All are minimised within their scope,
so a change of the model changes a file only where it changes the counterexample.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from powercut.checkers.explain.diff import follow
from powercut.checkers.explain.minimise import minimise
from powercut.checkers.explain.why import annotated
from powercut.checkers.run.question import Question
from powercut.checkers.run.runner import run_scope
from powercut.checkers.run.trace_of import trace_of
from powercut.checkers.traces.codec import encode_trace, load_trace, trace_file_name
from powercut.checkers.traces.format import Trace
from powercut.checkers.workload.shipped import SCOPES
from powercut.inputs.files import write_whole
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS

FOLDER = Path(__file__).parents[2] / "traces"
ENDING = ".trace.json"


@dataclass(frozen=True, slots=True)
class Case:
    """What a counterexample is of; ``prevented_by`` are designs that its schedule is fine under."""

    design: str
    scope: str
    prop: str
    mutant: str = ""
    prevented_by: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        """The file's name without its ending."""
        return "-".join(filter(None, (self.design, self.scope, self.prop, self.mutant)))


FINDINGS = (
    Case("seed", "eof-two-mounts", "stale-data", prevented_by=("seed-eof-ordered",)),
    Case("seed", "eof-mmap", "stale-data", prevented_by=("seed-gap-ordered", "series-v5")),
    Case("seed", "eof-truncate-up", "stale-data"),
    Case("seed", "eof-in-block", "stale-data", prevented_by=("seed-eof-ordered",)),
    Case("seed", "three-blocks-two-mounts", "stale-data"),
    Case("seed", "truncate-truncate", "stale-data", prevented_by=("seed-eof-deferred",)),
    Case("bh-ordered", "punch-nodelalloc", "stale-data", prevented_by=("seed",)),
    Case("bh-ordered", "truncate-nodelalloc", "stale-data", prevented_by=("seed",)),
    Case("bh-ordered", "eio-nodelalloc", "stale-data"),
    Case("bh-ordered", "cut-twice", "stale-data", prevented_by=("seed",)),
    Case("seed", "truncate-extend", "stale-data"),
    Case("seed", "two-mounts-truncate", "stale-data"),
    Case("seed", "eio-overwrite", "data-err-abort", prevented_by=("series-v5",)),
    Case("seed", "folio-tail", "stale-data"),
    Case("seed", "punch-folio", "late-write", prevented_by=("series-v5", "bh-ordered")),
    Case("seed", "punch-other-file", "durability", prevented_by=("series-v5", "bh-ordered")),
    Case("seed", "punch-refill", "stale-data", prevented_by=("series-v5", "bh-ordered")),
    Case("seed", "eio-eof", "stale-data", prevented_by=("seed-eof-ordered",)),
    Case("seed", "three-blocks", "zeros-for-data"),
    Case("seed-gap-ordered", "eof-in-block", "stale-data"),
    Case("seed-gap-ordered", "eof-unsubmitted", "deadlock", prevented_by=("seed",)),
    Case("seed-gap-ordered", "eio-eof", "stale-data"),
    Case("series-v5", "eof-unsubmitted", "deadlock", prevented_by=("series-v5-submit-first",)),
    Case("series-v5", "new-file", "stale-data"),
    Case("series-v5-submit-first", "late-gap", "deadlock", prevented_by=("seed",)),
    Case("series-v5", "truncate-up-merge", "durability"),
    Case("series-v5", "write-up-merge", "durability", prevented_by=("seed", "bh-ordered")),
    Case("series-v5", "eio-eof", "stale-data"),
    Case("series-v5", "eof-in-block", "stale-data"),
    Case("series-v5", "folio-tail", "stale-data"),
    Case("seed-without-07", "ordered-log", "deadlock", prevented_by=("seed",)),
    Case("mixed", "two-files", "deadlock", prevented_by=("bh-ordered", "seed")),
    Case("bh-ordered", "new-file", "stale-data"),
    Case("bh-ordered", "eof-in-block", "stale-data"),
    Case("bh-ordered", "folio-tail", "stale-data"),
    Case("bh-ordered", "zero-range-tail", "stale-data", prevented_by=("seed-gap-ordered",)),
    Case("bh-ordered", "eio-eof", "stale-data"),
    Case("bh-ordered", "eio-rewrite", "durability", prevented_by=("seed",)),
    Case("seed-eof-ordered", "eof-two-mounts", "structure", prevented_by=("seed-eof-deferred",)),
    Case("seed-eof-ordered", "behind-eof", "stale-data"),
    Case("seed-eof-deferred", "eof-unsubmitted", "deadlock", prevented_by=("seed-eof-ordered",)),
    Case("seed-eof-deferred", "eio-eof", "stale-data"),
    Case("seed-eof-deferred", "zero-range-tail", "deadlock", prevented_by=("series-v5",)),
    Case("seed-eof-ordered", "zero-range-tail", "sizes", prevented_by=("series-v5",)),
)
PLANTED = tuple(
    Case(mutant.design, mutant.scope, mutant.caught_by, mutant.slug, (mutant.design,))
    for mutant in MUTANTS.values()
)
CASES = (*FINDINGS, *PLANTED)


def find(case: Case) -> Trace:
    """Search for the counterexample and return its trace.  Raises :class:`LookupError`."""
    mutant = MUTANTS[case.mutant] if case.mutant else None
    question = Question(DESIGNS[case.design], SCOPES[case.scope], mutant, stop_at=case.prop)
    result = run_scope(question)
    for violation in (*result.violations, *result.observations):
        if violation.prop == case.prop:
            return trace_of(violation, result)
    raise LookupError(f"{case.stem}: nothing found")


def counterexample(case: Case) -> Trace:
    """Return the counterexample of ``case``, minimised within its scope, with its causes."""
    return annotated(minimise(find(case), reduce_workload=False))


def counterpart(violated: Trace, stem: str, design: str) -> Trace:
    """Return the run of ``design`` that follows ``violated``.  Raises :class:`LookupError`."""
    question = Question(DESIGNS[design], SCOPES[violated.scope])
    trace = follow(violated, question, counterpart=stem)
    if trace.verdict != "holds":
        raise LookupError(f"{stem}: {design} violates {trace.property} on this schedule too")
    return trace


def names(case: Case) -> Iterator[str]:
    """Yield the names of the files that belong to ``case``."""
    yield case.stem + ENDING
    for design in case.prevented_by:
        yield f"{case.stem}-holds-in-{design}{ENDING}"


def save_all(folder: Path, *, only_missing: bool = False) -> Iterator[Path]:
    """Search for every counterexample, save it with its counterparts and yield the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        files = [folder / name for name in names(case)]
        if only_missing and all(file.exists() for file in files):
            continue
        kept = only_missing and files[0].exists()
        made = [load_trace(files[0]) if kept else counterexample(case)]
        made += [counterpart(made[0], case.stem, design) for design in case.prevented_by]
        for file, trace in zip(files, made, strict=True):
            assert file.name == trace_file_name(trace)
            write_whole(file, encode_trace(trace))
            yield file


def main() -> None:
    """Write the corpus and print the files, then the ones that do not belong to it."""
    parser = argparse.ArgumentParser(prog="tests.traces.corpus", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=FOLDER)
    parser.add_argument("--missing", action="store_true")
    options = parser.parse_args()
    for path in save_all(options.folder, only_missing=options.missing):
        print(path.name, flush=True)
    known = {name for case in CASES for name in names(case)}
    for path in sorted(options.folder.glob(f"*{ENDING}")):
        if path.name not in known:
            print(f"not in the corpus, remove it: {path.name}")


if __name__ == "__main__":
    main()
