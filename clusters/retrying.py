"""Retrying: does again what was refused for a reason that passes, with tenacity and within a Deadline.

Only what is idempotent and is no measurement is done again: set-up, clean-up, pulls, downloads. A probe, a fault's
proofs (`observed`, `healed`) and `Cluster.client` try once: a second try would hide the outage that they are to see.
Waiting for a state is no retry, since nothing was refused: that is `Deadline.attempts` or a watch.
"""

import logging
import time
from collections.abc import Callable
from typing import NoReturn, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, wait_exponential

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.terminal.escape import escape_controls, last_line

__all__ = ["retry"]

Outcome = TypeVar("Outcome")

_log = logging.getLogger(__name__)


def retry(
    action: Callable[[], Outcome],
    deadline: Deadline,
    *,
    passes: Callable[[Exception], bool],
    first: float = 0.05,
    most: float = 1.0,
    most_attempts: int | None = None,
    say: Callable[[str], object] | None = None,
) -> Outcome:
    """Return what `action` returns; do it again after an error of which `passes` says that its reason may pass.

    The pauses double from `first` to `most` seconds, without jitter, since few contend and runs shall be alike. A pause
    is at least `ApiRefused.retry_after`. None goes past the deadline, at which there is one last attempt: an attempt
    that hangs is not interrupted, so `action` needs a time limit of its own. `say` (else the log) gets a line before
    each pause and after several attempts.

    Raises DeadlineExceeded with the last refusal, the number of attempts and their seconds; the last refusal itself
    after `most_attempts`; every other error of `action` at once, as it is.
    """
    say = say or _log.info
    growing = wait_exponential(multiplier=first, max=most)

    def pause_before_next(state: RetryCallState) -> float:
        return min(max(growing(state), _asked_pause(_refusal(state))), deadline.remaining)

    def tell(state: RetryCallState) -> None:
        attempt = f"attempt {state.attempt_number} refused, next in {state.upcoming_sleep:.1f} s"
        say(f"   {deadline.what}: {attempt}: {escape_controls(last_line(str(_refusal(state))))}")

    def give_up(state: RetryCallState) -> NoReturn:
        refusal, spent = _refusal(state), state.seconds_since_start or 0.0
        if refusal is not None and not deadline.expired:
            say(f"   {deadline.what}: given up at attempt {state.attempt_number}, after {spent:.1f} s")
            raise refusal
        raise deadline.error(f"{refusal} (attempts: {state.attempt_number}, in {spent:.1f} s)") from refusal

    retrying = Retrying(
        retry=retry_if_exception(lambda error: isinstance(error, Exception) and passes(error)),
        wait=pause_before_next,
        stop=lambda state: deadline.expired or state.attempt_number == most_attempts,
        sleep=deadline.pause,
        before_sleep=tell,
        retry_error_callback=give_up,
    )
    outcome = retrying(action)
    attempts, spent = retrying.statistics["attempt_number"], time.monotonic() - retrying.statistics["start_time"]
    if attempts > 1:
        say(f"   {deadline.what}: succeeded at attempt {attempts}, after {spent:.1f} s")
    return outcome


def _refusal(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _asked_pause(refusal: BaseException | None) -> float:
    """Return the seconds for which the server asks to be left alone."""
    return refusal.retry_after or 0.0 if isinstance(refusal, ApiRefused) else 0.0
