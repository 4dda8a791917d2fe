"""Proofs: lets one thread ask a watch in another thread to prove that it is up to date."""

import threading

__all__ = ["Proofs"]


class Proofs:
    """Asks a watch in another thread to prove that it has seen everything that exists now."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._wanted = self._given = 0

    @property
    def due(self) -> int:
        """The number of the proof that was asked for last; 0 if it was given."""
        return self._wanted if self._wanted > self._given else 0

    def ask(self, seconds: float) -> bool:
        """Ask for a proof and wait for it; return whether it was given in time."""
        with self._changed:
            self._wanted = mine = self._wanted + 1
            return self._changed.wait_for(lambda: self._given >= mine, seconds)

    def give(self, which: int) -> None:
        """Mark all proofs up to number `which` as given."""
        with self._changed:
            self._given = max(self._given, which)
            self._changed.notify_all()
