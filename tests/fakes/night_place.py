"""Night place: a matrix whose cells the fake runs, and the pods of a Job as calls of the same process."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness import nights
from chaos_harness.harness.nightly import job_options
from chaos_harness.harness.nightly.pod import INDEX, JOB

__all__ = ["NightPlace"]

_ROOT = Path(__file__).parents[2]
_MATRIX = "schema: 1\nrun: [test_a.py, test_b.py]\nwithoutFault: test_healthy.py\nrate: {width: 0.9}\n"


class NightPlace:
    """A matrix of three cells in `folder`, which is the working directory, and a volume of a Job's."""

    FAKE = (sys.executable, str(_ROOT / "tests/fakes/cell_run.py"))

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        """Make it; nights lock each other here alone."""
        self.folder, self._patch = folder, patch
        self.volume = folder / "volume"
        for name in ("test_a.py", "test_b.py", "test_healthy.py"):
            (folder / name).touch()
        self.write_matrix(_MATRIX)
        patch.chdir(folder)
        patch.setattr(job_options, "RESULTS", str(self.volume))
        for name, value in {"FAKE_CELLS": "cells.json", "XDG_RUNTIME_DIR": ".", "XDG_STATE_HOME": "state"}.items():
            patch.setenv(name, str(folder / value))
        self.come_to()

    def write_matrix(self, text: str) -> None:
        """Replace the matrix."""
        (self.folder / "matrix.yaml").write_text(text, encoding="utf-8")

    def come_to(self, more: Mapping[str, Any] | None = None, **outcomes: Sequence[int | str]) -> None:
        """Say what the runs of cells come to, see tests/fakes/cell_run.py; `more` are further files."""
        names = ("a", "b", "healthy")
        cells = {f"test_{name}.py": {"outcomes": outcomes.get(name, [0])} for name in names} | dict(more or {})
        (self.folder / "cells.json").write_text(json.dumps(cells), encoding="utf-8")

    def night(self, *arguments: str) -> int:
        """Type `chaos-harness nightly ARGUMENTS`."""
        return nights.main(list(arguments), self.FAKE)

    def job(self, shards: int = 2, *arguments: str) -> list[dict[str, Any]]:
        """Return the objects of a Job named `night`."""
        out = self.folder / "job.yaml"
        required = ("--image", "acme/harness:1", "--claim", "results", "--name", "night", "--out", str(out))
        assert self.night("matrix.yaml", "--job", str(shards), *required, *arguments) == 0
        return list(yaml.safe_load_all(out.read_text(encoding="utf-8")))

    def pod(self, objects: Sequence[Mapping[str, Any]], index: int, uid: str = "u-1") -> int:
        """Run a pod in a folder of its own, to which the ConfigMap is mounted as a kubelet does it."""
        mounted = self.mount(objects)
        self._patch.setenv(INDEX, str(index))
        self._patch.setenv(JOB, uid)
        work = mounted.parent / "work"
        work.mkdir()
        with self._patch.context() as here:
            here.chdir(work)
            return self.night("--pod", str(mounted))

    def mount(self, objects: Sequence[Mapping[str, Any]]) -> Path:
        """Write the files of the ConfigMap into a new folder: links to those of its version."""
        config, job = objects
        (volume,) = (each for each in job["spec"]["template"]["spec"]["volumes"] if each["name"] == "order")
        mounted = self.folder / f"pod-{len(list(self.folder.glob('pod-*')))}" / "order"
        version = mounted / "..2026_11_30"
        for item in volume["configMap"]["items"]:
            path = version / item["path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(config["data"][item["key"]], encoding="utf-8")
        (mounted / "..data").symlink_to(version.name)
        for top in version.iterdir():
            (mounted / top.name).symlink_to(f"..data/{top.name}")
        return mounted

    def ran(self) -> list[str]:
        """Return the files of the runs so far."""
        log = self.folder / "cells.log"
        return [line.split()[0] for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []

    def ledger(self, shard: int) -> Path:
        """Return the ledger of a shard of the Job named `night`."""
        return self.volume / f"jobs/night/shard-{shard}/night.jsonl"

    def merge(self, *paths: str) -> tuple[int, dict[str, Any]]:
        """Merge what the Job left, or these; return the status and the summary."""
        out = self.folder / f"merged-{len(list(self.folder.glob('merged-*')))}"
        status = self.night("--merge", *(paths or [str(self.volume / "jobs/night")]), "--out", str(out))
        return status, json.loads((out / "summary.json").read_text(encoding="utf-8"))
