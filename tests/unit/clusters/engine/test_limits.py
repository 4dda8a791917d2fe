"""Tests of clusters.engine.limits: raised while the engine runs, as they were afterwards."""

import os
from pathlib import Path

import pytest

from chaos_harness.clusters.engine import host_changes, limits, processes
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.engine.limits import FORWARDING, SET, WANTED, raise_limits, record_settings, restore
from chaos_harness.clusters.machine import apt, scratch, traces
from chaos_harness.clusters.machine.locking import try_lock

INSTANCES, WATCHES = WANTED


@pytest.fixture
def sys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(traces, "HOME", tmp_path / "lib")
    folder = tmp_path / "sys"
    for name, value in {INSTANCES: 128, WATCHES: 1 << 22, **dict.fromkeys(SET, 7), FORWARDING: 0}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{value}\n")
    return folder


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout("test", tmp_path / "data", tmp_path / "run")


def _value(sys: Path, name: str) -> int:
    return int((sys / name).read_text())


def _restore(layout: Layout, sys: Path, interfaces: Path = Path("/nowhere")) -> list[str]:
    return traces.put_back(str(layout.run), lambda trace: restore(trace, sys, interfaces))


def test_only_what_is_too_low_is_raised(layout: Layout, sys: Path) -> None:
    """A low limit gets the wanted value, a higher one keeps its own."""
    raise_limits(layout, sys)
    assert _value(sys, INSTANCES) == WANTED[INSTANCES]
    assert _value(sys, WATCHES) == 1 << 22


def test_what_was_raised_is_put_back_also_after_a_second_start(layout: Layout, sys: Path) -> None:
    """The value from before the first start is restored, however often the engine was started since."""
    raise_limits(layout, sys)
    raise_limits(layout, sys)
    assert _restore(layout, sys) == [f"sysctl {INSTANCES}"]
    assert _value(sys, INSTANCES) == 128
    assert _restore(layout, sys) == []


def test_another_cache_finds_what_was_there_before(layout: Layout, sys: Path, tmp_path: Path) -> None:
    """Who adopts the engine from another $XDG_CACHE_HOME, and stops it, restores what its starter found."""
    raise_limits(layout, sys)
    _restore(Layout("test", tmp_path / "other", layout.run), sys)
    assert _value(sys, INSTANCES) == 128


def test_after_a_reboot_the_raise_is_made_again(layout: Layout, sys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine has forgotten what was raised; what the journal says of the boot before counts for nothing."""
    raise_limits(layout, sys)
    (sys / INSTANCES).write_text("256")
    (sys.parent / "boot").write_text("another\n")
    monkeypatch.setattr("chaos_harness.clusters.machine.boot.BOOT_ID", sys.parent / "boot")
    raise_limits(layout, sys)
    assert _value(sys, INSTANCES) == WANTED[INSTANCES]
    _restore(layout, sys)
    assert _value(sys, INSTANCES) == 256


def test_two_engines_share_the_limits(layout: Layout, sys: Path, tmp_path: Path) -> None:
    """The first that stops takes nothing away from the other, which found them raised."""
    other = Layout("other", tmp_path, tmp_path / "other")
    record_settings(layout, sys)
    raise_limits(layout, sys)
    (sys / INSTANCES).write_text("512")
    raise_limits(other, sys)
    _restore(layout, sys)
    assert _value(sys, INSTANCES) == WANTED[INSTANCES]
    _restore(other, sys)
    assert _value(sys, INSTANCES) == 128


def test_what_somebody_else_changed_meanwhile_stays(layout: Layout, sys: Path) -> None:
    """A limit that is not the one we set is not ours to put back."""
    raise_limits(layout, sys)
    (sys / INSTANCES).write_text("4096")
    _restore(layout, sys)
    assert _value(sys, INSTANCES) == 4096


def test_what_the_engine_sets_is_written_down_before(layout: Layout, sys: Path) -> None:
    """Forwarding and the kubelets' values are as they were when the engine has stopped."""
    record_settings(layout, sys)
    for name, value in SET.items():
        (sys / name).write_text(str(value))
    assert len(_restore(layout, sys)) == len(SET)
    assert {name: _value(sys, name) for name in SET} == {**dict.fromkeys(SET, 7), FORWARDING: 0}


@pytest.mark.parametrize("mark", ["bridge", "tun_flags", "uevent"])
def test_forwarding_stays_while_somebody_else_may_need_it(layout: Layout, sys: Path, tmp_path: Path, mark: str) -> None:
    """An engine, hypervisor or VPN that came meanwhile found it on; when it has gone, healing puts it back."""
    interfaces = tmp_path / "net"
    (interfaces / "wg0").mkdir(parents=True)
    (interfaces / "wg0" / mark).write_text("DEVTYPE=wireguard\n")
    record_settings(layout, sys)
    (sys / FORWARDING).write_text("1")
    assert f"sysctl {FORWARDING}" not in _restore(layout, sys, interfaces)
    assert _value(sys, FORWARDING) == 1
    (interfaces / "wg0" / mark).unlink()
    assert _restore(layout, sys, interfaces) == [f"sysctl {FORWARDING}"]
    assert _value(sys, FORWARDING) == 0


def test_a_host_without_these_limits_is_left_alone(layout: Layout, sys: Path, tmp_path: Path) -> None:
    """Where the kernel shows no such files nothing is written."""
    nothing = tmp_path / "nothing"
    nothing.mkdir()
    record_settings(layout, nothing)
    raise_limits(layout, nothing)
    assert _restore(layout, nothing) == []
    assert list(nothing.iterdir()) == []


def test_a_dead_engines_limits_are_healed_and_a_live_ones_are_not(
    layout: Layout, sys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`nox -s gc` puts back what an engine that was killed has left, and nothing of one that runs or starts."""
    monkeypatch.setattr(limits, "restore", lambda trace: restore(trace, sys))
    monkeypatch.setattr(scratch, "remove_abandoned", list)
    monkeypatch.setattr(apt, "heal", list)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    layout.run.mkdir()
    raise_limits(layout, sys)
    with monkeypatch.context() as context:
        context.setattr(processes, "running", lambda _: True)
        assert host_changes.heal() == []
    with try_lock(str(layout.lock)):
        assert host_changes.heal() == []
    assert _value(sys, INSTANCES) == WANTED[INSTANCES]
    assert host_changes.heal() == [f"sysctl {INSTANCES}"]
    assert _value(sys, INSTANCES) == 128
