"""Node loss: do the Pods that replace those of a lost worker carry Gatekeeper's mutation, whatever else it took along.

By default four rows of `scenarios.node_loss.table.ROWS` run. Chosen ones run by their ids: `nox -s chaos --
scenarios/node_loss/test_node_loss.py -k cut_off` or `-k kill-none-Ignore`; all of them with `-k node_loss`.
"""

import pytest

from chaos_harness.harness.checks.fail_open import fail_open_window
from chaos_harness.harness.checks.generation import generated_within
from chaos_harness.harness.checks.node_loss import never_replaced, replaced_within, replacements_mutated
from chaos_harness.harness.checks.outage import comes_back
from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.scenarios.attempts import RowClaims
from chaos_harness.scenarios.node_loss.table import (
    DEADLOCK,
    DEADLOCK_SECONDS,
    ISSUE,
    OUTAGE,
    PODS,
    REPLACED_SECONDS,
    TEMPLATES,
    LossRow,
    Replaced,
    rows,
)

pytestmark = pytest.mark.shape(install="manifest", workers=2)

each_row = pytest.mark.parametrize("attempt", rows(), indirect=True, scope="module")
each_open_row = pytest.mark.parametrize(
    "attempt", rows(lambda row: row.policy == "Ignore"), indirect=True, scope="module"
)
each_generating_row = pytest.mark.parametrize(
    "attempt", rows(lambda row: row.generation), indirect=True, scope="module"
)
each_replacing_row = pytest.mark.parametrize(
    "attempt", rows(lambda row: row.deployment != "never"), indirect=True, scope="module"
)


def _claim(claims: RowClaims[LossRow], predicted: Replaced, namespace: str, kind: str) -> None:
    """Claim what is predicted of the pods of one kind of controller."""
    row = claims.row
    if predicted == "never" and row.policy == "Fail":
        check = replaced_within(DEADLOCK_SECONDS, row.how, namespace=namespace, kinds=(kind,))
        claims.claim(check, expected="violated", issue=DEADLOCK)
    elif predicted == "never":
        claims.claim(never_replaced(row.how, namespace=namespace, kinds=(kind,)))
    else:
        lacking = predicted == "unmutated"
        excused = row.excused if predicted == "raced" else ()
        check = replacements_mutated(row.how, namespace=namespace, kinds=(kind,), excused=excused)
        if lacking:
            claims.claim(check, expected="violated", issue=ISSUE, because=["nobody in rotation"])
        else:
            claims.claim(check)


@each_row
def test_replaced_pods_that_are_mutated_themselves(claims: RowClaims[LossRow]) -> None:
    """Pods of a Deployment that replace those of the lost node carry the mutation, or not, as the table predicts."""
    _claim(claims, claims.row.deployment, PODS, "ReplicaSet")


@each_row
def test_replaced_pods_of_a_stateful_set(claims: RowClaims[LossRow]) -> None:
    """Pods of a StatefulSet, replaced only when the lost node confirms their end, do as the table predicts."""
    _claim(claims, claims.row.stateful, PODS, "StatefulSet")


@each_row
def test_replaced_pods_of_a_mutated_template(claims: RowClaims[LossRow]) -> None:
    """Pods whose controller's template was mutated carry the mutation whatever happens to Gatekeeper."""
    predicted: Replaced = "never" if claims.row.deployment == "never" else "mutated"
    _claim(claims, predicted, TEMPLATES, "ReplicaSet")


@each_row
def test_pods_of_a_daemon_set(claims: RowClaims[LossRow]) -> None:
    """A DaemonSet's pod outlives its node, with its mutation; if its Node object is removed, it is created again."""
    check = replacements_mutated if claims.row.fault == "remove" else never_replaced
    claims.claim(check(claims.row.how, namespace=PODS, kinds=("DaemonSet",)))


@each_replacing_row
def test_pods_are_replaced_in_time(claims: RowClaims[LossRow]) -> None:
    """All pods of Deployments are replaced by Ready ones in time; the figures are the phases of that."""
    claims.claim(replaced_within(REPLACED_SECONDS, claims.row.how, kinds=("ReplicaSet",)))


@each_open_row
def test_pods_admitted_unmutated(claims: RowClaims[LossRow]) -> None:
    """How many Pods were admitted unmutated, and for how long, is reported, and limited if anything limits it."""
    row, fault = claims.row, f"{claims.row.fault} node"
    if row.open_share is not None:
        # Without a dead endpoint it is the busy machine that is late.
        excused = () if row.webhooks == "one" else ("timed out",)
        claims.claim(never_unmutated("mutate pods", during=fault, at_most=row.open_share, excused=excused))
    elif row.outlived:
        claims.claim(comes_back(fault=fault, policies=("mutate pods",)))
    else:
        lasting = row.deployment != "never"
        check = fail_open_window(DEADLOCK_SECONDS, fault=fault, policies=("mutate pods",))
        claims.claim(check, expected="violated" if lasting else "holds", issue=ISSUE if lasting else None)


@each_generating_row
def test_generation_while_its_only_pod_is_lost(claims: RowClaims[LossRow]) -> None:
    """A constraint made while the audit pod is on the lost node gets its binding only when the node is back."""
    claims.claim(generated_within(30, OUTAGE), expected="violated")
