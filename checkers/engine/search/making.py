"""From a strategy and an engine to the search that does it."""

from collections.abc import Iterable

from powercut.checkers.engine.search.breadth import BreadthFirst
from powercut.checkers.engine.search.c import CBreadthFirst, CDepthFirst
from powercut.checkers.engine.search.depth import DepthFirst
from powercut.checkers.engine.search.engines import C
from powercut.checkers.engine.search.outcome import Limits, Watch
from powercut.checkers.engine.search.protocol import Search
from powercut.checkers.engine.search.strategy import Compact, Exhaustive, Strategy, Swarm, Walk
from powercut.checkers.engine.search.swarm import SwarmSearch
from powercut.checkers.engine.search.walk import RandomWalks
from powercut.checkers.engine.system import System


def make_search(
    strategy: Strategy,
    engine: str,
    system: System,
    watch: Watch,
    limits: Limits,
    starts: Iterable[bytes],
) -> Search:
    """Return the search of ``system`` from ``starts``, by the engine called ``python`` or ``c``.

    Random walks are taken in Python by both.  Raises as ``load_library`` does with engine ``c``.
    """
    in_c = engine == C
    match strategy:
        case Exhaustive():
            breadth = CBreadthFirst if in_c else BreadthFirst
            return breadth(system, watch, limits, starts)
        case Compact():
            depth = CDepthFirst if in_c else DepthFirst
            return depth(system, watch, limits, starts)
        case Swarm():
            return SwarmSearch(engine, system, watch, limits, starts, strategy)
        case Walk():
            return RandomWalks(system, watch, limits, starts, strategy)
    raise TypeError(f"{type(strategy).__name__} is not a strategy")
