"""Words: a comparison in a terminal of 80 columns, as the comment of a pull request, and as JSON."""

import json
import re
from pathlib import Path

import pytest

from chaos_harness.clusters.terminal.width import text_columns
from chaos_harness.harness.incident.ab.compare import compare
from chaos_harness.harness.incident.ab.markdown import MARKER, render_markdown
from chaos_harness.harness.incident.ab.observed import ObservedRun
from chaos_harness.harness.incident.ab.text import render_text
from chaos_harness.harness.incident.ab.words import ComparisonReport, describe
from tests.fakes.comparisons import chance, drawn, observed, outcomes


def _told(runs: list[ObservedRun], a: str = "v3.18.3", b: str = "v3.20.1") -> ComparisonReport:
    seeds = tuple(sorted({run.seed for run in runs}))
    return ComparisonReport({"A": a, "B": b}, compare(runs), seeds, Path("out/ab"))


def test_text() -> None:
    """Claims with their counts, intervals and what would have been seen; at the end the result, and the bundles."""
    lines = list(render_text(_told(outcomes("hhhhhh?", "vvvvvvv"))))

    assert lines == [
        "A: v3.18.3",
        "B: v3.20.1",
        "7 runs of A, 7 of B, seeds 0 to 6, in turn",
        "",
        "a: violated                                  A            B  seen from  verdict",
        "✗ the claim c                           0 of 6       7 of 7        78%  worse",
        "                                     0% to 46%  59% to 100%             only B",
        "                                   1 undecided",
        "",
        "B is worse than A, in 1 of 1 claims and figures.",
        "bundles:      out/ab",
        "without a cluster: nox -s ab -- --from out/ab",
    ]


@pytest.mark.parametrize("pairs", [1, 5, 12])
def test_eighty_columns(pairs: int) -> None:
    """No line of it is longer, whatever the numbers are, and however long the names of claims and arms are."""
    runs = drawn(chance(3), pairs, [(0.5, 0.5), (0.0, 1.0)], slower=12345.6)
    long = "image of the pull request, " * 6
    name = "the mutation of pods in every namespace lasts for 8 s after all replicas are deleted"
    runs += [observed(arm, 99, {name: "holds"}, {"mutate_pods_lost_least_seconds": 1.0}) for arm in ("A", "B")]

    lines = list(render_text(_told(runs, long, long)))

    assert max(map(text_columns, lines)) < 80
    assert [line for line in lines if not line.isprintable()] == []


def test_markdown() -> None:
    """The comment has the marker, the result, and a table; figures that are not worse are folded up."""
    runs = drawn(chance(3), 8, [(0.0, 1.0)], figures=1)

    lines = render_markdown(_told(runs)).splitlines()

    assert lines[0] == MARKER
    assert "### ✗ B is worse than A, in 1 of 2 claims and figures" in lines
    assert "**A** v3.18.3 · **B** v3.20.1 · 8 runs of A, 8 of B, seeds 0 to 7" in lines
    assert "| ✗ | a: the claim c0 | 0 of 8 (0% to 37%) | 8 of 8 (63% to 100%) | 81% | worse (only B) |" in lines
    assert "<details><summary>1 figure, not worse</summary>" in lines
    slow = render_markdown(_told(drawn(chance(3), 8, [(0.0, 0.0)], figures=1, slower=50)))
    assert "<details>" not in slow
    assert "<details>" not in render_markdown(_told(outcomes("hhhhh", "hhhhh")))


def test_markdown_is_safe() -> None:
    """What names say is shown as it is: no markup, no mention of somebody, no HTML; and there are only so many rows."""
    runs = [
        observed(arm, seed, {f"@octo | <b> [x](y) {number}\x1b": "holds" for number in range(100)})
        for arm in ("A", "B")
        for seed in range(4)
    ]

    text = render_markdown(_told(runs, "<script>,@all", "v3.20.1\n# no"))

    assert "&#64;octo \\| \\<b\\> \\[x\\](y) 0\\\\x1b" in text
    assert re.search(r"(?<!\\)<script", text) is None
    assert "\n# no" not in text
    assert "\nand 40 more" in text
    assert len(text) < 60_000


def test_json() -> None:
    """Everything is in it, and it is JSON that any reader takes: what is infinite is null."""
    told = _told(drawn(chance(3), 4, [(0.0, 1.0)], figures=1))

    read = json.loads(json.dumps(describe(told), allow_nan=False))

    assert read["judgement"] == "worse"
    assert read["claims"][0]["B"] == {
        "violated": 4,
        "decided": 4,
        "undecided": 0,
        "interval": [pytest.approx(0.3976, abs=1e-4), 1.0],
    }
    assert read["figures"][0]["interval"] == [None, None]
    assert read["figures"][0]["visible_difference"] is None
    assert len(read["figures"][0]["pairs"]) == 4


def test_notes() -> None:
    """Runs that say nothing are told, per arm, and that so few pairs judge no figure."""
    runs = drawn(chance(3), 5, [(0.0, 0.0)], figures=1)
    runs[0] = ObservedRun("A", "a", "", 0, 1, {}, {}, broken=True)

    lines = list(render_text(_told(runs)))

    assert "  A: 1 of 5 runs could not be judged, 1 broke" in lines
    assert "  so few pairs can call no figure worse; 6 can" in lines
