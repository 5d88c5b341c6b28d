"""What reaches a terminal: no commands of others, no stream too narrow, JSON that stays JSON."""

import json
import os
import shutil
from pathlib import Path

import pytest

from powercut.terminal.encoding import escape, fit
from tests.cli.support import Runner, assert_refused, environment, run_apart
from tests.cli.test_trace import EIO

HOSTILE = "a\x1b[31m\x9b2J\x7f\u202eb"
NOT_UTF_8 = os.fsdecode(b"caf\xe9\xff")


def hostile_trace(folder: Path, name: str) -> Path:
    """Return a copy of a good trace under a name that nobody should print as it is."""
    path = folder / f"{name}.trace.json"
    shutil.copy(EIO, path)
    return path


def unprintable(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


@pytest.mark.parametrize("text", [HOSTILE, NOT_UTF_8, "é×≤", "\U0001f4a5", "\r\b", ""])
@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8", None])
def test_what_is_fit_prints_and_reads_back_as_json(text: str, encoding: str | None) -> None:
    fitted = fit(text, encoding)
    assert not unprintable(fitted)
    fitted.encode(encoding or "utf-8")
    assert json.loads(f'"{fitted}"') == text


def test_lines_and_tables_stay() -> None:
    assert fit("a\tb\n× c\n", "utf-8") == "a\tb\n× c\n"
    assert fit("×", "ascii") == "\\u00d7"
    assert escape("\U0001f4a5") == "\\ud83d\\udca5"


def test_only_colours_pass_and_only_where_they_are_meant() -> None:
    text = "\x1b[1mbold\x1b[0m \x1b]0;title\x07"
    assert fit(text, "utf-8", colours=True) == "\x1b[1mbold\x1b[0m \\u001b]0;title\\u0007"
    assert "\x1b" not in fit(text, "utf-8")


@pytest.mark.parametrize("name", [HOSTILE, NOT_UTF_8])
def test_a_file_name_commands_no_terminal(powercut: Runner, tmp_path: Path, name: str) -> None:
    path = hostile_trace(tmp_path, name)
    ended = powercut("replay", path, "--no-ladder")
    assert (ended.code, ended.err) == (0, "")
    assert fit(name, None) in ended.out
    assert not unprintable(ended.out)
    ended = powercut("replay", path, "--json")
    assert ended.code == 0
    assert [trace["trace"] for trace in ended.document["traces"]] == [os.fspath(path)]
    assert not unprintable(ended.out)
    path.write_bytes(b"")
    ended = powercut("replay", path)
    assert_refused(ended)
    assert not unprintable(ended.err)


def test_a_script_line_commands_no_terminal(powercut: Runner, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("step \x1b[2J\n")
    ended = powercut("explore", EIO, "--script", script)
    assert ended.code == 2
    assert not unprintable(ended.out + ended.err)


@pytest.mark.parametrize("verb", [("list",), ("list", "--json"), ("replay", EIO), ("--help",)])
def test_an_ascii_stream_is_enough(verb: tuple[str | Path, ...]) -> None:
    ended = run_apart(*verb, env={**environment(), "PYTHONIOENCODING": "ascii"})
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.isascii()
    if "--json" in verb:
        assert ended.document == run_apart(*verb).document
