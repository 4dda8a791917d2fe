"""Root file systems, made by mmdebstrap from the distribution's packages.

As root, mmdebstrap mounts folders of the machine, such as /dev/shm, into the new file system. It does so in a mount
namespace of its own: no other process sees the mounts, and they end with its last process, however that ends.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine.packages import IMAGES_NEED
from chaos_harness.clusters.errors import CommandFailed, HarnessError, ImageUnavailable
from chaos_harness.clusters.images.store import Artefact, digest
from chaos_harness.clusters.machine import apt, consent
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["rootfs"]

SUITE = "trixie"
"""Debian 13, as in kind's own base image."""

_SECONDS = 900.0
_NOTICE = (
    f"Images are built here, and the node's file system needs packages of the\ndistribution. As root, apt-get would "
    f"install {' '.join(IMAGES_NEED)}."
)
_UNREAD = ("doc", "man", "info", "locale", "lintian", "bash-completion")


def rootfs(name: str, variant: str, packages: Sequence[str], hooks: Sequence[str] = ()) -> Artefact:
    """Return the artefact whose `rootfs.tar` is a root file system with `packages`.

    `variant` is mmdebstrap's: "minbase" is a system, "extract" only the files of the packages and their dependencies.
    `hooks` are shell commands that get the root's folder as $1. Making it raises ImageUnavailable if the distribution's
    packages are not available.
    """

    def make(folder: Path, progress: Progress) -> None:
        _require_mmdebstrap(progress)
        with progress.step(f"fetch Debian packages of the {name}"):
            _make(folder, variant, packages, hooks)

    return Artefact(name, digest(SUITE, variant, sorted(packages), hooks, _UNREAD), make)


def _make(folder: Path, variant: str, packages: Sequence[str], hooks: Sequence[str]) -> None:
    deadline = Deadline.after(_SECONDS, f"a root file system of {SUITE} with {', '.join(packages)}")
    arguments = [
        f"--variant={variant}",
        f"--include={','.join(packages)}",
        *(f"--dpkgopt=path-exclude=/usr/share/{unread}/*" for unread in _UNREAD),
        *(f"--customize-hook={hook}" for hook in hooks),
    ]
    try:
        run(
            [*_private_mounts_prefix(deadline), "mmdebstrap", *arguments, SUITE, folder / "rootfs.tar", *_mirrors()],
            deadline,
            env={"SOURCE_DATE_EPOCH": "0", "TMPDIR": str(folder)},
        )
    except CommandFailed as error:
        raise ImageUnavailable(
            f"Debian's {SUITE} is not available: {error}\n"
            f"`{command_line('doctor')}` tells whether the mirror answers; `{command_line('images --')} --load FILE` "
            "brings a ready set"
        ) from error


def _private_mounts_prefix(deadline: Deadline) -> list[str]:
    """Return a command prefix that gives the command its own mount namespace; empty if that is not permitted.

    A user without that permission may not mount either: mmdebstrap then uses a user namespace, or no mounts at all.
    """
    words = ["unshare", "--mount", "--propagation", "private"]
    able = shutil.which(words[0]) and run([*words, "true"], deadline, check=False).returncode == 0
    return words if able else []


def _require_mmdebstrap(progress: Progress) -> None:
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        consent.require(_NOTICE)
    lack = "mmdebstrap is missing, which makes the node image"
    elsewhere = f"`{command_line('images --')} --load FILE` brings a set that was saved elsewhere"
    try:
        apt.install(IMAGES_NEED, progress, lack=lack, elsewhere=elsewhere)
    except HarnessError as error:
        raise ImageUnavailable(str(error)) from error


def _mirrors() -> list[str]:
    """Return the mirrors of this machine's apt, so that the node image uses them, too."""
    for sources in (Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))):
        if sources.is_file():
            for line in sources.read_text(errors="replace").splitlines():
                words = line.split()
                is_list = len(words) > 2 and words[0] == "deb" and words[1].endswith(("/debian", "/debian/"))  # noqa: PLR2004 - deb URI SUITE
                is_deb822 = len(words) > 1 and words[0] == "URIs:" and words[1].endswith(("/debian", "/debian/"))
                if is_list or is_deb822:
                    return [words[1]]
    return []
