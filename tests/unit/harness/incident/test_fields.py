"""Fields: assertions of one's own in an incident file: what is refused, and what the plan says."""

import json
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.plan import plan_of
from chaos_harness.harness.incident.plan_text import format_plan

_FIELD = {
    "field": "web ready",
    "kind": "Deployment",
    "name": "web",
    "namespace": "shop",
    "path": "{.status.readyReplicas}",
}
_SHOP = {"object": {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}}


def _load(folder: Path, *fields: dict[str, Any], workload: Any = (_SHOP,), **claimed: Any) -> LoadedIncident:
    data = {
        "schema": 2,
        "title": "A title",
        "workload": list(workload),
        "probes": [{"probe": "watch_field", "with": values} for values in fields],
        "faults": [{"fault": "cut_registry", "at": "2s", "lasts": "1m"}],
        "claims": [{"check": "field_stays", "with": {"field": "web ready", "value": ">= 2", **claimed}}],
    }
    path = folder / "a.yaml"
    path.write_text(json.dumps(data), encoding="utf-8")
    return load(path)


def test_a_field_that_is_watched_can_be_claimed(tmp_path: Path) -> None:
    """The time has its unit; the plan says which probe brings the field."""
    loaded = _load(tmp_path, _FIELD, but_for="30s")
    (claimed,) = loaded.incident.claims
    assert check_of(claimed).id == 'field_stays(web ready, ">= 2", but_for=30)'
    plan = plan_of(loaded, PullRules())
    assert plan.claims[0].needs == {"watch field": "probes: watch_field"}
    assert any("start probe watch_field field=web ready kind=Deployment" in words for words in plan.before)


@pytest.mark.parametrize(
    ("fields", "claimed", "problem"),
    [
        (
            [],
            {},
            "claims.0.with.field: no probe reads the field 'web ready'; there is none; add to `probes`, with",
        ),
        ([_FIELD], {"field": "web redy"}, "no probe reads the field 'web redy'; did you mean web ready?"),
        ([_FIELD], {"but_for": 30}, "claims.0.with.but_for: write 30s: a time has its unit"),
        ([_FIELD], {"value": ">= two"}, "expected a number behind >=, found 'two'"),
        ([_FIELD, _FIELD], {}, "probes.1.with.field: 'web ready' is the name of another field"),
        ([_FIELD | {"path": "{.status..x}"}], {}, "probes.0.with.path: '{.status..x}': `..` is not supported"),
        ([_FIELD | {"path": ""}], {}, "probes.0.with.path"),
        ([_FIELD | {"kind": "Secret"}], {}, "probes.0.with.kind: what a Secret holds is never on disk"),
        ([_FIELD | {"kind": "Deploymnt"}], {}, "no cluster has the kind 'Deploymnt'"),
        ([_FIELD | {"namespace": "shp"}], {}, "no cluster has the namespace 'shp'"),
        ([_FIELD | {"field": "web [ready"}], {}, "probes.0.with.field"),
    ],
)
def test_what_cannot_be_decided_is_refused(
    fields: list[dict[str, Any]], claimed: dict[str, Any], problem: str, tmp_path: Path
) -> None:
    """Each with its place, and with the line to add."""
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path, *fields, **claimed)
    assert problem in str(refused.value)


def test_a_file_with_a_field_of_the_users_own_workload() -> None:
    """What docs/how-to shows can be run as it is: its image is one of the shape's, which the plan shows."""
    loaded = load(Path(__file__).parents[4] / "docs" / "how-to" / "your-images.yaml")
    (container,) = loaded.workload[1][0]["spec"]["template"]["spec"]["containers"]
    assert loaded.shape.images == (container["image"],)
    assert plan_of(loaded, PullRules()).images[container["image"]] == "the engine must hold it"


def test_a_file_with_a_kind_configuration() -> None:
    """What docs/how-to shows: its nodes are the shape's, the plan tells the file, and it travels with the incident."""
    loaded = load(Path(__file__).parents[4] / "docs" / "how-to" / "your-kind.yaml")
    assert (loaded.shape.control_planes, loaded.shape.workers) == (1, 2)
    assert [path.name for path in loaded.files] == ["kind.yaml", "agent.yaml"]
    cost = " ".join(format_plan(plan_of(loaded, PullRules())))
    assert "2 workers by" in cost
    assert "your-kind/kind.yaml" in cost


def test_the_line_to_add_is_told_once(tmp_path: Path) -> None:
    """What it is that is to be read, which the author puts in."""
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path)
    (problem,) = refused.value.problems
    values = """{field: "web ready", kind: Deployment, name: web, path: '{.status.readyReplicas}'}"""
    assert f"`{{probe: watch_field, with: {values}}}`" in problem
