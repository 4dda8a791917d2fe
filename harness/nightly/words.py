"""Words: the plan and the summary of a night as lines of at most 80 columns, and the summary as Markdown."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.width import wrap
from chaos_harness.harness.nightly.cells import LeftOut
from chaos_harness.harness.nightly.planning import NightPlan, PlannedCell, Value
from chaos_harness.harness.nightly.summary import CellSummary, Summary

__all__ = ["group_left_out", "plan_lines", "summary_lines", "summary_markdown"]

_COLUMNS = 80
_MIB = 1024
_VALUES = {
    Value.WITHOUT_FAULT: "nothing is harmed",
    Value.OTHERWISE: "came out otherwise the last time",
    Value.UNDECIDED: "came to no verdict the last time",
    Value.NEW: "no night has run it",
}
_MARKS = {
    "as expected": "✓",
    "otherwise": "✗",
    "false alarm": "✗",
    "broken": "!",
    "inconclusive": "?",
    "refused": "-",
    "lost": "?",
    "not run": " ",
}
_MOST_ROWS = 200
_LONGEST = 300
_SPECIAL = str.maketrans({**{letter: f"\\{letter}" for letter in "\\`*_[]<>|#~"}, "@": "&#64;", "&": "&amp;"})


def plan_lines(plan: NightPlan) -> list[str]:
    """Return the plan: the cells in their order with minutes and memory, and what is left out, and why."""
    lines = []
    for number, each in enumerate((each for each in plan.cells if each.fits), start=1):
        gib = each.cell.shape.memory_mib / _MIB
        lines.append(f"{number:3}  {_minutes(each.seconds):>4} min  {gib:4.1f} GiB  {each.cell.target}")
        lines.append(f"{'':5}{_axes(each.cell.axes)}; {_value(each)}")
    for each in plan.cells:
        lines += [] if each.fits else [f"left out, over the budget: {each.cell.target} ({_axes(each.cell.axes)})"]
    lines += _lists(_left_out(group_left_out(plan.left_out)))
    fitting = [each for each in plan.cells if each.fits]
    memory = max((each.cell.shape.memory_mib for each in fitting), default=0) / _MIB
    times = f", {plan.parallel} at a time" if plan.parallel > 1 else ""
    whole = _minutes(plan.seconds / plan.parallel)
    made = sum(each.cluster != "used" for each in fitting)
    cells = f"{len(fitting)} cells of {len(plan.cells)} on {made} new clusters"
    lines.append(f"{cells}: about {whole} min, {memory:.1f} GiB each{times}")
    return _fitted(lines)


def group_left_out(left_out: Iterable[LeftOut]) -> list[tuple[str, str, int]]:
    """Return what is left out, why, and how many cells that is; those of one file for one reason are together."""
    numbers: dict[tuple[str, str], int] = {}
    for each in left_out:
        numbers[each.target, each.words] = numbers.get((each.target, each.words), 0) + 1
    return [(target, words, number) for (target, words), number in numbers.items()]


def summary_lines(summary: Summary) -> list[str]:
    """Return the summary: what changed and what is wrong first, then each cell that was run."""
    lines = [f"night {summary.head.night}: {_counted(summary)}", *summary.told]
    for cell in summary.cells:
        lines += [f"changed: {words}" for words in _changes(cell)]
    for cell in summary.cells:
        if cell.runs or cell.outcome == "lost":
            lines.append(f"{_MARKS[cell.outcome]} {cell.facts.target}: {cell.outcome}{_more(cell)}")
            lines.append(f"  {_axes(cell.facts.axes)}{_rates(cell)}")
    lines += _lists([*_not_run(summary.cells), *_left_out(summary.head.left_out)])
    return _fitted(lines)


def summary_markdown(summary: Summary) -> str:
    """Return the summary for the page of a CI job: what changed, a table of the cells, what was not run."""
    lines = [f"### {'✓' if not summary.status else '✗'} Night: {_counted(summary)}", ""]
    lines += [f"- {_text(words)}" for words in summary.told]
    lines += [f"- **changed**: {_text(words)}" for cell in summary.cells for words in _changes(cell)]
    ran = [cell for cell in summary.cells if cell.runs or cell.outcome == "lost"]
    lines += ["", "| | cell | cluster | outcome | rates |", "| --- | --- | --- | --- | --- |"]
    for cell in ran[:_MOST_ROWS]:
        cells = (cell.facts.target, _axes(cell.facts.axes), f"{cell.outcome}{_more(cell)}", _rates(cell).lstrip("; "))
        lines.append(f"| {_MARKS[cell.outcome]} | {' | '.join(map(_text, cells))} |")
    lines += [f"\nand {len(ran) - _MOST_ROWS} more"] if len(ran) > _MOST_ROWS else []
    lists = [*_not_run(summary.cells), *_left_out(summary.head.left_out)]
    lines += ["", *(f"- {_text(head)}: {', '.join(map(_text, files))}" for head, files in lists)]
    return "\n".join(lines).rstrip() + "\n"


def _counted(summary: Summary) -> str:
    counts = [f"{number} {outcome}" for outcome in _MARKS if (number := summary.counts.get(outcome, 0))]
    return f"{len(summary.cells)} cells: {', '.join(counts) or 'none'}"


def _changes(cell: CellSummary) -> Iterator[str]:
    for claim, before in cell.changed:
        yield f"{claim.test}: {claim.claim}: {claim.outcome}, in the last night {before} ({_axes(cell.facts.axes)})"


def _more(cell: CellSummary) -> str:
    times = f", {len(cell.runs)} runs" if len(cell.runs) > 1 else ""
    return f"{times}; {cell.reason}" if cell.reason else times


def _rates(cell: CellSummary) -> str:
    parts = []
    if cell.rate:
        parts.append(f"otherwise in {cell.rate.percent()} of its repeats")
    if cell.missing:
        parts.append(f"its rate is not known: {cell.missing} repeats are missing")
    if cell.flakes and cell.nights > 1 and cell.flakes.estimate:
        parts.append(f"otherwise in {cell.flakes.percent()} of {cell.nights} nights")
    return "".join(f"; {part}" for part in parts)


def _axes(axes: Mapping[Any, str]) -> str:
    words = f"Kubernetes {axes['kubernetes']}, Gatekeeper {axes['gatekeeper']}, {axes['install']}"
    policy = f", failurePolicy {axes['failurePolicy']}" if axes["failurePolicy"] else ""
    values = f", values {axes['values']}" if axes["values"] else ""
    return f"{words}{policy}{values}"


def _value(each: PlannedCell) -> str:
    why = _VALUES.get(each.value, f"run in {each.nights} nights, the last of them long ago")
    return f"{why}; a used cluster" if each.cluster == "used" else why


def _not_run(cells: Iterable[CellSummary]) -> list[tuple[str, list[str]]]:
    """Return on which clusters something was not run, and the files."""
    missing = (cell.facts for cell in cells if cell.outcome == "not run")
    return _grouped((f"not run ({_axes(facts.axes)})", facts.target) for facts in missing)


def _left_out(grouped: Sequence[tuple[str, str, int]]) -> list[tuple[str, list[str]]]:
    """Return each reason once, and the files that it is the reason of."""
    return _grouped(
        (f"left out: {words}", f"{target} ({number} cells)" if number > 1 else target)
        for target, words, number in grouped
    )


def _grouped(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Return each head once, with all that belongs to it, in the order of the pairs."""
    files: dict[str, list[str]] = {}
    for head, target in pairs:
        files.setdefault(head, []).append(target)
    return list(files.items())


def _lists(files: Iterable[tuple[str, Sequence[str]]]) -> Iterator[str]:
    yield from (f"{head}: {', '.join(targets)}" for head, targets in files)


def _minutes(seconds: float) -> int:
    return max(1, round(seconds / 60)) if seconds else 0


def _fitted(lines: Iterable[str]) -> list[str]:
    return [part for line in lines for part in wrap(escape_controls(line), _COLUMNS).split("\n")]


def _text(text: str) -> str:
    return escape_controls(text, most=_LONGEST).translate(_SPECIAL)
