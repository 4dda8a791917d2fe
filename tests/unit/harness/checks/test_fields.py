"""Fields: what is said of a field that stays as it is wanted, does not, or was not seen."""

from typing import Any, Self

import pytest

from chaos_harness.harness.checks.fields import field_stays
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import (
    ADDED,
    BOOKMARK,
    DELETED,
    EXPERIMENT,
    GAP,
    JUDGE,
    LATE,
    LISTED,
    METRONOME,
    MODIFIED,
)
from chaos_harness.harness.judging import check_of
from tests.fakes.histories import HistoryBuilder

_WATCH = "watch field web ready"
_END = 100.0


class Watching(HistoryBuilder):
    """A history of one field, in whose last second it is judged."""

    def found(self, at: float, *found: Any, f: str = MODIFIED) -> Self:
        """Add what the field's path found from a moment on."""
        watched = {"metadata": {"namespace": "shop", "name": "web"}, "found": list(found)}
        return self.add(at, "change", _WATCH, f, {"resource_version": "1", "object": watched})

    def whole(self, at: float) -> Self:
        return self.add(at, "change", _WATCH, LISTED, {"resource_version": "1"})

    def gap(self, at: float) -> Self:
        return self.add(at, "change", _WATCH, GAP, {"resource_version": "1", "why": "refused", "detail": ""})

    def judged(self) -> History:
        self.add(_END, "mark", EXPERIMENT, JUDGE).add(_END + 1, "change", _WATCH, BOOKMARK, {"resource_version": "1"})
        return self.recorded()


def _from(*found: Any) -> Watching:
    """Return a history in which this was found from the beginning."""
    return Watching().found(0.5, *found, f=ADDED).whole(0.5)


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (_from(3), "holds", "it was >= 2 all the time"),
        (_from(3).found(20, 1).found(45, 2), "holds", "but for 25.0 s at most"),
        (_from(3).found(20, 1).found(35, 2).found(40, 1).found(60, 2), "holds", "but for 20.0 s at most"),
        (_from(3).found(20, 1).found(55, 2), "violated", "for more than 30 s, from 20.0 to 55.0 s"),
        (_from(3).found(20), "violated", "from 20.0"),
        (_from(3).found(20, 1, f=DELETED), "violated", "from 20.0"),
        (Watching().whole(0.5), "violated", "from 0.5"),
        (Watching().whole(0.5).found(20, 2, f=ADDED), "holds", "but for 19.5 s at most"),
        (_from(3).found(80, 1), "inconclusive", "is not known, or not yet, from 80.0"),
        (_from(3).gap(50), "inconclusive", "was not seen from"),
        (_from(3).gap(50).found(74, 3, f=LISTED).whole(74), "holds", "but for 24.0 s at most"),
        (Watching().gap(0.5), "inconclusive", "was not seen from"),
        (HistoryBuilder().add(1, "mark", EXPERIMENT, JUDGE), "inconclusive", "nobody watched the field 'web ready'"),
    ],
    ids=[
        *("always", "short", "twice short", "long", "nothing", "deleted", "never there", "comes", "young"),
        *("blind", "blind for a while", "never seen", "unwatched"),
    ],
)
def test_how_long_it_is_otherwise_decides(history: Watching, outcome: str, words: str) -> None:
    """But for 30 s at a time it must be at least 2; what nobody saw may have been otherwise."""
    recorded = history.judged() if isinstance(history, Watching) else history.recorded()
    verdict = field_stays("web ready", ">= 2", but_for=30)(recorded)
    assert (verdict.outcome, words in verdict.summary) == (outcome, True), verdict.summary


def test_a_violation_says_what_it_was_instead_and_when() -> None:
    """The values, the moment at which the time was over, and for how many seconds it was otherwise."""
    history = _from(3).found(20, 1).found(40, 0).found(70, 3)
    verdict = field_stays("web ready", ">= 2", but_for=30)(history.judged())
    assert verdict.evidence == ("1 from 20.0 s on", "0 from 40.0 s on")
    assert (verdict.at, verdict.figures) == (50.0, {"otherwise_seconds": 50.0})


def test_starved_seconds_do_not_count() -> None:
    """While this machine was starved nobody could put it right."""
    history = _from(3).found(20, 1).found(55, 3)
    history.add(45, "info", METRONOME, LATE, {"seconds": 15.0})
    assert field_stays("web ready", ">= 2", but_for=30)(history.judged()).outcome == "inconclusive"


@pytest.mark.parametrize(
    ("value", "fits", "not_"),
    [
        (">= 2", [[2], [3, 2.5]], [[1], [], [3, 1], ["3"], [True]]),
        ("<= 2", [[2]], [[3]]),
        ("> 2", [[3]], [[2]]),
        ("<2.5", [[2]], [[3]]),
        ("!= Failed", [["Running"], [3]], [["Failed"], [], ["Running", "Failed"]]),
        ("True", [["True"]], [["False"], [True]]),
        (True, [[True], ["true"]], [[False], ["True"]]),
        (3, [[3], [3.0], ["3"]], [[2]]),
        ("3", [[3], ["3"]], [[2]]),
        ("", [[""]], [["a"], []]),
    ],
)
def test_what_fits(value: Any, fits: list[Any], not_: list[Any]) -> None:
    """Numbers are compared as numbers, all else as kubectl writes it; every value that is found must fit."""
    check = field_stays("web ready", value)
    assert {check(_from(*found).judged()).outcome for found in fits} == {"holds"}
    assert {check(_from(*found).judged()).outcome for found in not_} == {"violated"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (">= many", "expected a number behind >=, found 'many'"),
        ("> ", "expected a number behind >, found ''"),
        ("== 3", "'== 3': to be equal, write the value alone"),
    ],
)
def test_what_compares_with_nothing(value: str, words: str) -> None:
    """A comparison that could never fit is refused."""
    with pytest.raises(BadScenario, match=words):
        field_stays("web ready", value)


@pytest.mark.parametrize("value", [">= 2", "> 0", 2, 2.5, "2", True, "True", "a, b"])
def test_a_claim_is_made_again_from_its_id(value: Any) -> None:
    """Whatever it is compared with."""
    check = field_stays("web ready", value, but_for=30)
    again = check_of(check.id)
    assert (again.id, again.__name__) == (check.id, check.__name__)
