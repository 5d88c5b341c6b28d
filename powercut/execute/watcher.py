"""When work has to end early, and how it is made to.

What: a search looks at its watcher at every report of progress, and ends at the next one when it is
told to, or out of time.  What does not report ends too: an alarm rings four times a second and
interrupts a translation or a compiler at once, and a search that has heard nothing for a while.
Why so: a step of a changed model may loop for ever, a power cut can leave very many images, and a
compiler takes half a minute; each of them would outlive a time limit and a request to end.
Rejected: an interrupt wherever the alarm finds the process (what was found, and is being replayed
or written, would be lost), a process for each search (a search costs less than a process).
"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from powercut.checkers.engine.search.outcome import INTERRUPTED, Progress
from powercut.execute.interrupts import is_making, is_searching, on_main_thread

_EVERY_S = 0.25
_PATIENCE = 3
"""How often the alarm may ring for a search before it is interrupted."""


class Cut(KeyboardInterrupt):
    """Raised into a search to end it early; the search takes it for an interrupt."""


class Watcher:
    """Passes progress on and ends the work when it is told to, or at ``deadline``.

    ``deadline`` is a reading of the monotonic clock, ``late`` says that it has passed, and
    ``reason`` why the work had to end (empty: it did not have to).
    """

    def __init__(
        self,
        report: Callable[[Progress], None],
        stopped: Callable[[], bool],
        deadline: float | None,
        late: str,
    ) -> None:
        self.reason = ""
        self._report = report
        self._stopped = stopped
        self._deadline = deadline
        self._late = late
        self._is_busy = False

    def look(self) -> bool:
        """Say whether to end now; ``reason`` has the words then."""
        with self._busy():
            if self._stopped():
                self.reason = INTERRUPTED
            elif self._deadline is not None and time.monotonic() >= self._deadline:
                self.reason = self._late
        return bool(self.reason)

    def on_progress(self, progress: Progress) -> None:
        """Pass ``progress`` on.  Raises :class:`Cut` when it is time to end."""
        with self._busy():
            self._report(progress)
        if self.look():
            raise Cut

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Keep the alarm out: a pipe is written to, or a lock held that the alarm would want."""
        self._is_busy = True
        try:
            yield
        finally:
            self._is_busy = False

    @contextmanager
    def alarm(self) -> Iterator[None]:
        """Within the block, end what does not look by itself.

        Only the main thread can be interrupted, and an alarm that somebody else has set is theirs.
        """
        if not on_main_thread() or signal.getsignal(signal.SIGALRM) != signal.SIG_DFL:
            yield
            return
        rung = 0

        def ring(_number: int, frame: FrameType | None) -> None:
            nonlocal rung
            if self._is_busy or not self.look():
                return
            rung += 1
            if is_making(frame) or (rung > _PATIENCE and is_searching(frame)):
                raise Cut

        signal.signal(signal.SIGALRM, ring)
        signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
