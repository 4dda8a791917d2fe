"""Elsewhere: mends that no world can show, for worlds have no answers in words, no trends and no names.

Each is held by a unit test, which fails with the old mistake put back; what is not mended is `OPEN`.
"""

from tests.worlds.mutated import Mutant

__all__ = ["ELSEWHERE", "OPEN"]

_TESTS = "tests/unit"

_ELSEWHERE = [
    (
        "1.5",
        "harness/history/excuses.py",
        ' if admission in alone else "counted"',
        "",
        "test_checks_outage.py::test_an_outage_is_not_excused",
    ),
    (
        "1.5",
        "harness/history/excuses.py",
        "excusing = [name for name in causes if name != _TIMED_OUT or lasted]",
        "excusing = list(causes)",
        "test_checks_admission_audit.py::test_a_quick_failure_is_no_time_out",
    ),
    (
        "1.5",
        "harness/history/webhook_failures.py",
        "        return bool(self._audit.streams)",
        "        return False",
        "test_checks_admission_audit.py::test_a_time_out_of_another_request_excuses_nothing",
    ),
    (
        "1.6",
        "harness/history/coverage.py",
        "[(max(begin, self.until), inf)] if end == inf and not self.ended else []",
        "[]",
        "test_checks_fail_open.py::test_without_an_end_nothing_holds_for_ever",
    ),
    (
        "1.6",
        "harness/history/coverage.py",
        "        if entry.index != self._index + 1:",
        "        if False:",
        "test_checks_unmutated.py::test_a_missing_line_may_say_that_it_was_no_longer_in_force",
    ),
    (
        "2.1",
        "harness/checks/unmutated.py",
        "            least = most = self._until(max(healed))",
        "            least = most = self.all",
        "test_checks_bypass.py::test_a_share_is_not_diluted_by_rest",
    ),
    (
        "2.2",
        "harness/checks/lasting.py",
        "goes_on = last is not None and (index or admission.answered - last.asked < STEADY_SECONDS)",
        "goes_on = last is not None and index",
        "test_checks_fail_open.py::test_a_good_answer_ends_no_partial_loss",
    ),
    (
        "2.6",
        "harness/checks/generation.py",
        "if span[0] >= begin - LAG or",
        "if span[0] >= begin or",
        "test_checks_generation.py",
    ),
    (
        "2.8",
        "harness/history/coverage.py",
        "        if entry.f == LATE:",
        '        if entry.f == LATE and entry.value["seconds"] > 99:',
        "test_checks_starved.py::test_no_fault_starves_this_machine",
    ),
    (
        "2.9",
        "reports/trends/regression.py",
        "min(most, exp(middle + room) - _OFFSET)",
        "exp(middle + room) - _OFFSET",
        "reports/trends/test_regression.py::test_few_quiet_runs_do_not_explain_everything",
    ),
    (
        "2.12",
        "harness/verdict.py",
        "and not set(self.because) & set(verdict.causes)",
        "and False",
        "test_checks_admission_audit.py::test_another_cause_than_the_known_one_is_a_surprise",
    ),
    (
        "3.1",
        "harness/incident/shrink.py",
        "for key in (frozenset[str](), *same)",
        "for key in (frozenset[str](),)",
        "test_incident_shrink.py",
    ),
    (
        "3.2",
        "harness/statistics.py",
        "high = ordered[highs[0]] if highs else math.inf",
        "high = ordered[highs[1]] if len(highs) > 1 else math.inf",
        "test_statistics.py::test_bounds_of_a_median_are_those_of_tables",
    ),
    (
        "3.4",
        "harness/checks/fail_open.py",
        'among = f" ({\', \'.join(policies)})" if policies else ""',
        'among = ""',
        "test_checks_bypass.py::test_names_tell_policies_apart",
    ),
    (
        "3.4",
        "harness/checks/__init__.py",
        "f\"{factory.__name__}({', '.join(words)})\"",
        "factory.__name__",
        "test_checks.py::test_an_id_is_of_the_check_and_its_parameters",
    ),
    (
        "3.5",
        "harness/faults/rollouts.py",
        "or (staying and self._how != ROLLED):",
        "or False:",
        "test_faults_rollouts.py::test_half_a_deletion_is_none",
    ),
    (
        "3.5",
        "harness/faults/throttle.py",
        "if held > 0:",
        "if periods > 0:",
        "test_faults_throttle.py::test_no_op",
    ),
    (
        "3.5",
        "harness/faults/webhook_link.py",
        "wait_answered(cluster, deadline, DENIED, NOBODY)",
        'wait_answered(cluster, deadline, "")',
        "test_faults_webhook_link.py::test_not_healed_while_nobody_can_be_called",
    ),
    (
        "3.5",
        "harness/faults/crowd.py",
        'if any(each.get("status", {}).get("byPod") for each in found):',
        "if found:",
        "test_faults_crowd.py::test_nobody_compiles",
    ),
    (
        "3.5",
        "harness/faults/certificate.py",
        "        if not self._said:",
        "        if False:",
        "test_faults_certificate.py::test_webhooks_that_are_trusted_on",
    ),
    (
        "3.3",
        "reports/truth/rows.py",
        "return self.test, self.id, self.kubernetes, self.gatekeeper, self.install,",
        'return self.test, self.id, "", self.gatekeeper, self.install,',
        "reports/truth/test_truth.py::test_a_row_is_a_claim_on_a_version",
    ),
    (
        "3.8",
        "harness/checks/__init__.py",
        "ended=True, until=moment))",
        "ended=True))",
        "test_checks_policies.py::test_a_difference_that_stands_when_the_time_is_over",
    ),
    (
        "3.11",
        "harness/history/node_scene.py",
        "any(other.mutated and other.seen <= moment for other in family)",
        "all(other.mutated or other.seen > moment for other in family)",
        "test_checks_replacements.py::test_one_bare_sibling",
    ),
    (
        "3.12",
        "harness/probes/answers.py",
        "message(error, whole=True)",
        "message(error, whole=True)[:_TOLD]",
        "test_probes_answers.py::test_refusals",
    ),
    (
        "3.13",
        "harness/generation_rules.py",
        '    return tuple(each.get("expression", "") for each in found.get("validations") or ())',
        "    return ()",
        "test_checks_policies.py::test_content",
    ),
]

ELSEWHERE = [Mutant(file, (), old, new, row=row, test=f"{_TESTS}/{test}") for row, file, old, new, test in _ELSEWHERE]

OPEN: dict[str, str] = {
    "2.8": "not mended: what goes wrong while this machine is starved still counts where a replacement is unmutated, a "
    "Lease is refused, two validations differ, a pod is not Ready for a moment, or a container restarts",
}
"""Rows of which something is not mended, so that nothing can hold it."""
