"""Samples: the verdicts and figures of two groups of runs, by what is the same in both."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from chaos_harness.reports.comparison.selection import Selected

__all__ = ["Group", "Key", "Samples", "read_samples"]

_PLACE = ("kubernetes", "gatekeeper", "install", "own")
_VERDICTS = """
SELECT v.run, v.test, v.claim, n.name, c.kubernetes, c.gatekeeper, c.install, c.own, v.outcome, v.judge
FROM verdicts v JOIN cells c USING (cell) JOIN claims n USING (claim)
WHERE v.run IN (SELECT unnest(?::VARCHAR[])) ORDER BY v.run, v.number
"""
_FIGURES = """
SELECT v.run, v.test, v.claim, n.name, c.kubernetes, c.gatekeeper, c.install, c.own, f.figure, f.value
FROM figures f JOIN verdicts v USING (run, number) JOIN cells c USING (cell) JOIN claims n USING (claim)
WHERE v.run IN (SELECT unnest(?::VARCHAR[])) AND v.outcome IN ('holds', 'violated') AND isfinite(f.value)
ORDER BY f.run, f.number
"""


class Key(NamedTuple):
    """One claim of one test in one cell: `on` is what of the cell is the same in both groups."""

    test: str
    claim: str
    on: str


@dataclass
class Group:
    """What the runs of one word say: of each claim the outcomes by run, of each figure the values by run.

    `judges` are the digests of what judged a claim. `broken` are tests that broke beside their claims, by run.
    """

    selected: Selected
    outcomes: dict[Key, dict[str, list[str]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    figures: dict[tuple[Key, str], dict[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    judges: dict[Key, set[str]] = field(default_factory=lambda: defaultdict(set))
    broken: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))


@dataclass(frozen=True)
class Samples:
    """Both groups, the name of each claim, and in what their cells differ as a whole: words for A and for B."""

    a: Group
    b: Group
    names: Mapping[Key, str]
    apart: tuple[str, str] | None


def read_samples(selected: Sequence[Selected]) -> Samples:
    """Return what two selections say.

    Where all cells of A have one value and all of B another, as two versions of Gatekeeper, that is what is compared
    and no part of a key.
    """
    verdicts = [one.database.rows(_VERDICTS, one.ids) for one in selected]
    values = [{name: {row[4 + at] for row in rows if row[2]} for at, name in enumerate(_PLACE)} for rows in verdicts]
    differ = [
        name for name in _PLACE if all(len(side[name]) == 1 for side in values) and values[0][name] != values[1][name]
    ]
    same = [at for at, name in enumerate(_PLACE) if name not in differ]
    groups = [Group(one) for one in selected]
    names: dict[Key, str] = {}
    for group, rows in zip(groups, verdicts, strict=True):
        for run, test, claim, name, *place, outcome, judge in rows:
            if not claim:
                group.broken[test].add(run)
                continue
            key = Key(test, claim, _words(place, same))
            names[key] = name
            group.outcomes[key][run].append(outcome)
            group.judges[key].add(judge)
        for run, test, claim, _, *place, figure, value in group.selected.database.rows(_FIGURES, group.selected.ids):
            group.figures[Key(test, claim, _words(place, same)), figure][run].append(value)
    first, second = (" ".join(next(iter(side[name])) for name in differ) for side in values)
    return Samples(groups[0], groups[1], names, (first, second) if differ else None)


def _words(place: Sequence[str], same: Sequence[int]) -> str:
    return " ".join(filter(None, (place[at] for at in same)))
