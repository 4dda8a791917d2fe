"""Gatekeeper's manifest and chart: any version, from its module or its host, and never another content than before."""

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.errors import BadScenario, ImageUnavailable
from chaos_harness.clusters.images import first_seen, gatekeeper_release
from chaos_harness.clusters.images import sums as sums_module
from chaos_harness.clusters.images.gatekeeper_release import fetch, sums, verify
from chaos_harness.clusters.images.lock_file import CHART, MANIFEST, read_lock
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.sums import write
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.file_server import Answer, FileServer

_NEW = "v3.99.0"
_FILES = {
    "deploy/gatekeeper.yaml": b"kind: Namespace\n",
    "charts/gatekeeper/Chart.yaml": b"name: gatekeeper\n",
    "charts/gatekeeper/templates/a.yaml": b"kind: A\n",
    "charts/gatekeeper/.helmignore": b"",
}
_QUIET = Progress.quiet()


def _archive(files: Mapping[str, bytes], *links: str) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(f"gatekeeper-3.99.0/{name}")
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body))
        for name in links:
            member = tarfile.TarInfo(f"gatekeeper-3.99.0/{name}")
            member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
            archive.addfile(member)
    return packed.getvalue()


def _write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, body in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(body)
    return folder


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """Serve sources of Gatekeeper to a machine without Go."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("PATH", "")
    with FileServer().serve() as server:
        monkeypatch.setattr(gatekeeper_release, "_SOURCE", f"{server.address}/{{version}}.tar.gz")
        yield server


def _fetch(folder: Path) -> Path:
    folder.mkdir()
    fetch(_NEW, folder, _QUIET)
    return folder


def test_without_go_the_release_has_the_sums_of_the_module(files: FileServer, tmp_path: Path) -> None:
    """Whatever else lies in the archive, and in whatever order; links and names that lead elsewhere are left out."""
    more = {"README.md": b"x", "charts/gatekeeper/../../../escape": b"x", **dict(reversed(_FILES.items()))}
    files.answers[f"/{_NEW}.tar.gz"] = Answer(_archive(more, "charts/gatekeeper/link"))
    fetched, there = _fetch(tmp_path / "a"), _write(tmp_path / "module", _FILES)

    assert sums(_NEW, fetched) == sums(_NEW, there)
    assert {str(path.relative_to(fetched)) for path in fetched.rglob("*") if path.is_file()} == set(_FILES)
    assert not (tmp_path / "escape").exists()


@pytest.mark.parametrize(
    "changed",
    [
        {**_FILES, "deploy/gatekeeper.yaml": b"kind: Other\n"},
        {**_FILES, "charts/gatekeeper/templates/a.yaml": b"kind: B\n"},
        {**_FILES, "charts/gatekeeper/templates/b.yaml": b""},
        {name.replace("a.yaml", "c.yaml"): body for name, body in _FILES.items()},
    ],
    ids=["manifest", "chart", "one more", "renamed"],
)
def test_any_change_is_another_sum(tmp_path: Path, changed: Mapping[str, bytes]) -> None:
    """Of content, names and number of files."""
    first, second = _write(tmp_path / "a", _FILES), _write(tmp_path / "b", changed)
    assert sums(_NEW, first) != sums(_NEW, second)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer(b"no such version", 404), "the server answers 404 Not Found"),
        (Answer(_archive(_FILES)[:-20]), "expected an archive with manifest and chart"),
        (Answer(b"<html>"), "expected an archive with manifest and chart"),
        (Answer(_archive({"deploy/gatekeeper.yaml": b"a"})), "no deploy/gatekeeper.yaml or no charts/gatekeeper"),
        (Answer(status=302, location="https://elsewhere.invalid/x"), "on a host that its project does not use"),
    ],
    ids=["404", "cut off", "a page", "no chart", "another host"],
)
def test_a_version_that_cannot_be_had_is_one_error(
    files: FileServer, tmp_path: Path, answer: Answer, problem: str
) -> None:
    """With the reasons of both sources and the next command to type."""
    files.answers[f"/{_NEW}.tar.gz"] = answer
    with pytest.raises(ImageUnavailable) as refused:
        _fetch(tmp_path / "a")

    lines = str(refused.value).splitlines()
    assert lines[0] == f"manifest and chart of Gatekeeper {_NEW} are not to be had:"
    assert lines[1] == "  no go on PATH"
    assert problem in lines[2]
    assert f"--gatekeeper {known_versions.DEFAULT_GATEKEEPER}` takes one that was tried" in lines[3]


def test_a_version_that_nobody_tried_is_recorded_and_told(files: FileServer, tmp_path: Path) -> None:
    """The next time it is compared, and without a word if it is the same; another content is refused."""
    folder, stream = _write(tmp_path / "a", _FILES), io.StringIO()
    verify(_NEW, folder, PullRules(), Progress(stream))

    assert first_seen.read() == sums(_NEW, folder)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith(f"   nobody tried Gatekeeper {_NEW} here; tried are v3.17.1, ")
    assert lines[1].startswith(f"   {MANIFEST}{_NEW} was in no lock: from now on it is sha256:")
    again = io.StringIO()
    verify(_NEW, folder, PullRules(), Progress(again))
    assert again.getvalue().count("\n") == 1
    (folder / "deploy/gatekeeper.yaml").write_text("kind: Other\n")
    with pytest.raises(ImageUnavailable, match=f"{MANIFEST}{_NEW}: expected sha256:.* as when it was seen first"):
        verify(_NEW, folder, PullRules(), _QUIET)


def test_a_locked_run_refuses_what_is_not_in_the_lock(files: FileServer, tmp_path: Path) -> None:
    """Also if it was seen before; what is in the lock passes, and nothing is recorded of it."""
    folder = _write(tmp_path / "a", _FILES)
    verify(_NEW, folder, PullRules(sums(_NEW, folder), only_locked=True), _QUIET)
    assert first_seen.read() == {}
    verify(_NEW, folder, PullRules(), _QUIET)
    with pytest.raises(ImageUnavailable, match=f"{MANIFEST}{_NEW} and {CHART}{_NEW}: not in the lock, and --locked"):
        verify(_NEW, folder, PullRules(only_locked=True), _QUIET)


def test_a_lock_that_names_another_sum_is_right(files: FileServer, tmp_path: Path) -> None:
    """The content is refused, with the command that fetches it again."""
    folder = _write(tmp_path / "a", _FILES)
    lock = {**sums(_NEW, folder), f"{CHART}{_NEW}": f"sha256:{'0' * 64}"}
    with pytest.raises(
        ImageUnavailable, match=rf"{CHART}{_NEW}: expected sha256:0+ by the lock, found .*rm -rf {folder}"
    ):
        verify(_NEW, folder, PullRules(lock), _QUIET)


def test_the_lock_gets_the_sums_of_the_modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each version that was tried, and of no other any more; all else in the lock stays."""
    module, lock = _write(tmp_path / "module", _FILES), tmp_path / "lock.yaml"
    facts = json.dumps({"Sum": "h1:a", "GoModSum": "h1:b", "Dir": str(module)})
    image = {"node/v1": f"docker.io/kindest/node@sha256:{'1' * 64}"}
    lock.write_text(f"# words\n{json.dumps(image | {f'{CHART}v3.1.0': 'sha256:' + '0' * 64})}\n")
    monkeypatch.setattr(known_versions, "GATEKEEPER", (_NEW,))
    monkeypatch.setattr(sums_module, "checksum_database", lambda *_: {})
    monkeypatch.setattr(sums_module, "run", lambda *_, **__: CommandResult(facts, "", 0))

    write(tmp_path / "modules.sum", lock)
    assert read_lock(lock) == image | sums(_NEW, module)
    assert lock.read_text().startswith("# words\n")
    name = f"{gatekeeper_release.MODULE} {_NEW}"
    assert (tmp_path / "modules.sum").read_text() == f"{name} h1:a\n{name}/go.mod h1:b\n"


def test_every_tried_version_has_its_sums_in_the_lock() -> None:
    """No two versions have the same manifest or the same chart."""
    lock = read_lock()
    for prefix in (MANIFEST, CHART):
        known = {name: checksum for name, checksum in lock.items() if name.startswith(prefix)}
        assert set(known) == {f"{prefix}{version}" for version in known_versions.GATEKEEPER}
        assert len(set(known.values())) == len(known)


@pytest.mark.parametrize(
    ("given", "full"),
    [
        ("v3.22.1", "v3.22.1"),
        ("3.16.0", "v3.16.0"),
        ("3.20", "v3.20.1"),
        ("3.15.9", None),
        ("v3.22", None),
        ("v4.0.0", None),
        ("v9.9.9", None),
        ("latest", None),
    ],
)
def test_any_version_from_3_16_on_can_be_named(given: str, full: str | None) -> None:
    """In full, since nobody knows the newest patch of a minor that was not tried."""
    if full:
        assert Shape(gatekeeper=given).gatekeeper == full
        return
    with pytest.raises(BadScenario, match=r"cannot be run; expected a version in full from v3\.16\.0 on, below v4"):
        Shape.parse({"gatekeeper": given})
