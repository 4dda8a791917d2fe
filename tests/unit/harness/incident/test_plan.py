"""Plan: what a replay would do, need and cost, as text, as JSON and as a picture, without an engine."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from chaos_harness import __main__ as tool
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.plan import plan_of
from chaos_harness.harness.incident.plan_text import format_plan

_INCIDENTS = sorted((Path(__file__).parents[4] / "scenarios" / "incidents").glob("*.yaml"))
_CUT = next(path for path in _INCIDENTS if path.stem == "gatekeeper-3839")
_RACE = next(path for path in _INCIDENTS if path.stem == "gatekeeper-3287")


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Type the command in a folder of the test's own; looking for an engine is a failure."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("chaos_harness.clusters.engine.connect", lambda **_: pytest.fail("an engine was looked for"))
    return tmp_path


@pytest.mark.parametrize("path", _INCIDENTS, ids=lambda path: path.stem)
def test_each_shipped_incident_has_a_plan(path: Path) -> None:
    """Its lines fit 80 columns, and all its steps and claims are there."""
    loaded = load(path)
    plan = plan_of(loaded, PullRules.read())
    lines = list(format_plan(plan))

    assert [line for line in lines if len(line) > 80] == []
    assert len(plan.steps) == len(loaded.incident.faults)
    assert [f"  {step.number} {step.fault}"[:23] for step in plan.steps] == [
        line[:24].rstrip() for line in lines if line[:3].strip().isdigit()
    ]
    assert len(plan.claims) == len(loaded.incident.claims)
    assert plan.seconds > plan.least


def test_a_plan(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says from when to when a step lasts, what it waits for, what a claim needs and what brings that."""
    assert tool.main(["plan", str(_CUT), "--gatekeeper", "3.20"]) == 0
    text = capsys.readouterr().out

    assert "Gatekeeper v3.20.1" in text
    assert "memory    2.6 GiB at most" in text
    assert "gatekeeper/v3.20.1: pulled from" in text
    assert "  1 cut_registry         ####" in text
    assert "after cut, selector=gatekeeper.sh/operation=audit" in text
    assert "expected violated\n    (open-policy-agent/gatekeeper#3839)" in text
    assert "needs registry: from the shape's registry" in text
    assert list(place.iterdir()) == []


def test_a_plan_without_gatekeeper(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--gatekeeper none` takes it away: no image of it is planned, and what asks for it is refused."""
    bare = place / "bare.yaml"
    claims = "claims: [{check: leases_renewed, with: {seconds: 60}}]"
    watched = "watch: [control plane]"
    step = "faults: [{fault: stop_node, at: 1, lasts: 20, with: {node: $worker}}]"
    bare.write_text(f"schema: 1\ntitle: A node is lost\n{watched}\n{step}\n{claims}", encoding="utf-8")

    assert tool.main(["plan", str(bare), "--gatekeeper", "none"]) == 0
    text = capsys.readouterr().out
    assert "no Gatekeeper" in text
    assert "gatekeeper/v" not in text
    assert tool.main(["plan", str(_CUT), "--gatekeeper", "none"]) == 2
    assert "recovers_within judges Gatekeeper" in capsys.readouterr().err


def test_a_plan_of_a_race(capsys: pytest.CaptureFixture[str]) -> None:
    """Steps that wait for a trigger, turns and watches are in it; at worst it takes longer."""
    assert tool.main(["plan", str(_RACE), "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)

    assert plan["turns"] == 2
    assert plan["most"] > plan["least"]
    assert plan["steps"][-1]["begins"] == "when ValidatingAdmissionPolicyBinding gatekeeper-*chaos ADDED + 4 s"
    assert "watch constraints ChaosOwners" in plan["before"]
    assert plan["claims"][0]["needs"]["watch constraints"] == "watch: constraints"


def test_a_picture(place: Path) -> None:
    """The picture has a lane for each step, follows light and dark screens, and describes itself."""
    assert tool.main(["plan", str(_CUT), "--svg", "plan.svg"]) == 0
    text = (place / "plan.svg").read_text(encoding="utf-8")
    words = list(ET.fromstring(text).itertext())

    assert {"1 cut_registry", "2 kill_containers", "3 kill_containers"} <= set(words)
    assert "prefers-color-scheme: dark" in text
    assert any("1 cut_registry from 2 to 82 s" in word for word in words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.yaml"], "nowhere.yaml: cannot be read"),
        ([str(_CUT), "--svg", "nowhere/plan.svg"], "--svg nowhere/plan.svg: cannot be written"),
        ([str(_CUT), "--svg", str(_CUT)], "cannot be written: File exists"),
        ([str(_CUT), "--gatekeeper", "v9"], "options: gatekeeper: Gatekeeper v9 cannot be run"),
    ],
)
def test_what_cannot_be_planned(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad input is one error with status 2."""
    assert tool.main(["plan", *arguments]) == 2
    assert words in capsys.readouterr().err
