"""Tests of the pool's promise: in whatever order scenarios come, none of them sees what another has left."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import pool as pools
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.pool import Pool, capacity
from chaos_harness.clusters.pool.deviations import Trait
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine
from tests.thorough import sampled

_IMAGES = Images(node="node:1", gatekeeper="gatekeeper:1", gatekeeper_crds=None, registry="registry:1")
_WEBHOOK = Trait("pods", "ReplicaSet webhook", "gatekeeper-system")
_NEW = Trait("replicasets", "new", "gatekeeper-system")
_CERT = Trait("secrets", "cert", "gatekeeper-system")
_RULES = Trait("node", "c", aspect="rules")
_MADE = {_WEBHOOK: "no restarts", _CERT: "a", _RULES: "none"}

State = dict[Trait, str]


def _reads(state: State) -> None:
    """Leave everything as it is."""


def _kills(state: State) -> None:
    state[_WEBHOOK] = "restarted"


def _rolls_out(state: State) -> None:
    state[_NEW] = "there"


def _forgets_a_rule(state: State) -> None:
    state[_RULES] = "DROP"


def _rotates(state: State) -> None:
    state[_CERT] = "b"


def _leaves_objects(state: State) -> None:
    state[Trait("configmaps", "left", "default")] = "there"


def _heals(state: State) -> None:
    state[_RULES] = "DROP"
    state[_RULES] = "none"


_SCENARIOS: tuple[Callable[[State], None], ...] = (
    _reads,
    _kills,
    _rolls_out,
    _forgets_a_rule,
    _rotates,
    _leaves_objects,
    _heals,
)


class World:
    """Clusters as states, by their names, and how many were made."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.states: dict[str, State] = {}
        self.clusters: dict[str, Cluster] = {}
        patch.setattr(pools, "create", self._create)
        patch.setattr(pools, "fingerprint", lambda cluster, _: dict(self.states[cluster.name]))
        patch.setattr(pools, "reset", lambda cluster, *_: self._reset(self.states[cluster.name]))
        for verb in ("delete", "freeze", "thaw", "save_deployments", "wait_settled"):
            patch.setattr(pools, verb, lambda *_: None)
        patch.setattr(Cluster, "open", lambda _engine, name: self.clusters[name])
        patch.setattr(capacity, "memory_refusal", lambda _: None)

    def _create(
        self, engine: Any, _: Any, shape: Shape, owner: Owner, directory: Path, *__: Any, **___: Any
    ) -> Cluster:
        folder = directory / f"c-{len(self.clusters)}"
        folder.mkdir()
        cluster = Cluster(folder.name, shape, engine, folder / "kubeconfig", "c", None, owner.run, folder)
        self.clusters[cluster.name], self.states[cluster.name] = cluster, dict(_MADE)
        return cluster

    @staticmethod
    def _reset(state: State) -> None:
        state.pop(_NEW, None)
        state[_WEBHOOK] = _MADE[_WEBHOOK]


def verdicts(order: list[Callable[[State], None]]) -> tuple[dict[str, State], int]:
    """Run scenarios one after the other; return what each found at its begin, and how many clusters were made."""
    with pytest.MonkeyPatch.context() as patch:
        world = World(patch)
        pool = Pool(FakeEngine(), Progress.quiet())
        at_begin = {}
        for scenario in order:
            cluster = pool.get(Shape(), _IMAGES, LogKeeper(Path("/nowhere")))
            at_begin[scenario.__name__] = dict(world.states[cluster.name])
            scenario(world.states[cluster.name])
            pool.give_back(cluster)
        return at_begin, len(world.clusters)


@pytest.mark.parametrize(("begin", "step"), sampled([(begin, step) for step in range(1, 7) for begin in (0, 3)], 3))
def test_verdicts_do_not_hang_on_the_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, begin: int, step: int
) -> None:
    """Each finds a cluster as it is made, and yet no more are made than were changed for good.

    In these twelve orders each scenario comes right after each other one.
    """
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    order = [_SCENARIOS[(begin + number * step) % len(_SCENARIOS)] for number in range(len(_SCENARIOS))]
    at_begin, made = verdicts(order)
    assert at_begin == {scenario.__name__: _MADE for scenario in _SCENARIOS}
    spoiled = (_forgets_a_rule, _rotates, _leaves_objects)
    assert made == 1 + len(spoiled) - (order[-1] in spoiled)
