"""Host quirks: what an engine's host lacks, and the configuration of nodes that compensates for it."""

from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["CAPABILITIES", "HostQuirks"]

CAPABILITIES = (
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_DAC_READ_SEARCH",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_SETGID",
    "CAP_SETUID",
    "CAP_SETPCAP",
    "CAP_LINUX_IMMUTABLE",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_BROADCAST",
    "CAP_NET_ADMIN",
    "CAP_NET_RAW",
    "CAP_IPC_LOCK",
    "CAP_IPC_OWNER",
    "CAP_SYS_MODULE",
    "CAP_SYS_RAWIO",
    "CAP_SYS_CHROOT",
    "CAP_SYS_PTRACE",
    "CAP_SYS_PACCT",
    "CAP_SYS_ADMIN",
    "CAP_SYS_BOOT",
    "CAP_SYS_NICE",
    "CAP_SYS_RESOURCE",
    "CAP_SYS_TIME",
    "CAP_SYS_TTY_CONFIG",
    "CAP_MKNOD",
    "CAP_LEASE",
    "CAP_AUDIT_WRITE",
    "CAP_AUDIT_CONTROL",
    "CAP_SETFCAP",
    "CAP_MAC_OVERRIDE",
    "CAP_MAC_ADMIN",
    "CAP_SYSLOG",
    "CAP_WAKE_ALARM",
    "CAP_BLOCK_SUSPEND",
    "CAP_AUDIT_READ",
    "CAP_PERFMON",
    "CAP_BPF",
    "CAP_CHECKPOINT_RESTORE",
)
"""Names by number, as in linux/capability.h."""

_UNLIMITED = "CAP_SYS_RESOURCE"
_EVERY_ENGINES = "CAP_SYS_ADMIN"
_DROP_IN = "/etc/systemd/system/containerd.service.d/10-host-without-sys-resource.conf"
_CGROUP_DROP_IN = "/etc/systemd/system/kubelet.service.d/15-host-with-cgroup-v1.conf"
_PODS_CGROUP = "/sys/fs/cgroup/systemd/kubelet.slice/kubelet-kubepods.slice"
_CGROUP_V1_REFUSED_SINCE = (1, 35)


@dataclass(frozen=True)
class HostQuirks:
    """What is unusual about the host of an engine; none of it belongs into a node image.

    `inotify_watches` and `inotify_instances` are limits per user; the private engine raises them while it runs.
    """

    missing_capabilities: tuple[str, ...] = ()
    cgroup_v1: bool = False
    inotify_watches: int | None = None
    inotify_instances: int | None = None

    @classmethod
    def detect(cls, pid: int | str = "self", proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> "HostQuirks":
        """Return the quirks as the process `pid` sees them (an engine, or the process that will start it).

        What cannot be read, since the engine runs on another machine or in another namespace, counts as usual.
        """
        cgroups = sys / "fs" / "cgroup"
        return cls(
            missing_capabilities=_missing(proc, pid),
            cgroup_v1=cgroups.is_dir() and not (cgroups / "cgroup.controllers").exists(),
            inotify_watches=_number(proc / "sys/fs/inotify/max_user_watches"),
            inotify_instances=_number(proc / "sys/fs/inotify/max_user_instances"),
        )

    @classmethod
    def of_unseen(cls, proc: Path = Path("/proc"), sys: Path = Path("/sys")) -> "HostQuirks":
        """Return the quirks of an engine on this kernel whose process is in another PID namespace.

        Capabilities that this process lacks, the engine lacks, too, unless this process has fewer than every engine, as
        in a container: then nothing is known, and that counts as usual.
        """
        own = cls.detect("self", proc, sys)
        return replace(own, missing_capabilities=()) if _EVERY_ENGINES in own.missing_capabilities else own

    @property
    def any(self) -> bool:
        """Whether nodes need configuration that they would not need on a usual host."""
        return bool(self.missing_capabilities) or self.cgroup_v1

    def node_files(self) -> dict[str, str]:
        """Return files to mount into every node, path → content.

        Without CAP_SYS_RESOURCE systemd cannot raise limits or the OOM score, and a unit that asks for it fails, as
        kind's containerd.service does.

        On cgroup v1 the kubelet looks for its pods' cgroup in systemd's own hierarchy, too. In an engine in a pod of a
        kind cluster, systemd left it out on half of the nodes ("has some missing paths"), and no kubelet started there.
        """
        files = {}
        if _UNLIMITED in self.missing_capabilities:
            files[_DROP_IN] = "[Service]\nOOMScoreAdjust=\nLimitNPROC=\nLimitCORE=\nLimitNOFILE=\n"
        if self.cgroup_v1:
            files[_CGROUP_DROP_IN] = f"[Service]\nExecStartPre=-/bin/mkdir -p {_PODS_CGROUP}\n"
        return files

    def containerd_patches(self) -> list[str]:
        """Return TOML for kind's containerdConfigPatches: Pods get no better OOM score than containerd has."""
        if _UNLIMITED not in self.missing_capabilities:
            return []
        return ['[plugins."io.containerd.grpc.v1.cri"]\n  restrict_oom_score_adj = true\n']

    def kubeadm_patches(self, kubernetes: str) -> list[str]:
        """Return YAML for kind's kubeadmConfigPatches with which the kubelet of version `kubernetes` starts.

        KubeletInUserNamespace lets it continue if limits cannot be set. Since 1.35 it refuses cgroup v1 unless
        configured otherwise (https://kep.k8s.io/5573).
        """
        lines = []
        if self.cgroup_v1 and _minor(kubernetes) >= _CGROUP_V1_REFUSED_SINCE:
            lines += ["failCgroupV1: false"]
        if _UNLIMITED in self.missing_capabilities:
            lines += ["featureGates:", "  KubeletInUserNamespace: true"]
        return ["\n".join(["kind: KubeletConfiguration", *lines, ""])] if lines else []


def _missing(proc: Path, pid: int | str) -> tuple[str, ...]:
    try:
        status = (proc / str(pid) / "status").read_text()
        last = int((proc / "sys/kernel/cap_last_cap").read_text())
    except (OSError, ValueError):
        return ()
    bounding = next((int(line.split()[1], 16) for line in status.splitlines() if line.startswith("CapBnd:")), None)
    if bounding is None:
        return ()
    return tuple(name for number, name in enumerate(CAPABILITIES[: last + 1]) if not bounding >> number & 1)


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _minor(version: str) -> tuple[int, int]:
    major, minor = version.lstrip("v").split(".")[:2]
    return int(major), int(minor)
