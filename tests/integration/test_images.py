"""Tests of clusters.images on a real engine: pulled by digest, built when that fails, carried in a file."""

import base64
import contextlib
import dataclasses
import http.client
import io
import json
import math
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine, connect
from chaos_harness.clusters.engine.inventory import remove_all
from chaos_harness.clusters.engine.network import create_network
from chaos_harness.clusters.errors import BadScenario, CommandFailed
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.images import Images, binaries, catalogue, export
from chaos_harness.clusters.images.catalogue import BALANCER, ImageEntry
from chaos_harness.clusters.images.layers import ArchiveImage, write_archive, write_layer
from chaos_harness.clusters.images.lock import pull_digests
from chaos_harness.clusters.images.resolve import identity, resolve
from chaos_harness.clusters.registry.container import Registry, start_registry
from chaos_harness.clusters.registry.login import Login
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.ready_sets import IMAGE, images, ready_set
from tests.unguarded import docker

pytestmark = [pytest.mark.cluster]

_QUIET = Progress.quiet()
_CUT_AFTER_BYTES = 200_000


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
    login = registry.login.for_engine
    auth = base64.b64encode(f"{login['username']}:{login['password']}".encode()).decode()
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


def _publish(engine: Engine, registry: Registry, folder: Path, deadline: Deadline) -> None:
    """Put an image into the registry that the engine does not have, with a layer large enough to be cut."""
    (folder / "random").write_bytes(os.urandom(4 * _CUT_AFTER_BYTES))
    layer = write_layer(folder / "layer.tar", {"random": folder / "random"})
    write_archive(folder / "image.tar", [ArchiveImage(("chaos-harness/test-scratch:1",), (layer,))])
    engine.run(["load", "--input", folder / "image.tar"], deadline)
    registry.push("chaos-harness/test-scratch:1", "test/image:1", deadline)
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


def test_a_pull_that_breaks_off_in_a_layer_leaves_no_image(
    engine: Engine, registry: Registry, logins: Path, entry: ImageEntry
) -> None:
    """When the registry goes away in the middle of a layer, the image is built instead and no part of it stays."""
    lock = _lock(engine, entry)
    with _Cutting(registry.address_host) as address:
        _log_in(logins, registry, address)
        broken = {"test": lock["test"].replace(registry.address_host, address)}
        remote = dataclasses.replace(entry, build=_refuse)
        with pytest.raises(_BuiltError):
            resolve(engine, remote, broken, _QUIET)
    assert not identity(engine, entry.name)
    assert not identity(engine, entry.pulled(broken["test"]))
    assert engine.run(["images", "--quiet", f"{address}/test/image"], Deadline.after(60, "images")).stdout == ""


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
    headers = {"Accept": "application/vnd.docker.distribution.manifest.v2+json"}
    headers |= {"Authorization": authorization} if authorization else {}
    with contextlib.closing(http.client.HTTPConnection(registry.address_host, timeout=10)) as connection:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers.get("Docker-Content-Digest", "")


class _BuiltError(Exception):
    pass


def _refuse(engine: Engine, progress: Progress) -> None:
    raise _BuiltError


class _Cutting:
    """A TCP relay to a registry that goes away for good once a large answer has begun to pass."""

    def __init__(self, target: str) -> None:
        host, _, port = target.rpartition(":")
        self._target = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._accept, daemon=True).start()
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        _close(self._listener)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                threading.Thread(target=self._relay, args=(client, server), daemon=True).start()
                threading.Thread(target=self._relay, args=(server, client, _CUT_AFTER_BYTES), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket, most: float = math.inf) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
                passed += len(data)
                if passed > most:
                    _close(self._listener)
                    break
        _close(source)
        _close(sink)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def test_a_ready_set_goes_from_engine_to_engine(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the engine saves is read by the rules for ready sets, and the engine has it by its name afterwards."""
    image = catalogue.registry()
    held = resolve(engine, image, {}, _QUIET)
    monkeypatch.setattr(export, "ensure", lambda *_: Images("", None, None, held.name, origin={held.name: held.origin}))
    monkeypatch.setattr(export, "_folders", lambda *_: [])
    path = tmp_path / "set.tar"

    assert export.save(engine, path, [Shape()], _QUIET) == [held.name]
    assert export.load(engine, path, _QUIET) == [held.name]
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
