"""Dockers: the engines that people have today, built from their modules; a build takes half an hour."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images import golang
from chaos_harness.clusters.images.store import Artefact, digest
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["DOCKERS", "Docker"]

_BUILD_SECONDS = 5400.0


@dataclass(frozen=True)
class Docker:
    """A version of dockerd, and the import path of the package that holds its version."""

    module: str
    version: str
    versioned: str
    modules: str = "go"
    """What go.mod and go.sum are called in its module, before the dot."""

    @property
    def number(self) -> str:
        """The version as the engine reports it."""
        return self.version.removeprefix("v").partition("+")[0]

    @property
    def artefact(self) -> Artefact:
        """The artefact with the programs dockerd and docker-proxy."""
        return Artefact("docker", digest(self.module, self.version, golang.GO_STEADY), self._make)

    @property
    def program(self) -> golang.Program:
        """What is built: without btrfs, whose headers few machines have."""
        return golang.Program(
            ("./cmd/dockerd", "./cmd/docker-proxy"),
            {f"{self.versioned}/dockerversion.Version": self.number},
            ("netgo", "osusergo", "exclude_graphdriver_btrfs"),
        )

    def _make(self, folder: Path, progress: Progress) -> None:
        deadline = Deadline.after(_BUILD_SECONDS, f"Docker {self.version} to be built")
        source = folder / "source"
        shutil.copytree(golang.download(self.module, self.version, deadline), source)
        for path in (source, *source.rglob("*")):
            path.chmod(path.stat().st_mode | 0o200)
        shutil.rmtree(source / "vendor", ignore_errors=True)
        for name in ("mod", "sum"):
            (source / f"{self.modules}.{name}").rename(source / f"go.{name}")
        with progress.step(f"build Docker {self.version}") as step:
            golang.build(self.program, source, folder, deadline, step)
        shutil.rmtree(source)


DOCKERS = {
    "28": Docker("github.com/docker/docker", "v28.5.2+incompatible", "github.com/docker/docker", "vendor"),
    "29": Docker("github.com/moby/moby/v2", "v2.0.0-beta.24", "github.com/moby/moby/v2"),
}
"""By what people call them; 29 is published as a pre-release of the module's version 2."""
