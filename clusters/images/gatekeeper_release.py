"""Gatekeeper's release: its manifest and chart, from its module or from its project's own host, by the same sums.

The sums of versions that were tried are in the lock. Of all others, what they are when they are seen first is recorded.
"""

import hashlib
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded, ImageUnavailable
from chaos_harness.clusters.images import first_seen, golang
from chaos_harness.clusters.images.downloads import GITHUB_CONTENT, Download
from chaos_harness.clusters.images.lock_file import CHART, MANIFEST
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["MODULE", "fetch", "module", "sums", "verify"]

MODULE = "github.com/open-policy-agent/gatekeeper/v3"
"""Gatekeeper's module."""

_SOURCE = "https://github.com/open-policy-agent/gatekeeper/archive/refs/tags/{version}.tar.gz"
"""A version's source, packed anew for whoever asks: not the archive has a sum, but what is taken out of it."""

_MANIFEST, _CHART = PurePosixPath("deploy/gatekeeper.yaml"), PurePosixPath("charts/gatekeeper")
_SECONDS = 3600.0
_DOWNLOAD_SECONDS = 600.0
_MOST_MIB = 200
_MOST_UNPACKED = 2 << 30
"""Size of an unpacked source, at most, so that an archive of zeros ends."""

_SHORT = 200


def module(version: str) -> Path:
    """Return the folder of Gatekeeper's module. Raises ImageUnavailable."""
    return golang.download(MODULE, version, Deadline.after(_SECONDS, f"the source of Gatekeeper {version}"))


def fetch(version: str, folder: Path, progress: Progress) -> None:
    """Put deploy/gatekeeper.yaml and charts/gatekeeper into `folder`: from the module if there is Go, else downloaded.

    Raises ImageUnavailable with the reasons of both.
    """
    lacks = [] if shutil.which("go") else ["no go on PATH"]
    if not lacks:
        try:
            there = module(version)
        except ImageUnavailable as error:
            lacks.append(first_line(str(error)))
        else:
            for name in (_MANIFEST.parent, _CHART.parent):
                shutil.copytree(there / name, folder / name, copy_function=shutil.copyfile)
            return
    try:
        _download(version, folder, progress)
    except (ImageUnavailable, DeadlineExceeded) as error:
        why = "\n".join(f"  {lack}" for lack in [*lacks, str(error)])
        other = (
            f"\n`{command_line('images --')} --gatekeeper {known_versions.DEFAULT_GATEKEEPER}` takes one that was tried"
        )
        advice = "" if version in known_versions.GATEKEEPER else other
        raise ImageUnavailable(
            f"manifest and chart of Gatekeeper {version} are not to be had:\n{why}{advice}"
        ) from error


def verify(version: str, folder: Path, rules: PullRules, progress: Progress) -> None:
    """Compare manifest and chart in `folder` with the lock, or else with what they were when they were seen first.

    A version that nobody tried is told by a line. Raises ImageUnavailable if one of them differs, or if it is not in
    the lock and `rules` allow nothing else.
    """
    present = sums(version, folder)
    for name, checksum in present.items():
        if rules.lock.get(name, checksum) != checksum:
            raise ImageUnavailable(
                f"{name}: expected {rules.lock[name]} by the lock, found {checksum}: it is not used; "
                f"`rm -rf {folder}` lets it be fetched again"
            )
    loose = {name: checksum for name, checksum in present.items() if name not in rules.lock}
    if loose and rules.only_locked:
        raise ImageUnavailable(
            f"{' and '.join(loose)}: not in the lock, and --locked takes nothing else; leave it out, or take one of "
            f"{', '.join(known_versions.GATEKEEPER)}"
        )
    if version not in known_versions.GATEKEEPER:
        progress.say(f"   nobody tried Gatekeeper {version} here; tried are {', '.join(known_versions.GATEKEEPER)}")
    for name in first_seen.compare(loose) if loose else ():
        progress.say(f"   {name} was in no lock: from now on it is {loose[name]}")


def sums(version: str, folder: Path) -> dict[str, str]:
    """Return the sums of manifest and chart below `folder`, by their names in a lock.

    The chart's is the sha256 of one line for each of its files, sorted: its sha256, two spaces, and its path.
    """
    chart = folder / _CHART
    lines = sorted((path.relative_to(chart).as_posix(), _checksum(path)) for path in chart.rglob("*") if path.is_file())
    listed = "".join(f"{checksum}  {name}\n" for name, checksum in lines)
    return {
        f"{MANIFEST}{version}": f"sha256:{_checksum(folder / _MANIFEST)}",
        f"{CHART}{version}": f"sha256:{hashlib.sha256(listed.encode()).hexdigest()}",
    }


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(version: str, folder: Path, progress: Progress) -> None:
    archive, name = folder / "download", f"the source of Gatekeeper {version}"
    with progress.step(f"download {name}") as step:
        deadline = Deadline.after(_DOWNLOAD_SECONDS, f"the download of {name}")
        url = _SOURCE.format(version=version)
        Download(url, _MOST_MIB, redirects=GITHUB_CONTENT).fetch(archive, deadline, step)
    try:
        unpack(archive, folder)
    except ImageUnavailable as error:
        raise ImageUnavailable(f"{url}: {error}") from error
    finally:
        archive.unlink()


def unpack(archive: Path, folder: Path) -> None:
    """Write manifest and chart out of an archive of Gatekeeper's source; links, and names that lead elsewhere, are not.

    Raises ImageUnavailable if it is no such archive.
    """
    try:
        with tarfile.open(archive, "r:gz") as opened:
            _unpack(opened, folder)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        why = escape_controls(str(error), most=_SHORT)
        raise ImageUnavailable(f"expected an archive with manifest and chart: {why}") from error


def _unpack(archive: tarfile.TarFile, folder: Path) -> None:
    left = _MOST_UNPACKED
    for member in archive:
        left -= member.size
        if left < 0:
            raise tarfile.ReadError(f"more than {_MOST_UNPACKED >> 20} MiB")
        path = PurePosixPath(*PurePosixPath(member.name).parts[1:])
        wanted = path == _MANIFEST or path.is_relative_to(_CHART)
        content = archive.extractfile(member) if wanted and member.isreg() and ".." not in path.parts else None
        if content is None:
            continue
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
    if not (folder / _MANIFEST).is_file() or not (folder / _CHART / "Chart.yaml").is_file():
        raise tarfile.ReadError(f"no {_MANIFEST} or no {_CHART}")
