"""Scenario list: --list shows what would run, and touches nothing."""

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
