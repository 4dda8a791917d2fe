"""Rollout: the ways in which webhook pods are replaced, the claims for each, and how one is run."""

from collections.abc import Callable
from dataclasses import dataclass

from chaos_harness.harness.checks import Check
from chaos_harness.harness.checks.outage import comes_back, outlasts
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.workloads.rollouts import (
    delete_replicas,
    evict_replicas,
    restart_rollout,
    scale_to_zero,
)
from chaos_harness.harness.policies import deny_pods, mutate_pods

__all__ = ["CASES", "ISSUE", "Case", "replace_under_load"]

ISSUE = "open-policy-agent/gatekeeper#3776"

RATE = 30.0
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 10.0

AWAY_SECONDS = 20.0
"""Seconds without replicas: long enough after the 10 s for which those of v3.20 and newer serve on."""

SERVED_ON_SECONDS = 8.0
"""Seconds for which terminating replicas must serve on: less than the 10 s of `--shutdown-delay`."""

_POLICIES = ("mutate pods", "deny by rego")


@dataclass(frozen=True)
class Case:
    """One way to replace all webhook pods, and what is claimed of requests meanwhile.

    `unmutated` is the share of pods that may lack the mutation. None: all replicas go at once, so that none is there
    for a while; then the terminating ones must serve on, which versions before v3.20 do not.
    """

    fault: Callable[[], Fault]
    unmutated: float | None

    @property
    def name(self) -> str:
        """Its name in test ids."""
        return self.fault.__name__

    def claims(self, fault: str) -> list[Check]:
        """Return the claims for the fault of this name and the recovery from it.

        No claim is about how long something took: shares, the order of events, and the final state are the same on a
        busy machine. Time-outs are excused everywhere, because a busy machine alone causes some.
        """
        if self.unmutated is None:
            lasts = outlasts(SERVED_ON_SECONDS, fault=fault, policies=_POLICIES)
            first = lasts.expect("violated", issue=ISSUE, on="<3.20")
        else:
            first = never_unmutated(during=fault, at_most=self.unmutated, excused=["timed out"])
        return [first, comes_back(fault=fault, policies=_POLICIES)]


CASES = (
    Case(restart_rollout, unmutated=0.02),
    Case(evict_replicas, unmutated=0.05),
    Case(delete_replicas, unmutated=None),
    Case(scale_to_zero, unmutated=None),
)
"""Gradual ways lose few mutations. If all replicas go at once, some are lost: before v3.20 from the first moment on,
later (`--shutdown-delay`) only if new ones need longer than 10 s. Without replicas no webhook can be called, and by the
manifest's failurePolicy it fails open."""


def replace_under_load(experiment: Experiment, case: Case) -> str:
    """Replace all webhook pods while pods are created all the time; return the fault's name when all serve again."""
    experiment.apply(mutate_pods(), deny_pods(), rate=RATE)
    experiment.hold(BEFORE_SECONDS)
    fault = case.fault()
    if case.fault is scale_to_zero:
        with experiment.fault(fault):
            experiment.hold(AWAY_SECONDS)
    else:
        experiment.act(fault)
    experiment.recovered()
    experiment.hold(AFTER_SECONDS)
    return fault.name
