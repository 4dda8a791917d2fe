"""Admission checks: who sees less can only be less sure, and what a claim does not name changes nothing."""

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from chaos_harness.harness.checks.fail_open import fail_open_window, refused_for_at_most
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.history import Entry, History
from chaos_harness.harness.history.vocabulary import (
    AUDIT,
    CANARY,
    END,
    FAIL_OPEN,
    JUDGE,
    READ,
    WATCH_CANARIES,
    WATCH_WORKLOAD,
)
from chaos_harness.harness.verdict import Verdict
from tests.fakes.audit_histories import AuditHistory
from tests.fakes.audit_log import MUTATION
from tests.fakes.canary_histories import CanaryHistory
from tests.fakes.histories import renumbered
from tests.thorough import examples, sampled

_CHECKS = (
    fail_open_window(2, fault="kill", policies=["mutate pods"]),
    fail_open_window(0, fault="kill", policies=["mutate pods"], excused=["timed out"]),
    fail_open_window(4, fault=["fault 1", "fault 2"]),
    refused_for_at_most(1, fault="kill"),
    outlasts(8, fault="kill", policies=["mutate pods"]),
    comes_back(fault="kill", policies=["mutate pods"]),
    comes_back(fault="kill", policies=["mutate pods"], before_healing=True),
    never_unmutated(during="kill"),
    never_unmutated(excused=["timed out"]),
    never_unmutated(during="kill", at_most=0.1),
)
_END = 60.0
_SEEDS = examples(4)


def world(seed: int) -> CanaryHistory:
    """Return a history with a fault, sometimes a second one that overlaps it, and losses of any kind and length.

    Of some questions only the audit log, or the watch on canaries, says what became of them.
    """
    draw = random.Random(seed)  # noqa: S311 - the same worlds each time
    history = AuditHistory().watched(*[float(at) for at in range(61)])
    history.add(0.1, "invoke", "policies", "apply", {"policies": ["mutate pods"]})
    history.in_force(0.5, "mutate pods", until=draw.choice([None, 55.0]))
    history.fault(10, 11, 30, name="kill")
    if draw.random() < 0.5:
        begin = draw.choice([15.0, 29.0, 40.0])
        history.fault(begin, begin + 1, begin + 8, name=draw.choice(["kill", "drain"]), process="fault 2")
    lost = [(at, at + draw.choice([0.15, 1.5, 6.0, 25.0])) for at in draw.sample([5.0, 9.0, 12.0, 25.0, 38.0, 50.0], 2)]
    lost = lost if draw.random() < 0.7 else []
    outcome = draw.choice(["unmutated", "unmutated", "refused"])
    for number in range(int(_END * 5)):
        at = number / 5
        bad = any(begin <= at < end for begin, end in lost)
        slow = 1.0 if bad and draw.random() < 0.5 else 0.01
        history.put(
            at, "fail" if bad else "ok", took=slow, outcome=outcome if bad else "", said="EOF", dry_run=bool(number % 2)
        )
        failed = bad and draw.random() < 0.7
        if failed:
            history.call(at + slow, draw.choice(["context deadline exceeded", "connection refused"]))
        closed: dict[str, Any] = {}
        if bad and outcome != "unmutated":
            closed = {"code": 500, "said": f'failed calling webhook "{MUTATION}": EOF'}
        failed_open = [MUTATION] if failed and not closed else []
        history.log(at, slow, failed_open=failed_open, called={} if failed or closed else {MUTATION: not bad}, **closed)
        if not number % 2 and not closed:
            history.canary(at + slow, 2 * number, mutated=not bad)
        history.ask(at + 0.1, policy="check ignore label", outcome="denied by webhook")
    if draw.random() < 0.3:
        at = draw.choice([8.0, 20.0, 45.0])
        history.workload(at, "bare", mutated=False)
        history.log(
            at - 1.02, 1.0, audit_id="pod", uid="uid-bare", failed_open=[MUTATION] if draw.random() < 0.5 else []
        )
        history.call(at - 0.02, "context deadline exceeded")
    for at in range(3, 61, 3):
        history.add(at, "ok", "fail open", "read", {"until": 1_800_000_000.0 + at - 0.1})
        span = {"since": 1_800_000_000.0 + at - 4.6, "until": 1_800_000_000.0 + at - 1.6}
        history.add(at, "ok", "audit node", "read", span)
    history.canaries_watched(*range(62))
    return history.add(59.7, "mark", "experiment", JUDGE).add(63, "mark", "history", END)


def _unanswered(recorded: History, draw: random.Random) -> History:
    """Let some questions have no answer that says anything: the worlds in which others tell what became of them."""
    begin = draw.choice([8.0, 22.0, 33.0, 48.0])
    end = begin + draw.choice([2.0, 6.0, 20.0])

    def unclear(entry: Entry) -> Entry:
        decides = entry.process.startswith(CANARY) and entry.kind in ("ok", "fail") and begin <= entry.at < end
        return replace(entry, kind="info") if decides else entry

    return replace(recorded, entries=[unclear(entry) for entry in recorded.entries])


@cache
def judged(seed: int) -> tuple[History, list[Verdict]]:
    """Return one of these histories, and what all checks say of the whole of it."""
    recorded = world(seed).written()
    draw = random.Random(seed)  # noqa: S311 - the same worlds each time
    recorded = _unanswered(recorded, draw) if draw.random() < 0.6 else recorded
    return recorded, [check(recorded) for check in _CHECKS]


def _kept(recorded: History, keep: Callable[[Entry], bool]) -> History:
    return replace(recorded, entries=[entry for entry in recorded.entries if keep(entry)])


def _counted_anew(recorded: History) -> History:
    return replace(recorded, entries=renumbered(recorded.entries))


def _cut(recorded: History, draw: random.Random) -> History:
    entries = list(recorded.entries)
    return replace(recorded, entries=entries[: draw.randrange(1, len(entries))], ended=False)


def _line(recorded: History, draw: random.Random) -> History:
    entries = list(recorded.entries)
    rare = [entry.index for entry in entries if not entry.process.startswith(CANARY)]
    gone = draw.choice(rare if draw.random() < 0.7 else range(len(entries)))
    return replace(_kept(recorded, lambda entry: entry.index != gone), ended=gone != len(entries) - 1)


def _silent(recorded: History, draw: random.Random) -> History:
    begin = draw.uniform(0, 60)
    end = begin + draw.choice([0.5, 5, 30])
    gone = {
        entry.value["seq"] for entry in recorded.entries if entry.process.startswith(CANARY) and begin <= entry.at < end
    }
    kept = _kept(recorded, lambda entry: not (entry.process.startswith(CANARY) and entry.value["seq"] in gone))
    return _counted_anew(kept)


def _info(recorded: History, draw: random.Random) -> History:
    begin, share = draw.uniform(0, 60), draw.choice([0.3, 1.0])
    end = begin + draw.choice([0.5, 5, 30])

    def unclear(entry: Entry) -> Entry:
        decides = entry.process.startswith(CANARY) and entry.kind in ("ok", "fail") and begin <= entry.at < end
        return replace(entry, kind="info") if decides and draw.random() < share else entry

    return replace(recorded, entries=[unclear(entry) for entry in recorded.entries])


def _blind(recorded: History, draw: random.Random) -> History:
    return _gap(recorded, draw, WATCH_WORKLOAD)


def _gap(recorded: History, draw: random.Random, watch: str) -> History:
    begin = draw.uniform(1, 58)
    end = begin + draw.choice([0.5, 5, 30])
    entries = []
    for entry in recorded.entries:
        if entry.process == watch and begin <= entry.at < end:
            continue
        entries.append(entry)
    gap = {"why": "refused", "detail": "", "resource_version": ""}
    marks = [("GAP", begin, gap)] + ([("LISTED", end, {"resource_version": "9"})] if end < _END else [])
    entries += [Entry(0, "change", watch, f, value, at, 0.0) for f, at, value in marks]
    return _counted_anew(replace(recorded, entries=sorted(entries, key=lambda entry: entry.at)))


def _starved(recorded: History, draw: random.Random) -> History:
    at = draw.uniform(1, 60)
    late = Entry(0, "info", "metronome", "late", {"seconds": draw.choice([0.6, 3, 20])}, at, 0.0)
    entries = sorted([*recorded.entries, late], key=lambda entry: entry.at)
    return _counted_anew(replace(recorded, entries=entries))


def _unlogged(recorded: History, draw: random.Random) -> History:
    after = draw.choice([-1, draw.uniform(0, 60)])
    return _counted_anew(_kept(recorded, lambda entry: entry.process != FAIL_OPEN or entry.at <= after))


def _unaudited(recorded: History, draw: random.Random) -> History:
    """Take the audit log away, from some moment on: there never was one, or no more of it is read."""
    after = draw.choice([-1, draw.uniform(0, 60)])
    return _counted_anew(_kept(recorded, lambda entry: not entry.process.startswith(AUDIT) or entry.at <= after))


def _audit_lost(recorded: History, draw: random.Random) -> History:
    """Lose a stretch of the audit log, as the writer says: what was logged between two readings is gone."""
    begin = 3 * draw.randrange(0, 19) + 0.001
    end = begin + 3 * draw.choice([1, 3, 10])
    entries = []
    for entry in recorded.entries:
        if entry.process.startswith(AUDIT) and begin <= entry.at <= end:
            if entry.f == READ:
                entries.append(replace(entry, kind="info", value={**entry.value, "said": "gone"}))
        else:
            entries.append(entry)
    return _counted_anew(replace(recorded, entries=entries))


def _uncanaried(recorded: History, draw: random.Random) -> History:
    """Take the watch on canaries away, wholly or for a while."""
    if draw.random() < 0.4:
        return _counted_anew(_kept(recorded, lambda entry: entry.process != WATCH_CANARIES))
    return _gap(recorded, draw, WATCH_CANARIES)


def _unasked(recorded: History, draw: random.Random) -> History:
    policy = draw.choice(["mutate pods", "check ignore label"])
    return _counted_anew(_kept(recorded, lambda entry: (entry.value or {}).get("policy") != policy))


_LESS = (_cut, _line, _silent, _info, _blind, _starved, _unlogged, _unaudited, _audit_lost, _uncanaried, _unasked)


@pytest.mark.parametrize("less", sampled(_LESS, 6), ids=lambda less: less.__name__.strip("_"))
def test_who_sees_less_is_less_sure(less: Callable[[History, random.Random], History]) -> None:
    """No cut, missing line, silence, unclear answer, gap, busy machine or lack of a log turns a verdict around."""
    for seed in range(_SEEDS):
        recorded, verdicts = judged(seed)
        seen = less(recorded, random.Random(seed))  # noqa: S311 - the same ones each time
        for check, whole in zip(_CHECKS, verdicts, strict=True):
            if less is _unasked and "mutate pods" not in check.__name__:
                continue
            part = check(seen)
            assert part.outcome in (whole.outcome, "inconclusive"), (seed, check.__name__, whole.summary, part.summary)
