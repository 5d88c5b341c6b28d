"""The text report of ``check``: the verdicts with their bounds, what broke, and the rest.

Why so: few runs are shown one by one, each as soon as it and all before it are done.  Of many runs
the answer comes first: what broke, grouped (:mod:`.check_brief`), and ``--verbose`` has a line a
run.  Below 100 columns for three designs.
Rejected: tables that adapt to the terminal (a pasted report would depend on somebody's window).
"""

import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from powercut.checkers.run.result import HOLDS, INCONCLUSIVE, VIOLATED, RunResult, Violation
from powercut.checkers.workload import format_workload
from powercut.checkers.workload.shipped import SCOPES
from powercut.documents.check import RunReport, explained_by, overall, summary_of, unreached
from powercut.documents.check_brief import group_lines, grouped
from powercut.errors import ERROR, exit_code_of
from powercut.execute.job import Job
from powercut.properties.abstractions import abstractions
from powercut.properties.catalog import PROPERTIES, SITUATIONS
from powercut.terminal.style import Style

_WIDTH = 100
_LOUD = {VIOLATED: "VIOLATED", ERROR: "ERROR"}
_FEW = 8
"""Runs that are shown one by one in any case."""
_NO_NEED = "+"
"""Marks a verdict whose situations were never reached."""


class CheckReport:
    """Collects runs and prints them: :meth:`begin`, :meth:`add` for each run, :meth:`finish`."""

    def __init__(
        self,
        jobs: Sequence[Job],
        processes: int,
        out: TextIO,
        members: int = 1,
        *,
        verbose: bool = False,
    ) -> None:
        self.jobs = jobs
        self.has_rows = verbose or len(jobs) <= _FEW
        self.processes = processes
        self.members = members
        self.out = out
        self.style = Style.of(out)
        self.runs: list[RunReport] = []
        self.designs = list(dict.fromkeys(job.question.design.name for job in jobs))
        self.scopes = list(dict.fromkeys(job.question.scope.name for job in jobs))
        self.design_width = max(len("design"), *map(len, self.designs))
        self.scope_width = max(len("scope"), *map(len, self.scopes))

    def begin(self) -> None:
        """Say what will be explored."""
        mutant = self.jobs[0].question.mutant
        planted = f", with the mutant {mutant.slug} ({mutant.summary})" if mutant else ""
        at_a_time = f", {self.processes} at a time" if self.processes > 1 else ""
        swarm = f", each a swarm of {self.members}" if self.members > 1 else ""
        self._print(
            f"{_count(len(self.designs), 'design')} × {_count(len(self.scopes), 'scope')} = "
            f"{_count(len(self.jobs), 'run')}{swarm}{at_a_time}{planted}"
        )
        self._own_workloads()
        if not self.has_rows:
            self.out.flush()
            return
        self._print()
        self._title(
            f"{'design':{self.design_width}}  {'scope':{self.scope_width}}  {'verdict':12}"
            f"  {'states':>9}  {'seconds':>7}  seen"
        )
        self.out.flush()

    def _own_workloads(self) -> None:
        """Show what became of every workload of the user: sizes, and operations in cells."""
        for scope in dict.fromkeys(job.question.scope for job in self.jobs):
            if SCOPES.get(scope.name) == scope:
                continue
            self._print()
            self._wrapped(f"{scope.name}: {scope.summary}".rstrip(": "), "")
            for line in format_workload(scope).splitlines():
                if not line.startswith(("name ", "summary ")):
                    self._print(f"  {line}")

    def add(self, run: RunReport) -> None:
        """Print the line of a finished run, where each has one."""
        self.runs.append(run)
        if not self.has_rows:
            return
        result = run.result
        verdict = _LOUD.get(run.verdict, run.verdict)
        head = (
            f"{result.design:{self.design_width}}  {result.scope:{self.scope_width}}  "
            f"{self.style.paint(run.verdict, f'{verdict:12}')}  {result.states:9,}  "
            f"{result.seconds:7.2f}  {_seen(run)}"
        )
        notes = [] if result.exhaustive else [run.failure or result.stopped]
        notes += [f"{v.prop} in {v.steps} steps" for v in result.violations]
        text = ", ".join(notes)
        room = _WIDTH - self.design_width - self.scope_width - 43
        if text and len(text) <= room and result.exhaustive:
            head += f"  {text}"
        self._print(head)
        if text and text not in head:
            self._wrapped(text, " " * (self.design_width + 2))
        self.out.flush()

    def finish(self, verdict: str, seconds: float) -> None:
        """Print the verdict table, the violations, what else was seen, and the last line."""
        self._table()
        if self.has_rows:
            self._violations()
            self._observations()
            self._never_reached()
        else:
            self._answers()
        self._without()
        self._swarms()
        states = sum(run.result.states for run in self.runs)
        transitions = sum(run.result.transitions for run in self.runs)
        cut = sum(not run.result.exhaustive for run in self.runs)
        how = _how_cut([run.result for run in self.runs])
        bound = f"{cut} of {len(self.runs)} runs {how}" if cut else "all runs exhausted"
        word = _LOUD.get(verdict, verdict)
        self._print()
        self._print(
            f"{states:,} states, {transitions:,} transitions, {seconds:.1f} s, {bound}: "
            f"{self.style.paint(verdict, word)} (exit code {exit_code_of(verdict)})"
        )

    def _without(self) -> None:
        """Say what the model leaves out that these runs touch."""
        counts = Counter(name for run in self.runs for name in run.without)
        if not counts:
            return
        self._print()
        if not self.has_rows:
            names = ", ".join(sorted(counts))
            self._wrapped(f"without what the model leaves out (docs/model.md): {names}", "")
            return
        self._title("what holds, holds without (docs/model.md)")
        for name, count in sorted(counts.items()):
            where = "" if count == len(self.runs) else f" ({count} of {len(self.runs)} runs)"
            self._wrapped(f"{name}{where}: {abstractions()[name].left_out}")

    def _of(self, design: str) -> list[RunResult]:
        return [run.result for run in self.runs if run.result.design == design]

    def _table(self) -> None:
        width = max(len(name) for name in PROPERTIES) + 2
        columns = {design: max(22, len(design)) for design in self.designs}
        mutant = self.jobs[0].question.mutant
        self._print()
        self._title(f"{'property':{width}}" + _row(columns, {d: d for d in self.designs}))
        if mutant:
            self._print(
                " " * width + _row(columns, dict.fromkeys(self.designs, f"+ {mutant.slug}"))
            )
        marked = False
        plain: list[str] = []
        for name in PROPERTIES:
            label = f"{name} *" if self._is_advisory(name) else name
            cells = []
            verdicts = {design: self._verdict(name, design) for design in self.designs}
            if not self.has_rows and all(text == HOLDS for text, _ in verdicts.values()):
                plain.append(name)
                continue
            for design, (text, kind) in verdicts.items():
                marked = marked or text.endswith(_NO_NEED)
                cells.append(self.style.paint(kind, f"{text:{columns[design]}}"))
            self._print(f"{label:{width}}{'  '.join(cells)}".rstrip())
        if plain:
            self._wrapped(f"{HOLDS} everywhere: {', '.join(plain)}", "")
        for label, bound in self._bounds():
            self._print(f"{label:{width}}{_row(columns, bound)}".rstrip())
        if any(self._is_advisory(name) for name in PROPERTIES):
            self._print("* does not decide the verdict (see below)")
        if marked:
            self._print(f"{_NO_NEED} nothing it needs was reached: says little (see below)")

    def _is_advisory(self, name: str) -> bool:
        chosen = self.jobs[0].question.properties
        return name not in chosen if chosen else PROPERTIES[name].advisory

    def _verdict(self, prop: str, design: str) -> tuple[str, str]:
        """Return the verdict of a property over all scopes of a design, and its colour."""
        results = self._of(design)
        verdict = overall(
            [
                run.strictly(run.result.verdict_of(prop))
                for run in self.runs
                if run.result.design == design
            ]
        )
        if verdict == VIOLATED:
            found = [v for r in results for v in (*r.violations, *r.observations) if v.prop == prop]
            steps = min(v.steps for v in found)
            if self._is_advisory(prop):
                return f"seen in {steps} steps", INCONCLUSIVE
            return f"VIOLATED in {steps} steps", VIOLATED
        if verdict == HOLDS and unreached(results, prop):
            return f"{verdict} {_NO_NEED}", INCONCLUSIVE
        return verdict, verdict

    def _bounds(self) -> list[tuple[str, dict[str, str]]]:
        scopes: dict[str, str] = {}
        states: dict[str, str] = {}
        search: dict[str, str] = {}
        for design in self.designs:
            results = self._of(design)
            cut = sum(not result.exhaustive for result in results)
            scopes[design] = _count(len(results), "scope")
            states[design] = f"{sum(result.states for result in results):,} states"
            search[design] = f"{_how_cut(results)} in {cut}" if cut else "exhausted"
        return [("bound:", scopes), ("", states), ("", search)]

    def _violations(self) -> None:
        if not any(run.result.violations for run in self.runs):
            return
        self._print()
        self._title("violations (each replayed on the native model)")
        for run in self.runs:
            for violation in run.result.violations:
                place = f"{run.result.design}, {run.result.scope}"
                if run.result.mutant:
                    place += f", {run.result.mutant}"
                self._wrapped(f"{place}: {_told(run, violation)}")
                if violation.prop in run.traces:
                    self._print(f"      {run.traces[violation.prop]}")
        if not any(run.traces for run in self.runs):
            self._print("  no trace saved; --save-traces DIR keeps them")

    def _answers(self) -> None:
        """Say what broke, a line for all runs that show the same, new ones first."""
        groups = grouped(self.runs)
        if groups:
            new = sum(group.finding is None for group in groups)
            self._print()
            self._title(f"what breaks, worst first ({new} of {len(groups)} new)")
        for line in group_lines(groups):
            self._print(f"  {line}"[:_WIDTH])
        folder = next((Path(p).parent for run in self.runs for p in run.traces.values()), None)
        if groups and folder is not None:
            self._print(f"  powercut trace show {folder / 'DESIGN-SCOPE-PROPERTY.trace.json'}")
        elif groups:
            self._print("  --save-traces DIR leaves a trace of each, to show, replay and explore")
        reached = {name for run in self.runs for name, seen in run.result.reached.items() if seen}
        never = [name for name in SITUATIONS if name not in reached]
        self._print()
        said = f"never reached: {', '.join(never)}" if never else "every situation was reached"
        self._wrapped(f"{said}; --verbose: a line a run, and what else was seen", "")

    def _observations(self) -> None:
        seen = dict.fromkeys(v.prop for run in self.runs for v in run.result.observations)
        if not seen:
            return
        self._print()
        self._title("also seen (does not decide the verdict)")
        for prop in seen:
            self._wrapped(f"{prop}, against: {PROPERTIES[prop].statement}")
            for design in self.designs:
                found = [
                    (violation.steps, result.scope, violation)
                    for result in self._of(design)
                    for violation in result.observations
                    if violation.prop == prop
                ]
                if found:
                    _, scope, violation = min(found, key=lambda entry: entry[:2])
                    where = f"{len(found)} of {_count(len(self._of(design)), 'scope')}"
                    told = f"{violation.steps} steps: {summary_of(violation)}"
                    self._wrapped(f"{design}: in {where}; shortest in {scope}, {told}", "    ")

    def _never_reached(self) -> None:
        notes: dict[str, list[str]] = {}
        for design in self.designs:
            for text in self._reach_notes(self._of(design)):
                notes.setdefault(text, []).append(design)
        if notes:
            self._print()
            self._title("situations")
        for text, designs in notes.items():
            self._wrapped(f"{', '.join(designs)}: {text}")

    def _reach_notes(self, results: list[RunResult]) -> list[str]:
        """Say which properties hold for want of the situations they need."""
        silent: dict[tuple[str, ...], list[str]] = {}
        for prop in PROPERTIES:
            verdict = overall([result.verdict_of(prop) for result in results])
            missing = unreached(results, prop)
            if missing and verdict == HOLDS:
                silent.setdefault(missing, []).append(prop)
        notes = []
        for missing, props in silent.items():
            says = "says" if len(props) == 1 else "say"
            notes.append(
                f"nothing reached {' or '.join(missing)}: {', '.join(props)} {says} little"
            )
        others = [s for s in SITUATIONS if not any(r.reached.get(s) for r in results)]
        if others:
            notes.append(f"never reached at all: {', '.join(others)}")
        return notes

    def _swarms(self) -> None:
        """Say how far each swarm reaches."""
        swarms = [(run, run.swarm) for run in self.runs if run.swarm is not None]
        if swarms:
            self._print()
            self._title("swarms (bounds by capture and recapture; a swarm proves nothing)")
        for run, swarm in swarms:
            self._wrapped(f"{run.result.design}, {run.result.scope}: {swarm.told()}")

    def _wrapped(self, text: str, indent: str = "  ") -> None:
        """Print a paragraph; what follows its first line is indented further."""
        self._print(
            textwrap.fill(
                text,
                _WIDTH,
                initial_indent=indent,
                subsequent_indent=f"{indent}    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
        )

    def _title(self, text: str) -> None:
        self._print(self.style.paint("title", text.rstrip()))

    def _print(self, text: str = "") -> None:
        print(text, file=self.out)


def _seen(run: RunReport) -> str:
    if run.result.exhaustive:
        return "all"
    if run.swarm:
        return "a sample"
    return "digests" if run.result.is_compact_to_the_end else "cut short"


def _how_cut(results: Sequence[RunResult]) -> str:
    """Say of the runs that are not exhaustive why that is so, in a word or two."""
    compact = all(r.exhaustive or r.is_compact_to_the_end for r in results)
    return "known by digests only" if compact else "cut short"


def _told(run: RunReport, violation: Violation) -> str:
    finding = explained_by(run, violation)
    prop = f"{violation.prop} ({finding})" if finding else violation.prop
    return f"{prop} in {violation.steps} steps: {summary_of(violation)}"


def _row(columns: dict[str, int], cells: dict[str, str]) -> str:
    return "  ".join(f"{cells[name]:{width}}" for name, width in columns.items())


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
