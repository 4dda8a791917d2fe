"""Bundle: everything is in it, no secret is, and a line of JSON stays one."""

import errno
import json
import os
import zipfile
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.incident.bundle.recheck import recheck
from chaos_harness.harness.incident.bundle.write import MANIFEST, Replay, left_out, write
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.redaction import REDACTED
from tests.fakes.incidents import bundled, incident, lived

_SECRET = {"kind": "Secret", "metadata": {"name": "cert"}, "data": {"tls.key": "cGxhbnRlZA=="}}
_PEM = "-----BEGIN PRIVATE KEY-----\nplanted and cut off"


def test_contents(tmp_path: Path) -> None:
    """Incident, history and what names them lie in the directory, and the zip holds the same."""
    folder = bundled(tmp_path)
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))

    assert manifest["schema_version"] == 1
    assert manifest["incident"] == "incident/a.yaml"
    assert manifest["shape"]["gatekeeper"] == "v3.23.1"
    assert manifest["seed"] == 7
    assert manifest["images"] == {"node": "sha256:1"}
    assert {"kernel", "processors", "load"} <= manifest["host"].keys()
    assert manifest["runs"][0]["seen"] == "reproduced"
    assert manifest["runs"][0]["verdicts"][0]["outcome"] == "violated"
    assert set(manifest["files"]) == {"incident/a.yaml", "runs/1/history.jsonl"}
    with zipfile.ZipFile(folder.with_suffix(".zip")) as file:
        assert set(file.namelist()) == {MANIFEST, *manifest["files"]}
    assert not list(tmp_path.glob("*.part"))


def test_files_beside(tmp_path: Path) -> None:
    """A file that the incident refers to comes along, at the same place beside it."""
    (tmp_path / "more").mkdir()
    (tmp_path / "more/b.yaml").write_text("{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n", encoding="utf-8")
    folder = bundled(tmp_path, workload=[{"file": "more/b.yaml"}])

    assert (folder / "incident/more/b.yaml").is_file()


def test_what_nodes_mount(tmp_path: Path) -> None:
    """Text that a node mounts comes along, redacted; what is no text is named instead, and so is a link that leads out.

    Without it the kind configuration of the bundle names files that are not there.
    """
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/agent.yaml").write_text("password: planted0123456789\nquiet: true\n", encoding="utf-8")
    (tmp_path / "shared/agent").write_bytes(b"\x7fELF\xff\xfe")
    (tmp_path / "kind.yaml").write_text(
        "kind: Cluster\napiVersion: kind.x-k8s.io/v1alpha4\n"
        "nodes: [{role: control-plane, extraMounts: [{hostPath: shared, containerPath: /shared}]}]\n",
        encoding="utf-8",
    )
    loaded = incident(tmp_path, shape={"kind": "kind.yaml"})
    assert left_out(loaded) == [tmp_path / "shared/agent"]

    folder = write(
        tmp_path / "bundle", loaded, seed=7, runs=[lived(loaded, tmp_path)], environment={}, images={}
    ).with_suffix("")

    assert "planted" not in (folder / "incident/shared/agent.yaml").read_text(encoding="utf-8")
    assert "quiet: true" in (folder / "incident/shared/agent.yaml").read_text(encoding="utf-8")
    assert not (folder / "incident/shared/agent").exists()
    assert load(folder / "incident/a.yaml", {}).shape.kind is not None


@pytest.mark.parametrize("suffix", ["jsonl", "log", "json", "txt"])
def test_no_secret(tmp_path: Path, suffix: str) -> None:
    """What is planted in any file of a run, and in what the manifest says, is found nowhere in the bundle."""
    loaded = incident(tmp_path)
    run, directory = lived(loaded, tmp_path)
    planted = [
        json.dumps({"index": 1, "value": {"object": _SECRET}}),
        json.dumps({"index": 2, "value": {"said": f"{_PEM}"}}),
        json.dumps({"index": 3, "value": {"token": "planted-token", "said": "Bearer planted0123456789abcdef"}}),
    ]
    (directory / f"more.{suffix}").write_text("\n".join(planted) + "\n", encoding="utf-8")
    broken = Replay(directory="runs/2", seen="broken", seconds=1.0, error="said: Bearer planted0123456789abcdef")
    (tmp_path / "empty").mkdir()
    runs = [(run, directory), (broken, tmp_path / "empty")]
    write(tmp_path / "bundle", loaded, seed=7, runs=runs, environment={}, images={})

    text = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "bundle").rglob("*") if path.is_file())
    assert "planted" not in text
    assert "cGxhbnRlZA" not in text
    assert REDACTED in text


def test_lines_stay_json(tmp_path: Path) -> None:
    """A line from which half was taken as a secret is still JSON, with its other fields; a torn line stays torn."""
    loaded = incident(tmp_path)
    run, directory = lived(loaded, tmp_path)
    lines = [json.dumps({"index": 1, "value": {"said": _PEM, "pod": "a"}}), '{"index": 2, "val']
    (directory / "more.jsonl").write_text("\n".join(lines), encoding="utf-8")
    write(tmp_path / "bundle", loaded, seed=7, runs=[(run, directory)], environment={}, images={})

    first, second = (tmp_path / "bundle/runs/1/more.jsonl").read_text(encoding="utf-8").split("\n")
    assert json.loads(first) == {"index": 1, "value": {"said": REDACTED, "pod": "a"}}
    assert second == '{"index": 2, "val'


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full is one error, which says where the runs still are."""
    loaded = incident(tmp_path)
    runs = [lived(loaded, tmp_path)]

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("chaos_harness.harness.incident.bundle.write._copy", full)
    with pytest.raises(HarnessError, match="cannot be written: No space left on device; what the runs left is beside"):
        write(tmp_path / "bundle", loaded, seed=7, runs=runs, environment={}, images={})
    assert (runs[0][1] / "history.jsonl").is_file()


def test_half_a_character(tmp_path: Path) -> None:
    """Bytes that were no text where an error came from keep nobody from reading the bundle."""
    loaded = incident(tmp_path)
    run, directory = lived(loaded, tmp_path)
    runs = [(run.model_copy(update={"error": "OSError: \udc80"}), directory)]
    bundle = write(tmp_path / "bundle", loaded, seed=7, runs=runs, environment={"engine": "\udc80"}, images={})

    assert recheck(bundle)[0].runs[0].error == "OSError: ?"
