"""Truth page: a truth table in Markdown, one row for each check, and one for each claim."""

import re
from collections.abc import Iterable, Mapping, Sequence
from statistics import median

from chaos_harness.harness.statistics import wilson
from chaos_harness.reports.truth.rows import Table, TruthCount, TruthRow, sum_counts

__all__ = ["by_check", "by_claim", "how_often", "last_line", "page"]

_OUTCOMES = ("holds", "violated", "inconclusive")
_CHECKS = (
    "check",
    "claims",
    "histories",
    *_OUTCOMES,
    "as predicted",
    "otherwise",
    "truth known",
    "false alarms",
    "missed",
)
_CLAIMS = (
    *("scenario", "claim", "on", "expected", "histories", *_OUTCOMES),
    *("judged again", "rate of `violated` (95 %)", "time to verdict", "not counted"),
)
_LEGEND = (
    "Each claim. `on` is Kubernetes, Gatekeeper and how that was installed. *judged again*: how many of the verdicts "
    "(`holds`, `violated`, `inconclusive`) were given later, by the same history. *not counted*: histories that other "
    "checks than today's judged."
)
_NAME = re.compile(r"\b([a-z]\w*)\(")
_ENOUGH, _SOME = 10, 3
"""So many verdicts a claim is to have, and with fewer than these its rate may be nearly anything."""
_WORDS: Mapping[str, str] = {"healthy": "known: healthy", "planted": "known: planted", "version": "known by version"}
_MARKUP = str.maketrans({"|": "\\|", "<": "&lt;", "\n": " ", "\r": " ", "`": "'"})


def by_check(table: Table) -> str:
    """Return a table with one row for each check, whatever its parameters, and one for all."""
    groups: dict[str, list[TruthCount]] = {}
    for count in table.counts():
        groups.setdefault(" & ".join(_NAME.findall(count.rows[0].id)) or count.rows[0].id, []).append(count)
    rows = [[_safe(name), *_numbers(sum_counts(group))] for name, group in sorted(groups.items())]
    everything = ["all", *_numbers(sum_counts(table.counts()))]
    return "\n".join(_table(_CHECKS, [*rows, everything]))


def by_claim(table: Table) -> str:
    """Return a table with one row for each claim on each version."""
    return "\n".join(_table(_CLAIMS, [_row_cells(count.rows[0], count) for count in table.counts()]))


def last_line(table: Table) -> str:
    """Return a summary in one line."""
    total = sum_counts(table.counts())
    words = [
        f"{total.decided} verdicts on {total.seen} histories",
        f"{total.as_predicted} as predicted, {total.unexpected} otherwise",
        f"{total.count_outcome('inconclusive')} inconclusive",
        f"truth known of {total.known}: {total.false_alarms} false alarms, {total.missed} missed",
        f"{total.earlier} histories judged by other checks than today's only" if total.earlier else "",
        f"{table.broken} tests broken" if table.broken else "",
    ]
    return "; ".join(filter(None, words))


def how_often(table: Table) -> str:
    """Return in a paragraph how many claims were judged often enough, and of how many nearly nothing is known."""
    decided = [count.decided for count in table.counts()]
    many = sum(number >= _ENOUGH for number in decided)
    some = sum(_SOME <= number < _ENOUGH for number in decided)
    few = sum(0 < number < _SOME for number in decided)
    return (
        f"Of {len(decided)} claims {many} have {_ENOUGH} verdicts or more, {some} have {_SOME} to {_ENOUGH - 1}, {few} "
        f"have fewer, and {decided.count(0)} have none by today's checks. A claim with fewer than {_ENOUGH} is thin."
    )


def page(table: Table) -> str:
    """Return the complete page in Markdown."""
    made_by = sorted({verdict.commit for count in table.counts() for _, verdict in count.verdicts if verdict.commit})
    parts = (
        "# What the checks said",
        f"{last_line(table)}. Made by {', '.join(made_by) or 'no commit'}.",
        by_check(table),
        how_often(table),
        _LEGEND,
        by_claim(table),
    )
    return "\n\n".join(parts) + "\n"


def _numbers(count: TruthCount) -> list[str]:
    counts = (
        len(count.rows),
        count.seen,
        *(count.count_outcome(outcome) for outcome in _OUTCOMES),
        *(count.as_predicted, count.unexpected, count.known, count.false_alarms, count.missed),
    )
    return [str(number) for number in counts]


def _row_cells(row: TruthRow, count: TruthCount) -> list[str]:
    issue = (row.issue or "").rpartition("/")[2]
    again = [count.count_outcome(outcome, again=True) for outcome in _OUTCOMES]
    seconds = [verdict.seconds for _, verdict in count.verdicts]
    return [
        _safe(_scenario(row.test)),
        f"`{_safe(row.id)}`",
        f"{row.kubernetes} {row.gatekeeper} {row.install}",
        " ".join(filter(None, (row.expected, _safe(issue), f"({_WORDS[row.known]})" if row.known else ""))),
        str(count.seen),
        *(str(count.count_outcome(outcome)) for outcome in _OUTCOMES),
        " ".join(map(str, again)) if any(again) else "-",
        wilson(count.count_outcome("violated"), count.decided).percent() if count.decided else "-",
        f"{median(seconds):.0f} s ({min(seconds):.0f} to {max(seconds):.0f})" if seconds else "-",
        str(count.earlier or "-"),
    ]


def _scenario(test: str) -> str:
    """Return a test's short name: the scenario, and its parameters if it has some."""
    function, _, parameters = test.rpartition("::")[2].partition("[")
    return ": ".join(filter(None, (function.removeprefix("test_").replace("_", " "), parameters.removesuffix("]"))))


def _safe(text: str) -> str:
    return text.translate(_MARKUP)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]
