"""Timeline: what the picture of a history shows, and how large it can become."""

import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from chaos_harness.harness.experiment.record import ClaimRecord
from chaos_harness.harness.history import Entry, EntryKind, Header, History, HistoryWriter, read
from chaos_harness.reports.picture.counts import MOST_LOST
from chaos_harness.reports.picture.draw import draw_timeline, find_close_up
from chaos_harness.reports.picture.lanes import Axis
from chaos_harness.reports.picture.read_history import read_story
from chaos_harness.reports.picture.story import QuestionLabel, Story
from tests.fakes.histories import STARTED, HistoryBuilder
from tests.thorough import thorough

_SVG = "{http://www.w3.org/2000/svg}"
_CLAIM = ClaimRecord("pods serve", "holds", "violated", None, "3 requests lost", [], {}, 50.5)


def _shapes(drawn: str, style: str) -> list[ET.Element]:
    """Return the shapes of a class that stand in lanes, not in the legend."""
    root = ET.fromstring(drawn)
    legend = {id(shape) for group in root.findall(f"{_SVG}g") for shape in group}
    return [shape for shape in root.iter() if shape.get("class") == style and id(shape) not in legend]


def _lost(*moments: float, until: float = 100.0) -> Story:
    history = HistoryBuilder().canaries(0, int(until))
    for number, at in enumerate(moments, start=1):
        history.add(at, "invoke", f"canary {number}", "create forbidden namespace")
        history.add(at + 0.01, "fail", f"canary {number}", "create forbidden namespace", {"said": "admitted"})
    return read_story(history.recorded())


def test_every_lost_request_has_a_mark_of_its_own() -> None:
    """However close they are, each lost request is one mark whose width does not shrink with the picture."""
    drawn = draw_timeline(_lost(*(50 + number / 1000 for number in range(200))), "x")

    assert len(_shapes(drawn, "tick s-lost")) == 200
    assert "vector-effect: non-scaling-stroke" in drawn
    assert ".tick { stroke-width: 2" in drawn


def test_a_step_too_narrow_for_its_number_has_none() -> None:
    """Numbers of webhook pods are not written over each other; the line shows each step all the same."""
    history = HistoryBuilder().canaries(0, 100).rotation(1, "a", "b").rotation(50, "a").rotation(50.5, "a", "b")
    drawn = draw_timeline(read_story(history.recorded()), "x")

    texts = [text.text for text in ET.fromstring(drawn).iter(f"{_SVG}text") if text.text in ("1", "2")]
    assert texts == ["2", "2"]
    (line,) = _shapes(drawn, "step")
    assert line.get("d", "").count("V") == 2


def test_a_claim_that_another_cause_violates_says_what_was_expected() -> None:
    """It came out otherwise though it is violated as expected: the picture names the cause that was expected."""
    claim = replace(_CLAIM, expected="violated", surprise=True, because=("image pull failed",))
    drawn = draw_timeline(_lost(50), "x", [claim])

    assert "violated at 50.5 s, expected violated by image pull failed: pods serve" in drawn


def test_the_last_time_fits_into_the_picture() -> None:
    """A time at the right edge is not cut off."""
    drawn = draw_timeline(read_story(HistoryBuilder().canaries(0, 101).recorded()), "x")

    times = [text for text in ET.fromstring(drawn).iter(f"{_SVG}text") if text.text == "100 s"]
    assert [float(text.get("x", "")) + 18 <= 1000 for text in times] == [True, True]


def test_lost_requests_beyond_the_bound_are_areas() -> None:
    """What is not drawn one by one is drawn as the stretch of time in which it was lost, and this is said."""
    drawn = draw_timeline(_lost(*(number / 100 for number in range(MOST_LOST + 500))), "x")

    assert len(_shapes(drawn, "tick s-lost")) == MOST_LOST
    assert len(_shapes(drawn, "lost")) > 20
    assert "500 lost requests are drawn as areas" in drawn


def test_lone_lost_request_is_seen_behind_many_unanswered() -> None:
    """However many got no answer before, one that is lost has a mark of its own."""
    history = HistoryBuilder()
    for number in range(3 * MOST_LOST):
        history.add(number / 100, "invoke", "canary 1", "q").add(number / 100, "info", "canary 1", "q", {})
    history.add(90, "invoke", "canary 1", "q").add(90.01, "fail", "canary 1", "q", {})
    drawn = draw_timeline(read_story(history.recorded()), "x")

    (mark,) = _shapes(drawn, "tick s-lost")
    assert float((mark.get("d") or "")[1:].partition(" ")[0]) == pytest.approx(Axis(0, 90.01).x(90), abs=0.1)


@thorough
def test_many_kinds_of_lost_requests_make_a_small_picture() -> None:
    """Ten questions that all lose more than is kept make no large picture, and each of them shows where it lost."""
    history = HistoryBuilder()
    for number in range(10 * (MOST_LOST + 100)):
        process, f = f"canary {number % 10}", f"question {number % 10}"
        history.add(number / 100, "invoke", process, f).add(number / 100, "fail", process, f, {"said": "lost " * 30})
    drawn = draw_timeline(read_story(history.recorded()), "x")

    assert len(drawn) < 1_500_000
    tops = {shape.get("y") for shape in _shapes(drawn, "lost")}
    assert len(tops) == 10


def test_fault_is_a_band_with_its_proofs() -> None:
    """It is pale up to the proof, then full; proof and healing have a mark each, and all lanes are shaded."""
    drawn = draw_timeline(read_story(HistoryBuilder().fault(10, 20, 80).canaries(0, 100).recorded()), "x")
    axis = Axis(0, 99.6)
    (full,), (pale,), (shade,) = (_shapes(drawn, style) for style in ("fault", "unproved", "shade"))

    assert float(full.get("x", "")) == pytest.approx(axis.x(20), abs=0.1)
    assert float(pale.get("x", "")) == float(shade.get("x", "")) == pytest.approx(axis.x(10), abs=0.1)
    assert float(shade.get("height", "")) > 80
    hints = [title.text for title in ET.fromstring(drawn).iter(f"{_SVG}title")]
    assert {"observed: seen", "healed: seen"} <= set(hints)


def test_fault_without_proof_is_never_full() -> None:
    """A fault that was not proved stays pale, to the end if it was not healed."""
    drawn = draw_timeline(read_story(HistoryBuilder().fault(10, None, None).canaries(0, 100).recorded()), "x")

    assert _shapes(drawn, "fault") == []
    assert "never proved" in drawn


def test_picture_follows_pods_to_their_end() -> None:
    """A pod's states are stretches in their colours, with a pattern where colour alone would not do."""
    history = (
        HistoryBuilder().pod(0, "p").pod(10, "p", ready=False, container="", waiting="ImagePullBackOff").pod(40, "p")
    )
    history.pod(50, "p", deleting=True).pod(60, "p", f="DELETED").canaries(0, 100)
    drawn = draw_timeline(read_story(history.recorded()), "x")

    assert [len(_shapes(drawn, style)) for style in ("ready", "waiting", "idle")] == [2, 1, 1]
    assert "url(#stripes)" in drawn
    assert "10.0 to 40.0 s: ImagePullBackOff" in drawn
    assert "60.0 s: gone" in drawn


def test_verdicts_and_words_stand_beside_the_picture() -> None:
    """The claims' verdicts are lines of text, and the description tells the story without any picture."""
    drawn = draw_timeline(_lost(50), "x", [_CLAIM])

    assert "1 ✗ violated at 50.5 s, expected holds: pods serve: 3 requests lost" in drawn
    description = ET.fromstring(drawn).findtext(f"{_SVG}desc") or ""
    assert "create forbidden namespace: 200 good, 1 lost." in description
    assert "Claim pods serve: violated at 50.5 s, expected holds." in description


def _places(drawn: str, style: str) -> list[tuple[float, float]]:
    """Return where the glyphs of a class stand."""
    groups = [group for group in ET.fromstring(drawn).iter(f"{_SVG}g") if group[0].get("class") == style]
    words = [(group.get("transform") or "").removeprefix("translate(").removesuffix(")").split() for group in groups]
    return [(float(x), float(y)) for x, y in words]


def test_verdicts_stand_where_they_were_decided() -> None:
    """Each claim has a mark at its moment, by shape and colour, with a hint; a violation is a line through all."""
    axis, held = Axis(0, 99.6), ClaimRecord("nodes stay", "holds", "holds", None, "all did", [], {}, 99.0)
    unsure = replace(held, outcome="inconclusive", at=80.0)
    drawn = draw_timeline(_lost(50), "x", [_CLAIM, held, unsure, replace(held, at=None)])

    marks = [_places(drawn, f"verdict s-{name}") for name in ("lost", "good", "idle")]
    assert [[x for x, _ in places] for places in marks] == [
        [pytest.approx(axis.x(at), abs=0.1)] for at in (50.5, 99, 80)
    ]
    (line,) = _shapes(drawn, "decided")
    assert (line.get("d") or "").startswith(f"M{marks[0][0][0]:.2f} 30V")
    hints = [title.text for title in ET.fromstring(drawn).iter(f"{_SVG}title")]
    assert "50.5 s: 1. violated, expected holds: pods serve: 3 requests lost" in hints


def test_verdicts_of_one_moment_do_not_hide_each_other() -> None:
    """Claims decided at the same moment stand below each other; those outside of a close-up are not drawn."""
    claims = [replace(_CLAIM, outcome="holds", at=99.0) for _ in range(4)]
    drawn = draw_timeline(_lost(50), "x", claims)

    assert len({y for _, y in _places(drawn, "verdict s-good")}) == 4
    assert _places(draw_timeline(_lost(50), "x", claims, (49, 52)), "verdict s-good") == []


def test_close_up_shows_what_only_it_can_show() -> None:
    """Losses that are close together get a picture of their own; spread ones, or none, do not."""
    story = _lost(50, 50.5, 51)

    assert find_close_up(story) == (49, 52)
    assert find_close_up(_lost(5, 90)) is None
    assert find_close_up(_lost()) is None
    drawn = draw_timeline(story, "x", (), (49, 52))
    marks = [float((mark.get("d") or "")[1:].partition(" ")[0]) for mark in _shapes(drawn, "tick s-lost")]
    assert marks == pytest.approx([Axis(49, 52).x(at) for at in (50, 50.5, 51)], abs=0.1)


def test_history_that_says_nothing_can_be_drawn() -> None:
    """An empty history, and one that was cut off, have a picture that says what it knows."""
    drawn = draw_timeline(read_story(HistoryBuilder().recorded(truncated=True)), "<nothing>")

    ET.fromstring(drawn)
    assert "the run was killed while it wrote" in drawn


@pytest.mark.parametrize("end", [0.004, 1.0, 61.0, 3_599.0, 100_000.0])
def test_axis_has_about_ten_round_numbers(end: float) -> None:
    """Whatever the length, moments are marked often enough and not too often."""
    ticks = Axis(0, end).ticks

    assert 4 <= len(ticks) <= 11
    assert ticks[0] == 0


class _Many:
    """The entries of very many questions in 20,000 s, one of so many lost; made while they are read."""

    def __init__(self, number: int, one_of: int) -> None:
        self._number, self._one_of = number, one_of

    def __iter__(self) -> Iterator[Entry]:
        for number in range(self._number):
            at, process = 20_000 * number / self._number, f"canary {number % 32}"
            yield Entry(2 * number, "invoke", process, "create", {}, at, STARTED + at)
            kind: EntryKind = "ok" if number % self._one_of else "fail"
            yield Entry(2 * number + 1, kind, process, "create", {"said": "no"}, at, STARTED + at)


@thorough
def test_many_operations_make_a_small_picture() -> None:
    """Far more questions than are kept are counted, every one of them, and drawn in less than a megabyte."""
    story = read_story(History(Header(1, "r", STARTED, "0"), _Many(100_000, one_of=5)))
    drawn = draw_timeline(story, "x")

    assert story.questions[QuestionLabel("canary", "create")].words == "80,000 good, 20,000 lost"
    assert len(drawn) < 1_000_000
    assert len(_shapes(drawn, "tick s-lost")) == 2_000
    assert "18,000 lost requests are drawn as areas" in drawn


@thorough
def test_memory_does_not_grow_with_the_history() -> None:
    """Four times the questions need no more memory, once as many are lost as are kept one by one."""
    peaks = []
    for number in (5_000, 20_000):
        tracemalloc.start()
        read_story(History(Header(1, "r", STARTED, "0"), _Many(number, one_of=2)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()

    assert peaks[1] < 1.2 * peaks[0]


def test_real_history_is_told(tmp_path: Path) -> None:
    """What History writes to disk is what is drawn."""
    history = HistoryWriter(tmp_path / "history.jsonl")
    history.append("mark", "experiment", "begin", "steady state")
    history.append("invoke", "canary 0", "create forbidden namespace", {"late": 0.0})
    history.append("fail", "canary 0", "create forbidden namespace", {"said": "admitted"})
    history.close()

    began = time.monotonic()
    drawn = draw_timeline(read_story(read(tmp_path / "history.jsonl")), "x")

    assert len(_shapes(drawn, "tick s-lost")) == 1
    assert time.monotonic() - began < 10
