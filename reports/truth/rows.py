"""Truth rows: the verdicts of many runs, and which of them count today."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness import judging
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.verdict import Claim
from chaos_harness.reports.run_directory import is_below
from chaos_harness.reports.truth.verdict_lines import BROKEN, FILE, VerdictLine, read_verdicts

__all__ = ["GivenVerdict", "Table", "TruthCount", "TruthRow", "gather_rows", "merge_rows", "read_table", "sum_counts"]

_SCHEMA = 1
_SHORT = 200
_HELD, _VIOLATED = "holds", "violated"
_NEEDED = ("run", "history", "outcome", "judge")


@dataclass(frozen=True)
class GivenVerdict:
    """One verdict: the run and history it is about (`until`: up to that moment), and the checks that gave it.

    `judge` is the digest of their sources (`harness.judging.today`), `again` whether it was given later, from the
    history alone. `seconds` is the experiment's duration. `surprise`: violated as expected, but not by the known
    defect.
    """

    run: str
    history: str
    outcome: str
    judge: str
    commit: str = ""
    until: float | None = None
    seconds: float = 0.0
    surprise: bool = False
    again: bool = False


@dataclass(frozen=True)
class TruthRow:
    """One claim of one scenario on one Kubernetes and one Gatekeeper, installed in one way, with its verdicts.

    `id` is the claim's check with its parameters, `claim` the same as text; both are "" for tests that broke besides
    their claims. `known` says how it is known that the expected verdict is the truth; None: it is a prediction.
    """

    test: str
    id: str
    claim: str
    kubernetes: str
    gatekeeper: str
    install: str
    expected: str
    issue: str | None = None
    known: str | None = None
    verdicts: tuple[GivenVerdict, ...] = ()

    @property
    def key(self) -> tuple[str | None, ...]:
        """The fields that identify a row."""
        return self.test, self.id, self.kubernetes, self.gatekeeper, self.install, self.expected, self.known

    def count(self, judge: str) -> "TruthCount":
        """Return the counts of the verdicts by the checks with this digest.

        For each history one verdict counts: the one given during the run, if there is one.
        """
        mine = [verdict for verdict in self.verdicts if verdict.judge == judge]
        at_once = {(verdict.run, verdict.history, verdict.until) for verdict in mine if not verdict.again}
        given = [
            verdict
            for verdict in mine
            if not verdict.again or (verdict.run, verdict.history, verdict.until) not in at_once
        ]
        of_earlier = {(verdict.run, verdict.history) for verdict in self.verdicts}
        return TruthCount((self,), tuple((self, verdict) for verdict in given), of_earlier)


@dataclass(frozen=True)
class TruthCount:
    """What counts of some rows: the verdicts of today's sources, each with its row; `histories` are of all verdicts."""

    rows: tuple[TruthRow, ...]
    verdicts: tuple[tuple[TruthRow, GivenVerdict], ...]
    histories: set[tuple[str, str]] = field(default_factory=set)

    def __add__(self, other: "TruthCount") -> "TruthCount":
        """Return what counts of the rows of both."""
        return TruthCount(self.rows + other.rows, self.verdicts + other.verdicts, self.histories | other.histories)

    def count_outcome(self, outcome: str, *, again: bool | None = None) -> int:
        """Return how many verdicts came out like this; of those that were given again (True), at once (False)."""
        return sum(verdict.outcome == outcome and again in (None, verdict.again) for _, verdict in self.verdicts)

    @property
    def decided(self) -> int:
        """How many verdicts say something."""
        return self.count_outcome(_HELD) + self.count_outcome(_VIOLATED)

    @property
    def seen(self) -> int:
        """How many histories were judged."""
        return len({(verdict.run, verdict.history) for _, verdict in self.verdicts})

    @property
    def earlier(self) -> int:
        """How many histories other sources than today's judged, and today's did not."""
        return len(self.histories) - self.seen

    @property
    def as_predicted(self) -> int:
        """How many verdicts are the expected ones, by what was expected."""
        return sum(verdict.outcome == row.expected and not verdict.surprise for row, verdict in self.verdicts)

    @property
    def unexpected(self) -> int:
        """How many verdicts say the opposite, or name another defect."""
        return self.decided - self.as_predicted

    @property
    def known(self) -> int:
        """How many verdicts say something where the truth is known."""
        return sum(bool(row.known) and verdict.outcome in (_HELD, _VIOLATED) for row, verdict in self.verdicts)

    @property
    def false_alarms(self) -> int:
        """How many are violated where it is known that nothing is wrong."""
        return sum(
            bool(row.known) and row.expected == _HELD and verdict.outcome == _VIOLATED for row, verdict in self.verdicts
        )

    @property
    def missed(self) -> int:
        """How many hold where it is known that something is wrong."""
        return sum(
            bool(row.known) and row.expected == _VIOLATED and verdict.outcome == _HELD for row, verdict in self.verdicts
        )


@dataclass(frozen=True)
class Table:
    """Rows, and for each claim's ID the digest of the checks that were current when the table was written."""

    rows: tuple[TruthRow, ...]
    judges: Mapping[str, str]

    @property
    def broken(self) -> int:
        """How many tests broke besides their claims."""
        return sum(verdict.outcome == BROKEN for row in self.rows for verdict in row.verdicts)

    def counts(self) -> list[TruthCount]:
        """Return the counts of each row that has a claim."""
        return [row.count(self.judges[row.id]) for row in self.rows if row.id]

    def json(self) -> str:
        """Return it as JSON, one row a line, without fields that have their usual value."""
        rows = ",\n".join(json.dumps(_without_defaults(asdict(row))) for row in self.rows)
        return f'{{"schema": {_SCHEMA}, "judges": {json.dumps(self.judges, indent=1)}, "rows": [\n{rows}\n]}}\n'


@dataclass(frozen=True)
class _TableFile:
    schema: int
    judges: dict[str, str]
    rows: tuple[TruthRow, ...]


_WRITTEN = TypeAdapter(_TableFile)


def merge_rows(rows: Iterable[TruthRow]) -> Table:
    """Return the table of these rows, each row and each verdict once; the current checks' verdicts count.

    A verdict given during a run is the same one under whatever digest a run and a table store it: a later rule for
    digests gives the same sources another digest. The current digest is kept, if it is among them.
    """
    groups: dict[tuple[str | None, ...], list[TruthRow]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    merged_rows = tuple(
        replace(
            group[-1],
            issue=next((row.issue for row in group if row.issue), None),
            verdicts=tuple(_unique_verdicts(group)),
        )
        for group in groups.values()
    )
    return Table(merged_rows, {row.id: judging.today(row.id) for row in merged_rows if row.id})


def _unique_verdicts(rows: Iterable[TruthRow]) -> Iterable[GivenVerdict]:
    known: dict[GivenVerdict, GivenVerdict] = {}
    for row in rows:
        for verdict in row.verdicts:
            same = verdict if verdict.again else replace(verdict, judge="")
            if same not in known or _is_current(row, verdict):
                known[same] = verdict
    return known.values()


def gather_rows(paths: Sequence[Path], log: Callable[[str], object]) -> list[TruthRow]:
    """Return the rows of table files and of run directories.

    Verdicts of a run by other checks than today's are judged again from its histories, unless a table already has such
    a verdict; why that is impossible is logged. Raises BadScenario for a path that is neither.
    """
    runs = [path for path in paths if path.is_dir()]
    rows = [row for path in paths if path not in runs for row in read_table(path).rows]
    counting = {_about(row, verdict) for row in rows for verdict in row.verdicts if _is_current(row, verdict)}
    for run in runs:
        lines = [
            (line, _row(line, line.outcome, line.surprise, line.judge, again=False))
            for line in read_verdicts(run / FILE)
        ]
        rows += [row for _, row in lines]
        open_ = [line for line, row in lines if row.id and not counting & {_about(row, row.verdicts[0])}]
        rows += _judge_again(run, open_, log)
    return rows


def _is_current(row: TruthRow, verdict: GivenVerdict) -> bool:
    return bool(row.id) and verdict.judge == judging.today(row.id)


def _about(row: TruthRow, verdict: GivenVerdict) -> tuple[object, ...]:
    """Return what a verdict is about: equal for verdicts of the same judge on the same claim and history."""
    return *row.key, verdict.run, verdict.history, verdict.until


def read_table(path: Path) -> Table:
    """Return the table in a file. Raises BadScenario if it is none."""
    try:
        written = _WRITTEN.validate_json(path.read_bytes())
    except OSError as error:
        raise BadScenario(f"{path}: expected a run's directory or a table's JSON: {error.strerror}") from error
    except ValidationError as error:
        problem = error.errors()[0]
        where = escape_controls(".".join(map(str, problem["loc"])), most=_SHORT) or "all of it"
        words = escape_controls(problem["msg"], most=_SHORT)
        raise BadScenario(f"{path}: expected a table's JSON, found at {where}: {words}") from error
    if written.schema != _SCHEMA:
        raise BadScenario(f"{path}: expected a table of schema {_SCHEMA}, found {written.schema}: count its runs again")
    return Table(written.rows, written.judges)


def sum_counts(of: Iterable[TruthCount]) -> TruthCount:
    """Return the sum of the counts."""
    return sum(of, start=TruthCount((), ()))


def _judge_again(run: Path, lines: Iterable[VerdictLine], log: Callable[[str], object]) -> Iterator[TruthRow]:
    reasons: dict[str, int] = {}
    for line in lines:
        if not line.id or line.judge == judging.today(line.id):
            continue
        try:
            if not line.history:
                raise BadScenario("they name no history")
            if escape_controls(line.history) != line.history or not is_below(run, line.history):
                raise BadScenario("the history that they name is not one of the run")
            check = judging.check_of(line.id)
            verdict = judging.again(check, run / line.history, line.until)
            claim = Claim(check, "holds" if line.expected == _HELD else "violated", None, line.because)
        except HarnessError as error:
            reasons[str(error)] = reasons.get(str(error), 0) + 1
        else:
            yield _row(line, verdict.outcome, claim.surprising(verdict), judging.today(line.id), again=True)
    for reason, count in reasons.items():
        why = escape_controls(reason, most=_SHORT)
        log(f"{run}: {count} verdicts of other checks than today's cannot be given again: {why}")


def _row(line: VerdictLine, outcome: str, surprise: bool, judge: str, *, again: bool) -> TruthRow:
    on = {name: str(line.shape.get(name) or "none") for name in ("kubernetes", "gatekeeper", "install")}
    own = line.shape.get("own") or {}
    on["install"] += f" {own['digest']}" if own else ""
    of = {name: getattr(line, name) for name in ("test", "id", "claim", "expected", "issue", "known")}
    given = GivenVerdict(
        line.run, line.history, outcome, judge, line.commit, line.until, line.seconds, surprise=surprise, again=again
    )
    return TruthRow(**of, **on, verdicts=(given,))


def _without_defaults(row: dict[str, Any]) -> dict[str, Any]:
    row["verdicts"] = [
        {name: value for name, value in verdict.items() if name in _NEEDED or value not in (None, False, "")}
        for verdict in row["verdicts"]
    ]
    return row
