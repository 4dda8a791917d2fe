"""Pull rules: what images and files must be, where they are asked for, and whether a first sight is enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaos_harness.clusters.images import first_seen
from chaos_harness.clusters.images.lock_file import LOCK, read_lock
from chaos_harness.clusters.mirror import Mirror

__all__ = ["PullRules"]


@dataclass(frozen=True)
class PullRules:
    """The rules of a run: its lock, the mirror that is asked instead of docker.io ("" for none), and strictness.

    With `only_locked`, what is in the lock is used with its digest or not at all, and what is not in it is neither
    pulled nor downloaded; without, it is recorded when it is seen first, and may not change later.
    """

    lock: Mapping[str, str] = field(default_factory=dict)
    mirror: str = ""
    only_locked: bool = False

    @classmethod
    def read(cls, lock: Path | None = None, *, only_locked: bool = False) -> "PullRules":
        """Return the rules with the lock of a file, by default the one that is shipped, and the environment's mirror.

        Raises BadScenario.
        """
        return cls(read_lock(lock or LOCK), Mirror.read().address, only_locked)

    def known(self, name: str) -> str:
        """Return what the image or file `name` must be, by the lock or else by first sight; "" if nobody knows."""
        return self.lock.get(name, "") or ("" if self.only_locked else first_seen.read().get(name, ""))

    def binds(self, name: str) -> bool:
        """Whether nothing may stand in for what the lock says of the image `name`, such as one that was built here."""
        return self.only_locked and name in self.lock

    def asked(self, reference: str) -> str:
        """Return where the image `reference` is pulled: the same, or the same repository of the mirror."""
        path = _hub_path(reference)
        return f"{self.mirror}/{path}" if self.mirror and path else reference


def _hub_path(reference: str) -> str:
    """Return the image's path at docker.io, which a reference need not name; "" if it is of another registry."""
    first, _, rest = reference.partition("/")
    if first == "docker.io":
        return rest
    if not rest:
        return f"library/{reference}"
    return "" if first == "localhost" or "." in first or ":" in first else reference
