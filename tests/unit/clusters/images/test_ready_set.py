"""Ready set: of a file from another machine only what its index names is read, and only what is used is kept."""

import bz2
import gzip
import json
import lzma
import os
import shutil
import tarfile
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.errors import BadScenario, HarnessError, ImageUnavailable
from chaos_harness.clusters.images import Images, binaries, export
from chaos_harness.clusters.images.ready_set import read_index, unpack
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.images.tool_sources import TOOLS, artefacts
from chaos_harness.clusters.machine.paths import cache_dir
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import __main__ as command
from tests.fakes.engine import FakeEngine
from tests.fakes.ready_sets import IMAGE, archive, images, index, ready_set

_KNOWN = binaries.gatekeeper_source(known_versions.DEFAULT_GATEKEEPER).folder.name
_FILE = f"artefacts/{_KNOWN}/deploy/gatekeeper.yaml"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "set.tar"


def _kept() -> list[str]:
    return sorted(artefact.name for artefact in cache_dir("artefacts").iterdir())


def _refused(path: Path, why: type[HarnessError] = BadScenario) -> str:
    """Return why a set is refused, with nothing of it kept."""
    engine = FakeEngine()
    with pytest.raises(why) as error:
        export.load(engine, path, Progress.quiet())
    assert engine.asked == []
    assert _kept() == []
    assert list(cache_dir("scratch").iterdir()) == []
    assert str(error.value).isprintable() or len(getattr(error.value, "problems", ())) > 1
    return str(error.value)


def test_what_is_saved_is_loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set that was written here is read here: images into the engine, folders, with their modes, into the cache."""

    def made(name: str) -> Artefact:
        def make(folder: Path, _progress: Progress) -> None:
            (folder / "bin").mkdir()
            (folder / "bin/tool").write_text(name)
            (folder / "bin/tool").chmod(0o755)

        return Artefact(name, "0123456789ab", make)

    class Saving(FakeEngine):
        def run(self, argv: Any, deadline: Any, **options: Any) -> Any:
            if argv[0] == "save":
                options["stdout"].write(images(IMAGE))
                return None
            self.asked.append(" ".join(map(str, argv[:2])))
            return None

    shape = Shape()
    names = ("kind", "source")
    monkeypatch.setattr(export, "_folders", lambda *_: [made(name).get(Progress.quiet()) for name in names])
    monkeypatch.setattr(export, "_known", lambda: {made(name).folder.name for name in names})
    monkeypatch.setattr(export, "ensure", lambda *_: Images("", None, None, None, origin={IMAGE: "built"}))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 40))
    assert export.save(Saving(), path, [shape], Progress.quiet()) == [IMAGE]

    shutil.rmtree(cache_dir("artefacts"))
    engine = Saving()
    assert export.load(engine, path, Progress.quiet()) == [IMAGE]
    assert engine.asked == ["load --quiet"]
    assert _kept() == ["kind-0123456789ab", "source-0123456789ab"]
    tool = cache_dir("artefacts") / "kind-0123456789ab/bin/tool"
    assert (tool.read_text(), tool.stat().st_mode & 0o777) == ("kind", 0o755)


def test_only_what_this_version_uses_is_kept(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that no shape is made from is left out, whatever the index says, and that is told."""
    ready_set(path, {_FILE: b"a", "artefacts/tools-evil/kind": b"b"})
    engine = FakeEngine()

    assert export.load(engine, path, Progress.terminal()) == [IMAGE]
    assert _kept() == [_KNOWN]
    assert "left out: tools-evil, which this version does not use" in capsys.readouterr().err


def test_tools_of_every_source_are_kept(path: Path) -> None:
    """Whether they were built with the images, alone, or downloaded where the set was saved."""
    folders = [artefact.folder.name for tool in TOOLS.values() for artefact in artefacts(tool)]
    ready_set(path, {f"artefacts/{name}/program": b"a" for name in folders})

    export.load(FakeEngine(), path, Progress.quiet())
    assert _kept() == sorted(set(folders))
    assert any("-release-" in name for name in folders)


def test_a_gatekeeper_that_nobody_tried_is_carried_too(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the very name by which it is looked for; whoever uses it compares it with what was seen first."""
    new = binaries.gatekeeper_source("v3.99.0").folder.name
    others = (new.replace("v3.99.0", "v3.15.0"), f"{new}0")
    ready_set(path, {f"artefacts/{name}/deploy/gatekeeper.yaml": b"a" for name in (new, *others)})

    export.load(FakeEngine(), path, Progress.terminal())
    assert _kept() == [new]
    assert capsys.readouterr().err.count("left out: ") == len(others)


def test_what_the_index_does_not_name(path: Path) -> None:
    """A file beside those of the index, or one of them twice, is refused with the whole set; so is a lack."""
    held = {"images.tar": images(), _FILE: b"a"}
    for more in ("artefacts/evil/kind", "images.tar", "../../escaped", "/etc/passwd\x1b[2J"):
        path.write_bytes(archive(("index.json", index(held)), *held.items(), (more, images())))
        assert "which its index must name exactly once" in _refused(path)
    path.write_bytes(archive(("index.json", index(held)), ("images.tar", images())))
    assert f"lacks {_FILE}: write it again with `nox -s images -- --save set.tar`" in _refused(path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE])
def test_what_is_no_file(path: Path, kind: bytes) -> None:
    """A link, a pipe, a device or a directory in the place of a file is refused."""
    info = tarfile.TarInfo(_FILE)
    info.type, info.linkname = kind, "/etc/passwd"
    held = {"images.tar": images(), _FILE: b""}
    path.write_bytes(archive(("index.json", index(held)), ("images.tar", images()), (info, b"")))

    assert f"{_FILE} is missing or its checksum does not match" in _refused(path)


def test_what_was_changed(path: Path) -> None:
    """A file of another size or sum, and a set that is cut off anywhere, is refused."""
    held = {"images.tar": images(), _FILE: b"abc"}
    for other in (b"abcd", b"abd", b""):
        path.write_bytes(archive(("index.json", index(held)), ("images.tar", images()), (_FILE, other)))
        assert f"{_FILE} is missing or its checksum does not match" in _refused(path)

    whole = ready_set(path, {_FILE: b"abc"}).read_bytes()
    end = len(whole.rstrip(b"\0"))
    for cut in range(0, end, 701):
        path.write_bytes(whole[:cut])
        _refused(path)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"format": 1}, "has format 1, this version reads 2"),
        ({"format": "\x1b[2J"}, r"has format \x1b[2J, this version reads 2"),
        ({"format": True}, "has format True"),
        ({"format": [[]]}, "has format list"),
        ({"images": "x"}, "index.json: images: Input should be a valid array"),
        ({"images": ["alpine:latest"]}, "index.json: images.0: String should match pattern"),
        ({"images": ["chaos-harness/a:b\n"]}, "index.json: images.0: String should match pattern"),
        ({"files": []}, "index.json: files: Input should be an object"),
        ({"files": {"images.tar": {"bytes": -1, "sha256": "0" * 64}}}, "files.images.tar.bytes"),
        ({"files": {"images.tar": {"bytes": 1, "sha256": "0"}}}, "files.images.tar.sha256"),
        ({"files": {}}, "lacks images.tar"),
        ({"more\x1b[2J": 1}, r"index.json: more\x1b[2J: Extra inputs"),
        *(
            ({"files": {name: {"bytes": 1, "sha256": "0" * 64}}}, "which is no file of a ready set")
            for name in (
                *("../a", "/etc/passwd", "artefacts/a", "artefacts/../../a/b", "artefacts/./a/b", "artefacts//a/b"),
                *("index.json", "other/a/b", "artefacts/a/\x1b[2J", "", "."),
            )
        ),
    ],
)
def test_bad_indexes(path: Path, changes: Mapping[str, Any], problem: str) -> None:
    """An index that says what no index says is refused with the first thing that is wrong."""
    ready_set(path, **changes)

    assert problem in (refused := _refused(path))
    assert "write it again with `nox -s images -- --save set.tar` on the machine it came from" in refused
    assert len(refused) < 600


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[" * 100_000, b'{"format": ' + b"9" * 5000 + b"}", b"\xff", b"[]", b"{}"]
)
def test_an_index_that_is_none(path: Path, text: bytes) -> None:
    """What is no JSON, nests too deep or counts too far is no index."""
    path.write_bytes(archive(("index.json", text)))
    assert "is not a whole ready set (index.json: " in _refused(path)


def test_no_ready_set(path: Path) -> None:
    """A typo, a directory, another archive and an empty file are told apart from a set that is broken."""
    assert "no ready set can be read: No such file" in _refused(path)
    assert "no ready set can be read: Is a directory" in _refused(path.parent)
    path.write_bytes(b"")
    assert "is not a whole ready set" in _refused(path)
    path.write_bytes(archive(("images.tar", b"x")))
    assert "it does not begin with index.json" in _refused(path)
    for name, packed in (("xz", lzma.compress), ("gzip", gzip.compress), ("bzip2", bz2.compress)):
        path.write_bytes(packed(b"\0" * 1_000_000))
        assert f"is packed by {name}: decompress it first" in _refused(path)


@pytest.mark.parametrize(
    "content",
    [
        images("alpine:latest"),
        images(IMAGE, "docker.io/library/alpine:latest"),
        images(index={"manifests": [{"annotations": {"io.containerd.image.name": "docker.io/library/alpine:3"}}]}),
        images(index={"manifests": [{"annotations": {"org.opencontainers.image.ref.name": "quay.io/a/b:c"}}]}),
        archive(("manifest.json", b'[{"RepoTags": null}]'), ("repositories", b'{"alpine": {"latest": "0"}}')),
        archive(("./manifest.json", b'[{"RepoTags": ["alpine:latest"]}]')),
    ],
)
def test_names_of_images(path: Path, content: bytes) -> None:
    """An archive that gives an image a name which the index does not have would take it from the user's own image."""
    ready_set(path, {"images.tar": content})
    assert "contains images that its index does not name: " in (refused := _refused(path))
    assert "alpine:" in refused or "quay.io/a/b:c" in refused


def test_names_of_images_as_engines_write_them(path: Path) -> None:
    """The same name with docker.io in front of it, and a tag alone, are no other names."""
    names = {"io.containerd.image.name": f"docker.io/{IMAGE}", "org.opencontainers.image.ref.name": "0123456789ab"}
    ready_set(path, {"images.tar": images(index={"manifests": [{"annotations": names}, {}]})})
    assert export.load(FakeEngine(), path, Progress.quiet()) == [IMAGE]


@pytest.mark.parametrize(
    "content", [b"", b"x" * 5000, archive(), archive(("manifest.json", b"[" * 9999)), images(x=1)[:9]]
)
def test_images_that_are_none(path: Path, content: bytes) -> None:
    """What is no archive of images never reaches the engine."""
    ready_set(path, {"images.tar": content})
    _refused(path)


def test_headers_that_fill_the_memory(path: Path) -> None:
    """Neither a header that says it is long, nor a chain of headers, nor digits without an end cost memory or time."""
    begin = archive(("index.json", index({"images.tar": images()})))[: 512 * 3]
    large = tarfile.TarInfo("x")
    large.type, large.size = tarfile.XHDTYPE, 500_000_000
    chain = tarfile.TarInfo("x")
    chain.type, chain.size = tarfile.XGLTYPE, 512
    one = chain.tobuf() + b"12 a=bcdefg\n" + b"\0" * 500
    digits = tarfile.TarInfo("x")
    digits.type, digits.size = tarfile.XHDTYPE, 7 * 1024
    for header in (large.tobuf() + b"x" * 5_000_000, one * 5000, digits.tobuf() + b"1" * 7 * 1024, b"\x80" * 512):
        path.write_bytes(begin + header)
        began = time.process_time()
        tracemalloc.start()
        try:
            _refused(path)
            assert tracemalloc.get_traced_memory()[1] < 3_000_000
        finally:
            tracemalloc.stop()
        assert time.process_time() - began < 5


def test_a_sparse_file_is_none(path: Path, tmp_path: Path) -> None:
    """A file of holes that says it is as large as a disk is refused by its kind."""
    info = tarfile.TarInfo(_FILE)
    info.type = tarfile.GNUTYPE_SPARSE
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"77777777777\0"
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header):06o}\0 ".encode()
    held = {"images.tar": images(), _FILE: b""}
    begin = archive(("index.json", index(held)))
    begin = begin[: 512 + (len(index(held)) + 511) // 512 * 512]
    path.write_bytes(begin + bytes(header) + b"\0" * 1024)
    assert "checksum does not match" in _refused(path)


def test_no_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set whose index says more than the disk has is refused before anything is written."""
    ready_set(path, files={"images.tar": {"bytes": 1 << 50, "sha256": "0" * 64}})
    assert "needs 2097152.0 GiB" in _refused(path, ImageUnavailable)
    monkeypatch.setattr(Path, "chmod", lambda *_: (_ for _ in ()).throw(OSError(28, os.strerror(28))))
    with pytest.raises(HarnessError, match=r"images\.tar: cannot be written: No space left on device; see `df "):
        export.load(FakeEngine(), ready_set(path), Progress.quiet())


def test_a_typo_starts_no_engine(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`images --load` says that there is no such file before it looks for an engine."""
    monkeypatch.setattr("chaos_harness.clusters.engine.connect", lambda **_: pytest.fail("it was looked for"))

    assert command.main(["images", "--load", str(path)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {path}: no ready set can be read: No such file")


@pytest.mark.parametrize("place", [".", "/", "nowhere/set.tar", "file/set.tar"])
def test_a_place_that_no_file_can_have(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """`images --save` refuses a directory, and one that is not there, before images are made."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(export, "ensure", lambda *_: pytest.fail("images were made"))
    with pytest.raises(BadScenario, match="give --save a file's name in a directory of yours"):
        export.save(FakeEngine(), Path(place), [Shape()], Progress.quiet())


def test_the_index_alone(path: Path) -> None:
    """What a set says of itself can be read without unpacking it."""
    ready_set(path, {_FILE: b"abc"})
    set_index = read_index(path)
    assert (set_index.images, set_index.files[_FILE].bytes) == ([IMAGE], 3)
    assert set_index == unpack(path, path.with_name("out"))
    assert json.loads(set_index.model_dump_json())["format"] == 2
