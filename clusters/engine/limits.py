"""Limits of the kernel that nodes share, raised while the private engine runs and put back when it stops.

systemd, kubelet and containerd of every node take inotify instances out of one budget per user; the
kernel's usual 128 last for two clusters, and the third one's kubelets die of "too many open files"
(kind's known issues).
"""

import contextlib
import json
from pathlib import Path

from clusters.engine.layout import Layout

__all__ = ["WANTED", "restore", "widen"]

WANTED = {"max_user_instances": 1024, "max_user_watches": 1 << 20}
"""Limits below /proc/sys/fs/inotify."""

_INOTIFY = Path("/proc/sys/fs/inotify")


def widen(layout: Layout, limits: Path = _INOTIFY) -> None:
    """Raise what is lower than wanted, and write down what it was before that; no other value is touched.

    A host that does not allow it keeps its limits: `nox -s doctor` tells.
    """
    record = layout.data / "limits.json"
    before = _read(record)
    raised = {name: value for name, value in _now(limits).items() if value < WANTED[name] and name not in before}
    record.write_text(json.dumps(before | raised))
    for name in raised:
        with contextlib.suppress(OSError):
            (limits / name).write_text(str(WANTED[name]))


def restore(layout: Layout, limits: Path = _INOTIFY) -> None:
    """Put back what `widen` raised, unless somebody else has changed it since."""
    record = layout.data / "limits.json"
    now = _now(limits)
    for name, value in _read(record).items():
        if now.get(name) == WANTED[name]:
            (limits / name).write_text(str(value))
    record.unlink(missing_ok=True)


def _read(record: Path) -> dict[str, int]:
    try:
        return dict(json.loads(record.read_text()))
    except (OSError, ValueError):
        return {}


def _now(limits: Path) -> dict[str, int]:
    return {name: int((limits / name).read_text()) for name in WANTED if (limits / name).exists()}
