"""Tests of clusters.pool.freeze: who is stopped when, and what must be seen before anybody goes on."""

import importlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ClusterUnavailable, DeadlineExceeded
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.pool.freeze import freeze, thaw
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server

_FREEZE = importlib.import_module("chaos_harness.clusters.pool.freeze")
"""The module, whose function has the same name in its package."""

_SYSTEM = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
_NODES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_JUDGES = ("kube-controller-manager", "kube-scheduler")
_VERSION = {"resourceVersion": "1"}
_UNREACHABLE = "node.kubernetes.io/unreachable"
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Nodes(FakeEngine):
    """Every command succeeds."""

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **_: Any) -> CommandResult:
        """Leave out what is the same for all."""
        words = [str(word) for word in argv]
        self.asked.append(" ".join(words[words.index("pkill") :] if "pkill" in words else words))
        return CommandResult("", "", 0)


@dataclass(frozen=True)
class Slow(Nodes):
    """The first stop of each judge takes nearly until the next renewal, which comes after two seconds."""

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **more: Any) -> CommandResult:
        before = len(self.asked)
        result = super().run(argv, deadline, check=check, **more)
        if "-STOP" in self.asked[-1] and self.asked[-1] not in self.asked[:before]:
            deadline.pause(1.6)
        return result


@dataclass(frozen=True)
class Whose(FakeEngine):
    """Every command succeeds; signals are noted with the node, the signal and the judge."""

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **_: Any) -> CommandResult:
        words = [str(word) for word in argv]
        if "pkill" in words:
            signal, _full, judge = words[words.index("pkill") + 1 :]
            node = next(word for word in words if word.startswith("c-control-plane"))
            words = [f"{node}:", signal.lstrip("-"), judge.strip("^ ")]
        self.asked.append(" ".join(words))
        return CommandResult("", "", 0)


def listed(items: Any) -> Any:
    return {"apiVersion": "v1", "kind": "List", "metadata": _VERSION, "items": list(items)}


def lease(name: str, renewed: datetime, holder: str = "") -> dict[str, Any]:
    spec = {"renewTime": renewed.isoformat(), "holderIdentity": holder or f"{name}_1"}
    return {"metadata": {"name": name, **_VERSION}, "spec": spec}


def node(name: str, heartbeat: datetime, status: str = "True", effect: str = "") -> dict[str, Any]:
    condition = {"type": "Ready", "status": status, "lastHeartbeatTime": heartbeat.isoformat()}
    spec = {"taints": [{"key": _UNREACHABLE, "effect": effect}]} if effect else {}
    return {"metadata": {"name": name, **_VERSION}, "spec": spec, "status": {"conditions": [condition]}}


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server() as server:
        ticks = itertools.count()

        def renewing() -> Any:
            now = _EPOCH + timedelta(seconds=next(ticks))
            return listed(lease(name, now) for name in _JUDGES)

        server.answers[_SYSTEM] = renewing
        for name in _JUDGES:
            server.answers[f"{_SYSTEM}/{name}"] = lease(name, _EPOCH - timedelta(days=1))
        yield server


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """No judge is stopped too late, however slow the machine is."""
    monkeypatch.setattr(_FREEZE, "_MOST_BETWEEN_SECONDS", inf)


@pytest.fixture
def cluster(server: RestServer, tmp_path: Path) -> Cluster:
    return cluster_on(server, Nodes(), tmp_path, Shape(workers=1, gatekeeper=None))


def awake(server: RestServer, cluster: Cluster, *, late: str = "", **changes: Any) -> None:
    """Let everybody say that it is awake, but `late`."""
    soon, before = datetime.now(UTC) + timedelta(seconds=30), _EPOCH
    names = cluster.nodes()
    server.answers[_NODES] = listed(lease(name, before if late == "lease" else soon) for name in names)
    server.answers["/api/v1/nodes"] = listed(
        node(name, before if late == "status" else soon, **changes) for name in names
    )
    server.answers[_SYSTEM] = listed(lease(name, before if late == "judges" else soon) for name in _JUDGES)


def asked(cluster: Cluster) -> list[str]:
    assert isinstance(cluster.engine, FakeEngine)
    return cluster.engine.asked


def test_judges_stop_before_anything_they_judge(cluster: Cluster) -> None:
    """Each just after it has renewed its lease; then workers, then the control plane."""
    freeze(cluster, Deadline.after(10, "frost"))
    assert sorted(asked(cluster)[:2]) == [f"pkill -STOP --full ^{judge} " for judge in _JUDGES]
    assert asked(cluster)[2:] == ["pause c-worker c-control-plane"]


def test_a_judge_that_does_not_renew_its_lease_is_not_stopped(server: RestServer, cluster: Cluster) -> None:
    """It may be in the middle of it, and would give up its lease when it wakes."""
    old = _EPOCH - timedelta(days=1)
    server.answers[_SYSTEM] = listed(lease(name, old) for name in _JUDGES)
    with pytest.raises(DeadlineExceeded):
        freeze(cluster, Deadline.after(0.5, "frost"))
    assert asked(cluster) == []


def test_a_judge_that_was_stopped_too_late_is_stopped_again(
    server: RestServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have begun to renew its lease again: it goes on, and is stopped after the next renewal."""
    monkeypatch.setattr(_FREEZE, "_MOST_BETWEEN_SECONDS", 1.5)
    cluster = cluster_on(server, Slow(), tmp_path, Shape(workers=1, gatekeeper=None))
    freeze(cluster, Deadline.after(20, "frost"))
    for judge in _JUDGES:
        signals = "".join(words.split()[1] for words in asked(cluster) if f"^{judge} " in words)
        assert re.fullmatch(r"(-STOP-CONT){1,3}-STOP", signals)


def test_of_several_control_planes_the_leading_one_goes_on_first(server: RestServer, tmp_path: Path) -> None:
    """Those who wait for the lease stop after it, and go on when it has renewed the lease again."""
    cluster = cluster_on(server, Whose(), tmp_path, Shape(control_planes=3, workers=0, gatekeeper=None))
    renewals = itertools.count()
    holders = dict(zip(_JUDGES, ("c-control-plane2_1", "c-control-plane3_1"), strict=True))

    def led() -> Any:
        now = datetime.now(UTC) + timedelta(seconds=next(renewals))
        return listed(lease(name, now, holder) for name, holder in holders.items())

    server.answers[_SYSTEM] = led
    for name, holder in holders.items():
        server.answers[f"{_SYSTEM}/{name}"] = lease(name, _EPOCH, holder)
    freeze(cluster, Deadline.after(10, "frost"))
    stopped = asked(cluster)[:6]
    del asked(cluster)[:]
    awake(server, cluster)
    server.answers[_SYSTEM] = led
    thaw(cluster, Deadline.after(5, "dawn"))
    goes_on = asked(cluster)[1:]
    assert next(words for words in stopped if "scheduler" in words).startswith("c-control-plane3: ")
    assert goes_on[:2] == ["c-control-plane2: CONT kube-controller-manager", "c-control-plane3: CONT kube-scheduler"]
    assert sorted(goes_on[2:]) == [
        "c-control-plane2: CONT kube-scheduler",
        "c-control-plane3: CONT kube-controller-manager",
        "c-control-plane: CONT kube-controller-manager",
        "c-control-plane: CONT kube-scheduler",
    ]
    assert asked(cluster)[0].split()[:2] == ["unpause", "c-external-load-balancer"]


def test_judges_go_on_last(server: RestServer, cluster: Cluster) -> None:
    """The control plane wakes first, and when every kubelet has spoken, those who judge them."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster)
    thaw(cluster, Deadline.after(5, "dawn"))
    assert asked(cluster)[3:] == [
        "unpause c-control-plane c-worker",
        "pkill -CONT --full ^kube-controller-manager ",
        "pkill -CONT --full ^kube-scheduler ",
    ]


@pytest.mark.parametrize(("late", "changes"), [("lease", {}), ("status", {}), ("", {"status": "False"})])
def test_judges_wait_for_every_kubelet(
    server: RestServer, cluster: Cluster, late: str, changes: dict[str, str]
) -> None:
    """A lease from before the thaw, a status from before it, or one that is not Ready: nobody goes on."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster, late=late, **changes)
    with pytest.raises(DeadlineExceeded):
        thaw(cluster, Deadline.after(3, "dawn"))
    assert not [words for words in asked(cluster) if "CONT" in words]


def test_judges_must_have_kept_their_leases(server: RestServer, cluster: Cluster) -> None:
    """One that does not renew after the thaw is waited for."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster, late="judges")
    with pytest.raises(DeadlineExceeded):
        thaw(cluster, Deadline.after(3, "dawn"))


def test_a_judge_that_is_another_process_is_told(server: RestServer, cluster: Cluster) -> None:
    """It restarted: the freeze was noticed."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster)
    server.answers[f"{_SYSTEM}/kube-scheduler"] = lease("kube-scheduler", _EPOCH, "kube-scheduler_2")
    with pytest.raises(ClusterUnavailable, match="kube-scheduler is another process"):
        thaw(cluster, Deadline.after(5, "dawn"))


def test_a_node_that_was_taken_for_lost_is_told(server: RestServer, cluster: Cluster) -> None:
    """It is Ready and still carries the taint by which pods are evicted."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster, effect="NoExecute")
    with pytest.raises(ClusterUnavailable, match=r"c-worker carries node\.kubernetes\.io/unreachable"):
        thaw(cluster, Deadline.after(5, "dawn"))


def test_a_node_that_takes_no_new_pods_for_a_moment_is_waited_for(server: RestServer, cluster: Cluster) -> None:
    """Its kubelet said once that it is not Ready; if it stays so, the cluster is not handed out."""
    freeze(cluster, Deadline.after(10, "frost"))
    awake(server, cluster, effect="NoSchedule")
    with pytest.raises(DeadlineExceeded, match="every node to be schedulable"):
        thaw(cluster, Deadline.after(3, "dawn"))
    freeze(cluster, Deadline.after(10, "frost"))
    barred = server.answers["/api/v1/nodes"]
    awake(server, cluster)
    free, requests = server.answers["/api/v1/nodes"], itertools.count()
    for listed_node in free["items"]:
        listed_node["metadata"]["resourceVersion"] = "2"
    server.answers["/api/v1/nodes"] = lambda: barred if next(requests) < 3 else free
    thaw(cluster, Deadline.after(5, "dawn"))
    assert next(requests) > 3


@pytest.mark.parametrize("text", [None, "", "[]", json.dumps({"at": 1.0})])
def test_a_cluster_that_nobody_knows_to_be_frozen_is_refused(cluster: Cluster, text: str | None) -> None:
    """Without its file, or with half of it, nothing is woken."""
    if text is not None:
        (cluster.directory / "frozen.json").write_text(text)
    with pytest.raises(ClusterUnavailable, match="its state before the pause is unknown"):
        thaw(cluster, Deadline.after(1, "dawn"))
    assert asked(cluster) == []
