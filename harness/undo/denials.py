"""Denials: undos that an admission policy refuses, and the order in which they are tried again once it is gone."""

import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import CommandDenied

__all__ = ["GONE_SECONDS", "do_all", "who_denied"]

GONE_SECONDS = 30.0
"""How long a policy that is deleted may still be in force: those who enforce it learn of it by a watch."""

_DENIED = re.compile(
    r'(admission webhook) "([^"]+)" denied the request|(ValidatingAdmissionPolicy) \'([^\']+)\'[^:\n]* denied request'
)

_Task = TypeVar("_Task")


def who_denied(said: str) -> str:
    """Return which admission webhooks and policies denied a request, by the API server's words; "" if none did.

    A webhook that could not be called has denied nothing, whatever its failurePolicy makes of that.
    """
    found = (f"{match[1] or match[3]} {match[2] or match[4]}" for match in _DENIED.finditer(said))
    return ", ".join(dict.fromkeys(found))


def do_all(tasks: Sequence[_Task], do: Callable[[_Task], None], *, patient: bool) -> list[tuple[_Task, Exception]]:
    """Do each of these tasks, in their order, whatever becomes of the others; return those that failed, and why.

    If they are `patient`, those that a policy denied are tried again for 30 s after another one was done: it may have
    been what deletes the policy.
    """
    failed = _attempt(tasks, do)
    again = [task for task, error in failed if isinstance(error, CommandDenied)]
    if not patient or not again or len(failed) == len(tasks):
        return failed
    others = [(task, error) for task, error in failed if not isinstance(error, CommandDenied)]
    for _ in Deadline.after(GONE_SECONDS, "what denied an undo to be gone").attempts(first=0.2):
        failed = _attempt(again, do)
        again = [task for task, _ in failed]
        if not again:
            break
    return [*others, *failed]


def _attempt(tasks: Sequence[_Task], do: Callable[[_Task], None]) -> list[tuple[_Task, Exception]]:
    failed = []
    for task in tasks:
        try:
            do(task)
        except Exception as error:  # noqa: BLE001 - one that fails must not keep the others from being tried
            failed.append((task, error))
    return failed
