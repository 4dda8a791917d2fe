"""Tests of clusters.images on a real engine: pulled by digest, built when that fails, carried in a file."""

import contextlib
import dataclasses
import gzip
import http.client
import io
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, connect
from chaos_harness.clusters.engine.inventory import remove_all
from chaos_harness.clusters.engine.network import create_network
from chaos_harness.clusters.errors import BadScenario, CommandFailed, ImageUnavailable
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images, binaries, catalogue, ensure, export, first_seen, gatekeeper_release
from chaos_harness.clusters.images.catalogue import BALANCER, ImageEntry
from chaos_harness.clusters.images.layers import ArchiveImage, write_archive, write_layer
from chaos_harness.clusters.images.lock import pull_digests
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import PullProblem
from chaos_harness.clusters.images.resolve import LocalImage, identity, pull, resolve
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.registry.container import Registry, start_registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.registry.saved import MANIFEST_TYPE
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.cutting_relay import CuttingRelay
from tests.fakes.file_server import Answer, FileServer
from tests.fakes.ready_sets import IMAGE, archive, images, ready_set
from tests.unguarded import docker

pytestmark = [pytest.mark.cluster, pytest.mark.beside]

_QUIET = Progress.quiet()
_CUT_AFTER_BYTES = 200_000
_NEW = "v3.99.0"
_FILES = ("gatekeeper-manifest", "gatekeeper-chart")


@pytest.fixture(scope="module")
def logins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the docker command looks for what `_log_in` has told it."""
    return tmp_path_factory.mktemp("docker")


@pytest.fixture(scope="module")
def engine(logins: Path) -> Engine:
    """Return the engine, whose pulls have the password of the registry of these tests."""
    engine = connect()
    return dataclasses.replace(engine, settings=(*engine.settings, ("DOCKER_CONFIG", str(logins))))


def _log_in(logins: Path, registry: Registry, *addresses: str) -> None:
    auth = registry.login.authorization.removeprefix("Basic ")
    auths = {address: {"auth": auth} for address in (registry.address_host, *addresses)}
    (logins / "config.json").write_text(json.dumps({"auths": auths}), encoding="utf-8")


@pytest.fixture(scope="module")
def registry(engine: Engine, logins: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """Yield a registry of its own on the engine, with a small image in it."""
    name = "chaos-test-images"
    labels = {**Owner.mine(lifetime_seconds=900).labels(), "chaos-harness.cluster": name}
    deadline = Deadline.after(300, "a registry")
    image = catalogue.registry()
    directory = tmp_path_factory.mktemp("registry")
    resolve(engine, image, {}, _QUIET)
    remove_all(engine, deadline, cluster=name)
    try:
        subnet = create_network(engine, name, labels, deadline)
        registry = start_registry(
            engine,
            f"{name}-registry",
            image.name,
            network=name,
            subnet=subnet,
            login=Login.make(directory),
            labels=labels,
            directory=directory,
            deadline=deadline,
        )
        _log_in(logins, registry)
        _publish(engine, registry, tmp_path_factory.mktemp("image"), deadline)
        yield registry
    finally:
        remove_all(engine, Deadline.after(60, "removal of the registry"), cluster=name)


def _publish(
    engine: Engine, registry: Registry, folder: Path, deadline: Deadline, repository_tag: str = "test/image:1"
) -> None:
    """Put an image into the registry that the engine does not have, with a layer large enough to be cut."""
    (folder / "random").write_bytes(os.urandom(4 * _CUT_AFTER_BYTES))
    layer = write_layer(folder / "layer.tar", {"random": folder / "random"})
    write_archive(folder / "image.tar", [ArchiveImage(("chaos-harness/test-scratch:1",), (layer,))])
    engine.run(["load", "--input", folder / "image.tar"], deadline)
    registry.push("chaos-harness/test-scratch:1", repository_tag, deadline)
    docker(engine, ["rmi", "chaos-harness/test-scratch:1"], deadline)


@pytest.fixture
def entry(engine: Engine, registry: Registry) -> Iterator[ImageEntry]:
    """Yield an image that is published in the registry, not in the engine, and says when it is built."""
    built = catalogue.registry()

    def build(on: Engine, progress: Progress) -> None:
        del progress
        on.run(["tag", built.name, name], Deadline.after(60, "a tag"))

    stem = "chaos-harness/test-entry:"
    name = f"{stem}1"
    published = f"{registry.address_host}/test/image:1"
    yield dataclasses.replace(built, lock="test", stem=stem, key="1", published=published, build=build)
    tags = ["images", "--format", "{{.Repository}}:{{.Tag}}", stem.rstrip(":")]
    named = engine.run(tags, Deadline.after(60, "images")).stdout
    pulled = engine.run(["images", "--quiet", published.rpartition(":")[0]], Deadline.after(60, "images")).stdout
    for image in (*named.split(), *pulled.split()):
        docker(engine, ["rmi", "--force", image], Deadline.after(60, "removal"), check=False)


def _lock(engine: Engine, entry: ImageEntry) -> dict[str, str]:
    locked = pull_digests(engine, [entry], _QUIET)
    docker(engine, ["rmi", entry.published], Deadline.after(60, "removal"))
    return locked


def test_an_image_in_the_lock_is_pulled_by_its_digest(engine: Engine, entry: ImageEntry) -> None:
    """What the lock names comes from its registry, once, by the name of its digest, beside what was built before."""
    lock = _lock(engine, entry)
    assert "@sha256:" in lock["test"]
    assert resolve(engine, entry, {}, _QUIET).origin == "built"
    docker(engine, ["rmi", entry.name], Deadline.after(60, "removal"))
    pulled = resolve(engine, entry, lock, _QUIET)
    assert (pulled.origin, pulled.name) == ("pulled", f"chaos-harness/test-entry:{lock['test'][-64:][:12]}")
    entry.build(engine, _QUIET)
    assert resolve(engine, entry, lock, _QUIET) == dataclasses.replace(pulled, origin="present")
    assert identity(engine, entry.name) not in ("", pulled.id)


def test_a_digest_that_the_registry_does_not_have_is_told_and_the_image_built(
    engine: Engine, entry: ImageEntry
) -> None:
    """A wrong digest is named in the progress, and building takes over."""
    lock = {"test": f"{entry.published.rpartition(':')[0]}@sha256:{'0' * 64}"}
    output = io.StringIO()
    built = resolve(engine, entry, lock, Progress(output))
    assert (built.origin, built.name) == ("built", entry.name)
    assert f"{'0' * 64} cannot be pulled: " in output.getvalue()


def test_a_mirror_that_dies_in_a_layer_leaves_no_image(
    engine: Engine, registry: Registry, logins: Path, entry: ImageEntry
) -> None:
    """No part of it stays, why is told, and the same image comes from where it is published."""
    lock = {"test": _lock(engine, entry)["test"].replace(registry.address_host, "docker.io")}
    with CuttingRelay(registry.address_host, _CUT_AFTER_BYTES) as address:
        _log_in(logins, registry, address)
        broken = pull(engine, entry, PullRules(lock, address), _QUIET)
    assert isinstance(broken, PullProblem)
    assert broken.asked.startswith(f"{address}/test/image@sha256:")
    assert broken.cause in ("broken off", "unreachable")
    assert not identity(engine, entry.pulled(lock["test"]))
    assert engine.run(["images", "--quiet", f"{address}/test/image"], Deadline.after(60, "images")).stdout == ""

    pulled = pull(engine, entry, PullRules(lock, registry.address_host), _QUIET)
    assert isinstance(pulled, LocalImage)
    assert (pulled.name, pulled.origin) == (entry.pulled(lock["test"]), "pulled")


@dataclasses.dataclass(frozen=True)
class _Stranger:
    """A machine without Go and with an empty cache, whose mirror has the image of `entry` as docker.io/test/image."""

    engine: Engine
    entry: ImageEntry
    mirror: str
    digest: str
    files: FileServer
    output: io.StringIO

    def ensure(self, rules: PullRules, shape: Shape | None = None) -> Images:
        """Get all that clusters take; `output` tells how."""
        return ensure(self.engine, shape or Shape(gatekeeper=None), Progress(self.output), rules)

    def refuse(self, rules: PullRules, shape: Shape | None = None) -> str:
        """Return the error in which `ensure` ends."""
        with pytest.raises(ImageUnavailable) as refused:
            self.ensure(rules, shape)
        return str(refused.value)


@pytest.fixture
def stranger(
    engine: Engine, registry: Registry, entry: ImageEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Stranger]:
    """Give a machine that can only pull; Gatekeeper's source is at a server of its own."""
    digest = _lock(engine, entry)["test"].rpartition("@")[2]
    public = dataclasses.replace(
        entry, lock=f"gatekeeper/{_NEW}", published="docker.io/test/image:1", build=_refuse_to_build
    )
    monkeypatch.setattr("chaos_harness.clusters.images.entries", lambda _: {"node": public, "gatekeeper": public})
    for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("PATH", str(tmp_path))
    kind = tmp_path / "kind"
    kind.write_text("#!/bin/sh\necho kind v0.33.0\n")
    kind.chmod(0o755)
    release = archive(
        ("gatekeeper/deploy/gatekeeper.yaml", b"kind: List\n"),
        ("gatekeeper/charts/gatekeeper/Chart.yaml", b"name: a\n"),
    )
    with FileServer({f"/{_NEW}.tar.gz": Answer(gzip.compress(release))}).serve() as files:
        monkeypatch.setattr(gatekeeper_release, "_SOURCE", f"{files.address}/{{version}}.tar.gz")
        yield _Stranger(engine, public, registry.address_host, digest, files, io.StringIO())


def _release(manifest: bytes) -> Answer:
    """Return the source of a version of Gatekeeper as it is downloaded."""
    files = {"deploy/gatekeeper.yaml": manifest, "charts/gatekeeper/Chart.yaml": b"name: gatekeeper\n"}
    return Answer(gzip.compress(archive(*((f"gatekeeper/{name}", body) for name, body in files.items()))))


def _refuse_to_build(engine: Engine, progress: Progress) -> None:
    pytest.fail("built")


def test_all_is_pulled_from_a_mirror_by_digest(stranger: _Stranger) -> None:
    """A lock of one's own and a mirror are all that it takes where nothing can be built."""
    lock = {stranger.entry.lock: f"docker.io/test/image@{stranger.digest}"}
    held = stranger.ensure(PullRules(lock, stranger.mirror, only_locked=True))
    assert held.node == stranger.entry.pulled(stranger.digest)
    assert held.origin == {held.node: "pulled"}
    assert first_seen.read() == {}


def test_a_digest_that_the_mirror_does_not_have_is_not_replaced_by_the_tag(stranger: _Stranger) -> None:
    """The tag is there, and nobody takes it: neither by its name nor by what it is."""
    wrong = f"docker.io/test/image@sha256:{'0' * 64}"
    error = stranger.refuse(PullRules({stranger.entry.lock: wrong}, stranger.mirror))
    assert f"{'0' * 64} cannot be pulled: " in error
    assert "no tag is taken instead" in error
    assert "none of it can be built here: no go on PATH" in error
    for reference in (wrong, stranger.digest):
        assert not identity(stranger.engine, stranger.entry.pulled(reference))


@pytest.mark.parametrize("part", ["manifest", "layer"])
def test_a_mirror_that_serves_something_else_is_refused(
    stranger: _Stranger, registry: Registry, tmp_path: Path, part: str
) -> None:
    """Who changes what is served is not asked again, and nothing stands in for it."""
    deadline = Deadline.after(120, "an image to change")
    _publish(stranger.engine, registry, tmp_path, deadline, "test/changed:1")
    digest, layer = _describe(registry, "/v2/test/changed/manifests/1")
    changed = digest if part == "manifest" else layer
    blob = f"/var/lib/registry/docker/registry/v2/blobs/sha256/{changed[7:9]}/{changed[7:]}/data"
    stored, served = f"{registry.container}:{blob}", tmp_path / "served"
    stranger.engine.run(["cp", stored, served], deadline)
    served.write_bytes(served.read_bytes() + b" ")
    stranger.engine.run(["cp", served, stored], deadline)

    error = stranger.refuse(PullRules({stranger.entry.lock: f"docker.io/test/changed@{digest}"}, stranger.mirror))
    assert "is not what the lock names, and is not used" in error
    assert not identity(stranger.engine, stranger.entry.pulled(digest))


def _describe(registry: Registry, path: str) -> tuple[str, str]:
    """Return the digests of a manifest and of its last layer."""
    headers = {"Accept": MANIFEST_TYPE, "Authorization": registry.login.authorization}
    with contextlib.closing(http.client.HTTPConnection(registry.address_host, timeout=10)) as connection:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.headers["Docker-Content-Digest"], json.loads(answer.read())["layers"][-1]["digest"]


def test_a_tag_that_is_not_there_is_not_recorded(stranger: _Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names what was asked, and what a machine lacks to build it."""
    absent = dataclasses.replace(stranger.entry, published="docker.io/test/image:9")
    monkeypatch.setattr("chaos_harness.clusters.images.entries", lambda _: {"node": absent})
    error = stranger.refuse(PullRules(mirror=stranger.mirror))
    assert error.startswith(f"{absent.lock}: {stranger.mirror}/test/image:9 cannot be pulled: manifest")
    assert first_seen.read() == {}


def test_a_version_that_nobody_tried_is_recorded_and_compared(stranger: _Stranger) -> None:
    """Image, manifest and chart: a line for each, and the next run takes nothing else, not even by the same tag."""
    shape, rules = Shape(gatekeeper=_NEW), PullRules(mirror=stranger.mirror)
    held = stranger.ensure(rules, shape)
    assert held.origin == {held.node: "pulled"}
    assert stranger.output.getvalue().count(f"nobody tried Gatekeeper {_NEW} here") == 1
    assert first_seen.read()[stranger.entry.lock] == f"docker.io/test/image@{stranger.digest}"
    assert set(first_seen.read()) == {f"{kind}/{_NEW}" for kind in ("gatekeeper", *_FILES)}

    assert stranger.ensure(rules, shape).origin == {held.node: "present"}
    stranger.files.answers[f"/{_NEW}.tar.gz"] = _release(b"kind: Pod\n")
    remove_folder(binaries.gatekeeper_source(_NEW).folder)
    assert f"gatekeeper-manifest/{_NEW}: expected sha256:" in stranger.refuse(rules, shape)


def test_a_locked_run_takes_no_version_that_nobody_tried(stranger: _Stranger) -> None:
    """Neither its files nor its image, which are there; nothing is recorded."""
    error = stranger.refuse(PullRules(mirror=stranger.mirror, only_locked=True), Shape(gatekeeper=_NEW))
    assert "not in the lock, and --locked takes nothing else" in error
    assert f"gatekeeper/{_NEW}: not in the lock, so not pulled" in error
    assert first_seen.read() == {}
    assert not identity(stranger.engine, stranger.entry.pulled(stranger.digest))


def test_a_locked_run_takes_neither_what_was_built_nor_a_mere_name(stranger: _Stranger) -> None:
    """An image by the name of the built one, or of the digest, is not used, but pulled anew; or nothing is."""
    lock = {stranger.entry.lock: f"docker.io/test/image@{stranger.digest}"}
    built, pulled = stranger.entry.name, stranger.entry.pulled(stranger.digest)
    for name in (built, pulled):
        stranger.engine.run(["tag", catalogue.registry().name, name], Deadline.after(60, "a tag"))
    wrong = identity(stranger.engine, built)

    error = stranger.refuse(PullRules(lock, "127.0.0.1:1", only_locked=True))
    assert "--locked takes nothing that was built or loaded instead" in error
    held = stranger.ensure(PullRules(lock, stranger.mirror, only_locked=True))
    assert held.origin == {pulled: "pulled"}
    assert held.ids[pulled] != wrong
    assert stranger.ensure(PullRules(lock, "127.0.0.1:1", only_locked=True)).origin == {pulled: "present"}


def test_a_machine_that_reaches_nothing_has_one_error(stranger: _Stranger) -> None:
    """With files, images and what it lacks to build them, and nothing was made."""
    stranger.files.answers.clear()
    error = stranger.refuse(PullRules(mirror="127.0.0.1:1"), Shape(gatekeeper=_NEW))
    assert error.startswith(f"manifest and chart of Gatekeeper {_NEW} are not to be had:\n  no go on PATH\n")
    assert f"gatekeeper/{_NEW}: 127.0.0.1:1/test/image:1 cannot be pulled: " in error
    assert "none of it can be built here: no go on PATH" in error
    assert "--load FILE" in error.splitlines()[-1]


def test_nobody_pushes_without_the_password(engine: Engine, registry: Registry, tmp_path: Path) -> None:
    """The engine itself is refused, by no password and by a wrong one; what is in the registry stays as it was."""
    path, wrong = "/v2/test/image/manifests/1", "Basic Y2hhb3M6Z3Vlc3M="
    before, name = _ask(registry, path, registry.login.authorization), f"{registry.address_host}/test/image:1"
    stranger = dataclasses.replace(engine, settings=(*engine.settings, ("DOCKER_CONFIG", str(tmp_path))))
    engine.run(["tag", catalogue.registry().name, name], Deadline.after(60, "a tag"))
    try:
        with pytest.raises(CommandFailed, match=r"no basic auth credentials|unauthorized|authentication required"):
            stranger.run(["push", name], Deadline.after(60, "a push"))
    finally:
        engine.run(["rmi", "--no-prune", name], Deadline.after(60, "removal"))
    for authorization in ("", wrong):
        assert _ask(registry, path, authorization)[0] == 401
        assert _ask(registry, "/v2/test/image/blobs/uploads/", authorization, "POST")[0] == 401
        assert _ask(registry, path, authorization, "PUT")[0] == 401
    assert (before[0], before[1] != "") == (200, True)
    assert _ask(registry, path, registry.login.authorization) == before
    assert registry.log() == []


def _ask(registry: Registry, path: str, authorization: str, method: str = "GET") -> tuple[int, str]:
    """Return the status and the digest that the registry answers with."""
    headers = {"Accept": MANIFEST_TYPE}
    headers |= {"Authorization": authorization} if authorization else {}
    with contextlib.closing(http.client.HTTPConnection(registry.address_host, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Docker-Content-Digest", "")


def test_a_ready_set_goes_from_engine_to_engine(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine saves is read by the rules for ready sets, and the engine has it by its name afterwards."""
    image = catalogue.registry()
    held = resolve(engine, image, {}, _QUIET)
    monkeypatch.setattr(export, "ensure", lambda *_: Images("", None, None, held.name, origin={held.name: held.origin}))
    monkeypatch.setattr(export, "_folders", lambda *_: [])

    assert export.save(engine, tmp_path / "set.tar", [Shape()], _QUIET) == [held.name]
    assert export.load(engine, tmp_path / "set.tar", _QUIET) == [held.name]
    assert identity(engine, held.name) == held.id


def test_a_ready_set_of_other_names_is_refused_whole(engine: Engine, tmp_path: Path) -> None:
    """An image that the index does not name never gets its name from a ready set."""
    path = ready_set(tmp_path / "set.tar", {"images.tar": images("chaos-harness/evil:1", IMAGE)})
    with pytest.raises(BadScenario, match="contains images that its index does not name: chaos-harness/evil:1"):
        export.load(engine, path, _QUIET)
    assert identity(engine, "chaos-harness/evil:1") == ""


def test_the_load_balancer_is_the_one_that_kind_names() -> None:
    """What the docker wrapper replaces is what this version of kind asks for."""
    source = binaries.kind_source() / "pkg" / "cluster" / "internal" / "loadbalancer" / "const.go"
    assert f'const Image = "{BALANCER}"' in source.read_text(encoding="utf-8")
