"""Nodes: what of the user's engine can be adopted, and why the rest cannot."""

from dataclasses import replace

import pytest

from chaos_harness.clusters.adoption.nodes import find, require_local
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario
from tests.fakes.engine import FakeEngine
from tests.fakes.users import adopted, kind_cluster


def _soon() -> Deadline:
    return Deadline.after(5, "the engine")


def test_a_kind_cluster_is_found_by_its_label() -> None:
    """Its containers come with their ids and roles, its network, and where its API server is published."""
    engine = FakeEngine()
    kind_cluster(engine)
    found = find(engine, "dev", _soon())
    assert (found.nodes, found.network, found.problems) == (adopted().nodes, "kind", ())
    assert (found.server, found.count("worker")) == ("https://127.0.0.1:6001", 1)


def test_only_containers_of_kind_are_found() -> None:
    """What lacks kind's label does not exist here, whatever it is called; a name that is close is suggested."""
    engine = FakeEngine()
    kind_cluster(engine)
    engine.add("container", "prod", {}, State={"Status": "running"})
    for name, words in (("prod", "there is dev"), ("dve", r"did you mean dev\?")):
        with pytest.raises(BadScenario, match=rf"no kind cluster '{name}' .*{words}"):
            find(engine, name, _soon())


def test_the_harness_own_cluster_is_refused() -> None:
    """Its clusters belong to their runs, and are removed with them."""
    engine = FakeEngine()
    kind_cluster(engine, **{"chaos-harness.run": "r1"})
    with pytest.raises(BadScenario, match="is the harness's own, of run r1"):
        find(engine, "dev", _soon())


@pytest.mark.parametrize(("status", "remedy"), [("paused", "unpause"), ("exited", "start")])
def test_a_cluster_that_does_not_run_has_problems(status: str, remedy: str) -> None:
    """Each node that is paused or stopped is named, with the command that mends it."""
    engine = FakeEngine()
    kind_cluster(engine, status=status)
    first, second = find(engine, "dev", _soon()).problems
    assert f"dev-control-plane of kind cluster dev is {status}" in first
    assert f"`docker {remedy} dev-worker`" in second


def test_more_workers_than_a_shape_has_are_a_problem() -> None:
    """The limits are those of the harness's own clusters."""
    engine = FakeEngine()
    kind_cluster(engine)
    labels = {"io.x-k8s.kind.cluster": "dev", "io.x-k8s.kind.role": "worker"}
    for number in range(2, 8):
        worker = engine.things["container/id-dev-worker"]
        engine.add("container", f"dev-worker{number}", labels, **{**worker, "Name": f"dev-worker{number}"})
    assert find(engine, "dev", _soon()).problems == ("kind cluster dev has 7 workers, expected at most 6",)


def test_an_engine_elsewhere_is_refused() -> None:
    """Only a socket of this machine leads to clusters of this machine."""
    require_local(FakeEngine())
    with pytest.raises(BadScenario, match="is not a socket of this machine"):
        require_local(replace(FakeEngine(), host="tcp://127.0.0.1:2375"))
