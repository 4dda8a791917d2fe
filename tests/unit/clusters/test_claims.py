"""Tests of clusters.garbage: who lives by a claim in the engine, by whichever clock, and who does not."""

import dataclasses
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import claims
from chaos_harness.clusters.engine.claims import CLAIM, KEPT_SECONDS, LIFE_SECONDS
from chaos_harness.clusters.garbage import PREFIX, Owner, collect_garbage, list_claimed_runs, list_garbage
from tests.fakes.engine import FakeEngine


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("chaos_harness.clusters.engine.inventory._PATIENCE_SECONDS", 0.3)
    return tmp_path


def dead(run: str = "dead") -> Owner:
    return dataclasses.replace(Owner.mine(run), start="1")


def pooled(engine: FakeEngine) -> Owner:
    """Put a container into the engine that this process made for the pool; return its owner."""
    owner = Owner.of_pool()
    directory = owner.claim() / "c"
    engine.add("container", "c-worker", owner.labels() | {f"{PREFIX}.directory": str(directory)})
    return owner


def unseen(run: str = "far", **changes: Any) -> Owner:
    """Return the owner of a run in another PID namespace, or on another machine: nobody here sees its process."""
    return dataclasses.replace(Owner.mine(run), pid=2**22 + 1, view="pid:[1]", **changes)


def claim(engine: FakeEngine, owner: Owner, *, age: float, life: float = LIFE_SECONDS, keep: bool = False) -> str:
    """Put a claim into the engine that was made `age` seconds ago, by its clock."""
    made = (datetime.now(UTC) + timedelta(seconds=engine.ahead[0] - age)).isoformat()
    labels = {**owner.labels(keep=keep), CLAIM: f"{life:.0f}"}
    return engine.add("volume", f"claim-{owner.run}-{len(engine.things)}", labels, CreatedAt=made)


@pytest.mark.parametrize("hours_ahead", [0, -24, 24])
def test_a_run_that_cannot_be_seen_lives_until_its_claim_has_expired(hours_ahead: int) -> None:
    """By the engine's clock, whatever this machine's says and whatever time its labels name."""
    engine = FakeEngine(ahead=[3600.0 * hours_ahead])
    owner = unseen(expires=int(time.time()) - 1)
    engine.add("container", "node", owner.labels())
    young = claim(engine, owner, age=LIFE_SECONDS - 60)
    assert (collect_garbage(engine), engine.names()) == ([], sorted([young, "node"]))
    engine.ahead[0] += 120
    assert (collect_garbage(engine), engine.names()) == (["container node"], [])


def test_one_claim_that_stands_is_enough() -> None:
    """The older one may be on its way out: a run lives by the youngest."""
    engine = FakeEngine()
    engine.add("container", "node", unseen().labels())
    for age in (5000.0, 100.0):
        claim(engine, unseen(), age=age)
    assert collect_garbage(engine) == []


def test_a_dead_process_needs_no_claim_to_expire() -> None:
    """Where its end can be seen, what it left is collected at once, its claim too."""
    engine = FakeEngine()
    engine.add("container", "node", dead().labels())
    claim(engine, dead(), age=1)
    assert (collect_garbage(engine), engine.names()) == (["container node"], [])


def test_a_live_process_outlives_its_claims() -> None:
    """A run whose engine did not take a claim for hours is not dead for those who see it."""
    engine = FakeEngine()
    owner = dataclasses.replace(Owner.mine("r"), expires=int(time.time()) - 1)
    engine.add("container", "node", owner.labels())
    claim(engine, owner, age=9999)
    assert collect_garbage(engine) == []


def test_a_run_without_claims_lives_by_its_labels() -> None:
    """So do those of earlier versions, and those whose claims somebody has pruned."""
    engine = FakeEngine()
    engine.add("container", "old", unseen("old", expires=int(time.time()) - 1).labels())
    engine.add("container", "young", unseen("young").labels())
    assert (collect_garbage(engine), engine.names()) == (["container old"], ["young"])


def test_nobody_collects_a_run_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even where no process can be seen, and the engine's clock says that its claim has expired."""
    engine = FakeEngine()
    owner = unseen("own", expires=0)
    claims.hold(engine, owner)
    directory = owner.claim()
    engine.add("container", "node", owner.labels())
    engine.ahead[0] = 99999
    assert collect_garbage(engine) == []
    assert directory.is_dir()
    claims.release(engine, "own")
    assert len(collect_garbage(engine)) == 2


def test_a_claim_from_the_future_is_made_anew() -> None:
    """After a clock was set back nothing tells how old it is: from now on it lives once more, and then no longer."""
    engine = FakeEngine()
    engine.add("container", "node", unseen(expires=0).labels())
    claim(engine, unseen(expires=0), age=-7200)
    assert collect_garbage(engine) == []
    engine.ahead[0] = LIFE_SECONDS + 60
    assert collect_garbage(engine) == ["container node"]


def test_a_kept_cluster_stays_as_long_as_its_claim() -> None:
    """Its user was told how long; one of a run that was killed has none, and stays until everything goes."""
    engine = FakeEngine()
    directory = dead("kept").claim()
    for run in ("kept", "killed"):
        engine.add("container", run, dead(run).labels(keep=True))
    claim(engine, dead("killed"), age=9999)
    claim(engine, dataclasses.replace(dead("kept"), pid=0), age=KEPT_SECONDS - 60, life=KEPT_SECONDS, keep=True)
    assert (collect_garbage(engine), directory.is_dir()) == ([], True)
    engine.ahead[0] = 120
    assert collect_garbage(engine) == ["container kept", f"directory {directory}"]
    assert "killed" in engine.names()


def test_a_claim_for_a_cluster_that_its_user_has_removed_goes() -> None:
    """It would keep the engine for a month; one of a run that has made nothing yet stays."""
    engine = FakeEngine()
    claims.renew_last(engine, dead("kept"), KEPT_SECONDS, keep=True)
    claim(engine, unseen(), age=1)
    collect_garbage(engine)
    assert list_claimed_runs(engine, Deadline.after(60, "the claims")) == ["far"]


def test_a_pooled_cluster_lives_by_its_claim_where_its_directory_cannot_be_seen(state: Path) -> None:
    """Another machine, container or user has other files: no directory is no proof that nobody can lease it."""
    engine = FakeEngine()
    owner = pooled(engine)
    claims.renew_last(engine, Owner.nobody(owner.run), 3600)
    shutil.rmtree(state / "chaos-harness")
    assert (collect_garbage(engine), "c-worker" in engine.names()) == ([], True)
    engine.ahead[0] = 3700
    assert collect_garbage(engine) == ["container c-worker"]


def test_whose_claims_stand_is_told() -> None:
    """Of all users and machines; not of those whose process has ended or whose time is up."""
    engine = FakeEngine()
    for owner, age in ((Owner.mine("here"), 9999), (unseen("far"), 1), (unseen("over"), 9999), (dead(), 1)):
        claim(engine, owner, age=age)
    assert list_claimed_runs(engine, Deadline.after(60, "the claims")) == ["far", "here"]


def test_garbage_is_what_a_collection_would_remove() -> None:
    """A frozen cluster, another machine's, a kept one are none."""
    engine = FakeEngine()
    Owner.nobody(pooled(engine).run).claim()
    engine.add("container", "far", unseen().labels())
    engine.add("container", "kept", dead("kept").labels(keep=True))
    engine.add("container", "dead", dead().labels())
    assert [thing.name for thing in list_garbage(engine, Deadline.after(60, "the garbage"))] == ["dead"]
