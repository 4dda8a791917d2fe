"""Upgrades: which versions the steps of an incident bring, and what of them contradicts the shape."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.images import entries
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.plan import plan_of
from chaos_harness.harness.incident.upgrades import shape_of_claim

_SHAPE = {"workers": 2, "install": "manifest", "gatekeeper": "v3.18.3"}
_CLAIM = {"check": "comes_back", "with": {"fault": "upgrade gatekeeper", "policies": ["mutate pods"]}}


def _step(to: Any, fault: str = "upgrade_gatekeeper", **values: Any) -> dict[str, Any]:
    return {"fault": fault, "at": 5, "with": {"to": to, **values}}


def _load(
    folder: Path, steps: list[dict[str, Any]], asked: dict[str, Any] | None = None, **more: Any
) -> LoadedIncident:
    content = {"schema": 1, "title": "A title", "shape": _SHAPE, "policies": [{"policy": "mutate_pods"}]}
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump({**content, "faults": steps, "claims": [_CLAIM], **more}), encoding="utf-8")
    return load(path, asked)


def _problems(folder: Path, steps: list[dict[str, Any]], **more: Any) -> str:
    with pytest.raises(BadScenario) as refused:
        _load(folder, steps, **more)
    return str(refused.value)


def test_the_images_of_all_versions_are_there_beforehand(tmp_path: Path) -> None:
    """The shape names what steps bring, each once and not its own, so that a plan and a registry have their images."""
    steps = [_step("3.20"), _step("v3.23.1"), _step("v3.20.1", "rollback_gatekeeper"), _step("3.18.3")]
    loaded = _load(tmp_path, steps)
    assert loaded.shape.releases == ("v3.20.1", "v3.23.1")
    planned = plan_of(loaded, PullRules.read()).images
    assert [name for name in planned if name.startswith("gatekeeper/")] == [
        "gatekeeper/v3.18.3",
        "gatekeeper/v3.20.1",
        "gatekeeper/v3.23.1",
    ]


def test_a_chart_needs_the_image_of_its_hook_of_each_version(tmp_path: Path) -> None:
    """Its hook brings the definitions before an upgrade, by an image of its own."""
    loaded = _load(tmp_path, [_step("v3.20.1")], shape={**_SHAPE, "install": "chart"})
    locks = [entry.lock for entry in entries(loaded.shape).values()]
    assert [lock for lock in locks if lock.startswith("gatekeeper-crds/")] == [
        "gatekeeper-crds/v3.18.3",
        "gatekeeper-crds/v3.20.1",
    ]


def test_an_incident_without_upgrades_needs_no_more_than_its_shape(tmp_path: Path) -> None:
    """Its shape is what it was, so that its clusters are those of before."""
    kill = {"fault": "delete_replicas", "at": 5}
    claim = {"check": "comes_back", "with": {"fault": "delete replicas", "policies": ["mutate pods"]}}
    loaded = _load(tmp_path, [kill], claims=[claim])
    assert loaded.shape == loaded.incident.shape


_BACK = "rollback_gatekeeper"


@pytest.mark.parametrize(
    ("steps", "more", "problem"),
    [
        ([_step("v9.1.0")], {}, "Gatekeeper v9.1.0 cannot be run; expected a version in full from v3.16.0"),
        ([_step(3.20)], {}, "expected a version in quotes"),
        ([_step("v3.18.3")], {}, "faults.0.with.to: Gatekeeper is v3.18.3 already when this step begins"),
        ([_step("3.20"), _step("v3.20.1")], {}, "faults.1.with.to: Gatekeeper is v3.20.1 already"),
        ([_step("v3.20.1", by="chart")], {}, "faults.0.with.by: Gatekeeper is installed by its manifest, so it cannot"),
        ([_step("v3.20.1", by="manifest")], {"shape": {**_SHAPE, "install": "chart"}}, "say `install: manifest` in"),
        ([_step("v3.20.1", _BACK)], {}, "v3.20.1 did not run before; there ran no other version"),
        ([_step("v3.20.1"), _step("v3.23.1", _BACK)], {}, "v3.23.1 did not run before; there ran v3.18.3"),
        ([_step("v3.20.1")], {"shape": {**_SHAPE, "gatekeeper": None}}, "needs Gatekeeper, and the shape has none"),
        ([_step("v3.20.1")], {"repeat": 2}, "repeat: a step changes the version, so that a repetition would begin"),
        ([_step("v3.20.1", how="fast")], {}, "upgrade_gatekeeper takes no such parameter"),
    ],
)
def test_what_cannot_be_done(tmp_path: Path, steps: list[dict[str, Any]], more: dict[str, Any], problem: str) -> None:
    """What no cluster of the shape could do is refused with its place, before there is one."""
    assert problem in _problems(tmp_path, steps, **more)


def test_an_option_that_sets_the_version_is_looked_at_too(tmp_path: Path) -> None:
    """The version that a command asks for in place of the file's may be the one that a step brings."""
    with pytest.raises(BadScenario, match=r"Gatekeeper is v3\.20\.1 already"):
        _load(tmp_path, [_step("v3.20.1")], {"gatekeeper": "3.20"})


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ({"fault": "fault 1"}, "v3.20.1"),
        ({"fault": "fault 2"}, "v3.20.1"),
        ({"fault": "fault 3"}, "v3.23.1"),
        ({"fault": "fault 4"}, "v3.18.3"),
        ({"fault": ["fault 1", "fault 3"]}, "v3.23.1"),
        ({"during": "delete replicas"}, "v3.20.1"),
        ({"fault": "upgrade gatekeeper"}, "v3.23.1"),
        ({}, "v3.18.3"),
    ],
)
def test_the_version_of_a_claim(tmp_path: Path, named: dict[str, Any], expected: str) -> None:
    """It is what the last step that the claim names brings, or meets; at the start, if it names none."""
    delete = {"fault": "delete_replicas", "at": 60}
    loaded = _load(tmp_path, [_step("v3.20.1"), delete, _step("v3.23.1"), _step("v3.18.3", _BACK)])
    claimed = loaded.incident.claims[0].model_copy(update={"with_": named})
    assert shape_of_claim(loaded.incident, claimed, loaded.shape).gatekeeper == expected


def test_a_shape_of_several_versions_can_be_written_and_read(tmp_path: Path) -> None:
    """A file may name them as a list, and a cluster's label has them as JSON."""
    shape = {**_SHAPE, "releases": ["3.20", "v3.20.1", "v3.23.1"]}
    loaded = _load(tmp_path, [_step("v3.23.1")], shape=shape)
    assert loaded.shape.releases == ("v3.20.1", "v3.23.1")
    assert type(loaded.shape).parse(json.loads(loaded.shape.model_dump_json())) == loaded.shape
    assert "-to3.20.1-to3.23.1" in loaded.shape.slug
