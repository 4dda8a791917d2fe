"""Bare words: a word where a list wants fields is refused with how it is written, and what it says is right."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import load

_GOOD: dict[str, Any] = {
    "schema": 2,
    "title": "A title",
    "faults": [{"fault": "delete_replicas"}],
    "claims": [{"check": "undisturbed"}],
}
_NAMESPACE = {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "a"}}


def _problem(folder: Path, section: str, part: object) -> str:
    """Return the problem that a part of a list is, "" if it is none."""
    (folder / "b.yaml").write_text(yaml.safe_dump(_NAMESPACE), encoding="utf-8")
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | {section: [part]}), encoding="utf-8")
    try:
        load(path)
    except BadScenario as error:
        return next((problem for problem in error.problems if f"{section}.0: " in problem), "")
    return ""


@pytest.mark.parametrize(
    ("section", "word", "said"),
    [
        ("policies", "mutate_pods", "{policy: mutate_pods}"),
        ("policies", "b.yaml", "{file: b.yaml}"),
        ("faults", "delete_replicas", "{fault: delete_replicas}"),
        ("claims", "undisturbed", "{check: undisturbed}"),
        ("probes", "read_clocks", "{probe: read_clocks}"),
        ("preparations", "fail_closed", "{preparation: fail_closed}"),
        ("setup", "b.yaml", "{file: b.yaml}"),
        ("workload", "b.yaml", "{file: b.yaml}"),
    ],
)
def test_what_is_said_is_right(tmp_path: Path, section: str, word: str, said: str) -> None:
    """Whoever writes what the message says has no such problem any more."""
    problem = _problem(tmp_path, section, word)
    assert problem.endswith(f"{section}.0: expected fields, found {word!r}; say {said}")
    assert "expected fields" not in _problem(tmp_path, section, yaml.safe_load(said))


@pytest.mark.parametrize(
    ("section", "word", "said"),
    [
        ("faults", "kill_nod", "found 'kill_nod'; did you mean kill_node? say {fault: NAME}"),
        ("policies", "nothing like it", "found 'nothing like it'; say {policy: NAME}"),
        ("setup", "b", "found 'b'; say {file: NAME}"),
        ("faults", 7, "expected fields, found 7"),
        ("faults", "kill\u202enode", r"found 'kill\u202enode'"),
    ],
)
def test_what_is_not_known(tmp_path: Path, section: str, word: object, said: str) -> None:
    """A word that names nothing is not repeated as if it did, and what is no word has no such advice."""
    assert _problem(tmp_path, section, word).endswith(said)
