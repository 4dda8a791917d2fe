"""Making: artefacts are made beside each other, and end together."""

from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images.making import make_artefacts
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.machine.locking import try_lock
from chaos_harness.clusters.terminal.progress import Progress

pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))


def _made(folder: Path, progress: Progress) -> None:
    del progress
    (folder / "made").touch()


def _failing(folder: Path, progress: Progress) -> None:
    raise RuntimeError("no such package")


def _slow(folder: Path, progress: Progress) -> None:
    process.run(["sleep", "600"], Deadline.after(600, "a build"))


def test_each_is_made_once() -> None:
    """What is wanted twice is made once; what is there already is not made."""
    made = []

    def make(folder: Path, progress: Progress) -> None:
        made.append(folder)

    wanted = [Artefact("a", "1", make), Artefact("a-rootfs", "1", make), Artefact("a", "1", make)]
    make_artefacts(wanted, Progress.quiet())
    make_artefacts(wanted, Progress.quiet())
    assert len(made) == 2


def test_a_failure_ends_the_commands_of_the_others() -> None:
    """The error is that of the one that failed, and a build of ten minutes is not waited for."""
    with pytest.raises(RuntimeError, match="no such package"):
        make_artefacts([Artefact("a-rootfs", "1", _failing), Artefact("b", "1", _slow)], Progress.quiet())


def test_a_failure_ends_the_wait_for_another_process() -> None:
    """One that another process makes, which may take an hour, is not waited for either; nor is it made here."""
    waited_for = Artefact("b", "1", _made)
    with try_lock(waited_for.folder.name) as free:
        assert free
        with pytest.raises(RuntimeError, match="no such package"):
            make_artefacts([Artefact("a-rootfs", "1", _failing), waited_for], Progress.quiet())
    assert not waited_for.folder.exists()
    make_artefacts([waited_for], Progress.quiet())
    assert waited_for.folder.exists()
