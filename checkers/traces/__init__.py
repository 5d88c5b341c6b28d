"""Traces: counterexamples as files, and as something a person reads.

What: :mod:`.format` is the document, :mod:`.codec` reads and writes it, :mod:`.describe`
says what a step changed, :mod:`.ladder` and :mod:`.mermaid` draw a run, :mod:`.migrate` reads what
older versions wrote.
Why so: a trace outlives the model that made it, so the file is plain, versioned data without
thread indexes or state vectors, and everything that judges it again is elsewhere.
Rejected: pickled states (unreadable, tied to one geometry), bare schedules (a trace that no longer
fits could not say where).
"""

from powercut.checkers.traces.codec import (
    MAX_TRACE_BYTES,
    decode_trace,
    encode_trace,
    json_schema,
    load_trace,
    trace_file_name,
)
from powercut.checkers.traces.errors import TraceError, TraceMismatch
from powercut.checkers.traces.format import (
    SCHEMA,
    DiskImage,
    Origin,
    StepsWhy,
    Trace,
    TraceEpoch,
    TraceStep,
)
from powercut.checkers.traces.ladder import render_ladder, render_list
from powercut.checkers.traces.mermaid import render_mermaid
from powercut.checkers.traces.views import EpochReplay, PlacedStep, StepView, WrongCell

__all__ = [
    "MAX_TRACE_BYTES",
    "SCHEMA",
    "DiskImage",
    "EpochReplay",
    "Origin",
    "PlacedStep",
    "StepView",
    "StepsWhy",
    "Trace",
    "TraceEpoch",
    "TraceError",
    "TraceMismatch",
    "TraceStep",
    "WrongCell",
    "decode_trace",
    "encode_trace",
    "json_schema",
    "load_trace",
    "render_ladder",
    "render_list",
    "render_mermaid",
    "trace_file_name",
]
