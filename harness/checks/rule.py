"""Rule: how every check decides, so that a history in which less was seen can only make it less certain."""

from collections.abc import Iterable

from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.verdict import Outcome

__all__ = ["bounded", "unseen_words"]

_SHOWN = 3


def bounded(certain: float, worst: float, allowed: float) -> Outcome:
    """Return whether something bad stayed within `allowed`; all three are seconds, or counts.

    `certain` is how much of it was seen, `worst` how much there may have been, with everything unseen counted as bad.
    """
    if certain > allowed:
        return "violated"
    return "holds" if worst <= allowed else "inconclusive"


def unseen_words(coverage: Coverage, streams: Iterable[str], unseen: Spans) -> str:
    """Return, in one line, when these streams were not seen, or "" if they were."""
    if not unseen:
        return ""
    lacking = [stream for stream in streams if coverage.unseen([stream], unseen.parts[0][0], unseen.parts[-1][1])]
    shown = Spans(unseen.parts[:_SHOWN])
    more = f" and {len(unseen.parts) - _SHOWN} times more" if len(unseen.parts) > _SHOWN else ""
    return f"{', '.join(lacking) or 'something'} was not seen from {shown}{more}"
