"""``trace``: show, minimise, diff, convert, schema; documents, exit codes, files kept whole."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from powercut.checkers.explain.minimise import Minimiser
from powercut.checkers.run.replay import replay
from powercut.checkers.traces import load_trace
from powercut.verbs.trace import minimise as minimise_verb
from powercut.verbs.trace.signatures import VERBS
from tests.cli.support import Runner, assert_refused, files_below
from tests.traces.corpus import ENDING, FOLDER
from tests.traces.test_trace_codec import OLD

NO_PREFLUSH = FOLDER / f"seed-append-fsync-unstable-conversion-no-preflush{ENDING}"
HOLDS = FOLDER / f"{NO_PREFLUSH.name.removesuffix(ENDING)}-holds-in-seed{ENDING}"
EIO = FOLDER / f"seed-eio-overwrite-data-err-abort{ENDING}"
TWO_MOUNTS = FOLDER / f"seed-eof-two-mounts-stale-data{ENDING}"


def head(document: dict[str, Any]) -> tuple[Any, ...]:
    return document["schema"], document["verdict"], document["exit_code"]


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A trace whose second step is nowhere in the model."""
    document = json.loads(EIO.read_bytes())
    document["epochs"][0]["steps"][1]["function"] = "folio_trylock"
    path = tmp_path / "broken.trace.json"
    path.write_text(json.dumps(document))
    return path


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_and_json(powercut: Runner, verb: str) -> None:
    ended = powercut("trace", verb, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert "--json" in ended.out
    assert "Exit code" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80


# ---- show ---------------------------------------------------------------------------------------


def test_show_marks_and_names_waits(powercut: Runner) -> None:
    ended = powercut("trace", "show", TWO_MOUNTS)
    assert (ended.code, ended.err) == (0, "")
    assert " 16* " in ended.out
    line = "if worker0 waited for disk0 before step 16, ext4_iomap_wb_update_disksize()"
    assert line in ended.out
    assert max(map(len, ended.out.splitlines())) <= 100
    brief = powercut("trace", "show", TWO_MOUNTS, "--why")
    assert len(brief.out.splitlines()) < len(ended.out.splitlines())


def test_show_as_a_document(powercut: Runner) -> None:
    ended = powercut("trace", "show", TWO_MOUNTS, "--json")
    document = ended.document
    assert head(document) == ("powercut.trace-show/1", "reproduced", 0)
    assert ended.out == powercut("trace", "show", TWO_MOUNTS, "--format", "json").out
    last = document["mounts"][1]["steps"]
    assert [step["number"] for step in last if step["role"] == "carrying"] == [4, 11, 16, 19, 21]
    assert {step["role"] for step in last} == {"carrying", "needed"}
    assert {"step": 16, "thread": "worker0", "waits_for": ["disk0"]} in document["waits"]
    assert document["confirmed"] is True
    brief = powercut("trace", "show", TWO_MOUNTS, "--why", "--json").document
    assert [step["number"] for step in brief["mounts"][1]["steps"]] == [4, 11, 16, 19, 21]


def test_show_as_a_diagram(powercut: Runner) -> None:
    ended = powercut("trace", "show", EIO, "--format", "mermaid")
    assert ended.code == 0
    assert ended.out.startswith("sequenceDiagram\n")


def test_show_of_a_run_in_which_the_property_holds(powercut: Runner) -> None:
    ended = powercut("trace", "show", HOLDS)
    assert ended.code == 0
    assert "marks" not in ended.out
    assert_refused(powercut("trace", "show", HOLDS, "--why"), "--why", "shows no violation")


def test_show_of_a_run_the_model_does_not_follow(powercut: Runner, broken: Path) -> None:
    ended = powercut("trace", "show", broken)
    assert ended.code == 1
    assert "step 2: task0 should be at folio_trylock" in ended.err
    assert "this model has no such step any more" in ended.err
    assert len(ended.err.splitlines()) == 1
    assert re.search(r"^   1  task0 +model/\S+\.py:\d+ ", ended.out, re.MULTILINE)
    assert re.search(r"^   2  task0 +- +folio_trylock ", ended.out, re.MULTILINE)
    document = powercut("trace", "show", broken, "--json").document
    assert head(document) == ("powercut.trace-show/1", "not reproduced", 1)
    assert "folio_trylock" in document["error"]
    first, second = document["mounts"][0]["steps"][:2]
    assert (type(first["line"]), second["file"], second["line"]) == (int, None, None)
    assert_refused(powercut("trace", "show", broken, "--why"), "it does not reproduce")


# ---- minimise -----------------------------------------------------------------------------------


def test_minimise_writes_the_smaller_trace(powercut: Runner, tmp_path: Path) -> None:
    output = tmp_path / "new" / "small.trace.json"
    ended = powercut("trace", "minimise", NO_PREFLUSH, "--output", output)
    assert (ended.code, ended.err) == (0, "")
    assert "operations    3 > 2" in ended.out
    assert str(output) in ended.out
    small = load_trace(output)
    assert replay(small).reproduced
    assert small.origin.minimised
    assert small.epochs[0].why is not None
    assert list(files_below(tmp_path)) == [str(output)]


def test_minimise_as_a_document_and_in_place(powercut: Runner, tmp_path: Path) -> None:
    path = tmp_path / "a.trace.json"
    path.write_bytes(NO_PREFLUSH.read_bytes())
    before = path.read_bytes()
    document = powercut("trace", "minimise", path, "--json").document
    assert head(document) == ("powercut.trace-minimise/1", "minimal", 0)
    assert (document["before"]["operations"], document["after"]["operations"]) == (3, 2)
    assert document["output"] is None
    assert path.read_bytes() == before
    assert powercut("trace", "minimise", path, "--keep-workload", "--in-place").code == 0
    assert path.read_bytes() == before, "it was minimal within its workload"
    assert powercut("trace", "minimise", path, "--in-place").code == 0
    assert load_trace(path).scope == "append-fsync-min"


def test_a_limit_is_inconclusive(powercut: Runner) -> None:
    ended = powercut("trace", "minimise", NO_PREFLUSH, "--max-runs", "3", "--json")
    assert (ended.code, ended.document["verdict"]) == (3, "inconclusive")
    assert "limit of 3 candidates" in ended.document["stopped"]


def test_an_interrupt_writes_the_best_so_far(
    powercut: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Minimiser):
        def run(self, max_runs: int = 0) -> None:
            super().run(20)
            raise KeyboardInterrupt

    monkeypatch.setattr(minimise_verb, "Minimiser", Interrupted)
    output = tmp_path / "small.trace.json"
    ended = powercut("trace", "minimise", NO_PREFLUSH, "--output", output)
    assert ended.code == 3
    assert "interrupted" in ended.out
    assert replay(load_trace(output)).reproduced


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((HOLDS,), ("$.verdict", "only a violation")),
        ((EIO, "--output", EIO), ("that is the input",)),
        ((EIO, "--in-place", "--output", "x"), ("--in-place",)),
        ((EIO, "--max-runs", "0"), ("--max-runs",)),
        ((EIO, "--output", "/proc/no/a.json"), ("--output",)),
        (("nothing.trace.json",), ("nothing.trace.json", "cannot be read")),
    ],
    ids=["holds", "input", "both", "no runs", "no folder", "no file"],
)
def test_minimise_refuses(
    powercut: Runner, argv: tuple[str | Path, ...], words: tuple[str, ...]
) -> None:
    before = EIO.read_bytes()
    assert_refused(powercut("trace", "minimise", *argv), *words)
    assert EIO.read_bytes() == before


def test_minimise_of_a_run_the_model_does_not_follow(powercut: Runner, broken: Path) -> None:
    assert_refused(powercut("trace", "minimise", broken), "steps[1]", "folio_trylock")


# ---- diff ---------------------------------------------------------------------------------------


def test_a_trace_is_the_same_as_itself(powercut: Runner) -> None:
    ended = powercut("trace", "diff", TWO_MOUNTS, TWO_MOUNTS)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.endswith("\nthe same\n")
    document = powercut("trace", "diff", TWO_MOUNTS, TWO_MOUNTS, "--json").document
    assert head(document) == ("powercut.trace-diff/1", "same", 0)


def test_mutant_and_design(powercut: Runner) -> None:
    """Without the preflush the same 17 steps leave the data in the cache."""
    document = powercut("trace", "diff", NO_PREFLUSH, HOLDS, "--json").document
    assert head(document) == ("powercut.trace-diff/1", "different", 1)
    assert document["subject"]["mutant"] == {"first": "no-preflush", "second": ""}
    assert document["steps"] == []
    assert (document["state"]["first"], document["state"]["second"]) == (16, 16)
    assert document["state"]["changes"] == ["disk p1: cells 0-1 = write1"]
    (end,) = document["outcomes"]
    assert "old old foreign foreign" in end["first"]
    assert "old old write1 write1" in end["second"]
    text = powercut("trace", "diff", NO_PREFLUSH, HOLDS)
    assert text.code == 1
    assert "first different state: mount 1, after steps 16 and 16" in text.out
    assert max(map(len, text.out.splitlines())) <= 160


def test_one_schedule_under_another_design(powercut: Runner, tmp_path: Path) -> None:
    output = tmp_path / "b.trace.json"
    ended = powercut(
        "trace",
        "diff",
        FOLDER / f"seed-punch-folio-late-write{ENDING}",
        "--under",
        "series-v5",
        "--output",
        output,
        "--json",
    )
    document = ended.document
    assert ended.code == 1
    parts = document["steps"]
    assert [(part["mount"], part["first"], part["only_second"]) for part in parts] == [
        (1, 6, []),
        (1, 9, []),
    ]
    assert parts[0]["only_first"][0]["function"] == "ext4_journal_start"
    assert document["second"]["design"] == "series-v5"
    (step, *_) = (step for part in document["steps"] for step in part["only_first"])
    assert set(step) == {"thread", "function", "file", "line", "label"}
    lines = (FOLDER.parent / step["file"]).read_text(encoding="utf-8").splitlines()
    assert step["label"] in "".join(lines[step["line"] - 1 : step["line"] + 7])
    followed = load_trace(output)
    assert followed.verdict == "holds"
    assert replay(followed).reproduced
    assert powercut("replay", output, "--no-ladder").code == 0


def test_a_mutant_planted_later(powercut: Runner) -> None:
    document = powercut("trace", "diff", HOLDS, "--mutant", "no-preflush", "--json").document
    assert document["subject"]["verdict"] == {"first": "holds", "second": "violated"}


def test_traces_of_different_workloads(powercut: Runner) -> None:
    ended = powercut("trace", "diff", TWO_MOUNTS, FOLDER / f"mixed-two-files-deadlock{ENDING}")
    assert ended.code == 1
    assert "states not compared" in ended.out
    assert "no such mount" in ended.out


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((EIO,), ("second trace",)),
        ((EIO, EIO, "--under", "seed"), ("one or the other",)),
        ((EIO, "--under", "sede"), ("unknown design", 'did you mean "seed"?')),
        ((EIO, "--mutant", "x"), ("unknown mutant",)),
        ((EIO, EIO, "--output", "x"), ("--output",)),
        ((EIO, "--under", "seed", "--output", EIO), ("that is the input",)),
        ((EIO, "nothing.trace.json"), ("nothing.trace.json",)),
    ],
    ids=["one", "both", "design", "mutant", "output", "input", "no file"],
)
def test_diff_refuses(
    powercut: Runner, argv: tuple[str | Path, ...], words: tuple[str, ...]
) -> None:
    assert_refused(powercut("trace", "diff", *argv), *words)


# ---- convert and schema -------------------------------------------------------------------------


def test_an_old_trace_becomes_a_new_one(powercut: Runner, tmp_path: Path) -> None:
    path = tmp_path / "old.trace.json"
    path.write_bytes(OLD.read_bytes())
    printed = powercut("trace", "convert", path)
    assert printed.code == 0
    assert json.loads(printed.out)["schema"] == "powercut.trace/3"
    assert path.read_bytes() == OLD.read_bytes()
    assert powercut("trace", "convert", path, "--in-place").code == 0
    assert path.read_text() == printed.out
    schema = json.loads(powercut("trace", "schema").out)
    jsonschema.Draft202012Validator(schema).validate(json.loads(path.read_bytes()))


def test_convert_to_everything(powercut: Runner, tmp_path: Path) -> None:
    workload = tmp_path / "eof.workload"
    to_workload = ("trace", "convert", TWO_MOUNTS, "--to", "workload")
    assert powercut(*to_workload, "--output", workload).code == 0
    argv = ("check", "--design", "seed", "--workload", workload, "--jobs", "1", "--json")
    assert powercut(*argv).document["verdict"] == "violated"
    compact = powercut("trace", "convert", TWO_MOUNTS, "--to", "compact").out
    assert compact.count("\n") == 1
    assert json.loads(compact) == json.loads(TWO_MOUNTS.read_bytes())
    assert powercut("trace", "convert", TWO_MOUNTS).out == TWO_MOUNTS.read_text()
    mermaid = powercut("trace", "convert", TWO_MOUNTS, "--to", "mermaid").out
    assert mermaid == powercut("trace", "show", TWO_MOUNTS, "--format", "mermaid").out
    assert " 16* " in powercut("trace", "convert", TWO_MOUNTS, "--to", "text").out
    document = powercut(*to_workload, "--json").document
    assert head(document) == ("powercut.trace-convert/1", "converted", 0)
    assert document["content"] == workload.read_text()


def test_schema_as_a_document_and_as_a_file(powercut: Runner, tmp_path: Path) -> None:
    document = powercut("trace", "schema", "--json").document
    assert head(document) == ("powercut.trace-schema/1", "printed", 0)
    path = tmp_path / "schema.json"
    ended = powercut("trace", "schema", "--output", path)
    assert (ended.code, ended.out) == (0, "")
    assert json.loads(path.read_bytes()) == document["json_schema"]


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--to", "xml"), ("unknown format",)),
        (("--to", "workload", "--in-place"), ("--in-place",)),
        (("--output", EIO), ("that is the input",)),
        (("--output", "/proc/no/a.json"), ("cannot be written",)),
    ],
    ids=["format", "in place", "input", "no folder"],
)
def test_convert_refuses(
    powercut: Runner, argv: tuple[str | Path, ...], words: tuple[str, ...]
) -> None:
    before = EIO.read_bytes()
    assert_refused(powercut("trace", "convert", EIO, *argv), *words)
    assert EIO.read_bytes() == before


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ((), ("no verb given", "show, minimise, diff, convert, schema")),
        (("shwo", EIO, "--why"), ('unknown verb "shwo"; did you mean "show"?',)),
        (("quite-different",), ("unknown verb", "known: show, minimise")),
        (("show",), ("TRACE",)),
        (("show", EIO, "--format", "x"), ("unknown",)),
        (("convert", EIO, "--output", ""), ("(or empty)", "give the name of a file")),
    ],
)
def test_usage(powercut: Runner, argv: tuple[str | Path, ...], words: tuple[str, ...]) -> None:
    assert_refused(powercut("trace", *argv), *words)


# ---- the corpus ---------------------------------------------------------------------------------


def test_a_corrupted_trace_among_others_is_named_and_stops_nothing(
    powercut: Runner, tmp_path: Path
) -> None:
    files = sorted(FOLDER.glob(f"*{ENDING}"))[::20]
    assert len(files) > 6
    bad = tmp_path / "damaged.trace.json"
    bad.write_bytes(files[3].read_bytes()[:700])
    ended = powercut("replay", *files[:5], bad, *files[5:], "--no-ladder")
    assert ended.code == 2
    (line,) = ended.err.splitlines()
    assert line.startswith(f"powercut: {bad}: $: the document ends too early")
    assert ended.out.count(": reproduced: ") == len(files)


def test_the_explorer_follows_what_these_verbs_make(powercut: Runner, tmp_path: Path) -> None:
    small = tmp_path / "small.trace.json"
    assert powercut("trace", "minimise", NO_PREFLUSH, "--output", small).code == 0
    for path, code in ((small, 1), (HOLDS, 0), (TWO_MOUNTS, 1)):
        trace = load_trace(path)
        steps = sum(len(epoch.steps) + 2 for epoch in trace.epochs) - 1
        script = tmp_path / "script"
        script.write_text("next\n" * steps + "verdict\n")
        assert powercut("explore", path, "--script", script).code == code
