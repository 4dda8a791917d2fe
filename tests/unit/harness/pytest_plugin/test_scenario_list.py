"""Scenario list: --list shows what would run, and touches nothing."""

import json
from pathlib import Path

from tests.fakes.session_folder import SessionFolder

_ROWS = '''
import pytest
pytestmark = [pytest.mark.shape(workers=1)]
@pytest.mark.parametrize("row", [pytest.param(n, marks=pytest.mark.takes(150, experiment=n)) for n in ("a", "b")])
@pytest.mark.parametrize("kind", ["x", "y"])
def test_row(cluster, row, kind):
    """A pod
    serves.

    Whatever else is true."""
'''
_INCIDENT = """
schema: 1
title: A title
shape: {workers: 2}
faults:
  - {id: cut, fault: cut_registry, at: 2s, lasts: 8m}
  - {fault: kill_containers, after: cut, with: {selector: gatekeeper.sh/operation=webhook}}
claims:
  - check: recovers_within
    with: {seconds: 60, how: killed}
    expect: violated
    issue: open-policy-agent/gatekeeper#3839
  - check: no_request_during
"""


def test_list(tmp_path: Path) -> None:
    """Each experiment has its minutes and claims, each file its memory; no cluster is made."""
    bench = SessionFolder(tmp_path)
    bench.write(rows=_ROWS)
    (tmp_path / "incidents").mkdir()
    (tmp_path / "incidents" / "cut.yaml").write_text(_INCIDENT, encoding="utf-8")
    status, output = bench.run("--list", "incidents", "test_rows.py")
    assert status == 0, output
    shown = output[output.index("incidents/cut.yaml (") : output.index("of memory")].splitlines()
    assert [line.partition(" (")[0] if " (1cp" in line else line for line in shown] == [
        "incidents/cut.yaml",
        "  test_cut: 9 minutes",
        "    - pods killed recover within 60 s during cut registry: violated (open-",
        "      policy-agent/gatekeeper#3839)",
        "    - the registry answers nothing during cut registry: holds",
        "test_rows.py",
        "  a: 2 minutes",
        "    - A pod serves.",
        "  b: 2 minutes",
        "    - claims the same",
        "5 tests in 3 experiments: about 17 minutes, 2.6 GiB ",
    ]
    assert "2.0 GiB)" in output
    assert bench.did() == []


def test_list_for_scripts(tmp_path: Path) -> None:
    """The file of --json says which fields of its shape a file names itself, and what its experiments take."""
    bench = SessionFolder(tmp_path)
    bench.write(rows=_ROWS)
    values = tmp_path / "values.yaml"
    values.write_text("validatingWebhookFailurePolicy: Fail\n", encoding="utf-8")
    chosen = ["--install", "chart", "--values", str(values), "test_rows.py"]
    status, output = bench.run("--list", "--json", str(tmp_path / "list.json"), *chosen)
    assert status == 0, output
    (described,) = json.loads((tmp_path / "list.json").read_text(encoding="utf-8"))
    assert (described["file"], described["named"]) == (str(tmp_path / "test_rows.py"), ["workers"])
    assert described["shape"]["own"]["values"]["path"] == str(values)
    assert [(each["name"], each["seconds"], each["stated_seconds"]) for each in described["experiments"]] == [
        ("a", 150.0, 150.0),
        ("b", 150.0, 150.0),
    ]
    assert bench.did() == []


def test_json_is_of_a_list_and_values_are_of_a_chart(tmp_path: Path) -> None:
    """What could not be meant is refused, all of it at once, before anything is touched."""
    bench = SessionFolder(tmp_path)
    bench.write(rows=_ROWS)
    values = tmp_path / "values.yaml"
    values.write_text("replicas: 1\n", encoding="utf-8")
    status, output = bench.run("--json", "list.json", "--install", "manifest", "--values", str(values))
    assert status == 4, output
    assert "list.json is for what" in output
    assert "say install: chart" in output
    assert bench.did() == []
