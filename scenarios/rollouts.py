"""Rollouts: the ways in which webhook pods are replaced, what is expected of each version, and how one is tried."""

from collections.abc import Callable
from dataclasses import dataclass

from harness.checks import Checked
from harness.checks.fail_open import fail_open_window
from harness.checks.unmutated import never_unmutated
from harness.experiment import Experiment
from harness.faults import Fault
from harness.faults.rollouts import delete_replicas, evict_replicas, restart_rollout, scale_to_zero
from harness.policies import deny_pods, mutate_pods

__all__ = ["CASES", "ISSUE", "Case", "replace_under_load"]

ISSUE = "open-policy-agent/gatekeeper#3776"

RATE = 30.0
BEFORE_SECONDS = 5.0
AFTER_SECONDS = 10.0
AWAY_SECONDS = 10.0


@dataclass(frozen=True)
class Case:
    """One way to replace all webhook pods, and what is claimed of the pods that are created meanwhile.

    `unmutated` is the share that may lack the mutation; a time-out is excused, for a busy machine alone makes some.
    `lost_seconds` is how long mutation may be lost at most, and `longer` the versions on which it is lost for longer.
    """

    fault: Callable[[], Fault]
    unmutated: float
    lost_seconds: float
    longer: str = ""

    @property
    def name(self) -> str:
        """Its name in test ids."""
        return self.fault.__name__

    def claims(self, fault: str) -> list[Checked]:
        """Return what is claimed while the fault of this name lasts and is recovered from."""
        mutated = never_unmutated(during=fault, at_most=self.unmutated, excused=["timed out"])
        lost = fail_open_window(self.lost_seconds, fault=fault, policies=["mutate pods"])
        return [
            mutated if self.unmutated else mutated.expect("violated"),
            lost.expect("violated", issue=ISSUE, on=self.longer) if self.longer else lost,
        ]


CASES = (
    Case(restart_rollout, unmutated=0.02, lost_seconds=30.0),
    Case(evict_replicas, unmutated=0.05, lost_seconds=30.0),
    Case(delete_replicas, unmutated=0.0, lost_seconds=8.0, longer="<3.20"),
    Case(scale_to_zero, unmutated=0.0, lost_seconds=90.0),
)
"""Gentle ways lose few mutations. Deleting all replicas at once loses some: before v3.20 from the first moment on until
new ones serve, later (`--shutdown-delay`) for what these need longer than 10 s. With no replica there is nobody to ask,
and the manifest chooses to fail open then."""


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
