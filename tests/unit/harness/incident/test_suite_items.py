"""Incidents name suites of gator's, whose cases are asked all the time."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.manifests import policies_of
from tests.fakes.incidents import incident

_SUITES = Path(__file__).parents[3] / "suites"


def _incident(folder: Path, *items: dict[str, Any], **changes: Any) -> Any:
    for name in ("allowed-repos", "required-labels", "privileged", "replica-limits", "review-delete", "skipped"):
        shutil.copytree(_SUITES / name, folder / name, dirs_exist_ok=True)
    return incident(folder, policies=list(items), **changes)


def test_each_test_is_a_policy(tmp_path: Path) -> None:
    """Two suites that do not disturb each other are in force together, and all that they read goes into a bundle."""
    loaded = _incident(
        tmp_path, {"suite": "allowed-repos/suite.yaml"}, {"suite": "replica-limits/suite.yaml", "tests": ["few"]}
    )
    policies = policies_of(loaded)
    names = [policy.name.partition(": ")[2] for policy in policies]
    assert names == ["only-our-registry", "few"]
    assert [question.wanted for question in policies[0].questions] == ["admitted", "denied", "denied"]
    assert {path.name for path in loaded.files} >= {"suite.yaml", "template.yaml", "both-foreign.yaml", "few.yaml"}


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([{"suite": "allowed-repos/suit.yaml"}], "no file 'allowed-repos/suit.yaml'"),
        ([{"suite": "replica-limits/suite.yaml", "tests": ["fw"]}], "no test 'fw' in suite.yaml; did you mean few?"),
        ([{"suite": "replica-limits/suite.yaml"}], "the tests few and many cannot be in force together"),
        (
            [{"suite": "allowed-repos/suite.yaml"}, {"suite": "privileged/suite.yaml"}],
            "the tests only-our-registry and nothing-privileged cannot be in force together",
        ),
        ([{"suite": "allowed-repos/suite.yaml", "policy": "deny_pods"}], "expected one of object, file, policy, suite"),
    ],
)
def test_what_is_wrong_with_suites(tmp_path: Path, items: list[dict[str, Any]], problem: str) -> None:
    """A missing file, an unknown test, and tests that disturb each other are told with the place in the incident."""
    with pytest.raises(BadScenario, match=r"a\.yaml:\d+:\d+: policies") as caught:
        _incident(tmp_path, *items)
    assert problem in str(caught.value)


def test_a_file_outside(tmp_path: Path) -> None:
    """What a suite names outside of the incident's folder would be missing in a bundle."""
    inner = tmp_path / "inner"
    inner.mkdir()
    shutil.copytree(_SUITES / "privileged", tmp_path / "privileged")
    shutil.copytree(_SUITES / "skipped", inner / "skipped")
    (inner / "skipped" / "suite.yaml").write_text(
        (inner / "skipped" / "suite.yaml").read_text(encoding="utf-8").replace("../privileged", "../../privileged"),
        encoding="utf-8",
    )
    with pytest.raises(BadScenario, match="leads out of"):
        incident(inner, policies=[{"suite": "skipped/suite.yaml"}])
