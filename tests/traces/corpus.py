"""The saved traces: which there are, and how to make them again.

``python -m tests.traces.corpus`` writes them to ``traces/``, or to the folder given;
``--missing`` leaves files alone that are there.  There is one counterexample for each example of
a finding and for each mutant, and for each mutant and some findings the same schedule where the
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
from powercut.properties.findings.loader import shipped

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


FINDINGS = tuple(
    Case(example.design, example.scope, example.prop, prevented_by=example.prevented_by)
    for finding in shipped().values()
    for example in finding.example
)
LEGAL = (Case("seed", "three-blocks", "zeros-for-data"),)
"""What ext4 documents as legal, and is no finding."""
PLANTED = tuple(
    Case(mutant.design, mutant.scope, mutant.caught_by, mutant.slug, (mutant.design,))
    for mutant in MUTANTS.values()
)
CASES = (*FINDINGS, *LEGAL, *PLANTED)


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
