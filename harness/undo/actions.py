"""Actions: the functions that undo harm, and the ids by which journals name them."""

import importlib
from collections.abc import Callable
from typing import TypeVar

from chaos_harness.harness.errors import HarnessError

__all__ = ["ACTIONS", "Action", "find", "identity", "undo"]

Action = Callable[..., object]
_Marked = TypeVar("_Marked", bound=Action)

ACTIONS = {
    "certificate.refill": "chaos_harness.harness.faults.webhook.empty_certificate:refill",
    "charts.uninstall": "chaos_harness.harness.undo.charts:uninstall",
    "containers.go_on": "chaos_harness.harness.faults.workloads.pause_containers:go_on",
    "crowd.disperse": "chaos_harness.harness.faults.webhook.template_load:delete_templates",
    "edits.restore": "chaos_harness.harness.faults.objects.edit:restore",
    "etcd.go_on": "chaos_harness.harness.faults.control_plane.etcd:go_on",
    "finalizers.release": "chaos_harness.harness.faults.objects.finalizers:release",
    "flapping.end": "chaos_harness.harness.faults.webhook.flapping:end_flapping",
    "images.pull": "chaos_harness.harness.faults.registry.remove_image:pull",
    "kubelet.start": "chaos_harness.harness.faults.nodes.stopped_kubelet:start_kubelet",
    "leaving.register": "chaos_harness.harness.faults.nodes.drain:register",
    "nodes.resume": "chaos_harness.harness.faults.nodes.power:resume",
    "nodes.start": "chaos_harness.harness.faults.nodes.power:start",
    "objects.bring_back": "chaos_harness.harness.undo.bring_back:bring_back",
    "objects.delete": "chaos_harness.harness.undo.put_object:delete",
    "pods.uncordon": "chaos_harness.harness.faults.workloads.reschedule:uncordon",
    "registry.drop_no_more": "chaos_harness.harness.undo.iptables:delete_rule",
    "registry.no_longer_down": "chaos_harness.harness.faults.registry.cut:delete_down_file",
    "registry.restore": "chaos_harness.harness.faults.registry.cut:restore",
    "registry.start": "chaos_harness.harness.faults.registry.cut:start",
    "rollouts.scale": "chaos_harness.harness.faults.workloads.rollouts:scale",
    "throttle.unthrottle": "chaos_harness.harness.faults.workloads.throttle:unthrottle",
    "upgrades.go_back": "chaos_harness.harness.faults.workloads.upgrades:go_back",
    "webhooks.set_back": "chaos_harness.harness.gatekeeper.webhook_settings:set_back",
}
"""The id of each undo in a journal, and where its function is now ("module:function").

Journals outlive versions: an id never changes and is never removed, even if its function is renamed or moved.
"""

_marked: set[Action] = set()


def undo(action: _Marked) -> _Marked:
    """Mark a module's function `(engine, **arguments)` as an undo; its arguments must be JSON.

    It must succeed if nothing is (left) to undo, or if its target is gone. Journals name it by its id in `ACTIONS`; a
    function without an id there is named "module:function", which works as long as it does not move.
    """
    _marked.add(action)
    return action


def identity(action: Action) -> str:
    """Return the id by which a journal names an undo.

    Raises HarnessError for a function that another process could not import, or that is not marked as an undo.
    """
    place = f"{action.__module__}:{getattr(action, '__qualname__', '')}"
    if action not in _marked or "." in place.partition(":")[2] or action.__module__ == "__main__":
        raise HarnessError(f"{place} is no undo that a journal can name: mark a function of a module by @undo")
    return next((name for name, where in ACTIONS.items() if where == place), place)


def find(name: str) -> Action:
    """Return the undo with an id. Raises HarnessError if this version has none."""
    module, colon, function = ACTIONS.get(name, name).partition(":")
    undo = None
    if colon:
        try:
            undo = getattr(importlib.import_module(module), function, None)
        except (ImportError, TypeError, ValueError) as error:  # TypeError: a relative name
            raise HarnessError(f"no undo {name!r} in this version: {error}") from error
    if undo not in _marked:
        raise HarnessError(f"no undo {name!r} in this version; another version of the harness wrote it")
    action: Action = undo
    return action
