"""Selection: which runs a word means: a directory, a run, a commit, a time span or the latest run."""

import calendar
import re
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.suggest import did_you_mean
from chaos_harness.harness.errors import BadScenario
from chaos_harness.reports.store.database import Database, open_database
from chaos_harness.reports.store.importer import add_runs, read_places
from chaos_harness.reports.store.queries import RunSummary, read_store, summaries
from chaos_harness.reports.store.schema import migrate

__all__ = ["Selected", "select_both"]

_LATEST = "latest"
_FEWEST_DIGITS = 4
_DAYS = re.compile(r"(\d{1,4})d")
_DATE = re.compile(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?Z?")
_DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Selected:
    """The runs that one word means, oldest first, and the database that has them."""

    word: str
    runs: tuple[RunSummary, ...]
    database: Database

    @property
    def ids(self) -> list[str]:
        """The ids of the runs."""
        return [run.run for run in self.runs]


def select_both(words: Sequence[str], store: Path, open_: ExitStack, now: float | None = None) -> list[Selected]:
    """Return the runs of each word; databases stay open until `open_` closes them.

    A directory of runs is read as it is; all other words need the store. Raises BadScenario with the problems of all
    words: one that means no run, several, or runs that another word means, too.
    """
    moment = time.time() if now is None else now
    problems: list[str] = []
    selected: list[Selected] = []
    stored: Database | None = None
    for word in words:
        try:
            if Path(word).is_dir():
                database = _read_directory(Path(word), open_)
                runs = summaries(database)
            else:
                database = stored = stored or open_.enter_context(read_store(store))
                runs = _matching(word, summaries(database), moment)
        except BadScenario as error:
            problems += error.problems
        else:
            selected.append(Selected(word, tuple(reversed(runs)), database))
    if not problems:
        problems = _overlap(selected)
    if problems:
        raise BadScenario(list(dict.fromkeys(problems)))
    return selected


def _read_directory(place: Path, open_: ExitStack) -> Database:
    runs, refused = read_places([place], str)
    if refused:
        raise BadScenario([one.why for one in refused])
    database = open_.enter_context(open_database(None))
    migrate(database, place)
    add_runs(database, runs, 0.0)
    return database


def _matching(word: str, runs: Sequence[RunSummary], now: float) -> list[RunSummary]:
    if word == _LATEST:
        return list(runs[:1])
    span = _span(word, now)
    if span:
        begin, end = span
        found = [run for run in runs if run.started is not None and begin <= run.started < end]
        if not found:
            raise BadScenario(f"{word}: no run of the store began then; `chaos-harness store show` lists them")
        return found
    exact = [run for run in runs if word in (run.run, run.name)]
    found = exact or [run for run in runs if run.run.startswith(word)]
    if len(found) > 1:
        ids = ", ".join(run.run for run in found)
        raise BadScenario(f"{word}: several runs begin so: {ids}")
    if not found and re.fullmatch(rf"[0-9a-f]{{{_FEWEST_DIGITS},40}}\+?", word):
        found = [run for run in runs if run.commit and (run.commit.startswith(word) or word.startswith(run.commit))]
        commits = {run.commit for run in found}
        if len(commits) > 1 and word not in commits:
            raise BadScenario(f"{word}: several commits begin so: {', '.join(sorted(commits))}")
        found = [run for run in found if word not in commits or run.commit == word]
    if not found:
        known = [name for run in runs for name in (run.run, run.name, run.commit) if name]
        raise BadScenario(
            f"{word}: no directory, run, commit or time span of the store; {did_you_mean(word, known)}"
            f"`chaos-harness store show` lists the runs"
        )
    return found


def _span(word: str, now: float) -> tuple[float, float] | None:
    """Return the begin and the end that a word means, in unix seconds; None if it is no time span."""
    if ".." not in word:
        return (now - float(_days(word)) * _DAY_SECONDS, now + 1) if _DAYS.fullmatch(word) else None
    first, _, last = word.partition("..")
    begin, end = (_moment(text, now, word) if text else None for text in (first, last))
    begin_at = 0.0 if begin is None else begin
    end_at = now + 1 if end is None else end + (_DAY_SECONDS if len(last.rstrip("Z")) == len("2026-11-29") else 0)
    if begin_at >= end_at:
        raise BadScenario(f"{word}: expected a begin before the end")
    return begin_at, end_at


def _moment(text: str, now: float, word: str) -> float:
    if _DAYS.fullmatch(text):
        return now - float(_days(text)) * _DAY_SECONDS
    layout = "%Y-%m-%dT%H:%M" if "T" in text else "%Y-%m-%d"
    try:
        if _DATE.fullmatch(text):
            return calendar.timegm(time.strptime(text.rstrip("Z"), layout))
    except ValueError:
        pass
    raise BadScenario(f"{word}: expected a time span such as 2026-11-01..2026-11-15 or 14d..7d (UTC), found {text!r}")


def _days(text: str) -> str:
    return text.removesuffix("d")


def _overlap(selected: Sequence[Selected]) -> list[str]:
    a, b = selected
    both = sorted(set(a.ids) & set(b.ids))
    return [f"{a.word} and {b.word} both mean {', '.join(both)}: a run cannot be compared with itself"] if both else []
