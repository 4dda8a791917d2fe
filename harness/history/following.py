"""Following: runs several readers over the entries of a history in one pass."""

from collections.abc import Callable
from typing import Protocol

from chaos_harness.harness.history.recorded import Entry, History

__all__ = ["Reader", "Take", "follow"]

Take = Callable[[Entry], None]


class Reader(Protocol):
    """A reader of a history for one subject; most have nothing to finish."""

    def takes(self, process: str) -> Take | None:
        """Return the function that takes the entries of a process; None if they do not concern the subject.

        Called once for each process: there are few processes and many entries.
        """

    def close(self, end: float) -> None:  # noqa: ARG002 - most readers have nothing to finish
        """Finish reading; `end` is the last moment that is recorded, in seconds."""
        return  # a method without a statement is abstract


def follow(recorded: History, *readers: Reader) -> float:
    """Pass each entry to the readers that take it, in their order; return the last moment that is recorded.

    Earlier readers know an entry before later ones. Raises what iterating a history raises.
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
