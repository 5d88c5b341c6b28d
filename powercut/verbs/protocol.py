"""``powercut check FILE``: protocols of the user's own, checked by the engine that checks ext4.

Why so: it is a verb's module of its own, because nothing of the file system's model is to be
imported for it.  Rejected: a verb with another name (the question is the same: does it hold?).
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

from cyclopts import Parameter

from powercut.checkers.engine.c_library import CannotCompile
from powercut.checkers.engine.search.outcome import (
    INTERRUPTED,
    Limits,
    is_time_limit,
    time_limit_reached,
)
from powercut.checkers.protocol.closed import CheckFailed, Closed
from powercut.checkers.protocol.run import ProtocolResult, run_protocol
from powercut.documents.document import print_document
from powercut.documents.protocol import overall, print_protocol, protocol_document
from powercut.errors import InputError, exit_code_of
from powercut.inputs.limits import at_least_one, check_engine, fair_share_mib, some_seconds
from powercut.inputs.protocols import read_protocols
from powercut.verbs.options import CheckOptions

_USED = frozenset({"engine", "max_states", "max_memory", "time_limit", "json"})


def run(file: Path, options: CheckOptions) -> int:
    """Check every protocol in ``file``, print the report and return the exit code.

    Raises :class:`InputError` for an option that only a check of ext4 has, and for a wrong file.
    """
    _refuse_others(options)
    check_engine(options.engine)
    limits = _limits(options)
    started = time.perf_counter()
    protocols = read_protocols(file)
    results: list[ProtocolResult] = []
    for closed in protocols:
        result = _checked(file, closed, options, limits, time.perf_counter() - started)
        results.append(result)
        if result.engine_note:
            print(f"powercut: {result.engine_note}", file=sys.stderr)
        if not options.json:
            print_protocol(result, sys.stdout)
        if result.outcome.stopped == INTERRUPTED:
            break
    _tell_unchecked(protocols[len(results) :])
    seconds = time.perf_counter() - started
    verdict = overall(results)
    if options.json:
        print_document(protocol_document(str(file), results, seconds))
    else:
        word = "VIOLATED" if verdict == "violated" else verdict
        count = "1 protocol" if len(results) == 1 else f"{len(results)} protocols"
        print(f"{count}, {seconds:.1f} s: {word} (exit code {exit_code_of(verdict)})")
    return exit_code_of(verdict)


def _checked(
    file: Path, closed: Closed, options: CheckOptions, limits: Limits, used_s: float
) -> ProtocolResult:
    left = max(limits.time_limit_s - used_s, 0.0)
    bounded = Limits(limits.max_states, limits.max_memory_mib, left)
    try:
        result = run_protocol(closed, options.engine, bounded)
    except CheckFailed as error:
        raise InputError(f"{closed.name}: {error.message}", error.remedy, place=file) from None
    except CannotCompile as error:
        raise InputError(f"--engine c: {error}", "or give --engine python") from None
    if is_time_limit(result.outcome.stopped):  # the limit is that of the whole command
        result.outcome.stopped = time_limit_reached(limits.time_limit_s)
    return result


def _tell_unchecked(protocols: Sequence[Closed]) -> None:
    names = ", ".join(closed.name for closed in protocols)
    if names:
        print(f"powercut: interrupted; not checked: {names}", file=sys.stderr)


def _limits(options: CheckOptions) -> Limits:
    defaults = Limits()
    states, memory, seconds = options.max_states, options.max_memory, options.time_limit
    return Limits(
        defaults.max_states if states is None else at_least_one("--max-states", states),
        min(defaults.max_memory_mib, fair_share_mib(1))
        if memory is None
        else at_least_one("--max-memory", memory),
        defaults.time_limit_s if seconds is None else some_seconds("--time-limit", seconds),
    )


def _refuse_others(options: CheckOptions) -> None:
    """Raise :class:`InputError` for an option that is given and says nothing about a file."""
    hints = get_type_hints(CheckOptions, include_extras=True)
    for each in fields(CheckOptions):
        if each.name not in _USED and getattr(options, each.name) != each.default:
            named = [m for m in hints[each.name].__metadata__ if isinstance(m, Parameter)]
            option = "".join(named[-1].name or ())
            raise InputError(f"{option}: a protocol of your own has no use for it", "leave it out")
