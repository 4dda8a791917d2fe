"""Adopted: what was done to a cluster of the user's is undone in the recorded containers, and nowhere else."""

from pathlib import Path

import pytest

from chaos_harness.clusters.adoption import record
from chaos_harness.clusters.adoption.opening import while_unused
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.run import adopted as run_adopted
from chaos_harness.harness.run.adopted import borrow, heal_adopted
from chaos_harness.harness.undo.journal import Journal, Undo, pending
from tests.fakes.engine import FakeEngine
from tests.fakes.users import adopted, kind_cluster


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    """Return an engine with the cluster, which a killed run left with a paused worker."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    engine = FakeEngine()
    kind_cluster(engine)
    _promise()
    return engine


def _promise(left: float = 3600.0) -> None:
    record.write(adopted(left=left))
    journal = Journal(_journal())
    journal.record(Undo("nodes.resume", {"node": "dev-worker"}))
    journal.close()


def _journal() -> Path:
    return record.folder_of("dev") / JOURNAL


def _done(engine: FakeEngine) -> list[str]:
    return [words for words in engine.asked if words.startswith("unpause")]


def test_what_a_killed_run_left_is_undone(engine: FakeEngine) -> None:
    """By its journal, once; the record stays until the cluster is released."""
    assert heal_adopted(engine) == ["on kind cluster dev: nodes.resume(node='dev-worker')"]
    assert _done(engine) == ["unpause dev-worker"]
    assert heal_adopted(engine) == []
    assert record.read("dev")


def test_after_its_time_the_journal_is_healed_all_the_same(engine: FakeEngine) -> None:
    """An expired record allows no fault, but what was done before its end is undone."""
    _promise(left=-1)
    assert heal_adopted(engine)
    assert _done(engine)


def test_a_container_by_the_same_name_is_not_touched(engine: FakeEngine) -> None:
    """A node that was made again is not the one that was harmed; the undo stays in the journal, and is told."""
    engine.things["container/dev-worker"] = {**engine.things.pop("container/id-dev-worker"), "Id": "new"}
    with pytest.raises(HarnessError, match=r"adopted by ada.*\n*.*dev-worker made again, with another id"):
        heal_adopted(engine)
    assert pending(_journal())


def test_what_was_done_goes_with_the_containers(engine: FakeEngine) -> None:
    """Of a cluster that was deleted nothing is left to undo, and that is said."""
    engine.things.clear()
    (undone,) = heal_adopted(engine)
    assert "with its containers (dev-control-plane, dev-worker deleted): nodes.resume" in undone
    assert not _journal().exists()
    assert _done(engine) == []


def test_a_cluster_in_use_is_left_alone(engine: FakeEngine) -> None:
    """Its run heals it; and two runs never use one cluster at once."""
    with while_unused("dev"):
        assert heal_adopted(engine) == []
        with pytest.raises(BadScenario, match="another run uses it now"), borrow(engine, adopted(), "r", []):
            pytest.fail("two runs at once")
    assert pending(_journal())


def test_another_engine_heals_nothing(engine: FakeEngine) -> None:
    """There its container ids mean nothing."""
    record.write(adopted(engine="engine-b"))
    assert heal_adopted(engine) == []
    assert pending(_journal())


def test_what_could_not_be_undone_is_a_remark(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cluster is lent for the block, and what is still promised after it is told, with the next command."""
    folder = record.folder_of("dev")
    lent = Cluster("dev", adopted().shape, engine, folder / "kubeconfig", "kind", None, "r", folder, adopted=True)
    monkeypatch.setattr(run_adopted, "open_adopted", lambda *_: lent)
    remarks: list[str] = []
    with borrow(engine, adopted(), "r", remarks) as cluster:
        assert cluster is lent
    (remark,) = remarks
    assert remark.startswith("kind cluster dev: not undone: nodes.resume")
    assert engine.names() == ["dev-control-plane", "dev-worker"], "nothing of it was removed"
