"""The options of the verbs below ``powercut trace``, a frozen record a verb."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from powercut.inputs.parameters import JsonFlag, SchemaFlag, flag, one

Output = Annotated[Path | None, one("--output", "Write there instead, whole or not at all.")]
InPlace = Annotated[bool, flag("--in-place", "Write over the input.")]


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """The options of ``powercut trace show``, as typed."""

    shape: Annotated[str, one("--format", "text, mermaid or json.")] = "text"
    why: Annotated[bool, flag("--why", "Only the steps that carry what is wrong.")] = False
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class MinimiseOptions:
    """The options of ``powercut trace minimise``, as typed."""

    output: Annotated[Path | None, one("--output", "Write the smaller trace there.")] = None
    in_place: InPlace = False
    keep_workload: Annotated[bool, flag("--keep-workload", "Keep all mounts and operations.")] = (
        False
    )
    max_runs: Annotated[int, one("--max-runs", "Candidates to try.")] = 5_000
    max_states: Annotated[int, one("--max-states", "States of each search; 0: none.")] = 20_000
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class DiffOptions:
    """The options of ``powercut trace diff``, as typed."""

    under: Annotated[
        str | None, one("--under", "Follow the schedule under this design instead.")
    ] = None
    mutant: Annotated[str | None, one("--mutant", "Follow it with this mistake planted.")] = None
    output: Annotated[Path | None, one("--output", "Write the followed run there.")] = None
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """The options of ``powercut trace convert``, as typed."""

    to: Annotated[
        str, one("--to", "trace (the current version), compact, text, html, mermaid or workload.")
    ] = "trace"
    output: Output = None
    in_place: InPlace = False
    json: JsonFlag = False
    schema: SchemaFlag = False


@Parameter(name="*")
@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaOptions:
    """The options of ``powercut trace schema``, as typed."""

    output: Output = None
    json: JsonFlag = False
    schema: SchemaFlag = False
