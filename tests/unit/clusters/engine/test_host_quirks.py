"""Tests of clusters.engine.host_quirks: quirks read from a host's files, and the configuration that answers them."""

from pathlib import Path

import pytest
import yaml

from chaos_harness.clusters.engine.host_quirks import CAPABILITIES, HostQuirks

_ALL = (1 << len(CAPABILITIES)) - 1
_WITHOUT_SYS_RESOURCE = _ALL & ~(1 << 24)


def _host(root: Path, *, bounding: int = _ALL, unified: bool = True, last: int = 40) -> HostQuirks:
    proc, sys = root / "proc", root / "sys"
    (proc / "7").mkdir(parents=True)
    (proc / "sys/kernel").mkdir(parents=True)
    (proc / "sys/fs/inotify").mkdir(parents=True)
    (sys / "fs/cgroup").mkdir(parents=True)
    (proc / "7/status").write_text(f"Name:\tdockerd\nCapEff:\t{bounding:016x}\nCapBnd:\t{bounding:016x}\n")
    (proc / "sys/kernel/cap_last_cap").write_text(f"{last}\n")
    (proc / "sys/fs/inotify/max_user_watches").write_text("65536\n")
    (proc / "sys/fs/inotify/max_user_instances").write_text("128\n")
    if unified:
        (sys / "fs/cgroup/cgroup.controllers").write_text("cpu memory\n")
    return HostQuirks.detect(7, proc, sys)


def test_a_usual_host_has_no_quirks_and_gets_nothing(tmp_path: Path) -> None:
    """A host with every capability and cgroup v2 gets no file and no patch."""
    quirks = _host(tmp_path)
    assert (quirks.any, quirks.node_files(), quirks.containerd_patches()) == (False, {}, [])
    assert quirks.kubeadm_patches("v1.37.0") == []


def test_a_capability_outside_the_bounding_set_is_missing(tmp_path: Path) -> None:
    """The bit of a capability that the bounding set lacks is told by its name."""
    assert _host(tmp_path, bounding=_WITHOUT_SYS_RESOURCE).missing_capabilities == ("CAP_SYS_RESOURCE",)


def test_a_capability_that_the_kernel_does_not_know_is_not_missing(tmp_path: Path) -> None:
    """An old kernel whose last capability is 37 lacks none of the later ones."""
    assert _host(tmp_path, bounding=(1 << 38) - 1, last=37).missing_capabilities == ()


def test_cgroup_v1_is_a_mount_without_controllers_file(tmp_path: Path) -> None:
    """/sys/fs/cgroup without cgroup.controllers means version 1."""
    assert _host(tmp_path, unified=False).cgroup_v1


def test_inotify_limits_are_read(tmp_path: Path) -> None:
    """Both limits are the numbers in /proc/sys/fs/inotify, and are no quirk."""
    quirks = _host(tmp_path)
    assert (quirks.inotify_watches, quirks.inotify_instances, quirks.any) == (65536, 128, False)


@pytest.mark.parametrize(
    ("bounding", "missing"),
    [
        (_ALL, ()),
        (_WITHOUT_SYS_RESOURCE, ("CAP_SYS_RESOURCE",)),
        (0xA80425FB, ()),
    ],
    ids=["usual", "the host lacks one", "in a container"],
)
def test_an_engine_of_another_namespace_lacks_what_this_process_lacks(
    bounding: int, missing: tuple[str, ...], tmp_path: Path
) -> None:
    """Both live on one kernel; a container's own bounds, which are those that Docker gives, say nothing of it."""
    _host(tmp_path, bounding=bounding, unified=False)
    (tmp_path / "proc/7").rename(tmp_path / "proc/self")
    quirks = HostQuirks.of_unseen(tmp_path / "proc", tmp_path / "sys")
    assert (quirks.missing_capabilities, quirks.cgroup_v1) == (missing, True)


def test_a_host_that_cannot_be_read_counts_as_usual(tmp_path: Path) -> None:
    """An engine in another machine's or namespace's /proc has no quirks that we could answer."""
    assert HostQuirks.detect(7, tmp_path / "none", tmp_path / "none") == HostQuirks()


def test_nodes_without_sys_resource_get_a_drop_in_that_empties_limits() -> None:
    """containerd.service gets a drop-in that takes back each setting systemd cannot apply."""
    ((path, content),) = HostQuirks(missing_capabilities=("CAP_SYS_RESOURCE",)).node_files().items()
    assert path.startswith("/etc/systemd/system/containerd.service.d/")
    assert content.splitlines() == ["[Service]", "OOMScoreAdjust=", "LimitNPROC=", "LimitCORE=", "LimitNOFILE="]


def test_nodes_on_cgroup_v1_make_the_cgroup_that_the_kubelet_looks_for() -> None:
    """Before it starts, each time, and it starts if that fails; a host with cgroup v2 has no such file."""
    ((path, content),) = HostQuirks(cgroup_v1=True).node_files().items()
    assert path.startswith("/etc/systemd/system/kubelet.service.d/")
    section, line = content.splitlines()
    assert section == "[Service]"
    assert line == "ExecStartPre=-/bin/mkdir -p /sys/fs/cgroup/systemd/kubelet.slice/kubelet-kubepods.slice"


def test_another_missing_capability_changes_no_node() -> None:
    """Only CAP_SYS_RESOURCE needs an answer in the nodes: the shim takes care of the rest."""
    quirks = HostQuirks(missing_capabilities=("CAP_SYS_TIME",))
    assert (quirks.node_files(), quirks.containerd_patches(), quirks.kubeadm_patches("v1.36.4")) == ({}, [], [])
    assert quirks.any


@pytest.mark.parametrize(("kubernetes", "patched"), [("v1.34.11", False), ("v1.35.8", True), ("v1.37.0", True)])
def test_kubelets_from_1_35_on_are_told_to_accept_cgroup_v1(kubernetes: str, patched: bool) -> None:
    """FailCgroupV1 is set for the versions that refuse cgroup v1, and for no other."""
    patches = [yaml.safe_load(patch) for patch in HostQuirks(cgroup_v1=True).kubeadm_patches(kubernetes)]
    assert patches == ([{"kind": "KubeletConfiguration", "failCgroupV1": False}] if patched else [])


def test_one_kubeadm_patch_carries_both_answers() -> None:
    """A host with both quirks gets one patch of the kubelet's configuration, not two that replace each other."""
    quirks = HostQuirks(missing_capabilities=("CAP_SYS_RESOURCE",), cgroup_v1=True)
    (patch,) = quirks.kubeadm_patches("v1.36.4")
    assert yaml.safe_load(patch) == {
        "kind": "KubeletConfiguration",
        "failCgroupV1": False,
        "featureGates": {"KubeletInUserNamespace": True},
    }
