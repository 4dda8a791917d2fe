"""Tests of clusters.ownership: who is alive, and what a garbage collection may touch."""

import dataclasses
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clusters.errors import BadScenario, DeadlineExceeded, HarnessError
from clusters.locking import try_locked
from clusters.ownership import JOURNAL, PREFIX, Owner, collect_garbage, run_directories, start_time
from clusters.paths import runtime_dir
from clusters.process import Completed
from tests.fakes.engine import FakeEngine


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("clusters.inventory._PATIENCE_SECONDS", 0.3)
    return tmp_path


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def dead(run: str = "dead") -> Owner:
    return dataclasses.replace(Owner.mine(run), start="1")


def test_the_owner_that_this_process_is_lives() -> None:
    """Whoever asks whether its own process lives is told yes."""
    assert Owner.mine("r").alive()


def test_labels_bring_the_owner_back() -> None:
    """An owner read from its labels is the same owner."""
    owner = Owner.mine("r")
    assert Owner.from_labels(owner.labels(keep=True)) == owner


def test_keep_is_a_label_of_its_own() -> None:
    """The label keep is there when asked for, and only then."""
    owner = Owner.mine("r")
    assert set(owner.labels(keep=True)) - set(owner.labels()) == {f"{PREFIX}.keep"}


@pytest.mark.parametrize(
    "change",
    [{"boot_id": "an earlier boot"}, {"start": "1"}, {"start": "", "pid": 0}, {"expires": int(time.time()) - 1}],
)
def test_an_owner_of_another_boot_process_or_time_is_dead(change: dict[str, str | int]) -> None:
    """An earlier boot, a pid given to another process, and a time that is up each make an owner dead."""
    assert not dataclasses.replace(Owner.mine("r"), **change).alive()  # type: ignore[arg-type]  # mixed on purpose


def test_labels_that_lack_something_make_a_dead_owner() -> None:
    """Who has nothing but a run label cannot be shown to live."""
    assert not Owner.from_labels({f"{PREFIX}.run": "r", f"{PREFIX}.owner-pid": "many"}).alive()


def test_the_start_time_of_a_process_is_gone_with_it(child: subprocess.Popen[bytes]) -> None:
    """A process has a start time while it runs, none when it is a zombie, none when it is reaped."""
    running = start_time(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = start_time(child.pid)
    child.wait()
    assert (running.isdigit(), zombie, start_time(child.pid)) == (True, "", "")


@pytest.mark.parametrize("name", ["Run", "a_b", "-a", "a" * 25, "a/b"])
def test_a_run_name_that_no_host_can_have_is_refused(name: str) -> None:
    """A run's name becomes part of host names, so it must be able to."""
    with pytest.raises(BadScenario, match="run name"):
        Owner.mine(name)


def test_a_claimed_directory_is_private_and_names_its_owner() -> None:
    """The run's directory has mode 0700 and is found again with its owner."""
    owner = Owner.mine("r")
    directory = owner.claim()
    assert (directory.stat().st_mode & 0o777, dict(run_directories())) == (0o700, {directory: owner})


def test_a_directory_not_yet_claimed_is_nobodys_only_when_it_is_old() -> None:
    """Another run may be between mkdir and its claim; a minute later it is not."""
    old, new = runtime_dir("runs", "old"), runtime_dir("runs", "new")
    os.utime(old, (time.time() - 120,) * 2)
    assert [path for path, _ in run_directories()] == [old]
    assert new.is_dir()


def test_only_what_dead_runs_own_is_collected() -> None:
    """Containers, networks, volumes and images of dead runs go; live runs' and unlabelled ones stay."""
    engine = FakeEngine()
    for kind in ("container", "network", "volume", "image"):
        engine.add(kind, f"dead-{kind}", dead().labels())
        engine.add(kind, f"live-{kind}", Owner.mine("live").labels())
        engine.add(kind, f"foreign-{kind}", {"com.example.owner": "somebody"})
    removed = collect_garbage(engine)
    assert [each.split()[1] for each in removed] == ["dead-container", "dead-network", "dead-volume", "dead-image"]
    assert not [name for name in engine.names() if name.startswith("dead")]
    assert len(engine.names()) == 8


def test_containers_go_before_what_they_use() -> None:
    """The engine refuses to remove a network or volume in use, so containers are first."""
    engine = FakeEngine()
    for kind in ("volume", "network", "container"):
        engine.add(kind, kind, dead().labels())
    assert [each.split()[0] for each in collect_garbage(engine)] == ["container", "network", "volume"]


def test_what_is_kept_stays_until_everything_goes() -> None:
    """A kept cluster, with its run's directory, outlives its owner, but not `everything`."""
    engine = FakeEngine()
    directory = dead().claim()
    engine.add("container", "kept", dead().labels(keep=True))
    assert (collect_garbage(engine), directory.is_dir()) == ([], True)
    assert len(collect_garbage(engine, everything=True)) == 2
    assert (engine.names(), directory.exists()) == ([], False)


def test_everything_takes_what_live_runs_own_but_nothing_unlabelled() -> None:
    """`everything` means everything of ours."""
    engine = FakeEngine()
    engine.add("container", "live", Owner.mine("live").labels())
    engine.add("container", "foreign", {})
    collect_garbage(engine, everything=True)
    assert engine.names() == ["foreign"]


def test_journals_are_replayed_before_anything_is_removed() -> None:
    """The undo callback is given each journal of dead runs while their containers still stand."""
    engine = FakeEngine()
    engine.add("container", "node", dead().labels())
    journal = dead().claim() / "cluster" / JOURNAL
    journal.parent.mkdir()
    journal.touch()
    (Owner.mine("live").claim() / JOURNAL).touch()
    seen: list[tuple[Path, list[str]]] = []

    def undo(path: Path) -> list[str]:
        seen.append((path, engine.names()))
        return ["rules dropped"]

    removed = collect_garbage(engine, undo=undo)
    assert seen == [(journal, ["node"])]
    assert removed == ["undone: rules dropped", "container node", f"directory {journal.parent.parent}"]


def test_a_journal_that_cannot_be_undone_is_kept_and_told() -> None:
    """A failed undo does not stop the collection, and its journal stays for the next one."""
    engine = FakeEngine()
    engine.add("container", "node", dead().labels())
    journal = dead().claim() / JOURNAL
    journal.touch()

    def undo(path: Path) -> list[str]:
        raise HarnessError(f"{path.name}: the rule is still there")

    with pytest.raises(HarnessError, match="the rule is still there"):
        collect_garbage(engine, undo=undo)
    assert (engine.names(), journal.exists()) == ([], True)


def test_what_cannot_be_removed_is_told_after_all_else_is_removed() -> None:
    """One stubborn container costs an error that names it, not the rest of the collection."""
    engine = FakeEngine(errors={"rm --force --volumes id-stuck": "device busy"})
    engine.add("container", "stuck", dead().labels())
    engine.add("container", "other", dead().labels())
    with pytest.raises(HarnessError, match="container stuck cannot be removed: device busy"):
        collect_garbage(engine)
    assert engine.names() == ["stuck"]


def test_what_another_process_removed_meanwhile_is_no_error() -> None:
    """`No such container` on removal is what was wanted."""
    engine = FakeEngine(errors={"rm --force --volumes id-gone": "Error: No such container: gone"})
    engine.add("container", "gone", dead().labels())
    assert collect_garbage(engine) == []


def test_two_collections_at_once_share_the_work() -> None:
    """Collections take turns: everything is removed once, and none fails."""
    engine = FakeEngine()
    for number in range(20):
        engine.add("container", f"c{number}", dead().labels())
    with ThreadPoolExecutor(2) as pool:
        counts = [len(removed) for removed in pool.map(lambda _: collect_garbage(engine), range(2))]
    assert (sorted(counts), engine.names()) == ([0, 20], [])


def test_a_collection_waits_for_the_one_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """While another process collects nothing is listed or removed, and who waits too long is told."""
    monkeypatch.setattr("clusters.ownership._SECONDS", 0.2)
    engine = FakeEngine()
    with try_locked("garbage"), pytest.raises(DeadlineExceeded, match="holds the lock garbage"):
        collect_garbage(engine)
    assert engine.asked == []


def test_names_of_a_dead_push_are_removed() -> None:
    """An image name that carries the port of a dead run's registry was made for a push that broke off."""
    name = "127.0.0.1:21000/openpolicyagent/gatekeeper:v1"

    class Pushed(FakeEngine):
        def _answer(self, words: list[str]) -> Completed:
            pushed = words[0] == "images" and words[-1] == "reference=127.0.0.1:21000/*/*"
            return Completed(name, "", 0) if pushed else super()._answer(words)

    engine = Pushed()
    ports = {"PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21000"}]}}
    engine.add("container", "registry", dead().labels(), HostConfig=ports)
    assert f"image name {name}" in collect_garbage(engine)
    assert f"rmi --no-prune {name}" in engine.asked


def pooled(engine: FakeEngine) -> Owner:
    """Put a container into the engine that this process made for the pool; return its owner."""
    owner = Owner.of_pool()
    directory = owner.claim() / "c"
    engine.add("container", "c-worker", owner.labels() | {f"{PREFIX}.directory": str(directory)})
    return owner


def test_a_frozen_cluster_lives_without_a_process_until_it_is_too_old() -> None:
    """Nobody's cluster lives; another boot, too many hours, or a clock that was set back make it dead."""
    owner = Owner.nobody("pool-1")
    day = 24 * 3600
    assert (owner.pooled, owner.shelved, Owner.mine("r").pooled, Owner.of_pool().shelved) == (True, True, False, False)
    for change in ({"boot_id": "x"}, {"expires": owner.expires - day}, {"expires": owner.expires + day}):
        assert not dataclasses.replace(owner, **change).shelved


def test_a_frozen_cluster_is_left_alone_unless_everything_goes() -> None:
    """It is no garbage, whoever made it; `everything` takes it and its directory."""
    engine = FakeEngine()
    directory = Owner.nobody(pooled(engine).run).claim()
    collect_garbage(engine)
    assert (engine.names(), directory.exists()) == (["c-worker"], True)
    collect_garbage(engine, everything=True)
    assert (engine.names(), directory.exists()) == ([], False)


def test_a_leased_cluster_goes_with_who_leased_it_and_not_with_who_made_it(child: subprocess.Popen[bytes]) -> None:
    """The labels still name the maker; only the directory tells whose it is."""
    engine = FakeEngine()
    lessee = dataclasses.replace(pooled(engine), pid=child.pid, start=start_time(child.pid))
    lessee.claim()
    collect_garbage(engine)
    assert engine.names() == ["c-worker"]
    child.kill()
    child.wait()
    collect_garbage(engine)
    assert engine.names() == []


def test_who_owns_a_pooled_cluster_stands_where_its_labels_say(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Who collects garbage with another state directory sees that it lives, too."""
    engine = FakeEngine()
    Owner.nobody(pooled(engine).run).claim()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another"))
    collect_garbage(engine)
    assert engine.names() == ["c-worker"]


def test_a_pooled_cluster_without_its_directory_is_garbage() -> None:
    """Nobody can lease it any more, although the process that made it lives."""
    engine = FakeEngine()
    directory = Owner.nobody(pooled(engine).run).claim()
    shutil.rmtree(directory)
    collect_garbage(engine)
    assert engine.names() == []
