"""Traits: what an engine reports of itself that decides whether and how nodes run on it."""

import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from chaos_harness.clusters.machine.supported import refusal as machine_refusal

__all__ = ["EngineTraits"]

_CONTAINERD_STORE = "io.containerd.snapshotter.v1"
_SNAP = PurePosixPath("/var/snap")
_MIB = 1 << 20


@dataclass(frozen=True)
class EngineTraits:
    """An engine's own words about itself (`docker version` and `docker info`); what it does not say counts as usual."""

    podman: bool = False
    """Whether it is Podman behind Docker's API."""
    rootless: bool = False
    remaps_users: bool = False
    """Whether root of a container is another user of the host (userns-remap)."""
    selinux: bool = False
    snap: bool = False
    """Whether it was installed by snap, which hides folders from it."""
    containerd_store: bool = False
    """Whether images lie in containerd's store, as in a new Docker 29, and not in Docker's own."""
    cgroup_version: int = 0
    """1 or 2; 0 if it does not say."""
    processor: str = ""
    """By the kernel's name, such as x86_64."""
    kernel: str = ""
    """Release of the kernel that it runs on."""
    memory_mib: int = 0
    """All memory of its kernel; 0 if it does not say."""
    runtime: str = ""
    """Name of its default OCI runtime; "" if it does not say."""
    firewall: str = ""
    """What it writes its firewall rules with: "iptables", "nftables"; "" if it does not say."""

    @classmethod
    def of(cls, version: Mapping[str, Any], info: Mapping[str, Any]) -> "EngineTraits":
        """Return the traits in the answers to `/version` and `/info` of Docker's API."""
        components = [str(component.get("Name")) for component in version.get("Components") or ()]
        secured = {str(option).split(",")[0] for option in info.get("SecurityOptions") or ()}
        cgroups = str(info.get("CgroupVersion") or "")
        return cls(
            podman=any(name.startswith("Podman") for name in components),
            rootless="name=rootless" in secured,
            remaps_users="name=userns" in secured,
            selinux="name=selinux" in secured,
            snap=_SNAP in PurePosixPath(str(info.get("DockerRootDir") or "")).parents,
            containerd_store=any(_CONTAINERD_STORE in map(str, row) for row in info.get("DriverStatus") or ()),
            cgroup_version=int(cgroups) if cgroups in ("1", "2") else 0,
            processor=str(info.get("Architecture") or ""),
            kernel=str(info.get("KernelVersion") or ""),
            memory_mib=int(info.get("MemTotal") or 0) // _MIB,
            runtime=str(info.get("DefaultRuntime") or ""),
            firewall=str((info.get("FirewallBackend") or {}).get("Driver") or "").split("+")[0],
        )

    @property
    def of_this_kernel(self) -> bool:
        """Whether the engine runs on the kernel of this process; Docker Desktop's runs in a virtual machine."""
        return self.kernel in ("", platform.release())

    @property
    def refusal(self) -> str:
        """Why clusters cannot run on this engine, in one line; "" if they can."""
        if self.podman:
            return (
                "it is Podman: clusters are created, frozen and labelled by commands of Docker, and have not been "
                "made to work on it"
            )
        if self.rootless and self.cgroup_version == 1:
            return "it is rootless on cgroup v1, where kind creates no cluster; boot with cgroup v2"
        return machine_refusal(processor=self.processor) if self.processor else ""
