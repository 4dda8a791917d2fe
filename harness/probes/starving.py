"""Starving: measures, by the nodes' kernels, whether Gatekeeper, API server and etcd got enough CPU time.

The metronome is not enough: it is a thread of ours, and pods are in cgroups of little weight, which a busy machine
holds back for seconds while a thread that mostly sleeps gets a CPU at once.
"""

import select
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Self

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.history.vocabulary import LATE, METRONOME, READ, numbered
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.schedstat import SCRIPT, StarvationDetector, parse

if TYPE_CHECKING:
    from chaos_harness.clusters.engine.dialogue import Dialogue

__all__ = ["watch_starving"]

_EVERY_SECONDS = 1.0
_LISTEN_SECONDS = 0.8
_GUARD_SECONDS = 5.0
_AGAIN_SECONDS = 5.0
_SHORT = 160
_LIMITS = "/sys/fs/cgroup/cpu.max", "/sys/fs/cgroup/cpu/cpu.cfs_quota_us"
"""The limit of CPUs of the container in which this process runs, in cgroup v2 and v1; a machine's root has none."""


def watch_starving(cluster: Cluster, history: HistoryWriter) -> Probe:
    """Return a probe that reads, every second, how long Gatekeeper, API server and etcd on each node waited for a CPU.

    If one of them was starved (see `harness.probes.schedstat`), the entry is `info late`, like the metronome's, with
    `seconds` up to now, `who` was starved, and how many seconds the threads of the worst one `ran` and `waited`. `ok
    read` names the `processes` watched on a node; `info read` says, once, why a node cannot be read: then it is unknown
    whether a process starves there.
    """
    return Probe("starving", partial(_watch, cluster, history), late_after=30.0)


def _watch(cluster: Cluster, history: HistoryWriter, probe: Probe) -> None:
    with ExitStack() as stack:
        nodes = [stack.enter_context(_Node(cluster, node, history)) for node in cluster.nodes()]
        for _ in probe.every(_EVERY_SECONDS):
            for node in nodes:
                node.ask()
            _listen(nodes)


def _listen(nodes: list["_Node"]) -> None:
    """Take the answers of all nodes; a node that takes longer, such as a paused one, is heard the next time."""
    deadline = Deadline.after(_LISTEN_SECONDS, "the nodes to answer")
    poll = select.poll()
    waiting = {node.dialogue.fileno(): node for node in nodes if node.dialogue and node.asked is not None}
    for number in waiting:
        poll.register(number, select.POLLIN)
    while waiting and not deadline.expired:
        for number, _ in poll.poll(1000 * deadline.remaining):
            if waiting[number].hear():
                poll.unregister(number)
                del waiting[number]


class _Node:
    """One node: `asked` is the time of a question without an answer yet; without a `dialogue` it cannot be asked."""

    def __init__(self, cluster: Cluster, node: str, history: HistoryWriter) -> None:
        self.dialogue: Dialogue | None = None
        self.asked: float | None = None
        self._begin = partial(cluster.talk, node, ["bash", "-c", SCRIPT])
        self._history = history
        self._process = numbered(METRONOME, node)
        self._starving = StarvationDetector(limit=_is_limited())
        self._stack = ExitStack()
        self._again = 0.0
        self._readable: bool | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def ask(self) -> None:
        """Ask, unless an answer is due; a node that cannot be asked is tried again 5 s later."""
        if self.dialogue is None and time.monotonic() >= self._again:
            self._again = time.monotonic() + _AGAIN_SECONDS
            deadline = Deadline.after(_GUARD_SECONDS, "the engine to say whose the node is")
            try:
                self.dialogue = self._stack.enter_context(self._begin(deadline))
            except HarnessError as error:
                self._note_unread(str(error))
        if self.dialogue is not None and self.asked is None:
            self.asked = time.monotonic()
            self.dialogue.say("")

    def hear(self) -> bool:
        """Take the node's lines; return whether no answer is due any more."""
        if self.dialogue is None or self.asked is None:
            return True
        lines = self.dialogue.hear()
        for line in lines:
            self._take(line, self.asked)
        if self.dialogue.ended:
            self._note_unread("the script on the node has ended")
            self._stack.close()
            self.dialogue = self.asked = None
        elif lines:
            self.asked = None
        return self.asked is None

    def _take(self, line: str, asked: float) -> None:
        """Take a line about a moment since `asked`."""
        try:
            sample = parse(line)
        except ValueError:
            self._note_unread(line)
            return
        if starved := self._starving.take(sample):
            figures = {"seconds": starved.seconds + time.monotonic() - asked}
            figures |= {"ran": starved.ran, "waited": starved.waited}
            value = {"who": starved.who, **{name: round(figure, 3) for name, figure in figures.items()}}
            self._history.append("info", self._process, LATE, value)
        if sample.blank:
            self._note_unread("its kernel does not count how long threads run and wait")
        elif self._readable is not True:
            self._readable = True
            names = sorted({process.name for process in sample.processes.values()})
            self._history.append("ok", self._process, READ, {"processes": names})

    def _note_unread(self, said: str) -> None:
        if self._readable is not False:
            self._readable = False
            self._history.append("info", self._process, READ, {"said": said[:_SHORT]})


def _is_limited() -> bool:
    """Whether this process may use less than all CPUs, as in a pod with a limit; nodes that it made may, too."""
    said = [Path(path).read_text(encoding="ascii") for path in _LIMITS if Path(path).is_file()]
    return any(not words.startswith(("max", "-1")) for words in said)
