"""Watch changes: what tests ask of the changes that a watch has seen."""

import threading
from collections.abc import Callable, Iterator

from chaos_harness.clusters.watching.watch import Change, Timing, key

__all__ = ["QUICK", "in_background", "named", "take", "whole"]

QUICK = Timing(connect=1, read=0.5, chunk=5, first_pause=0.01, longest_pause=0.05)


def take(changes: Iterator[Change], wanted: Callable[[Change], bool]) -> list[Change]:
    """Return what comes up to the first change that is wanted."""
    taken = []
    for change in changes:
        taken.append(change)
        if wanted(change):
            return taken
    raise AssertionError(f"not among {taken}")


def whole(change: Change) -> bool:
    return change.kind in ("LISTED", "RESUMED") and change.object is None


def named(change: Change) -> tuple[str, str, bool]:
    return change.kind, key(change.object) if change.object else "", change.in_gap


def in_background(work: Callable[[], Change]) -> Callable[[], Change]:
    """Start `work` in a thread, and return a function that waits for its result."""
    results: list[Change] = []
    thread = threading.Thread(target=lambda: results.append(work()))
    thread.start()

    def result() -> Change:
        thread.join()
        return results[0]

    return result
