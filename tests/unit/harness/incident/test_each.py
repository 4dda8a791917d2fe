"""Each: $each where it stands for nothing is told, with what to write; where it may stand, each value is tried."""

from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.each import Turns, with_each
from chaos_harness.harness.incident.load import load
from tests.fakes.incidents import incident

_CUT: dict[str, Any] = {"fault": "cut_registry", "at": 0, "lasts": "10s"}
_ALONE = "$each stands for a value of `for_each` in the parameters of steps, `with`, alone: write here what is meant"
_NONE = "$each stands for a value of `for_each`, and this file has none: add a list of them, such as `for_each: [A, B]`"


def _problems(folder: Path, *steps: dict[str, Any], **changes: Any) -> list[str]:
    given: dict[str, Any] = {"schema": 2, "claims": [{"check": "no_request_during"}], "faults": [_CUT, *steps]}
    with pytest.raises(BadScenario) as refused:
        incident(folder, **{**given, **changes})
    return [problem.partition("a.yaml:")[2].partition(" ")[2] for problem in refused.value.problems]


def _step(fault: str, **values: Any) -> dict[str, Any]:
    return {"fault": fault, "at": "20s", "lasts": "10s", "with": values}


@pytest.mark.parametrize("values", [{}, {"for_each": []}])
def test_nothing_to_stand_for(tmp_path: Path, values: dict[str, Any]) -> None:
    """Without `for_each` it is one problem, and not one of the parameter."""
    step = _step("edit_object", kind="ConfigMap", name="a", namespace="default", patch={"data": {"a": "$each"}})
    assert _problems(tmp_path, step, **values) == [f"faults.1.with.patch.data.a: {_NONE}"]


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"faults": [{**_CUT, "lasts": "$each"}]}, "faults.0.lasts"),
        ({"faults": [_CUT, {"wait": "$each", "at": "20s"}]}, "faults.1.wait"),
        ({"faults": [{"fault": "cut_registry", "when": {"kind": "$each"}, "lasts": "10s"}]}, "faults.0.when.kind"),
        ({"faults": [_CUT, {"fault": "$each", "at": "20s"}]}, "faults.1.fault"),
        ({"claims": [{"check": "no_request_during", "with": {"fault": "$each"}}]}, "claims.0.with.fault"),
        ({"probes": [{"probe": "ask_api_server", "with": {"every": "$each"}}]}, "probes.0.with.every"),
        (
            {"preparations": [{"preparation": "time_out_webhooks", "with": {"mutation": "$each"}}]},
            "preparations.0.with.mutation",
        ),
    ],
)
def test_where_it_stands_for_nothing(tmp_path: Path, changes: dict[str, Any], place: str) -> None:
    """Only parameters of steps have the values of turns."""
    assert _problems(tmp_path, for_each=["1", "2"], **changes) == [f"{place}: {_ALONE}"]


def test_a_part_of_a_text(tmp_path: Path) -> None:
    """It is a whole value."""
    (said,) = _problems(tmp_path, _step("kill_containers", selector="app=$each"), for_each=["web", "api"])
    words = "say $each alone, and all of 'app=$each' in `for_each`, as 'app=A'"
    assert said == f"faults.1.with.selector: $each stands for a whole value: {words}"


def test_a_name_of_a_field(tmp_path: Path) -> None:
    """It is a value, and no name."""
    step = _step("edit_object", kind="ConfigMap", name="a", namespace="default", patch={"data": {"$each": "a"}})
    (said,) = _problems(tmp_path, step, for_each=["a", "b"])
    assert "$each stands for a value, and not for the name of a field" in said


def test_a_time(tmp_path: Path) -> None:
    """A time has its unit, which is read before the turns are known."""
    step = _step("flap_webhook", every="$each")
    assert _problems(tmp_path, step, for_each=["1s", "2s"]) == [
        "faults.1.with.every: $each cannot stand for a time: write one, such as 30s, and a step for each of several"
    ]


def test_itself(tmp_path: Path) -> None:
    """It is none of the values for which it stands."""
    said = _problems(tmp_path, for_each=["$each", "stop"], faults=[{**_CUT, "with": {"how": "$each"}}])
    assert "for_each.0: '$each' cannot be a value of `for_each`: it stands for one of them" in said


def test_a_value_that_is_wrong(tmp_path: Path) -> None:
    """It is told where $each stands, and that it comes from `for_each`."""
    step = {**_CUT, "with": {"how": "$each"}}
    assert _problems(tmp_path, faults=[step], for_each=["stop", "kill"]) == [
        "faults.0.with.how: expected 'stop', 'drop' or '503', found 'kill' (it is a value of `for_each`)"
    ]


def test_a_word_like_it(tmp_path: Path) -> None:
    """Who writes it otherwise is told which word there is."""
    said = _problems(tmp_path, _step("stop_node", node="$Each"), for_each=["$worker", "$worker2"])
    assert any("no such reference '$Each'; did you mean $each? there are" in line for line in said)


def test_where_it_stands_for_a_value(tmp_path: Path) -> None:
    """In any parameter of a step, and in what is below; in texts for readers it is a word."""
    steps = [
        _step("stop_node", node=["$each"]),
        _step("edit_object", kind="ConfigMap", name="$each", namespace="default", patch={"data": {"a": "$each"}}),
    ]
    changes: dict[str, Any] = {"schema": 2, "claims": [{"check": "no_request_during"}]}
    with pytest.raises(BadScenario, match="'a' is a node of another cluster"):
        incident(tmp_path, faults=[_CUT, *steps], for_each=["a", "b"], **changes)
    loaded = incident(tmp_path, faults=[_CUT, steps[1]], for_each=["a", "b"], story="As $each says.", **changes)
    assert loaded.incident.repeat == 2
    assert load(loaded.path, context=RECORDED).incident == loaded.incident


def test_turns() -> None:
    """Each turn has its value in the parameters of steps, and nowhere else."""
    step = {"fault": "$each", "with": {"a": ["$each", {"b": "$each"}], "c": "x$each"}}
    assert Turns({"faults": [step, "no step"], "for_each": [1, True]}).data == [
        {
            "faults": [{"fault": "$each", "with": {"a": [value, {"b": value}], "c": "x$each"}}, "no step"],
            "for_each": [1, True],
        }
        for value in (1, True)
    ]
    assert with_each("$each", None) is None


@pytest.mark.parametrize(
    "data", [{}, {"faults": None}, {"faults": "$each"}, {"for_each": "$each"}, {"faults": {"a": 1}}]
)
def test_data_that_is_wrong(data: dict[str, Any]) -> None:
    """Whatever a file has, there is one turn, and its problems can be told."""
    turns = Turns(data)
    assert turns.data == [data]
    list(turns.problems())
