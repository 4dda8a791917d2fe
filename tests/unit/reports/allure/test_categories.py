"""Context: kinds of failures, and what the run stood on."""

import json
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest

from chaos_harness.harness.errors import ChaosError
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.verdict import Claim, Verdict
from chaos_harness.reports.allure.categories import (
    CATEGORIES,
    NO_LONGER_REPRODUCES,
    collect_environment,
    issue_url,
    mark_known_defect,
    write_categories,
    write_environment,
)

Matcher = Callable[[str, str], re.Match[str] | None]


def _categories(status: str, message: str, matches: Matcher = re.fullmatch) -> list[str]:
    of_status = [category for category in CATEGORIES if status in category["matchedStatuses"]]
    return [category["name"] for category in of_status if matches(category["messageRegex"], message)]


@pytest.mark.parametrize(
    ("status", "message", "category"),
    [
        ("failed", "chaos_harness.harness.errors.InvariantViolated: 3 requests refused", "Product failed"),
        ("failed", "AssertionError: assert 1 == 2\n +  where 1 = f()", "Product failed"),
        (
            "failed",
            f"chaos_harness.harness.errors.InvariantViolated: holds:\nremove it\n{NO_LONGER_REPRODUCES}\nflaky: 1 of 2",
            "Known upstream defect no longer reproduces",
        ),
        ("failed", "chaos_harness.harness.errors.InvariantViolated: it no longer reproduces", "Product failed"),
        ("broken", "chaos_harness.harness.errors.Inconclusive: 2 samples,\n30 needed", "Inconclusive"),
        ("broken", "Inconclusive: fault not proved", "Inconclusive"),
        (
            "broken",
            "chaos_harness.clusters.errors.EngineUnavailable: the last run was Inconclusive: no engine",
            "Harness broken",
        ),
        ("broken", "worker 'gw0' crashed", "Harness broken"),
        ("broken", "", "Harness broken"),
    ],
)
@pytest.mark.parametrize("matches", [re.fullmatch, re.search])
def test_failure_belongs_to_one_category(matches: Matcher, status: str, message: str, category: str) -> None:
    """Each failure has exactly one category, whether a reader of results matches whole or searches."""
    assert _categories(status, message, matches) == [category]


@pytest.mark.parametrize(
    ("outcome", "expected", "category"),
    [
        ("violated", "holds", "Product failed"),
        ("holds", "violated", "Known upstream defect no longer reproduces"),
        ("inconclusive", "holds", "Inconclusive"),
        ("inconclusive", "violated", "Inconclusive"),
    ],
)
def test_claim_that_is_not_met_has_its_category(
    outcome: Literal["holds", "violated", "inconclusive"], expected: Literal["holds", "violated"], category: str
) -> None:
    """What a claim raises, as pytest words it, is found by the category that is meant for it."""
    verdict = Verdict(outcome, "as seen", ("one", "two"))
    claim = Claim(lambda _: verdict, expected, issue="gatekeeper#3839")
    with pytest.raises(ChaosError) as raised:
        claim.accept(verdict)

    status = "failed" if isinstance(raised.value, AssertionError) else "broken"

    record = ClaimRecord.of(claim, verdict, 9.0, "judge")
    met = replace(record, expected=outcome)
    assert _categories(status, mark_known_defect(raised.exconly(), [met, record])) == [category]
    assert mark_known_defect("another error", [met]) == "another error"


def test_categories_are_written_for_both_readers(tmp_path: Path) -> None:
    """Allure 2 finds the categories among the results, Allure 3 in a configuration beside them."""
    (tmp_path / "results").mkdir()
    write_categories(tmp_path / "results")

    assert json.loads((tmp_path / "results/categories.json").read_text()) == list(CATEGORIES)
    assert json.loads((tmp_path / "allurerc.json").read_text()) == {"categories": list(CATEGORIES)}


def test_environment_of_several_shapes_names_each_value_once() -> None:
    """Two Gatekeeper versions in one run are both named, the Kubernetes version that they share once."""
    records = [
        Record("test", {"shape": {"kubernetes": "v1.36.4", "gatekeeper": gatekeeper}}, 7, "history", "journal")
        for gatekeeper in ("v3.20.1", "v3.23.1", "v3.20.1")
    ]

    properties = collect_environment(records)

    assert (properties["gatekeeper"], properties["kubernetes"], properties["seed"]) == (
        "v3.20.1, v3.23.1",
        "v1.36.4",
        "7",
    )


def test_properties_are_escaped(tmp_path: Path) -> None:
    """Blanks in names, and backslashes and newlines in values, do not break the file's lines."""
    write_environment(tmp_path, {"host quirks": "one\ntwo \\ three"})

    assert (tmp_path / "environment.properties").read_text() == "host\\ quirks=one\\ntwo \\\\ three\n"


def test_no_value_begins_another_property(tmp_path: Path) -> None:
    """Whatever ends a line for java.util.Properties, a comment's sign, or half a character stays in its place."""
    hostile = {"a\rb": "\r\nx=1\x0c\t\x1b]0;", "#c": " \ud800\u202e é"}
    write_environment(tmp_path, hostile)

    assert (tmp_path / "environment.properties").read_bytes().decode().split("\n") == [
        "a\\rb=\\r\\nx=1\\f\\t\\u001b]0;",
        "\\#c=\\ \\ud800\\u202e é",
        "",
    ]


def test_environment_has_no_secrets(tmp_path: Path) -> None:
    """They are taken out by name and by form before the file is written, which is its owner's only."""
    write_environment(tmp_path, {"proxy": "http://jdoe:Winter2026@p", "DB_PASSWORD": "Winter2026"})
    path = tmp_path / "environment.properties"

    assert "Winter2026" not in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("issue", "expected"),
    [
        ("gatekeeper#3839", "https://github.com/open-policy-agent/gatekeeper/issues/3839"),
        ("kubernetes/kubernetes#1", "https://github.com/kubernetes/kubernetes/issues/1"),
        ("https://x.example/1", "https://x.example/1"),
        ("javascript:alert(1)", ""),
        ("data:text/html,x", ""),
        ('https://x.example/"onload=x', ""),
        ("a fault that we know", ""),
    ],
)
def test_an_issue_links_to_the_web_only(issue: str, expected: str) -> None:
    """What is no address of the web has none."""
    assert issue_url(issue) == expected
