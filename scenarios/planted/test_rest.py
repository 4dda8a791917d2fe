"""Planted writers: what the check that nobody writes at rest must report on a real cluster."""

import pytest

from chaos_harness.clusters.api.rest import merge_patch
from chaos_harness.harness.checks.quiescence import nobody_writes_at_rest
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.policies import deny_pods_by_cel
from chaos_harness.harness.probes.objects import GENERATED, WEBHOOKS, constraints, watch_objects

pytestmark = [pytest.mark.shape(workers=2), pytest.mark.extended, pytest.mark.takes(110)]

_KIND = "ChaosDeniedByCel"
_TEMPLATE = f"/apis/templates.gatekeeper.sh/v1/constrainttemplates/{_KIND.lower()}"
_REST_SECONDS = 45.0


def test_planted_writer(experiment: Experiment) -> None:
    """Nobody writes while nothing is asked for, until somebody of another name changes a template again and again."""
    cluster = experiment.cluster
    watched = (*GENERATED, *WEBHOOKS, *constraints(_KIND))
    experiment.probe(*watch_objects(cluster, experiment.history, watched))
    experiment.apply(deny_pods_by_cel())
    experiment.hold(_REST_SECONDS + 15)
    experiment.claim(nobody_writes_at_rest(_REST_SECONDS), known="planted")
    with cluster.client() as api:
        for number in range(5):
            noted = {"metadata": {"annotations": {"chaos-harness/planted": str(number)}}}
            merge_patch(api, _TEMPLATE, noted, query={"fieldManager": "planted"})
            experiment.hold(3)
    experiment.claim(nobody_writes_at_rest(_REST_SECONDS), expected="violated", known="planted")
    experiment.claim(nobody_writes_at_rest(_REST_SECONDS, at_most=100), known="planted")
