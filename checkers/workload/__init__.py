"""Workloads: op lists a person writes, or fsx recorded, turned into scopes to explore.

What: :func:`load_workload` reads a file, :func:`parse_workload` and :func:`format_workload` are the
text format, :func:`parse_fsx_ops` is fsx's, :func:`check_scope` holds any scope to the limits. Why
so: the explorer only knows :class:`~powercut.model.scope.Scope`, so formats come and go without it.
Rejected: workloads as Python files (running a bug report is not reading it).
"""

from powercut.checkers.workload.errors import Place, WorkloadError
from powercut.checkers.workload.fsx import parse_fsx_ops
from powercut.checkers.workload.limits import LimitError, check_scope
from powercut.checkers.workload.loader import load_workload
from powercut.checkers.workload.text import format_op, format_workload, parse_workload

__all__ = [
    "LimitError",
    "Place",
    "WorkloadError",
    "check_scope",
    "format_op",
    "format_workload",
    "load_workload",
    "parse_fsx_ops",
    "parse_workload",
]
