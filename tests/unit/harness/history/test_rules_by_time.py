"""Rules by time: which rules of generation are in force when Gatekeeper is upgraded, and what is not known of them."""

from math import inf

import pytest

from chaos_harness.harness.checks.policies import policies_match
from chaos_harness.harness.history import History
from chaos_harness.harness.history.coverage import Coverage
from chaos_harness.harness.history.following import follow
from chaos_harness.harness.history.lists import ALWAYS, KnownSpans
from chaos_harness.harness.history.rules_by_time import DeployedRules, RulesByTime
from chaos_harness.harness.history.spans import Spans
from chaos_harness.harness.history.vocabulary import WATCH_DEPLOYMENTS
from chaos_harness.harness.policies.generation_rules import Rules
from tests.fakes.generated import new
from tests.fakes.upgrading import Upgrading

_OLD, _NEW = Rules.of("v3.20.1"), Rules.of("v3.23.1")


def started() -> Upgrading:
    """Return a history in which v3.20.1 runs, and all that is asked for is there, by the names of that version."""
    history = Upgrading()
    history.begin().run(0, "v3.20.1", "ADDED").whole(0, WATCH_DEPLOYMENTS)
    history.template(1, generate=True, f="ADDED").constraint(2).policy(3).binding(33, name="gatekeeper-c")
    return history


def upgraded() -> Upgrading:
    """Return a history in which it is upgraded at 50 s, and rolled out at 80 s."""
    return started().begun(50).run(50.1, "v3.23.1", done=False).run(80, "v3.23.1")


def read(recorded: History) -> RulesByTime:
    coverage = Coverage(recorded)
    deployed = DeployedRules(coverage)
    follow(recorded, coverage, deployed)
    by_time = deployed.by_time()
    assert by_time
    return by_time


def when(recorded: History, rules: Rules) -> KnownSpans:
    """Return when these rules are in force, and when they are not."""
    by_time = read(recorded)
    return by_time.known(lambda these: KnownSpans(yes=ALWAYS) if these == rules else KnownSpans(no=ALWAYS))


def test_before_and_after_an_upgrade() -> None:
    """The old rules are in force until it begins, the new ones from when all is rolled out; between, either may be."""
    recorded = new(upgraded(), 200)
    assert when(recorded, _OLD) == KnownSpans(Spans.of([(-inf, 50.1)]), Spans.of([(80, inf)]))
    assert when(recorded, _NEW) == KnownSpans(Spans.of([(80, inf)]), Spans.of([(-inf, 50.1)]))


def test_while_several_are_possible_what_all_say_is_known() -> None:
    """That a template asks for its policy is so by the rules of both versions."""
    by_time = read(new(upgraded(), 200))
    assert by_time.known(lambda _: KnownSpans(yes=ALWAYS)) == KnownSpans(yes=ALWAYS)
    assert by_time.known(lambda _: KnownSpans(no=ALWAYS)) == KnownSpans(no=ALWAYS)


def test_an_upgrade_that_never_ends_leaves_both_possible() -> None:
    """A rollout that is stuck does not say which pods generate."""
    recorded = new(started().begun(50).run(50.1, "v3.23.1", done=False), 200)
    assert when(recorded, _NEW) == KnownSpans(no=Spans.of([(-inf, 50.1)]))


def test_a_history_without_a_change_has_its_rules_all_the_time() -> None:
    """What is rolled out anew, or not seen for a while, changes nothing of them."""
    history = started().gap(60, WATCH_DEPLOYMENTS).run(90, "v3.20.1", gap=True)
    assert when(new(history.whole(90, WATCH_DEPLOYMENTS), 200), _OLD) == KnownSpans(yes=ALWAYS)


def test_what_an_upgrade_did_unseen_is_not_known() -> None:
    """Once one has begun, Deployments that nobody sees may be of either version."""
    blind = started().gap(40, WATCH_DEPLOYMENTS).begun(50)
    assert when(new(blind, 200), _OLD).yes.within(-inf, 200) == Spans.of([(-inf, 50)])
    seen = blind.run(90, "v3.23.1", gap=True).whole(90, WATCH_DEPLOYMENTS)
    assert when(new(seen, 200), _NEW) == KnownSpans(Spans.of([(90, inf)]), Spans.of([(-inf, 35)]))


def test_a_version_that_does_not_generate_by_rules_decides_nothing() -> None:
    """Before v3.17 policies were generated in another way."""
    history = Upgrading()
    history.begin().run(0, "v3.16.3", "ADDED").whole(0, WATCH_DEPLOYMENTS)
    history.begun(50).run(50.1, "v3.23.1", done=False).run(80, "v3.23.1")
    assert when(new(history, 200), _NEW) == KnownSpans(yes=Spans.of([(80, inf)]))


def renamed(came: float, went: float) -> Upgrading:
    """Return an upgrade to the version that names bindings by their kinds, too."""
    return upgraded().binding(came).binding(went, "DELETED", name="gatekeeper-c")


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (renamed(90, 95), "holds", "were as asked for"),
        (renamed(60, 62), "holds", "were as asked for"),
        (renamed(150, 90), "violated", "1 missing binding for more than 60 s"),
        (renamed(85, 150), "violated", "1 orphan binding for more than 60 s"),
        (upgraded(), "violated", "1 missing binding, 1 orphan binding for more than 60 s"),
        (started().begun(50).run(50.1, "v3.23.1", done=False).binding(85), "inconclusive", "perhaps"),
    ],
    ids=["renamed", "renamed-early", "missing", "doubled", "forgotten", "stuck"],
)
def test_bindings_are_renamed(history: Upgrading, outcome: str, words: str) -> None:
    """Within its time each constraint has the binding of the version that runs, and no other one."""
    verdict = policies_match(60)(new(history, 200))
    assert verdict.outcome == outcome
    assert all(word.strip(",") in verdict.summary for word in words.split())


def test_by_one_version_an_upgrade_is_misjudged() -> None:
    """By the rules of either version alone the same history has what nobody asked for, before or after."""
    recorded = new(renamed(85, 90), 300)
    assert policies_match(45, gatekeeper="v3.23.1")(recorded).outcome == "violated"
    assert policies_match(45, gatekeeper="v3.20.1")(recorded).outcome == "violated"
    assert policies_match(45)(recorded).outcome == "holds"


def test_the_rollout_of_what_does_not_generate_does_not_count() -> None:
    """The webhook's replicas take longer; as soon as those that generate are of the version, its rules are in force."""
    history = started().begun(50).run(50.1, "v3.23.1", done=False)
    history.deployment(60, "gatekeeper-audit", 1, "v3.23.1", "MODIFIED", args=["--operation=generate"])
    history.deployment(
        60, "gatekeeper-controller-manager", 3, "v3.23.1", "MODIFIED", done=False, args=["--operation=webhook"]
    )
    assert when(new(history, 200), _NEW).yes == Spans.of([(60, inf)])
