"""Session: which trials are planned, and that a cluster is used again only while nothing differs."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.crashtest import session
from chaos_harness.harness.crashtest.ledger import FILE, Ledger, Trial, TrialKey, TrialOutcome
from chaos_harness.harness.crashtest.moments import MOMENTS
from chaos_harness.harness.crashtest.samples import SAMPLES
from chaos_harness.harness.crashtest.session import Lent, plan, run_trials
from chaos_harness.harness.crashtest.trial import Place
from chaos_harness.harness.errors import HarnessError


def test_all_moments_of_a_sample_then_the_next() -> None:
    """So that a run that covers a part knows all of some faults; those without an undo have three moments."""
    keys = plan(["kill_node", "evict_replicas"], MOMENTS, 2)
    once = [*((("kill_node", moment)) for moment in MOMENTS)]
    once += [("evict_replicas", moment) for moment in ("harming", "lasting", "unkilled")]
    assert [(key.sample, key.moment) for key in keys] == once * 2
    assert [key.time for key in keys] == [1] * len(once) + [2] * len(once)


def test_with_no_ops_what_lasts_is_tried() -> None:
    """One moment of each fault that has an undo, and does not heal by itself."""
    names = ["kill_node", "evict_replicas", "reboot_node"]
    assert [(key.sample, key.moment) for key in plan(names, MOMENTS, 1, variant="no undo")] == [
        ("kill_node", "lasting")
    ]
    keys = plan(list(SAMPLES), MOMENTS, 1, variant="no undo")
    left_out = set(SAMPLES) - {key.sample for key in keys}
    assert all(SAMPLES[name].heals_itself or not SAMPLES[name].undone for name in left_out)


def test_the_guardian_is_killed_where_commands_are_under_way() -> None:
    """Two moments of a fault with an undo, one of another."""
    keys = plan(["kill_node", "evict_replicas"], MOMENTS, 1, variant="guardian")
    asked = [("kill_node", "harming"), ("kill_node", "undoing"), ("evict_replicas", "harming")]
    assert [(key.sample, key.moment) for key in keys] == asked
    assert {key.variant for key in keys} == {"guardian"}


class Clusters:
    """Lends one cluster after the other; `outcomes` are those of trials, in order, each clean if it is "zero"."""

    def __init__(self, outcomes: Sequence[TrialOutcome | type[BaseException]]) -> None:
        self.lent: list[Lent] = []
        self.tried: list[tuple[TrialKey, int]] = []
        self._outcomes = list(outcomes)

    @contextmanager
    def lend(self) -> Iterator[Lent]:
        self.lent.append(Lent(None))  # type: ignore[arg-type]  # no trial looks at it
        yield self.lent[-1]

    def try_one(self, key: TrialKey, fault: str, values: Mapping[str, Any], _: Place) -> tuple[Trial, bool]:
        assert (fault, values) == (SAMPLES[key.sample].fault, SAMPLES[key.sample].values)
        self.tried.append((key, len(self.lent)))
        outcome = self._outcomes.pop(0)
        if not isinstance(outcome, str):
            raise outcome
        return Trial(key=key, outcome=outcome, said="no"), outcome == "zero"


KEYS = plan(["kill_node"], MOMENTS, 1)


def run(clusters: Clusters, ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "run_trial", clusters.try_one)
    run_trials(KEYS, ledger, clusters.lend, lambda: None, Progress.quiet())


def test_a_new_cluster_after_a_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One on which nothing differs is used again; one on which something does is given back as not clean."""
    clusters, ledger = Clusters(["zero", "differs", "zero", "zero", "zero"]), Ledger(tmp_path / FILE)
    run(clusters, ledger, monkeypatch)
    assert [number for _, number in clusters.tried] == [1, 1, 2, 2, 2]
    assert [lent.is_clean for lent in clusters.lent] == [False, True]
    assert Ledger.read(tmp_path / FILE).trials == ledger.trials


def test_what_the_ledger_has_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes on where it stopped; with nothing to do it takes no cluster."""
    ledger = Ledger(tmp_path / FILE, [Trial(key=key, outcome="differs") for key in KEYS[:3]])
    clusters = Clusters(["zero", "zero"])
    run(clusters, ledger, monkeypatch)
    assert [key for key, _ in clusters.tried] == KEYS[3:]
    idle = Clusters([])
    run(idle, ledger, monkeypatch)
    assert idle.lent == []


def test_an_interrupt_leaves_a_cluster_that_is_not_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done to it is not known."""
    clusters = Clusters(["zero", KeyboardInterrupt])
    with pytest.raises(KeyboardInterrupt):
        run(clusters, Ledger(tmp_path / FILE), monkeypatch)
    assert [lent.is_clean for lent in clusters.lent] == [False]


def test_three_that_cannot_be_made_end_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then something else is wrong, and clusters are not used up; two are not enough."""
    with pytest.raises(HarnessError, match="3 trials in a row could not be made: no"):
        run(Clusters(["broken"] * 3), Ledger(tmp_path / "a.jsonl"), monkeypatch)
    clusters = Clusters(["broken", "broken", "zero", "broken", "broken"])
    run(clusters, Ledger(tmp_path / "b.jsonl"), monkeypatch)
    assert len(clusters.tried) == len(KEYS)
