"""Tests of what fakes are held to: a real engine and real nodes answer every command as it is on record."""

import pytest

from chaos_harness.clusters.cluster import Cluster
from tests.fakes.commands import INVENTORY, NODES
from tests.fakes.record import Answer, Names, answers, names_in, names_of_run, recorded

pytestmark = [pytest.mark.cluster, pytest.mark.beside, pytest.mark.xdist_group("one cluster")]

_ANEW = "the programs answer otherwise: `python -m tests.fakes.record` records them anew, and the fakes must follow"


@pytest.fixture(scope="module")
def cluster(shared_cluster: Cluster) -> Cluster:
    return shared_cluster


@pytest.fixture(scope="module")
def names(cluster: Cluster) -> Names:
    return names_in(cluster)


def _otherwise(answered: list[Answer], on_record: list[Answer]) -> list[tuple[Answer, Answer]]:
    """Return what is answered now, and what is on record, where they differ."""
    return [pair for pair in zip(answered, on_record, strict=True) if pair[0] != pair[1]]


@pytest.mark.parametrize("tried", NODES)
def test_nodes_answer_as_recorded(cluster: Cluster, names: Names, tried: str) -> None:
    """Docker, and the programs in nodes and registry, take and refuse commands as the record says."""
    answered = answers(cluster.engine, NODES[tried], names)
    assert _otherwise(answered, recorded()["nodes"][tried]) == [], _ANEW


@pytest.mark.parametrize("tried", INVENTORY)
def test_the_engine_answers_as_recorded(cluster: Cluster, tried: str) -> None:
    """Docker takes and refuses commands on containers, networks, volumes and images as the record says."""
    answered = answers(cluster.engine, INVENTORY[tried], names_of_run(cluster.run))
    assert _otherwise(answered, recorded()["inventory"][tried]) == [], _ANEW
