"""Registry cut: the matrix of 18 cells, the prediction for each, and the steps that fill three cells at a time."""

from dataclasses import dataclass
from typing import Literal

from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.outage import comes_back
from chaos_harness.harness.checks.recovery import recovers_after, recovers_within
from chaos_harness.harness.checks.undisturbed import undisturbed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.registry.cut import cut_registry
from chaos_harness.harness.faults.registry.remove_image import pull, remove_image
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.faults.workloads.reschedule import reschedule_pod
from chaos_harness.harness.gatekeeper.restart import PullPolicy
from chaos_harness.harness.policies import deny_pods, mutate_pods
from chaos_harness.harness.verdict import Expected
from chaos_harness.scenarios.attempts import RowClaims

__all__ = [
    "CUT_SECONDS",
    "ISSUE",
    "ROWS",
    "TREATMENTS",
    "CellClaims",
    "CutRow",
    "Treatment",
    "claim_all_killed",
    "cut_off",
    "kill_all",
    "markdown",
    "rows",
]

ISSUE = "open-policy-agent/gatekeeper#3839"

WINDOW_SECONDS = 60.0
"""Seconds for a pod to serve again during the cut: several times what it needs without a registry."""

AFTER_SECONDS = 300.0
"""Seconds for a pod to serve again after the cut: a kubelet's longest back-off between two pulls is 300."""

GAP_SECONDS = 30.0
"""Seconds for which enforcement may be lost while one replica serves: many times what passes until a killed one gets no
more requests, so that only a permanent loss violates it."""

ALL_KILLED_SECONDS = 90.0
"""Seconds for replicas that were all killed to serve again during the cut; mostly they need less."""

CUT_SECONDS = 145.0
"""Seconds that the experiment of a row takes (130 to 156 were measured)."""

_ENFORCED = ("mutate pods", "deny by rego")
_RATE = 10.0
_LAST_SECONDS = 10.0
_CUT, _KILL, _REMOVE = "cut registry", "kill containers", "remove image"

PolicySource = Literal["Always", "chart IfNotPresent", "patched IfNotPresent"]
Image = Literal["on the node", "not on the node"]
Treatment = Literal["left alone", "killed", "rescheduled"]

TREATMENTS: tuple[Treatment, ...] = ("left alone", "killed", "rescheduled")
AUDIT = "gatekeeper.sh/operation=audit"


@dataclass(frozen=True)
class CutRow:
    """One experiment of three cells.

    Its fields are how Gatekeeper was installed and got its pull policy, where its image is when the registry is cut,
    and the predictions for a pod that is left alone, one whose container is killed, and one that is deleted and must
    start on the other node. `holds`: it serves admission (again) while the registry is cut.
    """

    install: Literal["manifest", "chart"]
    policy: PolicySource
    image: Image
    left_alone: Expected
    killed: Expected
    rescheduled: Expected

    @property
    def name(self) -> str:
        """Its name in test ids, such as Always-image_present."""
        present = "image_present" if self.image == "on the node" else "image_absent"
        return f"{self.policy.replace(' ', '_')}-{present}"

    @property
    def is_founding(self) -> bool:
        """Whether it is one of the two by which gatekeeper#3839 is shown: the image is there, the policy decides."""
        return self.install == "manifest" and self.image == "on the node"

    def predicted(self, treatment: Treatment) -> Expected:
        """Return the prediction for a pod with this treatment."""
        return {"left alone": self.left_alone, "killed": self.killed, "rescheduled": self.rescheduled}[treatment]

    def issue(self, treatment: Treatment) -> str | None:
        """Return the upstream issue behind a prediction; that an image which is nowhere cannot start is none."""
        return ISSUE if self.policy == "Always" and self.predicted(treatment) == "violated" else None


#                                                              left alone  killed      rescheduled
ROWS = (
    CutRow("manifest", "Always", "on the node",                   "holds",    "violated", "violated"),
    CutRow("manifest", "Always", "not on the node",               "holds",    "violated", "violated"),
    CutRow("manifest", "patched IfNotPresent", "on the node",     "holds",    "holds",    "holds"),
    CutRow("manifest", "patched IfNotPresent", "not on the node", "holds",    "violated", "violated"),
    CutRow("chart", "chart IfNotPresent", "on the node",          "holds",    "holds",    "holds"),
    CutRow("chart", "chart IfNotPresent", "not on the node",      "holds",    "violated", "violated"),
)  # fmt: skip
"""The one table of predictions; docs/findings shows it as `markdown()` gives it."""


def rows(install: str) -> list[CutRow]:
    """Return the rows of one installation method, which share a cluster."""
    return [row for row in ROWS if row.install == install]


def markdown() -> str:
    """Return the table of predictions as docs/findings shows it."""
    lines = ["| pull policy | image | " + " | ".join(TREATMENTS) + " |", "|---" * (2 + len(TREATMENTS)) + "|"]
    for row in ROWS:
        cells = [row.policy, row.image, *(row.predicted(treatment) for treatment in TREATMENTS)]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def cut_off(experiment: Experiment, row: CutRow, shipped: PullPolicy) -> None:
    """Run one row: one cut of the registry, in which three webhook pods get one treatment each.

    All pods are new, so that no back-off of the row before slows them. The seed decides which pod gets which treatment.
    The audit pod's container is killed, too: the incident's report shows it failing. The canary asks about policies
    meanwhile; one replica is serving all the time.
    """
    image, workers = experiment.gatekeeper_image, experiment.cluster.workers
    webhooks = _restart_fresh(experiment, row, shipped)
    if row.image == "not on the node":
        experiment.act(remove_image(image, workers))
    killed, rescheduled, _left_alone = experiment.random.sample(webhooks, len(TREATMENTS))
    with experiment.fault(cut_registry()):
        experiment.act(kill_containers(killed))
        experiment.act(kill_containers(selector=AUDIT))
        experiment.act(reschedule_pod(rescheduled))
        experiment.hold(WINDOW_SECONDS)
    experiment.recovered(AFTER_SECONDS)


def kill_all(experiment: Experiment, row: CutRow, shipped: PullPolicy) -> None:
    """Kill the containers of all webhook pods while the registry is cut: no replica is left to enforce anything."""
    webhooks = _restart_fresh(experiment, row, shipped)
    with experiment.fault(cut_registry()):
        experiment.act(kill_containers(*webhooks))
        experiment.recovered(ALL_KILLED_SECONDS)
        experiment.hold(_LAST_SECONDS)
    experiment.recovered(AFTER_SECONDS)
    experiment.hold(_LAST_SECONDS)


def claim_all_killed(experiment: Experiment, row: CutRow) -> None:
    """Claim that policies are enforced again during the cut, as far as one killed pod can serve, and after it.

    Enforcement is lost by both faults together: neither alone loses it for so long.
    """
    meanwhile = comes_back(fault=[_CUT, _KILL], policies=_ENFORCED, before_healing=True)
    experiment.claim(meanwhile, expected=row.killed, issue=row.issue("killed"))
    experiment.claim(comes_back(fault=[_CUT, _KILL], policies=_ENFORCED))


def _restart_fresh(experiment: Experiment, row: CutRow, shipped: PullPolicy) -> list[str]:
    """Replace all pods by new ones with the row's pull policy, apply policies, and return the webhook pods."""
    for node in experiment.cluster.workers:
        pull(experiment.cluster.engine, node=node, image=experiment.gatekeeper_image)
    webhooks = experiment.restart_gatekeeper("IfNotPresent" if row.policy == "patched IfNotPresent" else shipped)
    experiment.apply(mutate_pods(), deny_pods(), rate=_RATE)
    return webhooks


class CellClaims(RowClaims[CutRow]):
    """Claims about the cells of a row: one treatment each, and what the cut costs in enforcement."""

    def judge(self, treatment: Treatment) -> None:
        """Claim the prediction for the treatment, during the cut and after its end."""
        row = self.row
        if treatment == "left alone":
            self.claim(undisturbed(), expected=row.left_alone)
            return
        faults = [_CUT] if row.image == "on the node" else [_CUT, _REMOVE]
        during = recovers_within(WINDOW_SECONDS, treatment, during=faults)
        self.claim(during, expected=row.predicted(treatment), issue=row.issue(treatment), because=["image pull failed"])
        self.claim(recovers_after(AFTER_SECONDS, treatment))

    def judge_enforcement(self) -> None:
        """Claim that the cut costs no enforcement beyond the gap at the kill, because one replica always serves.

        Time-outs of a busy machine are reported, and are not the cut's doing.
        """
        self.claim(fail_open_window(GAP_SECONDS, fault=_CUT, policies=_ENFORCED, excused=["timed out"]))
        self.claim(comes_back(fault=_CUT, policies=_ENFORCED, before_healing=True))
