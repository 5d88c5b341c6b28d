"""``check --swarm``: finds, never proves, says how far it reaches."""

from pathlib import Path

import pytest

from powercut.checkers.engine.search.outcome import Limits
from powercut.checkers.run.question import Question
from powercut.checkers.workload.shipped import SCOPES
from powercut.execute.job import Job, JobResult, execute, failed
from powercut.execute.swarm import member_jobs, merged
from powercut.model.designs import DESIGNS
from tests.cli.support import Runner, assert_refused

BASE = ("check", "--design", "seed", "--jobs", "1", "--scope")
SWARM = (*BASE, "eof-mmap", "--max-states", "3000", "--swarm")


def timeless(document: dict[str, object]) -> dict[str, object]:
    runs = document["runs"]
    assert isinstance(runs, list)
    return {**document, "seconds": 0, "runs": [{**run, "seconds": 0} for run in runs]}


def test_a_swarm_does_not_depend_on_processes(powercut: Runner) -> None:
    alone = powercut(*SWARM, "6", "--json")
    argv = [word if word != "1" else "2" for word in (*SWARM, "6", "--json")]
    together = powercut(*argv)
    assert timeless(alone.document) == timeless(together.document)
    (run,) = alone.document["runs"]
    assert run["swarm"]["members"] == run["swarm"]["compared"] == 6
    assert run["swarm"]["visits"] > run["swarm"]["states"] > 3_000
    assert run["swarm"]["states_at_least"] <= 59_912
    assert run["states"] == run["swarm"]["states"]
    assert (alone.code, run["verdict"], run["exhaustive"]) == (3, "inconclusive", False)
    assert "holds" not in run["properties"].values()


def test_seeds_are_consecutive(powercut: Runner) -> None:
    three = powercut(*SWARM, "3", "--json").document["runs"][0]["swarm"]
    last = powercut(*SWARM, "1", "--seed", "3", "--json").document["runs"][0]["swarm"]
    other = powercut(*SWARM, "3", "--seed", "4", "--json").document["runs"][0]["swarm"]
    assert last["first_seed"] == 3
    assert last["states"] < three["states"] != other["states"]


@pytest.mark.parametrize("engine", ["python", "c"])
def test_a_violation_is_found_replayed_and_saved(
    powercut: Runner, tmp_path: Path, engine: str
) -> None:
    argv = (*BASE, "eof-two-mounts", "--swarm", "3")
    ended = powercut(*argv, "--engine", engine, "--save-traces", tmp_path, "--json")
    (run,) = ended.document["runs"]
    assert (ended.code, run["verdict"], run["engine"]) == (1, "violated", engine)
    (violation,) = run["violations"]
    assert violation["property"] == "stale-data"
    assert powercut("replay", violation["trace"], "--no-ladder").code == 0


def test_even_a_complete_swarm_proves_nothing(powercut: Runner) -> None:
    argv = (*BASE, "append-fsync", "--swarm", "2")
    ended = powercut(*argv, "--max-states", "10000", "--json")
    (run,) = ended.document["runs"]
    assert (ended.code, run["verdict"]) == (3, "inconclusive")
    assert run["swarm"]["whole"]
    assert run["states"] == 667
    text = powercut(*argv)
    assert "without --swarm there is a verdict" in text.out
    assert "each a swarm of 2" in text.out


def test_the_report_of_a_swarm(powercut: Runner) -> None:
    ended = powercut(*SWARM, "6")
    assert ended.code == 3
    assert "6 members (seeds 1 to 6) visited" in ended.out
    assert "a sample" in ended.out
    assert "% are covered" in " ".join(ended.out.split())
    assert max(map(len, ended.out.splitlines())) <= 100


def job() -> Job:
    return Job(Question(DESIGNS["seed"], SCOPES["append-fsync"], limits=Limits(max_states=100)))


def run_member(member: Job) -> JobResult:
    return execute(member, lambda _progress: None, lambda: False)


def test_a_failing_member_fails_the_swarm_and_keeps_the_rest() -> None:
    members = member_jobs(job(), 3, 1)
    parts = [run_member(members[0]), failed(members[1], "it broke"), run_member(members[2])]
    done, swarm = merged(job(), 1, parts)
    assert done.failure == "seed append-fsync seed 2: it broke"
    assert swarm.coverage.members == 2
    assert done.result.states >= 100
    assert "1 of them cut short: internal error" in done.result.stopped


def test_a_member_out_of_time_is_named() -> None:
    parts = [run_member(m) for m in member_jobs(job(), 2, 1)]
    late = execute(member_jobs(job(), 1, 3)[0], lambda _progress: None, lambda: True)
    done, swarm = merged(job(), 1, [*parts, late])
    assert done.result.stopped == (
        "a swarm of 3 is a sample; 1 of them cut short: not started: interrupted"
    )
    assert (swarm.asked, swarm.coverage.members) == (3, 2)


@pytest.mark.parametrize(
    ("argv", "word"),
    [
        (("--swarm", "0"), "--swarm"),
        (("--seed", "1"), "--seed"),
        (("--swarm", "2", "--seed", "0"), "--seed"),
    ],
)
def test_wrong_swarms_are_refused(powercut: Runner, argv: tuple[str, ...], word: str) -> None:
    assert_refused(powercut("check", *argv), word)
