"""Running: puts tests of suites in force on a cluster, group after group, and asks their cases."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

from chaos_harness.clusters.api.objects import Object, metadata
from chaos_harness.clusters.api.rest import list_path, request
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused, ApiUnreachable, DeadlineExceeded, PolicyRejected, PreparationFailed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.gatekeeper.apply import put_in_force, wait_for_bindings
from chaos_harness.harness.policies import CANARIES, GROUND, Question
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.probes.answers import send
from chaos_harness.harness.suites.answered import ADMITTED, CaseResult, Told, judged, sorted_refusal, validations_of
from chaos_harness.harness.suites.groups import grouped
from chaos_harness.harness.suites.model import Case, Suite, SuiteTest
from chaos_harness.harness.suites.questions import namespaces_of, policy_of, question_of, rights_of, why_not
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put

__all__ = ["Results", "ask_suites", "namespaces_made"]

_WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations"
_VALIDATION = "validation.gatekeeper.sh"
_OPERATIONS = ("CREATE", "UPDATE", "DELETE")
_FORCE_SECONDS, _EACH_SECONDS, _READY_SECONDS = 120.0, 15.0, 60.0
_SETTLE_SECONDS, _SYNC_SECONDS = 5.0, 30.0
"""How long an answer may be another than the suite expects: policies are in force, but data is synced meanwhile."""


class Results:
    """The results of the cases of suites, as far as they are known."""

    def __init__(self, suites: Sequence[Suite]) -> None:
        self.tests = [test for suite in suites for test in suite.tests]
        skipped = ((test, case) for test in self.tests for case in test.cases if test.skip or case.skip)
        self._known = {_key(test, case): CaseResult.of(test, case, "skipped") for test, case in skipped}

    def add(self, result: CaseResult) -> None:
        """Add what a case came to."""
        self._known[result.suite, result.test, result.case] = result

    @property
    def ordered(self) -> list[CaseResult]:
        """Those that are known, in the order of the suites."""
        order = [_key(test, case) for test in self.tests for case in (*test.cases, *_invalid(test))]
        return [self._known[key] for key in order if key in self._known]

    @property
    def missing(self) -> int:
        """How many cases have no result yet."""
        return sum(_key(test, case) not in self._known for test in self.tests for case in test.cases)


def _key(test: SuiteTest, case: Case) -> tuple[str, str, str]:
    return str(test.suite), test.name, case.name


def ask_suites(experiment: Experiment, results: Results) -> list[CaseResult]:
    """Ask every case, add what it comes to, and return all results; the cluster is as before afterwards.

    Raises PreparationFailed, DeadlineExceeded if not even the namespaces can be made.
    """
    tests = [test for test in results.tests if not test.skip]
    groups = grouped(tests)
    cases = [case for test in tests for case in test.cases]
    with experiment.prepare_for_block(Preparation("make the namespaces of the cases", partial(namespaces_made, cases))):
        for number, group in enumerate(groups, 1):
            asked = _Group(experiment.cluster, group)
            what = f"group {number} of {len(groups)}: {', '.join(test.name for test in group)}"
            with experiment.prepare_for_block(Preparation(what, asked.in_force)):
                for result in asked.results():
                    results.add(result)
    return results.ordered


@contextmanager
def namespaces_made(cases: Sequence[Case], cluster: Cluster, journal: Journal) -> Iterator[str]:
    """Make the namespaces of cases for a block, with the service account that pods in them have."""
    undos = Undos(cluster.engine, journal)
    try:
        deadline = Deadline.after(_READY_SECONDS, "the namespaces of the cases")
        for namespace in (*GROUND, *(wanted := namespaces_of(cases))):
            put(cluster, undos, namespace, deadline)
        names = [CANARIES, *(metadata(namespace)["name"] for namespace in wanted)]
        _wait_for_accounts(cluster, names, deadline)
        yield ", ".join(names)
    finally:
        undos.run()


def _wait_for_accounts(cluster: Cluster, namespaces: Sequence[str], deadline: Deadline) -> None:
    with cluster.client() as api:
        for name in namespaces:
            for _ in deadline.attempts():
                with suppress(ApiRefused):
                    request(api, "GET", f"/api/v1/namespaces/{name}/serviceaccounts/default")
                    break


def _invalid(test: SuiteTest) -> list[Case]:
    """Return the case that stands for a constraint that must be refused."""
    return [Case("the constraint is invalid", test.place)] if test.invalid else []


class _Group:
    """Tests that are in force at the same time."""

    def __init__(self, cluster: Cluster, tests: Sequence[SuiteTest]) -> None:
        self._cluster = cluster
        self._tests = tests
        self._operations: tuple[str, ...] = _OPERATIONS
        self._refused: dict[str, str] = {}
        self._late: dict[str, str] = {}
        self._lacking: dict[str, str] = {}

    @contextmanager
    def in_force(self, cluster: Cluster, journal: Journal) -> Iterator[str]:
        """Put what the cases need and the policies in force for a block.

        What is refused is noted: its cases cannot be asked.
        """
        undos = Undos(cluster.engine, journal)
        try:
            with cluster.client() as api:
                self._operations = _operations(api)
                self._put_inventory(undos)
                self._put_old_objects(api, undos)
                yield self._put_policies(api, undos)
        finally:
            undos.run()

    def _put_inventory(self, undos: Undos) -> None:
        """Create what is to be in data.inventory, and have it synced: all cases of the group have the same."""
        cases = [case for test in self._tests for case in test.cases]
        inventory = cases[0].inventory if cases else ()
        deadline = Deadline.after(_READY_SECONDS, "the inventory to be there")
        namespaces = [thing for thing in inventory if thing["kind"] == "Namespace"]
        try:
            for thing in (*namespaces, *namespaces_of(cases)):
                put(self._cluster, undos, thing, deadline)
            _wait_for_accounts(self._cluster, [metadata(thing)["name"] for thing in namespaces], deadline)
            for thing in inventory:
                if thing not in namespaces:
                    put(self._cluster, undos, thing, deadline)
            if inventory:
                put(self._cluster, undos, _sync_set(inventory), deadline)
        except (PreparationFailed, DeadlineExceeded) as error:
            why = f"its inventory cannot be created: {error}"
            self._lacking |= {case.place: why for case in cases if case.inventory}

    def _put_old_objects(self, api: Any, undos: Undos) -> None:
        """Create what is to be updated or deleted, and the rights of those in whose names it is asked."""
        deadline = Deadline.after(_READY_SECONDS, "what cases are about to be there")
        asked = [(case, question_of(test, case)) for test in self._tests for case in test.cases]
        for binding in rights_of(question for _, question in asked if question):
            put(self._cluster, undos, binding, deadline)
        for case, question in asked:
            if question and question.base:
                try:
                    located = question.at(list_path(api, question.base, deadline, namespace=CANARIES))
                    put(self._cluster, undos, located.placed(question.base), deadline)
                except (PreparationFailed, ApiRefused) as error:
                    self._lacking[case.place] = f"its old object cannot be created: {error}"

    def _put_policies(self, api: Any, undos: Undos) -> str:
        seconds = _FORCE_SECONDS + _EACH_SECONDS * len(self._tests)
        deadline = Deadline.after(seconds, "the policies to be in force")
        proofs = []
        for part in (_templates, _expansions, _constraints):
            for test in self._tests:
                proofs += self._enforced(test, partial(put_in_force, self._cluster, undos, api, part(test), deadline))
        for test in self._tests:
            proofs += self._enforced(test, partial(wait_for_bindings, api, self._generated(test), deadline))
        return "; ".join(proofs) or "nothing could be put in force"

    def _enforced(self, test: SuiteTest, enforce: Callable[[], list[str]]) -> list[str]:
        """Return the proofs that a part of a test is in force, or note why it is not."""
        if test.place in self._refused or test.place in self._late:
            return []
        try:
            return enforce()
        except PolicyRejected as error:
            self._refused[test.place] = str(error)
        except DeadlineExceeded as error:
            self._late[test.place] = str(error)
        return []

    def _generated(self, test: SuiteTest) -> tuple[str, ...]:
        return () if test.invalid else policy_of(test, self._cluster.shape.gatekeeper).generated

    def results(self) -> Iterator[CaseResult]:
        """Ask all cases, and yield their results."""
        with self._cluster.client() as api:
            for test in self._tests:
                for case in _invalid(test):
                    yield self._result_of_invalid(api, test, case)
                for case in test.cases:
                    if not case.skip:
                        yield self._result(api, test, case)

    def _result(self, api: Any, test: SuiteTest, case: Case) -> CaseResult:
        if test.place in self._refused:
            return CaseResult.of(test, case, "otherwise", "Gatekeeper refuses the policy", self._refused[test.place])
        if test.place in self._late:
            return CaseResult.of(test, case, "undecided", "the policy is not in force", self._late[test.place])
        question = question_of(test, case)
        why = why_not(test, case, self._operations) or self._lacking.get(case.place, "")
        if why or question is None:
            return CaseResult.of(test, case, "cannot be asked", "", why)
        seconds = _SYNC_SECONDS if case.inventory or _is_referential(test) else _SETTLE_SECONDS
        deadline = Deadline.after(seconds, f"the answer to {case.name}")
        try:
            located = question.at(list_path(api, question.base or question.body, deadline, namespace=CANARIES))
        except ApiRefused:
            kind = f"{question.kind} of {question.body['apiVersion']}"
            return CaseResult.of(test, case, "cannot be asked", "", f"the cluster has no kind {kind}")
        result = judged(test, case, _ask(api, test, located))
        for _ in deadline.attempts(0.1):
            if result.agreement in ("as expected", "cannot be asked"):
                break
            result = judged(test, case, _ask(api, test, located))
        return result

    def _result_of_invalid(self, api: Any, test: SuiteTest, case: Case) -> CaseResult:
        """Try to create a constraint that does not fit its template's schema."""
        refused = self._refused.get(test.place, "")
        if test.place in self._late:
            return CaseResult.of(test, case, "undecided", "the template is not in force", self._late[test.place])
        try:
            path = "" if refused else list_path(api, test.constraint, Deadline.after(_READY_SECONDS, "the kind"))
            if path:
                request(api, "POST", path, query={"dryRun": "All"}, body=test.constraint)
                return CaseResult.of(test, case, "otherwise", "the constraint is admitted")
        except ApiRefused as error:
            return CaseResult.of(test, case, "as expected", f"the constraint is refused: {error.brief}")
        return CaseResult.of(test, case, "otherwise", "Gatekeeper refuses the template", refused)


def _templates(test: SuiteTest) -> tuple[Object, ...]:
    return (test.template,)


def _expansions(test: SuiteTest) -> tuple[Object, ...]:
    return test.expansion


def _constraints(test: SuiteTest) -> tuple[Object, ...]:
    return () if test.invalid else (test.constraint,)


def _ask(api: Any, test: SuiteTest, question: Question) -> Told:
    try:
        send(api, question, question.object_name("chaos-harness"), dry_run=True)
    except ApiRefused as error:
        return sorted_refusal(error.status, error.message, test.constraint_name, validations_of(test.template))
    except ApiUnreachable as error:
        return Told("unknown", said=error.cause)
    return ADMITTED


def _operations(api: Any) -> tuple[str, ...]:
    """Return the operations for which the API server calls Gatekeeper's validating webhook."""
    hooks = [hook for item in request(api, "GET", _WEBHOOKS)["items"] for hook in item.get("webhooks") or ()]
    rules = [rule for hook in hooks if hook["name"] == _VALIDATION for rule in hook.get("rules") or ()]
    called = {operation for rule in rules for operation in rule.get("operations") or ()}
    return tuple(operation for operation in _OPERATIONS if called & {operation, "*"})


def _is_referential(test: SuiteTest) -> bool:
    """Whether the rule of a test's template reads other objects than the one that is reviewed."""
    return "data.inventory" in str(test.template.get("spec"))


def _sync_set(inventory: Sequence[Object]) -> Object:
    kinds = {(*thing["apiVersion"].rpartition("/")[::2], thing["kind"]) for thing in inventory}
    gvks = [{"group": group, "version": version, "kind": kind} for group, version, kind in sorted(kinds)]
    return {
        "apiVersion": "syncset.gatekeeper.sh/v1alpha1",
        "kind": "SyncSet",
        "metadata": {"name": "chaos-harness-inventory"},
        "spec": {"gvks": gvks},
    }
