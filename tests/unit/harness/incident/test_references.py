"""References: words that stand for something of the cluster, and those that look like it."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.errors import PreparationFailed
from chaos_harness.harness.incident.references import problems_of_references
from chaos_harness.harness.incident.replay.resolve import resolve
from tests.fakes.world import IMAGE, World


def _chance(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - chosen again from the same seed


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    world = World()
    world.pod("b", "w-worker")
    world.pod("a", "w-worker2", container="c2")
    with world.cluster(tmp_path) as cluster:
        yield cluster


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("$worker", "w-worker"),
        ("$worker2", "w-worker2"),
        ("$control-plane", "w-control-plane"),
        ("$gatekeeper-image", IMAGE),
        ("$pod(gatekeeper.sh/operation=webhook)", "b"),
        ("$pod(a=b)[2]", "a"),
        ("$node(a=b)[2]", "w-worker2"),
        ("worker", "worker"),
    ],
)
def test_meant(cluster: Cluster, word: str, meant: str) -> None:
    """Each reference is replaced wherever it stands in a value."""
    values = {"a": [word], "b": {"c": word}, "n": 1}

    assert resolve(values, cluster, _chance(1)) == {"a": [meant], "b": {"c": meant}, "n": 1}


@pytest.mark.parametrize("word", ["$any-worker", "$pod(a=b)[any]"])
def test_by_chance(cluster: Cluster, word: str) -> None:
    """What is chosen by chance is chosen by the seed."""
    chosen = {seed: resolve(word, cluster, _chance(seed)) for seed in range(20)}

    assert len(set(chosen.values())) == 2
    assert {seed: resolve(word, cluster, _chance(seed)) for seed in range(20)} == chosen


@pytest.mark.parametrize("word", ["$worker7", "$control-plane2", "$pod(a=b)[3]"])
def test_not_there(cluster: Cluster, word: str) -> None:
    """What the cluster does not have is refused, with what it has."""
    with pytest.raises(PreparationFailed, match="the cluster has"):
        resolve(word, cluster, _chance(1))


@pytest.mark.parametrize("word", ["$", "$workers", "$worker0", "$pod", "$pod()", "$pod(a=b)[0]", "$HOME", "$(id)"])
def test_refused(word: str) -> None:
    """What begins as a reference and is none is told with its place."""
    ((place, problem),) = problems_of_references({"nodes": ["$worker", word]})

    assert place == ("nodes", 1)
    assert f"no such reference {word!r}" in problem
