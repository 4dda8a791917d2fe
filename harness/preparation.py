"""Preparation: a state into which an experiment brings the cluster before its fault, and which it undoes at the end."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.undo.journal import Journal

__all__ = ["Preparation"]


@dataclass(frozen=True)
class Preparation:
    """A named state of the cluster; `make` establishes it for a block, gives the proof, and undoes it.

    As with a fault, every undo is in the journal before the change.
    """

    name: str
    make: Callable[[Cluster, Journal], AbstractContextManager[str]]
