"""Foreign repository: whoever has installed the harness runs a scenario of their own on a real cluster."""

import json
from pathlib import Path

import pytest

from tests.foreign import Foreign, install

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.alone(reason="its scenario claims that every question was answered in time"),
]

_SECONDS = 1800.0

_LOADED = "tests/test_own.py::test_nothing_is_loaded"
"""The one own test that is about sessions without scenarios."""

_SCENARIO = '''
import clusters
import pytest

from chaos_harness.harness.checks.unmutated import never_unmutated
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.policies import mutate_pods

pytestmark = pytest.mark.shape(workers=1)

def test_pods_are_mutated(experiment: Experiment) -> None:
    """What is created is mutated while nothing is done."""
    assert clusters.OWNER == "mine"
    experiment.apply(mutate_pods())
    experiment.hold(15)
    experiment.claim(never_unmutated(excused=["timed out"]))
'''


def test_a_scenario_beside_own_tests(tmp_path: Path) -> None:
    """All tests of the repository pass in one session, on a cluster that is made and removed for it."""
    foreign = Foreign.make(tmp_path / "theirs", install(tmp_path), _SCENARIO)
    status, output = foreign.pytest("--chaos", "tests", "e2e", "--deselect", _LOADED, seconds=_SECONDS)

    assert status == 0, output
    assert "3 passed, 1 deselected" in output
    assert "1 of 1 claims came out as expected" in output
    (verdict,) = (foreign.folder / "chaos-results/latest/verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(verdict)["outcome"] == "holds"
