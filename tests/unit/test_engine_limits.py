"""Tests of clusters.engine.limits: raised while the engine runs, as they were afterwards."""

from pathlib import Path

import pytest

from clusters.engine.layout import Layout
from clusters.engine.limits import WANTED, restore, widen

INSTANCES, WATCHES = WANTED


@pytest.fixture
def limits(tmp_path: Path) -> Path:
    folder = tmp_path / "inotify"
    folder.mkdir()
    (folder / INSTANCES).write_text("128\n")
    (folder / WATCHES).write_text(f"{1 << 22}\n")
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    (tmp_path / "data").mkdir()
    return Layout("test", tmp_path / "data", tmp_path / "run")


def _value(limits: Path, name: str) -> int:
    return int((limits / name).read_text())


def test_only_what_is_too_low_is_raised(layout: Layout, limits: Path) -> None:
    """A low limit gets the wanted value, a higher one keeps its own."""
    widen(layout, limits)
    assert _value(limits, INSTANCES) == WANTED[INSTANCES]
    assert _value(limits, WATCHES) == 1 << 22


def test_what_was_raised_is_put_back_also_after_a_second_start(layout: Layout, limits: Path) -> None:
    """The value from before the first start is restored, however often the engine was started since."""
    widen(layout, limits)
    widen(layout, limits)
    restore(layout, limits)
    assert _value(limits, INSTANCES) == 128
    restore(layout, limits)
    assert _value(limits, INSTANCES) == 128


def test_what_somebody_else_changed_meanwhile_stays(layout: Layout, limits: Path) -> None:
    """A limit that is not the one we set is not ours to put back."""
    widen(layout, limits)
    (limits / INSTANCES).write_text("4096")
    restore(layout, limits)
    assert _value(limits, INSTANCES) == 4096


def test_a_host_without_these_limits_is_left_alone(layout: Layout, tmp_path: Path) -> None:
    """Where the kernel shows no such files nothing is written."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    widen(layout, nothing)
    restore(layout, nothing)
    assert list(nothing.iterdir()) == []
