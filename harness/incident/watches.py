"""Watches: the lists that `watch` of an incident file names, by groups."""

from typing import TYPE_CHECKING

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.catalogue import watch_groups
from chaos_harness.harness.errors import BadScenario

if TYPE_CHECKING:
    from chaos_harness.harness.probes.objects import ListWatch

__all__ = ["lists_of", "names"]

_SHORT = 80


def lists_of(words: str) -> "tuple[ListWatch, ...]":
    """Return the lists of a group: "generated", or, for one kind, "constraints ChaosOwners". Raises BadScenario."""
    groups = watch_groups()
    whole = groups.get(words)
    if whole and not whole.of_kind:
        return whole.lists
    name, _, kind = words.rpartition(" ")
    group = groups.get(name)
    if group and group.of_kind:
        return group.of_kind(kind)
    meant = did_you_mean(words, groups)
    raise BadScenario(f"no such watch {words[:_SHORT]!r}; {meant}there are {', '.join(names())}")


def names() -> list[str]:
    """Return the possible values of `watch`; KIND stands for a kind of objects."""
    return [f"{name} KIND" if group.of_kind else name for name, group in watch_groups().items()]
