"""Limits and switches of the kernel that a private engine changes, written down before, and put back when it stops.

systemd, kubelet and containerd of every node take inotify instances out of one budget per user; the
kernel's usual 128 last for two clusters, and the third one's kubelets die of "too many open files"
(kind's known issues). dockerd makes the host a router, and kubelets set what they want of the kernel, which
they share with the host: setupIPv4Forwarding and ModifyRootKeyLimit of moby, setupKernelTunables of the kubelet.
"""

import contextlib
from pathlib import Path

from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.traces import Trace

__all__ = ["FORWARDING", "SET", "SYSCTL", "WANTED", "raise_limits", "record_settings", "restore"]

WANTED = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 1 << 20}
"""What we raise below /proc/sys."""

FORWARDING = "net/ipv4/ip_forward"

SET = {
    FORWARDING: 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}
"""What the engine, and the kubelets in it, set below /proc/sys."""

SYSCTL = "sysctl "
"""What the journal of this machine calls a value, before its name."""

_SYS = Path("/proc/sys")
_INTERFACES = Path("/sys/class/net")


def record_settings(layout: Layout, sys: Path = _SYS) -> None:
    """Write down what the engine will change, before it starts. Raises HarnessError if it cannot be written."""
    for name, value in SET.items():
        now = _value(name, sys)
        if now is not None and now != value:
            _record(layout, name, now, value)


def raise_limits(layout: Layout, sys: Path = _SYS) -> None:
    """Raise what is lower than wanted, and write down what it was before that; no other value is touched.

    A host that does not allow it keeps its limits: `nox -s doctor` tells. Raises HarnessError if it cannot be
    written down.
    """
    for name, value in WANTED.items():
        now = _value(name, sys)
        if now is not None and now < value:
            _record(layout, name, now, value)
            with contextlib.suppress(OSError):
                (sys / name).write_text(str(value))


def restore(trace: Trace, sys: Path = _SYS, interfaces: Path = _INTERFACES) -> bool:
    """Put one value back, unless somebody else has changed it since; return whether there is nothing left to do.

    Forwarding stays as long as somebody else may need it, who has found it switched on.
    """
    name = trace.what.removeprefix(SYSCTL)
    if str(_value(name, sys)) != trace.after:
        return True
    if name == FORWARDING and _is_router_for_others(interfaces):
        return False
    with contextlib.suppress(OSError):
        (sys / name).write_text(trace.before)
    return True


def _record(layout: Layout, name: str, before: int, after: int) -> None:
    traces.record(f"{SYSCTL}{name}", before=str(before), after=str(after), holder=str(layout.run))


def _is_router_for_others(interfaces: Path = _INTERFACES) -> bool:
    """Whether this host has a bridge or a tunnel, as engines, hypervisors and VPNs make; ours are gone by then."""
    marks = ("bridge", "tun_flags")
    return any((interface / mark).exists() for interface in interfaces.glob("*") for mark in marks) or any(
        "DEVTYPE=wireguard" in _text(interface / "uevent") for interface in interfaces.glob("*")
    )


def _value(name: str, sys: Path = _SYS) -> int | None:
    """Return the value of `name`, None if this kernel has no such thing."""
    try:
        return int(_text(sys / name))
    except ValueError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
