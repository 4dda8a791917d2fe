"""Pod mutations: what pods must have by the policies that were applied, as far as a history records it."""

from chaos_harness.clusters.api.objects import Object
from chaos_harness.harness.history.recorded import Entry
from chaos_harness.harness.history.vocabulary import POLICIES
from chaos_harness.harness.policies import POD_LEVEL, WantedParts

__all__ = ["PodMutations", "is_among"]

_ANY = ""
"""The name of the mutation in old histories, which do not record what policies write: it is meant by each of them."""


class PodMutations:
    """What pods must have, by the names under which answers about it are counted; of old histories it is POD_LEVEL."""

    def __init__(self) -> None:
        self._parts = {_ANY: POD_LEVEL}

    def take(self, entry: Entry) -> None:
        """Take an entry of POLICIES."""
        mutates = (entry.value or {}).get("mutates") if entry.process == POLICIES else None
        if mutates is not None:
            told = {name: parts for name, parts in self._parts.items() if name != _ANY}
            self._parts = told | {name: WantedParts(by_path) for name, by_path in mutates.items()}

    def lacking(self, pod: Object) -> frozenset[str]:
        """Return the names of the mutations that a pod lacks."""
        return frozenset(name for name, parts in self._parts.items() if not parts.are_in(pod))

    def all_in(self, pod: Object) -> bool:
        """Whether a pod has all of them; not if there are none."""
        return bool(self._parts) and not self.lacking(pod)


def is_among(policy: str, lacking: frozenset[str]) -> bool:
    """Whether the mutation of a policy is one of these."""
    return policy in lacking or _ANY in lacking
