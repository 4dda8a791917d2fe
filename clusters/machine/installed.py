"""Installed: the record of packages that came to this machine by us, by which `uninstall` takes them away again.

A line is on disk before apt installs: what a killed installation brought is known, too. A package that was there
before, or came as a newer version of itself, is never in the record.
"""

import json
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import HarnessError
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.process import run

__all__ = ["LOCK", "new_packages", "record", "recorded", "remove"]

LOCK = ("-o", "DPkg::Lock::Timeout=300")
"""apt's option that waits for another apt."""

_NEW = re.compile(r"^Inst (\S+) \(", re.MULTILINE)
"""What `apt-get --simulate install` says of a package that is not there yet; an older version would stand before (."""
_GOING = re.compile(r"^(?:Remv|Purg) (\S+)", re.MULTILINE)
_SECONDS = 900
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
_DATA_OF_OTHERS = (Path("/var/lib/docker"), Path("/var/lib/containerd"))
"""Data of engines that are not ours, which the packages' own scripts would take with them in a purge."""


def new_packages(simulated: str) -> list[str]:
    """Return the packages that would be new, by what `apt-get --simulate install` wrote."""
    return _NEW.findall(simulated)


def record(packages: Sequence[str]) -> None:
    """Record, with fsync, that these packages are about to come. Raises HarnessError if that is impossible."""
    if not packages:
        return
    line = json.dumps({"at": time.strftime("%Y-%m-%d"), "packages": list(packages)}) + "\n"
    try:
        traces.HOME.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _record().open("a", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise HarnessError(
            f"{_record()}: expected to record what will be installed: {error}; `df {traces.HOME}`"
        ) from error


def recorded() -> list[str]:
    """Return the packages that came by us and are still there, in the order in which they came."""
    names: dict[str, None] = {}
    try:
        lines = _record().read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    for line in lines:
        try:
            names |= dict.fromkeys(json.loads(line)["packages"])
        except (ValueError, TypeError, KeyError):
            continue  # cut off by a kill, before anything was installed
    if not names:
        return []
    asked = ["dpkg-query", "--show", "--showformat=${Package} ${db:Status-Status}\n", *names]
    shown = run(asked, Deadline.after(_SECONDS, "dpkg to list packages"), check=False).stdout
    there = {name for name, _, status in (line.partition(" ") for line in shown.splitlines()) if status == "installed"}
    return [name for name in names if name in there]


def remove(packages: Sequence[str], *, needed: Sequence[str] = ()) -> tuple[list[str], dict[str, str]]:
    """Remove packages that came by us; return those that went, and why the others stay.

    None goes that another package needs which did not come by us, and none of those in `needed`. Their settings go,
    too, unless an engine of others has data here. Raises CommandFailed, DeadlineExceeded.
    """
    deadline = Deadline.after(_SECONDS, "apt to remove packages")
    staying: dict[str, str] = {}
    going = [name for name in packages if name not in needed]
    if others := _taken_along(going, packages, deadline):
        for name in list(going):
            if along := _taken_along([name], packages, deadline):
                going.remove(name)
                staying[name] = f"{', '.join(sorted(along))} needs it"
        others = _taken_along(going, packages, deadline)
    if others:  # only together they take others along: apt knows more than we asked
        return [], dict.fromkeys(packages, f"{', '.join(sorted(others))} would go, too")
    if going:
        verb = "remove" if any(path.exists() for path in _DATA_OF_OTHERS) else "purge"
        run(["apt-get", *LOCK, verb, "--yes", *going], deadline, env=_ENVIRONMENT)
    return going, staying


def _taken_along(names: Sequence[str], ours: Sequence[str], deadline: Deadline) -> set[str]:
    """Return the packages besides `ours` that would go with `names`."""
    if not names:
        return set()
    simulated = run(["apt-get", "--simulate", "remove", *names], deadline, env=_ENVIRONMENT).stdout
    return set(_GOING.findall(simulated)) - set(ours)


def _record() -> Path:
    return traces.HOME / "packages.jsonl"
