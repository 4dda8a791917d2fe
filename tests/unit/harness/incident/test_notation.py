"""Notation: schema 2 names steps by id, policies by name, and writes times with their unit."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.harness.catalogue import KINDS, entries
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.durations import is_duration
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import LoadedIncident, load

_KILL = {"fault": "kill_containers", "after": "cut"}
_GOOD: dict[str, Any] = {
    "schema": 2,
    "title": "A title",
    "policies": [{"policy": "mutate_pods"}, {"policy": "deny_pods_by_cel"}],
    "faults": [
        {"fault": "cut_registry", "id": "cut", "at": "2s", "lasts": "1m"},
        {"id": "audit", **_KILL, "with": {"selector": "a=b"}},
        {"id": "webhook", **_KILL, "with": {"selector": "c=d"}},
        {"fault": "stop_node", "at": "2m", "lasts": "1m", "with": {"node": "$worker"}},
    ],
    "claims": [{"check": "no_request_during"}],
}
_PLAIN = {"rate", "cpu", "at_most", "count", "rules", "enough", "least", "most", "times", "webhooks"}
"""Parameters that are numbers, and no times."""


def _load(folder: Path, **changes: Any) -> LoadedIncident:
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    return load(path)


def _claim(check: str, **values: Any) -> dict[str, Any]:
    return {"claims": [{"check": check, "with": values}]}


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        (_claim("no_request_during"), "no_request_during()"),
        (_claim("no_request_during", fault="cut"), "no_request_during()"),
        (_claim("no_request_during", fault="cut_registry"), "no_request_during()"),
        (_claim("undisturbed", during="stop_node"), "undisturbed(during=stop node)"),
        (_claim("undisturbed", during="webhook"), "undisturbed(during=fault 3)"),
        (_claim("undisturbed", during="webhook") | {"repeat": 2}, "undisturbed(during=[fault 3, fault 7])"),
        (_claim("undisturbed", during=["webhook", "audit"]), "undisturbed(during=[kill containers])"),
        (_claim("undisturbed", during=["cut", "audit"]), "undisturbed(during=[cut registry, fault 2])"),
        (_claim("recovers", seconds="1.5m", how="killed", steady="500ms"), "recovers(90, killed, steady=0.5)"),
        (
            _claim("fail_open_window", seconds="75s", fault="cut", policies=["mutate_pods"]),
            "fail_open_window(75, cut registry, policies=[mutate pods])",
        ),
        (
            _claim("fail_open_window", seconds=0, fault="cut", policies=["deny_pods_by_cel"]),
            'fail_open_window(0, cut registry, policies=["deny by cel (vap)", "deny by cel (webhook)"])',
        ),
        (
            _claim("enforcement_parity", policy="deny by cel (vap)"),
            "enforcement_parity()",
        ),
    ],
)
def test_claims_are_the_same_claims(tmp_path: Path, claim: dict[str, Any], expected: str) -> None:
    """What a claim names is what a history calls it, so that the claim has the id that it had in schema 1."""
    (claimed,) = _load(tmp_path, **claim).incident.claims
    check = check_of(claimed)
    assert check.id.replace("fault=", "") == expected


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        (
            _claim("undisturbed", during="cut registry"),
            "claims.0.with.during: claims name a step by its id or its fault: cut instead of 'cut registry'",
        ),
        (
            _claim("undisturbed", during="kill_containers"),
            "claims.0.with.during: steps 2 and 3 do kill_containers: give the one that is meant an id, `id: …`; there",
        ),
        (_claim("undisturbed", during="fault 2"), "no step has the id, or the fault, 'fault 2'; there is cut, audit"),
        (_claim("undisturbed", during="webhok"), "'webhok'; did you mean webhook? there is cut, audit, webhook, stop"),
        (_claim("recovers", seconds=60, how="killed"), "claims.0.with.seconds: write 60s: a time has its unit"),
        (
            _claim("recovers", seconds="soon", how="killed"),
            "expected a duration such as 30s, 5m or 250ms, found 'soon'",
        ),
        (_claim("recovers", seconds="-1s", how="killed"), "expected a duration such as 30s, 5m or 250ms, found '-1s'"),
        ({"budget": 600}, "budget: write 600s: a time has its unit, such as 30s, 5m or 250ms"),
        (
            {"faults": [{"fault": "cut_registry", "at": 2.5, "lasts": "1m"}]},
            "faults.0.at: write 2.5s: a time has its unit",
        ),
        (
            {"probes": [{"probe": "ask_api_server", "with": {"every": 0.5}}]},
            "probes.0.with.every: write 0.5s: a time has its unit",
        ),
        (
            {"preparations": [{"preparation": "time_out_webhooks", "with": {"mutation": "1.5s"}}]},
            "preparations.0.with.mutation: expected whole seconds, found '1.5s'",
        ),
        (
            _claim("never_unmutated", policy="deny_pods_by_cel"),
            "answers about deny_pods_by_cel are counted as 'deny by cel (webhook)' and 'deny by cel (vap)': say which",
        ),
        (
            {"faults": _GOOD["faults"][1:2] and [{"fault": "stop_node", "at": 0, "with": {"node": "$worker"}}]},
            "fault is 'cut registry' unless it is given; no step does 'cut registry'; there is stop_node",
        ),
    ],
)
def test_what_is_refused(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    """Each is told once, where it stands, with what to write instead."""
    with pytest.raises(BadScenario) as refused:
        _load(tmp_path, **changes)

    assert problem in str(refused.value)
    assert len(refused.value.problems) == 1


def test_zero_needs_no_unit(tmp_path: Path) -> None:
    """Nothing is as long in any unit."""
    assert _load(tmp_path, recovery=0).incident.recovery == 0


def test_schema_1_is_read_as_before(tmp_path: Path) -> None:
    """Faults by the names that reports have, numbers of seconds: nothing of it is asked to be otherwise."""
    claim = _claim("recovers_after", seconds=60, how="killed", fault="kill containers")
    (claimed,) = _load(tmp_path, schema=1, budget=600, **claim).incident.claims
    assert check_of(claimed).id == "recovers_after(60, killed, fault=kill containers)"


@pytest.mark.parametrize("kind", KINDS)
def test_every_number_is_a_time_or_none(kind: Any) -> None:
    """Whoever adds a parameter that is a number says which it is, by a name that is known here."""
    numbers = {
        name
        for entry in entries(kind).values()
        for name, field in entry.parameters.model_fields.items()
        if field.annotation in (int, float) and not is_duration(entry, name)
    }
    assert numbers <= _PLAIN
