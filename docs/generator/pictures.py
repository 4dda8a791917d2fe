"""Pictures: the timeline of a real run, the way of one request in it, and the matrix of the first incident."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.shape import RECORDED
from chaos_harness.harness.experiment.record import ClaimRecord
from chaos_harness.harness.history import Entry, History, read
from chaos_harness.harness.history.vocabulary import CANARY
from chaos_harness.harness.incident.bundle.open import open_bundle
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.verdict import Claim
from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.colours import PATTERNS, style
from chaos_harness.reports.picture.draw import draw_timeline
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.picture.story import Story
from chaos_harness.reports.truth.rows import Table, TruthCount, sum_counts
from chaos_harness.scenarios.registry_cut.table import ROWS, TREATMENTS, CutRow, Treatment

__all__ = ["BUNDLE", "draw_all", "draw_matrix"]

BUNDLE = Path(__file__).resolve().parents[1] / "pictures" / "gatekeeper-3839.zip"
"""What a replay of the first incident left, on a real cluster."""

_MARGIN, _BOX, _GAP, _LINE = 16.0, 176.0, 26.0, 16.0
_BOX_HEIGHT, _ROW_HEIGHT = 92.0, 150.0
_LETTERS = 28
_CELL_WIDTH, _CELL_HEIGHT, _NAMES_WIDTH = 150.0, 46.0, 250.0
_CHECKS: dict[Treatment, str] = {
    "left alone": "undisturbed(",
    "killed": "recovers_within(",
    "rescheduled": "recovers_within(",
}


def draw_all(truth: Table) -> dict[str, str]:
    """Return each picture as SVG, by the name of its file."""
    with open_bundle(BUNDLE) as (manifest, folder):
        loaded = load(folder / manifest.incident, manifest.shape, context=RECORDED)
        recorded = read(folder / manifest.runs[0].directory / "history.jsonl")
        story = read_story(recorded)
        return {
            "timeline.svg": draw_timeline(story, loaded.path.stem, _judge(loaded, recorded, story)),
            "request.svg": _draw_requests(recorded, story),
            "matrix.svg": draw_matrix(truth),
        }


def _judge(loaded: LoadedIncident, recorded: History, story: Story) -> list[ClaimRecord]:
    claims = [
        Claim(check_of(claimed), claimed.expected(loaded.shape) or "holds", claimed.issue, tuple(claimed.because))
        for claimed in loaded.incident.claims
    ]
    return [ClaimRecord.of(claim, claim.check(recorded), story.end, "") for claim in claims]


@dataclass(frozen=True)
class _Answered:
    """A question of the admission probe with its answer."""

    asked: Entry
    answer: Entry

    @property
    def milliseconds(self) -> float:
        return 1000 * (self.answer.at - self.asked.at)


def _draw_requests(recorded: History, story: Story) -> str:
    """Draw the way of two requests: the last right answer before the harm, and the first after nobody was left."""
    harmed = min(mark.at for mark in story.harms)
    nobody = next(at for at, number in story.rotation if at > harmed and number == 0)
    answers = list(_answers(recorded))
    right = [answered for answered in answers if answered.answer.kind == "ok" and answered.answer.at < harmed][-1]
    wrong = next(answered for answered in answers if answered.answer.kind == "fail" and answered.asked.at > nobody)
    height = 2 * _ROW_HEIGHT + 30
    rows = [
        *_row(24, "Before the fault: the webhook answers", right, _number_at(story, right.asked.at), "good"),
        *_row(24 + _ROW_HEIGHT, "While the registry is cut, all replicas killed", wrong, 0, "lost"),
    ]
    note = (
        "The second request never reached Gatekeeper. This webhook fails closed: what it cannot be asked about is "
        "refused. Webhooks that fail open admit it."
    )
    words = svg.text(_MARGIN, height - 14, note, "small")
    title = "The way of a request, before a fault and during it"
    width = 2 * _MARGIN + 5 * _BOX + 4 * _GAP
    paper = svg.rect(0, 0, width, height, "paper")
    return svg.document(width, height, title, note, f"{style()}<defs>{PATTERNS}</defs>", paper + "".join(rows) + words)


def _answers(recorded: History) -> Iterator[_Answered]:
    asked: dict[str, Entry] = {}
    for entry in recorded.entries:
        if not entry.process.startswith(f"{CANARY} "):
            continue
        if entry.kind == "invoke":
            asked[entry.process] = entry
        elif entry.process in asked:
            yield _Answered(asked.pop(entry.process), entry)


def _number_at(story: Story, moment: float) -> int:
    """Return how many webhook Pods the Service sent requests to at a moment."""
    return [number for at, number in story.rotation if at <= moment][-1]


def _row(top: float, title: str, answered: _Answered, replicas: int, colour: str) -> Iterator[str]:
    value = answered.answer.value
    refused = "connection refused" in value["said"]
    boxes = [
        ("admission probe", f"{answered.asked.at:.2f} s: asks to", f"{answered.answer.f},", "as a dry run"),
        ("API server", "asks the webhook", "check-ignore-label", "by its Service"),
        ("Service", f"sends requests to {replicas}", "webhook Pods", ""),
        (
            "webhook Pod",
            *(("connection refused:", "nobody is there", "") if refused else ("its answer:", "denied, by policy", "")),
        ),
        ("answer", value["said"][:3], value["outcome"], f"after {answered.milliseconds:.0f} ms"),
    ]
    yield svg.text(_MARGIN, top, title, "head")
    for number, (head, *lines) in enumerate(boxes):
        x, y = _MARGIN + number * (_BOX + _GAP), top + 14
        yield svg.rect(x, y, _BOX, _BOX_HEIGHT, "phase")
        yield svg.rect(x, y, _BOX, 5, colour if number >= (3 if refused else 0) else "good")
        yield svg.text(x + 10, y + 26, head, "head")
        for line, words in enumerate(filter(None, lines)):
            yield svg.text(x + 10, y + 46 + line * _LINE, svg.shortened(words, _LETTERS), "small")
        if number:
            yield svg.path(f"M{x - _GAP + 3:.0f} {y + 46:.0f}H{x - 4:.0f}m-6 -5l6 5l-6 5", "edge")


def draw_matrix(truth: Table) -> str:
    """Draw the table of predictions of the first incident, with what was counted in each cell."""
    width = 2 * _MARGIN + _NAMES_WIDTH + len(TREATMENTS) * _CELL_WIDTH
    top = 58.0
    height = top + len(ROWS) * _CELL_HEIGHT + 34
    parts = [
        svg.rect(0, 0, width, height, "paper"),
        svg.text(_MARGIN, 24, "Does a replica serve while the registry is cut?", "head"),
    ]
    for column, treatment in enumerate(TREATMENTS):
        parts.append(svg.text(_cell_x(column) + 8, top - 10, treatment))
    for number, row in enumerate(ROWS):
        y = top + number * _CELL_HEIGHT
        parts += [svg.text(_MARGIN, y + 18, row.policy), svg.text(_MARGIN, y + 34, f"image {row.image}", "small")]
        for column, treatment in enumerate(TREATMENTS):
            parts += _cell(_cell_x(column), y, row, treatment, _counted(truth, row, treatment))
    note = "Predicted, and beside it how many of the verdicts on real clusters said so."
    parts.append(svg.text(_MARGIN, height - 12, note, "small"))
    title = "The matrix of the first incident"
    return svg.document(width, height, title, note, f"{style()}<defs>{PATTERNS}</defs>", "".join(parts))


def _cell_x(column: int) -> float:
    return _MARGIN + _NAMES_WIDTH + column * _CELL_WIDTH


def _cell(x: float, y: float, row: CutRow, treatment: Treatment, count: TruthCount) -> Sequence[str]:
    predicted = row.predicted(treatment)
    mark = {"holds": "✓", "violated": "✗"}[predicted]
    shade = "good" if predicted == "holds" else "lost"
    known = " #3839" if row.issue(treatment) else ""
    return (
        svg.rect(x, y + 2, 5, _CELL_HEIGHT - 6, shade),
        svg.text(x + 12, y + 18, f"{mark} {predicted}{known}"),
        svg.text(x + 12, y + 34, f"{count.as_predicted} of {len(count.verdicts)}", "small"),
        svg.path(f"M{x:.0f} {y + _CELL_HEIGHT - 1:.0f}h{_CELL_WIDTH:.0f}", "grid"),
    )


def _counted(truth: Table, row: CutRow, treatment: Treatment) -> TruthCount:
    cell = f"[{row.name}-{treatment.replace(' ', '_')}]"
    return sum_counts(
        count
        for count in truth.counts()
        if count.rows[0].test.endswith(cell) and count.rows[0].id.startswith(_CHECKS[treatment])
    )
