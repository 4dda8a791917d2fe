"""Deviations: the traits of a cluster, each with what it is like, and which of them became something else since."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Deviation", "Fingerprint", "Trait", "deviations", "parse_rows", "rows"]


class Trait(NamedTuple):
    """One trait of a cluster: an object, or what a node or a container is like in one `aspect`.

    `kind` is a resource ("deployments"), "node" or "container". Pods, whose names are chance, are one trait for each
    owner: `name` is the owner's.
    """

    kind: str
    name: str
    namespace: str = ""
    aspect: str = ""

    def __str__(self) -> str:
        """Return it in words."""
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return " ".join(filter(None, ("pods of" if self.kind == "pods" else self.kind, name, self.aspect)))


Fingerprint = Mapping[Trait, str]
"""The traits of a cluster, each with what it is like: a short text, or the digest of a long one."""


@dataclass(frozen=True)
class Deviation:
    """What a trait was like `before` and `after`; None: it was not there."""

    trait: Trait
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return it in words."""
        if self.after is None:
            return f"gone: {self.trait}"
        if self.before is None:
            return f"new: {self.trait} ({self.after})"
        return f"changed: {self.trait} (was {self.before}, is {self.after})"


def deviations(before: Fingerprint, after: Fingerprint) -> list[Deviation]:
    """Return what became of each trait that is not as it was, in the order of the words; nothing if all are."""
    traits = (trait for trait in {**before, **after} if before.get(trait) != after.get(trait))
    return sorted((Deviation(trait, before.get(trait), after.get(trait)) for trait in traits), key=str)


def rows(fingerprint: Fingerprint) -> list[list[str]]:
    """Return a fingerprint as JSON has it: a row of a trait's four fields and of what it is like."""
    return [[*trait, like] for trait, like in fingerprint.items()]


def parse_rows(written: Any) -> dict[Trait, str]:
    """Return the fingerprint that `rows` wrote. Raises ValueError for another form, such as that of older versions."""
    if not isinstance(written, list):
        raise ValueError("expected a list of traits, each with what it is like")  # noqa: TRY004 - as for each row
    fingerprint: dict[Trait, str] = {}
    for row in written:
        match row:
            case [str(kind), str(name), str(namespace), str(aspect), str(like)]:
                fingerprint[Trait(kind, name, namespace, aspect)] = like
            case _:
                raise ValueError("expected the kind, name, namespace and aspect of a trait, and what it is like")
    return fingerprint
