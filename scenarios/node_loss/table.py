"""Losses of a node: which cells of {fault} x {webhook pods on it} x {failurePolicy} can differ, and how each is filled.

Each run loses one worker on which pods of two namespaces lie: in `chaos-pods` Gatekeeper mutates Pods, in
`chaos-templates` the pod templates of controllers. So every run judges both, and they are no dimension of the table.

What cannot differ, and is not in the table:

* *Controller template mutated*: it is mutated when the Deployment is written, long before the fault, and the
  ReplicaSet copies it. No fault and no failurePolicy can take it away; every run claims just that.
* *none x any fault but one*: with no webhook pod lost, every admission is answered as on a healthy cluster,
  whatever happened to the node. One row is the control for all of them.
* *reboot x anything*: the node is back before it is NotReady, so nothing is evicted and no Pod is admitted. One row
  shows that. What the restart of its webhook pods costs others is the rollout scenario's to say.
* *stop, cut off, pause x one*: a Pod is replaced only after the node is NotReady, and that is when its webhook pod
  leaves the Service, too. How its connections died before, by silence (kill, cut off), by no answer (pause)
  or in order (stop), makes no difference to the replacement; `kill x one` stands for all.
* *drain x Fail*: a disruption budget keeps one replica, so nobody is ever without an answer; it is as with Ignore.
* *drain x one, drain or remove x none, remove x all*: less than `drain x all`, or as kill.
* *DaemonSet pod x all but remove*: it outlives its node as an object, with its mutation, and is not admitted again;
  only a Node object that was removed takes it along, and it is born anew when the node returns.
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
    "Replaced",
    "Row",
    "rows",
]

ISSUE = "open-policy-agent/gatekeeper#3295"
DEADLOCK = "open-policy-agent/gatekeeper#2423"

PODS, TEMPLATES = "chaos-pods", "chaos-templates"
"""The namespaces in which Pods, or pod templates of controllers, are mutated."""

REPLACED_SECONDS = 120.0
"""How long the replacement of a pod may take: 50 s until the node is NotReady, 5 s of toleration, and a slow start."""

DEADLOCK_SECONDS = 75.0
"""How long one waits for a replacement that is not to come: more than a replacement takes that does (65 s)."""

OUTAGE = "chaos-outage"
"""The constraint that is made while nobody generates policies."""

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
class Row:
    """One experiment: what is done to the node, how many webhook pods are on it, the mutating webhook's failurePolicy.

    What is predicted of the Pods of a Deployment that are mutated themselves, and of those of a StatefulSet: their
    replacements are mutated, or unmutated, or race with Gatekeeper's going or coming, or never come while the node is
    lost. `open_share` bounds how many of all Pods are admitted unmutated (None: so many for so long that no replacement
    escapes). `usual` rows run by default. With `generation`, a constraint is made while the node is lost, and with it
    the one pod that generates policies.
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
    def outlived(self) -> bool:
        """Whether the node's webhook pods live on while it is lost, to serve as soon as it is back."""
        return self.deployment == "unmutated" and self.stateful == "raced"

    @property
    def excused(self) -> Excuses:
        """What may excuse a replacement without the mutation where that is a race."""
        return ("nobody in rotation",) if self.outlived else ("endpoint on the lost node",)

    @property
    def how(self) -> str:
        """How the history calls what is done to the node."""
        return FAULTS[self.fault][1]


#       fault      webhooks  policy    Deployment's Pods  StatefulSet's Pods
ROWS = (
    Row("kill",    "all",    "Ignore", "unmutated",       "unmutated", usual=True),
    Row("kill",    "all",    "Fail",   "never",           "never",     usual=True),
    Row("drain",   "all",    "Ignore", "mutated",         "mutated",   0.05, usual=True),
    Row("kill",    "one",    "Ignore", "mutated",         "mutated",   0.4,  usual=True, generation=True),
    Row("kill",    "one",    "Fail",   "mutated",         "mutated"),
    Row("kill",    "none",   "Ignore", "mutated",         "mutated",   0.05),
    Row("stop",    "all",    "Ignore", "unmutated",       "unmutated"),
    Row("pause",   "all",    "Ignore", "unmutated",       "raced"),
    Row("cut off", "all",    "Ignore", "unmutated",       "raced"),
    Row("remove",  "one",    "Ignore", "raced",           "raced",     0.4),
    Row("reboot",  "all",    "Ignore", "never",           "never"),
)  # fmt: skip
"""The one table of predictions.

A StatefulSet's pod is replaced when its node is back. Webhook pods of a killed or stopped node then start anew, too
late for it. Those of one that was paused or cut off were there all the time: which of the two its kubelet tells first
is a race, which they mostly win (in 19 of 21 runs). When a Node object is removed, one sweep takes all pods of it, and
some are replaced while a webhook pod that has just gone is still an endpoint: of ten runs one lost that race.
"""


def rows(chosen: Callable[[Row], bool] = lambda _: True) -> list[object]:
    """Return the chosen rows as parameters; what is not usual is marked `extended`."""
    marks = {row: () if row.usual else pytest.mark.extended for row in ROWS}
    return [pytest.param(row, id=row.name, marks=marks[row]) for row in ROWS if chosen(row)]
