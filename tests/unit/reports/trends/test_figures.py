"""Metrics: figures as Allure and Prometheus read them."""

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from chaos_harness.harness.experiment.record import ClaimRecord, Phase, Record
from chaos_harness.reports.trends.figures import allure_performance, collect_samples, figure_titles, open_metrics

_HOSTILE = 'a\r\n\x1b[2J\ud800"\\'


def _records() -> dict[str, Record]:
    claims = [
        ClaimRecord('pods "a" recover', "holds", "holds", None, "", [], {"serving_seconds": 12.5, "restarts": 2}),
        ClaimRecord("undecided", "holds", "inconclusive", None, "", [], {"serving_seconds": 99.0}),
    ]
    shape = {"gatekeeper": "v3.23.1", "kubernetes": "v1.36.4"}
    record = Record("x", {"shape": shape}, 7, "", "", phases=[Phase("hold", 10.0, 12.0)], claims=claims)
    return {"scenarios/test_a.py::test_b[c]": record}


def test_key_holds_what_makes_a_figure_comparable() -> None:
    """Test, versions, claim and figure are the key; what was not judged has no figure."""
    first, second = collect_samples(_records())

    assert first.key == 'scenarios/test_a.py::test_b[c] | v3.23.1 v1.36.4 | pods "a" recover | serving_seconds'
    assert (first.unit, second.unit, first.value, first.stop) == ("s", "", 12.5, 12.0)


def test_allure_gets_values_and_titles() -> None:
    """Each figure has a value in milliseconds of time, and a title with a unit."""
    figures = collect_samples(_records())

    assert [(entry["key"], entry["start"], entry["value"]) for entry in allure_performance(figures)] == [
        (figures[0].key, 10_000, 12.5),
        (figures[1].key, 10_000, 2),
    ]
    assert figure_titles(figures)[figures[0].key] == {
        "title": 'b[c]: pods "a" recover: serving',
        "unit": "s",
        "better": "lower",
    }
    assert "better" not in figure_titles(figures)[figures[1].key], "of restarts nobody knows"


_RECORDED = Path(__file__).with_name("open_metrics.prom")
"""What was written, by code that put the text together by hand, for the records of `_recorded`."""


def _claim(
    name: str, outcome: str, expected: str, figures: Mapping[str, float], issue: str | None = None
) -> ClaimRecord:
    return ClaimRecord(name, expected, outcome, issue, "", [], dict(figures))


def _recorded() -> dict[str, Record]:
    """Return records with a claim of each outcome, one made twice, names to be escaped, and figures of every size."""
    shape = {"gatekeeper": "v3.23.1", "kubernetes": "v1.36.4"}
    twice = _claim("webhook serves", "holds", "holds", {"serving_seconds": 0.1 + 0.2, "first_lost_seconds": math.inf})
    claims = [
        _claim('pods "a" recover', "holds", "holds", {"serving_seconds": 12.5, "restarts": 2, "lost_percent": 1e-9}),
        _claim("undecided", "inconclusive", "holds", {"serving_seconds": 99.0}),
        _claim(
            _HOSTILE, "violated", "violated", {"serving_seconds": 600.0, "size-of bytes": 1 << 40}, "gatekeeper#3839"
        ),
    ]
    phases = [Phase("hold", 10.0, 12.0)]
    return {
        "scenarios/test_a.py::test_b[c]": Record("x", {"shape": shape}, 7, "", "", phases=phases, claims=claims),
        "scenarios/test_a.py::test_c": Record("y", {"shape": {"kubernetes": "v1.36.4"}}, 7, "", "", claims=[twice] * 2),
    }


def _parsed(text: str) -> dict[str, tuple[str, str, list[tuple[dict[str, str], float]]]]:
    """Return type, unit and series of each family, as Prometheus' own parser reads them."""
    families = {}
    for family in text_string_to_metric_families(text):  # type: ignore[no-untyped-call]
        assert family.name not in families, "a family was interleaved with another one"
        series = [(sample.labels, sample.value) for sample in family.samples]
        families[family.name] = (family.type, family.unit, series)
    return families


def test_open_metrics_say_what_they_always_said() -> None:
    """Families, types, units, labels and values are those of the recorded text, and each family is explained."""
    records = _recorded()
    text = open_metrics(collect_samples(records), records)

    assert _parsed(text) == _parsed(_RECORDED.read_text(encoding="utf-8"))
    assert len(_parsed(text)) == text.count("# HELP ") == text.count("# TYPE ") == 6
    assert text.endswith("\n# EOF\n")


def test_of_two_values_with_the_same_labels_one_is_written() -> None:
    """A claim may be made twice in a test; Prometheus refuses a text that has both."""
    claims = [_claim("it", "holds", "holds", {"serving_seconds": value}) for value in (1.0, 2.0)]
    records = {"test_a": Record("x", {}, 7, "", "", claims=claims)}
    text = open_metrics(collect_samples(records), records)

    assert [line for line in text.splitlines() if "seconds{" in line] == [
        'chaos_serving_seconds{claim="it",on="",test="test_a"} 1.0'
    ]


def test_whatever_a_claim_says_it_is_one_line() -> None:
    """Line ends, escape sequences and half characters are written out, and can be UTF-8."""
    record = _records()
    name = next(iter(record))
    claim = replace(record[name].claims[0], name=_HOSTILE)
    hostile = {name: replace(record[name], claims=[claim])}
    text = open_metrics(collect_samples(hostile), hostile)

    text.encode()
    assert text.isprintable() or set(filter(lambda letter: not letter.isprintable(), text)) == {"\n"}
    assert r'claim="a\\r\n\\x1b[2J\\ud800\"\\"' in text
