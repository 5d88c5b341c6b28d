"""How long the saved traces take to replay, natively and compiled side by side, judged and all."""

import time
from pathlib import Path

from powercut.checkers.run.replay import replay
from powercut.checkers.traces import load_trace

FOLDER = Path(__file__).parents[1] / "traces"


def replay_all() -> tuple[int, int, float]:
    """Replay every saved trace; return how many, their steps, and the processor seconds it took.

    Building the model is part of it: in a fresh process that is most of the time.
    """
    started = time.process_time()
    count = steps = 0
    for path in sorted(FOLDER.glob("*.trace.json")):
        result = replay(load_trace(path), path.name)
        assert result.reproduced, f"{path.name}: {result.detail}"
        count += 1
        steps += result.steps
    return count, steps, time.process_time() - started
