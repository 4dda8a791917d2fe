"""Tests of clusters.gatekeeper.certificate: what openssl makes is what Gatekeeper's rotator keeps."""

import base64
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.certificate import prepare_certificate
from chaos_harness.clusters.machine.process import CommandResult, run
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import RestServer, cluster_on, rest_server

_SECRETS = "/api/v1/namespaces/gatekeeper-system/secrets"
_SERVER = "gatekeeper-webhook-service.gatekeeper-system.svc"


@cache
def run_once(argv: tuple[str, ...]) -> CommandResult:
    """Run what makes keys, which takes half a second of processor, once for all tests."""
    return run(argv, Deadline.after(30, "openssl"))


@dataclass(frozen=True)
class HostEngine(FakeEngine):
    """Runs on this machine what is to be run on a node."""

    def run(self, argv: Any, deadline: Deadline, *, check: bool = True, **settings: Any) -> CommandResult:
        """Leave out `exec NODE timeout …`."""
        return run_once(tuple(argv[argv.index("sh") :]))


@pytest.fixture
def server() -> Iterator[RestServer]:
    with rest_server(**{"POST /api/v1/namespaces": {}, f"POST {_SECRETS}": {}}) as server:
        yield server


def prepare(server: RestServer, folder: Path, shape: Shape | None = None) -> dict[str, Any]:
    prepare_certificate(cluster_on(server, HostEngine(), folder, shape), Deadline.after(30, "openssl"))
    secret: dict[str, Any] = next(body for _, path, body in server.changes if path == _SECRETS)
    for name, text in secret["data"].items():
        (folder / name).write_bytes(base64.b64decode(text))
    return secret


def verified(folder: Path, name: str, certificate: str, *more: str) -> bool:
    argv: list[str | Path] = [
        "openssl",
        "verify",
        "-CAfile",
        folder / "ca.crt",
        "-verify_hostname",
        name,
        *more,
        folder / certificate,
    ]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def test_the_certificate_is_one_that_the_api_server_trusts_and_the_rotator_keeps(
    server: RestServer, tmp_path: Path
) -> None:
    """The CA carries `gatekeeper-ca`, the certificate the Service's name, for servers, for more than 90 days."""
    prepare(server, tmp_path)
    assert verified(tmp_path, "gatekeeper-ca", "ca.crt")
    assert verified(tmp_path, _SERVER, "tls.crt", "-purpose", "sslserver")
    assert not verified(tmp_path, "somebody.else.svc", "tls.crt")
    for name in ("ca.crt", "tls.crt"):
        subprocess.run(["openssl", "x509", "-in", tmp_path / name, "-noout", "-checkend", "31536000"], check=True)


@pytest.mark.parametrize("name", ["ca", "tls"])
def test_each_key_belongs_to_its_certificate(server: RestServer, tmp_path: Path, name: str) -> None:
    """The public half of the key is the certificate's, and the key is PKCS#1, which the rotator reads."""
    prepare(server, tmp_path)
    key, certificate = tmp_path / f"{name}.key", tmp_path / f"{name}.crt"
    public = [
        subprocess.run(["openssl", *words, "-in", path], capture_output=True, check=True).stdout
        for words, path in ((["rsa", "-pubout"], key), (["x509", "-noout", "-pubkey"], certificate))
    ]
    assert public[0] == public[1]
    assert key.read_text().startswith("-----BEGIN RSA PRIVATE KEY-----")
