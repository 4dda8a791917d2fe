"""Live API: where its programs come from, and what is said if there are none; what it does is in tests/api."""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ImageUnavailable
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine
from tests.live_api import binaries
from tests.live_api.binaries import extract, here

_PLACE = "usr/local/bin"
_ID = "sha256:" + "0" * 64


def archive(*members: tuple[str, bytes | str], packed: bool = False) -> bytes:
    """Return a tar file: of a member, its content, or as text what it is a link to."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz" if packed else "w") as tar:
        for name, content in members:
            member = tarfile.TarInfo(name)
            if isinstance(content, str):
                member.type, member.linkname = tarfile.SYMTYPE, content
                tar.addfile(member)
            else:
                member.size = len(content)
                tar.addfile(member, io.BytesIO(content))
    return file.getvalue()


@dataclass(frozen=True)
class ImageEngine(FakeEngine):
    """Copies out of a container what an image has, by its path."""

    image: dict[str, bytes] = field(default_factory=dict)

    def run(
        self, argv: Sequence[str | Path], deadline: Deadline, *, check: bool = True, **settings: Any
    ) -> CommandResult:
        """Answer `docker create` and `docker cp`, and the rest as the fake engine does."""
        words = [str(word) for word in argv]
        if words[0] == "create":
            labels = dict(word.split("=", 1) for before, word in pairwise(words) if before == "--label")
            self.add("container", words[2], labels)
            return CommandResult("", "", 0)
        if words[0] == "cp":
            settings["stdout"].write(self.image[words[1].partition(":")[2]])
            return CommandResult("", "", 0)
        return super().run(argv, deadline, check=check)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("engine", [None, FakeEngine(errors={"image inspect": "Error: No such image"})])
def test_without_a_build_and_an_image_the_command_is_told(
    monkeypatch: pytest.MonkeyPatch, engine: FakeEngine | None
) -> None:
    """It is an error, and no reason to skip a test."""
    monkeypatch.setattr(binaries, "find", lambda: engine)
    with pytest.raises(
        ImageUnavailable, match=r"neither a build in .* nor a node image .*`nox -s images -- --kubernetes"
    ):
        here()


def test_programs_that_were_found_before_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who starts tests beside which no engine may be used says where they are; nobody is asked again."""
    monkeypatch.setenv("CHAOS_TEST_PROGRAMS", "/a/kubernetes:/a/kubernetes:/b/etcd:/a/kubectl")
    programs = here()
    assert (programs.etcd, programs.controllers) == (Path("/b/etcd"), Path("/a/kubernetes"))


def test_programs_come_out_of_a_published_image() -> None:
    """Each lies in a layer of its own among other blobs; the container they are copied from is gone afterwards."""
    layers = [
        archive(("./usr/local/bin/kube-apiserver", b"apiserver"), packed=True),
        archive((f"{_PLACE}/kube-controller-manager", b"controllers"), ("etc/passwd", b""), packed=True),
        archive((f"{_PLACE}/etcd", b"etcd")),
    ]
    blobs = [(f"sha256/{number}", blob) for number, blob in enumerate((b"{}", *layers, b"no layer"))]
    image = {binaries._CONTENT: archive(*blobs), "/usr/bin/kubectl": archive(("kubectl", b"kubectl"))}
    engine = ImageEngine(image=image)
    folder = extract(engine, _ID).get(Progress.quiet())
    contents = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert contents == {
        "kube-apiserver": b"apiserver",
        "kube-controller-manager": b"controllers",
        "etcd": b"etcd",
        "kubectl": b"kubectl",
    }
    assert not any(name.startswith("chaos-harness-programs") for name in engine.names())


def test_programs_come_out_of_an_image_that_was_built_here() -> None:
    """One binary is all of Kubernetes, and the rest are links to it."""
    links = [(f"{_PLACE}/{name}", "kubernetes") for name in ("kube-apiserver", "kube-controller-manager")]
    layers = [archive((f"{_PLACE}/kubernetes", b"all"), *links), archive((f"{_PLACE}/etcd", b"etcd"))]
    image = {
        binaries._CONTENT: archive(*((f"sha256/{number}", layer) for number, layer in enumerate(layers))),
        "/usr/bin/kubectl": archive(("kubectl", "kubernetes")),
    }
    folder = extract(ImageEngine(image=image), _ID).get(Progress.quiet())
    assert {(folder / name).read_bytes() for name in ("kube-apiserver", "kubectl")} == {b"all"}


def test_an_image_without_them_is_refused(cache: Path) -> None:
    """What is missing is named, and nothing is kept of the rest."""
    image = {
        binaries._CONTENT: archive(("sha256/0", archive((f"{_PLACE}/etcd", b"etcd")))),
        "/usr/bin/kubectl": archive(("kubectl", b"kubectl")),
    }
    with pytest.raises(ImageUnavailable, match="expected kube-apiserver, kube-controller-manager in"):
        extract(ImageEngine(image=image), _ID).get(Progress.quiet())
    assert not list((cache / "chaos-harness" / "artefacts").glob("control-plane*"))
