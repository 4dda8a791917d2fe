"""Tool sources: where kind and helm come from on this machine, by one rule.

The first of these that there is: a fitting one on PATH; one that was made here before; one that is built by the user's
own Go, from modules with committed sums; the project's release, by a committed sum.
"""

import os
import re
import shutil
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ChaosError, DeadlineExceeded, ImageUnavailable
from chaos_harness.clusters.images import binaries, golang
from chaos_harness.clusters.images.downloads import GITHUB_CONTENT, Download
from chaos_harness.clusters.images.layers import architecture
from chaos_harness.clusters.images.store import Artefact, digest
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.escape import escape_controls, first_line
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["TOOLS", "Tool", "artefacts", "find_sources", "get", "is_downloaded"]

Origin = Literal["PATH", "cache", "Go", "release"]

_VERSION = re.compile(r"\bv(\d{1,9})\.(\d{1,9})\.(\d{1,9})(-[\w.]+)?", re.ASCII)
_ASK_SECONDS = 20.0
_DOWNLOAD_SECONDS = 600.0
_MOST_MIB = 200
_SHORT = 60


@dataclass(frozen=True)
class Tool:
    """A command that creates clusters: its version here, which others fit, and its published binaries.

    A version fits from `least` on and below `below`; a pre-release never does. `sums` are the sha256 of the file at
    `url` by architecture; the file is the program, or an archive of .tar.gz that holds it as `member`.
    """

    name: str
    version: str
    least: str
    below: str
    arguments: tuple[str, ...]
    url: str
    sums: Mapping[str, str]
    member: str = ""
    redirects: tuple[str, ...] = ()

    def fits(self, output: str) -> bool:
        """Whether the version in `output`, what the command says about itself, can be used."""
        version = _VERSION.search(output)
        if version is None or version[4]:
            return False
        return _numbers(self.least) <= _numbers(version[0]) < _numbers(self.below)


@dataclass(frozen=True)
class ToolSource:
    """One way to get a tool: its origin, what it is in words, and how its path is made, which may raise."""

    origin: Origin
    words: str
    path: Callable[[Progress], Path] = field(compare=False)


TOOLS: Mapping[str, Tool] = {
    "kind": Tool(
        "kind",
        known_versions.KIND,
        least="v0.32.0",  # the first whose load balancer is the one that docker_wrapper replaces
        below="v0.36.0",
        arguments=("version",),
        url="https://github.com/kubernetes-sigs/kind/releases/download/{version}/kind-linux-{architecture}",
        sums={
            "amd64": "aee6151561422756b764a4ae28e7f44cda5af5a9eead3cc9985112b1de8d8e0d",
            "arm64": "20022bee6cfcd5086cb7234d218e3454e6090022f2a8f55d1fa7fcf42c3867a2",
        },
        redirects=GITHUB_CONTENT,
    ),
    "helm": Tool(
        "helm",
        known_versions.HELM,
        least="v3.14.0",
        below="v5.0.0",
        arguments=("version", "--short"),
        url="https://get.helm.sh/helm-{version}-linux-{architecture}.tar.gz",
        sums={
            "amd64": "61f88ab166748cb19604d7884cb100ae9ccb13804ddeb98e08af167eacbb6a14",
            "arm64": "b54c04b4e0b2540bbdc08c17a121dab70e9a2ed0de5705528fec68a5fd3b85a7",
        },
        member="linux-{architecture}/helm",
    ),
}
"""The tools that create clusters.

The sums are those that public repositories agree on, ten for kind and eight for helm, among them a copy of helm's
release note; nobody computed them here from the files. A wrong one refuses the file, and nothing else is taken.
"""


def find_sources(tool: Tool, lacks: list[str]) -> Iterator[ToolSource]:
    """Yield the sources of `tool` on this machine, best first; put into `lacks` why those before are none.

    Nothing is downloaded or built, and what is behind the first source is not looked at unless it is asked for.
    """
    for look in (_on_path, _made_before, _built_by_go, _released):
        if source := look(tool, lacks):
            yield source


def is_downloaded(tool: Tool) -> bool:
    """Whether the first source of `tool` is its release, which is not here yet."""
    source = next(find_sources(tool, []), None)
    return source is not None and source.origin == "release"


def artefacts(tool: Tool) -> list[Artefact]:
    """Return the artefacts one of which holds `tool` where it is not taken from PATH."""
    release = _release(tool)
    return [binaries.tools(), binaries.command(tool.name), *([release] if release else [])]


def get(tool: Tool, progress: Progress, *, carried: bool = False) -> Path:
    """Return the path of `tool` from its first source that works; a line says why one before it did not.

    With `carried`, it is for another machine: not the one on PATH, but one in a folder of the cache. Raises
    ImageUnavailable with all reasons and the next command to type.
    """
    lacks: list[str] = []
    for source in find_sources(tool, lacks):
        if carried and source.origin == "PATH":
            continue
        try:
            return source.path(progress)
        except (ImageUnavailable, DeadlineExceeded) as error:
            lacks.append(f"{source.words}: {error}")
            progress.say(f"   {tool.name} {source.words}: {first_line(str(error))}")
    why = "\n".join(f"  {lack}" for lack in lacks)
    raise ImageUnavailable(
        f"{tool.name} is not to be had:\n{why}\ninstall {tool.name} {tool.version} so that "
        f"`{tool.name} {' '.join(tool.arguments)}` works; `{command_line('doctor')}` checks it"
    )


def _on_path(tool: Tool, lacks: list[str]) -> ToolSource | None:
    path = shutil.which(tool.name)
    if path is None:
        lacks.append(f"no {tool.name} on PATH")
        return None
    try:
        answer = run([path, *tool.arguments], Deadline.after(_ASK_SECONDS, f"{path} to tell its version"), check=False)
        output = answer.stdout
    except (ChaosError, OSError) as error:  # another machine's program, or a script without an interpreter
        output = first_line(str(error))
    shown = escape_controls(" ".join(output.split()) or "nothing", most=_SHORT)
    if not tool.fits(output):
        lacks.append(f"{path} says {shown}: expected {tool.least} or newer, below {tool.below}")
        return None
    words = f"on PATH: {path} ({shown})"
    return ToolSource(
        "PATH", words if tool.version in output else f"{words}, tried with {tool.version}", lambda _: Path(path)
    )


def _made_before(tool: Tool, _lacks: list[str]) -> ToolSource | None:
    for artefact in artefacts(tool):
        if artefact.folder.is_dir():
            return _of_artefact("cache", f"{tool.version}, made here before", artefact, tool)
    return None


def _built_by_go(tool: Tool, lacks: list[str]) -> ToolSource | None:
    if lack := golang.missing(golang.GO_SOURCES / "tools", os.environ):
        lacks.append(lack)
        return None
    return _of_artefact("Go", f"{tool.version}, built by your Go", binaries.command(tool.name), tool)


def _released(tool: Tool, lacks: list[str]) -> ToolSource | None:
    artefact = _release(tool)
    if artefact is None:
        lacks.append(f"no sum of {tool.name} {tool.version} for {architecture()} is known")
        return None
    return _of_artefact("release", f"{tool.version}, downloaded from {_url(tool)}", artefact, tool)


def _of_artefact(origin: Origin, words: str, artefact: Artefact, tool: Tool) -> ToolSource:
    return ToolSource(origin, words, lambda progress: artefact.get(progress) / tool.name)


def _url(tool: Tool) -> str:
    return tool.url.format(version=tool.version, architecture=architecture())


def _release(tool: Tool) -> Artefact | None:
    """Return the released program as an artefact; None if no sum is committed for this architecture."""
    checksum = tool.sums.get(architecture())
    if checksum is None:
        return None
    url = _url(tool)

    def make(folder: Path, progress: Progress) -> None:
        file = folder / "download"
        with progress.step(f"download {tool.name} {tool.version}") as step:
            deadline = Deadline.after(_DOWNLOAD_SECONDS, f"the download of {tool.name} {tool.version}")
            Download(url, _MOST_MIB, checksum, tool.redirects).fetch(file, deadline, step)
        if tool.member:
            _extract(file, tool.member.format(architecture=architecture()), folder / tool.name)
            file.unlink()
        else:
            file.rename(folder / tool.name)
        (folder / tool.name).chmod(0o755)

    return Artefact(f"{tool.name}-release", digest(url, checksum), make)


def _extract(archive: Path, member: str, target: Path) -> None:
    """Write the program `member` of an archive whose sum was as expected."""
    with tarfile.open(archive, "r:gz") as opened, target.open("wb") as file:
        program = opened.extractfile(member)
        if program is None:
            raise ImageUnavailable(f"{archive.name}: expected a program {member}, found something else")
        shutil.copyfileobj(program, file)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in version.removeprefix("v").partition("-")[0].split("."))
