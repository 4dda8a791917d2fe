"""Unbundle: bundles that climb, are cut, changed or of another schema are refused with one reason."""

import contextlib
import errno
import json
import os
import shutil
import struct
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from chaos_harness.clusters.machine.scratch import remove_abandoned
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.bundle.files import open_files
from chaos_harness.harness.incident.bundle.open import open_bundle
from chaos_harness.harness.incident.bundle.write import MANIFEST
from tests.fakes.incidents import bundled

_EMPTY = {"bytes": 0, "sha256": ""}


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary directories be made where they can be counted."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def _refused(path: Path) -> str:
    with pytest.raises(BadScenario) as error, open_bundle(path):
        pytest.fail("it was opened")
    assert len(error.value.problems) == 1
    return str(error.value)


def _edit(folder: Path, edit: Callable[[Any], object]) -> Path:
    """Change the manifest of a bundle, and zip it anew."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _zip(
    folder: Path, extra: dict[str, bytes] | None = None, mode: int = 0o100644, method: int = zipfile.ZIP_STORED
) -> Path:
    target = folder.with_name("again.zip")
    with zipfile.ZipFile(target, "w", method) as file:
        for path in folder.rglob("*"):
            if path.is_file():
                file.write(path, path.relative_to(folder).as_posix())
        for name, data in (extra or {}).items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            file.writestr(info, data)
    return target


def test_whole(tmp_path: Path, place: Path) -> None:
    """A whole bundle opens as directory and as zip; what was unpacked is gone afterwards."""
    folder = bundled(tmp_path)

    for path in (folder, folder.with_suffix(".zip")):
        with open_bundle(path) as (manifest, root):
            assert (root / manifest.incident).read_text(encoding="utf-8").startswith("schema: 1")
    assert list(place.iterdir()) == []


def test_what_a_killed_reader_unpacked_goes_with_gc(
    tmp_path: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to two gigabytes lay in the directory for temporary files for ever; a live reader's stays."""
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    folder = bundled(tmp_path)
    killed = os.fork()
    if not killed:
        with open_bundle(folder):
            os._exit(9)
    os.waitpid(killed, 0)
    (leftover,) = place.iterdir()
    with open_bundle(folder) as (_, root):
        assert remove_abandoned() == [f"folder {leftover}"]
        assert list(place.iterdir()) == [root]


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "runs/../../evil", "a\\..\\b", "C:evil"])
def test_climbing(tmp_path: Path, place: Path, name: str) -> None:
    """A path that leads elsewhere, in the zip or in the manifest, is refused before anything is unpacked."""
    folder = bundled(tmp_path)

    assert "leads elsewhere" in _refused(_zip(folder, {name: b"x"}))
    _edit(folder, lambda manifest: manifest["files"].update({name: {"bytes": 1, "sha256": ""}}))
    assert "leads elsewhere" in _refused(folder)
    assert "leads elsewhere" in _refused(_zip(folder))
    assert list(place.iterdir()) == []
    assert not list(tmp_path.rglob("evil"))


def test_links(tmp_path: Path) -> None:
    """A link is refused, in a zip and in a directory, wherever it leads."""
    folder = bundled(tmp_path)
    assert "neither symbolic links nor" in _refused(_zip(folder, {"runs/1/link": b"/etc/passwd"}, 0o120777))

    history = folder / "runs/1/history.jsonl"
    history.rename(tmp_path / "elsewhere")
    history.symlink_to(tmp_path / "elsewhere")
    assert "neither symbolic links nor" in _refused(folder)


def test_half(tmp_path: Path, place: Path) -> None:
    """A zip or a file that is cut in half, and one that is missing or changed, is refused and named."""
    folder = bundled(tmp_path)
    whole = folder.with_suffix(".zip").read_bytes()
    half = tmp_path / "half.zip"
    half.write_bytes(whole[: len(whole) // 2])
    assert "cut in half" in _refused(half)

    history = folder / "runs/1/history.jsonl"
    text = history.read_text(encoding="utf-8")
    history.write_text(text[:-40], encoding="utf-8")
    assert f"history.jsonl should have {len(text)} bytes and has {len(text) - 40}: it is cut in half" in _refused(
        folder
    )
    history.write_text(text.replace("GET", "PUT"), encoding="utf-8")
    assert "history.jsonl is not what it was" in _refused(_zip(folder))
    history.unlink()
    assert "lacks runs/1/history.jsonl" in _refused(_zip(folder))
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("zipped", [False, True], ids=["directory", "zip"])
@pytest.mark.parametrize(
    ("schema", "remedy"),
    [
        (2, "newer than this harness: `git pull`, then `nox -s recheck -- "),
        (0, "no version ever wrote that, so it was changed: replay it by `nox -s repro -- "),
        ("1", "no version ever wrote that"),
        (None, "no version ever wrote that"),
    ],
)
def test_other_schemas(tmp_path: Path, schema: object, remedy: str, *, zipped: bool) -> None:
    """A bundle of a schema that is not the first and only one is refused with both versions, and what to type."""
    folder = _edit(bundled(tmp_path), lambda manifest: manifest.update(schema_version=schema))
    refused = _refused(_zip(folder) if zipped else folder)

    assert f"has schema {schema!r}, written by chaos-harness 0.1.0; this is 0.1.0, which reads schema 1; " in refused
    assert remedy in refused


@pytest.mark.parametrize(
    ("edit", "problem"),
    [
        (lambda manifest: manifest.pop("seed"), "bundle.json: seed: Field required"),
        (lambda manifest: manifest.update(more=1), "bundle.json: more: Extra inputs"),
        (lambda manifest: manifest.update(runs="none"), "bundle.json: runs"),
        (
            lambda manifest: manifest["files"].update({"a": {"bytes": 2**40, "sha256": ""}}),
            "holds more than 5000 files or 2 GiB",
        ),
        (
            lambda manifest: manifest["files"].update(
                {"a": {"bytes": 2**43, "sha256": ""}, "b": {"bytes": -(2**43), "sha256": ""}}
            ),
            "bundle.json: files.b.bytes: Input should be greater than or equal to 0",
        ),
        (lambda manifest: manifest.update({"\x1b]0;x\x07" * 99: 1}), r"bundle.json: \x1b]0;x\x07"),
        (lambda manifest: manifest["files"].update({"a/../../b": _EMPTY}), "leads elsewhere"),
        (lambda manifest: manifest["files"].update({"./a": _EMPTY}), "names './a', which no bundle has"),
        (lambda manifest: manifest["files"].update({"a\x1b[2J": _EMPTY}), r"names 'a\x1b[2J', which no bundle has"),
        (lambda manifest: manifest["files"].update({"bundle.json": _EMPTY}), "names 'bundle.json', which"),
        (lambda manifest: manifest.update(incident="runs/1/b.yaml"), "lacks runs/1/b.yaml"),
        (lambda manifest: manifest.update(runs=manifest["runs"] * 2), "two runs in it have the same directory"),
        (
            lambda manifest: manifest.update(runs=manifest["runs"] * 1001),
            "bundle.json: runs: Tuple should have at most",
        ),
        (lambda manifest: manifest.update(schema_version="x" * 2_000_000), "has schema 'xxx"),
        (lambda manifest: manifest.update(schema_version=[[]], harness=[[]]), "has schema a list, written by"),
        (lambda manifest: manifest.update(schema_version=True), "has schema True"),
        (lambda manifest: manifest.update(schema_version=2, harness="\x1b[2J"), r"by chaos-harness \x1b[2J; this"),
    ],
)
def test_bad_manifests(tmp_path: Path, edit: Callable[[Any], object], problem: str) -> None:
    """A manifest that lacks something, or promises too much, is refused with the first thing that is wrong."""
    refused = _refused(_edit(bundled(tmp_path), edit))
    assert problem in refused
    assert refused.isprintable()
    assert len(refused) < 1000


@pytest.mark.parametrize("text", ["[" * 100_000, '{"schema_version": ' + "9" * 5000 + "}", "\xff", '{"a":' * 100_000])
def test_a_manifest_that_is_no_json(tmp_path: Path, text: str) -> None:
    """What nests too deep, or counts too far, is answered like what is cut in half."""
    folder = bundled(tmp_path)
    (folder / MANIFEST).write_text(text, encoding="latin-1")

    assert "bundle.json is not one, or cut in half" in _refused(folder)
    assert "bundle.json is not one, or cut in half" in _refused(_zip(folder))


@pytest.mark.parametrize("zipped", [False, True], ids=["directory", "zip"])
def test_only_what_is_named_is_there(tmp_path: Path, zipped: bool) -> None:
    """A history that the manifest does not name, beside all that it names, is not there when the bundle is opened."""
    folder = bundled(tmp_path)
    (folder / "runs/2").mkdir()
    (folder / "runs/2/history.jsonl").write_text("{}\n")
    (folder / "link").symlink_to("/etc/passwd")

    with open_bundle(_zip(folder) if zipped else folder) as (manifest, root):
        there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() or path.is_symlink()}
        assert there == set(manifest.files)


def test_a_link_on_the_way(tmp_path: Path) -> None:
    """A directory that is a link is no way to a file of a bundle, and neither is a FIFO one."""
    folder = bundled(tmp_path)
    (folder / "runs").rename(tmp_path / "elsewhere")
    (folder / "runs").symlink_to(tmp_path / "elsewhere")
    assert "runs/1/history.jsonl: expected a file: neither symbolic links nor" in _refused(folder)

    (folder / "runs").unlink()
    (folder / "runs/1").mkdir(parents=True)
    os.mkfifo(folder / "runs/1/history.jsonl")
    assert "runs/1/history.jsonl: expected a file: neither symbolic links nor" in _refused(folder)


@pytest.mark.parametrize("zipped", [False, True], ids=["directory", "zip"])
def test_no_more_is_read_than_is_wanted(tmp_path: Path, zipped: bool) -> None:
    """However long a file is, and whatever it says of itself, no byte is read beyond what is asked for."""
    folder = bundled(tmp_path)
    (folder / "large").write_bytes(b"x" * 5_000_000)
    with open_files(_zip(folder, method=zipfile.ZIP_DEFLATED) if zipped else folder) as source:
        assert source.size("large") == 5_000_000
        assert sum(map(len, source.pieces("large", 3_000_001))) == 3_000_001


def test_a_flipped_bit(tmp_path: Path) -> None:
    """Whichever bit of a zip is another one, it is refused with one line, or all that it should have is there."""
    whole = bundled(tmp_path).with_suffix(".zip").read_bytes()
    path = tmp_path / "flipped.zip"
    kept = 0
    for position in range(0, len(whole), max(1, len(whole) // 150)):
        broken = bytearray(whole)
        broken[position] ^= 1 << position % 8
        path.write_bytes(broken)
        with contextlib.suppress(BadScenario), open_bundle(path):
            kept += 1
    assert kept < 50


def test_packed_by_other_methods(tmp_path: Path) -> None:
    """Of LZMA and bzip2 nobody knows how large the next piece becomes: they are refused."""
    folder = bundled(tmp_path)
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert f"packed by method {method}; zip it by deflate" in _refused(_zip(folder, method=method))


def test_a_zip_with_a_huge_list(tmp_path: Path) -> None:
    """A list of members that is larger than any bundle's is not read into memory; nor is the list of huge zips."""
    path = tmp_path / "many.zip"
    path.write_bytes(b"x" * 100 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 60_000, 60_000, 5_000_000, 0, 0))
    assert "it has more files than any bundle" in _refused(path)
    path.write_bytes(b"x" * 100 + b"PK\6\7" + b"\0" * 16 + b"PK\5\6" + b"\0" * 18)
    assert "it has more files than any bundle" in _refused(path)


def test_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle that does not fit is refused before it is unpacked, with what to set; so is a read-only directory."""
    folder = bundled(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10))
    assert "needs 1 MiB in " in (refused := _refused(folder))
    assert "set TMPDIR to a larger disk" in refused

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    with pytest.raises(HarnessError, match="set TMPDIR to one that you may write to"), open_bundle(folder):
        pytest.fail("it was opened")


def test_a_disk_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is no fault of the bundle."""
    folder = bundled(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(HarnessError, match="cannot be written: No space left") as error, open_bundle(folder):
        pytest.fail("it was opened")
    assert not isinstance(error.value, BadScenario)


def test_a_bomb(tmp_path: Path) -> None:
    """Of a member that is larger than the manifest says, no more is unpacked than it says."""
    folder = bundled(tmp_path)
    (folder / "runs/1/history.jsonl").write_bytes(b"x" * 10_000_000)

    assert "should have" in _refused(_zip(folder))


def test_no_bundle(tmp_path: Path) -> None:
    """A directory or file that is none is told apart from one that is broken."""
    (tmp_path / "some").mkdir()
    assert "is no bundle: it has no bundle.json" in _refused(tmp_path / "some")
    (tmp_path / "some/bundle.json").write_text("{")
    assert "cut in half" in _refused(tmp_path / "some")
    assert "no such bundle" in _refused(tmp_path / "nowhere")
    (tmp_path / "text").write_text("hello")
    assert "is no zip" in _refused(tmp_path / "text")
