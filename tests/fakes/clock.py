"""Clock: stands for the module `time` of deadlines, so that a test waits for nothing."""

__all__ = ["Clock"]


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Return the seconds that passed."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass, and remember them."""
        self.slept.append(seconds)
        self.now += seconds
