"""Doctor: green on a machine on which a run can start, red with a cure to type where none can, at 80 columns."""

import errno
import json
import os
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from chaos_harness.clusters import preflight
from chaos_harness.clusters.engine import HostQuirks, user_engine
from chaos_harness.clusters.mirror import MIRROR
from chaos_harness.harness import __main__ as command
from chaos_harness.harness import doctor
from tests.fakes.docker_api import DOCKER_29, serving_docker

_DOCKER = """#!/bin/sh
# A docker command without images or containers; its words are those of Docker 28.
case "$*" in
"version --format {{.Client.Version}}") echo 28.2.2 ;;
"buildx version"|"ps "*|"volume ls "*|"network ls "*|"images "*|"info "*) ;;
"image inspect "*|"inspect "*) echo "Error response from daemon: No such image: x" >&2; exit 1 ;;
*) echo "unknown command: docker $1" >&2; exit 1 ;;
esac
"""
_TOO_OLD = (
    "Error response from daemon: client version 1.41 is too old. Minimum supported API version is 1.44, "
    "please upgrade your client to a newer version"
)
"""What docker 20.10 prints in front of an engine of version 29."""
_GO = """#!/bin/sh
case "$*" in
"env GOVERSION GOTOOLCHAIN") printf 'go{version}\\nlocal\\n' ;;
"env GOPROXY") echo direct ;;
"version") echo "go version go{version} linux/amd64" ;;
*) echo "go $1: unknown command" >&2; exit 2 ;;
esac
"""


class _Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_error(401)

    def log_message(self, *_arguments: object) -> None:
        pass


class Machine:
    """A machine on which a run can start; the methods take a part of that away."""

    def __init__(self, patch: pytest.MonkeyPatch, folder: Path) -> None:
        self.patch = patch
        self.folder = folder
        self.quirks = HostQuirks(inotify_watches=1_000_000, inotify_instances=1024)
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.put("docker", _DOCKER)
        self.put("go", _GO.format(version="1.26.8"))
        self.put("mmdebstrap", "#!/bin/sh\n")
        patch.setenv("PATH", str(self.bin))
        patch.setenv("CHAOS_ENGINE", "system")
        for name in ("XDG_CACHE_HOME", "XDG_STATE_HOME"):
            patch.setenv(name, str(folder))
        patch.setattr(HostQuirks, "detect", lambda *_: self.quirks)
        for look in ("package_index", "module_proxy"):
            patch.setattr(preflight, look, lambda: preflight.Finding("elsewhere", "ok", "not asked"))
        patch.setattr(preflight, "tools", list)

    def put(self, program: str, script: str) -> None:
        (self.bin / program).write_text(script.replace("#!/bin/sh", "#!/bin/sh\nPATH=/usr/bin:/bin", 1))
        (self.bin / program).chmod(0o755)

    def mute_mirror(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:
            self.patch.setenv(MIRROR, f"127.0.0.1:{server.getsockname()[1]}")


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Machine]:
    with HTTPServer(("127.0.0.1", 0), _Refusing) as mirror, serving_docker(tmp_path / "s") as host:
        thread = threading.Thread(target=mirror.serve_forever, args=(0.01,))
        thread.start()
        monkeypatch.setenv("DOCKER_HOST", host)
        monkeypatch.setenv(MIRROR, f"127.0.0.1:{mirror.server_port}")
        yield Machine(monkeypatch, tmp_path)
        mirror.shutdown()
        thread.join()


def _no_engine(machine: Machine) -> None:
    machine.patch.setenv("DOCKER_HOST", f"unix://{machine.folder}/nobody.sock")


def _no_permission(machine: Machine) -> None:
    def refuse(_path: str) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    machine.patch.setattr(user_engine, "_connect", refuse)


def _engine_on_another_machine(machine: Machine) -> None:
    machine.patch.setenv("DOCKER_HOST", "ssh://root@elsewhere")


def _command_too_old(machine: Machine) -> None:
    machine.put("docker", _DOCKER.replace("echo 28.2.2", f'echo "{_TOO_OLD}" >&2; exit 1'))


def _go_too_old(machine: Machine) -> None:
    machine.mute_mirror()
    machine.put("go", _GO.format(version="1.19.8"))


def _no_mmdebstrap(machine: Machine) -> None:
    machine.mute_mirror()
    (machine.bin / "mmdebstrap").unlink()


def _no_mirror_and_no_modules(machine: Machine) -> None:
    machine.mute_mirror()
    machine.put("go", _GO.format(version="1.26.8").replace("echo direct", "echo https://127.0.0.1:1"))
    machine.patch.setattr(preflight, "module_proxy", lambda: preflight.Finding("Go modules", "warn", "not reachable"))


def _disk_full(machine: Machine) -> None:
    machine.patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1 << 30))


def _little_memory(machine: Machine) -> None:
    machine.patch.setattr(preflight, "available_mib", lambda _: 700)


def _low_limits(machine: Machine) -> None:
    machine.quirks = HostQuirks(inotify_watches=1_000_000, inotify_instances=16)


_BROKEN: dict[str, tuple[Callable[[Machine], None], str, str]] = {
    "no engine": (_no_engine, "engine", "`sudo systemctl start docker`"),
    "no permission": (_no_permission, "engine", "`sudo usermod -aG docker $USER`"),
    "engine elsewhere": (_engine_on_another_machine, "engine", "`unset DOCKER_HOST"),
    "command too old": (_command_too_old, "docker command", "`apt-get install docker-cli`"),
    "Go too old": (_go_too_old, "node/", "install Go 1.26 or newer"),
    "no mmdebstrap": (_no_mmdebstrap, "node/", "`sudo apt-get install mmdebstrap"),
    "no way to an image": (_no_mirror_and_no_modules, "node/", f"`export {MIRROR}=HOST:PORT`"),
    "disk": (_disk_full, "disk", "`export XDG_CACHE_HOME=DIR`"),
    "memory": (_little_memory, "memory", "`nox -s gc`"),
    "inotify": (_low_limits, "inotify", "`sudo sh -c 'sysctl fs.inotify.max_user_instances=512"),
}


def _findings(capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, preflight.Finding]]:
    status = command.main(["doctor", "--json"])
    document = json.loads(capsys.readouterr().out)
    findings = [preflight.Finding(**finding) for finding in document["findings"]]
    assert document["ready"] is (status == 0)
    return status, {finding.name: finding for finding in findings}


def test_a_machine_on_which_a_run_can_start_is_green(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    """The status is 0, and no finding is bad."""
    status, findings = _findings(capsys)
    assert {name: finding.seen for name, finding in findings.items() if finding.state == "bad"} == {}
    assert status == 0


@pytest.mark.parametrize("situation", _BROKEN)
def test_a_machine_on_which_none_can_is_red(
    machine: Machine, capsys: pytest.CaptureFixture[str], situation: str
) -> None:
    """The status is that of a refusal, what is missing is bad, and the cure is something to type."""
    break_it, name, cure = _BROKEN[situation]
    break_it(machine)
    status, findings = _findings(capsys)
    assert status == 2
    bad = {key: finding for key, finding in findings.items() if finding.state == "bad"}
    assert any(key.startswith(name) and cure in finding.remedy for key, finding in bad.items()), bad
    lines = "\n".join(doctor.describe(list(findings.values()), 80)).splitlines()
    assert [line for line in lines if len(line) > 80 and " " in line.strip()[2:]] == []
    assert lines[-1].startswith("no run can start: ") or lines[-2].startswith("no run can start: ")


def test_an_engine_whose_api_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The SDK refuses it; the finding says so, and what is new enough."""
    with serving_docker(tmp_path / "s", {**DOCKER_29, "ApiVersion": "1.18", "MinAPIVersion": "1.12"}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        users = user_engine.find()
    assert (users.version, "its API is too old" in users.problem) == ("", True)
    assert "Docker 25 or newer" in users.cure
