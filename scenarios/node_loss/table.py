"""Losses of a node: which cells of {fault} x {webhook pods on it} x {failurePolicy} can differ, and how each is filled.

Each run loses one worker with pods of two namespaces: in `chaos-pods` Gatekeeper mutates Pods, in `chaos-templates` the
pod templates of controllers. So every run judges both, and they are no dimension of the table.

What cannot differ, and is not in the table:

* *Controller template mutated*: it is mutated when the Deployment is written, long before the fault, and the
  ReplicaSet copies it. No fault and no failurePolicy can take it away; every run claims just that.
* *none x any fault but one*: if no webhook pod is lost, every admission is answered as on a healthy cluster,
  whatever happened to the node. One row is the control for all of them.
* *reboot x anything*: the node is back before it is NotReady, so nothing is evicted and no Pod is admitted. One row
  shows that. The rollout scenario shows what the restart of its webhook pods costs others.
* *stop, cut off, pause x one*: a Pod is replaced only after the node is NotReady, and that is when its webhook pod
  leaves the Service, too. How its connections died before, by silence (kill, cut off), by no answer (pause)
  or in order (stop), makes no difference to the replacement; `kill x one` stands for all.
* *drain x Fail*: a disruption budget keeps one replica, so every request gets an answer; it is as with Ignore.
* *drain x one, drain or remove x none, remove x all*: less than `drain x all`, or as kill.
* *DaemonSet pod x all but remove*: it outlives its node as an object, with its mutation, and is not admitted again;
  only the removal of its Node object deletes it, and it is created again when the node returns.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import pytest

from chaos_harness.harness.checks.node_loss import Excuses
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.nodes.drain import DRAINED_NODE, REMOVED_NODE, drain_node, remove_node
from chaos_harness.harness.faults.nodes.isolate import CUT_OFF_NODE, cut_off_node
from chaos_harness.harness.faults.nodes.power import (
    KILLED_NODE,
    PAUSED_NODE,
    REBOOTED_NODE,
    STOPPED_NODE,
    kill_node,
    pause_node,
    reboot_node,
    stop_node,
)
from chaos_harness.harness.gatekeeper.webhook_settings import FailurePolicy

__all__ = [
    "DEADLOCK",
    "DEADLOCK_SECONDS",
    "FAULTS",
    "ISSUE",
    "OUTAGE",
    "PODS",
    "REPLACED_SECONDS",
    "REPLICAS",
    "ROWS",
    "TEMPLATES",
    "LossRow",
    "Replaced",
    "rows",
]

ISSUE = "open-policy-agent/gatekeeper#3295"
DEADLOCK = "open-policy-agent/gatekeeper#2423"

PODS, TEMPLATES = "chaos-pods", "chaos-templates"
"""The namespaces in which Pods, or pod templates of controllers, are mutated."""

REPLACED_SECONDS = 120.0
"""Seconds that the replacement of a pod may take: 50 until the node is NotReady, 5 of toleration, a slow start."""

DEADLOCK_SECONDS = 75.0
"""Seconds to wait for a replacement that must not come: more than one takes that comes (65 s)."""

_LOSS_SECONDS = 160.0
"""Seconds that the experiment of a row takes (132 to 190 were measured)."""

OUTAGE = "chaos-outage"
"""The constraint that is added while no pod generates policies."""

REPLICAS = 3

Webhooks = Literal["one", "all", "none"]
Replaced = Literal["mutated", "unmutated", "raced", "never"]

FAULTS: dict[str, tuple[Callable[[str], Fault], str]] = {
    "kill": (kill_node, KILLED_NODE),
    "pause": (pause_node, PAUSED_NODE),
    "stop": (stop_node, STOPPED_NODE),
    "cut off": (cut_off_node, CUT_OFF_NODE),
    "reboot": (reboot_node, REBOOTED_NODE),
    "drain": (drain_node, DRAINED_NODE),
    "remove": (remove_node, REMOVED_NODE),
}


@dataclass(frozen=True)
class LossRow:
    """One experiment: what is done to the node, how many webhook pods are on it, the mutating webhook's failurePolicy.

    `deployment` and `stateful` are predictions for Pods that are mutated themselves: their replacements are mutated, or
    unmutated, or race with Gatekeeper's going or coming, or never come while the node is lost. `open_share` limits the
    share of all Pods that are admitted unmutated (None: so many, for so long, that no replacement escapes). `usual`
    rows run by default. With `generation`, a constraint is added while the node, and with it the one pod that generates
    policies, is lost.
    """

    fault: str
    webhooks: Webhooks
    policy: FailurePolicy
    deployment: Replaced
    stateful: Replaced
    open_share: float | None = None
    usual: bool = False
    generation: bool = False

    @property
    def name(self) -> str:
        """Its name in test ids, such as kill-all-Ignore."""
        return f"{self.fault.replace(' ', '_')}-{self.webhooks}-{self.policy}"

    @property
    def is_founding(self) -> bool:
        """Whether it is the loss of gatekeeper#3295: all webhook pods are on the node, and the policy is Ignore."""
        return (self.fault, self.webhooks, self.policy) == ("kill", "all", "Ignore")

    @property
    def outlived(self) -> bool:
        """Whether the node's webhook pods keep running while it is lost, and serve as soon as it is back."""
        return self.deployment == "unmutated" and self.stateful == "raced"

    @property
    def excused(self) -> Excuses:
        """What excuses a replacement without the mutation if that is a race."""
        return ("nobody in rotation",) if self.outlived else ("endpoint on the lost node",)

    @property
    def how(self) -> str:
        """`Entry.f` of the node's harm in the history."""
        return FAULTS[self.fault][1]


#       fault      webhooks  policy    Deployment's Pods  StatefulSet's Pods
ROWS = (
    LossRow("kill",    "all",    "Ignore", "unmutated",       "unmutated", usual=True),
    LossRow("kill",    "all",    "Fail",   "never",           "never",     usual=True),
    LossRow("drain",   "all",    "Ignore", "mutated",         "mutated",   0.05, usual=True),
    LossRow("kill",    "one",    "Ignore", "mutated",         "mutated",   0.4,  usual=True, generation=True),
    LossRow("kill",    "one",    "Fail",   "mutated",         "mutated"),
    LossRow("kill",    "none",   "Ignore", "mutated",         "mutated",   0.05),
    LossRow("stop",    "all",    "Ignore", "unmutated",       "unmutated"),
    LossRow("pause",   "all",    "Ignore", "unmutated",       "raced"),
    LossRow("cut off", "all",    "Ignore", "unmutated",       "raced"),
    LossRow("remove",  "one",    "Ignore", "raced",           "raced",     0.4),
    LossRow("reboot",  "all",    "Ignore", "never",           "never"),
)  # fmt: skip
"""The one table of predictions.

A StatefulSet's pod is replaced when its node is back. Webhook pods of a killed or stopped node restart then, too late
for it. Those of a paused or isolated node were running all the time: which of the two its kubelet reports first is a
race, which they mostly win (in 19 of 21 runs). When a Node object is removed, all its pods are deleted in one sweep,
and some are replaced while a deleted webhook pod is still an endpoint: one of ten runs lost that race. That was on
nodes built here, which lose the routes to a removed node at once; on published ones they stay
(docs/decisions/node-images.md).
"""


def rows(chosen: Callable[[LossRow], bool] = lambda _: True) -> list[object]:
    """Return the chosen rows as parameters, with their marks."""
    return [pytest.param(row, id=row.name, marks=_marks(row)) for row in ROWS if chosen(row)]


def _marks(row: LossRow) -> list[pytest.MarkDecorator]:
    """Return how long the row's experiment takes, whether it runs only if it is selected, and whether it is founding.

    The founding one is last of the founding incidents: a cluster that has lost a node is not used again.
    """
    marks = [pytest.mark.takes(_LOSS_SECONDS, experiment=row.name)]
    if not row.usual:
        marks.append(pytest.mark.extended)
    if row.is_founding:
        marks.append(pytest.mark.founding(3))
    return marks
