"""Table: what a crash test found, for a terminal of 80 columns, as Markdown, and as JSON."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos_harness.harness.crashtest.comparison import unseen
from chaos_harness.harness.crashtest.ledger import VARIANTS, Trial, Variant
from chaos_harness.harness.crashtest.moments import MOMENTS, WORDS
from chaos_harness.harness.crashtest.samples import NOT_SAMPLED, SAMPLES
from chaos_harness.harness.statistics import percentile

__all__ = ["as_json", "as_markdown", "for_terminal"]

_HEADS = ("fault", "before", "in it", "lasts", "undo", "alive", "left", "proved", "healed")
_WIDTHS = (25, 6, 6, 6, 6, 6, 5)
_WHOLE = ("lasting", "undoing", "unkilled")
"""Moments after the whole of the harm, at which what a fault declares must be seen."""
_MARKS = {"not reached": "-", "not proved": "?", "broken": "!"}
_LEGEND = """\
killed before the harm, in it, while it lasts, in the undo; alive: not killed
  0 nothing differs   3 so many traits differ, see below   . not tried
  - the moment was not reached   ? no effect was proved   ! could not be tried
left: traits that the fault says it does not give back; proved, healed: seconds
from the injection, and from the undo, to the proof, median/95 % of all trials"""
_NOTES: Mapping[Variant, Sequence[str]] = {
    "harness": (),
    "guardian": ("its guardian was killed, too, which ends the commands of a killed harness",),
    "no undo": ("undos were no-ops: a number says how many traits differ, and a 0 is a miss",),
}
_TITLES: Mapping[Variant, str] = {
    "harness": "The harness is killed",
    "guardian": "Its guardian is killed, too",
    "no undo": "Undos turned into no-ops",
}


@dataclass(frozen=True)
class _Row:
    """The trials of one sample."""

    name: str
    trials: Sequence[Trial]

    def cell(self, moment: str) -> str:
        """Return the worst of what was found at a moment."""
        found = [trial for trial in self.trials if trial.key.moment == moment]
        marks = [_MARKS[trial.outcome] for trial in found if trial.outcome in _MARKS]
        counts = [len(trial.differences) for trial in found if trial.outcome not in _MARKS]
        if not found:
            return "."
        most = max(counts, default=0)
        return marks[0] if marks and not most else str(most)

    @property
    def left(self) -> dict[str, list[str]]:
        """What was left out, by what is not given back: the differences, each once."""
        left: dict[str, dict[str, None]] = {}
        for trial in self.trials:
            for difference, words in trial.left:
                left.setdefault(words, {})[difference] = None
        return {words: list(differences) for words, differences in left.items()}

    @property
    def unseen(self) -> list[str]:
        """What the fault declares, and no trial saw; nothing if none was at a moment after the whole harm."""
        after = [trial for trial in self.trials if trial.key.moment in _WHOLE and trial.outcome in ("zero", "differs")]
        declared = [words for trial in after for words in trial.declared]
        return unseen(declared, [pair for trial in self.trials for pair in trial.left])

    def seconds(self, name: str) -> list[float]:
        """Return the seconds of all trials that have them."""
        return [value for trial in self.trials if (value := getattr(trial, name)) is not None]


def for_terminal(trials: Sequence[Trial]) -> Iterator[str]:
    """Yield the lines of the tables: of trials with undos, and of those whose undos were no-ops."""
    for variant, rows in _tables(trials):
        yield _line(_HEADS)
        for row in rows:
            left = sum(map(len, row.left.values()))
            seconds = [_median_and_most(row.seconds(name)) for name in ("proved", "healed")]
            yield _line((row.name, *map(row.cell, MOMENTS), str(left) if left else "", *seconds))
        yield from ("", *_LEGEND.split("\n"), *_NOTES[variant], "")
        yield from _told(rows)
    yield _summary(trials)


def as_markdown(trials: Sequence[Trial], *, counted: bool = False) -> str:
    """Return the tables as Markdown; `counted`: what was left out is not named, but counted."""
    lines = ["# Crash test", ""]
    for variant, rows in _tables(trials):
        lines += [f"## {_TITLES[variant]}", ""]
        heads = ("fault", *WORDS.values(), "left out", "proved, s", "healed, s", "collected, s")
        lines += [_cells(heads), _cells("---" for _ in heads)]
        for row in rows:
            seconds = [_median_and_most(row.seconds(name)) for name in ("proved", "healed", "collected")]
            left = str(sum(map(len, row.left.values())))
            lines.append(_cells((f"`{row.name}`", *map(row.cell, MOMENTS), left, *seconds)))
        lines += ["", *(f"- {_escaped(line.strip())}" for line in _told(rows, counted=counted)), ""]
    return "\n".join([*lines, _summary(trials), ""])


def as_json(trials: Sequence[Trial]) -> str:
    """Return the same for scripts: names stay, seconds are median and 95th percentile of `n` trials."""
    tables = {variant.replace(" ", "_"): [_described(row) for row in rows] for variant, rows in _tables(trials)}
    return f"{json.dumps({**tables, 'not_sampled': NOT_SAMPLED}, indent=1)}\n"


def _tables(trials: Sequence[Trial]) -> Iterator[tuple[Variant, list[_Row]]]:
    for variant in VARIANTS:
        of_table = [trial for trial in trials if trial.key.variant == variant]
        names = {trial.key.sample for trial in of_table}
        ordered = [name for name in SAMPLES if name in names]
        if ordered:
            yield variant, [_Row(name, [one for one in of_table if one.key.sample == name]) for name in ordered]


def _told(rows: Sequence[_Row], *, counted: bool = False) -> Iterator[str]:
    """Yield what differs, what is left out, what was declared and not seen, and why trials came to nothing."""
    for row in rows:
        for trial in row.trials:
            where = f"{row.name}, {WORDS[trial.key.moment]}"
            if trial.outcome in _MARKS:
                yield f"{where}: {trial.outcome}{f': {trial.said}' if trial.said else ''}"
            yield from (f"{where}: {difference}" for difference in trial.differences)
        for words, differences in row.left.items():
            told = [f"{len(differences)} traits"] if counted else differences
            yield from (f"left out, {row.name}, {words}: {each}" for each in told)
        yield from (f"declared and not seen, {row.name}: {words}" for words in row.unseen)


def _summary(trials: Sequence[Trial]) -> str:
    wanted = sum(trial.as_wanted for trial in trials)
    faults = {SAMPLES[trial.key.sample].fault for trial in trials if trial.key.sample in SAMPLES}
    return f"{wanted} of {len(trials)} trials of {len(faults)} faults came out as they should"


def _described(row: _Row) -> dict[str, Any]:
    return {
        "sample": row.name,
        "fault": SAMPLES[row.name].fault,
        "moments": {
            moment: [
                {"outcome": trial.outcome, "differences": trial.differences, "said": trial.said}
                for trial in row.trials
                if trial.key.moment == moment
            ]
            for moment in MOMENTS
        },
        "left": row.left,
        "declared_and_not_seen": row.unseen,
        **{name: _figures(row.seconds(name)) for name in ("proved", "healed", "collected")},
    }


def _figures(seconds: Sequence[float]) -> Mapping[str, float] | None:
    if not seconds:
        return None
    return {
        "n": len(seconds),
        "median": round(percentile(seconds, 0.5).estimate, 3),
        "p95": round(percentile(seconds, 0.95).estimate, 3),
    }


def _median_and_most(seconds: Sequence[float]) -> str:
    figures = _figures(seconds)
    return f"{_short(figures['median'])}/{_short(figures['p95'])}" if figures else ""


def _short(seconds: float) -> str:
    return f"{seconds:.1f}" if round(seconds, 1) < 10 else f"{seconds:.0f}"  # noqa: PLR2004 - digits


def _line(cells: Sequence[str]) -> str:
    first, *middle = cells[: len(_WIDTHS)]
    found = "".join(f"{cell:>{width}}" for cell, width in zip(middle, _WIDTHS[1:], strict=True))
    return f"{first:{_WIDTHS[0]}}{found}{cells[-2]:>10}{cells[-1]:>10}".rstrip()


def _cells(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
