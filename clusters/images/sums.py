"""Sums of Gatekeeper's modules, which are in no go.sum, and of the manifests and charts in them.

Run `PYTHONPATH=src python -m chaos_harness.clusters.images.sums` after adding a version of Gatekeeper: it writes
modules.sum from the checksum database, and lock.yaml from the modules. Both are committed.
"""

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.images import gatekeeper_release, lock
from chaos_harness.clusters.images.download_retries import retry_download
from chaos_harness.clusters.images.gatekeeper_release import MODULE
from chaos_harness.clusters.images.golang import SUMS, checksum_database
from chaos_harness.clusters.images.lock_file import CHART, LOCK, MANIFEST, read_lock
from chaos_harness.clusters.machine.process import run

__all__ = ["write"]

_SECONDS = 600.0


def write(path: Path = SUMS, lock_path: Path = LOCK) -> None:
    """Write the checksums of every known version of Gatekeeper, and into the lock those of its manifest and chart.

    Raises ImageUnavailable without the checksum database, CommandFailed if a module is not served.
    """
    deadline = Deadline.after(_SECONDS, "the sums of Gatekeeper's modules")
    environment = checksum_database(MODULE, deadline)
    lines: list[str] = []
    locked = {name: known for name, known in read_lock(lock_path).items() if not name.startswith((MANIFEST, CHART))}
    with tempfile.TemporaryDirectory() as nowhere:
        for version in known_versions.GATEKEEPER:
            command = ["go", "mod", "download", "-json", f"{MODULE}@{version}"]
            ask = partial(run, command, deadline, env=environment, cwd=Path(nowhere))
            facts = json.loads(retry_download(ask, deadline).stdout)
            lines += [f"{MODULE} {version} {facts['Sum']}", f"{MODULE} {version}/go.mod {facts['GoModSum']}"]
            locked |= gatekeeper_release.sums(version, Path(facts["Dir"]))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    lock.write(locked, lock_path)


if __name__ == "__main__":
    try:
        write()
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
