"""The page of a trace: says what the native model says, stands alone, and a browser draws it."""

import html
import re
from pathlib import Path

import msgspec
import pytest

from powercut.checkers.crash.image import image_with
from powercut.checkers.run.replay import followed, replay
from powercut.checkers.traces import decode_trace, load_trace
from powercut.checkers.traces.errors import TraceError
from powercut.checkers.traces.format import COLOURS
from powercut.pages import crash as page_crash
from powercut.pages.crash import crash_of, outcome_of
from powercut.pages.data import Crash, TracePage
from powercut.pages.trace_page import page_of
from tests.cli.support import Runner
from tests.pages.browser import drawn
from tests.tiers import fast_only
from tests.traces.corpus import FOLDER

TWO_MOUNTS = "seed-eof-two-mounts-stale-data"
DEADLOCK = "mixed-two-files-deadlock"
TWO_OUTCOMES = "bh-ordered-eio-eof-stale-data"
FOUR_OUTCOMES = "bh-ordered-eio-nodelalloc-stale-data"
"""Two cells that are free, and each combination shows another file: their order counts."""
FAST = (TWO_MOUNTS, DEADLOCK, TWO_OUTCOMES)
CORPUS = sorted(path.name.removesuffix(".trace.json") for path in FOLDER.glob("*.trace.json"))
SAMPLE = [*FAST, *CORPUS[::4]]
"""Every fourth trace: a page has each of its points judged, which takes a third of a second."""
MOST_BYTES = 400_000
COLOUR_MASKS = {str(name): 1 << n for n, name in enumerate(COLOURS)}


def page_text(name: str) -> str:
    return page_of(load_trace(FOLDER / f"{name}.trace.json"), name)


def records(text: str) -> TracePage:
    found = re.search(r'<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)
    assert found
    return msgspec.json.decode(found[1], type=TracePage)


@pytest.mark.parametrize("name", fast_only(dict.fromkeys(SAMPLE), FAST.__contains__))
def test_a_page_shows_what_the_replay_shows(name: str) -> None:
    trace = load_trace(FOLDER / f"{name}.trace.json")
    text = page_of(trace, name)
    assert len(text.encode()) < MOST_BYTES
    assert not re.search(r"https?:|\ssrc=|<link|@import|url\(", text)
    page = records(text)
    assert page.verdict == trace.verdict
    for mount, seen in zip(page.mounts, replay(trace, name).epochs, strict=True):
        assert len(mount.points) == len(mount.steps) + 1
        shown = [(mount.threads[s.thread], s.function, s.call, s.changes) for s in mount.steps]
        assert shown == [(s.thread, s.function, s.call, s.changes) for s in seen.steps]
        for step, point, view in zip(mount.steps, mount.points[1:], seen.steps, strict=True):
            assert point.threads[step.thread].holds == view.locks
            assert page.sources[step.source].line == view.line
    assert decode_trace(text.encode(), name) == trace


def test_a_chosen_outcome_is_what_that_image_recovers_to() -> None:
    runs, _ = followed(load_trace(FOLDER / f"{FOUR_OUTCOMES}.trace.json"))
    met = 0
    for run in runs:
        per_block = run.mount.scope.geometry.cells_per_block
        for variables in run.states:
            state = run.mount.crash(variables)
            crash = crash_of(state, [])
            met = max(met, len(set(crash.choice)))
            for number, chosen in enumerate(crash.choice):
                cells = [
                    (cell.block * per_block + cell.cell, colour)
                    for cell, colour in zip(crash.free, picked(crash, number), strict=True)
                ]
                image = image_with(state, cells)
                expected = outcome_of(state, image)
                outcome = crash.outcomes[chosen]
                assert (outcome.files, outcome.wrong) == (expected.files, expected.wrong)
    assert met == 4


def picked(crash: Crash, number: int) -> list[int]:
    """Return the colours of combination ``number``, the last cell counting fastest."""
    masks = []
    for cell in reversed(crash.free):
        number, index = divmod(number, len(cell.colours))
        masks.append(COLOUR_MASKS[cell.colours[index]])
    return masks[::-1]


def test_what_was_not_judged_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    (run,), _ = followed(load_trace(FOLDER / f"{TWO_OUTCOMES}.trace.json"))
    whole = crash_of(run.mount.crash(run.variables), [])
    assert (whole.images, whole.judged, len(whole.choice)) == (2, 2, 2)
    monkeypatch.setattr(page_crash, "MOST_IMAGES", 1)
    part = crash_of(run.mount.crash(run.variables), [])
    assert (part.images, part.judged, part.choice) == (2, 1, [])


def test_text_of_a_trace_cannot_end_its_element() -> None:
    trace = load_trace(FOLDER / f"{TWO_MOUNTS}.trace.json")
    hostile = msgspec.structs.replace(trace, summary="</script><script>alert(1)</script>")
    text = page_of(hostile)
    assert "<script>alert" not in text
    assert decode_trace(text.encode(), "a.html") == hostile
    assert records(text).summary == hostile.summary


def test_convert_writes_a_page_that_replays(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    powercut = Runner(capsys)
    page = tmp_path / "race.html"
    source = FOLDER / f"{TWO_MOUNTS}.trace.json"
    assert powercut("trace", "convert", source, "--to", "html", "--output", page).code == 0
    assert powercut("replay", page).code == 0
    document = powercut("trace", "show", page, "--json").document
    assert document["detail"] == powercut("trace", "show", source, "--json").document["detail"]


@pytest.mark.parametrize("text", ["<!doctype html>", '<!DOCTYPE html><p id="powercut-trace">{}'])
def test_a_page_without_a_trace_is_refused(text: str) -> None:
    with pytest.raises(TraceError, match="a page without a trace; give one that"):
        decode_trace(text.encode(), "a.html")


@pytest.mark.exhaustive
def test_a_browser_draws_the_end_and_any_point(tmp_path: Path) -> None:
    page = tmp_path / "race.html"
    page.write_text(page_text(TWO_MOUNTS), encoding="utf-8")
    seen = plain(drawn(page, tmp_path / "profile"))
    assert "state after step 21" in seen
    assert "crash here: 1 image, 1 bad" in seen
    assert "stale-data: inode 0: cell 1 shows data from behind EOF" in seen
    assert "what would have prevented this run" in seen
    early = plain(drawn(page, tmp_path / "profile", "#m1s1"))
    assert "state after step 1" in early
    assert "crash here: 1 image, 0 bad" in early


def plain(document: str) -> str:
    """Return the text that a document shows, without scripts and the ladder."""
    document = re.sub(r"<(script|style|pre)\b.*?</\1>", "", document, flags=re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", document)))
