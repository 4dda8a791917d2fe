"""Policies: what the check says of histories in which policies, bindings, templates and constraints come and go."""

from dataclasses import replace

import pytest

from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import RESUMED
from chaos_harness.harness.verdict import Verdict
from tests.fakes.generated import BINDINGS, CONSTRAINTS, LISTS, POLICIES, TEMPLATES, Generating, gapped, new


def matching() -> Generating:
    """Return a history in which everything that is asked for came in time."""
    return Generating().begin().template(1, generate=True, f="ADDED").constraint(2).policy(3).binding(33)


def judged(recorded: History, late: float = 60, version: str = "v3.23.1") -> Verdict:
    return policies_match(late, gatekeeper=version)(recorded)


def test_holds() -> None:
    """Policies and bindings that come in time match, and how late the latest was is told."""
    verdict = judged(matching().end(200))
    assert verdict.outcome == "holds"
    assert verdict.figures == {"longest_difference_seconds": 31.0, "orphans": 0.0, "missing": 0.0, "altered": 0.0}


@pytest.mark.parametrize(
    ("history", "summary"),
    [
        (matching().constraint(50, "MODIFIED", point="webhook"), "1 orphan binding for more than 60 s"),
        (matching().constraint(50, "DELETED"), "1 orphan binding for more than 60 s"),
        (matching().template(50, generate=False), "1 orphan policy, 1 orphan binding for more than 60 s"),
        (matching().binding(50, "DELETED"), "1 missing binding for more than 60 s"),
        (matching().policy(50, "DELETED").policy(120), "1 missing policy for more than 60 s"),
        (Generating().begin().binding(1), "1 orphan binding for more than 60 s"),
    ],
    ids=["scope", "constraint", "template", "binding", "healed-too-late", "nothing-asked"],
)
def test_violated(history: Generating, summary: str) -> None:
    """What is there and not asked for, or asked for and not there, for too long, is a violation, also if it ends."""
    verdict = judged(history.end(200))
    assert verdict.outcome == "violated"
    assert set(verdict.summary.split(" for ")[0].split(", ")) == set(summary.split(" for ", maxsplit=1)[0].split(", "))
    assert verdict.evidence


def test_evidence_tells_the_age() -> None:
    """Each orphan is told with its name, since when, and how old."""
    verdict = judged(matching().constraint(50, "DELETED").end(200))
    assert verdict.evidence == (
        "orphan binding gatekeeper-chaoslabels-c of gatekeeper-chaoslabels: since 50.0 s and still, 150.0 s old",
    )
    assert verdict.at == 110, "60 s late is too late"
    assert verdict.figures["orphans"] == 1


def test_names_differ_by_version() -> None:
    """The same binding is right for one version, and for another an orphan beside a missing one."""
    assert judged(matching().end(200), version="v3.20.1").outcome == "violated"
    old = Generating().begin().template(1, generate=True, f="ADDED").constraint(2).policy(3)
    assert judged(old.binding(33, name="gatekeeper-c").end(200), version="v3.20.1").outcome == "holds"


@pytest.mark.parametrize(
    ("recorded", "summary"),
    [
        (matching().constraint(150, "DELETED").end(200), "1 orphan binding, too young to judge"),
        (Generating().begin().end(200), "no template ever asked"),
        (Generating().begin(watched=LISTS[:2]).end(200), "validatingadmissionpolicybindings were not watched"),
        (Generating().begin(watched=LISTS[1:]).gap(0, TEMPLATES).end(50), f"{TEMPLATES} was never seen"),
        (
            Generating().begin(watched=LISTS[:3]).template(1, generate=True).policy(2).end(200),
            "constraints chaoslabels were not watched",
        ),
        (matching().gap(50, BINDINGS).end(200), f"{BINDINGS} was not seen from 50.0 to 200.0 s"),
        (matching().gap(50, BINDINGS).whole(115, BINDINGS).end(200), f"{BINDINGS} was not seen from 50.0 to 115.0 s"),
    ],
    ids=["young", "nothing", "half", "empty", "unwatched", "blind", "gap"],
)
def test_inconclusive(recorded: History, summary: str) -> None:
    """What was not seen, or not for long enough, is neither a pass nor a failure."""
    verdict = judged(recorded)
    assert verdict.outcome == "inconclusive"
    assert summary in verdict.summary


def test_what_fell_into_a_gap() -> None:
    """An orphan that may have gone early or late in a gap is judged only where both come to the same."""
    history = matching().constraint(50, "DELETED").gap(100, BINDINGS).binding(120, "DELETED", gap=True)
    assert judged(history.whole(120, BINDINGS).end(200), late=45).outcome == "violated"
    assert judged(history.end(200), late=60).outcome == "inconclusive"
    assert judged(history.end(200), late=80).outcome == "holds"


def test_gap_in_which_nothing_changed() -> None:
    """A short gap after which an orphan is as before hides nothing; one in which it changed breaks what was certain."""
    quiet = matching().constraint(50, "DELETED").gap(70, BINDINGS).whole(72, BINDINGS)
    assert judged(quiet.end(115)).outcome == "violated"
    other = matching().constraint(50, "DELETED").gap(70, POLICIES).policy(72, "MODIFIED", gap=True).whole(72, POLICIES)
    assert judged(other.end(115)).outcome == "violated", "no policy acquits a binding that no constraint asks for"
    busy = matching().constraint(50, "DELETED").gap(70, BINDINGS).binding(72, "MODIFIED", gap=True).whole(72, BINDINGS)
    assert judged(busy.end(115)).outcome == "inconclusive"
    assert "perhaps" in judged(busy.end(115)).summary
    assert judged(busy.end(140)).outcome == "violated"


def test_kind_that_is_not_served_has_no_constraints() -> None:
    """A template may be there before its kind is served; when it is gone, nobody asks, be its kind served or not."""
    history = Generating().begin(watched=LISTS[:3]).gap(0, CONSTRAINTS, "404").template(1, generate=True, f="ADDED")
    history.policy(3).constraint(5, gap=True).whole(5, CONSTRAINTS).binding(35)
    assert judged(history.end(100)).outcome == "holds"
    history.gap(100, CONSTRAINTS, "ended").gap(101, CONSTRAINTS, "404").policy(102, "DELETED")
    gone = history.template(101, generate=True, f="DELETED")
    assert judged(gone.end(200)).summary == "1 orphan binding for more than 60 s"
    assert judged(gone.binding(103, "DELETED").end(200)).outcome == "holds"


def test_others_are_none_of_our_business() -> None:
    """Policies that are not named like Gatekeeper's, and templates without CEL, do not matter."""
    history = matching().policy(4, name="of-somebody-else").binding(4, name="of-somebody-else")
    rego = {"metadata": {"name": "filler"}, "spec": {"targets": [{"target": "t", "code": []}]}}
    history.add(5, "change", TEMPLATES, "ADDED", {"resource_version": "3", "object": rego})
    assert judged(history.end(200)).outcome == "holds"


@pytest.mark.parametrize(
    ("image", "outcome"), [("v3.23.1", "holds"), ("v3.20.1", "violated"), ("v3.16.3", "inconclusive")]
)
def test_version_is_read_from_the_history(image: str, outcome: str) -> None:
    """Without a version the check goes by the Gatekeeper that was watched; without one it decides nothing."""
    history = matching()
    assert policies_match()(history.end(200)).outcome == "inconclusive"
    containers = [{"image": f"docker.io/openpolicyagent/gatekeeper:{image}"}]
    deployment = {"metadata": {"name": "gatekeeper-audit"}, "spec": {"template": {"spec": {"containers": containers}}}}
    history.add(0, "change", "watch deployments", "LISTED", {"resource_version": "1", "object": deployment})
    assert policies_match()(history.end(200)).outcome == outcome


def test_versions_that_cannot_be_judged() -> None:
    """A version without the field is refused before anything is read."""
    with pytest.raises(BadScenario):
        policies_match(gatekeeper="v3.16.3")


def test_list_that_was_not_served_once() -> None:
    """A 404 in between, after which only what changed is told, neither makes an orphan nor hides one (truth.md 1.4)."""
    quiet = matching().gap(60, CONSTRAINTS, "404").whole(60.1, CONSTRAINTS)
    assert judged(quiet.end(460)).outcome == "holds"
    lost = matching().gap(60, CONSTRAINTS, "404").whole(60.1, CONSTRAINTS).binding(70, "DELETED")
    assert judged(lost.end(460)).summary == "1 missing binding for more than 60 s"
    blind = matching().gap(60, CONSTRAINTS, "404").gap(61, CONSTRAINTS, "503")
    assert judged(blind.end(460)).outcome == "inconclusive"


def test_a_silent_gap_reaches_back() -> None:
    """A gap that is told 35 s late hides from its begin on, what may be there and what may be away (truth.md 1.6)."""
    orphan = matching().constraint(50, "DELETED").gap(87, BINDINGS, "silent").binding(88, "DELETED", gap=True)
    assert judged(orphan.whole(88, BINDINGS).end(200), late=33).outcome == "inconclusive"
    away = matching().gap(87, BINDINGS, "silent").whole(88, BINDINGS)
    assert judged(away.end(200), late=33).summary == f"{BINDINGS} was not seen from 52.0 to 88.0 s"


def test_missing_on_both_sides_of_a_gap() -> None:
    """What comes and goes in a gap leaves no trace in a new list, and uncertain moments if the watch goes on."""
    away = matching().binding(50, "DELETED").gap(60, BINDINGS)
    assert judged(away.whole(158, BINDINGS).binding(170).end(300)).outcome == "inconclusive"
    away = matching().binding(50, "DELETED").gap(60, BINDINGS)
    assert judged(away.whole(158, BINDINGS, RESUMED).binding(170).end(300)).outcome == "violated"
    back = matching().binding(50, "DELETED").gap(60, BINDINGS).binding(158, gap=True).binding(158, "DELETED", gap=True)
    assert judged(back.whole(158, BINDINGS, RESUMED).binding(170).end(300)).outcome == "inconclusive"
    assert judged(matching().gap(60, BINDINGS).whole(158, BINDINGS, RESUMED).end(300)).outcome == "holds"


def test_binding_whose_constraints_nobody_saw() -> None:
    """Whether a binding is an orphan is not known while its constraints are not seen; without a template it is one."""
    watched = Generating().begin(watched=LISTS[:3]).gap(0, CONSTRAINTS)
    unseen = watched.template(1, generate=True, f="ADDED").policy(3).binding(33)
    assert judged(unseen.end(200)).outcome == "inconclusive"
    refused = unseen.template(50, generate=False).policy(52, "DELETED")
    assert judged(refused.end(200)).summary == "1 orphan binding for more than 60 s"


def test_file_without_an_end() -> None:
    """A file that may lack lines at its end does not hold; what was seen to be wrong for too long stays so."""
    assert judged(new(matching(), 200)).outcome == "holds"
    cut = judged(replace(new(matching(), 200), ended=False))
    assert (cut.outcome, "to the end" in cut.summary) == ("inconclusive", True)
    wrong = replace(new(matching().binding(50, "DELETED"), 200), ended=False)
    assert judged(wrong).outcome == "violated"


def test_content() -> None:
    """A policy that was rewritten, or a binding that only tells, is not what was asked for (truth.md 3.13)."""
    rewritten = judged(matching().policy(50, "MODIFIED", expression="true").end(200))
    assert rewritten.summary == "1 altered policy for more than 60 s"
    assert (rewritten.at, rewritten.figures["altered"]) == (110, 1)
    audited = judged(matching().binding(50, "MODIFIED", action="Audit").end(200))
    assert audited.summary == "1 altered binding for more than 60 s"
    assert (
        judged(matching().binding(50, "MODIFIED", action="Audit").binding(80, "MODIFIED").end(200)).outcome == "holds"
    )


def test_content_that_follows() -> None:
    """Who is asked for something else may take its time; who never follows is stale."""
    asked = matching().template(50, generate=True, expression="false").constraint(50, "MODIFIED", action="warn")
    assert set(judged(asked.end(200)).summary.split(" for ")[0].split(", ")) == {
        "1 altered policy",
        "1 altered binding",
    }
    followed = asked.policy(80, "MODIFIED", expression="false").binding(85, "MODIFIED", action="Warn")
    assert judged(followed.end(200)).outcome == "holds"


def healed(history: Generating, *, end: float) -> History:
    return new(history.fault(90, 91, 100), end)


def test_a_difference_that_stands_when_the_time_is_over() -> None:
    """In a limited part the state must be reached: what still differs at its end is too late (truth.md 3.8)."""
    check = policies_match(60, gatekeeper="v3.23.1").within(20)
    stands = check(healed(matching().binding(105, "DELETED"), end=400))
    assert (stands.outcome, stands.at) == ("violated", 120)
    assert stands.summary == "1 missing binding when the time limit was reached"
    mended = matching().binding(105, "DELETED").binding(119)
    assert check(healed(mended, end=400)).outcome == "holds"
    later = matching().binding(121, "DELETED")
    assert check(healed(later, end=400)).outcome == "holds"


def test_limited_part_whose_end_was_not_seen() -> None:
    """Whether the state was reached is not known if a list was not seen at that very moment."""
    check = policies_match(60, gatekeeper="v3.23.1").within(20)
    blind = gapped(healed(matching(), end=400), BINDINGS, 115, 125)
    verdict = check(blind)
    assert (verdict.outcome, f"{BINDINGS} was not seen" in verdict.summary) == ("inconclusive", True)
    assert check(gapped(healed(matching(), end=400), BINDINGS, 102, 112)).outcome == "holds"
