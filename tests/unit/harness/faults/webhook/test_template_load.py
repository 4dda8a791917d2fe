"""Crowd: templates that only take time come and go, each proved, also after a crash."""

from typing import Any

import pytest

from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.harness.errors import BadScenario, CommandFailed, FaultNotApplied
from chaos_harness.harness.faults.webhook import template_load
from chaos_harness.harness.faults.webhook.template_load import crowd_templates, delete_templates, filler
from chaos_harness.harness.policies.generation_rules import generates
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.fakes.grammar import Call
from tests.fakes.kubectl import Kubectl
from tests.fakes.world import World, WorldEngine


class Templates:
    """The templates of a cluster, behind the API and behind kubectl; `said` is what kubectl says of an error."""

    def __init__(self) -> None:
        self.there: list[Any] = []
        self.most = 300
        self.compiled = 0
        self.said = ""

    def apply(self, _api: object, templates: list[Any], _deadline: object) -> None:
        self.there = templates[: self.most]

    def request(self, *_words: object, query: dict[str, str]) -> Any:
        name, value = query["labelSelector"].split("=")
        templates = [template for template in self.there if template["metadata"]["labels"].get(name) == value]
        seen = [{"observedGeneration": 2}]
        return {
            "items": [
                {
                    "metadata": {**template["metadata"], "generation": 2},
                    "status": {"byPod": seen if number < self.compiled else []},
                }
                for number, template in enumerate(templates)
            ]
        }

    def kubectl(self, call: Call) -> CommandResult:
        assert "--selector" in call.options
        if not self.said:
            self.there = []
        return CommandResult("", self.said, int(bool(self.said)))


@pytest.fixture
def templates(monkeypatch: pytest.MonkeyPatch) -> Templates:
    templates = Templates()
    monkeypatch.setattr(template_load, "apply", templates.apply)
    monkeypatch.setattr(template_load, "request", templates.request)
    monkeypatch.setattr(Kubectl, "run", lambda _, call, __: templates.kubectl(call))
    return templates


def test_a_crowd_is_promised_proved_and_dispersed(templates: Templates, bench: Bench) -> None:
    """All come, how many are still to be compiled is told, and all go; the undo was written before."""
    fault = crowd_templates(5, rules=2)
    bench.inject(fault)
    assert len(bench.pending()) == 1
    templates.compiled = 2
    assert bench.observed(fault) == "5 templates exist, 3 still to be compiled by some pod"

    with pytest.raises(FaultNotApplied, match="chaosfiller0, chaosfiller1"):
        bench.healed(fault)
    bench.heal(fault)
    assert bench.healed(fault) == "5 templates are gone"
    assert bench.pending() == []


def test_nobody_compiles(templates: Templates, bench: Bench) -> None:
    """Templates that only lie there cost no pod of Gatekeeper's anything."""
    fault = crowd_templates(5)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="to compile a template of the crowd, none did"):
        bench.observed(fault, 0.3)


def test_a_crowd_that_did_not_come_is_not_applied(templates: Templates, bench: Bench) -> None:
    """A crowd of which some did not come is no crowd."""
    templates.most = 4
    fault = crowd_templates(5)
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected 5 templates of the crowd, found 4"):
        bench.observed(fault)


def test_after_a_crash(templates: Templates, bench: Bench) -> None:
    """The journal alone removes everything; an unknown kind means that nothing is left, other errors are raised."""
    bench.inject(crowd_templates(3))
    journal.replay(bench.journal.path, bench.cluster.engine)
    assert templates.there == []
    templates.said = 'error: the server doesn\'t have a resource type "constrainttemplates"'
    delete_templates(WorldEngine(world=World()), control_plane="w-control-plane", label="a")
    templates.said = "connection refused"
    with pytest.raises(CommandFailed, match="connection refused"):
        delete_templates(WorldEngine(world=World()), control_plane="w-control-plane", label="a")


def test_fillers_ask_for_nothing() -> None:
    """A template that only takes time generates nothing, and differs from revision to revision."""
    assert not generates(filler(1, "a"))
    assert filler(1, "a") == filler(1, "a")
    assert filler(1, "a") != filler(1, "b")
    assert filler(1, "a")["metadata"] != filler(2, "a")["metadata"]


@pytest.mark.parametrize(("count", "rules"), [(0, 1), (301, 1), (1, 0), (1, 301)])
def test_crowds_of_no_size_are_refused(count: int, rules: int) -> None:
    """None, or more than a cluster is meant to take, is refused before anything is touched."""
    with pytest.raises(BadScenario, match="expected 1 to 300 of each"):
        crowd_templates(count, rules=rules)
