"""Lock of published images: asks their registries for today's digests and rewrites lock.yaml.

Run `PYTHONPATH=src python -m chaos_harness.clusters.images.lock` on a machine that reaches the registries, review the
difference, and commit it. An image that is not published is left out; it is built. Nodes are not looked up: their
digests come with `nox -s add-kubernetes` from kind's release, since only those are sure to fit it, while tags move.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import yaml

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, connect
from chaos_harness.clusters.errors import CommandFailed, HarnessError
from chaos_harness.clusters.images.catalogue import NODE, ImageEntry, everything
from chaos_harness.clusters.images.download_retries import retry_download
from chaos_harness.clusters.images.lock_file import CHART, LOCK, MANIFEST, read_lock
from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.clusters.terminal.escape import last_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["main", "pull_digests", "renew_lock", "write"]

_PULL_SECONDS = 900.0
_WIDTH = 200


def renew_lock(
    engine: Engine, locked: Mapping[str, str], entries: Sequence[ImageEntry], progress: Progress
) -> dict[str, str]:
    """Return the new content of the lock: all `entries` but nodes with today's digests; nodes and files as they are."""
    nodes = [entry.lock for entry in entries if entry.lock.startswith(NODE)]
    others = [entry for entry in entries if entry.lock not in nodes]
    kept = {name: known for name, known in locked.items() if name in nodes or name.startswith((MANIFEST, CHART))}
    return kept | pull_digests(engine, others, progress)


def pull_digests(engine: Engine, entries: Iterable[ImageEntry], progress: Progress) -> dict[str, str]:
    """Return lock entries for those of `entries` that their registries have, by pulling each."""
    references = {}
    for entry in entries:
        deadline = Deadline.after(_PULL_SECONDS, f"the pull of {entry.published}")
        try:
            with progress.step(f"pull {entry.published}"):
                retry_download(partial(engine.run, ["pull", "--quiet", entry.published], deadline), deadline, progress)
        except CommandFailed as error:
            progress.say(f"   left out: {last_line(str(error))}")
            continue
        inspect = ["image", "inspect", "--format", "{{json .RepoDigests}}", entry.published]
        repository = entry.published.rpartition(":")[0].removeprefix("docker.io/").removeprefix("library/")
        for reference in json.loads(engine.run(inspect, deadline).stdout) or ():
            if reference.partition("@")[0].removeprefix("docker.io/").removeprefix("library/") == repository:
                references[entry.lock] = reference
    return references


def write(entries: Mapping[str, str], path: Path = LOCK) -> None:
    """Write lock entries below the comment at the top of `path`."""
    comment = [line for line in path.read_text().splitlines(keepends=True) if line.startswith("#")]
    path.write_text("".join(comment) + yaml.safe_dump(dict(entries), sort_keys=True, width=_WIDTH))


def main(arguments: Sequence[str] | None = None) -> None:
    """Rewrite the lock; --help connects to no engine."""
    CommandParser(prog="python -m chaos_harness.clusters.images.lock", description=__doc__).parse_args(arguments)
    try:
        listener = Progress.terminal()
        write(renew_lock(connect(progress=listener), read_lock(), everything(), listener))
    except HarnessError as problem:
        sys.exit(f"error: {problem}")


if __name__ == "__main__":
    main()
