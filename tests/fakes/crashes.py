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


EDIT = {"kind": "ConfigMap", "name": "c", "namespace": "n", "patch": {"data": {"a": "7", "b": None, "c": "8"}}}
NODE = {"node": "w-worker"}
MAP = {"kind": "ConfigMap", "name": "c", "namespace": "n"}
PUT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "put", "namespace": "n"}, "data": {"a": "b"}}

ROWS = {
    "cut_registry stop": Row("cut_registry", "started", {"how": "stop"}),
    "cut_registry drop": Row("cut_registry", "done", {"how": "drop"}, changes=5),
    "cut_registry drop of one": Row("cut_registry", "done", {"how": "drop", "nodes": ["w-worker"]}),
    "cut_registry 503": Row("cut_registry", "started", {"how": "503"}),
    "remove_image": Row("remove_image", "kept", {"image": IMAGE}, changes=2),
    "cut_webhook": Row("cut_webhook", "done", {}, changes=3),
    "cut_off_node": Row("cut_off_node", "done", NODE, changes=2),
    "kill_node": Row("kill_node", "started", NODE),
    "stop_node": Row("stop_node", "started", NODE),
    "pause_node": Row("pause_node", "done", NODE),
    "reboot_node": Row("reboot_node", "started", NODE, changes=2),
    "drain_node": Row("drain_node", "another plane", NODE, changes=2),
    "drain_node of a plane": Row("drain_node", "another plane", {"node": "w-control-plane"}),
    "reschedule_pod": Row("reschedule_pod", "another plane", {"pod": "a"}, changes=2),
    "remove_node": Row("remove_node", "another plane", NODE),
    "scale_to_zero": Row("scale_to_zero", "another plane", {}),
    "edit_object": Row("edit_object", "another plane", EDIT),
    "delete_crd": Row("delete_crd", "another plane", {"name": "chaosdeniedbyrego.constraints.gatekeeper.sh"}),
    "revoke_rule": Row("revoke_rule", "another plane", {"role": "r", "verb": "list", "resource": "pods"}),
    "revoke_binding": Row("revoke_binding", "another plane", {"name": "b"}),
    "delete_object": Row("delete_object", "another plane", MAP),
    "recreate_object": Row("recreate_object", "another plane", MAP, changes=2),
    "hold_deletion": Row("hold_deletion", "another plane", MAP, changes=2),
    "flip_field": Row("flip_field", "another plane", EDIT | {"times": 2}, changes=4),
    "put_object": Row("put_object", "another plane", {"manifest": PUT}),
    "exhaust_quota": Row("exhaust_quota", "another plane", {"namespace": "n"}),
    "break_ca_bundle": Row("break_ca_bundle", "another plane", {}, changes=2),
    "delete_certificate": Row("delete_certificate", "another plane", {}),
    "add_webhook": Row("add_webhook", "another plane", {}),
    "take_lease": Row("take_lease", "another plane", {"name": "l"}),
    "throttle": Row("throttle", "done", {"selector": "a=b", "cpu": 0.1}, changes=2),
    "crowd_templates": Row("crowd_templates", "another plane", {"count": 3}, changes=3),
    "blank_certificate": Row("blank_certificate", "another plane", {}),
    "fail_mutation": Row("fail_mutation", "another plane", {"policy": "Fail"}),
    "fail_closed": Row("fail_closed", "another plane", {}, changes=2),
    "time_out_webhooks": Row("time_out_webhooks", "another plane", {}, changes=2),
    "put": Row("put", "another plane", {}),
    "strip_finalizers": Row("strip_finalizers", "nothing", MAP | {"name": "held"}),
    "delete_pods": Row("delete_pods", "nothing", {"selector": "a=b"}, changes=2),
    "kill_containers": Row("kill_containers", "nothing", {"selector": "a=b"}),
    "restart_api_server": Row("restart_api_server", "nothing", {}),
    "restart_rollout": Row("restart_rollout", "nothing", {}),
    "delete_replicas": Row("delete_replicas", "nothing", {}),
    "evict_replicas": Row("evict_replicas", "nothing", {}),
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
