"""Kind fields: the values that kind, Docker or a kubelet would refuse only after a minute, and those that they take."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.shape import Shape

_LONG = "a" * 300


def _shape(folder: Path, config: dict[str, Any]) -> Shape:
    head = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}
    (folder / "data").mkdir()
    (folder / "round").symlink_to("round")
    (folder / "kind.yaml").write_text(yaml.safe_dump(head | config), encoding="utf-8")
    return Shape.parse({"kind": str(folder / "kind.yaml")})


def _mount(**fields: Any) -> dict[str, Any]:
    return {"nodes": [{"extraMounts": [{"hostPath": "data", "containerPath": "/data"} | fields]}]}


def _labels(**labels: Any) -> dict[str, Any]:
    return {"nodes": [{"labels": labels}]}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"featureGates": {"A": "true"}}, "featureGates.A: expected true or false, found 'true'"),
        ({"featureGates": {"A": 1}}, "featureGates.A: expected true or false, found 1"),
        ({"featureGates": {"A": None}}, "featureGates.A: expected true or false, found None"),
        ({"featureGates": {"a=b": True}}, "featureGates: expected a gate's name such as InPlace"),
        ({"featureGates": {1: True}}, "featureGates: expected a gate's name such as InPlace"),
        ({"runtimeConfig": {"api/alpha": "on"}}, 'runtimeConfig.api/alpha: expected "true" or "false", found \'on\''),
        ({"runtimeConfig": {"api/alpha": []}}, 'runtimeConfig.api/alpha: expected "true" or "false", found []'),
        ({"runtimeConfig": {"a,b": "true"}}, "runtimeConfig: expected a group or version such as api/alpha, found"),
        ({"networking": {"dnsSearch": "a.b"}}, "networking.dnsSearch: expected a list of domains, found 'a.b'"),
        ({"networking": {"dnsSearch": ["a", 1]}}, "networking.dnsSearch.1: expected a domain such as example.com"),
        ({"networking": {"dnsSearch": ["a b"]}}, "networking.dnsSearch.0: expected a domain such as example.com"),
        (_labels(disk=["a"]), "nodes.0.labels.disk: expected at most 63 letters, digits"),
        (_labels(disk="a b"), "nodes.0.labels.disk: expected at most 63 letters, digits"),
        (_labels(disk="a" * 64), "nodes.0.labels.disk: expected at most 63 letters, digits"),
        (_labels(**{"a b": "c"}), "nodes.0.labels: expected a label's name such as disk or example.com/disk"),
        (_labels(**{"/a": "c"}), "nodes.0.labels: expected a label's name such as disk or example.com/disk"),
        (_labels(**{"a/b/c": "c"}), "nodes.0.labels: expected a label's name such as disk or example.com/disk"),
        (_labels(**{"a..b/c": "c"}), "nodes.0.labels: expected a label's name such as disk or example.com/disk"),
        ({"nodes": [{"labels": {1: "a"}}]}, "nodes.0.labels: expected a label's name such as disk or example.com"),
        (
            _labels(**{"node-role.kubernetes.io/infra": ""}),
            "nodes.0.labels.node-role.kubernetes.io/infra: a kubelet refuses it as one of Kubernetes; choose a prefix",
        ),
        (_mount(readOnly="yes"), "nodes.0.extraMounts.0.readOnly: expected true or false, found 'yes'"),
        (_mount(selinuxRelabel=1), "nodes.0.extraMounts.0.selinuxRelabel: expected true or false, found 1"),
        (_mount(propagation="Shared"), "extraMounts.0.propagation: expected one of None, HostToContainer, Bidirect"),
        (_mount(readonly=True), "nodes.0.extraMounts.0.readonly: no such field; did you mean readOnly?"),
        (_mount(containerPath="data"), "extraMounts.0.containerPath: expected a whole path, such as '/data', found"),
        (_mount(containerPath="./data"), "extraMounts.0.containerPath: expected a whole path, such as '/data', found"),
        (_mount(containerPath="/data:ro"), "extraMounts.0.containerPath: expected a path of visible characters"),
        (_mount(containerPath="/a\0b"), "extraMounts.0.containerPath: expected a path of visible characters"),
        (_mount(containerPath=7), "nodes.0.extraMounts.0.hostPath: expected a mount with hostPath and containerPath"),
        (_mount(containerPath="/tmp/"), "extraMounts.0.containerPath: '/tmp' holds what the harness or the node"),
        (_mount(containerPath="/proc/a"), "extraMounts.0.containerPath: '/proc/a' holds what the harness or the node"),
        (_mount(hostPath=["data"]), "nodes.0.extraMounts.0.hostPath: expected a mount with hostPath and containerPath"),
        (_mount(hostPath=_LONG), "cannot be looked for: File name too long"),
        (_mount(hostPath="a\0b"), "nodes.0.extraMounts.0.hostPath: 'a\\x00b' cannot be looked for: "),
        (_mount(hostPath="round"), "nodes.0.extraMounts.0.hostPath: "),
        (
            {"nodes": [{"extraMounts": [{"hostPath": "data", "containerPath": path} for path in ("/a", "/a/")]}]},
            "nodes.0.extraMounts.1.containerPath: '/a/' is that of extraMounts.0, too",
        ),
    ],
)
def test_refused(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    """With the field, before anything is touched."""
    with pytest.raises(BadScenario) as refused:
        _shape(tmp_path, config)
    assert words in str(refused.value)


@pytest.mark.parametrize(
    "config",
    [
        {"featureGates": {"A": True, "B": False}},
        {"runtimeConfig": {"api/alpha": True, "batch/v1": "false", "api/all": False}},
        {"networking": {"dnsSearch": ["example.com", "."]}},
        {"networking": {"dnsSearch": []}},
        _labels(disk="ssd", zone=1, gpu=True, empty="", none=None),
        _labels(**{"example.com/disk": "ssd", "node.kubernetes.io/a": "b", "topology.kubernetes.io/zone": "z"}),
        _mount(readOnly=True, selinuxRelabel=False, propagation="None"),
        _mount(readOnly=None, propagation=None),
        _mount(containerPath="/usr/share/data"),
        _mount(containerPath="/tmp/data"),
        _mount(hostPath="."),
    ],
)
def test_accepted(config: dict[str, Any], tmp_path: Path) -> None:
    """What they take, in each form that kind reads."""
    assert _shape(tmp_path, config).kind
