"""Programs: runs a program for the report, and reports its output in one line if it fails."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from chaos_harness.harness.errors import HarnessError

__all__ = ["run_program"]

_MOST_LINES = 3


def run_program(
    lack: str, command: Sequence[str], where: Path, seconds: float, extra: Mapping[str, str] | None = None
) -> None:
    """Run a command in a directory, with `extra` in its environment.

    Raises HarnessError, which begins with `lack` (what is missing without it), if it cannot be run, does not end within
    `seconds`, or exits with a status other than 0.
    """
    try:
        done = subprocess.run(
            command,
            cwd=where,
            env={**os.environ, **(extra or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HarnessError(f"{lack}: {error}") from error
    if done.returncode:
        said = [line.strip() for line in (done.stderr or done.stdout).splitlines() if line.strip()][-_MOST_LINES:]
        raise HarnessError(
            f"{lack}: `{command[0]}` ended with {done.returncode}: {' / '.join(said) or 'nothing was said'}"
        )
