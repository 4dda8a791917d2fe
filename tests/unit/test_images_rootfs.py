"""Root file systems: what is said where they cannot be made."""

from pathlib import Path

import pytest

from clusters.errors import ImageUnavailable
from clusters.images.rootfs import rootfs
from clusters.progress import Progress


def test_without_mmdebstrap_and_apt_another_way_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is not Debian's kin gets the command that brings images from one that is."""
    monkeypatch.setenv("PATH", str(tmp_path))
    made = rootfs("node-rootfs", "minbase", ["bash"])
    with pytest.raises(ImageUnavailable, match=r"mmdebstrap is missing, .*; `nox -s images -- --load FILE` brings"):
        made.make(tmp_path, Progress.quiet())
    assert list(tmp_path.iterdir()) == []
