"""Lists: what is known of an object whose watch did not see everything."""

from collections.abc import Mapping
from dataclasses import replace
from math import inf
from typing import Any

import pytest

from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lists import ALWAYS, KnownSpans, Lists, any_of
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import LISTED, RESUMED
from chaos_harness.harness.policies.status import seen_by_all
from tests.fakes.generated import BINDINGS, TEMPLATES, Generating, gapped, new, silenced
from tests.fakes.histories import renumbered

NAME = "gatekeeper-chaoslabels-c"


def known(recorded: History, name: str = NAME) -> KnownSpans:
    """Return when the binding was there, up to 40 s."""
    so = known_for_ever(recorded, name)
    return KnownSpans(so.yes.within(-inf, 40), so.no.within(-inf, 40))


def known_for_ever(recorded: History, name: str = NAME) -> KnownSpans:
    coverage = Coverage(recorded)
    lists = Lists(coverage, lambda process: process == BINDINGS)
    follow(recorded, coverage, lists)
    return lists[BINDINGS].known(name)


def spans(*parts: tuple[float, float]) -> Spans:
    return Spans.of(parts)


def bound() -> Generating:
    return Generating().begin(watched=(BINDINGS,)).binding(10)


def test_truth_is_of_three_values() -> None:
    """What nobody knows stays unknown, unless the other side decides."""
    one, two = KnownSpans(spans((0, 4)), spans((6, 9))), KnownSpans(spans((2, 7)), spans((7, 9)))
    assert one & two == KnownSpans(spans((2, 4)), spans((6, 9)))
    assert one | two == KnownSpans(spans((0, 7)), spans((7, 9)))
    assert ~one == KnownSpans(spans((6, 9)), spans((0, 4)))
    assert one.possible == ALWAYS - spans((6, 9))
    assert any_of([]) == KnownSpans(no=ALWAYS)
    assert any_of([one, two]) == one | two


def test_seen_all_the_time() -> None:
    """An object is there from when it came to when it went."""
    assert known(new(bound().binding(20, "DELETED"), 40)) == KnownSpans(spans((10, 20)), spans((0, 10), (20, 40)))


def test_same_object_on_both_sides_of_a_gap() -> None:
    """What a new list does not tell of was there all the time; so was what changed in nothing that counts."""
    assert known(gapped(new(bound(), 40), BINDINGS, 12, 25)) == KnownSpans(spans((10, 40)), spans((0, 10)))
    touched = gapped(new(bound(), 40), BINDINGS, 12, 25)
    first = next(entry for entry in touched.entries if "object" in entry.value)
    status = {"object": {**first.value["object"], "status": {"seen": "later"}}, "in_gap": True}
    entries = list(touched.entries)
    where = next(index for index, entry in enumerate(entries) if entry.at == 25 and entry.f == LISTED)
    entries.insert(where, replace(entries[where], f="MODIFIED", value=status))
    assert known(replace(touched, entries=renumbered(entries))) == KnownSpans(spans((10, 40)), spans((0, 10)))


def test_a_gap_in_which_it_is_judged() -> None:
    """What a list after that moment does not tell of was there all the time; what it tells of is not known."""
    seen_again = gapped(new(bound(), 40), BINDINGS, 30, 40.6)
    assert known_for_ever(seen_again) == KnownSpans(spans((10, inf)), spans((0, 10)))
    changed = gapped(new(bound().binding(35, "MODIFIED"), 40), BINDINGS, 30, 40.6)
    assert known(changed) == KnownSpans(spans((10, 25)), spans((0, 10)))


def test_another_object_after_a_gap() -> None:
    """An object that was deleted and made anew in a gap may have been away for as long as that; so may one changed."""
    anew = gapped(new(bound().binding(15, "DELETED").binding(16), 40), BINDINGS, 12, 25)
    assert known(anew) == KnownSpans(spans((10, 10), (25, 40)), spans((0, 10)))
    assert known(gapped(new(bound().binding(16, "MODIFIED"), 40), BINDINGS, 12, 25)).yes == spans((25, 40))


def test_what_comes_and_goes_in_a_gap() -> None:
    """A new list shows no trace of it; a watch that goes on tells all of it, but not when it was."""
    recorded = new(bound().binding(11, "DELETED").binding(15).binding(17, "DELETED"), 40)
    assert known(gapped(recorded, BINDINGS, 12, 25)) == KnownSpans(spans((10, 11)), spans((0, 10), (11, 11), (25, 40)))
    assert known(gapped(recorded, BINDINGS, 12, 25, how=RESUMED)) == known(gapped(recorded, BINDINGS, 12, 25))
    quiet = new(bound().binding(11, "DELETED"), 40)
    assert known(gapped(quiet, BINDINGS, 12, 25, how=RESUMED)).no == spans((0, 10), (11, 40))
    assert known(gapped(quiet, BINDINGS, 12, 25)).no == spans((0, 10), (11, 11), (25, 40))


def test_what_becomes_otherwise_and_back_in_a_gap() -> None:
    """What changed more than once while nobody looked is known from before the gap to after it, and not in between."""
    history = Generating().begin(watched=(TEMPLATES,)).template(5, generate=True, f="ADDED", seen=False)
    for at, generate, seen in ((13, True, True), (14, False, False), (15, False, True), (20, True, True)):
        history.template(at, generate=generate, seen=seen)
    recorded = gapped(new(history, 40), TEMPLATES, 12, 25, how=RESUMED)
    coverage = Coverage(recorded)
    lists = Lists(coverage, lambda process: process == TEMPLATES, seen_by_all)
    follow(recorded, coverage, lists)
    refused = lists[TEMPLATES].known("chaoslabels", lambda one: not generates_now(one) and seen_by_all(one))
    assert refused.yes.within(0, 40) == Spans()
    assert refused.no.within(0, 40) == spans((0, 10), (25, 40))


def generates_now(template: Mapping[str, Any]) -> bool:
    return bool(template["spec"]["targets"][0]["code"][0]["source"]["generateVAP"])


@pytest.mark.parametrize("then", ["503", "404", None])
def test_not_served_forgets_nothing(then: str | None) -> None:
    """After a 404, whatever follows, nothing is known until the list is whole; what it does not tell of is there."""
    history = bound().gap(12, BINDINGS, "404")
    if then:
        history.gap(14, BINDINGS, then)
    assert known(history.end(40)).yes == spans((10, 12))
    assert known(history.whole(20, BINDINGS).end(40)) == KnownSpans(spans((10, 40)), spans((0, 10)))


def test_not_served_as_it_is_told_today() -> None:
    """A watch that tells, at a 404, that all is gone, does not know that; it is there again if the list says so."""
    history = bound().gap(12, BINDINGS, "404")
    (first,) = [entry.value["object"] for entry in history.recorded().entries if "object" in entry.value]
    history.add(12, "change", BINDINGS, "DELETED", {"object": first, "in_gap": True})
    assert known(history.end(40)) == KnownSpans(spans((10, 12)), spans((0, 10)))
    history.add(20, "change", BINDINGS, "ADDED", {"object": first, "in_gap": True}).whole(20, BINDINGS)
    assert known(history.end(40)) == KnownSpans(spans((10, 40)), spans((0, 10)))


def test_half_open_to_the_end() -> None:
    """After the last sign of life nothing is known, of what was there and of what was not."""
    less = silenced(new(bound(), 40), BINDINGS, 21)
    assert known(less) == KnownSpans(spans((10, 20)), spans((0, 10)))
    assert known(less, "other").no == spans((0, 20))


def test_nothing_is_known_behind_the_end_of_what_was_seen() -> None:
    """What a watch that never came back saw last is not there anew when it is judged."""
    for recorded in (silenced(new(bound(), 40), BINDINGS, 21), new(bound().gap(21, BINDINGS), 40)):
        assert known_for_ever(recorded).yes == spans((10, 20))


def test_a_missing_line() -> None:
    """A line that is missing may have told anything, also of a gap: an object is known again when it is told of."""
    recorded = new(bound().binding(18, "MODIFIED"), 40)
    line = next(entry.index for entry in recorded.entries if entry.at == 15)
    less = replace(recorded, entries=[entry for entry in recorded.entries if entry.index != line])
    assert known(less) == KnownSpans(spans((18, 40)), spans((0, 10)))
    assert known(less, "other").no == spans((0, 10))


def test_a_starved_machine() -> None:
    """What was told while this machine was too busy came at any moment of that time."""
    history = bound().binding(20, "DELETED").add(20.2, "info", "metronome", "late", {"seconds": 4.2})
    assert known(new(history, 40)) == KnownSpans(spans((10, 16)), spans((0, 10), (20, 40)))


def test_nobody_watched() -> None:
    """Of a list that nobody watched nothing is known at any time."""
    assert known(new(Generating(), 40)) == KnownSpans()
