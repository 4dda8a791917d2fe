"""Pulling: pulls one image, shows how many layers are there, and says in one line why it failed."""

import json
import os
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded
from chaos_harness.clusters.images.download_retries import retry_download
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.mirror import MIRROR
from chaos_harness.clusters.terminal.escape import escape_controls, last_line
from chaos_harness.clusters.terminal.progress import Progress, ProgressStep

__all__ = ["PullProblem", "host", "pull"]

Cause = Literal["absent", "broken off", "changed", "disk", "limited", "other", "refused", "unreachable"]

_HUB = "docker.io/"
_FROM_DAEMON = "Error response from daemon: "
_SECONDS = 900.0
"""For a node image of 1.2 GB on a slow line; an engine gives up on a silent registry after 15 to 25 s."""

_SHOW_EVERY_SECONDS = 0.5
_MOST_OUTPUT_BYTES = 1 << 20
_SHORT = 300
_LAYER = re.compile(r"^([0-9a-f]{12}): (.+)$", re.MULTILINE)
_THERE = ("Pull complete", "Already exists", "Download complete")
_CAUSES: Mapping[Cause, str] = {
    "changed": "verification failed for digest|unexpected commit digest|does not match digest|digest mismatch",
    "disk": "no space left|disk quota",
    "limited": "toomanyrequests|rate limit",
    "broken off": "unexpected EOF|connection reset|broken pipe|short read|unexpected end",
    "unreachable": "no such host|server misbehaving|connection refused|timeout|timed out|unreachable|no route",
    "refused": "unauthorized|denied|forbidden|authentication required",
    "absent": "manifest unknown|not found|no such manifest|name unknown",
}
"""What docker says for each cause, in the order in which they are looked for; docker has words only, no values."""


@dataclass(frozen=True)
class PullProblem:
    """Why an image cannot be pulled from `asked`, by cause and in docker's words; `mirrored` if a mirror was asked."""

    asked: str
    cause: Cause
    words: str
    mirrored: bool = False

    def __str__(self) -> str:
        return f"{self.asked} cannot be pulled: {self.words}; {self._advice}"

    @property
    def _advice(self) -> str:
        digest_only = ", and no tag is taken instead" if "@" in self.asked else ""
        other = f"`unset {MIRROR}` asks docker.io" if self.mirrored else f"`export {MIRROR}=HOST:PORT` asks a mirror"
        return {
            "absent": f"`docker manifest inspect {self.asked}` asks again{digest_only}",
            "broken off": f"`docker pull {self.asked}` tries again",
            "changed": "what is served there is not what the lock names, and is not used",
            "disk": "`docker system df` shows what takes the disk",
            "limited": f"`docker login` raises the limit, or {other}",
            "refused": f"`docker login {host(self.asked)}` gives access",
            "unreachable": other,
            "other": f"`docker pull {self.asked}` shows all of it",
        }[self.cause]


def host(reference: str) -> str:
    """Return the registry of an image reference that names it."""
    return reference.partition("/")[0]


def pull(engine: Engine, reference: str, rules: PullRules, progress: Progress) -> str | PullProblem:
    """Pull `reference`, by digest or by tag, and return it by its digest, or why it cannot be pulled.

    A pull that breaks off, or that a registry is too busy for, is tried again a few times. The engine keeps no part of
    a broken pull under a name.
    """
    asked, deadline = rules.asked(reference), Deadline.after(_SECONDS, f"the pull of {reference}")
    try:
        with progress.step(f"pull {asked}") as step:
            retry_download(lambda: _pull(engine, asked, deadline, step), deadline, progress)
    except DeadlineExceeded as error:
        return PullProblem(asked, "broken off", str(error), asked != reference)
    except _RefusedError as error:
        words = str(error)
        return PullProblem(asked, _cause(words), escape_controls(words, most=_SHORT), asked != reference)
    if "@" in reference:
        return reference
    repository = asked.rpartition(":")[0].removeprefix(_HUB).removeprefix("library/")
    inspect = ["image", "inspect", "--format", "{{json .RepoDigests}}", asked]
    for digest in json.loads(engine.run(inspect, deadline).stdout) or ():
        name, _, checksum = str(digest).partition("@")
        if name.removeprefix(_HUB).removeprefix("library/") == repository:
            return f"{reference.rpartition(':')[0]}@{checksum}"
    return PullProblem(asked, "other", "the engine tells no digest of it")


class _RefusedError(CommandFailed):
    """What docker says about an image that it cannot pull."""


def _pull(engine: Engine, asked: str, deadline: Deadline, step: ProgressStep) -> None:
    """Pull an image. Raises _RefusedError."""
    done = threading.Event()
    with tempfile.TemporaryFile("w+b") as output:
        teller = threading.Thread(target=_show_layers, args=(output.fileno(), step, done), daemon=True)
        teller.start()
        try:
            answer = engine.run(["pull", asked], deadline, stdout=output, check=False)
        finally:
            done.set()
            teller.join()
    if answer.returncode:
        words = last_line(answer.stderr).removeprefix(_FROM_DAEMON)
        said = words or f"docker ended with status {answer.returncode}"
        raise _RefusedError(said, said=said)


def _cause(words: str) -> Cause:
    for cause, form in _CAUSES.items():
        if re.search(form, words, re.IGNORECASE):
            return cause
    return "other"


def _show_layers(output: int, step: ProgressStep, done: threading.Event) -> None:
    while not done.wait(_SHOW_EVERY_SECONDS):
        there, total = layers(os.pread(output, _MOST_OUTPUT_BYTES, 0).decode(errors="replace"))
        step.count(there, total, f"{there} of {total} layers" if total else "")


def layers(output: str) -> tuple[int, int]:
    """Return how many layers are there, and of how many docker knows, by what it printed so far."""
    states = dict(_LAYER.findall(output))
    return sum(state in _THERE for state in states.values()), len(states)
