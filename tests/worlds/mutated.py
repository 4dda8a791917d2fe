"""Mutated: ways in which a check would be wrong, for each file: an old text, the new one, and which checks it makes so.

A comparison turned, a clip left out, what says nothing taken for an answer, an edge moved, an excuse widened. Each
must be found by worlds, or says why none finds it.
"""

from collections.abc import Iterator
from typing import NamedTuple

from tests.worlds.astray import ASTRAY
from tests.worlds.compared import COMPARED
from tests.worlds.misread import MISREAD
from tests.worlds.restless import RESTLESS
from tests.worlds.unbundled import UNBUNDLED
from tests.worlds.unfound import LIVES, TESTS
from tests.worlds.unready import UNREADY

__all__ = ["MUTANTS", "Mutant"]


class Mutant(NamedTuple):
    """One mutation: in `file`, `old` (which stands there once) becomes `new`; `lives` is why no world may find it.

    `row` is the number of the mistake that it puts back, which checks once made; `test` a unit test that finds it where
    no world can.
    """

    file: str
    checks: tuple[str, ...]
    old: str
    new: str
    lives: str = ""
    row: str = ""
    test: str = ""


_RECOVERS = ("recovers_within", "recovers_after")
_SOON = ("recovers",)
_ANY_RECOVERS = (*_RECOVERS, *_SOON)
_ASKED = ("asked_registry", "asked_no_registry")
_LOST = ("replaced_within", "replacements_mutated", "never_replaced")
_GENERATED = ("policies_match", "never_orphaned", "no_orphan_stays")
_FOR_AT_MOST = ("fail_open_window", "refused_for_at_most")
_JUDGED = ("fail_open_window", "comes_back", "never_unmutated")
_ADMISSION = (*_FOR_AT_MOST, "comes_back", "outlasts", "never_unmutated")

_TABLE: dict[str, list[tuple[tuple[str, ...], str, str]]] = {
    "harness/checks/blame.py": [
        (_FOR_AT_MOST, "own - Spans.of(fault.harm for fault in others) - coverage.blind", "own - coverage.blind"),
        (
            _ADMISSION,
            "own = Spans.of(faults.window(fault) for fault in group)",
            "own = Spans.of((each.injected, inf) for each in group)",
        ),
        (_ADMISSION, "    if coverage.ended or not repeated:", "    if repeated or not repeated:"),
    ],
    "harness/checks/lasting.py": [
        (_FOR_AT_MOST, "        return Spans.of(spans)", "        return Spans()"),
        (_JUDGED, "within(-inf, self.coverage.until)", "within(-inf, inf)"),
    ],
    "harness/checks/fail_open.py": [
        (_FOR_AT_MOST, "bounded(counted, loss.most, seconds)", "bounded(counted, loss.least, seconds)"),
        (_FOR_AT_MOST, "bounded(counted, loss.most, seconds)", "bounded(loss.most, loss.most, seconds)"),
        (_FOR_AT_MOST, "loss.least if seconds else float(len(loss.lost))", "loss.least / 2"),
        (_FOR_AT_MOST[:1], 'seconds, "bypassed", "enforcement is lost"', 'seconds, "lost", "enforcement is lost"'),
        (_FOR_AT_MOST[1:], 'seconds, "refused", "what complies', 'seconds, "lost", "what complies'),
        (_ADMISSION[:-1], "if problem := unproved(read.faults, wanted):", 'if problem := "":'),
    ],
    "harness/checks/comparison.py": COMPARED,
    "harness/checks/outage.py": [
        (("comes_back",), "        if certain and not unseen:", "        if bad:"),
        (("comes_back",), "        if not bad and not unseen and not sooner:", "        if not bad:"),
        (("comes_back",), "_LAST = 10", "_LAST = 1"),
        (("comes_back",), "answer not in loss.weighed.excused][-_LAST:]", "True][-_LAST:]"),
        (("comes_back",), "    return proved, min(last,", "    return proved, max(last,"),
        (("outlasts",), "    if latest < seconds:", "    if earliest < seconds:"),
        (("outlasts",), "    if earliest >= seconds and not unseen:", "    if earliest >= seconds:"),
        (("outlasts",), "first = loss.time.within(begin, begin + seconds)", "first = loss.time.within(begin, begin)"),
        (("outlasts",), "fault.injected, seconds) for fault", "fault.injected + 2, seconds) for fault"),
    ],
    "harness/checks/unmutated.py": [
        (("never_unmutated",), "if between(pod) & time]", "if between(pod)]"),
        (("never_unmutated",), "[pod for pod in workload.created if between", "[pod for pod in () if between"),
        (("never_unmutated",), "self.gaps = Spans.of(span for spans in gaps for span in spans)", "self.gaps = Spans()"),
        (
            ("never_unmutated",),
            "return len(self.loss.lost) + len(self.strangers)",
            "return len(self.loss.missed) + len(self.strangers)",
        ),
        (
            ("never_unmutated",),
            "            least = most = self._until(max(healed))",
            "            least = most = self.all",
        ),
        (("never_unmutated",), "if problem := unproved(read.faults, wanted):", 'if problem := "":'),
    ],
    "harness/checks/recovery.py": [
        (_RECOVERS[:1], "if surely is not None and surely <= min(limit, lasted):", "if surely is not None:"),
        (
            _RECOVERS[:1],
            "harm, limit = back.harm, back.harm.at + seconds",
            "harm, limit = back.harm, back.harm.at + 99",
        ),
        (_RECOVERS[:1], "    if lasted < limit:", "    if lasted < harm.at:"),
        (_RECOVERS[:1], "    if unsure := _unsure(back):", '    if unsure := "":'),
        (_RECOVERS[1:], "limit, stop = begin + seconds, _stop", "limit, stop = begin + 2 * seconds, _stop"),
        (_RECOVERS[1:], "if history.coverage.until < limit:", "if history.coverage.until < begin:"),
        (_RECOVERS[1:], "if not any(one.proved is not None and", "if not any("),
        (_SOON, "if chosen is None or (one.fault and one.fault.id in chosen)]", "]"),
        (_SOON, "and history.coverage.until >= min(limit, surely + steady):", "and surely > limit - 5:"),
        (
            _SOON,
            'is not recorded", lines, figures)\n    if unsure := _unsure(back, anywhere=True):',
            'is not recorded", lines, figures)\n    if unsure := "":',
        ),
        (_SOON, "back.harm.at + seconds, history", "back.harm.at + 99, history"),
        (_SOON, "perhaps=perhaps, chosen=every)", "perhaps=perhaps, chosen=[])"),
        (
            _ANY_RECOVERS,
            "if since <= limit and (until - since >= steady or (until",
            "if since <= limit and (True or (until",
        ),
        (_ANY_RECOVERS, "    if perhaps:\n", "    if not perhaps:\n"),
    ],
    **MISREAD,
    **ASTRAY,
    **UNREADY,
    **RESTLESS,
    **UNBUNDLED,
    "harness/history/recoveries.py": [
        (_RECOVERS, "spans |= window - rotation.when(by.uid) - doubt(", "spans |= Spans() - doubt("),
        (_RECOVERS, "return pod.ready and not pod.deleted and", "return pod.ready or"),
        (_RECOVERS, "spans |= self.history.replicas.wrong(by.uid, begin, end)", "pass"),
    ],
    "harness/history/replicas.py": [
        ((*_RECOVERS, "undisturbed"), "    return None if spoken else WRONG", "    return RIGHT"),
        ((*_RECOVERS, "undisturbed"), "else None\n    if entry.kind ==", "else RIGHT\n    if entry.kind =="),
    ],
    "harness/checks/undisturbed.py": [
        (("undisturbed",), "_LONGEST_SILENCE_SECONDS = 10.0", "_LONGEST_SILENCE_SECONDS = 25.0"),
        (("undisturbed",), "    if not now.ready:", "    if now.ready is None:"),
        (("undisturbed",), "if now.running != before.running or", "if False and"),
        (("undisturbed",), "and all(hit.at > end for hit in hits)", "and bool(hits or True)"),
        (("undisturbed",), "sighting.at < over or since > end:", "sighting.at < over:"),
        (("undisturbed",), "    if longest > _LONGEST_SILENCE_SECONDS:", "    if longest > 9999:"),
        (("undisturbed",), "life.node, since - _NOTICED_SECONDS, at)", "life.node, -9999, 9999)"),
    ],
    "harness/checks/pulls.py": [
        (_ASKED, 'f"/{repository}{_MANIFESTS}" in one.path', "_MANIFESTS in one.path"),
        (_ASKED, "and one.perhaps(-inf, begin)", "and one.perhaps(-inf, inf)"),
        (_ASKED, "event.reason == STARTED and event.at < begin", "event.reason == STARTED"),
        (_ASKED, "unknown(self._coverage, 0.0, begin):", "unknown(self._coverage, begin, begin):"),
        (_ASKED, 'lines) if wanted else Verdict("violated"', 'lines) if not wanted else Verdict("violated"'),
        (_ASKED, "if not faults or faults[0].proved is None:", "if not faults:"),
        (("no_request_during",), "if one.surely(begin, end) and", "if one.surely(begin, inf) and"),
        (("no_request_during",), "if not over or len(over) < len(faults):", "if not over:"),
        (("no_request_during",), "over = [one for one in faults if", "over = [one for one in faults[-1:] if"),
        (
            ("no_request_during",),
            "        missing = self._requests.unknown(self._coverage, proved, healing)",
            "        missing = self._requests.unknown(self._coverage, healing, healing)",
        ),
        (("no_request_during",), "if not self._coverage.ended and set(names)", "if False and set(names)"),
    ],
    "harness/history/clocks.py": [
        (("no_request_during",), "fits = fits or candidates", "fits = candidates[:1]"),
    ],
    "harness/history/audit.py": [
        (("never_unmutated",), ' if call.node in ("", decision.node)]', "]"),
        (("never_unmutated",), "if end < begin - _SLACK_SECONDS:", "if False:"),
    ],
    "harness/checks/parity.py": [
        (("enforcement_parity",), "if sure > seconds or (not", "if (not"),
        (("enforcement_parity",), "        unseen |= coverage.unseen(streams, begin, end)\n", "        continue\n"),
        (("enforcement_parity",), "(unseen | span).longest for", "span.longest for"),
    ],
    "harness/history/rounds.py": [
        (
            ("enforcement_parity",),
            '_DENIED = ("denied by webhook", "denied by policy")',
            '_DENIED = ("denied by webhook",)',
        ),
        (("enforcement_parity",), 'if asked is None or entry.kind == "info":', "if asked is None:"),
        (("enforcement_parity",), "since = since if asked - last <= apart else", "since = since if last > 0 else"),
        (("enforcement_parity",), "if one.denied == other.denied:", "if one.denied or other.denied:"),
    ],
    "harness/checks/node_loss.py": [
        (_LOST[:1], "min(loss.at + seconds, scene.end(loss))", "scene.end(loss)"),
        (_LOST[:1], "    ready = scene.ready(case.chain, end)\n", "    ready = bool(case.chain)\n"),
        (_LOST[:1], "_both(loss, others) if others else _not_seen(scene, since, end))", '"")'),
        (
            _LOST[:1],
            '    if end < due:\n        return _Finding("inconclusive", f"only {max',
            '    if end < 0:\n        return _Finding("inconclusive", f"only {max',
        ),
        (_LOST[1:2], "    if pod.mutated:\n", "    if pod.mutated or pod is not case.by:\n"),
        (_LOST[1:2], "    if excuse is not False:", "    if excuse:"),
        (_LOST[1:2], "case.loss.at < pod.seen and scene", "case.loss.at + 40 < pod.seen and scene"),
        (
            _LOST[1:2],
            '    return _unknown(f"{why}: a replacement may have come and gone unseen" * bool(why))',
            "    return _Finding()",
        ),
        (_LOST[2:], 'lost = [(pod.leaving, "were taken away"), ', "lost = ["),
        (_LOST[2:], "due = inf if healed is None else healed + within", "due = inf if healed is None else healed + 2"),
        (_LOST[2:], "why = _not_seen(scene, loss.at, end) or _moment(end) * (ready is None)", 'why = ""'),
        (_LOST[2:], "if ready or why or (end < later", "if ready or why or (end < 0"),
    ],
    "harness/history/node_scene.py": [
        (_LOST[2:], "and fault.id not in ours", "and True"),
    ],
    "harness/history/node_loss.py": [
        (_LOST, '    return chosen and namespace in ("", pod.namespace)', "    return chosen"),
        (_LOST, "pod.kind in kinds if kinds else", "True if kinds else"),
    ],
    "harness/history/workload.py": [
        (_LOST[:1], "if self.leaving is not None and self.leaving <= moment:", "if False:"),
        (_LOST[1:2], "(pod.seen, pod.came, 1, pod)", "(pod.seen, 0, 1, pod)"),
    ],
    "harness/history/blame.py": [
        (("control_plane_unharmed",), "        if silence.least > seconds:", "        if silence.least > 9999:"),
        (("control_plane_unharmed",), "if named or part.node in self._spare:", "if self._spare:"),
        (("leases_renewed",), "first = None if lease.new else DatedEvent(begin, begin)", "first = None"),
    ],
    "harness/history/control_plane.py": [
        (
            ("control_plane_unharmed",),
            "        if before and before != after:",
            "        if before and before == after:",
        ),
        (("control_plane_unharmed",), "dies = bool(words_before) and", "dies = False and"),
        (("control_plane_unharmed",), "            return self.node == part.node", "            return True"),
        (("control_plane_unharmed",), "over = max(faults.window(fault)[1], recovered)", "over = fault.injected"),
        (("leases_renewed", "leases_renewed_again"), 'and spec["renewTime"] != lease.renewed:', ":"),
    ],
    "harness/history/silences.py": [
        (("leases_renewed",), "end.least)]) - self.unknown - sure - unsure", "end.least)]) - sure - unsure"),
        (("leases_renewed",), "coverage.until if coverage.ended else inf)", "coverage.until)"),
        (("leases_renewed", "leases_renewed_again"), "self._begins[before] if hidden else at, at)", "at, at)"),
        (("leases_renewed",), "map(self.ends, seen), [self.end]))", "map(self.ends, seen), ()))"),
    ],
    "harness/checks/control_plane.py": [
        (("control_plane_unharmed",), "[*seen.missing(), *changes.doubts, *idle.doubts]", "[]"),
        (
            ("leases_renewed",),
            "bounded(longest.least, worst.most, seconds)",
            "bounded(longest.least, longest.least, seconds)",
        ),
        (("leases_renewed_again",), "_SILENT_SECONDS = 15.0", "_SILENT_SECONDS = 45.0"),
        (("leases_renewed_again",), "if lacking or seen.coverage.until < limit:", "if lacking:"),
        (("leases_renewed_again",), "        if moment.least > limit:", "        if moment.least > 9999:"),
        (("leases_renewed_again",), "limit - max(least, blind), limit - last.least", "limit - least, limit - least"),
        (
            ("leases_renewed_again",),
            "    if fault.proved is None or fault.healing is None:",
            "    if fault.healing is None:",
        ),
        (("leases_admitted",), "[denial for denial in requests.denied if denial[0] in windows]", "requests.denied"),
        (("leases_admitted",), "    if answers < least:", "    if answers < 1:"),
        (
            ("leases_admitted",),
            "    if unknown := requests.unknown(coverage, min(",
            "    if unknown := requests.unknown(coverage, max(9999, ",
        ),
        (("leases_admitted",), "    if fault.proved is None:\n        yield", "    if False:\n        yield"),
        (("leases_admitted",), "for one in chosen if one.proved is not None)", "for one in chosen)"),
    ],
    "harness/history/lease_requests.py": [
        (("leases_admitted",), '_DENIERS = ("ValidatingAdmissionPolicy", "admission', '_DENIERS = ("admission'),
        (
            ("leases_admitted",),
            "            self._unanswered.append((begun, max(",
            "            (lambda span: None)((begun, max(",
        ),
    ],
    "harness/checks/policies.py": [
        (("policies_match",), "longer_than(difference.certain, late, ", "longer_than(difference.certain, 2 * late, "),
        (("policies_match",), "words, doubted = _doubts(generated, late)", 'words, doubted = "", []'),
    ],
    "harness/history/generated_policies.py": [
        (_GENERATED, "policy), there & ~asked", "policy), there & ~there"),
        (("policies_match",), "policy), asked & ~there", "policy), asked & ~asked"),
        (("no_orphan_stays",), "template_asks(template) and seen_by_all(template)", "template_asks(template)"),
    ],
    "harness/history/lists.py": [
        (_GENERATED, "                self._turn(name, gap, gap, _UNKNOWN)\n", ""),
        ((*_GENERATED, "generated_within"), "(absent if turn.object is None else spans[truth])", "spans[truth]"),
        (("no_orphan_stays",), "other = other if truth == then else", "other = inf if truth == then else"),
        (
            ("generated_within",),
            "            self._turn(name, gap, at, there)",
            "            self._turn(name, at, at, there)",
        ),
        (("generated_within",), "Spans.of([(begin, inf)]) if ends", "Spans.of([(begin, end)]) if ends"),
    ],
    "harness/checks/races.py": [
        (("never_orphaned",), "pairwise([*marks.decided, end])", "pairwise([*marks.decided[:1], end])"),
        (
            ("never_orphaned", "no_orphan_stays"),
            "self._ends(orphan)[0])\n            if seen := longer_than(there, late, ",
            "inf)\n            if seen := longer_than(there, 0, ",
        ),
        (("never_orphaned", "no_orphan_stays"), "any(spans.within(begin, end).longest > late", "any(False"),
        (
            ("never_orphaned", "no_orphan_stays"),
            "bounded(orphaned, orphaned + doubtful, 0)",
            "bounded(orphaned, orphaned, 0)",
        ),
        (("no_orphan_stays",), '"inconclusive" if hidden and not left else', ""),
    ],
}


def _made(file: str, checks: tuple[str, ...], old: str, new: str) -> Iterator[Mutant]:
    """Yield one mutant for the checks that worlds find wrong, and one for each that only a unit test does."""
    tested = {check: f"tests/unit/harness/checks/test_{TESTS[check, old]}" for check in checks if (check, old) in TESTS}
    if rest := tuple(check for check in checks if check not in tested):
        yield Mutant(file, rest, old, new, "" if tested else LIVES.get(old, ""))
    for check, test in tested.items():
        yield Mutant(file, (check,), old, new, LIVES[old], test=test)


MUTANTS = [
    mutant
    for file, mutants in _TABLE.items()
    for checks, old, new in mutants
    for mutant in _made(file, checks, old, new)
]
