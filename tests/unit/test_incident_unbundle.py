"""Unbundle: bundles that climb, are cut, changed or of another schema are refused with one reason."""

import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import BadScenario
from harness.incident.bundle import MANIFEST
from harness.incident.unbundle import opened
from tests.fakes.incidents import bundled


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let temporary directories be made where they can be counted."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def _refused(path: Path) -> str:
    with pytest.raises(BadScenario) as error, opened(path):
        pytest.fail("it was opened")
    assert len(error.value.problems) == 1
    return str(error.value)


def _edit(folder: Path, edit: Callable[[Any], object]) -> Path:
    """Change the manifest of a bundle, and zip it anew."""
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edit(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return folder


def _zip(folder: Path, extra: dict[str, bytes] | None = None, mode: int = 0o100644) -> Path:
    target = folder.with_name("again.zip")
    with zipfile.ZipFile(target, "w") as file:
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
        with opened(path) as (manifest, root):
            assert (root / manifest.incident).read_text(encoding="utf-8").startswith("schema: 1")
    assert list(place.iterdir()) == []


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
    assert "is a link" in _refused(_zip(folder, {"runs/1/link": b"/etc/passwd"}, 0o120777))

    history = folder / "runs/1/history.jsonl"
    history.rename(tmp_path / "elsewhere")
    history.symlink_to(tmp_path / "elsewhere")
    assert "is a link" in _refused(folder)


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
        (0, "no version ever wrote that, so it was changed: live it again by `nox -s repro -- "),
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
    ("edit", "told"),
    [
        (lambda manifest: manifest.pop("seed"), "bundle.json: seed: Field required"),
        (lambda manifest: manifest.update(more=1), "bundle.json: more: Extra inputs"),
        (lambda manifest: manifest.update(runs="none"), "bundle.json: runs"),
        (
            lambda manifest: manifest["files"].update({"a": {"bytes": 2**40, "sha256": ""}}),
            "holds more than 5000 files or 2 GiB",
        ),
    ],
)
def test_bad_manifests(tmp_path: Path, edit: Callable[[Any], object], told: str) -> None:
    """A manifest that lacks something, or promises too much, is refused with the first thing that is wrong."""
    assert told in _refused(_edit(bundled(tmp_path), edit))


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
