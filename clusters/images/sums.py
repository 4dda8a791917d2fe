"""Sums of modules that no go.sum names: writes modules.sum, to be committed, by the checksum database.

Run as `PYTHONPATH=src python -m chaos_harness.clusters.images.sums` when a version of Gatekeeper was added, whose
module is built by itself.
"""

import json
import sys
import tempfile
from pathlib import Path

from chaos_harness.clusters import versions
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.images.golang import SUMS, checksum_database
from chaos_harness.clusters.machine.process import run

__all__ = ["GATEKEEPER", "write"]

GATEKEEPER = "github.com/open-policy-agent/gatekeeper/v3"
"""Gatekeeper's module."""

_SECONDS = 600.0


def write(path: Path = SUMS) -> None:
    """Write the sums of every version of Gatekeeper there is.

    Raises ImageUnavailable without the checksum database, CommandFailed when a module is not served.
    """
    deadline = Deadline.after(_SECONDS, "the sums of Gatekeeper's modules")
    environment = checksum_database(GATEKEEPER, deadline)
    lines = []
    with tempfile.TemporaryDirectory() as nowhere:
        for version in versions.GATEKEEPER:
            command = ["go", "mod", "download", "-json", f"{GATEKEEPER}@{version}"]
            facts = json.loads(run(command, deadline, env=environment, cwd=Path(nowhere)).stdout)
            lines += [f"{GATEKEEPER} {version} {facts['Sum']}", f"{GATEKEEPER} {version}/go.mod {facts['GoModSum']}"]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    try:
        write()
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
