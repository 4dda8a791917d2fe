"""Node shell: the shell of a node, which runs here, on files of a test."""

import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.dialogue import Dialogue, start_dialogue
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.orphans import members

__all__ = ["NodeShell"]

_COMMAND = """
echo $$ >"$1"
says=$2 names=$3
shift 3
[ -z "$says" ] || echo "$says" >&2
[ -n "$names" ] || exec "$@"
"$@" | LC_ALL=C sed --unbuffered "$names"
"""


@dataclass
class NodeShell:
    """Runs what a node is asked to run; `places` are paths on the node and the folders here that stand for them.

    Each command first says `says`, as docker does that has something to complain about. `away` is the error with which
    none can be started; `open` are the commands that run, and `sessions` those of all that were started. One runs until
    it is left, also if nothing refers to it any more.
    """

    folder: Path
    places: Mapping[str, str] = field(default_factory=dict)
    says: str = ""
    away: str = ""
    open: list[Dialogue] = field(default_factory=list)
    _files: list[Path] = field(default_factory=list)
    _begun: list[AbstractContextManager[Dialogue]] = field(default_factory=list)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Make it the shell of all nodes."""
        monkeypatch.setattr(Cluster, "talk", lambda *args: self.talk(*args))  # noqa: PLW0108 - of a cluster

    def talk(
        self, _cluster: Cluster, _node: str, argv: Sequence[str], _deadline: Deadline
    ) -> AbstractContextManager[Dialogue]:
        """Start a command as `Cluster.talk` does; it and whoever hears it know only the node's paths."""
        self._begun.append(begun := self._talk(argv))
        return begun

    @contextmanager
    def _talk(self, argv: Sequence[str]) -> Iterator[Dialogue]:
        if self.away:
            raise CommandFailed(self.away)
        words, names = list(argv), ""
        for place, folder in self.places.items():
            words = [word.replace(place, folder) for word in words]
            names += f"s|{folder}|{place}|g;"
        file = self.folder / f"session-{len(self._files)}"
        with start_dialogue(["bash", "-c", _COMMAND, "bash", str(file), self.says, names, *words]) as spoken:
            self._files.append(file)
            self.open.append(spoken)
            try:
                yield spoken
            finally:
                self.open.remove(spoken)

    @property
    def sessions(self) -> list[int]:
        return [int(file.read_text(encoding="utf-8")) for file in self._files]

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the command that was started last, which has answered before, and wait until it has it."""
        (session,) = self.sessions[-1:]
        os.killpg(session, number)
        state = {signal.SIGSTOP: "T", signal.SIGKILL: "Z"}[number]
        for _ in Deadline.after(20, "a signal to arrive").attempts(0.005, 0.05):
            if {_state(pid) for pid in members(session)} <= {state, ""}:
                return


def _state(pid: int) -> str:
    """Return the state of a process; "" if it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return ""
