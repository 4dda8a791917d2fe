"""Lag: how long after the answer to a write a watch told of it, proved by an object with a number."""

from chaos_harness.harness.history.spans import Span, Spans

__all__ = ["Lag"]


class Lag:
    """How long after the answer to a write the watch told of it, number by number.

    `worst` is the longest lag in seconds, `late` when it was longer than it may be (`most`): from the answer on until
    it was told. A number that is told stands for all before it. It is known of those that were answered, and of those
    that were not told at the end, at least how long they had been waited for.
    """

    def __init__(self, most: float) -> None:
        self.worst = 0.0
        self.known = 0
        self._most = most
        self._late: list[Span] = []
        self._asked: dict[int, float] = {}
        self._answered: dict[int, float] = {}
        self._newest = self._told = 0

    @property
    def late(self) -> Spans:
        """When a watch told of nothing though there was something to tell."""
        return Spans.of(self._late)

    def ask(self, number: int, at: float) -> None:
        """Take notice that a number is written."""
        self._newest = max(self._newest, number)
        self._asked[number] = at

    def answer(self, number: int, at: float) -> float | None:
        """Take notice that it was written; return when it was asked to be, if it is told already and in time."""
        self._answered[number] = at
        return self._settle(number, at) if number <= self._told else None

    def forget(self, number: int) -> None:
        """Take notice that nobody knows whether it was written."""
        self._asked.pop(number, None)

    def tell(self, number: int, at: float) -> list[float]:
        """Take notice of what the watch tells; return when the numbers that it tells of in time were asked for.

        One that nobody has written yet was left there by an earlier experiment.
        """
        if number > self._newest:
            return []
        self._told = max(self._told, number)
        settled = [self._settle(earlier, at) for earlier in sorted(self._answered) if earlier <= number]
        return [asked for asked in settled if asked is not None]

    def close(self, end: float) -> None:
        """Take notice that nothing more is told."""
        for at in self._answered.values():
            if end - at > self._most:
                self._note(at, end)

    def _settle(self, number: int, at: float) -> float | None:
        answered = self._answered.pop(number)
        asked = self._asked.pop(number, answered)
        self._note(answered, at)
        return asked if at - answered <= self._most else None

    def _note(self, answered: float, at: float) -> None:
        self.known += 1
        self.worst = max(self.worst, at - answered)
        if at - answered > self._most:
            self._late.append((answered, at))
