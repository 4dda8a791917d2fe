"""First sight: the record of what an unlocked image or file was when this user got it first; it may not change later.

The record has the format of lock.yaml, so it can be given as a lock (`--lock FILE`).
"""

from collections.abc import Mapping
from pathlib import Path

import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.paths import runtime_dir

__all__ = ["compare", "read"]

_SECONDS = 30.0


def _record() -> Path:
    """Return the path of the record, which may not exist yet."""
    return runtime_dir() / "first-seen.yaml"


def read() -> dict[str, str]:
    """Return the record. Raises BadScenario if somebody wrote something else into it."""
    path = _record()
    return read_lock(path) if path.exists() else {}


def compare(seen: Mapping[str, str]) -> list[str]:
    """Record what is seen for the first time, and return its names.

    Raises ImageUnavailable, with nothing recorded, if something differs from what was recorded before.
    """
    with hold_lock("first-seen", Deadline.after(_SECONDS, "another process to write the record of first sight")):
        recorded = read()
        for name, content in seen.items():
            if recorded.get(name, content) != content:
                raise ImageUnavailable(
                    f"{name}: expected {recorded[name]}, as when it was seen first, found {content}: it is not used; "
                    f"if you know why it changed, `sed -i '\\,^{name}:,d' {_record()}` forgets the first"
                )
        new = {name: content for name, content in seen.items() if name not in recorded}
        if new:
            unfinished = _record().with_suffix(".unfinished")
            unfinished.write_text(yaml.safe_dump(recorded | new, sort_keys=True, width=200), encoding="utf-8")
            unfinished.replace(_record())
    return list(new)
