"""Objects: what is put into a cluster is promised to be taken away before, and what is gone already is gone."""

from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.process import Completed
from chaos_harness.harness.errors import BadScenario, CommandFailed, PreparationFailed
from chaos_harness.harness.policies import GROUND, mutate_pods
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import delete, put
from tests.fakes.policy_server import PolicyServer

ASSIGN = mutate_pods().objects[0]


@pytest.fixture
def world(policy_server: PolicyServer) -> PolicyServer:
    return policy_server


def soon() -> Deadline:
    return Deadline.after(5, "the object")


def test_a_crash_leaves_nothing(cluster: Cluster, policy_server: PolicyServer, undo: Journal) -> None:
    """The journal alone takes away what was put, newest first."""
    for item in (*GROUND, ASSIGN):
        put(cluster, Undos(cluster.engine, undo), item, soon())
    assert len(policy_server.objects) == 3
    journal.replay(undo.path, cluster.engine)
    assert policy_server.objects == {}
    assert [line.split()[1:3] for line in policy_server.ran] == [
        ["Assign.v1.mutations.gatekeeper.sh", "chaos-pods"],
        ["ServiceAccount", "canary"],
        ["Namespace", "chaos-canary"],
    ]
    assert "--namespace chaos-canary" in policy_server.ran[1]


def test_promise_before_the_deed(cluster: Cluster, policy_server: PolicyServer, undo: Journal) -> None:
    """When an object reaches the cluster, its undo is on the disk."""
    seen = []

    def taking(path: str, item: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        seen.append(len(journal.pending(undo.path)))
        return 200, item

    policy_server.apply = taking  # type: ignore[method-assign]  # looks at the disk in the moment of the deed
    put(cluster, Undos(cluster.engine, undo), ASSIGN, soon())
    assert seen == [1]


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ({"metadata": {"name": "--all"}}, "metadata.name"),
        ({"metadata": {"name": "../nodes/n"}}, "metadata.name"),
        ({"metadata": {"name": "x", "namespace": "--all-namespaces"}}, "metadata.namespace"),
        ({"kind": "all,secrets"}, "kind"),
        ({"apiVersion": "v1/../../x"}, "apiVersion"),
    ],
)
def test_names_that_are_options_or_paths(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, place: dict[str, Any], name: str
) -> None:
    """They are refused before anything is promised or put."""
    item = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}} | place
    with pytest.raises(BadScenario, match=rf"{name}: expected .*, found "):
        put(cluster, Undos(cluster.engine, undo), item, soon())
    assert journal.pending(undo.path) == []
    assert policy_server.objects == {}


def test_unknown_kind(
    cluster: Cluster, policy_server: PolicyServer, undo: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kind that the server does not know by the end of the patience is told as it is."""
    monkeypatch.setattr("chaos_harness.harness.undo.put_object._REFUSED_SECONDS", 2.0)
    unheard = {"apiVersion": "v1", "kind": "Unheard", "metadata": {"name": "x"}}
    with pytest.raises(PreparationFailed, match=r"Unheard x: expected.*no kind Unheard in v1"):
        put(cluster, Undos(cluster.engine, undo), unheard, soon())


@pytest.mark.parametrize(
    ("said", "fails"),
    [
        ('error: the server doesn\'t have a resource type "ChaosDenied"', False),
        ("Error: No such container: w-control-plane", False),
        ("The connection to the server was refused", True),
    ],
)
def test_delete_of_what_is_gone(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, said: str, fails: bool) -> None:
    """No kind, or no cluster, means no object; an API server that is away leaves that open."""
    monkeypatch.setattr(type(cluster.engine), "run", lambda *_, **__: Completed("", said, 1))
    engine = cluster.engine
    if fails:
        with pytest.raises(CommandFailed, match="refused"):
            delete(engine, control_plane="w-control-plane", resource="Namespace", name="x")
    else:
        delete(engine, control_plane="w-control-plane", resource="Namespace", name="x")
