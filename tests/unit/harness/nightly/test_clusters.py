"""Clusters of a night: which runs share them, what is told of a flip, and that none stands when the night is over."""

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest

from chaos_harness import nights
from chaos_harness.clusters import engine
from chaos_harness.clusters.engine import host_changes
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.pool import frozen
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import __main__ as command
from chaos_harness.harness.errors import CommandFailed, EngineUnavailable
from chaos_harness.harness.nightly import planning
from chaos_harness.harness.nightly.clusters import LOCK, NightClusters, cluster_of, remove_left
from tests.fakes.engine import FakeEngine
from tests.fakes.night_place import NightPlace

_POOL = ["--pool", "--pool-name", "nightly"]


@pytest.fixture
def sharing(here: NightPlace, monkeypatch: pytest.MonkeyPatch) -> NightPlace:
    """Return a place in which no cell has its own cluster in this night."""
    monkeypatch.setattr(planning, "_NEW_EVERY", 2**40)
    return here


def _shared(place: NightPlace) -> list[tuple[str, bool]]:
    """Return of each run its file, and whether it had the night's pool."""
    lines = (place.folder / "cells.log").read_text(encoding="utf-8").splitlines()
    return [(line.split()[0], " ".join(_POOL) in line) for line in lines]


def _night(place: NightPlace, *arguments: str) -> dict[str, Any]:
    place.night("matrix.yaml", "--out", "one", "--jobs", "1", *arguments)
    read: dict[str, Any] = json.loads(Path("one/summary.json").read_text(encoding="utf-8"))
    return read


def _shelve(pool: str = "nightly", shape: str = "1cp2w") -> str:
    """Put a cluster into a pool; return its name."""
    directory = Owner.of_pool().claim()
    entry = frozen.FrozenCluster(f"c-{directory.name}", f"recipe {pool} {shape}", {}, pool, shape)
    frozen.write_note(directory, entry)
    frozen.put(FakeEngine(), directory)
    return entry.cluster


def _standing() -> set[str]:
    return {entry.cluster for _, entry in frozen.entries()}


def test_cells_share_clusters(sharing: NightPlace) -> None:
    """Each run takes one of the pool of the night, and none of anybody else's."""
    _night(sharing)
    assert _shared(sharing) == [("test_healthy.py", True), ("test_a.py", True), ("test_b.py", True)]


def test_without_the_pool_none_does(sharing: NightPlace) -> None:
    """With --no-pool each run makes its own, and removes it."""
    _night(sharing, "--no-pool")
    assert not any(shared for _, shared in _shared(sharing))


def test_a_cell_that_flips_is_repeated_on_new_clusters(sharing: NightPlace) -> None:
    """Whatever the first run had: the rate is that of clusters that nobody used before."""
    sharing.come_to(a=[1, 0])
    _night(sharing)
    runs = [shared for name, shared in _shared(sharing) if name == "test_a.py"]
    assert runs == [True, False, False, False]


@pytest.mark.parametrize(
    ("before", "outcomes", "told"),
    [("pool-1", [1, 0], True), ("pool-1", [1, 0, 1, 0], False), ("pool-2", [1, 0], False)],
    ids=["used, and never again", "used, and again", "new"],
)
def test_what_came_out_on_a_used_cluster_alone_is_told(
    sharing: NightPlace, before: str, outcomes: list[int | str], told: bool
) -> None:
    """It stays red, and the summary says that the cluster may be the reason."""
    more = {
        "test_healthy.py": {"clusters": [before]},
        "test_a.py": {"outcomes": outcomes, "clusters": ["pool-1", "n-1", "n-2", "n-3"]},
    }
    sharing.come_to(more)
    summary = _night(sharing)
    assert summary["outcomes"]["otherwise"] == 1
    assert any("another cell had used" in words for words in summary["told"]) == told


def test_each_run_says_on_which_cluster_it_was(sharing: NightPlace) -> None:
    """Whether another cell had it before, and whether it went back."""
    Owner.mine("pool-1").claim()
    clusters = {"healthy": ["pool-1"], "a": ["pool-1"], "b": ["pool-2"]}
    sharing.come_to({f"test_{name}.py": {"clusters": each} for name, each in clusters.items()})
    runs = [cell["runs"][0] for cell in _night(sharing)["cells"]]
    assert [(run["cluster"], run["used"], run["clean"]) for run in runs] == [
        ("pool-1", False, True),
        ("pool-1", True, True),
        ("pool-2", False, False),
    ]


def test_the_next_plan_knows_it(sharing: NightPlace, capsys: pytest.CaptureFixture[str]) -> None:
    """A cell after one that left its cluster clean has that one in the plan, and the minutes that follow."""
    _night(sharing, "--no-pool")
    capsys.readouterr()
    assert sharing.night("matrix.yaml", "--plan", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert [cell["cluster"] for cell in plan["cells"]] == ["new", "new", "new"]
    Owner.mine("pool-1").claim()
    sharing.come_to({f"test_{name}.py": {"clusters": ["x", "pool-1"]} for name in ("a", "b", "healthy")})
    out = str(sharing.folder / "reports/out/nights/two")
    assert sharing.night("matrix.yaml", "--out", out, "--jobs", "1") == 0
    capsys.readouterr()
    assert sharing.night("matrix.yaml", "--plan", "--json", "--jobs", "1") == 0
    plan = json.loads(capsys.readouterr().out)
    assert [cell["cluster"] for cell in plan["cells"]] == ["new", "used", "used"]


@pytest.mark.parametrize("interrupted", [False, True])
def test_no_cluster_stands_afterwards(sharing: NightPlace, monkeypatch: pytest.MonkeyPatch, interrupted: bool) -> None:
    """What a night before left goes first, what no cell waits for when that is so, and all at the end."""
    kept: list[set[str]] = []
    monkeypatch.setattr(NightClusters, "keep_only", lambda _, shapes=(): kept.append(set(shapes)))

    def judged(_folder: Path) -> list[object]:
        raise KeyboardInterrupt

    if interrupted:
        monkeypatch.setattr(nights, "_judged", judged)
    status = sharing.night("matrix.yaml", "--out", "one", "--jobs", "1")
    assert status == (130 if interrupted else 0)
    first, *between, last = kept
    assert (first, last) == (set(), set())
    if not interrupted:
        assert [len(shapes) for shapes in between] == [1, 1, 0]


def test_what_cannot_be_removed_is_told(sharing: NightPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The night goes on, and says what does it."""

    def refuse(*_: object) -> None:
        raise CommandFailed("the engine is gone")

    monkeypatch.setattr(NightClusters, "keep_only", refuse)
    summary = _night(sharing)
    assert summary["outcomes"] == {"as expected": 3}
    assert any("still stand: the engine is gone" in words and "gc" in words for words in summary["told"])


def test_only_the_nights_own_are_removed(here: NightPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a shape that is still to come stay, and those of the machine's pool."""
    monkeypatch.setattr(engine, "find", lambda _: FakeEngine())
    said: list[str] = []
    clusters = NightClusters(None, said.append)
    needed, done, others = _shelve(shape="a"), _shelve(shape="b"), _shelve("", "b")
    clusters.keep_only({"a"})
    assert _standing() == {needed, others}
    assert [done in words for words in said] == [True]
    clusters.keep_only()
    assert _standing() == {others}


def test_without_a_cluster_no_engine_is_asked(here: NightPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A night whose cells left none needs none; one that has some says so if none answers."""
    monkeypatch.setattr(engine, "find", lambda _: None)
    clusters = NightClusters(None, lambda _: None)
    _shelve("")
    clusters.keep_only()
    _shelve()
    with pytest.raises(EngineUnavailable):
        clusters.keep_only()


def test_gc_removes_what_a_killed_night_left(
    here: NightPlace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """But nothing while a night runs, and nothing of the machine's pool."""
    monkeypatch.setattr(engine, "find", FakeEngine)
    monkeypatch.setattr(host_changes, "heal", list)
    left, others = _shelve(), _shelve("")
    with try_lock(LOCK):
        assert remove_left(FakeEngine(), Progress.quiet()) == []
    assert command.main(["gc"]) == 0
    assert f"removed cluster {left} of a night that was killed" in capsys.readouterr().out
    assert _standing() == {others}


@pytest.mark.parametrize(("runs", "cluster"), [([], ""), (["a", "a"], "a"), (["a", "b"], ""), ([None], "")])
def test_the_cluster_of_a_cell(tmp_path: Path, runs: Collection[str | None], cluster: str) -> None:
    """It is that of its histories, if all are of one, and can be read."""
    for number, run in enumerate(runs):
        history = tmp_path / "experiments" / "run" / f"test_{number}" / "history.jsonl"
        history.parent.mkdir(parents=True)
        header = {"schema": 2, "run": run, "started": 0.0, "harness": "1"}
        history.write_text(f"{json.dumps(header)}\n" if run else "cut", encoding="utf-8")
    assert cluster_of(tmp_path) == cluster
