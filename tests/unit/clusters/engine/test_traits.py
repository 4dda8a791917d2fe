"""Tests of what an engine says of itself: which engines are used, which refused in one line, and with what settings."""

import os
import platform
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import EngineTraits, HostQuirks, Layout, private_engine, processes, user_engine
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine import supported
from tests.fakes.docker_api import DOCKER_29, serving_docker

# Parts of `docker info --format '{{json .}}'` of the kinds of engines; the keys are those of moby's API (system.Info).
_USUAL: dict[str, Any] = {
    "SecurityOptions": ["name=seccomp,profile=builtin", "name=cgroupns"],
    "DriverStatus": [["Backing Filesystem", "extfs"]],
    "CgroupVersion": "2",
    "Architecture": "x86_64",
    "KernelVersion": platform.release(),
    "MemTotal": 8 << 30,
    "DockerRootDir": "/var/lib/docker",
    "FirewallBackend": {"Driver": "iptables"},
}
_PODMAN = {"Version": "5.4.2", "ApiVersion": "1.41", "MinAPIVersion": "1.24", "Components": [{"Name": "Podman Engine"}]}


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a docker command on PATH that says what it was given of the environment."""
    program = tmp_path / "docker"
    program.write_text('#!/bin/sh\necho "platform=$DOCKER_DEFAULT_PLATFORM trust=$DOCKER_CONTENT_TRUST"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return program


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    layout = Layout("chaos-unit", tmp_path / "data", tmp_path / "run")
    layout.run.mkdir()
    monkeypatch.setattr(processes, "find", lambda _, program: [processes.Daemon(1, "1", program)])
    return layout


def test_a_private_engine_of_docker_29_answers(layout: Layout) -> None:
    """It refuses old versions of the API, for a ping as for all else: none is named, so its own is spoken."""
    with serving_docker(layout.socket):
        assert private_engine.answers(layout)
    assert not private_engine.answers(layout)


def test_a_private_engine_is_found_by_what_it_says(layout: Layout, docker: Path) -> None:
    """Its version, and its traits."""
    with serving_docker(layout.socket, info=_USUAL):
        engine = engines.find("private", layout)
    assert engine
    assert (engine.version, engine.id, engine.traits.cgroup_version) == ("29.1.3", "engine-b", 2)


@pytest.mark.parametrize("word", ["private", "system"])
def test_settings_of_the_users_docker_do_not_reach_ours(
    word: str, layout: Layout, docker: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With them docker looks for another platform's image, or for a signature, and finds neither."""
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
    monkeypatch.setenv("DOCKER_CONTENT_TRUST", "1")
    socket = layout.socket if word == "private" else tmp_path / "users.sock"
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/users.sock")
    with serving_docker(socket, info=_USUAL):
        engine = engines.find(word, layout)
    assert engine
    assert engine.run(["version"], Deadline.after(30, "docker")).stdout == "platform= trust=\n"


@pytest.mark.parametrize(
    ("version", "info", "said"),
    [
        (_PODMAN, {}, "it is Podman"),
        (DOCKER_29, {"SecurityOptions": ["name=seccomp", "name=rootless"], "CgroupVersion": "1"}, "rootless on cgroup"),
        (DOCKER_29, {"Architecture": "riscv64"}, "x86_64 or aarch64, this is riscv64"),
    ],
    ids=["podman", "rootless", "processor"],
)
def test_an_engine_that_runs_no_node_is_refused_in_one_line(
    version: dict[str, Any], info: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is made on it, with what can be done instead; nothing is started in its place on demand."""
    with serving_docker(tmp_path / "s", version, {**_USUAL, **info}) as host:
        monkeypatch.setenv("DOCKER_HOST", host)
        with pytest.raises(EngineUnavailable, match=f"{said}.*CHAOS_ENGINE=private") as refused:
            engines.connect("system", layout=Layout("chaos-unit", tmp_path / "data", tmp_path / "run"))
    assert "\n" not in str(refused.value)


def test_traits_are_read_from_the_engines_own_words() -> None:
    """Each kind of engine is told from the usual one by what it says."""
    assert EngineTraits.of(DOCKER_29, _USUAL) == EngineTraits(
        cgroup_version=2,
        processor="x86_64",
        kernel=platform.release(),
        memory_mib=8192,
        firewall="iptables",
    )
    unusual = EngineTraits.of(
        DOCKER_29,
        {
            "SecurityOptions": ["name=selinux", "name=userns", "name=rootless"],
            "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            "DockerRootDir": "/var/snap/docker/common/var-lib-docker",
            "FirewallBackend": {"Driver": "nftables"},
            "KernelVersion": "6.12.54-linuxkit",
        },
    )
    assert unusual == EngineTraits(
        rootless=True,
        remaps_users=True,
        selinux=True,
        snap=True,
        containerd_store=True,
        firewall="nftables",
        kernel="6.12.54-linuxkit",
    )
    assert (EngineTraits().of_this_kernel, unusual.of_this_kernel) == (True, False)


def test_an_engine_that_says_nothing_is_usual() -> None:
    """Podman and old versions leave fields out, or send null."""
    silent = {"SecurityOptions": None, "DriverStatus": None, "FirewallBackend": None, "MemTotal": None}
    assert EngineTraits.of({"Components": None}, silent) == EngineTraits.of({}, {}) == EngineTraits()


def test_of_another_kernel_only_what_the_engine_says_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """What listens on Docker Desktop's socket is a process of this machine; containers run in a virtual one."""
    monkeypatch.setattr(user_engine, "listener", lambda _: 7)
    monkeypatch.setattr(HostQuirks, "detect", lambda *_: HostQuirks(("CAP_SYS_RESOURCE",), cgroup_v1=True))
    here = EngineTraits(kernel=platform.release(), cgroup_version=2)
    assert engines._quirks("unix:///s", EngineTraits()) == HostQuirks(("CAP_SYS_RESOURCE",), cgroup_v1=True)
    assert engines._quirks("unix:///s", here) == HostQuirks(("CAP_SYS_RESOURCE",), cgroup_v1=False)
    assert engines._quirks("unix:///s", replace(here, kernel="6.12-linuxkit", cgroup_version=1)) == HostQuirks(
        cgroup_v1=True
    )


@pytest.mark.parametrize(
    ("system", "processor", "said"),
    [
        ("Linux", "x86_64", ""),
        ("Linux", "aarch64", ""),
        ("Linux", "arm64", ""),
        ("Darwin", "arm64", "needs Linux, this is Darwin"),
        ("Windows", "AMD64", "needs Linux, this is Windows"),
        ("Linux", "s390x", "x86_64 or aarch64, this is s390x"),
    ],
)
def test_another_machine_is_told_in_one_line(system: str, processor: str, said: str) -> None:
    """Before anything is read that only Linux has."""
    refusal = supported.refusal(system, processor)
    assert said in refusal
    assert bool(said) is bool(refusal)
    assert "\n" not in refusal


def test_nothing_is_connected_to_on_another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line, and no traceback of a file that is not there."""
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    monkeypatch.setattr(private_engine, "start", lambda *_: pytest.fail("an engine is started"))
    with pytest.raises(EngineUnavailable, match="needs Linux, this is Darwin"):
        engines.connect(layout=Layout("chaos-unit", tmp_path / "data", tmp_path / "run"))
    assert list(tmp_path.iterdir()) == []
