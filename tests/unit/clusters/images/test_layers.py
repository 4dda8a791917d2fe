"""Tests of clusters.images.layers: archives are deterministic and hold what was put in."""

import hashlib
import json
import tarfile
from pathlib import Path

from chaos_harness.clusters.images.layers import ArchiveImage, Layer, write_archive, write_layer


def _layer(folder: Path, name: str = "layer.tar") -> Layer:
    tool = folder / "tool"
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    return write_layer(
        folder / name,
        {"usr/bin/tool": tool, "etc/conf": "text"},
        links={"usr/bin/alias": "tool"},
        folders={"tmp": 0o1777},
        executables=["etc/conf"],
    )


def test_a_layer_holds_files_links_and_folders(tmp_path: Path) -> None:
    """A layer has every file with its mode, every link, and each parent folder once, all owned by root."""
    with tarfile.open(_layer(tmp_path).tar) as tar:
        members = tar.getmembers()
    modes = {member.name: member.mode for member in members}
    assert modes["usr/bin/tool"] == 0o755
    assert modes["etc/conf"] == 0o755
    assert modes["tmp"] == 0o1777
    assert [member.name for member in members].count("usr/bin") == 1
    assert next(member for member in members if member.name == "usr/bin/alias").linkname == "tool"
    assert {(member.uid, member.gid, member.mtime) for member in members} == {(0, 0, 0)}


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    """Layer and archive depend on their content only."""
    first, second = _layer(tmp_path, "a.tar"), _layer(tmp_path, "b.tar")
    assert first.diff_id == second.diff_id
    for layer, name in ((first, "one"), (second, "two")):
        write_archive(tmp_path / name, [ArchiveImage(("x:1",), (layer,))])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_images_that_share_a_layer_carry_it_once(tmp_path: Path) -> None:
    """An archive of two images over one layer has that layer once, and both manifests name it."""
    layer = _layer(tmp_path)
    write_archive(
        tmp_path / "both.tar", [ArchiveImage(("x:1",), (layer,)), ArchiveImage(("y:1", "y:2"), (layer,), {"User": "1"})]
    )
    with tarfile.open(tmp_path / "both.tar") as tar:
        names = tar.getnames()
        manifest = json.loads(_content(tar, "manifest.json"))
        configs = [json.loads(_content(tar, entry["Config"])) for entry in manifest]
    assert len([name for name in names if name.endswith("layer.tar")]) == 1
    assert [entry["RepoTags"] for entry in manifest] == [["x:1"], ["y:1", "y:2"]]
    assert [config["rootfs"]["diff_ids"] for config in configs] == [[layer.diff_id]] * 2
    assert configs[1]["config"] == {"User": "1", "Labels": {"chaos-harness.image": manifest[1]["RepoTags"][0]}}


def test_a_layers_digest_is_that_of_its_file(tmp_path: Path) -> None:
    """The diff id is the SHA-256 of the uncompressed layer."""
    layer = _layer(tmp_path)
    assert layer.diff_id == f"sha256:{hashlib.sha256(layer.tar.read_bytes()).hexdigest()}"


def _content(tar: tarfile.TarFile, name: str) -> bytes:
    member = tar.extractfile(name)
    assert member is not None
    return member.read()
