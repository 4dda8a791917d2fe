"""Root file systems: what is said where they cannot be made, and what a killed build leaves: nothing."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images.rootfs import rootfs
from chaos_harness.clusters.machine.mounts import mount_points
from chaos_harness.clusters.terminal.progress import Progress
from tests.thorough import sampled

_ROOT = Path(__file__).parents[4]

_STAND_IN = """#!/bin/sh
set -e
for word in "$@"; do case $word in */rootfs.tar) tar=$word ;; esac; done
moment() {
  echo "$1" > "$PLACE/now"
  [ "$1" != "$STUCK_AT" ] || { sleep 61 & wait; }
}
trap '' TERM
moment begun
mkdir -p "$TMPDIR/root/dev/shm"
mount --bind "$PLACE/shm" "$TMPDIR/root/dev/shm"
moment mounted
(set -m; sleep 62 & echo $! > "$PLACE/apt")
moment fetching
echo half > "$tar"
moment writing
kill -9 $(cat "$PLACE/apt")
umount "$TMPDIR/root/dev/shm"
rm -r "$TMPDIR/root"
echo whole > "$tar"
moment done
"""
_BUILD = """
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.images.rootfs import rootfs
from chaos_harness.clusters.terminal.progress import Progress
process._GRACE_SECONDS = 0.3
rootfs("r", "minbase", ["bash"]).get(Progress.quiet())
"""
_MOMENTS = ["begun", "mounted", "fetching", "writing", "done"]

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="a mount takes root")


def test_without_mmdebstrap_and_apt_another_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is not Debian's kin gets the command that brings images from one that is."""
    monkeypatch.setenv("PATH", str(tmp_path))
    made = rootfs("node-rootfs", "minbase", ["bash"])
    with pytest.raises(ImageUnavailable, match=r"mmdebstrap is missing, .*; `nox -s images -- --load FILE` brings"):
        made.make(tmp_path, Progress.quiet())
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with a stand-in for mmdebstrap, and one for /dev/shm with a file of the machine's."""
    (tmp_path / "shm").mkdir()
    (tmp_path / "shm/file").write_text("the machine's")
    program = tmp_path / "bin/mmdebstrap"
    program.parent.mkdir()
    program.write_text(_STAND_IN)
    program.chmod(0o755)
    for name, value in {"PLACE": "", "XDG_CACHE_HOME": "cache", "XDG_STATE_HOME": "state"}.items():
        monkeypatch.setenv(name, str(tmp_path / value))
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    yield tmp_path
    for point in mount_points([tmp_path]):
        subprocess.run(["umount", "--lazy", point], check=True)


def build(place: Path, stuck_at: str) -> subprocess.Popen[bytes]:
    """Begin to build; return when it is where it shall be stuck."""
    process = subprocess.Popen([sys.executable, "-c", _BUILD], cwd=_ROOT, env={**os.environ, "STUCK_AT": stuck_at})
    for _ in Deadline.after(60, "the moment").attempts(0.01, 0.05):
        now = place / "now"
        if now.exists() and now.read_text().strip() == stuck_at:
            break
    return process


def left(place: Path) -> list[int]:
    """Return the processes that still have something to do with a build."""
    pids = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"PLACE={place}".encode() in path.read_bytes() and int(path.parent.name) != os.getpid():
                pids.append(int(path.parent.name))
        except OSError:
            continue
    return pids


@needs_root
@pytest.mark.parametrize(
    ("end", "moment"),
    sampled([*(("kill", moment) for moment in _MOMENTS), *(("interrupt", moment) for moment in _MOMENTS[1::2])], 2),
)
def test_a_build_that_is_ended_leaves_nothing(place: Path, moment: str, end: str) -> None:
    """Ended at any moment, what was mounted is as before, no process is left, and the next build is whole."""
    with build(place, moment) as process:
        assert left(place)
        process.kill() if end == "kill" else process.send_signal(2)
        process.wait(60)
    for _ in Deadline.after(30, "all processes to end").attempts(0.01, 0.1):
        if not left(place):
            break
    assert left(place) == []
    assert mount_points([place]) == []
    artefacts = place / "cache/chaos-harness/artefacts"
    assert len(list(artefacts.iterdir())) == (1 if end == "kill" else 0)
    made = rootfs("r", "minbase", ["bash"]).get(Progress.quiet())
    assert list(artefacts.iterdir()) == [made]
    assert (made / "rootfs.tar").read_text() == "whole\n"
    assert (place / "shm/file").read_text() == "the machine's"


def test_where_no_mount_namespace_is_permitted_there_is_none(place: Path) -> None:
    """A user who may not mount builds all the same."""
    for name in ("unshare", "mount", "umount"):
        program = place / "bin" / name
        program.write_text("#!/bin/sh\n" + ("echo refused >&2; exit 1\n" if name == "unshare" else ""))
        program.chmod(0o755)
    made = rootfs("r", "minbase", ["bash"]).get(Progress.quiet())
    assert (made / "rootfs.tar").read_text() == "whole\n"
