"""Pod mutations: pods are held to what a history says that policies write; an old one means the sample policies."""

from typing import Any

from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.in_force import CreatedPods
from chaos_harness.harness.history.pod_mutations import PodMutations, is_among
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import APPLY, POLICIES, WATCH_WORKLOAD
from chaos_harness.harness.history.workload import Workload
from chaos_harness.harness.policies import LEVEL
from tests.fakes.histories import HistoryBuilder

LEVELLED = {"spec": {"securityContext": {"seLinuxOptions": {"level": LEVEL}}}}
OWNED = {"metadata": {"labels": {"owner": "me"}}}


def told(mutates: dict[str, Any] | None) -> PodMutations:
    value = {"policies": ["p"], "parts": {}, **({} if mutates is None else {"mutates": mutates})}
    mutations = PodMutations()
    mutations.take(Entry(0, "invoke", POLICIES, APPLY, value, 0.0, 0.0))
    return mutations


def test_an_old_history() -> None:
    """It does not say what policies write: each of them means the level."""
    mutations = told(None)
    assert mutations.all_in(LEVELLED)
    assert not mutations.all_in(OWNED)
    assert is_among("whatever", mutations.lacking(OWNED))
    assert not is_among("whatever", mutations.lacking(LEVELLED))


def test_what_policies_write() -> None:
    """Each is judged by its own path and value, and the level means nothing."""
    mutations = told({"owned": {"metadata.labels.owner": "me"}, "hosted": {"spec.hostNetwork": True}})
    lacking = mutations.lacking(OWNED)
    assert (is_among("owned", lacking), is_among("hosted", lacking)) == (False, True)
    assert not mutations.all_in({**OWNED, **LEVELLED})
    assert mutations.all_in({**OWNED, "spec": {"hostNetwork": True}})


def test_nothing_that_mutates() -> None:
    """Without a mutator no pod is mutated, and none lacks anything."""
    mutations = told({})
    assert not mutations.all_in(LEVELLED)
    assert mutations.lacking({}) == frozenset()


def test_pods_of_the_workload() -> None:
    """What was created is held to the policy that is judged, and a pod is mutated if it has what all of them write."""
    history = HistoryBuilder()
    mutates = {"owned": {"metadata.labels.owner": "me"}, "hosted": {"spec.hostNetwork": True}}
    history.add(1, "invoke", POLICIES, APPLY, {"policies": ["p"], "mutates": mutates})
    for at, name, spec in ((2, "one", {}), (3, "two", {"hostNetwork": True})):
        metadata = {"name": name, "uid": name, "namespace": "chaos-x", "labels": {"owner": "me"}}
        history.add(at, "change", WATCH_WORKLOAD, "ADDED", {"object": {"metadata": metadata, "spec": spec}})
    created, workload = CreatedPods(), Workload()
    follow(history.recorded(), created, workload)
    assert [(pod.lacks("owned"), pod.lacks("hosted")) for pod in created.created] == [(False, True), (False, False)]
    assert [pod.mutated for pod in workload.pods.values()] == [False, True]


def test_policies_that_come_later() -> None:
    """They add to what pods must have."""
    mutations = told({"owned": {"metadata.labels.owner": "me"}})
    value = {"policies": ["q"], "mutates": {"hosted": {"spec.hostNetwork": True}}}
    mutations.take(Entry(1, "invoke", POLICIES, APPLY, value, 1.0, 1.0))
    assert not mutations.all_in(OWNED)
