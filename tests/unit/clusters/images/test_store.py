"""Tests of clusters.images.store: artefacts are complete or absent, and are named by what they are made from."""

import io
import multiprocessing
import os
import signal
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import HarnessError, ImageUnavailable
from chaos_harness.clusters.images.store import Artefact, digest, require_disk, scratch_folder
from chaos_harness.clusters.machine.scratch import MAKING, hold_folder
from chaos_harness.clusters.terminal.progress import Progress
from tests.thorough import thorough


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _artefact(log: Path, *, fail: bool = False) -> Artefact:
    def make(folder: Path, progress: Progress) -> None:
        del progress
        (folder / "part").write_text("half")
        with log.open("a") as lines:
            lines.write("made\n")
        if fail:
            raise RuntimeError("interrupted")

    return Artefact("thing", "abc", make)


def test_an_artefact_is_made_once(tmp_path: Path) -> None:
    """A second request for an artefact finds it and makes nothing."""
    log = tmp_path / "log"
    for _ in range(2):
        assert (_artefact(log).get(Progress.quiet()) / "part").read_text() == "half"
    assert log.read_text() == "made\n"


def test_an_interrupted_artefact_does_not_exist(tmp_path: Path) -> None:
    """What raised while it was made leaves no folder, and the next request makes it anew."""
    log = tmp_path / "log"
    broken = _artefact(log, fail=True)
    with pytest.raises(RuntimeError, match="interrupted"):
        broken.get(Progress.quiet())
    assert not broken.folder.exists()
    assert list(broken.folder.parent.iterdir()) == []
    assert _artefact(log).get(Progress.quiet()).is_dir()


def test_what_others_could_have_made_is_not_believed(tmp_path: Path) -> None:
    """The name of an artefact is public; also with umask 000 only its owner can change it, and it is looked at."""
    before = os.umask(0)
    try:
        folder = _artefact(tmp_path / "log").get(Progress.quiet())
    finally:
        os.umask(before)
    assert _artefact(tmp_path / "log").get(Progress.quiet()) == folder
    (folder / "part").chmod(0o666)
    with pytest.raises(HarnessError, match=r"part: expected a cache that only its owner can change, .*`chmod -R go-w "):
        _artefact(tmp_path / "log").get(Progress.quiet())


_FORK = multiprocessing.get_context("fork")  # a new Python takes half a second of processor


def _make_and_die(log: Path, *, die: bool) -> None:
    def make(folder: Path, progress: Progress) -> None:
        del progress
        (folder / "part").write_text("half")
        if die:
            os.kill(os.getpid(), signal.SIGKILL)
        with log.open("a") as lines:
            lines.write("made\n")

    Artefact("thing", "abc", make).get(Progress.quiet())


def _in_process(log: Path, *, die: bool) -> multiprocessing.context.ForkProcess:
    process = _FORK.Process(target=_make_and_die, args=(log,), kwargs={"die": die})
    process.start()
    return process


def test_a_killed_maker_leaves_nothing_that_counts(tmp_path: Path) -> None:
    """After kill -9 of the process that made an artefact, the next process makes it from an empty folder."""
    log = tmp_path / "log"
    killed = _in_process(log, die=True)
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    assert not _artefact(log).folder.exists()
    _artefact(log).get(Progress.quiet())
    assert log.read_text() == "made\n"


def test_what_a_killed_maker_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """The folder of a dead process goes, that of a live one stays."""
    killed = _in_process(tmp_path / "log", die=True)
    killed.join(30)
    artefacts = _artefact(tmp_path / "log").folder.parent
    (leftover,) = artefacts.iterdir()
    with hold_folder(f"{MAKING}live", artefacts) as live:
        made = _artefact(tmp_path / "log").get(Progress.quiet())
        assert sorted(artefacts.iterdir()) == sorted([live, made])
    assert (live.exists(), leftover.exists()) == (False, False)


def _die_with_scratch() -> None:
    with scratch_folder("x") as folder:
        (folder / "large").write_text("gigabytes")
        os.kill(os.getpid(), signal.SIGKILL)


def test_scratch_of_a_killed_process_is_removed_by_the_next() -> None:
    """A new scratch folder is made where nothing of the dead lies."""
    process = _FORK.Process(target=_die_with_scratch)
    process.start()
    process.join(30)
    with scratch_folder("x") as folder:
        assert list(folder.parent.iterdir()) == [folder]


def test_an_artefact_that_another_user_of_the_cache_was_faster_with(tmp_path: Path) -> None:
    """Whose locks lie elsewhere makes it, too; the first to be complete is everybody's."""
    other = _artefact(tmp_path / "other")

    def make(folder: Path, progress: Progress) -> None:
        (folder / "part").write_text("second")
        other.folder.mkdir()
        (other.folder / "part").write_text("first")

    folder = Artefact("thing", "abc", make).get(Progress.quiet())
    assert (folder / "part").read_text() == "first"
    assert list(folder.parent.iterdir()) == [folder]


def test_what_is_mounted_in_an_unfinished_folder_is_told_and_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A build that fails with something of the machine mounted says so, and so does the next one, which builds."""
    mounted: list[str] = []

    def make(folder: Path, progress: Progress) -> None:
        mounted.append(str(folder / "dev/shm"))
        raise RuntimeError("interrupted")

    monkeypatch.setattr("chaos_harness.clusters.machine.removal.mount_points", lambda _: mounted)
    with pytest.raises(RuntimeError) as caught:
        Artefact("thing", "abc", make).get(Progress.quiet())
    assert f"umount {mounted[0]}" in caught.value.__notes__[0]
    stream = io.StringIO()
    assert _artefact(tmp_path / "log").get(Progress(stream)).is_dir()
    assert f"umount {mounted[0]}" in stream.getvalue()


@thorough
def test_two_processes_make_an_artefact_once(tmp_path: Path) -> None:
    """Of two processes that want the same artefact at once, one makes it and both have it."""
    log = tmp_path / "log"
    both = [_in_process(log, die=False) for _ in range(2)]
    for process in both:
        process.join(30)
    assert [process.exitcode for process in both] == [0, 0]
    assert log.read_text() == "made\n"


def test_a_key_changes_with_any_ingredient(tmp_path: Path) -> None:
    """The key depends on values, on file names and on file contents, and on nothing else."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "a").write_text("1")
    first = digest(source, ["x"], {"k": 1})
    assert digest(source, ["x"], {"k": 1}) == first
    assert digest(source, ["y"], {"k": 1}) != first
    (source / "a").write_text("2")
    assert digest(source, ["x"], {"k": 1}) != first


def test_a_full_disk_is_told_before_building() -> None:
    """Too little space is no bad scenario, for others may be built by then; needed, free and where are told."""
    require_disk(0.001, "a small thing")
    with pytest.raises(
        ImageUnavailable, match=r"a large thing needs 1000000\.0 GiB in .*chaos-harness, .* GiB are free"
    ):
        require_disk(1e6, "a large thing")


def test_a_scratch_folder_is_gone_after_its_block() -> None:
    """A scratch folder lives as long as its block, also when the block raises."""
    seen = []

    def use_and_fail() -> None:
        with scratch_folder("x") as folder:
            seen.append((folder, folder.is_dir()))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        use_and_fail()
    [(folder, existed)] = seen
    assert existed
    assert not folder.exists()
