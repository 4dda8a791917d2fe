"""Actionlint: the linter of workflows, built by Go from its module, which go.sum pins."""

import os
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"


def main(kept: Path) -> int:
    """Build the program into the folder `kept`, and return its status; 0, where it cannot be built, except in CI."""
    program = kept / "actionlint"
    build = ["go", "-C", str(_ROOT / ".github" / "actionlint"), "build", "-o", str(program), _PACKAGE]
    try:
        subprocess.run(build, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stdout.write(f"actionlint is left out, it takes Go 1.25 or newer and the module proxy ({error})\n")
        return int("CI" in os.environ)
    return subprocess.run([program], cwd=_ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
