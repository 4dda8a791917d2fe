"""Enforcement: policies are in force when each replica says so and the answers are right, and they leave nothing."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.harness.errors import PolicyRejected, PreparationFailed
from chaos_harness.harness.gatekeeper.apply import enforce_policies
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.policies import (
    CANARIES,
    Policy,
    Question,
    deny_pods,
    deny_pods_by_cel,
    mutate_pods,
    mutate_templates,
)
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from tests.fakes.policy_server import PolicyServer

ALL = (mutate_pods(), mutate_templates(), deny_pods(), deny_pods_by_cel())


@pytest.fixture
def world(policy_server: PolicyServer) -> PolicyServer:
    return policy_server


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chaos_harness.harness.gatekeeper.in_force._ERROR_SECONDS", 0.5)
    monkeypatch.setattr("chaos_harness.harness.undo.put_object._REFUSED_SECONDS", 0.5)


@pytest.fixture
def apply(cluster: Cluster, undo: Journal, history: HistoryWriter) -> Callable[..., str]:
    def apply(*policies: Policy) -> str:
        with enforce_policies(cluster, undo, history, policies) as enforced:
            return enforced.proof

    return apply


def test_other_objects_are_only_applied(cluster: Cluster, undo: Journal, history: HistoryWriter) -> None:
    """What is none of Gatekeeper's objects comes and goes with the policies, and nobody waits for its status."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chaos-other"}}
    with enforce_policies(cluster, undo, history, [Policy("workload", (namespace,))]) as enforced:
        assert enforced == ("", [])
        assert "chaos-other" in undo.path.read_text(encoding="utf-8")
    assert journal.pending(undo.path) == []


@pytest.fixture
def given_up(apply: Callable[..., str], monkeypatch: pytest.MonkeyPatch) -> Callable[[Policy, str], None]:
    """Return what waits for a policy in vain, until the shortest deadline at which it has seen why."""

    def given_up(policy: Policy, why: str) -> None:
        for seconds in (1.0, 6.0, 30.0):
            monkeypatch.setattr("chaos_harness.harness.gatekeeper.apply._SECONDS", seconds)
            with pytest.raises(DeadlineExceeded, match=f"{policy.name} to be in force") as caught:
                apply(policy)
            if f"last seen: {why}" in str(caught.value):
                return
        pytest.fail(str(caught.value))

    return given_up


def test_all_policies_come_into_force_and_go(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, history: HistoryWriter
) -> None:
    """Each object is enforced by each replica, the proof says so, and nothing is left afterwards."""
    with enforce_policies(cluster, undo, history, ALL) as (proof, _):
        assert "Assign chaos-pods is enforced by 2 replicas" in proof
        assert "binding gatekeeper-chaos-cel-vap was generated" in proof
        names = [path.rpartition("/")[2] for path in policy_server.objects]
        assert len(journal.pending(undo.path)) == len(names)
    assert policy_server.objects == {}
    assert journal.pending(undo.path) == []
    assert [line.split()[2] for line in policy_server.ran] == names[::-1]
    assert policy_server.ran[-1].startswith("delete Namespace chaos-canary --ignore-not-found")
    assert any(line.startswith("delete Assign.v1.mutations.gatekeeper.sh chaos-pods") for line in policy_server.ran)
    events = [(entry.kind, entry.f) for entry in read(history.path).entries]
    assert events == [("invoke", "apply"), ("ok", "in force"), ("invoke", "remove"), ("ok", "removed")]
    parts = {"deny by cel (webhook)": "deny by cel", "deny by cel (vap)": "deny by cel"}
    assert [entry.value["parts"] for entry in read(history.path).entries] == [parts] * 4


def test_what_policies_stand_on_comes_first(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, history: HistoryWriter
) -> None:
    """A namespace that one policy needs is there before another policy could deny it, and goes after that is gone."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chaos-other"}}
    second = replace(deny_pods(), objects=(namespace, *deny_pods().objects))
    with enforce_policies(cluster, undo, history, [mutate_pods(), second]):
        names = [path.rpartition("/")[2] for path in policy_server.objects]
    assert [name for name in names if name in ("chaos-other", "chaos-pods", "chaos-rego")] == [
        "chaos-other",
        "chaos-pods",
        "chaos-rego",
    ]


@pytest.mark.usefixtures("quick")
def test_policy_that_is_not_taken(apply: Callable[..., str], policy_server: PolicyServer, undo: Journal) -> None:
    """If Gatekeeper refuses a policy, the error quotes it, and objects applied before are removed."""
    policy_server.refused["chaos-pods"] = "invalid location format"
    with pytest.raises(PolicyRejected, match=r"Assign chaos-pods: expected.*accepted.*invalid location format"):
        apply(mutate_pods())
    assert policy_server.objects == {}
    assert journal.pending(undo.path) == []


@pytest.mark.usefixtures("quick")
def test_policy_that_is_stored_broken(apply: Callable[..., str], policy_server: PolicyServer) -> None:
    """If Gatekeeper accepts a policy but cannot enforce it, the error quotes its status."""
    policy_server.broken["chaos-pods"] = "ErrConflictingSchema"
    with pytest.raises(PolicyRejected, match=r"Assign chaos-pods: expected it to be enforced.*ErrConflictingSchema"):
        apply(mutate_pods())


@pytest.mark.usefixtures("quick")
def test_refused_ground_is_no_policys_fault(apply: Callable[..., str], policy_server: PolicyServer) -> None:
    """The namespace in which a policy is asked about is made first, and is no policy."""
    policy_server.refused["chaos-canary"] = "quota exceeded"
    with pytest.raises(PreparationFailed, match=r"Namespace chaos-canary: expected it.*quota exceeded"):
        apply(mutate_pods())


def test_replica_that_is_behind_is_waited_for(
    given_up: Callable[[Policy, str], None], policy_server: PolicyServer
) -> None:
    """A status of an older generation is none: the wait ends with its deadline."""
    policy_server.behind.add("chaos-rego")
    given_up(deny_pods(), "ChaosDeniedByRego chaos-rego")


def test_wrong_answers_are_not_enforcement(
    given_up: Callable[[Policy, str], None], policy_server: PolicyServer
) -> None:
    """Statuses may say what they like: a pod that is admitted as it was is told."""
    policy_server.answers = lambda _, item: (201, item)
    given_up(mutate_pods(), "mutate pods: create mutable pod: unmutated")


@pytest.mark.parametrize(
    ("status", "said", "cure"),
    [
        (
            403,
            'admission webhook "validation.gatekeeper.sh" denied the request: [all-pods] none',
            "leave it out of the",
        ),
        (
            500,
            'admission webhook "mutation.gatekeeper.sh" denied the request: mutation not converging',
            "mutators that",
        ),
        (422, 'Pod "a" is invalid: spec.priority: Invalid value: 7', "what mutators make of it is not valid"),
    ],
)
def test_what_must_be_admitted_and_is_not(
    cluster: Cluster,
    policy_server: PolicyServer,
    undo: Journal,
    history: HistoryWriter,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    said: str,
    cure: str,
) -> None:
    """What denies, cannot decide, or spoils what must be admitted is told in its words, and all is taken away again."""
    for name in ("_DENIED_SECONDS", "_UNCONFIGURED_SECONDS"):
        monkeypatch.setattr(f"chaos_harness.harness.gatekeeper.trials.{name}", 0.5)
    policy_server.answers = lambda path, _: (status, {"message": said}) if path.endswith("/pods") else None
    with (
        pytest.raises(PolicyRejected, match="create mutable pod in chaos-canary must be admitted, and is not") as error,
        enforce_policies(cluster, undo, history, [mutate_pods()]),
    ):
        pytest.fail("they came into force")
    assert f"{status} {said}; {cure}" in str(error.value)
    assert policy_server.objects == {}


_MAP = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "asked"}}


def test_what_a_delete_is_asked_of(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, history: HistoryWriter
) -> None:
    """Its object is there before the first of Gatekeeper's objects, in the namespace that discovery says, and goes."""
    question = Question("delete ServiceAccount", "kept", "denied", "", _MAP, verb="delete")
    policy = Policy("own", ({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}, *ALL[0].objects))
    with enforce_policies(cluster, undo, history, [replace(policy, questions=(question,))]) as enforced:
        order = [path.rpartition("/")[2] for path in policy_server.objects]
        assert order.index("team") < order.index("asked") < order.index("chaos-pods")
        assert [one.path for one in enforced.questions] == [f"/api/v1/namespaces/{CANARIES}/serviceaccounts"]
    assert policy_server.objects == {}


def test_a_patch_need_not_say_what_it_is(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, history: HistoryWriter
) -> None:
    """An update in a suite has no metadata: where its object is, the object from before it says."""
    patch = {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": True}
    question = Question("update ServiceAccount", "kept", "admitted", "", patch, verb="update", before=_MAP)
    with enforce_policies(cluster, undo, history, [Policy("own", ALL[0].objects, (question,))]) as enforced:
        assert [one.path for one in enforced.questions] == [f"/api/v1/namespaces/{CANARIES}/serviceaccounts"]
    assert policy_server.objects == {}


def test_a_kind_that_there_is_not(cluster: Cluster, undo: Journal, history: HistoryWriter) -> None:
    """What is asked about must be a kind of the cluster."""
    question = Question("create Widget", "widgets", "denied", "", {**_MAP, "kind": "Widget"})
    with (
        pytest.raises(PolicyRejected, match="widgets: the cluster has no kind Widget of v1; see"),
        enforce_policies(cluster, undo, history, [Policy("own", (), (question,))]),
    ):
        pytest.fail("it was asked")
