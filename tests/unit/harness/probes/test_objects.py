"""Objects: what the watches write, what they leave out, and that a long gap is no dead probe."""

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.watching.watch import Change
from chaos_harness.harness.history import Entry, HistoryWriter, read, vocabulary
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.policies import LEVEL, deny_pods, mutate_pods
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.numbers import NUMBERED
from chaos_harness.harness.probes.objects import (
    CONTROL_PLANE,
    GENERATED,
    USUAL,
    WEBHOOKS,
    WORKLOAD,
    WORKLOAD_EVENTS,
    ListWatch,
    _value,
    canary_pods,
    constraints,
    watch_objects,
)
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.redaction import REDACTED, redact_object
from tests.fakes.api_handler import Order
from tests.fakes.api_server import PATH, FakeApiServer
from tests.fakes.world import World

LEASES, _ = CONTROL_PLANE


def seen(history: HistoryWriter, probe: Probe, f: str, often: int = 1) -> list[Entry]:
    """Wait until a watch has written an `f`, so often, and return all that it wrote."""
    entries: list[Entry] = []
    for _ in Deadline.after(60, f).attempts(0.01, 0.05):
        entries = [entry for entry in read(history.path).entries if entry.process == probe.name]
        if sum(entry.f == f for entry in entries) >= often:
            break
    return entries


def object_as_written(watched: ListWatch, **fields: Any) -> Any:
    """Return what a watch writes of an object."""
    value = _value(Change("ADDED", {"kind": "X", **fields}, "7"), watched)
    return value["object"] if value else None


def test_changes_and_gaps_are_written(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """What the watch sees stands in the history without managedFields, gaps too."""
    world.pod("a", "w-worker")["metadata"]["managedFields"] = [{}]
    (probe,) = watch_objects(cluster, history, USUAL[:1])
    probe.start()
    entries = seen(history, probe, "GAP")
    probe.stop()
    assert entries[0].f == "LISTED"
    assert entries[0].value["object"]["metadata"]["name"] == "a"
    assert "managedFields" not in entries[0].value["object"]["metadata"]
    assert next(entry.value["why"] for entry in entries if entry.f == "GAP") == "410"


def test_each_is_watched_by_its_own_probe(cluster: Cluster, history: HistoryWriter) -> None:
    """There is one probe for each list that was chosen, no two of one name, and the usual set watches no leases."""
    chosen = (*USUAL, *GENERATED, *WEBHOOKS, *CONTROL_PLANE, *WORKLOAD, *canary_pods([]), *constraints("ChaosLabels"))

    names = [probe.name for probe in watch_objects(cluster, history, chosen)]

    assert names == [f"watch {watched.name}" for watched in chosen]
    assert len(set(names)) == len(names)
    assert [probe.name for probe in watch_objects(cluster, history)] == [f"watch {watched.name}" for watched in USUAL]
    assert LEASES not in USUAL


def test_readers_know_the_names() -> None:
    """What is watched has, in the vocabulary, the name under which it is written; nothing else there has one."""
    watched = (*USUAL, *GENERATED, *CONTROL_PLANE, *WORKLOAD, *WORKLOAD_EVENTS, *canary_pods([]), NUMBERED)
    names = {vocabulary.watch(resource.name) for resource in watched}

    assert names == {value for name, value in vars(vocabulary).items() if name.startswith("WATCH_")}
    assert vocabulary.watch(constraints("ChaosLabels")[0].name) == f"{vocabulary.CONSTRAINTS}chaoslabels"


def test_kind_that_is_not_served(cluster: Cluster, history: HistoryWriter) -> None:
    """A kind that nobody serves is a gap because of 404, and its probe lives, however long that lasts."""
    (probe,) = watch_objects(cluster, history, constraints("ChaosLabels"))
    probe.start()
    probe.wait_for_beat(Deadline.after(60, "a sign of life"))
    assert [entry.value["why"] for entry in seen(history, probe, "GAP")] == ["404"]
    first = probe._beat
    for _ in Deadline.after(60, "one more beat").attempts():
        if probe._beat > first + 0.5:
            break
    assert probe._beat > first + 0.5
    probe.stop()
    assert len(seen(history, probe, "GAP")) == 1


def test_secrets_of_objects_are_never_written(cluster: Cluster, world: World, history: HistoryWriter) -> None:
    """A pod's variables, arguments and addresses lose their secrets before the history has them; what is judged stays.

    kind hands the proxy of a company to its nodes, and kubeadm writes it into the static pods of the control plane.
    """
    pod = world.pod("a", "w-worker")
    pod["metadata"]["annotations"] = {"proxy": "http://jdoe:Winter2026!@proxy.example:3128"}
    container = {
        "name": "manager",
        "image": "openpolicyagent/gatekeeper:v3.23.1",
        "imagePullPolicy": "IfNotPresent",
        "args": ["--operation=webhook", "--password", "Winter2026", "--api-key=Winter2026"],
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://jdoe:Winter2026!@proxy.example:3128"},
            {"name": "GREETING", "value": "Winter2026"},
            {"name": "GOMAXPROCS", "value": "4"},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ],
    }
    pod["spec"]["containers"] = [container]
    (probe,) = watch_objects(cluster, history, USUAL[:1])
    probe.start()
    written = seen(history, probe, "LISTED")[0].value["object"]
    probe.stop()

    assert "Winter2026" not in history.path.read_text(encoding="utf-8")
    assert written["spec"]["containers"] == [
        {
            **container,
            "args": ["--operation=webhook", "--password", REDACTED, f"--api-key={REDACTED}"],
            "env": [
                *({"name": name, "value": REDACTED} for name in ("HTTPS_PROXY", "GREETING")),
                *container["env"][2:],
            ],
        }
    ]
    assert written["metadata"]["annotations"] == {"proxy": f"http://{REDACTED}@proxy.example:3128"}
    assert written["metadata"]["resourceVersion"] == pod["metadata"]["resourceVersion"]
    assert written["status"] == pod["status"]


def test_objects_are_cleaned_about_as_fast_as_they_are_written() -> None:
    """Cleaning 1,000 pods takes no more than 25 times what it takes to make them JSON: far less than a write."""
    env = [{"name": f"N{number}", "value": "a value"} for number in range(10)]
    container = {
        "name": "a",
        "image": "b:v1",
        "env": env,
        "args": ["--a=b"] * 10,
        "resources": {"limits": {"cpu": "1"}},
    }
    pods = [
        {"kind": "Pod", "metadata": {"name": f"a-{number}"}, "spec": {"containers": [container]}}
        for number in range(1000)
    ]

    def seconds(work: Callable[[Any], Any]) -> float:
        began = time.process_time()
        for pod in pods:
            work(pod)
        return time.process_time() - began

    assert min(seconds(redact_object) for _ in range(3)) < 25 * min(seconds(json.dumps) for _ in range(3))


def test_workload_is_what_lives_in_namespaces_of_chaos() -> None:
    """Pods of other namespaces are not written."""
    mine, other = ({"namespace": name, "name": "a"} for name in ("chaos-1", "default"))

    assert object_as_written(WORKLOAD.lists[0], metadata=mine) == {"kind": "X", "metadata": mine}
    assert object_as_written(WORKLOAD.lists[0], metadata=other) is None


def test_canaries_are_short() -> None:
    """Of what the admission probe created stands its name, which has the question's number, and for whom it is mutated.

    That it is being deleted does, too; nothing else.
    """
    metadata = {"name": "canary-7", "uid": "u", "resourceVersion": "7", "deletionTimestamp": "now"}
    pod = {"metadata": {**metadata, "labels": {"long": "x"}}, "spec": {"containers": []}}
    mutated = {**pod, "spec": {"securityContext": {"seLinuxOptions": {"level": LEVEL}}}}

    watched = canary_pods([*mutate_pods().questions, *deny_pods().questions])[0]
    assert object_as_written(watched, **pod) == {"kind": "X", "metadata": metadata, "mutated_for": []}
    assert object_as_written(watched, **mutated)["mutated_for"] == ["mutate pods"]


def test_leases_are_short() -> None:
    """Of leases stands what a check reads, and only of those of the control plane and of nodes."""
    metadata = {"namespace": "kube-system", "name": "a", "uid": "u", "resourceVersion": "7"}
    spec = {"holderIdentity": "me", "renewTime": "now"}
    lease = {"metadata": {**metadata, "labels": {"long": "x"}}, "spec": spec}

    assert object_as_written(LEASES, **lease) == {"kind": "X", "metadata": metadata, "spec": spec}
    assert object_as_written(LEASES, metadata={**metadata, "namespace": "default"}, spec=spec) is None


def test_nodes_are_written_without_their_images() -> None:
    """The list of a node's images, which is long, is left out; its conditions are not."""
    node = {"metadata": {"name": "a"}, "status": {"images": [{}], "conditions": [{}]}}

    assert object_as_written(USUAL[-1], **node)["status"] == {"conditions": [{}]}


def test_templates_are_written_without_rego() -> None:
    """Rego and what kubectl remembers are left out; what generation depends on is not."""
    cel, rego = {"engine": "K8sNativeValidation", "source": {"generateVAP": True}}, {"engine": "Rego", "source": {}}
    metadata = {"name": "a", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "kept": "x"}}
    targets = [{"target": "t", "rego": "package a", "libs": ["b"], "code": [rego, cel]}]

    template = object_as_written(GENERATED.lists[0], metadata=metadata, spec={"crd": {}, "targets": targets})

    assert template["spec"] == {"crd": {}, "targets": [{"target": "t", "code": [cel]}]}
    assert template["metadata"]["annotations"] == {"kept": "x"}


@pytest.mark.parametrize("watched", [*GENERATED, *WEBHOOKS, *constraints("ChaosLabels")])
def test_gatekeepers_objects_say_who_wrote_them_last(watched: ListWatch) -> None:
    """The field managers of the newest change stand there, each with the subresource that it wrote, and no fields."""
    fields = [
        {
            "manager": "kubectl-create",
            "operation": "Update",
            "time": "2026-11-23T10:00:00Z",
            "fieldsV1": {"f:a": {}},
        },
        {"manager": "gatekeeper", "operation": "Update", "time": "2026-11-23T10:00:07Z", "subresource": "status"},
        {"manager": "argocd", "operation": "Apply", "time": "2026-11-23T10:00:07Z"},
    ]

    def written(**metadata: Any) -> Any:
        return object_as_written(watched, metadata={"name": "a", **metadata}, spec={})

    assert written(managedFields=fields)["writers"] == ["argocd", "gatekeeper (status)"]
    assert "managedFields" not in written(managedFields=fields)["metadata"]
    assert written(managedFields=fields[:1])["writers"] == ["kubectl-create"]
    assert written()["writers"] == []


@pytest.fixture
def probe(server: FakeApiServer, history: HistoryWriter) -> Iterator[Probe]:
    """Give a running probe of the pods of a server, which has seen a first list."""
    cluster: Any = SimpleNamespace(client=server.client)
    (probe,) = watch_objects(cluster, history, [ListWatch("pods", PATH)])
    probe.start()
    seen(history, probe, "LISTED")
    server.wait_for_stream()
    yield probe
    server.accept()
    probe.stop()


def last(history: HistoryWriter, probe: Probe) -> str:
    """Return the last that a probe wrote by now."""
    return [entry.f for entry in read(history.path).entries if entry.process == probe.name][-1]


def test_settles_behind_what_there_is(server: FakeApiServer, history: HistoryWriter, probe: Probe) -> None:
    """A watch that settled has told of all that there was when it was asked to, and then given a sign of life."""
    for name in "abc":
        server.put(name)
        probe.settle(Deadline.after(60, "a sign"))
        entries = [entry for entry in read(history.path).entries if entry.process == probe.name]
        assert [entry.f for entry in entries[-2:]] == ["ADDED", "BOOKMARK"]
        assert entries[-2].value["object"]["metadata"]["name"] == name


def test_settles_without_a_server(
    server: FakeApiServer, history: HistoryWriter, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A watch that sees nothing gives no sign and raises nothing: it is not waited for without end."""
    monkeypatch.setattr("chaos_harness.harness.probes.objects._PROOF_SECONDS", 0.2)
    server.refuse()
    seen(history, probe, "GAP")
    probe.settle(Deadline.after(60, "a sign"))
    assert last(history, probe) == "GAP"


@pytest.mark.parametrize(("how", "missed"), [("cut", False), ("gone", True)])
def test_what_a_gap_hides(
    server: FakeApiServer, history: HistoryWriter, probe: Probe, how: Order, *, missed: bool
) -> None:
    """Who reads it knows that nothing is missing if the watch went on from where it was, and that it may be if not."""
    server.order(how)
    for name in ("a", "b"):
        server.put(name)
        server.delete(name)
    seen(history, probe, "LISTED" if missed else "RESUMED", 2 if missed else 1)
    probe.settle(Deadline.after(60, "a sign"))
    written = read(history.path, so_far=True)
    coverage = Coverage(written)
    follow(written, coverage)
    begun = next(entry.at for entry in written.entries if entry.f == "LISTED")
    assert coverage.unseen([probe.name], begun, coverage.end)
    assert bool(coverage.unknown([probe.name], begun, coverage.end)) == missed
    created = [entry.value["object"]["metadata"]["name"] for entry in written.entries if entry.f == "ADDED"]
    assert created == ([] if missed else ["a", "b"])


def test_all_settle_at_once(server: FakeApiServer, history: HistoryWriter) -> None:
    """Ten watches settle, and each leaves its sign after the mark."""
    cluster: Any = SimpleNamespace(client=server.client)
    probes = Probes(history)
    probes.start(*watch_objects(cluster, history, [ListWatch(str(number), PATH) for number in range(10)]))
    probes.give_signs()
    entries = list(read(history.path).entries)
    judged = next(entry.index for entry in entries if entry.f == "judge")
    signs = {entry.process for entry in entries[judged:] if entry.f == "BOOKMARK"}
    assert signs == set(probes.names)
    probes.stop()


@pytest.mark.parametrize("change", [Change("LISTED", resource_version="7"), Change("GAP", why="410", detail="old")])
def test_marks_are_always_written(change: Change) -> None:
    """That a list is whole, and that nothing is seen, is written whatever objects are left out."""
    value = _value(change, WORKLOAD.lists[0])

    assert value
    assert value["resource_version"] == change.resource_version
    assert value.get("why", "") == change.why
