"""Judge many mistakes: in batches, each result written down when it is known, to be gone on with.

A file of results has a line of JSON for each mistake, below one that says what the results are
about: a digest of the model, the properties and the scopes.  A run that finds such a file of the
same digest goes on with it, and a line that was cut off does not count.

The runs of the unmutated model are kept in the user's cache under that digest; what batches are
compiled to is kept apart and thrown away, because nobody asks for it again.
"""

import json
import multiprocessing
import queue
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from powercut.checkers.engine.cache import kept_in, user_cache
from powercut.checkers.mistakes.batch import batches
from powercut.checkers.mistakes.coverage import Seen, observe
from powercut.checkers.mistakes.generate import Mistake, all_mistakes
from powercut.checkers.mistakes.judge import Judge, Judgement, order, translatable
from powercut.checkers.run.question import Question
from powercut.checkers.weave.patch import model_sources
from powercut.checkers.workload.shipped import SCOPES
from powercut.errors import InputError, InternalError
from powercut.model.designs import DESIGNS
from powercut.reading import Unreadable, read_bytes
from powercut.writing import append_file, scratch_folder

SCHEMA = "powercut.mistakes/1"
DESIGNS_ASKED = (
    "seed",
    "bh-ordered",
    "series-v5",
    "mixed",
    "seed-gap-ordered",
    "seed-eof-ordered",
    "seed-eof-deferred",
)
"""The designs whose runs judge."""
FIRST_DESIGNS = DESIGNS_ASKED[:2]
"""The others judge what is theirs alone."""
BATCH = 150
"""Mistakes in one program.

Measured, in seconds of processor time a mistake: weaving and translating 0.04, compiling the steps
0.07 at 150 and 0.08 at 250, linking them with 26 geometries 0.2 at 150.
"""

_LISTEN_S = 1.0
_MOST_BYTES = 1 << 26
"""The largest file of results that is read."""


@cache
def digest() -> str:
    """Return a digest of what judgements depend on: model, properties, scopes."""
    found = blake2b(digest_size=16)
    texts = dict(model_sources())
    properties = files("powercut.properties")
    for folder in (properties, properties / "scopes"):
        for path in folder.iterdir():
            if path.name.endswith((".py", ".workload")):
                texts[f"{folder.name}/{path.name}"] = path.read_text(encoding="utf-8")
    for name, text in sorted(texts.items()):
        found.update(f"{name}\0{len(text)}\0{text}".encode())
    return found.hexdigest()


def seen_by_default(designs: Sequence[str] = DESIGNS_ASKED) -> list[Seen]:
    """Return what the shipped scopes execute under ``designs``, from the cache if it is there.

    Raises :class:`NoCompiler` and :class:`CannotCompile`.
    """
    name = f"{digest()}.{'-'.join(designs)}.executed"
    kept = user_cache().read(name)
    if kept is not None:
        return msgspec.json.decode(kept, type=list[Seen])
    questions = [Question(DESIGNS[d], SCOPES[s]) for d in designs for s in SCOPES]
    with ExitStack() as stack:
        stack.enter_context(kept_in(stack.enter_context(scratch_folder())))
        seen = list(observe(questions))
    user_cache().keep(name, msgspec.json.encode(seen))
    return seen


@dataclass(frozen=True, slots=True)
class Results:
    """A file of judgements; without a path they are kept in memory only."""

    path: Path | None

    def read(self) -> dict[str, Judgement]:
        """Return the judgements so far, by name.

        Raises :class:`InputError` for a file of something else, or of another model.
        """
        if self.path is None or not self.path.exists():
            return {}
        try:
            content = read_bytes(self.path, _MOST_BYTES)
        except Unreadable as error:
            raise InputError(f"cannot be read: {error}", place=self.path) from None
        head, *lines = content.decode(errors="replace").split("\n")
        about = _object(head)
        if about.get("schema") != SCHEMA:
            raise InputError("no results of powercut exam --generate", place=self.path)
        if about.get("digest") != digest():
            remedy = "give another file: these are of another model, other properties or scopes"
            raise InputError("results of another model", remedy, place=self.path)
        found = (_object(line) for line in lines)
        return {line["name"]: msgspec.convert(line, Judgement) for line in found if line}

    def add(self, judgement: Judgement) -> None:
        """Write one judgement down.  Raises :class:`InputError` where that is not possible."""
        if self.path is None:
            return
        head = "" if self.path.exists() else json.dumps({"schema": SCHEMA, "digest": digest()})
        line = f"{head}\n{json.dumps(asdict(judgement))}"
        try:
            append_file(self.path, line.encode())
        except OSError as error:
            reason = error.strerror or "unknown error"
            raise InputError(f"cannot be written: {reason}", place=self.path) from None


def _object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class _Work:
    """What a process needs to judge a group of mistakes: names and runs are plain data."""

    names: tuple[str, ...]
    seen: tuple[Seen, ...]
    most_states: int


def _judged_group(work: _Work) -> Iterator[Judgement]:
    """Yield the judgements of a group when they are known."""
    by_name = {mistake.name: mistake for mistake in all_mistakes()}
    mistakes = [by_name[name] for name in work.names]
    judge = Judge(work.seen, SCOPES.__getitem__, frozenset(FIRST_DESIGNS), work.most_states)
    smallest = min(work.seen, key=lambda seen: seen.states)
    with scratch_folder() as folder, kept_in(folder):
        for batch, first, reason in translatable(mistakes, SCOPES[smallest.scope]):
            if batch is None:
                yield Judgement(first.name, "not translated", detail=reason)
                continue
            for number in range(1, len(batch.mistakes) + 1):
                yield judge.judge(batch, number)


def _serve(groups: "multiprocessing.Queue[_Work | None]", results: Any) -> None:
    """Judge groups until there are no more; an error is a result and ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        while (group := groups.get()) is not None:
            for judgement in _judged_group(group):
                results.put(judgement)
    except Exception as error:
        results.put(error)
    results.put(None)


def _in_parallel(groups: Sequence[_Work], processes: int) -> Iterator[Judgement]:
    context = multiprocessing.get_context("spawn")
    waiting, results = context.Queue(), context.Queue()
    for group in (*groups, *[None] * processes):
        waiting.put(group)
    workers = [
        context.Process(target=_serve, args=(waiting, results), daemon=True)
        for _ in range(processes)
    ]
    try:
        for worker in workers:
            worker.start()
        running = processes
        while running:
            found = _next(results, workers)
            if isinstance(found, Exception):
                raise found
            if found is None:
                running -= 1
            else:
                yield found
    finally:
        for worker in workers:
            worker.terminate()
            worker.join()


def _next(results: Any, workers: Sequence[Any]) -> Judgement | Exception | None:
    """Return what a worker has to say; one that died without a word is an error."""
    while True:
        try:
            found: Judgement | Exception | None = results.get(timeout=_LISTEN_S)
        except queue.Empty:
            if any(worker.exitcode for worker in workers):
                return InternalError("a process that judges mistakes has died")
            continue
        return found


def is_known(mistake: Mistake, known: Mapping[str, Judgement], most_states: int) -> bool:
    """Tell whether a judgement of ``mistake`` is there that says enough."""
    return mistake.name in known and known[mistake.name].is_enough(most_states)


def judged(
    mistakes: Sequence[Mistake],
    seen: Sequence[Seen],
    known: Mapping[str, Judgement],
    processes: int,
    *,
    designs: Sequence[str] = DESIGNS_ASKED,
    size: int = BATCH,
    most_states: int = 0,
) -> Iterator[Judgement]:
    """Yield a judgement of each mistake of which not enough is ``known``, as they come.

    With one process everything happens in this one.  Runs of more than ``most_states`` states are
    not asked (0: all are).
    """
    runs = tuple(order(seen, designs))
    left = [mistake for mistake in mistakes if not is_known(mistake, known, most_states)]
    groups = [
        _Work(tuple(mistake.name for mistake in group), runs, most_states)
        for group in batches(left, min(size, -(-len(left) // processes) or 1), 0)
        if group
    ]
    if processes == 1:
        for group in groups:
            yield from _judged_group(group)
    else:
        yield from _in_parallel(groups, processes)
