"""Tests of clusters.garbage: who is alive, and what a garbage collection may touch."""

import dataclasses
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.errors import DeadlineExceeded, HarnessError
from chaos_harness.clusters.garbage import JOURNAL, PREFIX, Owner, collect_garbage, list_foreign_directories
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.machine.process_starts import start_time
from chaos_harness.clusters.machine.removal import remove_folder
from tests.fakes.engine import FakeEngine


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr("chaos_harness.clusters.engine.inventory._PATIENCE_SECONDS", 0.3)
    return tmp_path


def dead(run: str = "dead") -> Owner:
    return dataclasses.replace(Owner.mine(run), start="1")


def test_only_what_dead_runs_own_is_collected() -> None:
    """Containers, networks and volumes of dead runs go; live runs' and unlabelled ones stay."""
    engine = FakeEngine()
    for kind in ("container", "network", "volume"):
        engine.add(kind, f"dead-{kind}", dead().labels())
        engine.add(kind, f"live-{kind}", Owner.mine("live").labels())
        engine.add(kind, f"foreign-{kind}", {"com.example.owner": "somebody"})
    removed = collect_garbage(engine)
    assert [line.split()[1] for line in removed] == ["dead-container", "dead-network", "dead-volume"]
    assert not [name for name in engine.names() if name.startswith("dead")]
    assert len(engine.names()) == 6


def test_containers_go_before_what_they_use() -> None:
    """The engine refuses to remove a network or volume in use, so containers are first."""
    engine = FakeEngine()
    for kind in ("volume", "network", "container"):
        engine.add(kind, kind, dead().labels())
    assert [line.split()[0] for line in collect_garbage(engine)] == ["container", "network", "volume"]


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


def test_what_a_killed_run_did_to_a_kept_cluster_is_undone() -> None:
    """The cluster stays for its user, as it was before the fault; that of a run that lives is its own."""
    engine = FakeEngine()
    runs = {"dead": dead(), "live": Owner.mine("live")}
    for name, owner in runs.items():
        engine.add("container", name, owner.labels(keep=True))
        (owner.claim() / JOURNAL).touch()
    seen: list[Path] = []

    def undo(path: Path) -> list[str]:
        seen.append(path)
        return ["rules dropped"]

    assert collect_garbage(engine, undo=undo) == ["undone: rules dropped"]
    assert [path.parent.name for path in seen] == [runs["dead"].run]
    assert engine.names() == ["dead", "live"]
    assert seen[0].exists()


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
    monkeypatch.setattr("chaos_harness.clusters.garbage._SECONDS", 0.2)
    engine = FakeEngine()
    with try_lock("garbage"), pytest.raises(DeadlineExceeded, match="holds the lock garbage"):
        collect_garbage(engine)
    assert engine.asked == []


class Named(FakeEngine):
    """An engine with images of several names."""

    images: Mapping[str, list[str]] = {
        "127.0.0.1:21000/openpolicyagent/gatekeeper:v1": ["chaos-harness/gatekeeper:abc"],
        "127.0.0.1:21000/openpolicyagent/gatekeeper:mine": ["example.com/gatekeeper:v1"],
        "127.0.0.1:21000/somebody/tool:v1": ["chaos-harness/gatekeeper:abc"],
        "127.0.0.1:21001/openpolicyagent/gatekeeper:v1": ["chaos-harness/gatekeeper:abc"],
    }

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        if words[0] == "images" and words[-1].startswith("reference="):
            wanted = words[-1].removeprefix("reference=")
            return CommandResult("\n".join(name for name in self.images if name.rpartition(":")[0] == wanted), "", 0)
        if words[:4] == ["inspect", "--type", "image", "--format"]:
            return CommandResult(f"[{' '.join([words[-1], *self.images[words[-1]]])}]\n", "", 0)
        return CommandResult("", "", 0) if words[0] == "rmi" and self.cli == "docker" else super().answer(words, stdin)


@pytest.mark.parametrize("cli", ["docker", "refusing"])
def test_names_of_a_dead_push_are_removed(cli: str) -> None:
    """What a push that broke off has left goes; a user's name of the same port stays; what stays is not told."""
    name = "127.0.0.1:21000/openpolicyagent/gatekeeper:v1"
    engine = Named(cli=cli)
    ports = {"PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "21000"}]}}
    engine.add("container", "registry", dead().labels(), HostConfig=ports)
    removed = collect_garbage(engine)
    assert [line for line in removed if line.startswith("image")] == ([f"image name {name}"] if cli == "docker" else [])
    assert [command for command in engine.asked if command.startswith("rmi")] == [f"rmi --no-prune {name}"]


def pooled(engine: FakeEngine) -> Owner:
    """Put a container into the engine that this process made for the pool; return its owner."""
    owner = Owner.of_pool()
    directory = owner.claim() / "c"
    engine.add("container", "c-worker", owner.labels() | {f"{PREFIX}.directory": str(directory)})
    return owner


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


def test_a_directory_is_settled_by_the_collector_of_its_own_engine(tmp_path: Path) -> None:
    """Another engine has none of its containers: what is broken there would be taken for gone, its files removed."""
    directory = dead().claim("engine-a")
    (directory / JOURNAL).touch()
    seen: list[Path] = []

    def undo(path: Path) -> list[str]:
        seen.append(path)
        return []

    other = FakeEngine(id="engine-b")
    assert collect_garbage(other, everything=True, undo=undo) == []
    assert (seen, directory.is_dir(), list_foreign_directories(other)) == ([], True, [directory])
    assert collect_garbage(FakeEngine(), undo=undo) == [f"directory {directory}"]
    assert (seen, list_foreign_directories(FakeEngine())) == ([directory / JOURNAL], [])


def test_bad_files_of_one_run_keep_no_other_from_being_collected() -> None:
    """An owner file of nonsense, a journal that breaks its reader: the others go, and what is left is told."""
    (Owner.mine("bad").claim() / "owner.json").write_text('{"run": 1, "pid": "x", "expires": []}')
    broken, whole = dead("broken").claim(), dead("whole").claim()
    (broken / JOURNAL).touch()

    def undo(path: Path) -> list[str]:
        raise RecursionError(path.name)

    engine = FakeEngine()
    engine.add("container", "node", dead().labels())
    with pytest.raises(HarnessError, match=r"garbage is left:\nRecursionError: journal\.jsonl\n"):
        collect_garbage(engine, undo=undo)
    assert (engine.names(), whole.exists(), broken.exists()) == ([], False, True)


def test_what_is_kept_by_a_stopped_container_goes_with_it() -> None:
    """An undo that only the container keeps from being done is tried again when that is gone: no garbage is left."""
    directory, engine = dead("stopped").claim(), FakeEngine()
    (directory / JOURNAL).touch()
    engine.add("container", "node", dead().labels())

    def undo(_path: Path) -> list[str]:
        if engine.names():
            raise HarnessError("node is stopped")
        return ["file removed"]

    removed = collect_garbage(engine, undo=undo)
    assert (engine.names(), directory.exists()) == ([], False)
    assert {"undone: file removed", "what was left of stopped: node is stopped"} <= set(removed)


def test_what_could_not_be_removed_is_not_told_as_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that stays is a problem, with the command to type."""
    directory, other = dead("one").claim(), dead("two").claim()

    def refuse(folder: Path) -> None:
        if folder == directory:
            raise HarnessError(f"{folder}: not all of it could be removed: Permission denied")
        remove_folder(folder)

    monkeypatch.setattr("chaos_harness.clusters.garbage.remove_folder", refuse)
    with pytest.raises(HarnessError, match=r"could be removed: Permission denied"):
        collect_garbage(FakeEngine())
    assert (directory.exists(), other.exists()) == (True, False)


def test_another_users_lock_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's files in a user's folder: who they must belong to, and the command to type."""

    def refuse(*_: object) -> Any:
        raise PermissionError(13, "Permission denied", "locks/garbage")

    monkeypatch.setattr("chaos_harness.clusters.garbage.hold_lock", refuse)
    with pytest.raises(HarnessError, match=r"locks/garbage.*sudo chown -R"):
        collect_garbage(FakeEngine())


def test_an_image_committed_from_a_node_is_its_users() -> None:
    """It keeps our labels, and so do its containers: neither is collected, whatever became of the run."""
    engine = FakeEngine()
    evidence = engine.add("image", "evidence", dead().labels())
    engine.add("container", "looking", dead().labels(), Image=evidence)
    engine.add("container", "node", dead().labels(), Image="id-node-image")
    assert collect_garbage(engine) == ["container node"]
    assert engine.names() == ["evidence", "looking"]
