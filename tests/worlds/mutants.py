"""Mutants: whether worlds find a check that was made wrong on purpose, in a copy of the sources."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.worlds.mutated import MUTANTS, Mutant

__all__ = ["found", "mutate", "survivors"]

_ROOT = Path(__file__).parents[2]
_COPIED = ("harness", "tests")
_SECONDS = 600
_SAMPLES = (("--seeds", "0:60"), ("--seeds", "60:1600"), ("--seeds", "0:60", "--metamorphic"))
"""What is tried, one after the other, until a mutant is found."""


def mutate(root: Path, mutant: Mutant) -> None:
    """Make a check of the tree `root` wrong. Raises ValueError if the old text does not stand there exactly once."""
    path = root / mutant.file
    source = path.read_text(encoding="utf-8")
    if source.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file}: {mutant.old!r} stands there {source.count(mutant.old)} times")
    path.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")


def found(mutant: Mutant) -> dict[str, str]:
    """Return, for each check that a mutant makes wrong, how worlds found that; "" if none did."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in _COPIED:
            shutil.copytree(_ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for other in _ROOT.iterdir():
            if other.name not in _COPIED and not other.name.startswith("."):
                (root / other.name).symlink_to(other)
        mutate(root, mutant)
        return {check: _how(root, check) for check in mutant.checks}


def _how(root: Path, check: str) -> str:
    return next(filter(None, (_wrong(root, check, sample) for sample in _SAMPLES)), "")


def _wrong(root: Path, check: str, sample: Iterable[str]) -> str:
    """Return the first line about wrong verdicts, or ""; that a check raises proves nothing but a bad mutant."""
    command = [sys.executable, "-m", "tests.worlds", "--check", check, *sample]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode > 1 or done.stderr:
        raise RuntimeError(done.stderr[-500:])
    lines = [line for line in done.stdout.splitlines() if line and not line.startswith("|") and "raised" not in line]
    return next((line.strip() for line in lines if done.returncode and ": 0 times" not in line), "")


def survivors(checks: Iterable[str], *, jobs: int = 1) -> Iterator[tuple[Mutant, str, str]]:
    """Yield each mutant of these checks, with the check and how it was found ("": it was not)."""
    wanted = set(checks)
    mine = [mutant._replace(checks=tuple(one for one in mutant.checks if one in wanted)) for mutant in MUTANTS]
    mine = [mutant for mutant in mine if mutant.checks]
    with ThreadPoolExecutor(jobs) as pool:
        for mutant, how in zip(mine, pool.map(found, mine), strict=True):
            yield from ((mutant, check, words) for check, words in how.items())
