"""``powercut exam``: the checker's own test.  Which property catches which planted mistake?

Why so: a checker that finds nothing must first show that it would.  Each mutant runs in the scope
and design it names, and so does that design without it: a property that is violated in both has
not caught the mutant.  Rejected: stopping at the first violation (who else notices is half the
point).
"""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from powercut.checkers.run.question import Question
from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED, RunResult
from powercut.checkers.weave.patch import ModelPatch
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.check import overall
from powercut.documents.document import print_document
from powercut.documents.exam import ExamDocument, ExaminedMutant
from powercut.errors import ERROR, InputError, InternalError, exit_code_of
from powercut.execute.job import Job
from powercut.execute.progress import ProgressLine
from powercut.inputs.files import Findings, make_writable
from powercut.inputs.names import pick_all
from powercut.inputs.patches import check_language, read_patches
from powercut.model.designs import DESIGNS
from powercut.model.mutants import MUTANTS, Mutant
from powercut.properties.catalog import PROPERTIES
from powercut.terminal.style import Style
from powercut.verbs.check import Run, executor, process_count, raise_refusal, saved
from powercut.verbs.options import ExamOptions


@dataclass(frozen=True, slots=True)
class Grade:
    """How one mutant fared: the run without it, the run with it, the traces by property."""

    mutant: Mutant
    baseline: RunResult
    mutated: RunResult
    traces: dict[str, str]
    failure: str = ""
    origin: str = ""

    @property
    def by(self) -> list[str]:
        """Properties that the mutation breaks: violated with it and not without it."""
        before = {v.prop for v in self.baseline.violations}
        return [v.prop for v in self.mutated.violations if v.prop not in before]

    @property
    def caught(self) -> bool:
        """Whether the property that should catch it does, and the design is known clean of it."""
        return self.mutant.caught_by in self.by and self.baseline.exhaustive

    @property
    def steps(self) -> int | None:
        """Length of the shortest counterexample of the property that should catch it."""
        steps = [v.steps for v in self.mutated.violations if v.prop == self.mutant.caught_by]
        return steps[0] if self.caught else None

    @property
    def verdict(self) -> str:
        """``holds`` (caught), ``violated`` (missed), ``inconclusive`` (cut short), ``error``."""
        if self.failure:
            return ERROR
        if self.caught:
            return HOLDS
        cut = not (self.baseline.exhaustive and self.mutated.exhaustive)
        return INCONCLUSIVE if cut else VIOLATED

    @property
    def bound(self) -> str:
        """How far the grade reaches."""
        stopped = self.baseline.stopped or self.mutated.stopped
        return f"cut short: {stopped}" if stopped else "exhausted"


def run(options: ExamOptions) -> int:
    """Examine the chosen mutants (default: all), print the table and return the exit code."""
    if options.generate:
        from powercut.verbs import exam_generated

        return exam_generated.run(options)
    for name, given in (("--sample", options.sample), ("--results", options.results)):
        if given is not None or options.seed is not None:
            raise InputError(f"{name}: only generated mistakes have it", "give --generate as well")
    mutants = (
        pick_all("--mutant", options.mutants, MUTANTS)
        if options.mutants
        else list(MUTANTS.values())
    )
    patches = read_patches(options.patches or ())
    if patches:
        for mutant in mutants:
            check_language(_question(mutant, mutant, patches))
    processes = process_count(options.jobs, options.cluster)
    if options.save_traces is not None:
        make_writable("--save-traces", options.save_traces)
    grades, findings = [], Findings(options.save_traces)
    with executor(options.cluster, processes) as (do, _):
        if not options.json:
            _begin(mutants)
        for grade in examine(mutants, do, findings, patches):
            grades.append(grade)
            if not options.json:
                _print_grade(grade)
    verdicts = [grade.verdict for grade in grades]
    verdict = overall(verdicts)
    if options.json:
        print_document(exam_document(grades, verdict))
    else:
        caught = sum(grade.caught for grade in grades)
        print(
            f"\n{caught} of {len(grades)} mutants caught by the property they name "
            f"(exit code {exit_code_of(verdict)})"
        )
    findings.tell()
    for grade in grades:
        if grade.failure:
            sys.stdout.flush()
            raise InternalError(grade.failure, grade.origin)
    return exit_code_of(verdict)


def _question(at: Mutant, planted: Mutant | None, patches: tuple[ModelPatch, ...]) -> Question:
    """Ask about ``planted`` where the mutant ``at`` is at home."""
    return Question(DESIGNS[at.design], SCOPES[at.scope], planted, tuple(PROPERTIES), patches)


def examine(
    mutants: Sequence[Mutant],
    run: Run,
    findings: Findings,
    patches: tuple[ModelPatch, ...] = (),
) -> Iterator[Grade]:
    """Run every design without a mutant, then every mutant; yield a grade each as it is known."""
    homes = {(m.design, m.scope): m for m in mutants}
    jobs = [Job(_question(home, None, patches)) for home in homes.values()]
    jobs += [Job(_question(mutant, mutant, patches)) for mutant in mutants]
    line = ProgressLine(len(jobs))
    done = run(jobs, line=line)
    baselines = {key: next(done) for key in homes}
    raise_refusal(baselines.values())
    for mutant, mutated in zip(mutants, done, strict=True):
        raise_refusal([mutated])
        wanted = {p: t for p, t in mutated.traces.items() if p == mutant.caught_by}
        baseline = baselines[mutant.design, mutant.scope]
        traces = saved(wanted, findings)
        broken = mutated if mutated.failure else baseline
        yield Grade(mutant, baseline.result, mutated.result, traces, broken.failure, broken.origin)
    line.clear()


def exam_document(grades: Sequence[Grade], verdict: str) -> ExamDocument:
    """Return the document of ``powercut exam --json``."""
    return ExamDocument(
        verdict=verdict, exit_code=exit_code_of(verdict), mutants=[_examined(g) for g in grades]
    )


def _examined(grade: Grade) -> ExaminedMutant:
    return ExaminedMutant(
        slug=grade.mutant.slug,
        caught=grade.caught,
        by=grade.by,
        expected=grade.mutant.caught_by,
        design=grade.mutant.design,
        scope=grade.mutant.scope,
        states=grade.mutated.states,
        steps=grade.steps,
        seconds=round(grade.mutated.seconds, 3),
        exhaustive=grade.baseline.exhaustive and grade.mutated.exhaustive,
        bound=grade.bound,
        failure=grade.failure or None,
        trace=grade.traces.get(grade.mutant.caught_by),
    )


_TITLES = f"{'mutant':26}  {'caught':12}  {'steps':>5}  {'states':>9}  {'seconds':>7}  seen  by"


def _begin(mutants: Sequence[Mutant]) -> None:
    print(f"{len(mutants)} mutants, each in the design and scope it names\n")
    print(Style.of(sys.stdout).paint("title", _TITLES))
    sys.stdout.flush()


def _print_grade(grade: Grade) -> None:
    words = {
        HOLDS: "caught",
        VIOLATED: "MISSED",
        INCONCLUSIVE: "inconclusive",
        ERROR: "ERROR",
    }
    verdict = Style.of(sys.stdout).paint(grade.verdict, f"{words[grade.verdict]:12}")
    steps = "-" if grade.steps is None else str(grade.steps)
    seen = "all " if grade.bound == "exhausted" else grade.bound
    named = [f"[{p}]" if p == grade.mutant.caught_by else p for p in grade.by]
    missed = "" if grade.caught else f" (expected {grade.mutant.caught_by})"
    print(
        f"{grade.mutant.slug:26}  {verdict}  {steps:>5}  {grade.mutated.states:9,}  "
        f"{grade.mutated.seconds:7.2f}  {seen}  {', '.join(named) or 'nobody'}{missed}"
    )
    for path in grade.traces.values():
        print(f"    {path}")
    sys.stdout.flush()
