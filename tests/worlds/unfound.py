"""Unfound: mutants that no world finds: why each lives, and the unit test that finds it if there is one."""

__all__ = ["LIVES", "TESTS"]

_STAYS = "in worlds a replacement that is Ready stays so"

LIVES: dict[str, str] = {
    "    if coverage.ended or not repeated:": "what a killed file lacks is unseen for ever, which says the same",
    "own = Spans.of(faults.window(fault) for fault in group)": (
        "in worlds a claim on more than a fault's own time is borderline, and so is what is lost just at its end"
    ),
    "[pod for pod in workload.created if between": "in worlds a pod lacks it only while the canary's do, too",
    "            least = most = self._until(max(healed))": (
        "in worlds a share that rest would dilute below what is allowed is borderline"
    ),
    "if history.coverage.until < limit:": "the rule behind it says the same in other words: stop < limit",
    "if not any(one.proved is not None and": "each pod's own verdict says so again",
    "return pod.ready and not pod.deleted and": "in worlds a pod is Ready 1.5 s after it runs: less than borderline",
    "if now.running != before.running or": "in worlds who is restarted is not Ready for a moment first",
    "life.node, since - _NOTICED_SECONDS, at)": "no world has a fault of unknown victims that is over before",
    "fits = fits or candidates": "hardly any world sets the clock between a request and its reading",
    ' if call.node in ("", decision.node)]': "in worlds no line says which API server logged it",
    "if end < begin - _SLACK_SECONDS:": "hardly any world sets the clock back while a call times out",
    '    return _unknown(f"{why}: a replacement may have come and gone unseen" * bool(why))': (
        "no world has a bare replacement that is gone when somebody looks again"
    ),
    "_both(loss, others) if others else _not_seen(scene, since, end))": _STAYS,
    '    if end < due:\n        return _Finding("inconclusive", f"only {max': (
        "in worlds it is judged long before the time is over, or after that: what was not watched was not seen, either"
    ),
    "if self.leaving is not None and self.leaving <= moment:": _STAYS,
    "if ready or why or (end < later": "another node is lost just before a pod is Ready in one world of 400 (7074)",
    "(pod.seen, pod.came, 1, pod)": "found by 7003 with its workload's watch resumed: a pod comes and goes in a gap",
    "first = None if lease.new else DatedEvent(begin, begin)": "in worlds each lease is listed when its watch begins",
    'and spec["renewTime"] != lease.renewed:': "in worlds nothing else of a lease changes",
    "if lacking or seen.coverage.until < limit:": "what is not recorded is not seen, either",
    "    if answers < least:": "no world has so few answers",
    "for one in chosen if one.proved is not None)": "denials after an unproved fault are not judged in worlds",
    "template_asks(template) and seen_by_all(template)": "all pods see a template within 0.4 s: less than borderline",
    "Spans.of(_harm(faults, other) for other in others) - coverage.blind": (
        "no world of 1,600 loses so much in an overlap that it decides"
    ),
    "late = self.span[0], self.span[0] + seconds": "in worlds it is judged long before the time is over, or after that",
    "return pod.ready and not pod.deleted": "in worlds no pod decides otherwise while it is not Ready and still asked",
    "since = since if asked - last <= apart else": "in worlds two short differences have answers in between",
    "any(spans.within(begin, end).longest > late": (
        "in worlds an orphan is of what was once asked for: that it may be there unseen is said of that by name, too"
    ),
    "asking.no - templates.unknown)": "what comes and goes in one gap is rare",
    "sure = self._in_force.sure(name)": "in worlds the line that a policy is in force is never missing alone",
    "soon if begin in begins else apart": "in worlds a pod that comes into service is asked at once",
    "bisect_left(earliest, write.latest - _MINUTE)": "in worlds hardly any writes are spread over several minutes",
    "objects.setdefault(write.object, [])": "in worlds one object is written again and again, and the others hardly",
    "sure - changed - unsure - _wrote(": "in worlds pods that are not seen for a while do not change then",
    "- _wrote(self.writes, seconds, sure=True)": "in worlds nobody writes because a person did",
    "if coverage.ended else inf\n        done": "what a killed file lacks is needed only for a claim that holds",
    "(absent if turn.object is None else spans[truth])": "what comes and goes in one gap is rare: policies_match 591",
}
"""By their old text, mutants that no world finds, each with the reason."""

TESTS: dict[tuple[str, str], str] = {
    ("comes_back", "own = Spans.of(faults.window(fault) for fault in group)"): (
        "outage.py::test_what_is_answered_after_the_next_fault_began_is_not_surely_lost_before"
    ),
    ("outlasts", "own = Spans.of(faults.window(fault) for fault in group)"): (
        "outage.py::test_what_the_next_fault_loses_was_outlasted"
    ),
    ("never_unmutated", "[pod for pod in workload.created if between"): (
        "unmutated.py::test_workload_pod_without_the_mutation"
    ),
    ("replaced_within", "_both(loss, others) if others else _not_seen(scene, since, end))"): (
        "replacements.py::test_another_way_of_harm"
    ),
    ("replaced_within", '    if end < due:\n        return _Finding("inconclusive", f"only {max'): (
        "replacements.py::test_what_comes_after_it_was_judged_is_not_late"
    ),
    ("replaced_within", "if self.leaving is not None and self.leaving <= moment:"): (
        "replacements.py::test_a_replacement_that_is_told_to_go"
    ),
    ("has_generator", "asking.no - templates.unknown)"): "generators.py::test_what_was_not_seen",
    ("no_request_during", "fits = fits or candidates"): "pulls.py::test_the_clock_is_set",
    ("never_unmutated", ' if call.node in ("", decision.node)]'): "admission_audit.py::test_a_call_of_another_node",
    ("never_unmutated", "if end < begin - _SLACK_SECONDS:"): (
        "admission_audit.py::test_the_clock_is_set_near_a_time_out"
    ),
    ("loses_no_longer_than", "Spans.of(_harm(faults, other) for other in others) - coverage.blind"): (
        "comparison.py::test_a_fault_that_lasts_into_the_other_one_shares_its_losses"
    ),
    ("generated_within", "late = self.span[0], self.span[0] + seconds"): ("generation.py::test_time_until_the_binding"),
    ("replicas_agree", "return pod.ready and not pod.deleted"): ("agreement.py::test_who_is_not_in_service_may_differ"),
    ("ready_means_enforcing", "sure = self._in_force.sure(name)"): (
        "readiness.py::test_a_policy_demands_while_it_is_in_force"
    ),
    ("ready_means_enforcing", "soon if begin in begins else apart"): (
        "readiness.py::test_how_long_a_pod_may_go_unasked"
    ),
    ("nobody_writes_at_rest", "bisect_left(earliest, write.latest - _MINUTE)"): (
        "quiescence.py::test_how_often_decides"
    ),
    ("nobody_writes_at_rest", "objects.setdefault(write.object, [])"): (
        "quiescence.py::test_each_object_is_counted_by_itself"
    ),
    ("nobody_writes_at_rest", "sure - changed - unsure - _wrote("): (
        "quiescence.py::test_a_pod_that_was_not_seen_may_have_changed"
    ),
    ("nobody_writes_at_rest", "- _wrote(self.writes, seconds, sure=True)"): (
        "quiescence.py::test_what_is_done_is_no_rest"
    ),
    ("nobody_writes_at_rest", "if coverage.ended else inf\n        done"): (
        "quiescence.py::test_a_recording_that_was_cut_off_may_have_more"
    ),
    ("enforcement_parity", "since = since if asked - last <= apart else"): (
        "parity.py::test_differences_that_are_far_apart_are_two"
    ),
    ("no_orphan_stays", "any(spans.within(begin, end).longest > late"): (
        "races.py::test_an_orphan_that_nobody_saw_come_and_go"
    ),
}
"""By check and old text, the unit tests that find what no world does."""
