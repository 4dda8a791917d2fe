"""Auditing: what each API server of a world writes down of the requests that it decided, and what is copied of it.

Three of five worlds of admissions have such logs, and two of five of those have three control planes: each request is
decided by one of them. What is written down is the truth: who was called, and what came of it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from chaos_harness.harness.history.vocabulary import API_SERVER, AUDIT, READ, REQUEST, REQUESTS, numbered
from tests.worlds.dice import unit
from tests.worlds.hiding import Hiding
from tests.worlds.stage import Answer, Asking, Line, Stage

__all__ = ["MUTATION", "VALIDATION", "Decided", "audit", "audited", "copied", "decided", "of_one"]

MUTATION, VALIDATION = "mutation.gatekeeper.sh", "validation.gatekeeper.sh"
_POLICY = "gatekeeper-denyprivileged"
_CREATED, _DENIED, _INVALID, _FAILED = 201, 403, 422, 500
_PLAIN = ("code", "called", "denied_by")
_WAITED_SECONDS = 1.0
_FIRST_SECONDS, _EVERY_SECONDS, _LAST_SECONDS = 1.1, 3.0, 1.2
_BEHIND_SECONDS = 0.05
_LATEST_SECONDS = 1.0

Object = dict[str, Any]


class Decided(NamedTuple):
    """A request that an API server decided: when it came there, when it was decided, and what is written down."""

    received: float
    at: float
    value: Object


def audited(stage: Stage) -> bool:
    """Whether the API servers of a world keep audit logs."""
    return unit(stage.seed, 3) < 3 / 5


def audit(stage: Stage) -> set[str]:
    """Have the API servers of a world write audit logs, if this is such a world; return the processes that copy them.

    Of several API servers those that ask them for something else know the number.
    """
    if not audited(stage):
        return set()
    nodes = ["a", "b", "c"] if unit(stage.seed, 4) < 2 / 5 else ["a"]
    stage.audits = [numbered(AUDIT, node) for node in nodes]
    if len(nodes) > 1:
        stage.say("there are three control planes")
        last, of = stage.judge + 1.5, {"servers": len(nodes)}
        asking = Asking(numbered(API_SERVER, READ), API_SERVER, READ, 0.7, last, 1.0, _read, of)
        stage.askings.append(asking)
    return set(stage.audits)


def _read(at: float) -> Answer:
    return Answer("ok", 0.01, {"seconds": 0.01})


def decided(hook: str, how: str, *, denied: bool, mutates: bool) -> Object:
    """Return what is written down of a request: `how` it was lost, if it was; what it needs is `hook` ("": none).

    It `mutates` if the object is to be changed; else it is to be `denied`, by `hook` or by a generated policy. Who
    mutates is called for each; what does not mutate leaves no trace where it allows.
    """
    called = {MUTATION: mutates and not how}
    decision: Object = {
        "code": _CREATED,
        "called": called,
        "failed_open": [],
        "said": "",
        "denied_by": "",
        "seconds": {},
    }
    if how == "refused":
        said = f'Internal error occurred: failed calling webhook "{hook}": connect: connection refused'
        return decision | {"code": _FAILED, "said": said, "called": {} if mutates else called}
    if how in ("down", "slow") and hook:
        decision |= {"failed_open": [hook], "called": {} if mutates else called}
        if how == "slow":
            decision["seconds"] = {"mutating" if mutates else "validating": _WAITED_SECONDS}
    elif denied and not how:
        said = f'admission webhook "{hook}" denied the request' if hook else f"ValidatingAdmissionPolicy '{_POLICY}'"
        return decision | {"code": _DENIED if hook else _INVALID, "denied_by": hook or _POLICY, "said": said}
    return decision


def of_one(process: str, stage: Stage, decisions: Sequence[Decided]) -> list[Decided]:
    """Return what one of the API servers decided, in its order."""
    index = stage.audits.index(process)
    own = [
        decision
        for number, decision in enumerate(decisions)
        if int(unit(stage.seed, 10 + number) * len(stage.audits)) == index
    ]
    return sorted(own, key=lambda decision: decision.at)


def copied(
    process: str, log: Sequence[Decided], hidden: Sequence[Hiding], clock: Callable[[float], float], stage: Stage
) -> Iterator[Line]:
    """Yield what is copied of one API server's log at each reading, and from when to when that is all there was.

    "unread": what was not read is read later. "rotated": by then it is gone. "cut": one line is broken, as who was
    killed leaves it.
    """
    if any(hiding.how == "absent" for hiding in hidden):
        return
    unread = list(log)
    losses = [hiding for hiding in hidden if hiding.how in ("rotated", "cut")]
    since: float | None = None
    at = _FIRST_SECONDS
    while at <= stage.judge + _EVERY_SECONDS + _LAST_SECONDS:
        reading = clock(min(at, stage.judge + _LAST_SECONDS))
        at += _EVERY_SECONDS
        if any(hiding.begin <= reading < hiding.end and hiding.how != "cut" for hiding in hidden):
            yield Line(reading, "info", process, READ, {"said": "no answer"})
            continue
        began = reading - _BEHIND_SECONDS
        fresh = [decision for decision in unread if decision.at <= began]
        unread = unread[len(fresh) :]
        why = ""
        for loss in [hiding for hiding in losses if hiding.begin <= began]:
            losses.remove(loss)
            gone = [decision for decision in fresh if loss.begin <= decision.at < loss.end - _LATEST_SECONDS]
            gone = gone[:1] if loss.how == "cut" else gone
            fresh = [decision for decision in fresh if decision not in gone]
            why = "1 lines are broken" if loss.how == "cut" else "the log that was read before is gone"
        for value in _told(fresh, stage):
            yield Line(reading, "info", process, REQUESTS if "audit_ids" in value else REQUEST, value)
        until = round(stage.wall(began), 3)
        span = {"since": until if since is None else since, "until": until}
        yield Line(reading + 0.01, "info" if why else "ok", process, READ, {**span, **({"said": why} if why else {})})
        since = until
        if reading > stage.judge:
            return


def _told(fresh: Sequence[Decided], stage: Stage) -> Iterator[Object]:
    """Yield what is told of the requests of one reading: at once of our own that were decided alike, and at once."""
    plain: dict[str, Object] = {}
    for received, at, value in fresh:
        quick = value["code"] == _CREATED or value["denied_by"]
        if quick and not value["failed_open"] and not value["seconds"] and not value.get("uid"):
            same = {name: value[name] for name in _PLAIN}
            plain.setdefault(repr(same), {**same, "audit_ids": []})["audit_ids"].append(value["audit_id"])
        else:
            times = {"received": round(stage.wall(received), 6), "decided": round(stage.wall(at), 6)}
            yield {"uid": "", "name": "", "namespace": "chaos-canary", "who": "kubernetes-admin", **value, **times}
    yield from plain.values()
