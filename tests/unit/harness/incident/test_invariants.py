"""Invariants: which parts of the bundle a file's claim has, by what the file watches and asks for."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.catalogue import watch_groups
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.needs import needs_of, source_of
from chaos_harness.harness.invariants import INVARIANTS

_GENERATED = ["generated", "constraints ChaosDeniedByCel"]
_GOOD: dict[str, Any] = {
    "schema": 2,
    "title": "A title",
    "policies": [{"policy": "deny_pods_by_cel"}],
    "faults": [{"fault": "restart_rollout", "at": "2s"}],
    "claims": [{"check": "gatekeeper_invariants"}],
}
_ALWAYS = {"ready_means_enforcing", "replicas_agree"}


def _id(folder: Path, context: str | None = None, **changes: Any) -> str:
    """Return the id of a file's claim."""
    path = folder / "a.yaml"
    path.write_text(yaml.safe_dump(_GOOD | changes, sort_keys=False), encoding="utf-8")
    return check_of(load(path, context=context).incident.claims[0]).id


def _claim(**values: Any) -> dict[str, Any]:
    return {"claims": [{"check": "gatekeeper_invariants", "with": values}]}


@pytest.mark.parametrize(
    ("changes", "left_out"),
    [
        ({}, set(INVARIANTS) - _ALWAYS),
        ({"watch": _GENERATED}, {"nobody_writes_at_rest", "leases_admitted"}),
        ({"watch": _GENERATED[:1]}, {"nobody_writes_at_rest", "policies_match", "leases_admitted"}),
        ({"watch": [*_GENERATED, "webhooks"]}, {"leases_admitted"}),
        (
            {"watch": [*_GENERATED, "webhooks"], "probes": [{"probe": "ask_api_server"}]},
            set(),
        ),
        (
            _claim(without=["replicas_agree", *sorted(set(INVARIANTS) - _ALWAYS)]),
            set(INVARIANTS) - {"ready_means_enforcing"},
        ),
    ],
)
@pytest.mark.parametrize("context", [None, RECORDED])
def test_parts_that_nothing_records_are_left_out(
    changes: dict[str, Any], left_out: set[str], context: str | None, tmp_path: Path
) -> None:
    """The claim's id names them, also when a bundle is judged again; what the file itself leaves out stays so."""
    words = f"without=[{', '.join(sorted(left_out))}]" if left_out else ""
    assert _id(tmp_path, context, **changes) == f"gatekeeper_invariants({words})"


def test_a_part_that_is_wanted_needs_what_it_reads(tmp_path: Path) -> None:
    """Who names the parts to leave out has the others judged, which are refused if nothing records what they read."""
    with pytest.raises(BadScenario) as refused:
        _id(tmp_path, **_claim(without=["leases_admitted", "policies_match", "has_generator"]))
    assert "gatekeeper_invariants needs `watch: [webhooks]`, which is not in this file" in str(refused.value)


def test_no_such_part(tmp_path: Path) -> None:
    """A part that there is not is refused, with those that there are."""
    with pytest.raises(BadScenario, match=r"claims\.0\.with\.without\.0: .*'ready_means_enforcing'"):
        _id(tmp_path, **_claim(without=["replicas_agre"]))


def test_each_part_can_be_had() -> None:
    """What a part reads is a group of lists or a probe that a file can name, or in every history."""
    sources = {source_of(stream) for name in INVARIANTS for stream in needs_of(name).streams} - {("", "")}
    assert sources == {
        ("watch", "generated"),
        ("watch", "constraints"),
        ("watch", "webhooks"),
        ("probes", "ask_api_server"),
    }
    assert {value for name, value in sources if name == "watch"} <= watch_groups().keys()
