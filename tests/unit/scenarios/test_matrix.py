"""Matrix: the table of predictions is whole, and docs/findings shows it as it is."""

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import pytest

from chaos_harness.harness.checks import Check
from chaos_harness.scenarios.registry_cut import test_registry, test_registry_chart
from chaos_harness.scenarios.registry_cut.table import (
    ISSUE,
    ROWS,
    TREATMENTS,
    CutRow,
    Image,
    PolicySource,
    claim_all_killed,
    markdown,
    rows,
)

if TYPE_CHECKING:
    from chaos_harness.harness.experiment.lifecycle import Experiment

ROOT = Path(__file__).parents[3]


def test_whole() -> None:
    """Every policy stands in the table once with every place of the image: with three treatments, 18 cells."""
    assert [(row.policy, row.image) for row in ROWS] == list(product(_in_order(), get_args(Image)))
    assert {row.policy for row in ROWS} == set(get_args(PolicySource))
    assert len(ROWS) * len(TREATMENTS) == 18


def test_each_row_is_gone_through() -> None:
    """Every row belongs to one of the two files, so that each cell is a test."""
    assert [*rows("manifest"), *rows("chart")] == list(ROWS)
    assert test_registry.pytestmark.kwargs["install"] == "manifest"
    assert test_registry_chart.pytestmark.kwargs["install"] == "chart"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_predictions_have_a_reason(row: CutRow) -> None:
    """A replica left alone serves; one that must start serves if it has the image and needs no registry."""
    starts = row.policy != "Always" and row.image == "on the node"
    assert row.predicted("left alone") == "holds"
    assert {row.predicted("killed"), row.predicted("rescheduled")} == {"holds" if starts else "violated"}


def test_issue() -> None:
    """The upstream issue stands behind what `Always` breaks, and behind nothing else."""
    for row, treatment in product(ROWS, TREATMENTS):
        broken = row.policy == "Always" and row.predicted(treatment) == "violated"
        assert row.issue(treatment) == (ISSUE if broken else None)


def test_all_killed() -> None:
    """With the image on the node, the pull policy alone decides whether all killed replicas enforce again in time."""
    claims: list[tuple[str, str, str | None]] = []

    class Claiming:
        def claim(self, check: Check, *, expected: str = "holds", issue: str | None = None) -> None:
            claims.append((check.__name__, expected, issue))

    for row in test_registry.PRESENT:
        claim_all_killed(cast("Experiment", Claiming()), row)
    among = "cut registry and kill containers"
    which = "(mutate pods, deny by rego), unless timed out"
    meanwhile = f"enforcement comes back while {among} last {which}"
    after = f"enforcement comes back after {among} {which}"
    assert [row.policy for row in test_registry.PRESENT] == ["Always", "patched IfNotPresent"]
    assert claims == [
        (meanwhile, "violated", ISSUE),
        (after, "holds", None),
        (meanwhile, "holds", None),
        (after, "holds", None),
    ]


def test_docs() -> None:
    """The page of the finding shows the table of the code, character by character."""
    assert markdown() in (ROOT / "docs/findings/gatekeeper-3839.md").read_text(encoding="utf-8")


def _in_order() -> list[str]:
    return list(dict.fromkeys(row.policy for row in ROWS))
