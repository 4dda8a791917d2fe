"""Truth: the table of what each check said on each version, over many runs, with rates and their intervals."""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pydantic import TypeAdapter, ValidationError

from harness.errors import BadScenario
from harness.statistics import Interval, wilson
from reports.verdicts import BROKEN, FILE, Line, read

__all__ = ["Cell", "cells", "gathered", "main", "markdown", "merged", "page", "summary"]

_DECIDED = ("holds", "violated")
_SUMMED = (
    *("scenario", "Gatekeeper", "claims", "verdicts on each", "verdicts"),
    *("as expected", "false alarms", "missed", "inconclusive"),
)
_HEAD = (
    "scenario",
    "claim",
    "Gatekeeper",
    "expected",
    "holds",
    "violated",
    "inconclusive",
    "rate of `violated` (95 %)",
    "time to verdict",
)


@dataclass(frozen=True)
class Cell:
    """One claim on one version, over all runs: how often it came out how, and how long that took (seconds)."""

    test: str
    claim: str
    gatekeeper: str
    expected: str
    issue: str | None
    counts: dict[str, int]
    seconds: tuple[float, ...]

    @property
    def decided(self) -> int:
        """How often there was a verdict."""
        return sum(self.counts.get(name, 0) for name in _DECIDED)

    @property
    def rate(self) -> Interval:
        """The rate of `violated` among the verdicts, with 95 % confidence."""
        return wilson(self.counts.get("violated", 0), self.decided)

    @property
    def false_alarms(self) -> int:
        """How often it was violated although it was expected to hold."""
        return self.counts.get("violated", 0) if self.expected == "holds" else 0

    @property
    def missed(self) -> int:
        """How often it held although it was expected to be violated."""
        return self.counts.get("holds", 0) if self.expected == "violated" else 0


_CELLS = TypeAdapter(list[Cell])


def cells(lines: Iterable[Line]) -> list[Cell]:
    """Return a cell for each test, claim, version and expectation, in the order in which they first came."""
    return merged(
        Cell(
            line.test,
            line.claim,
            line.shape.get("gatekeeper") or "none",
            line.expected,
            line.issue,
            counts={line.outcome: 1},
            seconds=(line.seconds,),
        )
        for line in lines
    )


def merged(found: Iterable[Cell]) -> list[Cell]:
    """Return the same with each test, claim, version and expectation only once, with all that was counted of it."""
    groups: dict[tuple[str, str, str, str], list[Cell]] = {}
    for each in found:
        groups.setdefault((each.test, each.claim, each.gatekeeper, each.expected), []).append(each)
    return [
        Cell(
            *key,
            issue=next((each.issue for each in group if each.issue), None),
            counts=dict(sum((Counter(each.counts) for each in group), Counter())),
            seconds=tuple(seconds for each in group for seconds in each.seconds),
        )
        for key, group in groups.items()
    ]


def gathered(path: Path) -> list[Cell]:
    """Return the cells of a run, if `path` is its directory, or those that were written to the file `path`.

    Raises BadScenario if there is no such thing, or if it is something else.
    """
    if path.is_dir():
        return cells(read(path / FILE))
    try:
        return _CELLS.validate_json(path.read_bytes())
    except OSError as error:
        raise BadScenario(f"{path}: expected a run's directory or a table's JSON: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "all of it"
        raise BadScenario(f"{path}: expected a table's JSON, found at {where}: {problem['msg']}") from error


def summary(found: Iterable[Cell]) -> str:
    """Return a table with one row for each scenario and version, whatever its parameters, over all of its claims."""
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in found:
        if cell.claim:
            groups.setdefault((_scenario(cell.test), cell.gatekeeper), []).append(cell)
    rows = []
    for key, group in groups.items():
        each = sorted({cell.decided for cell in group})
        counts = (
            len(group),
            each[0] if len(each) == 1 else f"{each[0]} to {each[-1]}",
            sum(cell.decided for cell in group),
            sum(cell.counts.get(cell.expected, 0) for cell in group),
            sum(cell.false_alarms for cell in group),
            sum(cell.missed for cell in group),
            sum(cell.counts.get("inconclusive", 0) for cell in group),
        )
        rows.append([*key, *map(str, counts)])
    return "\n".join(_table(_SUMMED, rows))


def markdown(found: Sequence[Cell]) -> str:
    """Return the table, and below it what an engineer asks first: false alarms, misses, what could not be judged."""
    lines = _table(_HEAD, [[_name(cell.test), *_told(cell)] for cell in found if cell.claim])
    verdicts, broken = sum(cell.decided for cell in found), sum(cell.counts.get(BROKEN, 0) for cell in found)
    undecided = sum(cell.counts.get("inconclusive", 0) for cell in found)
    wrong = sum(cell.false_alarms for cell in found), sum(cell.missed for cell in found)
    lines += ["", f"{verdicts} verdicts: {wrong[0]} false alarms, {wrong[1]} missed; {undecided} inconclusive"]
    lines[-1] += f"; {broken} tests broken" if broken else ""
    return "\n".join(lines)


def page(found: Sequence[Cell]) -> str:
    """Return both tables as a page of Markdown."""
    return f"# What the checks said\n\n{summary(found)}\n\nEach claim:\n\n{markdown(found)}\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table of runs, and of tables that were written before; write it if asked; return the status.

    0: every verdict is the expected one and none is missing; 1: not; 2: there is nothing to read.
    """
    parser = argparse.ArgumentParser(prog="python -m reports.truth", description="Tells the truth table of runs.")
    told = f"directory of a run, with its {FILE}, or a table's JSON"
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help=told)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the cells as JSON, and beside it a page")
    chosen = parser.parse_args(arguments)
    if chosen.write and chosen.write.suffix != ".json":
        parser.error(
            f"argument --write: expected a name that ends in .json (was {chosen.write}); the page goes beside it"
        )
    try:
        found = merged(cell for run in chosen.runs for cell in gathered(run))
    except BadScenario as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{markdown(found)}\n")
    if chosen.write:
        rows = ",\n".join(json.dumps(asdict(cell)) for cell in found)
        chosen.write.write_text(f"[\n{rows}\n]\n", encoding="utf-8")
        chosen.write.with_suffix(".md").write_text(page(found), encoding="utf-8")
    return int(any(cell.counts.keys() != {cell.expected} for cell in found))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(row)} |" for row in (head, ["---"] * len(head), *rows)]


def _told(cell: Cell) -> list[str]:
    issue = (cell.issue or "").rpartition("/")[2]
    counts = [str(cell.counts.get(name, 0)) for name in (*_DECIDED, "inconclusive")]
    shown = cell.rate.percent() if cell.decided else "-"
    took = f"{median(cell.seconds):.0f} s ({min(cell.seconds):.0f} to {max(cell.seconds):.0f})"
    return [cell.claim, cell.gatekeeper, f"{cell.expected} {issue}".strip(), *counts, shown, took]


def _name(test: str) -> str:
    """Return a test as a reader of the table wants it: what its name says, and its parameters if it has some."""
    return ": ".join(filter(None, (_scenario(test), test.partition("[")[2].removesuffix("]"))))


def _scenario(test: str) -> str:
    function = test.partition("::")[2].partition("[")[0]
    return function.removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
