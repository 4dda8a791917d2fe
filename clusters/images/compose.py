"""Composed Go modules: writes go.mod and go.sum for a Kubernetes version, once; they are committed.

Kubernetes' own go.mod replaces its staging modules by folders that its module zip lacks. The composed module keeps all
its requirements and replaces the folders by the published modules (k8s.io/api v0.36.4 for v1.36.4). `nox -s
add-kubernetes` does this and everything else that makes a version known; `PYTHONPATH=src python -m
chaos_harness.clusters.images.compose v1.36.4` does only this.
"""

import re
import shutil
import sys
import tempfile
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images.download_retries import retry_download
from chaos_harness.clusters.images.golang import GO_STEADY, checksum_database, download
from chaos_harness.clusters.known_versions import RECIPES
from chaos_harness.clusters.machine.process import run

__all__ = ["compose", "go_mod"]

_SECONDS = 600.0
_UNPUBLISHED = re.compile(r"^\tk8s\.io/sample-.*\n", re.MULTILINE)
_STAGING = re.compile(r"^\t(k8s\.io/\S+) => \./staging/src/\S+$", re.MULTILINE)


def go_mod(upstream: str, version: str) -> str:
    """Return the composed go.mod for Kubernetes `version` from the text of Kubernetes' own, `upstream`."""
    staging = "v0." + version.removeprefix("v1.")
    text = upstream[upstream.index("module ") :]
    text = text.replace("module k8s.io/kubernetes", "module chaos-harness.invalid/kubernetes", 1)
    text = _UNPUBLISHED.sub("", text)
    text = _STAGING.sub(rf"\t\1 => \1 {staging}", text)
    return text.replace("require (", f"require (\n\tk8s.io/kubernetes {version}", 1)


def compose(version: str, recipes: Path = RECIPES) -> Path:
    """Write the go.mod and go.sum of Kubernetes `version` into a folder of `recipes`, when both exist; return it.

    Every module is verified against the checksum database. Raises ImageUnavailable or CommandFailed if a module is not
    served or its checksum cannot be verified.
    """
    deadline = Deadline.after(_SECONDS, f"go.mod and go.sum of Kubernetes {version}")
    asked = checksum_database(f"what Kubernetes {version} needs", deadline)
    upstream = download("k8s.io/kubernetes", version, deadline)
    target = recipes / version
    with tempfile.TemporaryDirectory() as folder:
        module = Path(folder)
        for source in RECIPES.glob("*.go"):
            shutil.copy(source, module)
        (module / "go.mod").write_text(go_mod((upstream / "go.mod").read_text(), version))
        listing = ["go", "list", "-mod=mod", "-deps", "."]
        retry_download(lambda: run(listing, deadline, cwd=module, env={**GO_STEADY, **asked}), deadline)
        target.mkdir(exist_ok=True)
        for name in ("go.mod", "go.sum"):
            shutil.copy(module / name, target)
    return target


if __name__ == "__main__":
    for wanted in sys.argv[1:]:
        sys.stdout.write(f"{compose(wanted)}\n")
