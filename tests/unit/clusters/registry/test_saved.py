"""Tests of clusters.registry.saved: what engines save of an image, in each of their forms, as blobs and a manifest."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.registry.saved import saved_image
from tests.fakes.engine import FakeEngine
from tests.fakes.grammar import Call

LAYER = b"a layer" * 1000
CONFIG = b'{"os": "linux"}'


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass(frozen=True)
class Saving(FakeEngine):
    """An engine that saves its images as one archive."""

    archive: bytes = b""

    def _tell(self, call: Call) -> CommandResult:
        if call.verb != "save":
            return super()._tell(call)
        Path(call.value("--output")).write_bytes(self.archive)
        return CommandResult("", "", 0)


def saving(content: bytes, name: str = "a:1") -> Saving:
    engine = Saving(archive=content)
    engine.add("image", name, {})
    return engine


def archive(
    layers: Sequence[tuple[str, bytes]], *, listed: Sequence[str], links: Sequence[tuple[str, str]] = (), times: int = 1
) -> bytes:
    """Return an archive of `docker save`: blobs, links to blobs, and the list of images."""
    stream = io.BytesIO()
    images = json.dumps([{"Config": "config.json", "RepoTags": ["a:1"], "Layers": list(listed)}] * times).encode()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        for name, content in [*layers, ("config.json", CONFIG), ("manifest.json", images)]:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in links:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return stream.getvalue()


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(LAYER, ".tar"), (gzip.compress(LAYER), ".tar+gzip"), (b"\x28\xb5\x2f\xfd" + LAYER, ".tar+zstd")],
    ids=["as it is", "gzip", "zstd"],
)
def test_a_layer_is_kept_as_it_was_saved(content: bytes, media_type: str) -> None:
    """The engine's store decides whether it is compressed, and the manifest says so."""
    engine = saving(archive([("blobs/sha256/1", content)], listed=["blobs/sha256/1"]))
    saved = saved_image(engine, "a:1", Deadline.after(60, "an image"))
    manifest = json.loads(saved.manifest)
    assert [layer["mediaType"] for layer in manifest["layers"]] == [f"application/vnd.oci.image.layer.v1{media_type}"]
    assert {blob.digest: blob.path.read_bytes() for blob in saved.blobs} == {
        digest(CONFIG): CONFIG,
        digest(content): content,
    }
    assert {blob.size for blob in saved.blobs} == {len(CONFIG), len(content)}


def test_a_layer_that_stands_there_twice_is_one_blob() -> None:
    """Engines before 25 save an equal layer of an image as a link to the first."""
    twice = archive(
        [("x/layer.tar", LAYER)], listed=["x/layer.tar", "y/layer.tar"], links=[("y/layer.tar", "../x/layer.tar")]
    )
    saved = saved_image(saving(twice), "a:1", Deadline.after(60, "an image"))
    assert [layer["digest"] for layer in json.loads(saved.manifest)["layers"]] == [digest(LAYER)] * 2
    assert len(saved.blobs) == 2


def test_an_image_is_saved_once() -> None:
    """The second registry gets it from the cache; an image of another id is another one."""
    engine = saving(archive([("1", LAYER)], listed=["1"]))
    first = saved_image(engine, "a:1", Deadline.after(60, "an image"))
    asked = len(engine.asked)
    assert saved_image(engine, "a:1", Deadline.after(60, "an image")) == first
    assert [words for words in engine.asked[asked:] if words.startswith("save")] == []
    other = saving(archive([("1", b"other")], listed=["1"]), "a:2")
    assert saved_image(other, "a:2", Deadline.after(60, "an image")).manifest != first.manifest


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (archive([], listed=[], times=2), "expected one image in what the engine saved of a:1, found 2"),
        (archive([], listed=[], times=0), "expected one image in what the engine saved of a:1, found 0"),
    ],
)
def test_what_is_no_image_leaves_nothing(broken: bytes, words: str, tmp_path: Path) -> None:
    """An archive of several images or of none is refused, and nothing of it is kept."""
    with pytest.raises(CommandFailed, match=words):
        saved_image(saving(broken), "a:1", Deadline.after(60, "an image"))
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []
