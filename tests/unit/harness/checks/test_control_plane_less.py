"""Control plane: who sees less is never surer, whichever part of a history is taken away, and in whichever way."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.control_plane import (
    control_plane_unharmed,
    leases_admitted,
    leases_renewed,
    leases_renewed_again,
)
from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.vocabulary import (
    API_SERVER,
    DELETED,
    END,
    GAP,
    HARM,
    LISTED,
    RESUMED,
    WATCH_LEASES,
    WATCH_NODES,
    WATCH_SYSTEM_PODS,
    WRITE_LEASE,
)
from tests.fakes.control_plane import PlaneHistory, plane
from tests.fakes.histories import renumbered
from tests.thorough import sampled, some

KILL, RESTART = "kill node", "restart API server"
WATCHES = (WATCH_LEASES, WATCH_SYSTEM_PODS, WATCH_NODES)
UNTIL = 90
DENIED = "admission webhook denied the request"


def killed() -> PlaneHistory:
    """Return one whose worker is killed from 20 to 40 s, and all on it; it renews again at 50 s."""
    history = plane(UNTIL, silent={"worker": (20, 50)}).fault(20, 31, 40, name=KILL)
    history.add(20.1, "info", "harm", "killed node", {"node": "worker"}).node(38, ready=False, since="dead")
    history.container(42, "kindnet-cni", "k2", 1, pod="kindnet-a", node="worker", state="running", ready=True)
    return history.node(43, since="back")


def dead(at: float) -> PlaneHistory:
    """Return one whose scheduler ends at a moment, and renews nothing from then on."""
    history = plane(UNTIL, silent={"kube-scheduler": (at, UNTIL + 1)}).fault(20, 31, 40, name=KILL)
    return history.container(at, "kube-scheduler", "kube-scheduler-1", state="waiting", ready=False, mirror=True)


def asked(*, denied: bool) -> PlaneHistory:
    """Return one whose API server is restarted at 20 s, and denies Leases for three seconds after it, or does not."""
    history = plane(UNTIL).asks(0, 20).fault(20, 22, 24, name=RESTART).asks(20, 23, "info").asks(26, UNTIL + 20)
    outcome = {"kind": "fail", "status": 500, "said": DENIED} if denied else {"kind": "ok"}
    return history.asks(23, 26, **outcome)


CLAIMS: dict[str, tuple[PlaneHistory, Check, str]] = {
    "unharmed": (killed(), control_plane_unharmed(), "holds"),
    "harmed": (dead(15), control_plane_unharmed(), "violated"),
    "not there": (dead(15), control_plane_unharmed(seconds=30), "violated"),
    "renewed": (killed(), leases_renewed(20), "holds"),
    "not renewed": (dead(45), leases_renewed(20), "violated"),
    "renewed again": (killed(), leases_renewed_again(35, fault=KILL), "holds"),
    "not renewed again": (dead(45), leases_renewed_again(35, fault=KILL), "violated"),
    "admitted": (asked(denied=False), leases_admitted(), "holds"),
    "denied": (asked(denied=True), leases_admitted(), "violated"),
}


def rewritten(recorded: History, entries: list[Entry]) -> History:
    """Return a history of these entries as if no other one had been written."""
    return replace(recorded, entries=renumbered(sorted(entries, key=lambda entry: entry.at)))


def apart(recorded: History) -> History:
    """Return a history in which no two entries have one moment."""
    entries = [
        replace(entry, at=entry.at + number * 1e-6, value=entry.value or {})
        for number, entry in enumerate(recorded.entries)
    ]
    return replace(recorded, entries=entries)


def blinded(recorded: History, stream: str, begin: float, end: float, how: str, why: str) -> History:
    """Return what a watch would have written that saw nothing between two moments, and then listed, or went on."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    kept, in_gap = [], []
    for entry in recorded.entries:
        resource = entry.value.get("object") if entry.process == stream else None
        inside = entry.process == stream and begin < entry.at <= end
        if resource is not None and entry.at <= end:
            for state in (before, after) if entry.at <= begin else (after,):
                state[resource["metadata"]["name"]] = None if entry.f == DELETED else resource
        if inside and resource is not None:
            in_gap.append(replace(entry, at=end, value={**entry.value, "in_gap": True}))
        if not inside:
            kept.append(entry)
    if how == LISTED:
        changed = [(name, resource) for name, resource in after.items() if before.get(name) != resource]
        entries = [
            (DELETED if resource is None else "MODIFIED", resource or before.get(name)) for name, resource in changed
        ]
        in_gap = [
            Entry(0, "change", stream, f, {"object": resource, "in_gap": True}, end, 0)
            for f, resource in entries
            if resource
        ]
    gap = Entry(0, "change", stream, GAP, {"why": why, "detail": ""}, end if why == "silent" else begin, 0)
    return rewritten(
        recorded, [*kept, gap, *in_gap, Entry(0, "change", stream, how, {"resource_version": "9"}, end, 0)]
    )


def heard(recorded: History, stream: str, until: float) -> History:
    """Return what there is if nothing of a stream was heard from some moment on."""
    return rewritten(recorded, [entry for entry in recorded.entries if entry.process != stream or entry.at < until])


def unanswered(recorded: History, begin: float, end: float) -> History:
    """Return what there is if no Lease got an answer between two moments."""
    entries = [
        replace(entry, kind="info", value={"said": "?"})
        if entry.f == WRITE_LEASE and entry.kind != "invoke" and begin <= entry.at <= end
        else entry
        for entry in recorded.entries
    ]
    return replace(recorded, entries=entries)


def unasked(recorded: History, begin: float, end: float) -> History:
    """Return what there is if no Lease was written between two moments."""
    return rewritten(
        recorded, [entry for entry in recorded.entries if entry.f != WRITE_LEASE or not begin <= entry.at <= end]
    )


def cut(recorded: History, number: int) -> History:
    return replace(recorded, entries=list(recorded.entries)[: number + 1], ended=False)


def without(recorded: History, number: int) -> History:
    entries = list(recorded.entries)
    return replace(recorded, entries=entries[:number] + entries[number + 1 :])


def less(recorded: History) -> Iterator[tuple[str, Callable[[], History]]]:
    """Yield who returns a history in which less was seen, and what was taken away."""
    for stream in (*WATCHES, API_SERVER):
        yield f"no {stream}", partial(heard, recorded, stream, float("-inf"))
    for begin in range(0, UNTIL, 15):
        for length in (1, 25):
            end = begin + length + 0.5
            for stream in WATCHES:
                for how, why in ((LISTED, "refused"), (LISTED, "silent"), (RESUMED, "refused")):
                    words = f"{stream} {why} from {begin} to {end}, then {how}"
                    yield words, partial(blinded, recorded, stream, begin + 0.3, end, how, why)
            yield f"no answers from {begin} to {end}", partial(unanswered, recorded, begin, end)
            yield f"no questions from {begin} to {end}", partial(unasked, recorded, begin, end)
        for stream in WATCHES:
            yield f"{stream} half-open from {begin}", partial(heard, recorded, stream, begin)
    for number, entry in enumerate(recorded.entries):
        if entry.f != END and (number % 7 == 0 or entry.process.startswith(("fault", HARM))):
            yield f"killed after {entry}", partial(cut, recorded, number)
            yield f"without {entry}", partial(without, recorded, number)


@pytest.mark.parametrize("name", sampled(list(CLAIMS), 5))
def test_who_sees_less_is_less_sure(name: str) -> None:
    """The verdict stays or becomes inconclusive, whatever is taken away."""
    history, check, outcome = CLAIMS[name]
    recorded = apart(history.today(UNTIL))
    assert check(recorded).outcome == outcome
    surer = [words for words, part in some(less(recorded)) if check(part()).outcome not in (outcome, "inconclusive")]
    assert surer == []


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_not_named_changes_nothing(name: str) -> None:
    """Streams that a claim does not name, and what was asked before its fault, are nothing to it."""
    history, check, _ = CLAIMS[name]
    recorded = apart(history.today(UNTIL))
    others = {"admitted": WATCHES, "denied": WATCHES, "unharmed": (API_SERVER,), "harmed": (API_SERVER,)}
    unnamed = others.get(name, (API_SERVER,) if name == "not there" else (API_SERVER, WATCH_SYSTEM_PODS, WATCH_NODES))
    entries = [
        entry
        for entry in recorded.entries
        if entry.process not in unnamed and (entry.f != WRITE_LEASE or entry.at > 20)
    ]
    assert check(rewritten(recorded, entries)) == check(recorded)
