"""Trials: a real process is killed at each moment, and what a real API server has then is compared."""

from dataclasses import replace
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.guardian import find_guardian
from chaos_harness.clusters.machine.process_starts import start_time
from chaos_harness.harness.crashtest import trial as trials
from chaos_harness.harness.crashtest.comparison import unseen
from chaos_harness.harness.crashtest.ledger import Trial, TrialKey, TrialOutcome
from chaos_harness.harness.crashtest.moments import MOMENTS, Moment
from chaos_harness.harness.crashtest.samples import MAP, NAMESPACE, SAMPLES
from chaos_harness.harness.crashtest.trial import Place, run_trial
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.faults.objects.delete import _Deletion
from tests.live_api.crashes import live_place


@pytest.fixture
def place(cluster: Cluster, api: ApiClient) -> Place:
    return live_place(cluster, api)


def tried(place: Place, name: str, moment: Moment, **given: Any) -> tuple[Trial, bool]:
    sample = SAMPLES[name]
    return run_trial(TrialKey(sample=name, moment=moment, **given), sample.fault, sample.values, place)


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        *(("hold_deletion", moment) for moment in MOMENTS),
        ("delete_crd", "lasting"),
        ("strip_finalizers", "lasting"),
    ],
)
def test_nothing_is_left_but_what_is_declared(place: Place, name: str, moment: Moment) -> None:
    """At each moment; after the whole of the harm what is declared has come about, all of it."""
    trial, is_clean = tried(place, name, moment)
    assert (trial.outcome, trial.differences, trial.said) == ("zero", (), ""), trial
    assert is_clean
    assert (trial.proved is not None) == (moment in ("lasting", "undoing", "unkilled"))
    assert (trial.healed is not None) == (moment == "unkilled")
    if moment == "journaled":
        assert trial.left == ()
    elif moment != "harming":
        assert trial.left
        assert unseen(trial.declared, trial.left) == []


@pytest.mark.parametrize("name", ["edit_object", "hold_deletion"])
def test_undos_that_are_no_ops(place: Place, name: str) -> None:
    """Each is seen as a difference, and what was left is undone afterwards, for the next trial."""
    trial, is_clean = tried(place, name, "lasting", variant="no undo")
    assert trial.outcome == "differs"
    assert trial.differences
    assert is_clean


def test_what_nobody_declares_is_a_difference(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that is made again has another uid: without its leave that is told."""
    monkeypatch.setattr(_Deletion, "leaves", property(lambda _: (), lambda *_: None), raising=False)
    trial, is_clean = tried(replace(place, settle_seconds=1.0), "delete_object", "lasting")
    assert trial.outcome == "differs"
    assert not is_clean
    (difference,) = trial.differences
    assert difference.startswith(f"changed: configmaps {NAMESPACE}/{MAP} uid (was ")


def test_a_moment_that_is_not_reached(place: Place) -> None:
    """A fault without an undo has nothing to journal: the trial says so, and is no pass."""
    trial, _ = tried(place, "strip_finalizers", "journaled")
    assert trial.outcome == "not reached"
    assert not trial.as_wanted


@pytest.mark.parametrize(("has_one", "outcome"), [(True, "zero"), (False, "not reached")])
def test_the_guardian_is_killed_too(
    place: Place, monkeypatch: pytest.MonkeyPatch, has_one: bool, outcome: TrialOutcome
) -> None:
    """Nothing is left then, either; who has none yet, because it runs no command, cannot lose it."""
    guardians: list[int] = []

    def find(pid: int) -> int | None:
        guardian = find_guardian(pid)
        guardians.append(guardian or 0)
        return guardian if has_one else None

    monkeypatch.setattr(trials, "find_guardian", find)
    trial, is_clean = tried(place, "edit_object", "undoing", variant="guardian")
    assert (trial.outcome, is_clean) == (outcome, True)
    (guardian,) = filter(None, guardians)
    assert any(start_time(guardian) == "" for _ in Deadline.after(30, "the guardian to end").attempts())


def test_garbage_that_is_not_collected_is_left(place: Place) -> None:
    """A collector that fails has left something, whatever the fingerprint says; what it said is told."""

    def collect() -> None:
        place.collect()
        raise HarnessError("garbage is left: of mine")

    trial, is_clean = tried(replace(place, collect=collect), "edit_object", "journaled")
    assert (trial.outcome, is_clean) == ("differs", False)
    assert trial.differences == ("garbage was not collected: garbage is left: of mine",)


def test_a_trial_that_cannot_be_made(place: Place) -> None:
    """It says nothing of the fault, and the cluster is not used again."""
    broken = replace(place, child=lambda *_: ["sh", "-c", "echo no such thing >&2; exit 3"])
    trial, is_clean = tried(broken, "edit_object", "lasting")
    assert (trial.outcome, is_clean) == ("broken", False)
    assert "no such thing" in trial.said
