"""Own containers: runs commands in containers that were found to be ours by their IDs, without asking the engine again.

Labels and image of an ID never change, so one question is enough; a name may be another container's tomorrow.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from chaos_harness.clusters.engine import guard
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.machine.process import CommandResult

__all__ = ["OwnContainers"]

_ERROR = re.compile(r"^error\b.*$", re.IGNORECASE | re.MULTILINE)
_GONE = re.compile(r"no such container", re.IGNORECASE)


class OwnContainers:
    """IDs of an engine's containers that carry our label, by the names by which they were asked for."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def note(self, name: str, container: str) -> None:
        """Note that the container of this name has this ID and is ours; not one that is only adopted, for a time."""
        self._ids[name] = container

    def exec(self, words: Sequence[str], execute: Callable[[Sequence[str]], CommandResult]) -> CommandResult | None:
        """Run `docker WORDS` by `execute`, with the ID of the container in place of its name; errors have its name.

        None if nothing was run: it is no exec, nobody has asked whose the container is, or there is none of that ID any
        more, which is forgotten. Raises HarnessError for an unknown command or option, and the errors of `execute`,
        which raises none for a status other than 0.
        """
        name = guard.exec_target(words)
        container = self._ids.get(name) if name else None
        if name is None or container is None:
            return None
        at = list(words).index(name, 1)
        try:
            done = execute([*words[:at], container, *words[at + 1 :]])
        except DeadlineExceeded as error:
            error.args = (str(error).replace(container, name),)
            raise
        if not done.returncode:
            return done
        if any(_GONE.search(line) and container in line for line in _ERROR.findall(done.stderr)):
            self._ids.pop(name, None)
            return None
        return replace(done, stderr=_ERROR.sub(lambda line: line[0].replace(container, name), done.stderr))
