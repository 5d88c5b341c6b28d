"""What every search is to its user, whatever it does inside."""

from typing import Protocol

from powercut.checkers.engine.search.outcome import Outcome


class Search(Protocol):
    """One search of one system; :meth:`run` may be called once."""

    def run(self) -> Outcome:
        """Search until everything is seen, a limit is reached or the user interrupts."""

    def schedule_to(self, number: int) -> tuple[bytes, tuple[int, ...]]:
        """Return the initial state and the thread indexes that lead to state ``number``.

        A search that does not keep its states answers for the one it stands at.
        """

    def close(self) -> None:
        """Give the memory back; schedules cannot be asked for any more."""
