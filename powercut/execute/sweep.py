"""Chunks of a sweep as work for any process, and what is known of them from before.

Why so: a workload takes hundredths of a second, so hundreds are one piece of work; a piece is kept
under a digest of everything that its rows follow from, and a sweep that was killed loses no more
than the pieces that were under way.
Rejected: a file a workload (a file costs more than most workloads), one file a sweep (a killed run
would have to be trusted with the middle of a file).
"""

import gc
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import islice

import msgspec

from powercut.checkers.engine.cache import user_cache
from powercut.checkers.engine.search.outcome import INTERRUPTED, Progress, is_state_limit
from powercut.checkers.run.question import Question
from powercut.checkers.sweep.row import Row, explored
from powercut.checkers.weave.errors import PatchError
from powercut.errors import system_limit
from powercut.execute.watcher import Watcher
from powercut.model.scope import Scope
from powercut.model.setup import dimensions

CHUNK = 200
"""Workloads that are done, and kept, together: seconds of work."""
_COLLECT_AFTER = 100_000
"""Objects after which a chunk looks for garbage: those of some ten workloads."""
_SOURCES = ("model", "properties", "checkers")
_SUFFIXES = (".py", ".toml", ".patch", ".c", ".h")


@dataclass(frozen=True, slots=True)
class ChunkResult:
    """The rows of a chunk, as far as it came; ``stopped`` says what ended it early.

    ``failure`` says what went wrong inside powercut, if anything did, and ``origin`` where;
    ``refusal`` what is wrong with the patches, if the model fails by them.
    ``is_old`` tells that the rows were kept by an earlier sweep.
    """

    rows: tuple[Row, ...]
    stopped: str = ""
    failure: str = ""
    origin: str = ""
    is_old: bool = False
    refusal: PatchError | None = None

    @property
    def states(self) -> int:
        """How many states were seen."""
        return sum(row.states for row in self.rows)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Workloads of one question: ``question`` has everything but the scope.

    ``deadline`` is a reading of the monotonic clock, ``keeps`` whether rows are kept and reused.
    """

    question: Question
    scopes: tuple[Scope, ...]
    deadline: float | None = None
    keeps: bool = True

    @property
    def title(self) -> str:
        """Name the work for people."""
        return f"{self.question.design.name} {self.scopes[0].summary}"

    @property
    def build_key(self) -> tuple[object, ...]:
        """Chunks with the same key use the same compiled model."""
        scope = self.scopes[0]
        return tuple(sorted(dimensions(scope, scope.mounts[0]).items()))

    @property
    def file_name(self) -> str:
        """Return the name under which the rows are kept: a digest of all that they follow from."""
        question = replace(self.question, scope=self.scopes[0])
        names = " ".join(scope.name for scope in self.scopes)
        text = f"{source_digest()} {question!r} {names}"
        return f"sweep-{blake2b(text.encode(), digest_size=20).hexdigest()}.json"

    def known(self) -> ChunkResult | None:
        """Return the rows that an earlier sweep kept, if they are there and whole."""
        if not self.keeps:
            return None
        content = user_cache().read(self.file_name)
        if content is None:
            return None
        try:
            rows = msgspec.json.decode(content, type=tuple[Row, ...])
        except msgspec.DecodeError:
            return None
        if [row.name for row in rows] != [scope.name for scope in self.scopes]:
            return None
        return ChunkResult(rows, is_old=True)

    def do(self, report: Callable[[Progress], None], stopped: Callable[[], bool]) -> ChunkResult:
        """Explore the workloads; never raises, because the caller may be another process."""
        rows: list[Row] = []
        watcher = Watcher(report, stopped, self.deadline, "time limit reached")
        if watcher.look():  # before anything: hundreds of chunks may be left when a sweep is ended
            return ChunkResult((), watcher.reason)
        try:
            with _few_collections(), watcher.alarm():
                for scope in self.scopes:
                    row, _ = explored(replace(self.question, scope=scope), watcher.on_progress)
                    if watcher.look():
                        return ChunkResult(tuple(rows), watcher.reason)
                    rows.append(row)
        except KeyboardInterrupt:
            return ChunkResult(tuple(rows), watcher.reason or INTERRUPTED)
        except PatchError as error:
            return ChunkResult(tuple(rows), refusal=error)
        except Exception as error:
            if limit := system_limit(error):
                return ChunkResult(tuple(rows), limit)
            text = f"{self.title}: {type(error).__name__}: {error}"
            return ChunkResult(tuple(rows), "internal error", text, traceback.format_exc())
        self._keep(rows)
        return ChunkResult(tuple(rows))

    def lost(self, reason: str) -> ChunkResult:
        """Return the result of a chunk whose process ended."""
        return ChunkResult((), "internal error", f"{self.title}: {reason}")

    def _keep(self, rows: Sequence[Row]) -> None:
        """Keep what another run would find again: nothing that memory or the clock has cut."""
        if self.keeps and all(not row.stopped or is_state_limit(row.stopped) for row in rows):
            user_cache().keep(self.file_name, msgspec.json.encode(rows))


@contextmanager
def _few_collections() -> Iterator[None]:
    """Look for garbage seldom, and not among what there is already; look once at the end.

    A system is thousands of functions that refer to each other; at Python's own pace a quarter of a
    chunk's time went into telling them from the build.  The systems that the chunk before left in
    a cache are frozen too, so the look at the end has to come when they no longer are.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.unfreeze()
        gc.collect()
        gc.set_threshold(*before)


def chunks(question: Question, scopes: Iterator[Scope], **options: object) -> Iterator[Chunk]:
    """Cut ``scopes`` into chunks about ``question``; ``options`` are those of a :class:`Chunk`."""
    while part := tuple(islice(scopes, CHUNK)):
        yield Chunk(question, part, **options)  # type: ignore[arg-type]


@cache
def source_digest() -> str:
    """Return a digest of every source that a verdict follows from: model, properties, checkers.

    A change of any of them forgets all rows.  Narrower would need to know which code a row can
    reach, and a row takes hundredths of a second.
    """
    digest = blake2b(digest_size=20)
    root = files("powercut")
    for folder in _SOURCES:
        for name, content in _contents(root / folder, folder):
            digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _contents(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for entry in sorted(folder.iterdir(), key=lambda each: each.name):
        inner = f"{name}/{entry.name}"
        if entry.is_dir() and entry.name != "__pycache__":
            yield from _contents(entry, inner)
        elif entry.name.endswith(_SUFFIXES):
            yield inner, entry.read_bytes()
