"""Compared: ways in which the check that compares two faults would be wrong (see `mutated`)."""

__all__ = ["COMPARED"]

_COMPARED = ("loses_no_longer_than",)

COMPARED: list[tuple[tuple[str, ...], str, str]] = [
    (_COMPARED, "if one.least > other.most + seconds:", "if one.most > other.least + seconds:"),
    (_COMPARED, "elif one.most <= other.least + seconds:", "elif one.least <= other.most + seconds:"),
    (_COMPARED, "    if one.least > other.most + seconds:", "    if one.least > seconds:"),
    (_COMPARED, "return max(loss.most for loss in self.losses)", "return min(loss.most for loss in self.losses)"),
    (_COMPARED, "Spans.of(_harm(faults, other) for other in others) - coverage.blind", "coverage.blind"),
    (_COMPARED, "unproved(read.faults, one) or unproved(read.faults, other)", "unproved(read.faults, one)"),
]
"""Which check becomes wrong, an old text, and the new one."""
