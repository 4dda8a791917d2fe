"""Comparison: one fault costs no more enforcement than another one, with both edges, and what is not known of it."""

from typing import Any

import pytest

from chaos_harness.harness.checks.comparison import loses_no_longer_than
from chaos_harness.harness.history import History
from tests.fakes.canary_histories import CanaryHistory

_UPGRADE, _RESTART = "upgrade gatekeeper", "restart rollout"


def lost(upgrade: float, restart: float, *, until: float = 110) -> CanaryHistory:
    """Return a history in which so many seconds are lost from 20 s on, and so many from 70 s on."""
    history = CanaryHistory().asks(0, 20).asks(20, 20 + upgrade, "fail").asks(20 + upgrade, 70)
    return history.asks(70, 70 + restart, "fail").asks(70 + restart, until)


def one_shots(history: CanaryHistory, *, proved: float | None = 30, restarted: float = 65) -> CanaryHistory:
    """Add an upgrade at 10 s and a restart, both of which are healed when the experiment ends."""
    for number, (name, at, seen) in enumerate([(_UPGRADE, 10, proved), (_RESTART, restarted, restarted + 1)]):
        history.add(at, "invoke", f"fault {number + 1}", "inject", {"name": name, "one_shot": True})
        if seen is not None:
            history.add(seen, "ok", f"fault {number + 1}", "observed", {"name": name, "proof": "seen"})
    return history


def judged(recorded: History, seconds: float = 5, **more: Any) -> tuple[str, str]:
    parameters: dict[str, Any] = {"than": _RESTART, "fault": _UPGRADE, "seconds": seconds, **more}
    verdict = loses_no_longer_than(**parameters)(recorded)
    return verdict.outcome, verdict.summary


@pytest.mark.parametrize(
    ("upgrade", "restart", "outcome"),
    [
        (2, 2, "holds"),
        (0, 0, "holds"),
        (6.7, 2, "holds"),
        (7.3, 2, "violated"),
        (7, 2, "inconclusive"),
        (2, 9, "holds"),
    ],
)
def test_both_edges(upgrade: float, restart: float, outcome: str) -> None:
    """Longer by 5 s is allowed: what is surely within holds, what is surely longer is violated, else nobody knows."""
    assert judged(one_shots(lost(upgrade, restart)).recorded())[0] == outcome


def test_both_figures_are_told() -> None:
    """The summary has both, and so have the figures; what violates it has its moment."""
    recorded = one_shots(lost(20, 2)).recorded()
    verdict = loses_no_longer_than(fault=_UPGRADE, than=_RESTART)(recorded)
    assert verdict.summary == (
        "mutate pods: lost for 19.9 to 20.1 s (200 of 550 requests) after upgrade gatekeeper, "
        "and for 1.9 to 2.1 s (20 of 450 requests) after restart rollout"
    )
    assert (verdict.outcome, verdict.at) == ("violated", 20)
    assert verdict.figures == {
        "mutate_pods_lost_least_seconds": pytest.approx(19.89),
        "mutate_pods_lost_most_seconds": pytest.approx(20.11),
        "mutate_pods_lost_requests": 200,
        "mutate_pods_compared_least_seconds": pytest.approx(1.89),
        "mutate_pods_compared_most_seconds": pytest.approx(2.11),
        "mutate_pods_compared_requests": 20,
    }


def test_the_policy_that_decides_comes_first() -> None:
    """Its figures and its lines are what a table has room for; the other one's are told, too."""
    history = CanaryHistory().asks(0, 110, policy="check labels")
    history.asks(0, 20).asks(20, 40, "fail").asks(40, 110)
    verdict = loses_no_longer_than(fault=_UPGRADE, than=_RESTART)(one_shots(history).recorded())
    names = list(verdict.figures)
    assert names[0].startswith("mutate_pods_lost")
    assert any(name.startswith("check_labels_lost") for name in names)
    assert verdict.evidence[0].startswith("mutate pods: ")


def test_unseen_counts_as_the_worst() -> None:
    """What the upgrade may have lost unseen does not hold; what the restart may have lost unseen does not violate."""
    hole = CanaryHistory().asks(0, 20).asks(40, 70).asks(70, 72, "fail").asks(72, 110)
    assert judged(one_shots(hole).recorded())[0] == "inconclusive"
    recorded = one_shots(CanaryHistory().asks(0, 20).asks(20, 35, "fail").asks(35, 70).asks(90, 110)).recorded()
    assert judged(recorded)[0] == "inconclusive"
    assert judged(recorded, seconds=40)[0] == "holds"


def test_the_time_of_a_one_shot_fault_ends_with_the_next() -> None:
    """What is lost after the restart is the restart's, though the upgrade is taken back only in the end."""
    assert judged(one_shots(lost(0, 30)).recorded())[0] == "holds"
    assert judged(one_shots(lost(30, 0)).recorded())[0] == "violated"


def test_a_fault_that_lasts_into_the_other_one_shares_its_losses() -> None:
    """What either may have caused is certain of neither."""
    history = lost(0, 30).fault(10, 11, 90, name=_UPGRADE).fault(65, 66, 100, name=_RESTART, process="fault 2")
    outcome, summary = judged(history.recorded())
    assert outcome == "inconclusive"
    assert "may have caused what was lost at the same time" in summary


def test_a_fault_that_was_not_proved() -> None:
    """Nothing is compared with what may not have happened; nor with what is not in the history."""
    assert judged(one_shots(lost(2, 2), proved=None).recorded()) == (
        "inconclusive",
        "upgrade gatekeeper was not proved",
    )
    assert judged(one_shots(lost(2, 2)).recorded(), than="kill node") == ("inconclusive", "kill node was not proved")


def test_the_longest_loss_of_a_name_counts() -> None:
    """Of two upgrades the worse one is compared; each by its id alone."""
    history = one_shots(lost(10, 1))
    history.add(100, "invoke", "fault 3", "inject", {"name": _UPGRADE, "one_shot": True})
    history.add(101, "ok", "fault 3", "observed", {"name": _UPGRADE, "proof": "seen"})
    recorded = history.recorded()
    assert judged(recorded)[0] == "violated"
    assert judged(recorded, fault="fault 3")[0] == "holds"
    assert judged(recorded, fault="fault 1")[0] == "violated"


def test_a_file_that_is_cut_off_may_lack_another_one() -> None:
    """Whether a fault of that name came once more is not known; by its id it did not."""
    assert judged(one_shots(lost(2, 2)).written(ended=False))[0] == "inconclusive"
    assert judged(one_shots(lost(2, 2)).written())[0] == "holds"


def test_a_policy_that_nobody_asks_about() -> None:
    """It is not judged by silence."""
    outcome, summary = judged(one_shots(lost(2, 2)).recorded(), policies=["deny by rego"])
    assert (outcome, summary) == ("inconclusive", "nobody asked about deny by rego after upgrade gatekeeper")
