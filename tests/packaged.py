"""Packaged: builds wheel and source archive by pinned tools, and uses the wheel as those do who have no checkout."""

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from importlib import metadata
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PROGRAMS = Path(sys.executable).parent
_SECONDS = 600


def main(tag: str) -> int:
    """Build into dist/, install into the environment that runs this, use it; return 0, or 1 if something was wrong.

    A `tag` other than "" must be that of the version, and the changelog must have the version.
    """
    version = tomllib.loads(_read("pyproject.toml"))["project"]["version"]
    if tag and (tag != f"v{version}" or f"\n## [{version}]" not in _read("CHANGELOG.md")):
        sys.stdout.write(f"expected v{version} of pyproject.toml, with an entry in CHANGELOG.md (was {tag})\n")
        return 1
    _build()
    failed = [command for command, expected in _uses() if not _prints(command, expected)]
    return bool(failed)


def _read(name: str) -> str:
    return (_ROOT / name).read_text(encoding="utf-8")


def _build() -> None:
    """Build from git's index, in a folder of its own, with the commit's time: the same commit makes the same wheel.

    In the checkout the build would leave src/chaos_harness.egg-info, by which pytest takes the checkout for installed.
    """
    shutil.rmtree(_ROOT / "dist", ignore_errors=True)
    log = ["git", "log", "-1", "--format=%ct"]
    committed = subprocess.run(log, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    build = ["uv", "build", "--quiet", "--require-hashes", "--build-constraints", "requirements/tests.txt"]
    with tempfile.TemporaryDirectory() as copy:
        subprocess.run(["git", "checkout-index", "--all", f"--prefix={copy}/"], cwd=_ROOT, check=True)
        environment = {**os.environ, "SOURCE_DATE_EPOCH": committed}
        subprocess.run([*build, "--out-dir", str(_ROOT / "dist")], cwd=copy, env=environment, check=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    subprocess.run([*pip, *(_ROOT / "dist").glob("*.whl")], check=True)


def _uses() -> list[tuple[str, str]]:
    """Return what a user may type, with a part of what it prints."""
    scripts = metadata.distribution("chaos-harness").entry_points.select(group="console_scripts")
    command = next(script.name for script in scripts)
    return [
        ("python -m pip check", "No broken requirements"),
        ("pytest --help", "--chaos "),
        ("pytest --chaos --help", "--chaos-seed"),
        (f"{command} --help", "recheck"),
        (f"{command} recheck bundle", "none changed"),
    ]


def _prints(command: str, expected: str) -> bool:
    """Return whether a command succeeds beside a bundle, far from the checkout, and prints `expected`; tell it."""
    name, *arguments = command.split()
    with tempfile.TemporaryDirectory() as folder:
        if "bundle" in arguments:
            from tests.fakes.incidents import bundled  # noqa: PLC0415 - what it imports is installed by now

            bundled(Path(folder))
        done = subprocess.run(
            [_PROGRAMS / name, *arguments], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    good = done.returncode == 0 and expected in done.stdout
    sys.stdout.write(f"✓ {command}\n" if good else f"✗ {command}: {done.returncode}\n{done.stdout}{done.stderr}\n")
    return good


if __name__ == "__main__":
    sys.exit(main("".join(sys.argv[1:])))
