"""Preparation: what an experiment brings about before its fault, and takes back at its end; it is no harm."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.undo.journal import Journal

__all__ = ["Preparation"]


@dataclass(frozen=True)
class Preparation:
    """A state of the cluster, by its name; `make` brings it about for a block, gives the proof, and takes it back.

    As with a fault, every undo stands in the journal before what it takes back.
    """

    name: str
    make: Callable[[Cluster, Journal], AbstractContextManager[str]]
