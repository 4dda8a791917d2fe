"""Durations: numbers that no computer holds are refused with a plain message, wherever a time or a number stands."""

import json
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.gatekeeper.webhook_settings import time_out_webhooks
from chaos_harness.harness.incident.durations import bare_numbers
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.model import seconds
from chaos_harness.harness.suites.during import ChosenFault

_DIGITS = "9" * 400
_GOOD: dict[str, Any] = {
    "schema": 2,
    "title": "A title",
    "faults": [{"fault": "cut_registry", "at": "2s", "lasts": "1m"}],
    "claims": [{"check": "no_request_during"}],
}


def _problems(folder: Path, changes: dict[str, Any], value: str) -> list[str]:
    path = folder / "a.yaml"
    path.write_text(json.dumps(_GOOD | changes).replace('"PLACE"', value), encoding="utf-8")
    with pytest.raises(BadScenario) as refused:
        load(path)
    return [problem.partition("a.yaml:")[2] for problem in refused.value.problems]


_PLACES: list[tuple[str, dict[str, Any]]] = [
    (
        "preparations.0.with.mutation",
        {"preparations": [{"preparation": "time_out_webhooks", "with": {"mutation": "PLACE"}}]},
    ),
    ("claims.0.with.seconds", {"claims": [{"check": "recovers", "with": {"seconds": "PLACE", "how": "killed"}}]}),
    ("probes.0.with.every", {"probes": [{"probe": "ask_api_server", "with": {"every": "PLACE"}}]}),
    ("faults.0.lasts", {"faults": [{"fault": "cut_registry", "at": "2s", "lasts": "PLACE"}]}),
    ("budget", {"budget": "PLACE"}),
]


@pytest.mark.parametrize("schema", [1, 2])
@pytest.mark.parametrize("changes", [changes for _, changes in _PLACES])
@pytest.mark.parametrize("value", [_DIGITS, f"-{_DIGITS}", "9" * 5000, f"0x{'f' * 5000}"])
def test_a_number_without_end(tmp_path: Path, changes: dict[str, Any], value: str, schema: int) -> None:
    """It is told by its line and column, and by how long it is."""
    (said,) = _problems(tmp_path, changes | {"schema": schema}, value)
    assert said.endswith(f" expected a number, found one of {len(value)} characters")


@pytest.mark.parametrize(("place", "changes"), _PLACES)
@pytest.mark.parametrize("value", [f'"{_DIGITS}s"', f'"{_DIGITS}.5h"', f'"{"9" * 5000}ms"'])
def test_a_time_without_end(tmp_path: Path, place: str, changes: dict[str, Any], value: str) -> None:
    """With a unit it is told as a time."""
    (said,) = _problems(tmp_path, changes, value)
    assert f": {place}: expected a duration of at most 6h, found '999" in said
    assert len(said) < 300


@pytest.mark.parametrize("value", ["7h", "21601s", f"{'9' * 300}s"])
def test_a_time_that_is_too_long(tmp_path: Path, value: str) -> None:
    """One that a computer holds is told with what it may be."""
    (said,) = _problems(tmp_path, {"recovery": value}, "")
    assert ": recovery: expected at most 21600, found" in said


def test_the_longest() -> None:
    """What is not too long is read."""
    assert seconds("6h") == 21_600
    assert seconds("0.5ms") == 0.0005
    with pytest.raises(ValueError, match="expected a duration of at most 6h, found '999"):
        seconds(f"{_DIGITS}s")


def test_numbers_that_are_in_no_file() -> None:
    """A number of any length that another reader took is told, too."""
    ((_, words),) = bare_numbers({"budget": 10**400})
    assert words == "expected a duration such as 30s, 5m or 250ms, found a number of 401 digits"
    with pytest.raises(BadScenario, match="every: expected a duration such as 30s, 5m or 250ms, found a number of 400"):
        ChosenFault.parse(f"flap_webhook:every={_DIGITS}", 30.0, Shape())
    with pytest.raises(BadScenario, match="the API server takes 1 to 30 s"):
        time_out_webhooks(mutation=10**400)
