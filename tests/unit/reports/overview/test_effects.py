"""Effects: what each fault cost, and what of it was not seen."""

import pytest

from chaos_harness.reports.overview.effects import FaultEffect, read_effects
from chaos_harness.reports.overview.words import describe_recovery, describe_times, describe_unseen
from tests.fakes.canary_histories import CanaryHistory


def _effect(history: CanaryHistory) -> FaultEffect:
    (effect,) = read_effects(history.written())
    return effect


def _lost(kind: str = "fail", **how: str) -> CanaryHistory:
    """Return a history of 60 s with a fault from 10 to 40 s, and bad answers from 20 to 22 s."""
    history = CanaryHistory().asks(0, 20).asks(20, 22, kind, took=0.5, **how).asks(22, 60)  # type: ignore[arg-type]
    return history.fault(10, 11, 40)


def test_seconds_and_requests_are_those_of_the_read_model() -> None:
    """As a check counts them: from the first bad answer to the last one, at least and at most."""
    effect = _effect(_lost())
    (loss,) = effect.losses

    assert (loss.kind, loss.policy, loss.lost, loss.decided) == ("bypassed", "mutate pods", 20, 500)
    assert [loss.least, loss.most] == pytest.approx([1.4, 2.11])
    assert (effect.names, effect.begin, effect.stopped) == (("cut registry",), 10, 40)


def test_refused_is_not_bypassed() -> None:
    """A compliant request that was denied is counted apart."""
    effect = _effect(_lost(outcome="denied by webhook"))

    assert effect.of("bypassed") == []
    assert [loss.lost for loss in effect.of("refused")] == [20]


def test_answers_are_timed_before_during_and_after() -> None:
    """The fault is over when it is healed and nothing is lost any more; each part has its own percentiles."""
    effect = _effect(_lost())

    assert [times.number for times in (effect.before, effect.during, effect.after)] == [100, 300, 200]
    assert describe_times(effect.before) == "10 ms / 10 ms"
    assert describe_times(effect.during).endswith("/ 495 ms"), "500 ms, to 1 %"


def test_what_is_lost_after_the_healing_belongs_to_the_fault() -> None:
    """Answers are those of the time during the fault until nothing is lost any more."""
    effect = _effect(CanaryHistory().asks(0, 20).asks(20, 45, "fail").asks(45, 60).fault(10, 11, 40))

    assert [times.number for times in (effect.before, effect.during, effect.after)] == [100, 351, 149]


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (22, "12.0 s after the fault, while it lasted"),
        (45, "5.0 s after it was undone (35.0 s after the fault)"),
        (60, "not until the end, 49.9 s after the fault"),
    ],
)
def test_recovery(end: int, words: str) -> None:
    """When what was lost was enforced again, since the fault began and since it was undone, or that it was not."""
    history = CanaryHistory().asks(0, 20).asks(20, end, "fail").asks(end, 60).fault(10, 11, 40)

    assert describe_recovery(_effect(history)) == words


def test_what_was_not_seen_is_no_zero() -> None:
    """Questions without a conclusive answer leave a time that was not seen, though nothing is known to be lost."""
    history = CanaryHistory().asks(0, 20).asks(20, 25, "info").asks(25, 60).fault(10, 11, 40)
    effect = _effect(history)

    assert effect.losses == ()
    assert describe_recovery(effect) == "no loss was seen"
    assert describe_unseen(effect).startswith("5.1 s were not seen (19.9 to 25.0 s); 50 requests without")


def test_a_question_without_an_answer_is_no_zero() -> None:
    """A single one leaves no time unseen, but whether something was lost then is not known."""
    effect = _effect(CanaryHistory().asks(0, 20).ask(20, "info").asks(20.1, 60).fault(10, 11, 40))

    assert not effect.unseen
    assert describe_recovery(effect) == "no loss was seen"


def test_nothing_after_a_cut_is_seen() -> None:
    """A history without its end may have anything after it."""
    history = CanaryHistory().asks(0, 30).fault(10, 11, None)
    (effect,) = read_effects(history.written(ended=False))

    assert "to the end" in describe_unseen(effect)
    assert describe_times(effect.after) == "no answer seen"


def test_a_policy_that_nobody_asked_about_is_named() -> None:
    """It was in force, and whether it was enforced is not known."""
    history = CanaryHistory().in_force(1, "mutate pods", "deny by rego").asks(0, 60).fault(10, 11, 40)

    assert describe_unseen(_effect(history)) == "nobody asked about deny by rego"


def test_faults_that_overlap_stand_together() -> None:
    """What was lost while two faults lasted cannot be attributed to one of them; a later one stands alone."""
    history = _lost().fault(15, 16, 30, name="kill node", process="fault 2")
    history.fault(50, 51, 55, name="pause node", process="fault 3")
    effects = read_effects(history.written())

    assert [effect.names for effect in effects] == [("cut registry", "kill node"), ("pause node",)]
    assert [len(effect.losses) for effect in effects] == [1, 0]
    assert min(effects, key=lambda effect: effect.badness) is effects[0]
