"""``powercut exam --generate``: does anybody notice a mistake that nobody has chosen?

Why so: mutants that somebody wrote show what somebody thought of.  Here every line of the kernel's
paths is made wrong in every way that an operator knows, and what is not noticed is listed with its
patch.  Rejected: a score alone (the survivors are what one can act upon).
"""

import sys
import time
from collections.abc import Iterator, Sequence
from typing import TextIO

from powercut.checkers.mistakes.campaign import (
    DESIGNS_ASKED,
    FIRST_DESIGNS,
    Results,
    is_known,
    judged,
    seen_by_default,
)
from powercut.checkers.mistakes.generate import Mistake, all_mistakes, sample
from powercut.checkers.mistakes.judge import Judgement
from powercut.checkers.mistakes.score import Case, Line, cases, line, lines, survivors
from powercut.checkers.mistakes.triage import shipped_entries, triaged
from powercut.documents.document import print_document
from powercut.documents.exam import ExamGeneratedDocument, NotTranslated, Score, Survivor
from powercut.errors import InputError, InternalError, exit_code_of
from powercut.inputs.files import make_writable
from powercut.inputs.limits import at_least_one
from powercut.verbs.check import process_count
from powercut.verbs.options import ExamOptions

_EVERY_S = 10.0


def run(options: ExamOptions) -> int:
    """Judge the chosen mistakes (default: all), print the report and return the exit code."""
    _refuse(options)
    mistakes: Sequence[Mistake] = all_mistakes()
    if options.sample is not None:
        seed = 1 if options.seed is None else options.seed
        mistakes = sample(mistakes, at_least_one("--sample", options.sample), seed)
    if options.results is not None:
        make_writable("--results", options.results.parent)
    most_states = 0
    if options.max_states is not None:
        most_states = at_least_one("--max-states", options.max_states)
    results = Results(options.results)
    known = results.read()
    began = time.perf_counter()
    interrupted = False
    try:
        for judgement in _new(mistakes, known, process_count(options.jobs), most_states):
            results.add(judgement)
            known[judgement.name] = judgement
    except KeyboardInterrupt:
        interrupted = True
    found = cases(mistakes, known, triaged(mistakes, shipped_entries()))
    seconds = time.perf_counter() - began
    verdict = _verdict(found, whole=not interrupted)
    if options.json:
        print_document(document(found, verdict, len(mistakes), options.max_states))
    else:
        report(found, len(mistakes), seconds, sys.stdout)
        print(f"(exit code {exit_code_of(verdict)})")
    sys.stdout.flush()
    for case in found:
        if case.judgement.status == "failed":
            raise InternalError(f"{case.mistake.name}: {case.judgement.detail}")
    return exit_code_of(verdict)


def _refuse(options: ExamOptions) -> None:
    useless = {
        "--mutant": options.mutants,
        "--patch": options.patches,
        "--save-traces": options.save_traces,
        "--cluster": options.cluster,
    }
    for name, given in useless.items():
        if given:
            raise InputError(f"{name}: generated mistakes have no use for it", "leave it out")


def _new(
    mistakes: Sequence[Mistake], known: dict[str, Judgement], processes: int, most_states: int
) -> Iterator[Judgement]:
    """Judge what is not known; say on standard error how far it is."""
    left = sum(not is_known(mistake, known, most_states) for mistake in mistakes)
    if not left:
        return
    began = last = time.perf_counter()
    seen = seen_by_default()
    for number, judgement in enumerate(
        judged(mistakes, seen, known, processes, most_states=most_states), 1
    ):
        yield judgement
        now = time.perf_counter()
        if now - last >= _EVERY_S and sys.stderr.isatty():
            last = now
            rate = 60 * number / (now - began)
            print(f"powercut: {number} of {left} judged, {rate:.0f} a minute", file=sys.stderr)


def _verdict(found: Sequence[Case], *, whole: bool) -> str:
    if survivors(found):
        return "violated"
    return "holds" if whole else "inconclusive"


def document(
    found: Sequence[Case], verdict: str, chosen: int, max_states: int | None
) -> ExamGeneratedDocument:
    """Return the document of ``powercut exam --generate --json``."""
    return ExamGeneratedDocument(
        verdict=verdict,
        exit_code=exit_code_of(verdict),
        designs=list(DESIGNS_ASKED),
        asked_first=list(FIRST_DESIGNS),
        chosen=chosen,
        max_states=max_states,
        total=_row(line("all", found)),
        files=[_row(each) for each in lines(found, lambda m: m.file)],
        kinds=[_row(each) for each in lines(found, lambda m: m.kind)],
        pairs=[_row(each) for each in lines(found, lambda m: f"{m.file} {m.kind}")],
        survivors=[_survivor(case) for case in survivors(found)],
        not_translated=[
            NotTranslated(name=case.mistake.name, why=case.judgement.detail)
            for case in found
            if case.judgement.status == "not translated"
        ],
    )


def _row(each: Line) -> Score:
    return Score(
        name=each.name,
        made=each.made,
        mistakes=each.mistakes,
        caught=each.caught,
        score=round(each.score, 1),
        equivalent=each.equivalent,
        not_executed=each.not_executed,
        not_translated=each.not_translated,
    )


def _survivor(case: Case) -> Survivor:
    judgement = case.judgement
    return Survivor(
        name=case.mistake.name,
        kind=case.mistake.kind,
        file=case.mistake.file,
        missing=case.missing,
        reason=case.entry.reason if case.entry else None,
        runs=judgement.runs,
        states=judgement.states,
        hidden=list(judgement.hidden),
        cut=list(judgement.cut),
        patch=case.mistake.patch,
    )


_TITLES = (
    f"{'':42}  {'made':>5}  {'mistakes':>8}  {'caught':>6}  {'score':>6}  "
    f"{'equivalent':>10}  {'not run':>7}  {'no model':>8}"
)


def report(found: Sequence[Case], chosen: int, seconds: float, out: TextIO) -> None:
    """Print a line a file, a line a kind, and every survivor with its patch."""
    print(f"{len(found)} of {chosen} mistakes judged, {seconds:.0f} s\n", file=out)
    print(_TITLES, file=out)
    for each in (*lines(found, lambda m: m.file), *lines(found, lambda m: m.kind)):
        print(_line(each), file=out)
    print(_line(line("all", found)), file=out)
    for case in survivors(found):
        hidden = f"; hidden: {', '.join(case.judgement.hidden)}" if case.judgement.hidden else ""
        runs = f"{case.judgement.runs} runs, {case.judgement.states:,} states"
        print(f"\n{case.mistake.name}: missing: {case.missing}; {runs}{hidden}", file=out)
        if case.entry:
            print(f"  {case.entry.reason}", file=out)
        print(case.mistake.patch, end="", file=out)
    print(file=out)


def _line(each: Line) -> str:
    name = each.name.removeprefix("model/")
    return (
        f"{name:42}  {each.made:5}  {each.mistakes:8}  {each.caught:6}  {each.score:5.1f}%  "
        f"{each.equivalent:10}  {each.not_executed:7}  {each.not_translated:8}"
    )
