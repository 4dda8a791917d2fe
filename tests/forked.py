"""Forked: sessions of pytest in processes of their own, forked from one that has imported what takes long.

Python, Kubernetes' client and the like anew take half a second of processor, and the unit tests run a hundred sessions.
"""

import gc
import multiprocessing
import os
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path

from _pytest.config import default_plugins

from chaos_harness.clusters.deadline import Deadline
from tests.stem import fork_workers

__all__ = ["program", "session"]

# Not the plugins themselves: pytest rewrites their assertions when it imports them, and warns if that is too late.
_HEAVY = ["allure_commons.reporter", "docker", "execnet", "kubernetes.client", "kubernetes.config"]
_HEAVY += ["prometheus_client.openmetrics.exposition", "pydantic.dataclasses", "pytest", "yaml"]
_HEAVY += [f"_pytest.{plugin}" for plugin in default_plugins]
_OURS = [
    "chaos_harness.clusters.creation.create",
    "chaos_harness.harness.pytest_plugin.incident_files",
    "chaos_harness.harness.run.context",
    "chaos_harness.reports.allure.attachments",
    "chaos_harness.reports.allure.results",
    "chaos_harness.reports.overview.write",
    "chaos_harness.reports.picture.draw",
    "chaos_harness.reports.trends.quality_gate",
    "tests.fakes.world",
]
_BYTES = 65536
_ALWAYS = ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]  # Hypothesis takes a tenth of a second to import
_PYTEST = "import sys, pytest\nsys.exit(pytest.main(sys.argv[1:]))\n"

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(_HEAVY + _OURS)


def session(arguments: Sequence[str], place: Path, environment: Mapping[str, str], seconds: float) -> tuple[int, str]:
    """Run `python -m pytest` with the arguments in `place`, with no other environment; return its status and output.

    Raises DeadlineExceeded.
    """
    return program(_PYTEST, [*_ALWAYS, *arguments], place, environment, seconds)


def program(
    source: str, arguments: Sequence[str], place: Path, environment: Mapping[str, str], seconds: float
) -> tuple[int, str]:
    """Run `python -c` with the source and the arguments, as `session` runs pytest; xdist's workers are forked, too."""
    deadline = Deadline.after(seconds, f"python -c … {' '.join(arguments)} to end")
    said, says = _SERVER.Pipe(duplex=False)
    process = _SERVER.Process(target=_run, args=(source, list(arguments), str(place), dict(environment), says))
    process.start()
    says.close()
    output = b""
    with said:
        while wait([said], deadline.remaining):
            if not (part := os.read(said.fileno(), _BYTES)):
                break
            output += part
    process.join(deadline.remaining)
    if process.exitcode is None:
        process.kill()
        raise deadline.error(output.decode())
    return process.exitcode, output.decode()


def _run(source: str, arguments: list[str], place: str, environment: dict[str, str], says: Connection) -> None:
    gc.freeze()  # what was imported stays: pytest collects garbage five times as it ends
    os.environ.clear()
    os.environ.update(environment, PYTHONDONTWRITEBYTECODE="1")
    sys.dont_write_bytecode = True  # of code that lies in a directory of this one test's
    os.chdir(place)
    sys.path[:0] = [place, *filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))]
    sys.argv = ["-c", *arguments]
    for stream in (1, 2):
        os.dup2(says.fileno(), stream)
    says.close()
    if "-n" in arguments:
        fork_workers()
    exec(source, {"__name__": "__main__"})  # noqa: S102  # as `python -c` does
