"""Deviations: the traits of a cluster with their values, and which of them have changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

__all__ = ["Deviation", "Fingerprint", "Trait", "deviations", "parse_rows", "rows"]


class Trait(NamedTuple):
    """One trait of a cluster: an object, or one `aspect` of a node or container.

    `kind` is a resource ("deployments"), "node" or "container". Pods have random names, so all pods of one owner are
    one trait: `name` is the owner's.
    """

    kind: str
    name: str
    namespace: str = ""
    aspect: str = ""

    def __str__(self) -> str:
        """Return it as text."""
        name = f"{self.namespace}/{self.name}" if self.namespace else self.name
        return " ".join(filter(None, ("pods of" if self.kind == "pods" else self.kind, name, self.aspect)))


Fingerprint = Mapping[Trait, str]
"""Trait of a cluster → its value: a short text, or the digest of a long one."""


@dataclass(frozen=True)
class Deviation:
    """The value of a trait `before` and `after`; None if it did not exist."""

    trait: Trait
    before: str | None
    after: str | None

    def __str__(self) -> str:
        """Return it as text."""
        if self.after is None:
            return f"gone: {self.trait}"
        if self.before is None:
            return f"new: {self.trait} ({self.after})"
        return f"changed: {self.trait} (was {self.before}, is {self.after})"


def deviations(before: Fingerprint, after: Fingerprint) -> list[Deviation]:
    """Return the traits that have changed, in the order of their text; empty if none has."""
    traits = (trait for trait in {**before, **after} if before.get(trait) != after.get(trait))
    return sorted((Deviation(trait, before.get(trait), after.get(trait)) for trait in traits), key=str)


def rows(fingerprint: Fingerprint) -> list[list[str]]:
    """Return a fingerprint for JSON: for each trait a row of its four fields and its value."""
    return [[*trait, like] for trait, like in fingerprint.items()]


def parse_rows(written: Any) -> dict[Trait, str]:
    """Return the fingerprint that `rows` wrote. Raises ValueError for another format, as of older versions."""
    if not isinstance(written, list):
        raise ValueError("expected a list of traits, each with its value")  # noqa: TRY004 - as for each row
    fingerprint: dict[Trait, str] = {}
    for row in written:
        match row:
            case [str(kind), str(name), str(namespace), str(aspect), str(like)]:
                fingerprint[Trait(kind, name, namespace, aspect)] = like
            case _:
                raise ValueError("expected the kind, name, namespace and aspect of a trait, and its value")
    return fingerprint
