"""Selectors: a parameter that is a label selector is read when its file is, by every fault that has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.catalogue import KINDS, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults.objects.delete import delete_object
from chaos_harness.harness.faults.workloads.delete_pods import delete_pods
from chaos_harness.harness.faults.workloads.kill_containers import kill_containers
from chaos_harness.harness.faults.workloads.pause_containers import pause_containers
from chaos_harness.harness.faults.workloads.throttle import throttle
from tests.fakes.incidents import incident

_MORE: dict[str, dict[str, Any]] = {"delete_object": {"kind": "ConfigMap"}, "throttle": {"cpu": 0.5}}
_HAVE_ONE = [
    (kind, name)
    for kind in KINDS
    for name, entry in entries(kind).items()
    if "selector" in entry.parameters.model_fields
]


def _problems(folder: Path, *steps: dict[str, Any], **changes: Any) -> list[str]:
    with pytest.raises(BadScenario) as refused:
        incident(folder, faults=[{"at": 0, "lasts": 0.05, **step} for step in steps], **changes)
    return [problem.partition("a.yaml:")[2].partition(" ")[2] for problem in refused.value.problems]


@pytest.mark.parametrize(("kind", "name"), _HAVE_ONE)
@pytest.mark.parametrize("given", ["app: web", {"app": "web"}, {"matchLabels": {"app": "web"}}])
def test_one_that_is_none(tmp_path: Path, kind: Any, name: str, given: Any) -> None:
    """It is one problem of the parameter, with what was meant, be it a text or fields as in YAML."""
    assert kind == "fault"
    (problem,) = _problems(tmp_path, {"fault": name, "with": {"selector": given, **_MORE.get(name, {})}})
    assert problem.startswith("faults.0.with.selector: expected a label selector such as app=web, found 'app: web'")
    assert problem.endswith("did you mean app=web?")


@pytest.mark.parametrize("given", ["app=web", "app in (web, api),!old", "!old", "app notin (a), example.com/b"])
def test_one_that_is_one(tmp_path: Path, given: str) -> None:
    """It is as it was written."""
    steps = [{"fault": name, "at": 0, "with": {"selector": given, **_MORE.get(name, {})}} for _, name in _HAVE_ONE]
    loaded = incident(tmp_path, faults=steps, claims=[{"check": "undisturbed", "with": {"during": "throttle"}}])
    assert {step.with_["selector"] for step in loaded.incident.faults} == {given}


@pytest.mark.parametrize("given", [7, True, ["app=web"]])
def test_what_is_no_text(tmp_path: Path, given: object) -> None:
    """A number or a list is told as such."""
    (problem,) = _problems(tmp_path, {"fault": "kill_containers", "with": {"selector": given}})
    assert problem.startswith("faults.0.with.selector: expected a text, found ")


def test_the_values_of_turns(tmp_path: Path) -> None:
    """Each value is read in the place of $each."""
    step = {"fault": "kill_containers", "with": {"selector": "$each"}}
    (problem,) = _problems(tmp_path, step, schema=1, for_each=["app=web", "app: api"])
    assert "faults.0.with.selector: " in problem
    assert "did you mean app=api?" in problem


def test_those_of_references(tmp_path: Path) -> None:
    """The labels by which a reference chooses a pod are a selector, too."""
    (problem,) = _problems(tmp_path, {"fault": "reschedule_pod", "with": {"pod": "$pod(app=web tier=front)"}})
    assert problem.startswith("faults.0.with.pod: $pod(app=web tier=front): expected a label selector such as app=web")
    incident(
        tmp_path,
        faults=[{"fault": "reschedule_pod", "at": 0, "with": {"pod": "$pod(app in (web),!old)[2]"}}],
        claims=[{"check": "undisturbed", "with": {"during": "reschedule pod"}}],
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda selector: kill_containers(selector=selector),
        lambda selector: pause_containers(selector=selector),
        lambda selector: throttle(selector, 0.5),
        delete_pods,
        lambda selector: delete_object("ConfigMap", selector=selector),
    ],
)
def test_in_python(make: Callable[[str], Any]) -> None:
    """A scenario is told the same where it makes the fault."""
    assert make("app=web").name
    with pytest.raises(BadScenario, match=r"selector: expected a label selector .* did you mean app=web"):
        make("app: web")
