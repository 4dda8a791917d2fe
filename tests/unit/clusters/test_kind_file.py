"""Kind file: what of the user's kind configuration is merged, and what contradicts the harness."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.kind.audit_log import AUDIT_PATCH, AUDIT_POLICY
from chaos_harness.clusters.kind.cli import configuration, node_names
from chaos_harness.clusters.kind.node_files import POD_SUBNET
from chaos_harness.clusters.kind_file import KindFile
from chaos_harness.clusters.shape import Shape

_HEAD = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4"}
_ARGUMENTS = "kind: ClusterConfiguration\napiServer:\n  extraArgs:\n    v: '4'\n"
_TOML = '[plugins."io.containerd.grpc.v1.cri"]\n  max_container_log_line_size = 9\n'


def shape(folder: Path, fields: dict[str, Any] | None = None, **config: Any) -> Shape:
    """Return a shape of the configuration in a file; `fields` are more of the shape's."""
    path = folder / "kind.yaml"
    path.write_text(yaml.safe_dump(_HEAD | config, sort_keys=False), encoding="utf-8")
    return Shape.parse({"kind": str(path), **(fields or {})})


def merged(wanted: Shape) -> dict[str, Any]:
    mounts = {AUDIT_POLICY: Path("/run/x")}
    document: dict[str, Any] = yaml.safe_load(configuration("c", wanted, image="node:1", port=21000, mounts=mounts))
    return document


def test_what_is_not_the_harnesss_is_merged(tmp_path: Path) -> None:
    """Feature gates, API groups, DNS; patches stand before ours, which decide."""
    config = merged(
        shape(
            tmp_path,
            featureGates={"InPlacePodVerticalScaling": True},
            runtimeConfig={"api/alpha": "true"},
            networking={"dnsSearch": ["example.com"]},
            kubeadmConfigPatches=[_ARGUMENTS],
            containerdConfigPatches=[_TOML],
        )
    )
    plain = merged(Shape())
    assert config["featureGates"] == {"InPlacePodVerticalScaling": True}
    assert config["runtimeConfig"] == {"api/alpha": "true"}
    assert config["networking"] == {**plain["networking"], "dnsSearch": ["example.com"]}
    assert config["kubeadmConfigPatches"] == [_ARGUMENTS, *plain["kubeadmConfigPatches"]]
    assert config["containerdConfigPatches"] == [_TOML, *plain["containerdConfigPatches"]]
    assert (config["nodes"], config["name"]) == (plain["nodes"], "c")
    assert AUDIT_PATCH in config["kubeadmConfigPatches"]


def test_its_nodes_are_the_shapes(tmp_path: Path) -> None:
    """Control planes first, as the names of nodes are; what each mounts comes behind what the harness mounts."""
    (tmp_path / "data").mkdir()
    mount = {"hostPath": "./data", "containerPath": "/data", "readOnly": True}
    nodes = [{"role": "worker", "labels": {"disk": "ssd"}, "extraMounts": [mount]}, {}, {"role": "worker"}]
    wanted = shape(tmp_path, nodes=nodes)
    assert (wanted.control_planes, wanted.workers) == (1, 2)
    assert len(node_names("c", wanted)) == 3
    first, second, third = merged(wanted)["nodes"]
    assert [node["role"] for node in (first, second, third)] == ["control-plane", "worker", "worker"]
    assert {node["image"] for node in (first, second, third)} == {"node:1"}
    assert second["labels"] == {"disk": "ssd"}
    assert [one["containerPath"] for one in second["extraMounts"]] == [AUDIT_POLICY, "/data"]
    assert second["extraMounts"][1]["hostPath"] == str(tmp_path / "data")
    assert [one["containerPath"] for one in third["extraMounts"]] == [AUDIT_POLICY]


def test_a_shape_is_another_one_by_what_is_in_the_file(tmp_path: Path) -> None:
    """Its name has a digest of the content, and a file that an incident is written to names it from there."""
    one = shape(tmp_path)
    other = shape(tmp_path, featureGates={"A": True})
    assert len({one.slug, other.slug, Shape().slug}) == 3
    assert other.fields(tmp_path)["kind"] == "kind.yaml"
    assert "kind" not in Shape().fields(tmp_path)
    assert Shape.parse(other.model_dump(mode="json")) == other


_WORKER = {"role": "worker"}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"apiVersion": "v1"}, "expected a configuration of kind: `kind: Cluster` and `apiVersion: kind"),
        ({"name": "mine"}, "name: the harness names its clusters"),
        ({"featureGate": {}}, "featureGate: no such field; did you mean featureGates?"),
        ({"featureGates": ["A"]}, "featureGates: expected a map, found"),
        ({"networking": {"podSubnet": POD_SUBNET}}, "networking.podSubnet: addresses and ports are the harness's own"),
        ({"networking": "x"}, "networking: expected a map"),
        (
            {"networking": {1: "a", "apiServerPort": 3}},
            "networking.apiServerPort: addresses and ports are the harness's",
        ),
        ({"kubeadmConfigPatchesJSON6902": []}, "kubeadmConfigPatchesJSON6902: a patch of this form cannot be compared"),
        ({"kubeadmConfigPatches": "x"}, "kubeadmConfigPatches: expected a list"),
        (
            {"kubeadmConfigPatches": ["kind: Pod"]},
            "kubeadmConfigPatches.0: expected a text of YAML, of the kind Cluster",
        ),
        (
            {"kubeadmConfigPatches": ["kind: KubeletConfiguration\nnodeStatusReportFrequency: 1m"]},
            "kubeadmConfigPatches.0: nodeStatusReportFrequency of KubeletConfiguration is the harness's own",
        ),
        (
            {"kubeadmConfigPatches": ["kind: ClusterConfiguration\napiServer: {extraVolumes: []}"]},
            "kubeadmConfigPatches.0: apiServer.extraVolumes of ClusterConfiguration is the harness's own",
        ),
        (
            {"kubeadmConfigPatches": [f"{_ARGUMENTS}    audit-log-path: /x\n"]},
            "kubeadmConfigPatches.0: apiServer.extraArgs.audit-log-path: the audit log is the harness's own",
        ),
        (
            {"kubeadmConfigPatches": ["kind: ClusterConfiguration\napiServer: {extraArgs: [{name: v, value: '4'}]}"]},
            "apiServer.extraArgs: write them as a map, and leave out apiVersion",
        ),
        ({"containerdConfigPatches": ["a = "]}, "containerdConfigPatches.0: no TOML"),
        (
            {"containerdConfigPatches": ['[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/x"\n']},
            "containerdConfigPatches.0: plugins.io.containerd.grpc.v1.cri.registry: nodes pull from the harness's",
        ),
        (
            {"nodes": [{"role": "control-plane", "image": "x"}]},
            "nodes.0.image: the nodes' image is that of `kubernetes`",
        ),
        (
            {"nodes": [{"extraPortMappings": []}]},
            "nodes.0.extraPortMappings: what a node publishes is the harness's own",
        ),
        ({"nodes": [{"role": "master"}]}, "nodes.0.role: expected control-plane or worker, found 'master'"),
        ({"nodes": [_WORKER]}, "nodes: expected 1 or 3 control planes, found 0"),
        ({"nodes": [{}, *[_WORKER] * 7]}, "nodes: expected at most 6 workers, found 7"),
        ({"nodes": ["x"]}, "nodes: expected a list of nodes"),
        ({"nodes": [{"extraMounts": [{"hostPath": "x"}]}]}, "nodes.0.extraMounts.0.hostPath: expected a mount"),
        (
            {"nodes": [{"extraMounts": [{"hostPath": "none", "containerPath": "/x"}]}]},
            "nodes.0.extraMounts.0.hostPath: no file 'none' in",
        ),
        (
            {"nodes": [{"extraMounts": [{"hostPath": "/etc", "containerPath": "/x"}]}]},
            "nodes.0.extraMounts.0.hostPath: '/etc' leads out of the file's directory",
        ),
        (
            {"nodes": [{"extraMounts": [{"hostPath": ".", "containerPath": "/etc/../etc/kubernetes/audit"}]}]},
            "nodes.0.extraMounts.0.containerPath: '/etc/kubernetes/audit' holds what the harness",
        ),
    ],
)
def test_what_contradicts_is_refused_with_its_field(config: dict[str, Any], words: str, tmp_path: Path) -> None:
    """Before anything is touched."""
    with pytest.raises(BadScenario) as refused:
        shape(tmp_path, **config)
    assert words in str(refused.value)


def test_all_of_it_is_told_at_once(tmp_path: Path) -> None:
    """With the file and the place in the shape."""
    with pytest.raises(BadScenario) as refused:
        shape(tmp_path, name="mine", nodes=[{"image": "x"}])
    assert str(refused.value).startswith("shape: kind: ")
    assert all(f"{tmp_path}/kind.yaml: {words}" in str(refused.value) for words in ("name: ", "nodes.0.image: "))


@pytest.mark.parametrize(("fields", "refused"), [({"workers": 1}, False), ({"workers": 2}, True), ({}, False)])
def test_numbers_beside_it(fields: dict[str, Any], refused: bool, tmp_path: Path) -> None:
    """The shape need not say them, and may not say others."""
    nodes = [{}, {"role": "worker"}]
    if refused:
        with pytest.raises(BadScenario, match=r"workers: 2 is asked for, and .*kind\.yaml has 1"):
            shape(tmp_path, fields, nodes=nodes)
    else:
        assert shape(tmp_path, fields, nodes=nodes).workers == 1


def test_a_file_that_is_not_there() -> None:
    """It is told as such."""
    with pytest.raises(BadScenario, match=r"shape: kind: .*no file .*none\.yaml"):
        Shape.parse({"kind": "none.yaml"})


def test_mounted_files(tmp_path: Path) -> None:
    """What nodes mount are files, alone or with their folder, each once; a link that leads out is none of them."""
    (tmp_path / "shared/inner").mkdir(parents=True)
    for name in ("one", "shared/two", "shared/inner/three", "other"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    (tmp_path / "shared/out").symlink_to("/etc/hostname")
    mounts = [{"hostPath": path, "containerPath": f"/{number}"} for number, path in enumerate(("one", "shared"))]
    nodes = [{"role": "control-plane", "extraMounts": mounts}, {"role": "worker", "extraMounts": mounts[:1]}]
    wanted = shape(tmp_path, nodes=nodes)
    assert wanted.kind
    assert KindFile(wanted.kind).mounted() == [tmp_path / name for name in ("one", "shared/inner/three", "shared/two")]
