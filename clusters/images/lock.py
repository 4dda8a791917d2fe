"""Lock of published images: asks their registries for today's digests and rewrites lock.yaml.

Run as `python -m clusters.images.lock` on a machine that reaches the registries, look at the difference,
and commit it. An image that is not published is left out: it is built.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import yaml

from clusters.deadline import Deadline
from clusters.engine import Engine, connect
from clusters.errors import CommandFailed, HarnessError
from clusters.images.catalogue import Entry, everything
from clusters.images.resolve import LOCK
from clusters.progress import Progress

__all__ = ["digests", "write"]

_PULL_SECONDS = 900.0


def digests(engine: Engine, entries: Iterable[Entry], progress: Progress) -> dict[str, str]:
    """Return lock entries for those of `entries` that their registries have, by pulling each."""
    found = {}
    for entry in entries:
        deadline = Deadline.after(_PULL_SECONDS, f"the pull of {entry.published}")
        try:
            with progress.step(f"pull {entry.published}"):
                engine.run(["pull", "--quiet", entry.published], deadline)
        except CommandFailed as error:
            progress.say(f"   left out: {str(error).splitlines()[-1]}")
            continue
        inspect = ["image", "inspect", "--format", "{{json .RepoDigests}}", entry.published]
        repository = entry.published.rpartition(":")[0].removeprefix("docker.io/").removeprefix("library/")
        for reference in json.loads(engine.run(inspect, deadline).stdout):
            if reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/") == repository:
                found[entry.lock] = reference
    return found


def write(entries: dict[str, str], path: Path = LOCK) -> None:
    """Write lock entries behind the comment that `path` begins with."""
    comment = [line for line in path.read_text().splitlines(keepends=True) if line.startswith("#")]
    path.write_text("".join(comment) + yaml.safe_dump(entries, sort_keys=True))


if __name__ == "__main__":
    try:
        listener = Progress.terminal()
        write(digests(connect(progress=listener), everything(), listener))
    except HarnessError as problem:
        sys.exit(f"error: {problem}")
