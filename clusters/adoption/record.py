"""Record: which kind clusters of the user's are adopted, by container IDs, by whom, until when, and how they were."""

import getpass
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from chaos_harness.clusters.adoption.nodes import KindCluster, KindNode
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.errors import BadScenario, HarnessError
from chaos_harness.clusters.machine.paths import runtime_dir, state_path
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.pool.deviations import Fingerprint, parse_rows, rows
from chaos_harness.clusters.shape import RECORDED, Shape
from chaos_harness.clusters.suggest import did_you_mean

__all__ = ["Adoption", "folder_of", "forget", "read", "records", "require_live", "write"]

_FOLDER = "adopted"
_FILE = "adoption.json"
_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{0,62}")
_SHORT = 80


@dataclass(frozen=True)
class Adoption:
    """One adopted cluster: the containers that may be harmed until a moment (unix seconds), and its traits before.

    `engine` is the ID of the engine that has them. Beside the record, in its private folder, are the cluster's
    kubeconfig and the journal of what was done to it.
    """

    name: str
    engine: str
    nodes: tuple[KindNode, ...]
    network: str
    who: str
    since: float
    until: float
    shape: Shape
    fingerprint: Fingerprint

    @classmethod
    def begin(cls, found: KindCluster, engine: str, seconds: float, shape: Shape, fingerprint: Fingerprint) -> Self:
        """Return the record of a cluster that is adopted now, by this user, for some seconds."""
        now = time.time()
        return cls(
            found.name, engine, found.nodes, found.network, _user(), now, now + seconds, shape, dict(fingerprint)
        )

    @property
    def ids(self) -> frozenset[str]:
        """The IDs of its containers: nothing else is adopted, whatever has their names later."""
        return frozenset(node.id for node in self.nodes)

    @property
    def left(self) -> float:
        """For how many seconds faults may still be done; 0 or less if the adoption has expired."""
        return self.until - time.time()

    def __str__(self) -> str:
        """Return it as text."""
        return f"kind cluster {self.name}, adopted by {self.who} from {_moment(self.since)} to {_moment(self.until)}"


def folder_of(name: str) -> Path:
    """Return the private folder of an adopted cluster, which is made if needed. Raises BadScenario for no such name."""
    if not _NAME.fullmatch(name):
        raise BadScenario(f"expected the name of a kind cluster, found {name[:_SHORT]!r}")
    return runtime_dir(_FOLDER, name)


def write(adoption: Adoption) -> None:
    """Write a record, complete or not at all. Raises OSError."""
    folder = folder_of(adoption.name)
    fields = {
        **asdict(adoption),
        "shape": adoption.shape.model_dump(mode="json"),
        "fingerprint": rows(adoption.fingerprint),
    }
    handle, unfinished = tempfile.mkstemp(prefix=f".{_FILE}-", dir=folder)  # mode 0600
    with open(handle, "w", encoding="utf-8") as file:  # noqa: PTH123 - it is open already
        json.dump(fields, file)
        file.flush()
        os.fsync(file.fileno())
    Path(unfinished).rename(folder / _FILE)


def records() -> Iterator[Adoption]:
    """Yield all records of this user. Raises HarnessError for one that cannot be read."""
    for path in sorted((state_path() / _FOLDER).glob(f"*/{_FILE}")):
        try:
            yield _parse(json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HarnessError(
                f"{path}: expected the record of an adopted cluster: {error}; what was done to that cluster is in "
                f"{path.parent}, and `rm -r {path.parent}` forgets it"
            ) from error


def read(name: str) -> Adoption:
    """Return the record of an adopted cluster, even if it has expired. Raises BadScenario if there is none."""
    known = {adoption.name: adoption for adoption in records()}
    if name not in known:
        there = ", ".join(known) or "none"
        raise BadScenario(
            f"kind cluster {name[:_SHORT]!r} is not adopted; {did_you_mean(name, known)}adopted is {there}; "
            f"`{command_line('adopt --')} kind NAME --for 2h` adopts a kind cluster of this machine"
        )
    return known[name]


def require_live(name: str, seconds: float = 0.0) -> Adoption:
    """Return the record of a cluster on which faults may be done for at least `seconds`. Raises BadScenario."""
    adoption = read(name)
    again = f"`{command_line('release --')} {name}`, then adopt it again for longer"
    if adoption.left <= 0:
        raise BadScenario(f"{adoption}: that time is over; {again}")
    if adoption.left < seconds:
        raise BadScenario(
            f"{adoption}: {adoption.left / 60:.0f} minutes are left, and this may take {seconds / 60:.0f}; {again}"
        )
    return adoption


def forget(name: str) -> None:
    """Remove a record with its folder. Raises HarnessError."""
    remove_folder(folder_of(name))


def _parse(fields: Mapping[str, Any]) -> Adoption:
    return Adoption(
        name=str(fields["name"]),
        engine=str(fields["engine"]),
        nodes=tuple(KindNode(**node) for node in fields["nodes"]),
        network=str(fields["network"]),
        who=str(fields["who"]),
        since=float(fields["since"]),
        until=float(fields["until"]),
        shape=Shape.model_validate(fields["shape"], context=RECORDED),
        fingerprint=parse_rows(fields["fingerprint"]),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name
        return f"user {os.geteuid()}"


def _moment(unix: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(unix))
