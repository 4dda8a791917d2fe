"""Root file systems, made by mmdebstrap from the distribution's packages."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from clusters.deadline import Deadline
from clusters.errors import CommandFailed, ImageUnavailable
from clusters.images.store import Artefact, digest
from clusters.locking import locked
from clusters.process import run
from clusters.progress import Progress

__all__ = ["SUITE", "rootfs"]

SUITE = "trixie"
"""Debian 13: what kind's own base image is made of."""

_SECONDS = 900.0
_UNREAD = ("doc", "man", "info", "locale", "lintian", "bash-completion")


def rootfs(name: str, variant: str, packages: Sequence[str], hooks: Sequence[str] = ()) -> Artefact:
    """Return the artefact whose `rootfs.tar` is a root file system with `packages`.

    `variant` is mmdebstrap's: "minbase" is a system, "extract" the bare files of the packages and of what
    they depend on. `hooks` are shell commands that get the root's folder as $1. Making it raises
    ImageUnavailable when the distribution's packages cannot be had.
    """

    def make(folder: Path, progress: Progress) -> None:
        with progress.step(f"fetch Debian packages of the {name}"):
            _make(folder, variant, packages, hooks)

    return Artefact(name, digest(SUITE, variant, sorted(packages), hooks, _UNREAD), make)


def _make(folder: Path, variant: str, packages: Sequence[str], hooks: Sequence[str]) -> None:
    deadline = Deadline.after(_SECONDS, f"a root file system of {SUITE} with {', '.join(packages)}")
    _require_mmdebstrap(deadline)
    arguments = [
        f"--variant={variant}",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in _UNREAD),
        *(f"--customize-hook={hook}" for hook in hooks),
    ]
    try:
        run(
            ["mmdebstrap", *arguments, SUITE, folder / "rootfs.tar", *_mirrors()],
            deadline,
            env={"SOURCE_DATE_EPOCH": "0", "TMPDIR": str(folder)},
        )
    except CommandFailed as error:
        raise ImageUnavailable(
            f"Debian's {SUITE} cannot be had: {error}\n"
            "`nox -s doctor` tells whether the mirror answers; `nox -s images -- --load FILE` brings a ready set"
        ) from error


def _require_mmdebstrap(deadline: Deadline) -> None:
    if shutil.which("mmdebstrap"):
        return
    install = ["apt-get", "install", "-y", "--no-install-recommends", "mmdebstrap", "debian-archive-keyring"]
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise ImageUnavailable(f"mmdebstrap is missing, which makes the node image: as root, `{' '.join(install)}`")
    with locked("apt", deadline):
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update"], deadline, env=quiet)
        run(install, deadline, env=quiet)


def _mirrors() -> list[str]:
    """Return the mirrors this machine's apt uses, so that the node image comes from there too."""
    for sources in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if sources.is_file():
            for line in sources.read_text(errors="replace").splitlines():
                words = line.split()
                is_list = len(words) > 2 and words[0] == "deb" and words[1].endswith(("/debian", "/debian/"))  # noqa: PLR2004 - deb URI SUITE
                is_deb822 = len(words) > 1 and words[0] == "URIs:" and words[1].endswith(("/debian", "/debian/"))
                if is_list or is_deb822:
                    return [words[1]]
    return []
