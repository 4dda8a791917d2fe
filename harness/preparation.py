"""Preparation: what an experiment brings about before its fault, and takes back at its end; it is no harm."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass

from clusters.cluster import Cluster
from harness.phases import Phases
from harness.undo.journal import Journal

__all__ = ["Preparation"]


@dataclass(frozen=True)
class Preparation:
    """A state of the cluster, by its name; `make` brings it about for a block, gives the proof, and takes it back.

    As with a fault, every undo stands in the journal before what it takes back.
    """

    name: str
    make: Callable[[Cluster, Journal], AbstractContextManager[str]]

    @contextmanager
    def block(self, cluster: Cluster, journal: Journal, phases: Phases) -> Iterator[str]:
        """Bring it about, as a phase of an experiment, and give the proof; take it back at the block's end."""
        with ExitStack() as taken_back:
            with phases(self.name) as phase:
                phase.detail = taken_back.enter_context(self.make(cluster, journal))
            yield phase.detail
