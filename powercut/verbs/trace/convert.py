"""``powercut trace convert``: the same run in the current format, as a diagram, as a workload.

A file of an older version is migrated by reading it, so nothing here knows about versions.
"""

import json
from pathlib import Path

import msgspec

from powercut.checkers.traces.codec import encode_trace, json_schema, load_trace
from powercut.checkers.traces.format import SCHEMA, Trace
from powercut.checkers.traces.ladder import render_ladder
from powercut.checkers.traces.mermaid import render_mermaid
from powercut.documents.document import print_document
from powercut.documents.trace import ConvertDocument, SchemaDocument
from powercut.errors import HOLDS, InputError
from powercut.inputs.names import pick
from powercut.pages.trace_page import page_of
from powercut.verbs.trace.files import (
    check_output,
    read_replay,
    write_or_print,
)
from powercut.verbs.trace.options import ConvertOptions, SchemaOptions

FORMATS = {name: name for name in ("trace", "compact", "text", "html", "mermaid", "workload")}


def run(path: Path, options: ConvertOptions) -> int:
    """Convert the trace at ``path``, write or print it, and return the exit code."""
    output = options.output
    to = pick("--to", options.to, FORMATS, "format")
    if options.in_place:
        if output is not None or to not in ("trace", "compact"):
            raise InputError("--in-place: only a trace can be written over one", "give --output")
        output = path
    else:
        check_output(output, path)
    content = _content(path, to)
    if options.json:
        if output is not None:
            write_or_print(output, content)
        document = ConvertDocument(
            verdict="converted",
            exit_code=HOLDS,
            trace=str(path),
            to=to,
            version=SCHEMA,
            output=None if output is None else str(output),
            content=content if output is None else None,
        )
        print_document(document)
    else:
        write_or_print(output, content)
    return HOLDS


def _content(path: Path, to: str) -> str:
    if to == "html":
        return page_of(load_trace(path), str(path))
    if to in ("text", "mermaid"):
        trace, result = read_replay(path)
        marks = [epoch.why for epoch in trace.epochs if epoch.why is not None]
        marks = marks if len(marks) == len(trace.epochs) else []
        render = render_ladder if to == "text" else render_mermaid
        return render(trace, result.epochs, marks)
    return _plain(load_trace(path), to)


def _plain(trace: Trace, to: str) -> str:
    if to == "workload":
        return trace.workload
    if to == "compact":
        return msgspec.json.encode(trace).decode() + "\n"
    return encode_trace(trace).decode()


def run_schema(options: SchemaOptions) -> int:
    """Write or print the JSON Schema of trace files and return the exit code."""
    content = json.dumps(json_schema(), indent=1) + "\n"
    if not options.json or options.output is not None:
        write_or_print(options.output, content)
    if options.json:
        document = SchemaDocument(
            verdict="printed", exit_code=HOLDS, version=SCHEMA, json_schema=json_schema()
        )
        print_document(document)
    return HOLDS
