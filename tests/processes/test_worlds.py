"""Worlds of known truth: a seed stands for one world, in whichever process it is drawn."""

import os
import subprocess
import sys
from pathlib import Path

_DRAW = """
from tests.worlds.truths import world
for check in ("asked_registry", "never_unmutated", "recovers_within"):
    for seed in range(16):
        print(check, seed, [str(hiding) for hiding in world(check, seed).hidings])
"""


def test_a_seed_is_one_world_whatever_strings_hash_to() -> None:
    """Figures by seed can be made again: nothing is drawn from a set in the order of its hashes."""
    drawn = [
        subprocess.run(
            [sys.executable, "-c", _DRAW],
            env={**os.environ, "PYTHONHASHSEED": seed},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    ]
    assert drawn[0]
    assert drawn[0] == drawn[1]
