"""Setup: what a file may bring before its policies, and what the plan says of it."""

import json
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.plan import plan_of

_NAMES = {"kind": "Widget", "plural": "widgets"}
_KIND = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {"group": "example.com", "names": _NAMES},
}
_WIDGET = {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "mine"}}
_SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
_MUTATOR = {"apiVersion": "mutations.gatekeeper.sh/v1", "kind": "Assign", "metadata": {"name": "a"}}


def _load(folder: Path, *items: dict[str, Any], **changes: Any) -> LoadedIncident:
    data = {
        "schema": 2,
        "title": "A title",
        "setup": items,
        "faults": [{"fault": "cut_registry", "at": "2s", "lasts": "1m"}],
        "claims": [{"check": "undisturbed", "with": {"during": "cut_registry"}}],
    }
    path = folder / "a.yaml"
    path.write_text(json.dumps(data | changes), encoding="utf-8")
    return load(path)


def test_the_plan_has_it_before_all_else(tmp_path: Path) -> None:
    """By its file, or by the number of its objects; what is in the file travels with the incident."""
    (tmp_path / "kinds.yaml").write_text(f"{json.dumps(_KIND)}\n", encoding="utf-8")
    loaded = _load(
        tmp_path,
        {"file": "kinds.yaml"},
        {"object": _WIDGET},
        preparations=[{"preparation": "place_gatekeeper", "with": {"on": "$worker", "webhooks": 1, "audit": False}}],
    )
    assert plan_of(loaded, PullRules()).before[:2] == ("set up 1 object of kinds.yaml", "set up 1 object")
    assert [path.name for path in loaded.files] == ["kinds.yaml"]


def test_a_kind_that_it_defines_can_be_used(tmp_path: Path) -> None:
    """By the workload, which no cluster would know otherwise."""
    assert _load(tmp_path, {"object": _KIND}, workload=[{"object": _WIDGET}]).workload == ((_WIDGET,),)
    with pytest.raises(BadScenario, match="Widget mine: no cluster has the kind"):
        _load(tmp_path, workload=[{"object": _WIDGET}])


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"object": _MUTATOR}, "Assign a is Gatekeeper's: put it into `policies`"),
        ({"object": _SECRET}, "a Secret does not belong into a file that is passed on"),
        ({}, "expected one of object, file"),
        ({"file": "none.yaml"}, "no file 'none.yaml'"),
        ({"file": "../x.yaml"}, "leads out of the incident's directory"),
        ({"diagram": "x"}, "setup.0.diagram: no such field"),
    ],
)
def test_what_cannot_be_set_up(item: dict[str, Any], words: str, tmp_path: Path) -> None:
    """It is refused when the file is loaded."""
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path, item)
    assert words in str(refused.value)
