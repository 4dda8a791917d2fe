"""Eyes: what the probes of today would have written of a world of which some is hidden from them."""

import heapq
from collections.abc import Iterable, Iterator, Sequence
from math import inf
from typing import Any

from chaos_harness.harness.history import SCHEMA, Entry, Header, History
from chaos_harness.harness.history.vocabulary import (
    API_SERVER,
    CANARY,
    CLOCK_STEP,
    END,
    FAIL_OPEN,
    HISTORY,
    LATE,
    METRONOME,
    READ,
)
from tests.worlds.auditing import Decided, copied, of_one
from tests.worlds.hiding import ALL, Hiding
from tests.worlds.stage import STARTED, Asking, Canary, Line, Log, Stage
from tests.worlds.watching import watched

__all__ = ["observe"]

_NO_ANSWER_SECONDS = 10.0
_LAST_READ_SECONDS = 1.2


def observe(stage: Stage, hidings: Iterable[Hiding]) -> History:
    """Return the history of a world of which something is hidden."""
    hidden = list(hidings)
    clock = _Clock(stage, hidden)
    lines: list[Line] = list(stage.lines)
    for process, versions in stage.lists.items():
        lines += watched(process, versions, _of(hidden, process), stage, clock)
    logged: list[tuple[float, dict[str, Any]]] = []
    decisions = [Decided(*decision) for decision in stage.decisions]
    for canary in stage.canaries:
        lines += _canary(canary, hidden, clock, stage, logged, decisions)
    for asking in stage.askings:
        lines += _asking(asking, _of(hidden, asking.stream), clock, stage)
    for process, log in stage.logs.items():
        both_logs = [*log.lines, *(logged if process == FAIL_OPEN else ())]
        lines += _log(process, log._replace(lines=both_logs), _of(hidden, process), clock, stage)
    for process in stage.audits:
        lines += copied(process, of_one(process, stage, decisions), _of(hidden, process), clock, stage)
    lines += [Line(end, "info", METRONOME, LATE, {"seconds": round(end - begin, 3)}) for begin, end in clock.pauses]
    lines.append(Line(stage.end, "mark", HISTORY, END))
    return _recorded(lines, stage, hidden)


class _Clock:
    """When something is written that comes at a moment: later, if this machine pauses just then."""

    def __init__(self, stage: Stage, hidden: Sequence[Hiding]) -> None:
        self.pauses = sorted(
            (hiding.begin, hiding.end) for hiding in hidden if hiding.stream == ALL and hiding.how == "paused"
        )

    def __call__(self, at: float) -> float:
        for begin, end in self.pauses:
            if begin <= at < end:
                return end + (at - begin) * 1e-4
        return at


def _of(hidden: Iterable[Hiding], stream: str) -> list[Hiding]:
    return sorted((hiding for hiding in hidden if hiding.stream == stream), key=lambda hiding: hiding.begin)


def _lies(at: float, hidden: Sequence[Hiding]) -> Hiding | None:
    return next((hiding for hiding in hidden if hiding.begin <= at < hiding.end), None)


def _canary(
    canary: Canary,
    hidden: Sequence[Hiding],
    clock: _Clock,
    stage: Stage,
    logged: list[tuple[float, dict[str, Any]]],
    decisions: list[Decided],
) -> Iterator[Line]:
    """Yield questions and answers, each by a thread that is free; tell what the API server `logged` of them.

    And the `decisions` on them, each with the id by which it is known in the audit log.
    """
    by_policy = {question.policy: _of(hidden, f"asked {question.policy}") for question in canary.questions}
    free: list[int] = []
    busy: list[tuple[float, int]] = []
    threads, count = 0, len(canary.questions)
    seq = -1
    while (due := canary.begin + (seq + 1) / canary.rate) < canary.end:
        seq += 1
        question = canary.questions[seq % count]
        asked = clock(due)
        kind, took, value, log, decided = canary.answer(question, asked, seq)
        logged += [log] if log else []
        hiding = _lies(asked, by_policy[question.policy])
        if hiding and hiding.how == "absent":
            continue
        known = {"audit_id": f"{stage.seed:x}-{seq}"} if stage.audits and decided else {}
        if known and decided:
            decisions.append(Decided(asked + 0.004, asked + took - 0.002, {**decided, **known}))
        if hiding:
            slow = seq % 3 == 0
            kind, took = "info", _NO_ANSWER_SECONDS if slow else 0.01
            value = {"outcome": "timed out" if slow else "refused", "said": "no answer"}
        answered = clock(asked + took)
        while busy and busy[0][0] < asked:
            heapq.heappush(free, heapq.heappop(busy)[1])
        if free:
            thread = heapq.heappop(free)
        else:
            thread, threads = threads, threads + 1
        heapq.heappush(busy, (answered, thread))
        process, f = f"{CANARY} {thread}", question.f
        of = {"seq": seq, "policy": question.policy, "dry_run": question.dry_run, "round": seq // count}
        yield Line(asked, "invoke", process, f, {**of, **known, "late": round(asked - due, 3)})
        if answered < stage.end:
            yield Line(answered, kind, process, f, {**of, **value})


def _asking(asking: Asking, hidden: Sequence[Hiding], clock: _Clock, stage: Stage) -> Iterator[Line]:
    due = asking.begin
    while due < min(asking.end, stage.end):
        asked = clock(due)
        kind, took, value, *_ = asking.answer(asked)
        hiding = _lies(asked, hidden)
        if hiding and hiding.how == "absent":
            return
        if hiding:
            slow = int(due) % 2 and asking.process != API_SERVER
            kind, took, value = "info", 3.0 if slow else 0.01, {"said": "no answer"}
        answered = clock(asked + took)
        yield Line(asked, "invoke", asking.process, asking.f, dict(asking.value) or None)
        if answered < stage.end:
            yield Line(answered, kind, asking.process, asking.f, {**asking.value, **value})
        due += asking.every
        while due < answered:
            due += asking.every


def _log(process: str, log: Log, hidden: Sequence[Hiding], clock: _Clock, stage: Stage) -> Iterator[Line]:
    """Yield what is copied: what was not read is read later, but for what was there before the first reading."""
    if any(hiding.how == "absent" for hiding in hidden):
        return
    pending = sorted(log.lines, key=lambda line: line[0])
    at, number = 0.8, 0
    while at <= stage.judge + log.every + _LAST_READ_SECONDS:
        reading = clock(min(at, stage.judge + _LAST_READ_SECONDS))
        at += log.every
        if _lies(reading, hidden):
            yield Line(reading, "info", process, READ, {"said": "no answer"})
            continue
        while number < len(pending) and pending[number][0] <= reading - 0.1:
            moment, value = pending[number]
            number += 1
            yield Line(reading, "info", process, log.f, {"time": round(stage.wall(moment), 3), **value})
        yield Line(reading + 0.01, "ok", process, READ, {"until": round(stage.wall(reading - 0.1), 3)})
        if reading > stage.judge:
            return


def _recorded(lines: Iterable[Line], stage: Stage, hidden: Sequence[Hiding]) -> History:
    """Return the lines as entries, in their order; let the clock be set, and leave out what is lost."""
    entries: list[Entry] = []
    steps = sorted(stage.steps)
    shift = 0.0
    for line in sorted(lines, key=lambda line: line.at):
        while steps and steps[0][0] <= line.at:
            seconds = steps.pop(0)[1]
            shift += seconds
            entries.append(_entry(len(entries), "info", HISTORY, CLOCK_STEP, {"seconds": seconds}, line.at, shift))
        entries.append(_entry(len(entries), line.kind, line.process, line.f, line.value, line.at, shift))
    killed = min((hiding.begin for hiding in hidden if hiding.how == "killed"), default=inf)
    ended = killed == inf
    lost = {
        next((entry.index for entry in entries if entry.at >= hiding.begin), -1)
        for hiding in hidden
        if hiding.how == "line"
    }
    kept = [entry for entry in entries if entry.at < killed and entry.index not in lost]
    ended = ended and bool(kept) and kept[-1].f == END
    return History(Header(SCHEMA, "worlds", STARTED, "0"), kept, truncated=False, ended=ended)


def _entry(index: int, kind: Any, process: str, f: str, value: Any, at: float, shift: float) -> Entry:
    moment = round(at, 6)
    return Entry(index, kind, process, f, value, moment, round(STARTED + moment + shift, 6))
