"""Crashes: what stands in the table of faults and kills, and a harness that lives, is killed, and is replayed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.crashtest.samples import (
    BINDING,
    DEFINITION,
    HELD,
    LEASE,
    MAP,
    NAMESPACE,
    ROLE,
    SAMPLES,
    SELECTOR,
    WEBHOOK_NODE,
    WEBHOOK_POD,
)
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.undo.promises import Undos
from chaos_harness.harness.undo.put_object import put
from tests.fakes.crash_world import CrashWorld, KilledError
from tests.fakes.world import IMAGE

__all__ = ["EDIT", "LASTING", "NODE", "ROWS", "Run", "Stopped"]

Stopped = Literal["done", "started", "kept", "another plane", "nothing"]


@dataclass(frozen=True)
class Row:
    """A fault with its parameters, and what becomes of its undo while the container that it names is stopped.

    It is "done", for the harm ended with the container; the container is "started" by it; it is "kept", for the harm is
    in a file; or it is done through "another plane". Of one that leaves the repair to controllers there is "nothing".
    """

    fault: str
    stopped: Stopped
    values: Mapping[str, Any]
    changes: int = 1
    """How many changes the harm consists of, at least."""


_HERE = {
    NAMESPACE: "n",
    MAP: "c",
    HELD: "held",
    LEASE: "l",
    ROLE: "r",
    BINDING: "b",
    "chaos-crash-put": "put",
    DEFINITION: "chaosdeniedbyrego.constraints.gatekeeper.sh",
    SELECTOR: "a=b",
    "k8s-app=kube-proxy": "a=b",
    "kube-system": "gatekeeper-system",
    WEBHOOK_NODE: "w-worker",
    WEBHOOK_POD: "a",
    "$worker": "w-worker",
    "$worker2": "w-worker2",
    "$control-plane": "w-control-plane",
    "$gatekeeper-image": IMAGE,
}
"""What the names and references of the crash test's samples are called in the crash world."""


def _called(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _called(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_called(part) for part in value]
    return _HERE.get(value, value) if isinstance(value, str) else value


NODE = {"node": "w-worker"}
EDIT: dict[str, Any] = _called(SAMPLES["edit_object"].values)

_SAMPLED: Mapping[Stopped, Mapping[str, int]] = {
    "started": {
        "cut_registry stop": 1,
        "cut_registry 503": 1,
        "kill_node": 1,
        "stop_node": 1,
        "stop_node of all": 3,
        "reboot_node": 2,
    },
    "done": {
        "cut_registry drop": 5,
        "cut_registry drop of one": 1,
        "cut_webhook": 3,
        "cut_webhook of one": 3,
        "flap_webhook": 3,
        "cut_off_node": 2,
        "pause_node": 1,
        "stop_kubelet": 1,
        "pause_etcd": 1,
        "pause_containers": 2,
        "throttle": 2,
    },
    "kept": {"remove_image": 2},
    "another plane": {
        "drain_node": 2,
        "drain_node of a plane": 1,
        "reschedule_pod": 2,
        "remove_node": 1,
        "scale_to_zero": 1,
        "edit_object": 1,
        "delete_crd": 1,
        "revoke_rule": 1,
        "revoke_binding": 1,
        "delete_object": 1,
        "recreate_object": 2,
        "hold_deletion": 2,
        "flip_field": 4,
        "put_object": 1,
        "exhaust_quota": 1,
        "break_ca_bundle": 2,
        "delete_certificate": 1,
        "add_webhook": 4,
        "take_lease": 1,
        "crowd_templates": 3,
        "blank_certificate": 1,
    },
    "nothing": {
        "strip_finalizers": 1,
        "delete_pods": 2,
        "kill_containers": 1,
        "restart_api_server": 1,
        "restart_rollout": 1,
        "delete_replicas": 1,
        "evict_replicas": 1,
    },
}
"""The crash test's samples, by what becomes of their undos, each with its changes."""

ROWS = {
    **{
        name: Row(SAMPLES[name].fault, stopped, _called(SAMPLES[name].values), changes)
        for stopped, samples in _SAMPLED.items()
        for name, changes in samples.items()
    },
    "fail_mutation": Row("fail_mutation", "another plane", {"policy": "Fail"}),
    "fail_closed": Row("fail_closed", "another plane", {}, changes=2),
    "time_out_webhooks": Row("time_out_webhooks", "another plane", {}, changes=2),
    "put": Row("put", "another plane", {}),
}
LASTING = [name for name, row in ROWS.items() if row.stopped != "nothing"]


@contextmanager
def _put(cluster: Cluster, opened: Journal) -> Iterator[None]:
    undos, namespace = Undos(cluster.engine, opened), {"apiVersion": "v1", "kind": "Namespace"}
    put(cluster, undos, {**namespace, "metadata": {"name": "chaos-x"}}, Deadline.after(5, "the object"))
    yield
    undos.run()


class Run:
    """One life of the harness on a world that outlives it."""

    def __init__(self, world: CrashWorld, cluster: Cluster, folder: Path) -> None:
        self.world = world
        self.cluster = cluster
        self.journal = Journal(folder / "journal.jsonl")
        self.history = HistoryWriter(folder / "history.jsonl")
        self.before = world.state()
        self.injected: dict[Any, Callable[[], object]] = {}
        """What was injected, and how it is healed."""
        self.injections: dict[Any, Injection] = {}
        """By which injection a fault was."""

    def inject(self, name: str, /, **values: Any) -> Any:
        """Inject what a row of the table is about, or the same with other values; return the fault, if it is one."""
        maker, values = ROWS[name].fault, values or dict(ROWS[name].values)
        if maker in entries("fault"):
            fault = entries("fault")[maker].make(values)
            injection = Injection(self.cluster, self.journal, self.history)
            self.injected[fault], self.injections[fault] = injection.heal, injection
            fault.inject(injection)
            return fault
        make = _put if maker == "put" else entries("preparation")[maker].make(values).make
        block = make(self.cluster, self.journal)
        self.injected[block] = partial(block.__exit__, None, None, None)
        block.__enter__()
        return block

    def end(self) -> None:
        """Let go of everything, so that no block is left open."""
        self.world.dead = True
        for heal in self.injected.values():
            with suppress(KilledError, HarnessError):
                heal()
        self.journal.close()
        self.history.close()

    def heal(self, injected: Any) -> None:
        self.injected[injected]()

    def replay(self) -> list[str]:
        """Be the collector that comes after the harness was killed."""
        self.world.left, self.world.dead = None, False
        self.journal.close()
        return journal.replay(self.journal.path, self.cluster.engine)

    def is_healed(self) -> None:
        """See that nothing of the harm is left, nothing is pending, and another replay does nothing."""
        assert self.world.state() == self.before
        assert journal.pending(self.journal.path) == []
        assert self.replay() == []
        assert self.world.state() == self.before
