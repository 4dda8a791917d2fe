"""Taken back: each mend of a mistake that checks once made (numbered 1.1 to 3.13), with the old mistake put back.

Worlds must find each, as any other mutant; what they cannot show is in `elsewhere`.
"""

from tests.worlds.mutated import Mutant

__all__ = ["ROWS"]


_ASKED = ("fail_open_window", "comes_back", "outlasts", "never_unmutated")
_RECOVERS = ("recovers_within", "recovers_after")
_GENERATED = ("policies_match", "never_orphaned", "no_orphan_stays")
_CHECKS, _HISTORY = "harness/checks", "harness/history"

_TABLE: dict[str, list[tuple[str, tuple[str, ...], str, str]]] = {
    "1.1": [
        (
            f"{_CHECKS}/lasting.py",
            ("fail_open_window",),
            "    return bool(Spans.of([(begin, max(end, last.answered))]) & time)",
            "    return first.asked in time",
        ),
        (
            f"{_CHECKS}/blame.py",
            ("fail_open_window",),
            "own = Spans.of(faults.window(fault) for fault in group)",
            "own = Spans.of((each.injected, inf) for each in group)",
        ),
    ],
    "1.2": [
        (f"{_CHECKS}/node_loss.py", ("never_replaced",), 'lost = [(pod.leaving, "were taken away"), ', "lost = ["),
        (
            f"{_CHECKS}/node_loss.py",
            ("never_replaced",),
            "    if ready or why or (end < later",
            "    if True or (end < later",
        ),
        (
            f"{_CHECKS}/node_loss.py",
            ("never_replaced",),
            "    why = _not_seen(scene, loss.at, end) or _moment(end) * (ready is None)\n    later",
            '    why, ready = "", ready is not False\n    later',
        ),
        (
            f"{_CHECKS}/node_loss.py",
            ("never_replaced",),
            '        return _Finding("inconclusive", f"{loss.node} was not proved to be healed")',
            "        return _Finding()",
        ),
    ],
    "1.3": [
        (
            f"{_HISTORY}/control_plane.py",
            ("control_plane_unharmed",),
            "        if entry.f == DELETED:\n            if _MIRROR",
            "        if entry.f == DELETED:\n            return\n            if _MIRROR",
        ),
        (
            f"{_HISTORY}/control_plane.py",
            ("control_plane_unharmed",),
            'self._changed(part, entry, "node", name, words_before, _GONE)',
            "pass",
        ),
        (
            f"{_HISTORY}/control_plane.py",
            ("control_plane_unharmed",),
            "dies = bool(words_before) and",
            "dies = False and",
        ),
        (
            f"{_HISTORY}/blame.py",
            ("control_plane_unharmed",),
            "        if silence.least > seconds:",
            "        if silence.least > 9999:",
        ),
        (
            f"{_HISTORY}/blame.py",
            ("control_plane_unharmed",),
            "if silence.least > _GIVES_UP_SECONDS[kind]:",
            "if silence.least > 9999:",
        ),
        (
            f"{_HISTORY}/blame.py",
            ("control_plane_unharmed",),
            "return None if silence.most > usual * JITTER else False",
            "return False",
        ),
        (
            f"{_CHECKS}/control_plane.py",
            ("control_plane_unharmed",),
            "[*seen.missing(), *changes.doubts, *idle.doubts]",
            "[]",
        ),
    ],
    "1.4": [
        (
            f"{_HISTORY}/lists.py",
            _GENERATED,
            "self._pending.append((entry.at, name, there))",
            "self._turn(name, entry.at, entry.at, there)",
        ),
    ],
    "1.5": [
        (
            f"{_HISTORY}/excuses.py",
            _ASKED,
            ' if admission in alone else "counted"',
            "",
        ),
        (
            f"{_HISTORY}/excuses.py",
            ("fail_open_window", "never_unmutated"),
            "excusing = [name for name in causes if name != _TIMED_OUT or lasted]",
            "excusing = [name for name in causes if name != _TIMED_OUT or lasted is not None]",
        ),
        (
            f"{_HISTORY}/webhook_failures.py",
            ("never_unmutated",),
            "        return bool(self._audit.streams)",
            "        return False",
        ),
    ],
    "1.6": [
        (
            f"{_HISTORY}/coverage.py",
            _ASKED,
            '        if begun is not None and entry.kind != "info":\n            self._about(value)',
            "        if begun is not None:\n            self._about(value)",
        ),
        (
            f"{_CHECKS}/unmutated.py",
            ("never_unmutated",),
            "self.gaps = Spans.of(span for spans in gaps for span in spans)",
            "self.gaps = Spans()",
        ),
        (
            f"{_CHECKS}/unmutated.py",
            ("never_unmutated",),
            "        if not at_most and (self.gaps or self.loss.unseen):",
            "        if not at_most and self.gaps:",
        ),
        (
            f"{_HISTORY}/in_force.py",
            ("never_unmutated",),
            "Creation(self._gap if in_gap else entry.at, entry.at",
            "Creation(entry.at, entry.at",
        ),
        (
            f"{_CHECKS}/outage.py",
            ("outlasts",),
            "    if earliest >= seconds and not unseen:",
            "    if earliest >= seconds:",
        ),
        (
            f"{_CHECKS}/outage.py",
            ("comes_back",),
            "        if not bad and not unseen and not sooner:",
            "        if not bad:",
        ),
        (
            f"{_HISTORY}/lease_requests.py",
            ("leases_admitted",),
            "            self._unanswered.append((begun, max(",
            "            (lambda span: None)((begun, max(",
        ),
        (
            f"{_HISTORY}/recoveries.py",
            _RECOVERS,
            "        spans = window - by.when(self._fit) - doubt(coverage, WATCH_PODS, begin, end, by.moments)",
            "        spans = window - by.when(self._fit)",
        ),
        (
            f"{_CHECKS}/node_loss.py",
            ("replaced_within",),
            "    if (why := _not_seen(scene, loss.at, late) or _doubt(case)) or ready is None:",
            "    if why := _doubt(case):",
        ),
        (
            f"{_HISTORY}/silences.py",
            ("leases_renewed",),
            "end.least)]) - self.unknown - sure - unsure",
            "end.least)]) - sure - unsure",
        ),
        (
            f"{_CHECKS}/control_plane.py",
            ("leases_renewed_again",),
            "limit - max(least, blind), limit - last.least",
            "limit - least, limit - least",
        ),
        (
            f"{_HISTORY}/streams.py",
            ("policies_match", "undisturbed"),
            "            until = self._last\n        elif",
            "            until = entry.at\n        elif",
        ),
        (f"{_HISTORY}/lists.py", ("policies_match",), "(Spans.of(absent) - self.unknown)", "Spans.of(absent)"),
        (
            f"{_HISTORY}/coverage.py",
            ("fail_open_window",),
            "[(max(begin, self.until), inf)] if end == inf and not self.ended else []",
            "[]",
        ),
        (
            f"{_HISTORY}/silences.py",
            ("leases_renewed",),
            "coverage.until if coverage.ended else inf)",
            "coverage.until)",
        ),
        (
            f"{_HISTORY}/coverage.py",
            ("never_unmutated", "control_plane_unharmed", "no_request_during"),
            "        if entry.index != self._index + 1:",
            "        if False:",
        ),
    ],
    "2.1": [
        (
            f"{_CHECKS}/unmutated.py",
            ("never_unmutated",),
            "            least = most = self._until(max(healed))",
            "            least = most = self.all",
        ),
    ],
    "2.2": [
        (
            f"{_CHECKS}/lasting.py",
            ("fail_open_window",),
            "goes_on = last is not None and (index or admission.answered - last.asked < STEADY_SECONDS)",
            "goes_on = last is not None and index",
        ),
    ],
    "2.3": [
        (
            f"{_CHECKS}/unmutated.py",
            ("never_unmutated",),
            "        certain, worst = (low, high) if at_most else",
            (
                '        statistics = __import__("chaos_harness.harness.statistics", fromlist=["wilson"])\n'
                "        wilson = statistics.wilson(self.bad, self.all)\n"
                "        certain, worst = (wilson.low, wilson.high) if at_most else"
            ),
        ),
    ],
    "2.4": [
        (
            f"{_CHECKS}/fail_open.py",
            ("fail_open_window",),
            'seconds, "bypassed", "enforcement is lost"',
            'seconds, "lost", "enforcement is lost"',
        ),
    ],
    "2.5": [
        (
            f"{_CHECKS}/races.py",
            ("never_orphaned",),
            "            if seen := longer_than(there, late, ",
            "            if self.since in orphan.certain and longer_than((seen := there), late, ",
        ),
    ],
    "2.6": [
        (f"{_CHECKS}/generation.py", ("generated_within",), "if span[0] >= begin - LAG or", "if span[0] >= begin or"),
    ],
    "2.7": [
        (
            f"{_HISTORY}/control_plane.py",
            ("leases_renewed",),
            "            lease.seen.append(entry.at)",
            "            lease.seen.append(entry.wall - 1_800_000_000)",
        ),
    ],
    "2.8": [
        (
            f"{_HISTORY}/coverage.py",
            ("fail_open_window", "leases_renewed"),
            "        if entry.f == LATE:",
            '        if entry.f == LATE and entry.value["seconds"] > 99:',
        ),
        (
            f"{_HISTORY}/coverage.py",
            ("fail_open_window", "never_unmutated"),
            '(entry.at - entry.value["seconds"], entry.at)',
            "(0.0, inf)",
        ),
    ],
    "2.10": [
        (
            f"{_CHECKS}/recovery.py",
            _RECOVERS,
            "if since <= limit and (until - since >= steady or (until",
            "if since <= limit and (True or (until",
        ),
    ],
    "2.11": [
        (
            f"{_CHECKS}/node_loss.py",
            ("replacements_mutated",),
            "        for pod in case.chain\n",
            "        for pod in case.chain[:1]\n",
        ),
    ],
    "2.13": [
        (
            f"{_HISTORY}/replicas.py",
            (*_RECOVERS, "undisturbed"),
            "    return None if spoken else WRONG",
            "    return RIGHT",
        ),
    ],
    "3.6": [
        (
            f"{_CHECKS}/blame.py",
            ("never_unmutated", "fail_open_window"),
            "if not chosen or any(fault.proved is None for fault in chosen):",
            "if not chosen or all(fault.proved is None for fault in chosen):",
        ),
        (
            f"{_CHECKS}/pulls.py",
            ("no_request_during",),
            "over = [one for one in faults if",
            "over = [one for one in faults[-1:] if",
        ),
    ],
    "3.10": [
        (
            f"{_CHECKS}/unmutated.py",
            ("never_unmutated",),
            "read.coverage.unknown([WATCH_WORKLOAD], *part)",
            "read.coverage.unseen([WATCH_WORKLOAD], part[0], inf)",
        ),
    ],
    "3.11": [
        (
            f"{_HISTORY}/node_scene.py",
            ("replacements_mutated",),
            "any(other.mutated and other.seen <= moment for other in family)",
            "all(other.mutated or other.seen > moment for other in family)",
        ),
    ],
}

_LINE = "few worlds lack a line, and hardly ever the one that would acquit"
_QUICK = "no world has one quick miss by itself while another call times out"
_LIVES = {
    (
        "comes_back",
        ' if admission in alone else "counted"',
    ): "in worlds what times out just before the mark is borderline",
    ("fail_open_window", "excusing = [name for name in causes if name != _TIMED_OUT or lasted]"): _QUICK,
    ("never_unmutated", "excusing = [name for name in causes if name != _TIMED_OUT or lasted]"): _QUICK,
    ("never_unmutated", "        return bool(self._audit.streams)"): (
        "in worlds who is asked and does not mutate answers at once, which by no log is a time-out"
    ),
    ("never_unmutated", "        if not at_most and (self.gaps or self.loss.unseen):"): (
        "equivalent: each stretch that was not seen counts for a pod at least (`open`), so that one may lack it"
    ),
    ("fail_open_window", "[(max(begin, self.until), inf)] if end == inf and not self.ended else []"): (
        "`again` says so of faults by their names, and no world names one by its id"
    ),
    ("never_unmutated", "        if entry.index != self._index + 1:"): _LINE,
    ("control_plane_unharmed", "        if entry.index != self._index + 1:"): _LINE,
    ("never_unmutated", "            least = most = self._until(max(healed))"): (
        "in worlds a share that rest would dilute below what is allowed is borderline"
    ),
    (
        "fail_open_window",
        "goes_on = last is not None and (index or admission.answered - last.asked < STEADY_SECONDS)",
    ): "in worlds in which some of many are lost it may be inconclusive",
    ("fail_open_window", "        if entry.f == LATE:"): (
        "in worlds nobody asks while this machine pauses, which is a hole in what was asked already"
    ),
    ("leases_renewed", "        if entry.f == LATE:"): (
        "hardly any world pauses just when a silence ends that is nearly too long"
    ),
    ("generated_within", "if span[0] >= begin - LAG or"): "in worlds a binding stays that came with its constraint",
    ("replacements_mutated", "any(other.mutated and other.seen <= moment for other in family)"): (
        "in worlds no pod of several lacks it before anything is done"
    ),
}
"""By check and old text, those that no world finds, each with the reason; unit tests hold them (see `elsewhere`)."""

ROWS = [
    Mutant(file, (check,), old, new, _LIVES.get((check, old), ""), row)
    for row, mutants in _TABLE.items()
    for file, checks, old, new in mutants
    for check in checks
]
