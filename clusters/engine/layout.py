"""Layout: where one private engine keeps its data and its run-time files."""

from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.machine.paths import cache_dir

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """The paths of one private engine; two engines with different `name`, `data` and `run` share nothing."""

    name: str
    """Name of its parent cgroup and of its chain in iptables (at most 28 characters)."""
    data: Path
    """What should survive: images, layers, stopped containers, logs."""
    run: Path
    """What a restart of the machine may take: sockets, pidfiles, generated configuration (mode 0700)."""

    @classmethod
    def default(cls) -> "Layout":
        """Return the paths of the engine that every run on this machine shares."""
        return cls("chaos-harness", cache_dir("engine"), Path("/run/chaos-harness"))

    @property
    def chain(self) -> str:
        """The name of its chain in iptables."""
        return self.name.upper()

    @property
    def socket(self) -> Path:
        """The socket that dockerd listens on."""
        return self.run / "docker.sock"

    @property
    def host(self) -> str:
        """The engine's DOCKER_HOST value."""
        return f"unix://{self.socket}"

    @property
    def daemon_config(self) -> Path:
        """Configuration of dockerd."""
        return self.run / "daemon.json"

    @property
    def containerd_config(self) -> Path:
        """Configuration of containerd."""
        return self.run / "containerd.toml"

    @property
    def containerd_socket(self) -> Path:
        """The socket of our containerd."""
        return self.containerd_state / "containerd.sock"

    @property
    def containerd_state(self) -> Path:
        """The state directory of containerd; each shim works in its container's directory below it."""
        return self.run / "containerd"

    @property
    def docker_root(self) -> Path:
        """The data-root of dockerd."""
        return self.data / "docker"

    @property
    def containerd_root(self) -> Path:
        """The root of containerd."""
        return self.data / "containerd"

    @property
    def exec_root(self) -> Path:
        """The exec-root of dockerd: network namespaces, state of runc."""
        return self.run / "exec"

    @property
    def pidfile(self) -> Path:
        """The pidfile of dockerd; dockerd refuses to start if it exists."""
        return self.run / "docker.pid"

    def record(self, daemon: str) -> Path:
        """Return the file in which `daemon` (dockerd or containerd) records its process."""
        return self.run / f"{daemon}.process"

    @property
    def lock(self) -> Path:
        """The lock for starting and stopping this engine."""
        return self.run / "lock"

    @property
    def runtime(self) -> Path:
        """The OCI runtime that dockerd uses on a host with missing capabilities."""
        return self.run / "oci-runtime"

    @property
    def cli_config(self) -> Path:
        """DOCKER_CONFIG for commands to this engine: without the user's contexts, proxies and credentials."""
        return self.run / "cli"

    def log(self, daemon: str) -> Path:
        """Return the log of `daemon` (dockerd or containerd)."""
        return self.data / f"{daemon}.log"
