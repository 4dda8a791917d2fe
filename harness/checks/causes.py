"""Causes: why an admission went by a webhook, as the API server's own log tells."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence

from harness.checks.admissions import Admission, Call, Scene

__all__ = ["MUTATION", "UNREAD", "cause", "causes", "inexcusable", "named", "told", "unknown", "unless", "webhook_of"]

MUTATION = "mutation.gatekeeper.sh"
"""The webhook that mutates; it fails open."""

UNREAD = "log not read"
"""The cause of what was lost after the API server's log was read for the last time: it may be any."""

_VALIDATION, _LABEL = "validation.gatekeeper.sh", "check-ignore-label.gatekeeper.sh"

_SLACK_SECONDS = 0.1
_GOING_SECONDS = 30.0
_EXCUSED_SHARE = 0.25
_SILENT = ("unmutated", "admitted")
_WORDS = {
    "timed out": ("deadline exceeded", "Client.Timeout", "i/o timeout", "TLS handshake timeout"),
    "connection refused": ("connection refused",),
    "no endpoint": ("no endpoints available",),
    "TLS not right": ("x509", "tls:", "remote error"),
    "cut in the middle": ("EOF", "reset by peer", "GOAWAY", "connection lost", "broken pipe", "closed idle connection"),
    "no route": ("no route to host", "unreachable"),
}


def cause(said: str) -> str:
    """Return, in few words, what went wrong with a call, from what the API server said of it."""
    return next((name for name, words in _WORDS.items() if any(each in said for each in words)), "other")


def webhook_of(policy: str) -> str:
    """Return the webhook that has to be called for a policy, as policies are called by those who ask about them."""
    if policy.startswith("mutate"):
        return MUTATION
    return _LABEL if policy == "check ignore label" else _VALIDATION


def causes(missed: Sequence[Admission], scene: Scene, webhook: str) -> list[Call | None]:
    """Return for each admission the call of `webhook` that failed while it was decided; None if none was logged.

    A call is one admission's. Where several fit, who was answered first gets the earliest. Who was refused was told
    why: the API server logs only what it let pass.
    """
    calls = sorted((each for each in scene.calls if each.webhook == webhook), key=lambda each: each.at)
    moments = [each.at for each in calls]
    told = {index: each for index, each in enumerate(missed) if each.outcome not in _SILENT}
    found = {index: Call(each.answered, webhook, each.said) for index, each in told.items()}
    silent = (index for index in range(len(missed)) if index not in told)
    for index in sorted(silent, key=lambda index: missed[index].answered):
        first = bisect_left(moments, missed[index].asked - _SLACK_SECONDS)
        if first < len(moments) and moments[first] <= missed[index].answered + _SLACK_SECONDS:
            found[index] = calls.pop(first)
            moments.pop(first)
    return [found.get(index) for index in range(len(missed))]


def named(missed: Sequence[Admission], scene: Scene, webhook: str) -> list[str]:
    """Return the cause of each admission in few words; "not logged", or "log not read", if there is none.

    A refusal of which nothing else is known is called as it is sorted: "denied by configuration error".
    """
    found = causes(missed, scene, webhook)
    return [_name(each, call, scene) for each, call in zip(missed, found, strict=True)]


def inexcusable(excused: int, asked: int) -> str:
    """Return why so many of those asked cannot be excused, or "": what nobody answers any more times out, too."""
    if excused <= _EXCUSED_SHARE * asked:
        return ""
    return f"{excused} of {asked} were lost by a cause that is excused: too many to know better"


def unknown(unread: int) -> str:
    """Return why what was lost can neither be excused nor counted, or ""."""
    return f"the API server's log was not read to the end: the cause of {unread} is not known" if unread else ""


def unless(excused: Collection[str]) -> str:
    """Return the end of a check's name that tells which causes are excused."""
    return f", unless {' or '.join(excused)}" if excused else ""


def told(missed: Sequence[Admission], scene: Scene, webhook: str, most: int) -> tuple[str, ...]:
    """Return lines that tell how often there was which cause, and the chain of events of up to `most` admissions."""
    if not missed:
        return ()
    found = causes(missed, scene, webhook)
    names = Counter(_name(each, call, scene) for each, call in zip(missed, found, strict=True))
    counted = ", ".join(f"{count} {name}" for name, count in names.most_common())
    chains = [_chain(each, call, scene) for each, call in list(zip(missed, found, strict=True))[:most]]
    more = [f"and {len(missed) - most} more"] if len(missed) > most else []
    return (f"causes: {counted}", *chains, *more)


def _name(admission: Admission, call: Call | None, scene: Scene) -> str:
    if call:
        name = cause(call.said)
        return admission.outcome if name == "other" and admission.outcome not in _SILENT else name
    read = scene.calls_read_until
    return "not logged" if read is not None and read >= admission.answered else UNREAD


def _chain(admission: Admission, call: Call | None, scene: Scene) -> str:
    kind = "dry run" if admission.dry_run else "real"
    begin = f"{admission.asked:.2f} s: {admission.f} {admission.seq} ({kind})"
    took = f"{admission.outcome} after {1000 * (admission.answered - admission.asked):.0f} ms"
    ready = ", ".join(scene.ready_at(admission.asked)) or "no pod"
    going = [
        f"{name} since {admission.asked - since:.1f} s"
        for name, since in scene.going.items()
        if 0 <= admission.asked - since <= _GOING_SECONDS
    ]
    why = call.said.rpartition('": ')[2] if call else "no failed call was logged"
    leaving = f"; on its way out: {', '.join(going)}" if going else ""
    return f"{begin} {took}: {why}; in the Service: {ready}{leaving}"
