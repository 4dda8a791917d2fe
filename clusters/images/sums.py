"""Checksums of modules that are in no go.sum: writes modules.sum from the checksum database; it is committed.

Run `PYTHONPATH=src python -m chaos_harness.clusters.images.sums` after adding a version of Gatekeeper, whose module is
built by itself.
"""

import json
import sys
import tempfile
from functools import partial
from pathlib import Path

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.images.downloads import retry_download
from chaos_harness.clusters.images.golang import SUMS, checksum_database
from chaos_harness.clusters.machine.process import run

__all__ = ["GATEKEEPER"]

GATEKEEPER = "github.com/open-policy-agent/gatekeeper/v3"
"""Gatekeeper's module."""

_SECONDS = 600.0


def write(path: Path = SUMS) -> None:
    """Write the checksums of every known version of Gatekeeper.

    Raises ImageUnavailable without the checksum database, CommandFailed if a module is not served.
    """
    deadline = Deadline.after(_SECONDS, "the sums of Gatekeeper's modules")
    environment = checksum_database(GATEKEEPER, deadline)
    lines = []
    with tempfile.TemporaryDirectory() as nowhere:
        for version in known_versions.GATEKEEPER:
            command = ["go", "mod", "download", "-json", f"{GATEKEEPER}@{version}"]
            ask = partial(run, command, deadline, env=environment, cwd=Path(nowhere))
            facts = json.loads(retry_download(ask, deadline).stdout)
            lines += [f"{GATEKEEPER} {version} {facts['Sum']}", f"{GATEKEEPER} {version}/go.mod {facts['GoModSum']}"]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    try:
        write()
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
