"""Schema: what editors are told is what the harness reads, and every incident of the repository can be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.catalogue import KINDS, entries
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.schema import PARTS, schema

_FOLDER = Path(__file__).parents[4] / "scenarios/incidents"
_FILE = _FOLDER / "schema.json"
_INCIDENTS = sorted(_FOLDER.glob("*.yaml"))


def _bare(part: Any) -> Any:
    """Return a schema without the descriptions, which say nothing of what is accepted."""
    match part:
        case dict():
            return {name: _bare(child) for name, child in part.items() if name != "description"}
        case list():
            return [_bare(child) for child in part]
    return part


def test_true() -> None:
    """The file is what is exported, but for its words, and for faults, probes and checks that are newer."""
    exported = json.loads(_FILE.read_text(encoding="utf-8"))
    known = {kind: exported["$defs"][PARTS[kind]]["properties"][kind]["examples"] for kind in KINDS}

    assert all(set(names) <= entries(kind).keys() for kind, names in known.items())
    made = json.loads(json.dumps(schema(lambda kind, name: name in known[kind])))
    assert _bare(exported) == _bare(made), "make it anew: nox -s schema > scenarios/incidents/schema.json"


def test_parameters_are_told() -> None:
    """For each named thing there is a branch with its parameters and the first sentence of what it is."""
    branches = schema()["$defs"]["Step"]["allOf"]
    (cut,) = [branch for branch in branches if branch["if"]["properties"]["fault"]["const"] == "cut_registry"]
    parameters: dict[str, Any] = cut["then"]["properties"]["with"]

    assert parameters["properties"]["how"]["enum"] == ["stop", "drop", "503"]
    assert parameters["additionalProperties"] is False
    assert parameters["description"].startswith("Return the fault that makes pulls impossible")


@pytest.mark.parametrize("path", _INCIDENTS, ids=lambda path: path.stem)
def test_incidents(path: Path) -> None:
    """An incident can be read, names its schema, a link to its issue, and at least one symptom."""
    incident = load(path).incident

    assert path.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=schema.json\n")
    assert incident.links
    assert any(claimed.symptom and claimed.issue for claimed in incident.claims)
