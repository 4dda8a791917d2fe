"""Adopted: what a cluster of the user's is not, or lacks, is refused when the file is read, with the reason."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.adopted import LACKED, LACKED_WITH
from chaos_harness.harness.incident.load import LoadedIncident, load
from tests.fakes.users import adopted

_RECOVERS = {"check": "recovers_after", "with": {"seconds": 60, "how": "killed", "fault": "kill containers"}}
_GOOD: dict[str, Any] = {
    "schema": 1,
    "title": "A title",
    "faults": [{"fault": "kill_containers", "at": 1, "with": {"selector": "gatekeeper.sh/operation=webhook"}}],
    "claims": [_RECOVERS],
}
_MUTATED: dict[str, Any] = {"policies": [{"policy": "mutate_pods"}], "watch": ["workload"]}
_WORK: dict[str, Any] = {
    "workload": [{"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "chaos-a"}}}]
}


def _load(folder: Path, asked: dict[str, Any] | None = None, on: Any = None, **changes: Any) -> LoadedIncident:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    return load(path, asked, on=on or adopted())


def _step(fault: str, **values: Any) -> dict[str, Any]:
    return {"faults": [*_GOOD["faults"], {"fault": fault, "at": 5, "lasts": 5, "with": values}]}


def test_the_cluster_is_the_shape(tmp_path: Path) -> None:
    """What a file leaves open is as the cluster is: fewer workers than by default, and the chart."""
    assert _load(tmp_path).shape == adopted().shape


def test_what_it_has_in_common_may_be_said(tmp_path: Path) -> None:
    """A minor stands for its newest patch, here as elsewhere; an option corrects what the file says."""
    said = {"workers": 1, "install": "chart", "gatekeeper": adopted().shape.gatekeeper}
    assert _load(tmp_path, shape=said)
    assert _load(tmp_path, {"workers": 1}, shape={"workers": 3})


def test_what_the_file_asks_and_the_cluster_is_not(tmp_path: Path) -> None:
    """All fields that differ are refused at once, each with both values and its line."""
    said, has = {"workers": 2, "install": "manifest", "registry": True, "gatekeeper": "v3.18.3"}, adopted().shape
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path, shape=said)
    assert [problem.partition("a.yaml:")[2] for problem in refused.value.problems] == [
        "15:3: shape.workers: workers: 2 is asked for, and kind cluster dev has 1",
        "16:3: shape.install: install: manifest is asked for, and kind cluster dev has chart",
        "17:3: shape.registry: registry: true is asked for, and kind cluster dev has false",
        f"18:3: shape.gatekeeper: gatekeeper: v3.18.3 is asked for, and kind cluster dev has {has.gatekeeper}",
    ]


def test_what_an_option_asks_and_the_cluster_is_not(tmp_path: Path) -> None:
    """An option is told as one."""
    with pytest.raises(BadScenario, match="options: workers: 3 is asked for, and kind cluster dev has 1"):
        _load(tmp_path, {"workers": 3})


def test_a_cluster_without_gatekeeper_runs_nothing(tmp_path: Path) -> None:
    """Every experiment would wait for five minutes."""
    with pytest.raises(BadScenario, match="had no Gatekeeper when it was adopted"):
        _load(tmp_path, on=adopted(gatekeeper=None))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (_step("cut_registry"), "not on kind cluster dev: cut_registry needs the harness's own registry"),
        (_step("stop_node", node="$worker"), "stop_node starts a node again with the address that it had"),
        (_step("pause_node", node="$worker2"), "the shape has 1 worker"),
    ],
)
def test_faults_that_need_what_it_lacks(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    """Each is refused once, with the reason, before anything is touched."""
    with pytest.raises(BadScenario, match=reason) as refused:
        _load(tmp_path, **changes)
    assert len(refused.value.problems) == 1


def test_a_claim_that_only_the_audit_log_decides(tmp_path: Path) -> None:
    """Why a pod of the workload lacks the mutation nobody else knows; without a workload it is not asked."""
    claim = {"check": "never_unmutated", "with": {"policy": "mutate pods", "excused": ["timed out"]}}
    with pytest.raises(BadScenario, match="the audit log alone says why a pod of the workload was not mutated"):
        _load(tmp_path, **_MUTATED, **_WORK, claims=[claim])
    assert _load(tmp_path, **_MUTATED, claims=[claim])
    assert _load(tmp_path, **_MUTATED, **_WORK, claims=[{**claim, "with": {"policy": "mutate pods"}}])


def test_faults_that_need_nothing(tmp_path: Path) -> None:
    """A node that is paused, or cut off, is healed without its address."""
    for fault in ("pause_node", "cut_off_node"):
        assert _load(tmp_path, **_step(fault, node="$worker"))


def test_what_is_lacked_exists() -> None:
    """The tables name faults, checks and parameters that there are."""
    assert set(LACKED) <= set(entries("fault"))
    for check, parameter in LACKED_WITH:
        assert parameter in entries("check")[check].settings({})
