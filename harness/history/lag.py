"""Lag: how many seconds after the answer to a write the watch reported it, measured on an object with a number."""

from chaos_harness.harness.history.spans import Span, Spans

__all__ = ["Lag"]


class Lag:
    """The lag of the watch on the numbered object, number by number.

    `worst` is the longest lag in seconds, `late` the times from answer to report where it was longer than `most`. A
    reported number counts as a report of all before it. `known` is how many lags were measured; of a number that was
    answered and never reported, the wait until the end counts if that is longer than `most`.
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
        """When the watch had not yet reported a write that was answered more than `most` seconds before the report."""
        return Spans.of(self._late)

    def ask(self, number: int, at: float) -> None:
        """Note that the write of a number is requested."""
        self._newest = max(self._newest, number)
        self._asked[number] = at

    def answer(self, number: int, at: float) -> float | None:
        """Note that it was written; return when that was requested, if it is already reported, and in time."""
        self._answered[number] = at
        return self._settle(number, at) if number <= self._told else None

    def forget(self, number: int) -> None:
        """Note that it is unknown whether the number was written."""
        self._asked.pop(number, None)

    def tell(self, number: int, at: float) -> list[float]:
        """Take a report of the watch; return when the writes that it reports in time were requested.

        A number that was not written yet is left over from an earlier experiment.
        """
        if number > self._newest:
            return []
        self._told = max(self._told, number)
        settled = [self._settle(earlier, at) for earlier in sorted(self._answered) if earlier <= number]
        return [asked for asked in settled if asked is not None]

    def close(self, end: float) -> None:
        """Finish: no more reports come."""
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
