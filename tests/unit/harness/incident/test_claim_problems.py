"""Claim problems: a claim that could only be inconclusive is refused before there is a cluster."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history.vocabulary import CONSTRAINTS, FIELDS
from chaos_harness.harness.incident import claim_problems, notation
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.needs import ASKED, NEEDS, NOT_IN_FILES, source_of
from tests.thorough import thorough
from tests.worlds.truths import TRUTHS, world

_GOOD: dict[str, Any] = {
    "schema": 1,
    "title": "A title",
    "policies": [{"policy": "mutate_pods"}, {"policy": "deny_pods_by_cel"}],
    "faults": [
        {"fault": "cut_registry", "id": "cut", "at": "2s", "lasts": "1m"},
        {"fault": "kill_containers", "after": "cut", "with": {"selector": "a=b"}},
        {"fault": "stop_node", "at": "2m", "lasts": "1m", "with": {"node": "$worker"}},
    ],
    "claims": [{"check": "recovers_within", "with": {"seconds": 60, "how": "killed"}}],
}
_PLAIN = {"kinds", "gatekeeper", "repository", "before_healing", "namespace", "value", "without"}
"""Parameters that name nothing of a file."""


def _load(folder: Path, **changes: Any) -> None:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    load(path)


def _claim(check: str, **values: Any) -> dict[str, Any]:
    return {"claims": [{"check": check, "with": values}]}


_RECOVERS = {"seconds": 60, "how": "killed"}
_KILL_ALONE = {"faults": [{"fault": "kill_containers", "at": 1, "with": {"selector": "a=b"}}]}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        _claim("recovers_after", **_RECOVERS, fault="kill containers"),
        _claim("recovers_after", **_RECOVERS, fault=["fault 2", "cut registry"]),
        _KILL_ALONE | _claim("recovers_after", **_RECOVERS, fault="kill containers"),
        _claim("replaced_within", seconds=60, how="stopped node", namespace="chaos-a") | {"watch": ["workload"]},
        _claim("fail_open_window", seconds=0, fault="cut registry", policies=["deny by cel (vap)", "mutate pods"]),
        _claim("fail_open_window", seconds=9, fault="cut registry", policies=["check ignore label"]),
        _claim("comes_back", fault="fault 6", excused=["timed out"]) | {"repeat": 2},
        _claim("leases_renewed", seconds=60, spare=["kube-scheduler"]) | {"watch": ["control plane"]},
        _claim("generated_within", seconds=9, constraint="chaos-cel-vap")
        | {"watch": ["generated", "constraints ChaosDeniedByCel"]},
        _claim("leases_admitted") | {"probes": [{"probe": "ask_api_server"}]},
    ],
)
def test_what_can_be_decided(tmp_path: Path, changes: dict[str, Any]) -> None:
    """Names and ids of faults, harm, policies, causes and leaders that are there are accepted."""
    _load(tmp_path, **changes)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            _claim("recovers_within", seconds=60, how="kiled"),
            "with.how: no step does this to a pod of Gatekeeper: 'kiled'; did you mean killed? there is killed",
        ),
        (
            _claim("recovers_within", seconds=60, how="stopped node"),
            "no step does this to a pod of Gatekeeper: 'stopped node'; there is killed",
        ),
        (
            _claim("replaced_within", seconds=60, how="killed") | {"watch": ["workload"]},
            "claims.0.with.how: no step does this to a node: 'killed'; there is stopped node",
        ),
        (
            _claim("recovers_after", **_RECOVERS, fault="kill_containers"),
            "claims.0.with.fault: no step does 'kill_containers'; did you mean kill containers? there is cut ",
        ),
        (_claim("recovers_after", **_RECOVERS, fault="fault 4"), "no step does 'fault 4'; "),
        (
            _KILL_ALONE | _claim("recovers_within", **_RECOVERS),
            "claims.0.with: during is 'cut registry' unless it is given; no step does 'cut registry'; there is",
        ),
        (_KILL_ALONE | {"claims": [{"check": "no_request_during"}]}, "claims.0.check: fault is 'cut registry' unless"),
        (
            _claim("fail_open_window", seconds=9, fault="cut registry", policies=["mutate_pods"]),
            "claims.0.with.policies: nobody asks about the policy 'mutate_pods'; did you mean mutate pods? there is",
        ),
        (
            {"policies": []} | _claim("never_unmutated", during="cut registry"),
            "policy is 'mutate pods' unless it is given; nobody asks about the policy 'mutate pods'",
        ),
        (_claim("recovers_within", seconds=-60, how="killed"), "claims.0.with.seconds: expected 0 to 21600, found -60"),
        (_claim("recovers_within", seconds=1e9, how="killed"), "with.seconds: expected 0 to 21600, found 1e+09"),
        (_claim("recovers_within", **_RECOVERS, steady=-1), "claims.0.with.steady: expected 0 to 21600, found -1"),
        (_claim("enforcement_parity", enough=0), "claims.0.with.enough: expected 1 to 100000, found 0"),
        (
            _claim("comes_back", fault="cut registry", excused=["time out"]),
            "claims.0.with.excused: no answer is lost by the cause 'time out'; did you mean timed out? there is timed",
        ),
        (
            _claim("leases_renewed", seconds=60, spare=["$worker"]) | {"watch": ["control plane"]},
            "claims.0.with.spare.0: $worker stands for something in faults and preparations alone",
        ),
        (
            _claim("leases_renewed", seconds=60, spare=["kube-schedular"]) | {"watch": ["control plane"]},
            "no leader has the name 'kube-schedular'; did you mean kube-scheduler? there is kube-controller-manager",
        ),
        (
            _claim("leases_renewed", seconds=60),
            "claims.0.check: leases_renewed needs `watch: [control plane]`, which is not in this file",
        ),
        (
            _claim("policies_match") | {"watch": ["generated"]},
            "claims.0.check: policies_match needs `watch: [constraints KIND]`, which is not in this file",
        ),
        (
            _claim("leases_admitted"),
            "claims.0.check: leases_admitted needs `probes: [{probe: ask_api_server}]`, which is not in this file",
        ),
        (
            _claim("never_orphaned"),
            "claims.0.check: never_orphaned cannot be claimed in a file: it counts the repetitions of a race",
        ),
        (
            _claim("generated_within", seconds=9, constraint="chaos-cel-vab")
            | {"watch": ["generated", "constraints ChaosDeniedByCel"]},
            "no policy has the constraint 'chaos-cel-vab'; did you mean chaos-cel-vap? there is",
        ),
        (
            _claim("replaced_within", seconds=60, how="stopped node", kinds=["Deploymnt"]) | {"watch": ["workload"]},
            "no controller of pods has the kind 'Deploymnt'; did you mean Deployment?",
        ),
        (
            _claim("replaced_within", seconds=60, how="stopped node", namespace="shop") | {"watch": ["workload"]},
            "claims.0.with.namespace: expected a namespace of the workload, chaos-…, found 'shop'",
        ),
    ],
)
def test_what_cannot_be_decided(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """What a claim names wrongly, or nothing records, is one problem of the file, with the word that was meant."""
    with pytest.raises(BadScenario) as error:
        _load(tmp_path, **changes)

    assert len(error.value.problems) == 1, error.value.problems
    assert problem in error.value.problems[0]


def test_the_registry_s_log_needs_a_registry(tmp_path: Path) -> None:
    """Where the shape has no registry, neither its cut nor its log can be."""
    with pytest.raises(BadScenario) as error:
        _load(tmp_path, shape={"registry": False, "install": "chart"}, claims=[{"check": "no_request_during"}])

    first, second = error.value.problems
    assert "faults.0: cut_registry needs a registry, and the shape has none" in first
    assert "claims.0.check: no_request_during reads the registry's log, and the shape has no registry" in second


def test_a_step_that_is_wrong_hides_no_other_problem(tmp_path: Path) -> None:
    """What a step would do that cannot be read is not known: then claims about faults are not blamed for it."""
    with pytest.raises(BadScenario) as error:
        _load(tmp_path, faults=[{"fault": "kill_contaners", "at": 1}])

    (problem,) = error.value.problems
    assert "did you mean kill_containers?" in problem


def test_recorded_incidents_are_judged_as_they_are(tmp_path: Path) -> None:
    """A bundle of an earlier run may claim what would be refused today: it is judged again all the same."""
    path = tmp_path / "a.yaml"
    claims = _KILL_ALONE | _claim("recovers_within", seconds=60, how="kiled")
    path.write_text(yaml.safe_dump(_GOOD | claims), encoding="utf-8")

    assert load(path, context=RECORDED).incident.claims[0].with_["how"] == "kiled"


def test_every_parameter_is_known_here() -> None:
    """A check's new parameter is checked here, or is one of those that name nothing of a file."""
    parameters = {name for entry in entries("check").values() for name in entry.parameters.model_fields}
    named = {*notation.FAULT_PARAMETERS, *claim_problems.NUMBERS, *notation.POLICY_PARAMETERS}

    assert parameters - named - _PLAIN == {"how", "spare", "excused", "constraint", "field"}
    assert entries("check").keys() == NEEDS.keys()
    assert NEEDS.keys() >= NOT_IN_FILES.keys()


@thorough
@pytest.mark.parametrize("check", TRUTHS)
def test_needs_are_those_of_worlds(check: str) -> None:
    """What the simulated worlds say that a check needs is what is told, but for what every experiment records."""
    streams = {stream for seed in range(12) for stream in world(check, seed).drawn.streams}
    fields = {source_of(_known(stream)) for stream in streams} - {("watch", "workload")} - {("", "")}
    brought = {source_of(stream) for stream in NEEDS[check].streams} - {("watch", "workload")} - {("", "")}

    assert fields == brought


def _known(stream: str) -> str:
    """Return the stream by the name that it has in NEEDS."""
    if stream.startswith("asked ") and stream != "asked check ignore label":
        return ASKED
    families = (CONSTRAINTS, FIELDS)
    return next((family for family in families if stream.startswith(family)), stream)
