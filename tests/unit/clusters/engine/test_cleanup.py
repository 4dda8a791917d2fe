"""Tests of clusters.engine.cleanup: which mounts and bridges are the engine's (removal is tested on the real one)."""

from pathlib import Path

from chaos_harness.clusters.engine import cleanup

_MOUNTINFO = """\
22 1 254:0 / / rw - ext4 /dev/vda rw
40 22 0:40 / {root} rw - tmpfs tmpfs rw
41 40 0:41 / {root}/exec/netns/a rw - nsfs nsfs rw
42 40 0:42 / {root}/data/overlay2/x/merged rw - overlay overlay rw
43 42 0:43 / {root}/data/overlay2/x/merged/proc\\040dir rw - proc proc rw
44 22 0:44 / {root}-of-another/exec rw - tmpfs tmpfs rw
"""


def test_mounts_below_a_directory_come_deepest_first(tmp_path: Path) -> None:
    """Whoever unmounts in this order meets no busy parent; escaped spaces are spaces again."""
    root = tmp_path / "engine"
    (tmp_path / "mountinfo").write_text(_MOUNTINFO.format(root=root))
    assert cleanup.mount_points([root], tmp_path / "mountinfo") == [
        f"{root}/data/overlay2/x/merged/proc dir",
        f"{root}/data/overlay2/x/merged",
        f"{root}/exec/netns/a",
    ]


def test_a_mount_on_the_directory_itself_is_the_users(tmp_path: Path) -> None:
    """A disk that somebody mounted for the engine to live on is not the engine's to unmount."""
    (tmp_path / "mountinfo").write_text(f"40 22 0:40 / {tmp_path} rw - ext4 /dev/vdb rw\n")
    assert cleanup.mount_points([tmp_path], tmp_path / "mountinfo") == []
