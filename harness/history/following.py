"""Following: readers of a history, who each take what is theirs, in one pass over its entries."""

from collections.abc import Callable
from typing import Protocol

from chaos_harness.harness.history.recorded import Entry, History

__all__ = ["Reader", "Take", "follow"]

Take = Callable[[Entry], None]


class Reader(Protocol):
    """Who reads a history for one subject."""

    def takes(self, process: str) -> Take | None:
        """Return what takes the entries of a process; None if they say nothing of the subject.

        It is asked once for each process: there are few processes and many entries.
        """

    def close(self, end: float) -> None:
        """Take notice that the history is read, up to the moment `end`."""


def follow(recorded: History, *readers: Reader) -> float:
    """Give each entry to the readers whose it is, in their order; return the moment up to which is recorded.

    Readers that come first know of an entry before those behind them. Raises what iterating a history raises.
    """
    table: dict[str, tuple[Take, ...]] = {}
    end = 0.0
    for entry in recorded.entries:
        process = entry.process
        if process not in table:
            takes = (reader.takes(process) for reader in readers)
            table[process] = tuple(take for take in takes if take is not None)
        for take in table[process]:
            take(entry)
        end = entry.at
    if recorded.until is not None:
        end = recorded.until
    for reader in readers:
        reader.close(end)
    return end
