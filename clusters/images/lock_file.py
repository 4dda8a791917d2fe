"""Lock files: what images and files must be, by digest; lock.yaml is the one that is shipped."""

import re
from pathlib import Path

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["CHART", "LOCK", "MANIFEST", "read_lock"]

LOCK = Path(__file__).with_name("lock.yaml")

MANIFEST = "gatekeeper-manifest/"
"""Prefix of the entries with the sha256 of Gatekeeper's deploy/gatekeeper.yaml."""

CHART = "gatekeeper-chart/"
"""Prefix of the entries with the sum of Gatekeeper's charts/gatekeeper."""

_REFERENCE = re.compile(r"[a-z0-9][a-z0-9_.\-/:]*@sha256:[0-9a-f]{64}", re.ASCII)
_SUM = re.compile(r"sha256:[0-9a-f]{64}", re.ASCII)
_MOST_BYTES = 256 * 1024
_MOST_TOLD = 20
_SHORT = 100


def read_lock(path: Path = LOCK) -> dict[str, str]:
    """Return the lock: image name → repository@digest, and name of a file of Gatekeeper's → its sum.

    Raises BadScenario with every entry that is not pinned by a digest.
    """
    entries = bounded_files.read_plain_yaml(path, _MOST_BYTES) or {}
    if not isinstance(entries, dict):
        raise BadScenario(f"{path}: expected NAME/VERSION: REPOSITORY@sha256:…, found {type(entries).__name__}")
    loose = [name for name, content in entries.items() if not _form(str(name)).fullmatch(str(content))]
    if loose:
        shown_entries = {
            escape_controls(str(name), most=_SHORT): escape_controls(repr(entries[name]), most=_SHORT)
            for name in loose[:_MOST_TOLD]
        }
        raise BadScenario(
            [
                f"{path}: {name}: {words} is not {'' if _form(name) is _SUM else 'REPOSITORY@'}sha256:<64 digits>"
                for name, words in shown_entries.items()
            ]
        )
    return {str(name): str(content) for name, content in entries.items()}


def _form(name: str) -> re.Pattern[str]:
    return _SUM if name.startswith((MANIFEST, CHART)) else _REFERENCE
