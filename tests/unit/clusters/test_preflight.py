"""Tests of clusters.preflight: what each look makes of real and of made-up machines."""

import dataclasses
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from chaos_harness.clusters import preflight
from chaos_harness.clusters.engine import Engine, EngineTraits, HostQuirks, packages
from chaos_harness.clusters.images import plan
from chaos_harness.clusters.machine.owner import PREFIX, Owner
from chaos_harness.clusters.mirror import MIRROR
from chaos_harness.clusters.shape import Shape
from tests.fakes.engine import FakeEngine


class _Refusing(BaseHTTPRequestHandler):
    def do_HEAD(self) -> None:
        self.send_error(401)

    def log_message(self, *_arguments: object) -> None:
        pass


@pytest.fixture
def refusing() -> Iterator[str]:
    """Serve 401 to everybody, as registries do."""
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v2/"
        server.shutdown()
        thread.join()


@pytest.fixture
def mute() -> Iterator[str]:
    """Accept connections and never say a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v2/"


def test_a_registry_that_refuses_us_is_reachable(refusing: str) -> None:
    """401 is an answer."""
    assert preflight.reachability("docker.io", refusing, "built").state == "ok"


def test_a_registry_that_says_nothing_is_not_reachable(mute: str) -> None:
    """A connection without an answer counts as none when the time is up."""
    finding = preflight.reachability("docker.io", mute, "images are built", timeout=0.2)
    assert (finding.state, finding.remedy) == ("warn", "images are built")


def test_a_closed_port_is_not_reachable() -> None:
    """A refused connection is told with its reason."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    finding = preflight.reachability("docker.io", f"http://127.0.0.1:{port}/", "built")
    assert finding.state == "warn"
    assert "refused" in finding.seen


@pytest.mark.parametrize(("available", "state"), [(100_000, "bad"), (64_000_000, "ok")])
def test_memory_is_bad_when_the_shape_does_not_fit(tmp_path: Path, available: int, state: str) -> None:
    """What the kernel calls available is measured against the shape's estimate."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 64000000 kB\nMemAvailable:   {available} kB\nHugePages_Total: 0\n")
    assert preflight.memory(Shape(), tmp_path / "meminfo").state == state


@pytest.mark.parametrize(
    ("needed", "wanted", "state"), [(0, 0, "ok"), (0, 1e6, "warn"), (1e6, 1e6, "bad")], ids=["ok", "warn", "bad"]
)
def test_disk_is_bad_below_what_is_needed(tmp_path: Path, needed: float, wanted: float, state: str) -> None:
    """Less than wanted is a warning, less than needed is bad."""
    assert preflight.disk(tmp_path, needed, wanted).state == state


def test_low_inotify_limits_come_with_the_command_that_raises_them() -> None:
    """Each limit that is low is raised by the remedy, and no other."""
    finding = preflight.inotify(HostQuirks(inotify_watches=1_000_000, inotify_instances=128))
    assert (finding.state, finding.remedy) == ("warn", "`sudo sh -c 'sysctl fs.inotify.max_user_instances=512'`")


def test_high_inotify_limits_are_fine() -> None:
    """Nothing is asked of a host with kind's recommended limits."""
    assert preflight.inotify(HostQuirks(inotify_watches=524_288, inotify_instances=512)).state == "ok"


@pytest.mark.parametrize(
    ("private", "runtime", "state"),
    [(True, "capable", "ok"), (False, "", "bad"), (False, "runc", "bad"), (False, "capable", "warn")],
)
def test_missing_capabilities_matter_to_an_engine_without_the_shim(private: bool, runtime: str, state: str) -> None:
    """The private engine does without them; plain runc refuses every node container, another runtime may not."""
    quirks = HostQuirks(missing_capabilities=("CAP_SYS_RESOURCE",))
    assert preflight.capabilities(quirks, private=private, runtime=runtime).state == state


def test_an_engine_that_answers_is_told_by_version_and_address() -> None:
    """The finding says whose engine it is and where."""
    finding = preflight.engine(Engine("unix:///s", False, "28.1", HostQuirks(), "docker"))
    assert (finding.state, finding.seen) == ("ok", "Docker 28.1 at unix:///s (yours)")


def test_no_engine_and_no_way_to_one_is_bad(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without engine, programs and apt a run cannot begin, and the finding says what to install."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(packages, "SEARCH_PATH", str(tmp_path))
    assert preflight.engine(None).state == "bad"


@pytest.mark.parametrize(("listens", "state"), [(True, "ok"), (False, "bad")])
def test_images_that_can_only_be_pulled_need_a_registry_that_answers(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refusing: str, listens: bool, state: str
) -> None:
    """On a machine that can build nothing; the finding names where each is pulled, and the mirror is what is asked."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"127.0.0.1:{server.getsockname()[1]}"
    mirror = refusing.split("/")[2] if listens else nobody
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv(MIRROR, mirror)
    monkeypatch.setattr(preflight, "find", lambda: None)
    monkeypatch.setattr(plan, "lacks", lambda _: ["no go on PATH"])

    monkeypatch.setattr(preflight, "_can_fetch_modules", lambda: True)
    *findings, space = preflight.image_sources()
    assert space.name == "disk"
    assert [finding.name.partition("/")[0] for finding in findings] == ["node", "gatekeeper", "registry"]
    assert {finding.state for finding in findings} == {state}
    assert all(f" {mirror}/" in finding.seen and "no go on PATH" in finding.seen for finding in findings)
    assert all((f"; {mirror} does not answer" in finding.seen) is not listens for finding in findings)


@pytest.mark.parametrize(
    ("mirror", "scheme"), [("http://registry.chaos:5000", "http"), ("registry.chaos:5000", "https")]
)
def test_a_mirror_is_asked_as_it_is_named(monkeypatch: pytest.MonkeyPatch, mirror: str, scheme: str) -> None:
    """Without encryption only if its name says so."""
    monkeypatch.setenv(MIRROR, mirror)
    assert preflight._registry_url("registry.chaos:5000") == f"{scheme}://registry.chaos:5000/v2/"
    assert preflight._registry_url("ghcr.io").startswith("https://")


def test_a_look_that_fails_is_a_finding() -> None:
    """One broken tool must not hide what the other looks found."""

    def broken() -> list[preflight.Finding]:
        raise OSError("exec format error")

    assert preflight._look_safely("kind", broken, "kind version") == [
        preflight.Finding("kind", "warn", "exec format error", "kind version")
    ]


def test_what_a_collection_would_leave_is_no_leftover(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Frozen and kept clusters, and those of runs that cannot be seen from here, are none; what dead runs left is."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    engine, owner = FakeEngine(), Owner.of_pool()
    Owner.nobody(owner.run).claim()
    gone = dataclasses.replace(owner, start="1")  # who made it has ended
    directory = {f"{PREFIX}.directory": str(tmp_path / "chaos-harness" / "runs" / owner.run / "c")}
    engine.add("container", "frozen", {**gone.labels(), **directory})
    engine.add("container", "kept", dataclasses.replace(Owner.mine("r"), start="1").labels(keep=True))
    assert preflight.leftovers(engine).state == "ok"
    engine.add("container", "left", dataclasses.replace(Owner.mine("s"), start="1").labels())
    assert preflight.leftovers(engine).seen == "1 of runs that have ended: container left"


def test_why_the_users_engine_cannot_be_used_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is not dropped for what a run would do instead; where the user's is demanded, that is bad."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setattr(preflight, "find", lambda: None)
    for choice, state in (("auto", "ok" if os.geteuid() == 0 else "bad"), ("system", "bad")):
        monkeypatch.setenv("CHAOS_ENGINE", choice)
        first = preflight._engine()[0]
        assert (first.name, first.state) == ("engine", state)
        assert f"yours at unix://{tmp_path}/nobody.sock cannot be used" in first.seen
    monkeypatch.setenv("CHAOS_ENGINE", "private")
    assert "nobody.sock" not in preflight._engine()[0].seen


@pytest.mark.parametrize(
    ("traits", "findings"),
    [
        (EngineTraits(), {"image store": "ok"}),
        (EngineTraits(containerd_store=True, selinux=True), {"SELinux": "ok", "image store": "ok"}),
        (EngineTraits(rootless=True, cgroup_version=2), {"rootless": "warn", "image store": "ok"}),
        (EngineTraits(remaps_users=True, snap=True), {"user namespaces": "warn", "snap": "warn", "image store": "ok"}),
        (EngineTraits(firewall="nftables"), {"firewall": "bad", "image store": "ok"}),
        (EngineTraits(kernel="6.12-linuxkit", memory_mib=4096), {"virtual machine": "warn", "image store": "ok"}),
    ],
)
def test_what_is_unusual_about_an_engine_is_a_finding(traits: EngineTraits, findings: dict[str, str]) -> None:
    """What does not work, or was not tried, comes with what to do about it."""
    seen = preflight.traits(traits)
    assert {finding.name: finding.state for finding in seen} == findings
    assert all(finding.remedy for finding in seen if finding.name in ("rootless", "snap", "firewall"))


@pytest.mark.parametrize(
    ("system", "processor", "state"),
    [("Linux", "x86_64", "ok"), ("Linux", "aarch64", "warn"), ("Linux", "riscv64", "bad"), ("Darwin", "arm64", "bad")],
)
def test_a_machine_is_supported_untried_or_neither(system: str, processor: str, state: str) -> None:
    """What no node image is for, or what is no Linux, is bad."""
    assert preflight.machine(system, processor).state == state
