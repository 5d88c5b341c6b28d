"""Every saved counterexample still replays, natively, to the verdict in its file."""

from pathlib import Path

import pytest

from checkers.traces import encode_trace, load_trace, render_ladder, render_list, trace_file_name
from properties.replay import replay
from tests.traces.corpus import FOLDER, cases

FILES = sorted(FOLDER.glob("*.trace.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name.removesuffix(".trace.json"))
def test_saved_trace_replays(path: Path) -> None:
    trace = load_trace(path)
    result = replay(trace, path.name)
    assert result.reproduced, f"{result.expected}: {result.detail}"
    assert result.steps == sum(len(epoch.steps) for epoch in trace.epochs)
    assert path.name == trace_file_name(trace)
    assert path.read_bytes() == encode_trace(trace)
    for text in (render_ladder(trace, result.epochs), render_list(trace)):
        assert max(map(len, text.splitlines())) <= 100


def test_the_corpus_is_complete() -> None:
    names = {"-".join(filter(None, case)) + ".trace.json" for case in cases()}
    assert names <= {path.name for path in FILES}
    assert len(names) >= 8
