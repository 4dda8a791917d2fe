"""Timeline: one picture of one history, with everything above one time axis."""

from collections.abc import Sequence

from chaos_harness.harness.experiment.record import ClaimRecord
from chaos_harness.reports.picture import svg
from chaos_harness.reports.picture.colours import PATTERNS, style
from chaos_harness.reports.picture.lanes import LEFT, RIGHT, WIDTH, Axis, Lanes
from chaos_harness.reports.picture.states import Lifeline, Sort
from chaos_harness.reports.picture.story import Story

__all__ = ["draw_timeline", "find_close_up"]

_MOST_FAULTS, _MOST_QUESTIONS, _MOST_KINDS, _MOST_WORDS = 10, 10, 8, 26
_GROUPS: tuple[tuple[tuple[Sort, ...], int, str], ...] = (
    (("webhook", "gatekeeper", "workload"), 24, "Pods; thin line: answers of the webhook pod, asked directly"),
    (("node",), 8, "Nodes, as their status says"),
    (("lease",), 8, "Leases"),
)
_MARKS = {"holds": "✓", "violated": "✗", "inconclusive": "?"}
_LAST_LEGEND = 150.0
_LAST_TICK = WIDTH - 18
"""Where a time at the right edge still fits into the picture."""
_CLOSE_SHARE, _CLOSE_SECONDS = 0.25, 1.0


def draw_timeline(
    story: Story, title: str, claims: Sequence[ClaimRecord] = (), window: tuple[float, float] | None = None
) -> str:
    """Return the picture of a story as SVG: all of it, or the part within `window` (seconds of the history).

    It is 1,000 units wide, follows the reader's light or dark screen, is light on paper, and is at most a few hundred
    kilobytes, however long the history is: what does not fit is counted in its last lines.
    """
    axis = Axis(*(window or (0.0, max(story.end, 1.0))))
    lanes = Lanes(axis, 40)
    _draw(lanes, story, claims)
    bottom = lanes.y
    lanes.y += 22
    _verdicts(lanes, claims)
    _remarks(lanes, story)
    _legend(lanes)
    body = "".join(lanes.parts).replace('height="0" class="shade"', f'height="{bottom - 30:.1f}" class="shade"')
    grid = "".join(svg.path(f"M{axis.x(at):.1f} 30V{bottom:.1f}", "grid") for at in axis.ticks)
    decided = "".join(svg.path(f"M{x:.2f} 30V{bottom:.1f}", "decided") for x in lanes.decided)
    numbers = "".join(
        svg.text(min(axis.x(at), _LAST_TICK), y, f"{at:g} s", "small", anchor="middle")
        for at in axis.ticks
        for y in (26, bottom + 14)
    )
    height = lanes.y + 12
    paper = svg.rect(0, 0, WIDTH, height, "paper")
    head = svg.text(8, 26, svg.shortened(title, _MOST_WORDS), "head", hint=title)
    return svg.document(
        WIDTH,
        height,
        f"Timeline of {title}",
        describe(story, claims),
        f"{style()}<defs>{PATTERNS}</defs>",
        f"{paper}{grid}{decided}{numbers}{head}{body}",
    )


def find_close_up(story: Story) -> tuple[float, float] | None:
    """Return the interval in which requests were lost, if it is so short that only a close-up shows it."""
    tallies = [tally for tally in story.questions.values() if tally.first_lost is not None]
    begins = [tally.first_lost for tally in tallies if tally.first_lost is not None]
    ends = [tally.last_lost for tally in tallies if tally.last_lost is not None]
    if not begins:
        return None
    begin, end = max(0.0, min(begins) - _CLOSE_SECONDS), min(story.end, max(ends) + _CLOSE_SECONDS)
    return (begin, end) if end - begin < story.end * _CLOSE_SHARE else None


def describe(story: Story, claims: Sequence[ClaimRecord] = ()) -> str:
    """Return a description of the picture, for readers who do not see it."""
    words = [f"{story.end:.1f} s, {story.operations:,} entries."]
    for band in story.faults:
        proved = "never proved" if band.proved is None else f"proved at {band.proved:.1f} s"
        healed = "never healed" if band.ended is None else f"healed at {band.ended:.1f} s"
        words.append(f"Fault {band.name} from {band.begun:.1f} s, {proved}, {healed}.")
    words += [f"{mark.how.capitalize()} at {mark.at:.1f} s: {mark.what}." for mark in story.harms[:_MOST_WORDS]]
    words += [f"{question}: {tally.words}." for question, tally in story.questions.items()]
    words += [f"Claim {claim.name}: {claim.outcome}{_when(claim)}, expected {claim.expectation}." for claim in claims]
    return " ".join(words)


def _when(claim: ClaimRecord) -> str:
    if claim.at is None:
        return ""
    return f" at {claim.at:.1f} s" if claim.outcome == "violated" else f" (judged at {claim.at:.1f} s)"


def _draw(lanes: Lanes, story: Story, claims: Sequence[ClaimRecord]) -> None:
    lanes.phases(story.phases)
    _faults(lanes, story)
    lanes.harms(story.harms)
    lanes.verdicts(claims)
    _questions(lanes, story)
    lanes.rotation(story.rotation)
    for sorts, most, title in _GROUPS:
        _lives(lanes, story, [life for life in story.lives.values() if life.sort in sorts], most, title)
    _objects(lanes, story)
    lanes.requests(story.requests)


def _faults(lanes: Lanes, story: Story) -> None:
    if story.faults:
        lanes.title("Faults")
    for band in story.faults[:_MOST_FAULTS]:
        lanes.band(band, over=30)
    _more(lanes, len(story.faults) - _MOST_FAULTS, "faults")


def _questions(lanes: Lanes, story: Story) -> None:
    if story.questions:
        lanes.title("Asked through the API server")
    worst = sorted(story.questions, key=lambda question: -story.questions[question].total.lost)[:_MOST_QUESTIONS]
    for question, tally in story.questions.items():
        if question in worst:
            lanes.asked(question, tally)
    _more(lanes, len(story.questions) - _MOST_QUESTIONS, "questions")


def _objects(lanes: Lanes, story: Story) -> None:
    if story.changes:
        lanes.title("Objects: + appeared, x gone, | changed")
    for name, marks in list(story.changes.items())[:_MOST_KINDS]:
        lanes.changes(name, marks)
    _more(lanes, len(story.changes) - _MOST_KINDS, "kinds of objects")


def _lives(lanes: Lanes, story: Story, lives: list[Lifeline], most: int, title: str) -> None:
    lives = [life for life in lives if _seen_in(lanes.axis, life)]
    if not lives:
        return
    lanes.title(title)
    harmed = {mark.what for mark in story.harms}
    eventful = sorted(lives, key=lambda life: (life.name not in harmed, life.sort == "workload", -len(life.stretches)))
    chosen = {id(life) for life in eventful[:most]}
    order = {sort: number for number, sort in enumerate(("webhook", "gatekeeper", "workload", "node", "lease"))}
    for life in sorted(lives, key=lambda life: (order[life.sort], life.stretches[0].at)):
        if id(life) in chosen:
            lanes.life(life, story.replicas.get(life.name))
    _more(lanes, len(lives) - most, "with less to see")


def _seen_in(axis: Axis, life: Lifeline) -> bool:
    gone = life.stretches[-1].at if life.stretches[-1].state == "gone" else axis.end
    return axis.shows(life.stretches[0].at, gone)


def _more(lanes: Lanes, number: int, what: str) -> None:
    if number > 0:
        lanes.say(f"and {number:,} more {what}")


def _verdicts(lanes: Lanes, claims: Sequence[ClaimRecord]) -> None:
    if claims:
        lanes.title("Verdicts")
    for number, claim in enumerate(claims, start=1):
        known = f" ({claim.issue.rpartition('/')[2]})" if claim.issue else ""
        expected = "as expected" if claim.as_expected else f"expected {claim.expectation}"
        said = f"{claim.outcome}{_when(claim)}, {expected}{known}"
        words = f"{number} {_MARKS[claim.outcome]} {said}: {claim.name}: {claim.summary}"
        lanes.say(words, "" if claim.as_expected else "bad")


def _remarks(lanes: Lanes, story: Story) -> None:
    if story.truncated:
        lanes.say("The history breaks off in the middle of a line: the run was killed while it wrote.", "bad")
    for name, number in lanes.areas.items():
        lanes.say(f"{name}: {number:,} lost requests are drawn as areas, not one by one")
    if story.omitted:
        lanes.say("too much to be drawn: " + ", ".join(f"{number:,} {what}" for what, number in story.omitted.items()))
    if story.gaps:
        lanes.say(f"the watches had {len(story.gaps)} gaps; states between them are the last ones seen")


def _legend(lanes: Lanes) -> None:
    lanes.y += 24
    x, y = 8.0, lanes.y
    for words, shape in (
        ("good answers", svg.rect(0, -9, 12, 9, "good")),
        ("lost", svg.path("M6 -11V1", "tick s-lost")),
        ("unanswered", svg.path("M6 -5V1", "tick s-silent")),
        ("fault, proved", svg.rect(0, -9, 12, 9, "fault")),
        ("not proved; ◆ proof ◇ healed", svg.rect(0, -9, 12, 9, "unproved")),
        ("Ready", svg.rect(0, -9, 12, 9, "ready")),
        ("starts", svg.rect(0, -9, 12, 9, "starting")),
        ("runs, not Ready", svg.rect(0, -9, 12, 9, "starting", pattern="dots")),
        ("waits, not Ready", svg.rect(0, -9, 12, 9, "waiting", pattern="stripes")),
        ("leaves", svg.rect(0, -9, 12, 9, "idle", pattern="dots")),
    ):
        lanes.parts.append(f'<g transform="translate({x:.0f} {y:.0f})">{shape}</g>')
        lanes.parts.append(svg.text(x + 17, y, words, "small"))
        x += 33 + len(words) * 6
        if x > WIDTH - _LAST_LEGEND:
            x, y = 8.0, y + 18
    lanes.y = y
    lanes.parts.insert(0, svg.path(f"M{LEFT:.0f} 30H{RIGHT:.0f}", "edge"))
