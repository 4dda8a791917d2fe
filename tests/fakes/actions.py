"""Actions: the steps of this repository's actions for others, run with programs in place of the real ones."""

import os
import subprocess
from pathlib import Path
from typing import Any

import yaml

__all__ = ["ACTIONS", "action", "run_script", "script"]

ACTIONS = Path(__file__).parents[2] / ".github" / "actions"


def action(name: str) -> dict[str, Any]:
    """Return what is in the file of an action."""
    read: dict[str, Any] = yaml.safe_load((ACTIONS / name / "action.yml").read_text("utf-8"))
    return read


def script(name: str, step: str) -> str:
    """Return what a step of an action runs."""
    (found,) = (one["run"] for one in action(name)["runs"]["steps"] if one.get("name") == step)
    return str(found)


def run_script(text: str, folder: Path, program: str, body: str, **environment: str) -> tuple[int, list[str], str]:
    """Run a script as GitHub does, with a program that writes what it was called with, and then does `body`.

    Return the status, the calls, and what was printed.
    """
    programs = folder / "programs"
    programs.mkdir()
    (programs / program).write_text(f'#!/bin/bash\nprintf "%s\\n" "$*" >> "{folder}/calls"\n{body}\n')
    (programs / program).chmod(0o755)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder,
        env={"PATH": f"{programs}:{os.environ['PATH']}", "RUNNER_TEMP": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    calls = (folder / "calls").read_text("utf-8").splitlines() if (folder / "calls").is_file() else []
    return done.returncode, calls, done.stdout
