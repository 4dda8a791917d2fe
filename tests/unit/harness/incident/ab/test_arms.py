"""Arms: what may be typed for one, and that all that is wrong is told at once."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.ab.arms import parse_arms


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("v3.20.1", {"gatekeeper": "v3.20.1"}),
        ("3.20,install=chart", {"gatekeeper": "3.20", "install": "chart"}),
        ("install=chart, workers=3", {"install": "chart", "workers": 3}),
        ("registry=false,install=chart", {"registry": False, "install": "chart"}),
        ("kubernetes=1.35", {"kubernetes": "1.35"}),
        ("none", {"gatekeeper": None}),
    ],
)
def test_fields(text: str, fields: dict[str, Any]) -> None:
    """A release may stand first and alone; everything else is a field of a shape, of the type that it has there."""
    a, b = parse_arms((text, "v3.18.3"))

    assert (a.fields, b.fields) == (fields, {"gatekeeper": "v3.18.3"})
    assert (a.label, b.label) == ("A", "B")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("v3.20.1,values=a.yaml", {"gatekeeper": "v3.20.1", "install": "chart", "own": {"values": "a.yaml"}}),
        ("checkout=../g,install=manifest", {"install": "manifest", "own": {"checkout": "../g"}}),
        ("namespace=policy,workers=3", {"workers": 3, "own": {"namespace": "policy"}}),
    ],
)
def test_what_differs_from_a_release(text: str, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the long form of a shape's Gatekeeper; files are found from the working directory."""
    monkeypatch.chdir("/usr/share")
    files = {name: str(Path("/usr/share", value)) for name, value in fields["own"].items() if name != "namespace"}
    own = fields["own"] | files
    expected = {**fields, "own": own | ({"checkout": "/usr/g"} if "checkout" in own else {})}

    assert parse_arms((text, "v3.18.3"))[0].fields == expected


def test_problems() -> None:
    """All problems of both arms are one error, each with the arm, and with the word that was meant."""
    with pytest.raises(BadScenario) as refused:
        parse_arms(("", "v3.20.1,instal=chart,workers=two,registry=maybe,v3.18.3,gatekeeper=v1,install="))

    there = "control_planes, workers, kubernetes, gatekeeper, install, registry, certificate, images, kind, releases, "
    there += "values, image, checkout, dockerfile, namespace"
    assert list(refused.value.problems) == [
        "A: '': expected a value for gatekeeper",
        f"B: 'instal=chart': there is no field instal; did you mean install? there are {there}",
        "B: 'workers=two': expected a whole number for workers",
        "B: 'registry=maybe': expected true or false for registry",
        "B: 'v3.18.3': expected a release such as v3.20.1 first, then FIELD=VALUE, with commas between them",
        "B: 'gatekeeper=v1': gatekeeper is given twice",
        "B: 'install=': expected a value for install",
    ]
