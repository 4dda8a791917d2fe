"""Denied: an undo that a policy forbids is told, and done at the end, when the policies are removed."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import CommandDenied, CommandFailed, UndoDenied, UndoFailed
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import read
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.undo import denials, journal
from chaos_harness.harness.undo.actions import undo
from chaos_harness.harness.undo.denials import do_all, who_denied
from chaos_harness.harness.undo.journal import Journal

forbidden: set[str] = set()


@undo
def allow(_engine: object, *, what: str) -> None:
    """Do what is not forbidden."""
    if what in forbidden:
        raise CommandDenied(f"{what} is denied", by="policy p")


class Breaking:
    """A fault whose undo a policy may forbid."""

    name = "break it"

    def inject(self, injection: Injection) -> None:
        injection.undo(allow, what="mend")

    def observed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        return "it is broken"

    def healed(self, _cluster: Cluster, _deadline: Deadline) -> str:
        return "it is whole"


@contextmanager
def policy(_cluster: Cluster, _opened: Journal) -> Iterator[str]:
    """Be in force, until the end of the experiment."""
    forbidden.add("mend")
    yield "it forbids to mend"
    forbidden.clear()


@pytest.fixture
def experiment(cluster: Cluster, tmp_path: Path) -> Iterator[Experiment]:
    yield Experiment(cluster, tmp_path / "try", name="a try", seed=7, probes=lambda *_: [])
    forbidden.clear()


def test_the_scenario_goes_on(experiment: Experiment) -> None:
    """It is healed when the policies are gone, and the history, the report and the claim say who had denied it."""
    with experiment:
        experiment.prepare(Preparation("a policy", policy))
        with experiment.fault(Breaking()):
            pass
        assert [entry.action for entry in journal.pending(experiment.cluster.directory / "journal.jsonl")]
    told = [entry for entry in read(experiment.history.path).entries if entry.process == "fault 1"]
    assert [entry.f for entry in told][-5:] == ["heal", "undo denied", "heal", "undone", "healed"]
    assert told[-4].value["by"] == "policy p"
    phases = {phase.name: phase for phase in experiment.record.phases}
    assert phases["heal: break it"].status == "failed"
    assert phases["heal: break it"].detail.startswith("denied by policy p, to be done when the policies are removed")
    assert phases["heal, without policies: break it"].status == "passed"
    (claim,) = json.loads(experiment.record.json())["claims"]
    assert (claim["id"], claim["outcome"]) == ("heals(120, break it)", "holds")
    assert claim["evidence"] == ["it is whole; its undo was denied by policy p until the policies were removed"]
    assert experiment.record.faults[0].heal_proof == claim["evidence"][0]
    assert journal.pending(Path(experiment.record.journal)) == []


def test_a_policy_that_is_not_the_experiments(experiment: Experiment, monkeypatch: pytest.MonkeyPatch) -> None:
    """What still denies it at the end is an error, and the undo stays in the journal."""
    monkeypatch.setattr("chaos_harness.harness.experiment.healing.GONE_SECONDS", 0.1)

    def live() -> None:
        with experiment, experiment.fault(Breaking()):
            forbidden.add("mend")

    with pytest.raises(UndoDenied, match="mend is denied") as raised:
        live()
    assert raised.value.by == "policy p"
    assert [entry.action for entry in journal.pending(Path(experiment.record.journal))]


def test_what_else_fails_is_raised_at_once(experiment: Experiment) -> None:
    """Another failure of the same fault is ours, and no denial hides it."""

    class Worse(Breaking):
        def inject(self, injection: Injection) -> None:
            super().inject(injection)
            injection.undo(fail)

    def live() -> None:
        with experiment:
            experiment.prepare(Preparation("a policy", policy))
            with experiment.fault(Worse()):
                pass
            pytest.fail("it went on")

    with pytest.raises(UndoFailed, match="it is stuck") as raised:
        live()
    assert not isinstance(raised.value, UndoDenied)


@undo
def fail(_engine: object) -> None:
    """Fail."""
    raise CommandFailed("it is stuck")


@pytest.mark.parametrize(
    ("said", "by"),
    [
        (
            'Error from server: admission webhook "validation.gatekeeper.sh" denied the request: [a] not found',
            "admission webhook validation.gatekeeper.sh",
        ),
        (
            "configmaps \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no",
            "ValidatingAdmissionPolicy p",
        ),
        ('Internal error occurred: failed calling webhook "validation.gatekeeper.sh": connection refused', ""),
        ('Error from server (Forbidden): pods "a" is forbidden: exceeded quota: q', ""),
    ],
)
def test_who_denied(said: str, by: str) -> None:
    """A webhook that could not be called denied nothing, and neither did a quota."""
    assert who_denied(said) == by


def test_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is denied is tried again only if another one was done, and only by whoever is patient."""
    monkeypatch.setattr(denials, "GONE_SECONDS", 0.05)
    done: list[str] = []

    def do(task: str) -> None:
        if task == "denied" and "policy" not in done:
            raise CommandDenied("no", by="p")
        if task == "stuck":
            raise CommandFailed("stuck")
        done.append(task)

    assert [task for task, _ in do_all(["denied", "other"], do, patient=True)] == ["denied"]
    assert [task for task, _ in do_all(["denied", "stuck", "policy"], do, patient=False)] == ["denied", "stuck"]
    done.clear()
    assert [task for task, _ in do_all(["denied", "stuck", "policy"], do, patient=True)] == ["stuck"]
    assert done == ["policy", "denied"]
