"""Private engine: a containerd and a dockerd of our own; other engines on the machine are not affected.

Life cycle: `start` asks once whether it may (`setup_notice`), installs what is missing, removes what a crash left,
starts both daemons detached from this process, and waits until they answer. Later runs find the daemons by the records
that they wrote, and use them. `stop` ends them and undoes the changes to this machine; images stay for the next start.
"""

import contextlib
import json
import os
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import docker
from docker.errors import DockerException

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import (
    cleanup,
    firewall,
    host_changes,
    limits,
    packages,
    processes,
    runtime_shim,
    setup_notice,
    user_engine,
)
from chaos_harness.clusters.engine.host_quirks import HostQuirks
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine.locking import hold_lock
from chaos_harness.clusters.machine.orphans import MARK
from chaos_harness.clusters.machine.paths import require_trusted
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.mirror import Mirror
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["answers", "answers_in_time", "start", "stop"]

_LOCK_SECONDS = 1200
_START_SECONDS = 120
_STOP_SECONDS = 60
_BUSY_SECONDS = 30
_PING_SECONDS = 5
_LOG_TAIL = 2000
_KEPT_ENVIRONMENT = re.compile(r"(HTTPS?|NO|ALL)_PROXY|SSL_CERT_(FILE|DIR)|DOCKER_RAMDISK", re.IGNORECASE)
"""Environment that the daemons need from the process that starts them: proxies, and what only this machine knows."""


def answers(layout: Layout) -> bool:
    """Whether the engine's daemons run and dockerd answers; another program on its socket does not count.

    Daemons in another PID namespace are invisible: then whatever listens on a socket that root owns is the engine.
    """
    seen = _running(layout) and user_engine.listener(layout.host) is not None
    if not seen and not _runs_in_other_namespace(layout):
        return False
    try:
        with closing(docker.DockerClient(base_url=layout.host, timeout=_PING_SECONDS)) as client:
            return bool(client.ping())
    except (DockerException, OSError):  # requests' errors are OSErrors
        return False


def answers_in_time(layout: Layout, seconds: float | None = None) -> bool:
    """Whether the engine answers, with patience if it is busy; False if it does not run.

    Raises EngineUnavailable if it runs but does not answer within `seconds` (default: 30): it is not absent.
    """
    if not os.access(layout.run, os.X_OK):  # none was ever started, or it is no engine of this user's
        return False
    deadline = Deadline.after(_BUSY_SECONDS if seconds is None else seconds, "the private engine to answer")
    for _ in deadline.attempts():
        if answers(layout):
            return True
        if not _running(layout) and not _runs_in_other_namespace(layout):
            return False
    raise EngineUnavailable(
        f"the private engine at {layout.host} runs but has not answered for {deadline.seconds:.0f} s: it keeps "
        "running, since live runs may need it; try again when `uptime` shows less load, or end it and all it runs: "
        f"`{command_line('gc --')} --all`"
    )


def start(layout: Layout, progress: Progress, adopt: Callable[[], object] = lambda: None) -> None:
    """Make the engine answer: use it if it runs, else remove its remains and start it; then call `adopt`.

    Nobody else starts or stops it until `adopt` returns. Raises ConsentMissing, EngineUnavailable (not root, not
    installable, a daemon that exits, with the end of its log, or one that runs but does not answer).
    """
    if os.geteuid() != 0:
        raise EngineUnavailable(
            "no Docker engine answers, and only root can start a private one; start yours and make sure that "
            "`docker info` works (`sudo systemctl start docker; sudo usermod -aG docker $USER`, then log in again), "
            "or run as root"
        )
    if not processes.running(layout):
        setup_notice.require_consent(layout)
    layout.run.mkdir(mode=0o700, parents=True, exist_ok=True)
    layout.run.chmod(0o700)
    with hold_lock(str(layout.lock), Deadline.after(_LOCK_SECONDS, "another process that starts or stops the engine")):
        if not answers_in_time(layout, _START_SECONDS):
            _require_visible(layout)
            packages.install_missing(progress)
            with progress.step("start a private Docker engine"):
                _start(layout)
        firewall.allow(layout, _pool(layout))
        limits.raise_limits(layout)
        adopt()


def stop(layout: Layout, progress: Progress, used: Callable[[], bool] | None = None) -> bool:
    """End the engine with all its containers; remove everything but images; return whether anything existed.

    With `used`, only if that returns false, while nobody else starts, uses or stops the engine. Raises
    EngineUnavailable if something cannot be ended or removed.
    """
    if not layout.run.exists():
        return False
    with hold_lock(str(layout.lock), Deadline.after(_LOCK_SECONDS, "another process that starts or stops the engine")):
        if used and used():
            return False
        _require_visible(layout)
        daemons = processes.find(layout, "dockerd")
        existed = bool(daemons) or layout.daemon_config.exists()
        with progress.step("stop the private Docker engine"):
            processes.end(daemons, Deadline.after(_STOP_SECONDS + 10, "dockerd to end"), _STOP_SECONDS)
            cleanup.clear(layout)
            host_changes.put_back(layout)
    return existed


def _running(layout: Layout) -> bool:
    return all(processes.find(layout, program) for program in ("dockerd", "containerd"))


def _runs_in_other_namespace(layout: Layout) -> bool:
    """Whether daemons that are invisible from here listen on the engine's socket."""
    return user_engine.listens_in_other_namespace(layout.host) and layout.socket.stat().st_uid == 0


def _require_visible(layout: Layout) -> None:
    """Raise EngineUnavailable if a daemon of the engine runs in another PID namespace: it cannot be ended from here."""
    if any(
        user_engine.listens_in_other_namespace(f"unix://{socket}")
        for socket in (layout.socket, layout.containerd_socket)
    ):
        raise EngineUnavailable(
            f"the private engine at {layout.host} runs in another PID namespace, whose processes cannot be ended from "
            f"this one: `{command_line('gc')}` there stops it"
        )


def _start(layout: Layout) -> None:
    cleanup.clear(layout)
    for directory in (layout.data, layout.cli_config):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        require_trusted(directory, content=False).chmod(0o700)
    (layout.cli_config / "config.json").write_text("{}\n")
    layout.containerd_config.write_text(_containerd_config(layout))
    layout.daemon_config.write_text(json.dumps(_daemon_config(layout, HostQuirks.detect()), indent=2))
    deadline = Deadline.after(_START_SECONDS, "the private engine to answer")
    limits.record_settings(layout)
    try:
        _launch(layout, "containerd", "--config", layout.containerd_config, deadline)
        _wait(layout, "containerd", deadline)
        _launch(layout, "dockerd", "--config-file", layout.daemon_config, deadline)
        _wait(layout, "dockerd", deadline)
        layout.socket.chmod(0o600)
    except BaseException:
        cleanup.clear(layout)
        host_changes.put_back(layout)
        raise


def _launch(layout: Layout, program: str, option: str, config: Path, deadline: Deadline) -> None:
    """Start a daemon in a session of its own and detached: it outlives this run, and init reaps it.

    It gets only the part of this process's environment that it needs: otherwise secrets, for example of a CI job, would
    stay in its environment.
    """
    log = layout.log(program)
    if log.exists():
        log.replace(log.with_suffix(".log.old"))
    started = processes.recording_command(layout, program, [packages.program(program) or program, option, config])
    others = [f"--unset={name}" for name in (*os.environ, MARK) if not _KEPT_ENVIRONMENT.fullmatch(name)]
    with open(log, "w+b", opener=_private) as file:
        argv: list[str | Path] = ["env", *others, f"PATH={packages.SEARCH_PATH}", "setsid", "--fork", *started]
        run(argv, deadline, cwd=Path("/"), stdout=file, stderr=file)
    for _ in deadline.attempts():
        if layout.record(program).exists():
            return
    raise EngineUnavailable(f"{deadline.error(f'{program} was started but does not run')}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _wait(layout: Layout, program: str, deadline: Deadline) -> None:
    for _ in deadline.attempts(most=0.5):
        if not processes.find(layout, program):
            raise EngineUnavailable(f"{program} of the private engine ended at its start; {_tail(layout, program)}")
        if layout.containerd_socket.exists() if program == "containerd" else answers(layout):
            return
    raise EngineUnavailable(f"{deadline.error(f'{program} runs but does not answer')}; {_tail(layout, program)}")


def _tail(layout: Layout, program: str) -> str:
    log = layout.log(program)
    text = log.read_text(errors="replace").strip()[-_LOG_TAIL:] if log.exists() else ""
    return f"`tail -50 {log}` shows more of:\n{text}"


def _containerd_config(layout: Layout) -> str:
    return f"""\
version = 2
root = "{layout.containerd_root}"
state = "{layout.containerd_state}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.nri.v1.nri"]
[grpc]
address = "{layout.containerd_socket}"
[debug]
level = "warn"
[plugins."io.containerd.internal.v1.opt"]
path = "{layout.containerd_root / "opt"}"
"""


def _daemon_config(layout: Layout, quirks: HostQuirks) -> dict[str, object]:
    """Return dockerd's configuration.

    containerd's address must be set: otherwise dockerd uses the system's if its socket exists. There is no default
    bridge: no container of ours uses it, and docker0 may be the user's. The module firewall says why iptables is off.
    Images stay in Docker's own store, as in all versions before 29: there an image has the same ID everywhere.
    """
    config: dict[str, object] = {
        "data-root": str(layout.docker_root),
        "exec-root": str(layout.exec_root),
        "pidfile": str(layout.pidfile),
        "hosts": [layout.host],
        "group": "root",
        "containerd": str(layout.containerd_socket),
        "exec-opts": ["native.cgroupdriver=cgroupfs"],
        "cgroup-parent": f"/{layout.name}",
        "bridge": "none",
        "iptables": False,
        "features": {"containerd-snapshotter": False},
        "default-address-pools": [{"base": _pool(layout), "size": 24}],
        "userland-proxy": True,
        "live-restore": False,
        "log-level": "warn",
        "log-driver": "json-file",
        "log-opts": {"max-size": "50m", "max-file": "2"},
    }
    if (mirror := Mirror.read()).plain:
        config |= {"insecure-registries": [mirror.host]}
    if quirks.missing_capabilities:
        runc = packages.program("runc")
        if runc is None:
            raise EngineUnavailable("no runc on this machine; `apt-get install runc` brings it")
        runtime_shim.write(layout.runtime, quirks.missing_capabilities, runc)
        config |= {"runtimes": {"capable": {"path": str(layout.runtime)}}, "default-runtime": "capable"}
    return config


def _pool(layout: Layout) -> str:
    """Return the engine's range of addresses: of the running engine, else the one chosen earlier for its networks.

    The running engine's configuration is at one place, whatever $XDG_CACHE_HOME is.
    """
    if processes.running(layout):
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError):
            return str(json.loads(layout.daemon_config.read_text())["default-address-pools"][0]["base"])
    record = layout.data / "address-pool"
    try:
        return record.read_text().strip()
    except FileNotFoundError:
        layout.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        pool = firewall.free_pool()
        record.write_text(pool)
        return pool
