"""The document of ``powercut locks --report``, made from what the reports say."""

from typing import TYPE_CHECKING

from msgspec import Struct

from powercut.documents.document import Document

if TYPE_CHECKING:
    from powercut.checkers.locks.diagnosis import Diagnosis


class WaitingTask(Struct, frozen=True, kw_only=True):
    """What a task has and waits for, in our classes; ``why`` is the function that says so."""

    task: str
    holds: list[str]
    wants: str
    why: str


class KernelReport(Struct, frozen=True, kw_only=True):
    """One report of a kernel: the circle, and what the model and the classes say of it."""

    form: str
    line: int
    verdict: str
    circle: list[str]
    tasks: list[WaitingTask]
    finding: str | None
    model: str
    reality: str


class LocksReportDocument(Document, frozen=True, kw_only=True, tag="powercut.locks-report/1"):
    """The reports of a running kernel that a file has."""

    title: str
    reports: list[KernelReport]


def locks_report_document(
    title: str, found: "list[Diagnosis]", verdict: str, exit_code: int
) -> LocksReportDocument:
    """Return the document of ``powercut locks --report --json``."""
    return LocksReportDocument(
        verdict=verdict,
        exit_code=exit_code,
        title=title,
        reports=[_report(one) for one in found],
    )


def _report(one: "Diagnosis") -> KernelReport:
    return KernelReport(
        form=one.form,
        line=one.line,
        verdict=one.verdict,
        circle=list(one.circle),
        tasks=[
            WaitingTask(task=task.task, holds=list(task.holds), wants=task.wants, why=task.why)
            for task in one.tasks
        ],
        finding=one.finding or None,
        model=one.model,
        reality=one.reality,
    )
