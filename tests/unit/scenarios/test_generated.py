"""Generated: the templates and constraints that scenarios put there ask for what the scenarios say they do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.harness.policies.generation_rules import Rules
from chaos_harness.scenarios.generated_policies import test_generated_policies as scenario
from chaos_harness.scenarios.generated_policies.steps import (
    CONFIG_MAPS,
    LEASES,
    WEBHOOK_ONLY,
    PolicyInCluster,
    SamplePolicy,
)
from chaos_harness.scenarios.generated_policies.test_generated_policies import crowd
from tests.fakes.world import World

RULES = [Rules.of(version) for version in ("v3.17.1", "v3.20.1", "v3.23.1")]


@pytest.mark.parametrize("policy", [CONFIG_MAPS, LEASES], ids=lambda policy: policy.kind)
@pytest.mark.parametrize("rules", RULES)
def test_policies_ask_on_every_version(policy: SamplePolicy, rules: Rules) -> None:
    """Template and constraint ask for a policy and a binding in words, so that no version's default matters."""
    templates, constraint = [policy.template()], policy.constraint()
    assert rules.policies(templates) == {f"gatekeeper-{policy.kind.lower()}"}
    assert rules.bindings(templates, [constraint]) == {rules.binding(constraint)}
    constraint["spec"]["scopedEnforcementActions"][0]["enforcementPoints"] = [{"name": WEBHOOK_ONLY[0]}]
    assert rules.bindings(templates, [constraint]) == set()


def constraint(*statuses: dict[str, Any]) -> dict[str, Any]:
    """Return a constraint of generation 2 of which pods tell this."""
    return {"metadata": {"generation": 2}, "status": {"byPod": list(statuses)}}


@pytest.mark.parametrize(
    ("candidate", "settled"),
    [
        (constraint({"observedGeneration": 2}, {"observedGeneration": 2}), True),
        (constraint({"observedGeneration": 2}, {"observedGeneration": 1}), False),
        (constraint(), False),
        ({"metadata": {"generation": 2}}, False),
    ],
)
def test_settled(tmp_path: Path, candidate: dict[str, Any], *, settled: bool) -> None:
    """A constraint is settled when all pods have dealt with it as it is."""
    with World().cluster(tmp_path) as cluster, PolicyInCluster(cluster, CONFIG_MAPS) as generated:
        assert generated.has_settled(candidate) is settled


@pytest.mark.parametrize(("state", "settled"), [("generated", True), ("waiting", False)])
def test_settled_with_its_binding(tmp_path: Path, state: str, *, settled: bool) -> None:
    """A constraint whose binding is still to come is not settled."""
    points = [{"enforcementPoint": "vap.k8s.io", "state": state}, {"enforcementPoint": "other", "state": "active"}]
    with_points = constraint({"observedGeneration": 2, "enforcementPointsStatus": points})
    with World().cluster(tmp_path) as cluster, PolicyInCluster(cluster, CONFIG_MAPS) as generated:
        assert generated.has_settled(with_points) is settled


def test_who_generates() -> None:
    """Before v3.18 every pod generates, from then on the audit pod."""
    assert crowd("v3.17.1").selector == "gatekeeper.sh/system=yes"
    assert crowd("v3.18.3") == crowd("v3.23.1") == crowd(None)


class Race:
    """An experiment and a policy in one, which note the tries of a race and what the scenario says."""

    def __init__(self) -> None:
        self.tries: list[object] = []
        self.notes: list[str] = []
        self.cluster = SimpleNamespace(shape=SimpleNamespace(gatekeeper="v3.23.1"))
        self.history = self

    def __getattr__(self, _name: str) -> Any:
        return lambda *_, **__: None

    def append(self, *mark: object) -> None:
        self.tries.append(mark)

    def note(self, text: str) -> None:
        self.notes.append(text)

    @contextmanager
    def fault(self, _: object) -> Iterator[None]:
        yield


@pytest.mark.parametrize(
    ("left_by", "enough", "tries", "notes"),
    [
        (2, True, 2, ["the race ends with its first orphan, in try 2 of at most 6"]),
        (2, False, 6, []),
        (None, True, 6, []),
    ],
)
def test_the_race_ends_with_its_first_orphan(
    monkeypatch: pytest.MonkeyPatch, left_by: int | None, *, enough: bool, tries: int, notes: list[str]
) -> None:
    """Among the founding incidents one orphan is enough, and at most six tries are made; else all are, for the rate."""
    experiment = Race()
    monkeypatch.setattr(scenario, "has_left_an_orphan", lambda _: len(experiment.tries) == left_by)
    doubles: Any = experiment
    scenario.test_no_race_leaves_an_orphan(doubles, doubles, 6, "burst", is_one_orphan_enough=enough)
    assert (len(experiment.tries), experiment.notes) == (tries, notes)
