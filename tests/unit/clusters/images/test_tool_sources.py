"""Sources of kind and helm: the first that there is, by one rule, on machines made of scripts and a local server."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.images import binaries, golang, sources, tool_sources
from chaos_harness.clusters.images.golang import GO_SOURCES
from chaos_harness.clusters.images.layers import architecture
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.images.tool_sources import TOOLS, Tool, artefacts, find_sources, get
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.file_server import Answer, FileServer

_PROGRAM = b"#!/bin/sh\necho kind v0.33.0\n"


class _Machine:
    """A machine with an empty cache and PATH, and a server of releases; `said` is what was shown."""

    def __init__(self, folder: Path, files: FileServer) -> None:
        self.path = folder / "bin"
        self.path.mkdir()
        self.files = files
        self.stream = io.StringIO()

    def install(self, name: str, output: str) -> None:
        """Put a program on PATH that prints `output`."""
        program = self.path / name
        program.write_text(f"#!/bin/sh\necho '{output}'\n")
        program.chmod(0o755)

    def publish(self, tool: Tool, body: bytes, *, expected: bytes | None = None) -> Tool:
        """Publish `body` as the release of `tool`, whose sum is that of `expected`."""
        checksum = hashlib.sha256(body if expected is None else expected).hexdigest()
        self.files.answers["/release"] = Answer(body)
        return replace(tool, url=f"{self.files.address}/release", sums={architecture(): checksum})

    def get(self, tool: Tool) -> Path:
        """Return the path of `tool`."""
        return get(tool, Progress(self.stream))


def _origins(tool: Tool, lacks: list[str] | None = None) -> list[str]:
    return [source.origin for source in find_sources(tool, [] if lacks is None else lacks)]


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Machine]:
    """Give a machine without Go."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    with FileServer().serve() as files:
        machine = _Machine(tmp_path, files)
        monkeypatch.setenv("PATH", str(machine.path))
        yield machine


@pytest.mark.parametrize(
    ("name", "output", "fits"),
    [
        ("kind", "kind v0.33.0 go1.26.8 linux/amd64", True),
        ("kind", "kind v0.32.0 go1.25 linux/amd64", True),
        ("kind", "kind v0.35.9 go1.27 linux/amd64", True),
        ("kind", "kind v0.31.0 go1.25 linux/amd64", False),
        ("kind", "kind v0.36.0 go1.27 linux/amd64", False),
        ("kind", "kind v0.34.0-alpha+0123 go1.26 linux/amd64", False),
        ("kind", "go1.26.8", False),
        ("helm", "v3.14.0+g3fc9f4b", True),
        ("helm", "v4.2.3+g0123456", True),
        ("helm", "v3.13.3+gc8b9489", False),
        ("helm", "v5.0.0", False),
        ("helm", "v2.17.0", False),
    ],
)
def test_a_range_of_versions_fits(machine: _Machine, name: str, output: str, fits: bool) -> None:
    """What is on PATH is used if it fits, whatever else there is; what does not fit is told with what would."""
    machine.install(name, output)
    lacks: list[str] = []

    assert _origins(TOOLS[name], lacks) == (["PATH", "release"] if fits else ["release"])
    assert any(f"says {output}: expected {TOOLS[name].least} or newer" in lack for lack in lacks) is not fits
    if fits:
        assert machine.get(TOOLS[name]) == machine.path / name


@pytest.mark.parametrize("content", ["#!/nowhere/sh\n", "no program\n"])
def test_a_program_that_does_not_run_is_none(machine: _Machine, content: str) -> None:
    """As one of another architecture: the next source is taken."""
    machine.install("kind", "")
    (machine.path / "kind").write_text(content)
    assert _origins(TOOLS["kind"]) == ["release"]


def test_without_go_the_release_is_downloaded_once(machine: _Machine) -> None:
    """It can be run, and the next time it is there already."""
    tool = machine.publish(TOOLS["kind"], _PROGRAM)
    path = machine.get(tool)

    assert path.read_bytes() == _PROGRAM
    assert os.access(path, os.X_OK)
    assert _origins(tool) == ["cache", "release"]
    assert machine.get(tool) == path
    assert machine.files.asked == ["/release"]


def test_all_that_releases_do_not_have_is_one_error(machine: _Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is pulled: each tool that has no better source, and each version of Gatekeeper."""

    def refuse(version: str, _: Progress) -> Path:
        raise ImageUnavailable(f"Gatekeeper {version} is not to be had")

    machine.install("kind", "kind v0.33.0")
    absent = replace(TOOLS["helm"], url=f"{machine.files.address}/absent")
    monkeypatch.setattr(tool_sources, "TOOLS", {**TOOLS, "helm": absent})
    monkeypatch.setattr(sources, "gatekeeper_source", refuse)
    shapes = [Shape(install="chart"), Shape(gatekeeper="v3.20.1")]
    with pytest.raises(ImageUnavailable) as refused:
        sources.prepare_downloads(shapes, PullRules(), Progress.quiet())

    lines = str(refused.value).splitlines()
    assert lines[0] == "helm is not to be had:"
    assert lines[-2:] == ["Gatekeeper v3.23.1 is not to be had", "Gatekeeper v3.20.1 is not to be had"]
    assert machine.files.asked == ["/absent"]


def test_a_program_is_taken_out_of_its_archive(machine: _Machine) -> None:
    """As helm's, and nothing else of it is kept."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in ((f"linux-{architecture()}/helm", _PROGRAM), ("../../escape", b"x")):
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
    path = machine.get(machine.publish(TOOLS["helm"], packed.getvalue()))

    assert path.read_bytes() == _PROGRAM
    assert [file.name for file in path.parent.iterdir()] == ["helm"]


def test_a_release_with_another_sum_is_not_used(machine: _Machine) -> None:
    """All that was tried is told, and the command that helps; nothing is left in the cache."""
    tool = machine.publish(TOOLS["kind"], b"another program", expected=_PROGRAM)
    with pytest.raises(ImageUnavailable) as refused:
        machine.get(tool)

    lines = str(refused.value).splitlines()
    assert lines[0] == "kind is not to be had:"
    assert lines[1:3] == ["  no kind on PATH", "  no go on PATH"]
    assert "expected sha256 " in lines[3]
    assert lines[-1].startswith("install kind v0.33.0 so that `kind version` works; `")
    assert _origins(tool) == ["release"]


def test_another_machine_gets_what_is_in_the_cache(machine: _Machine) -> None:
    """Whatever is on PATH here: a set that is saved holds a whole folder, which a set that is loaded may hold."""
    machine.install("kind", "kind v0.33.0")
    tool = machine.publish(TOOLS["kind"], _PROGRAM)
    path = get(tool, Progress.quiet(), carried=True)

    assert path.read_bytes() == _PROGRAM
    assert path.parent in [artefact.folder for artefact in artefacts(tool)]
    assert machine.get(tool) == machine.path / "kind"


def test_another_architecture_has_no_release(machine: _Machine) -> None:
    """One line says so, and no file of another machine is downloaded."""
    tool = replace(TOOLS["kind"], sums={"riscv64": "0" * 64})
    with pytest.raises(ImageUnavailable, match=f"no sum of kind v0.33.0 for {architecture()} is known"):
        machine.get(tool)


def test_go_goes_before_the_release_and_the_release_after_go_failed(
    machine: _Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why Go failed is told at once, before the download."""

    def fail(*_: object) -> None:
        raise ImageUnavailable("the modules are not available\nlong story")

    monkeypatch.setattr(golang, "missing", lambda *_: "")
    monkeypatch.setattr(binaries, "command", lambda name: Artefact(name, "1", fail))
    tool = machine.publish(TOOLS["kind"], _PROGRAM)

    assert _origins(tool) == ["Go", "release"]
    assert machine.get(tool).read_bytes() == _PROGRAM
    said = machine.stream.getvalue()
    assert "   kind v0.33.0, built by your Go: the modules are not available\n" in said


@pytest.mark.parametrize(
    ("version", "toolchain", "lack"),
    [
        ("go1.26.8", "local", ""),
        ("go1.27.0", "local", ""),
        ("go1.24.1", "auto", ""),
        ("go1.24.1", "go1.26.8+auto", ""),
        (
            "go1.24.1",
            "local",
            "go1.24.1 on PATH is older than 1.26.8, and GOTOOLCHAIN=local lets it fetch no newer one",
        ),
        ("", "", "go on PATH is older than 1.26.8, and GOTOOLCHAIN= lets it fetch no newer one"),
    ],
)
def test_a_go_that_is_too_old_is_told(machine: _Machine, version: str, toolchain: str, lack: str) -> None:
    """Unless its GOTOOLCHAIN lets it fetch what the modules ask for."""
    machine.install("go", f"{version}\n{toolchain}")
    assert golang.missing(GO_SOURCES / "tools", {}) == lack


def test_both_architectures_have_a_sum() -> None:
    """Sums are 64 digits, and each is of one file only."""
    sums = [checksum for tool in TOOLS.values() for checksum in tool.sums.values()]
    assert {len(checksum) for checksum in sums} == {64}
    assert len(set(sums)) == len(sums)
    assert {tuple(tool.sums) for tool in TOOLS.values()} == {("amd64", "arm64")}
    assert all(tool.fits(tool.version) for tool in TOOLS.values())
