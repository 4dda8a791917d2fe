"""Healthy cluster: nothing is done to it, so no check may raise an alarm, however busy the machine is.

It proves something only by repetition: `nox -s truth -- -k healthy --times 100`.
"""

import pytest

from chaos_harness.harness.checks.control_plane import control_plane_unharmed, leases_renewed
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.policies import deny_pods, mutate_pods
from chaos_harness.harness.probes.control_plane import watch_control_plane

pytestmark = [pytest.mark.shape(workers=2), pytest.mark.extended, pytest.mark.takes(30)]

HEALTHY_SECONDS = 15.0
"""Seconds for which the canary asks: for more than the 100 pods that a verdict needs."""


def test_no_check_raises_a_false_alarm(experiment: Experiment) -> None:
    """Pods are mutated and the control plane leads; a time-out of a busy machine is reported, but is no miss."""
    experiment.apply(mutate_pods(), deny_pods())
    experiment.probe(*watch_control_plane(experiment.cluster, experiment.history))
    experiment.hold(HEALTHY_SECONDS)
    experiment.claim(never_unmutated(excused=["timed out"]), known="healthy")
    experiment.claim(control_plane_unharmed(), known="healthy")
    experiment.claim(leases_renewed(60), known="healthy")
