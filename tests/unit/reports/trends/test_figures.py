"""Metrics: figures as Allure and Prometheus read them."""

import re
from dataclasses import replace

from chaos_harness.harness.experiment.record import ClaimRecord, Phase, Record
from chaos_harness.reports.trends.figures import allure_performance, collect_samples, figure_titles, open_metrics


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


def test_text_is_open_metrics() -> None:
    """Families are typed before their samples and never interleaved, labels escaped, and it ends with EOF."""
    records = _records()
    lines = open_metrics(collect_samples(records), records).splitlines()
    family = re.compile(r"# TYPE (\w+) gauge")
    sample = re.compile(r'(\w+)\{(\w+="(?:[^"\\]|\\.)*",?)*\} \S+')
    current = ""
    for line in lines[:-1]:
        if typed := family.fullmatch(line):
            current = typed[1]
        elif not line.startswith("#"):
            matched = sample.fullmatch(line)
            assert matched is not None, line
            assert matched[1] == current
    assert lines[-1] == "# EOF"
    assert r'claim="pods \"a\" recover"' in "\n".join(lines)
    assert "# UNIT chaos_serving_seconds seconds" in lines
    assert sum(line.startswith("chaos_claim_as_expected{") for line in lines) == 2


def test_whatever_a_claim_says_it_is_one_line() -> None:
    """Line ends, escape sequences and half characters are written out, and can be UTF-8."""
    record = _records()
    name = next(iter(record))
    claim = replace(record[name].claims[0], name='a\r\n\x1b[2J\ud800"\\')
    hostile = {name: replace(record[name], claims=[claim])}
    text = open_metrics(collect_samples(hostile), hostile)

    text.encode()
    assert text.isprintable() or set(filter(lambda letter: not letter.isprintable(), text)) == {"\n"}
    assert r'claim="a\\r\n\\x1b[2J\\ud800\"\\"' in text
