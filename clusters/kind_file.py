"""Kind file: a kind configuration of the user's: what of it is merged, and what contradicts the harness."""

import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.kind_fields import is_path, problems_of_cluster, problems_of_labels, problems_of_mounts
from chaos_harness.clusters.own_gatekeeper import SourceFile
from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.suggest import did_you_mean

__all__ = ["CONTROL_PLANE", "WORKER", "KindFile"]

CONTROL_PLANE, WORKER = "control-plane", "worker"
"""Roles of nodes, as kind calls them."""

_KIND, _VERSION = "Cluster", "kind.x-k8s.io/v1alpha4"
_MERGED = ("featureGates", "runtimeConfig", "kubeadmConfigPatches", "containerdConfigPatches")
_FIELDS = ("kind", "apiVersion", "nodes", "networking", *_MERGED)
_OF_NODES = ("role", "labels", "extraMounts", "kubeadmConfigPatches")
_JSON = "a patch of this form cannot be compared with the harness's own; write it as a merge patch"
_PORTS = "what a node publishes is the harness's own; the API server is on a free port of loopback"
_OURS: Mapping[str, str] = {
    "name": "the harness names its clusters",
    "image": "the nodes' image is that of `kubernetes` in the shape",
    "extraPortMappings": _PORTS,
    "kubeadmConfigPatchesJSON6902": _JSON,
    "containerdConfigPatchesJSON6902": _JSON,
}
"""Fields of kind's that are refused, and why."""

_NETWORK = (
    "addresses and ports are the harness's own, which routes and the undo of faults count on; only dnsSearch is merged"
)
_KEPT: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "ClusterConfiguration": (
        *((name,) for name in ("clusterName", "controlPlaneEndpoint", "certificatesDir", "imageRepository")),
        *((name,) for name in ("kubernetesVersion", "networking", "dns", "etcd")),
        ("apiServer", "extraVolumes"),
    ),
    "KubeletConfiguration": (("nodeStatusReportFrequency",), ("failCgroupV1",), ("clusterDNS",), ("cgroupDriver",)),
    "KubeProxyConfiguration": (("mode",), ("clusterCIDR",)),
    "InitConfiguration": (("localAPIEndpoint",), ("nodeRegistration", "criSocket"), ("nodeRegistration", "name")),
    "JoinConfiguration": (("discovery",), ("nodeRegistration", "criSocket"), ("nodeRegistration", "name")),
}
"""What a patch of kubeadm's may not set, by its kind."""

_TYPES: Mapping[str, type] = {
    **dict.fromkeys(("nodes", "extraMounts", "kubeadmConfigPatches", "containerdConfigPatches"), list),
    **dict.fromkeys(("networking", "featureGates", "runtimeConfig", "labels"), dict),
}
_AUDIT = "audit-"
_PLACES = (
    *("/etc/containerd", "/etc/crictl.yaml", "/etc/kubernetes", "/etc/systemd", "/kind", "/var/lib", "/var/log"),
    *("/proc", "/sys"),
)
_WHOLE = (
    *("/", "/bin", "/dev", "/etc", "/lib", "/lib64", "/lib/modules", "/run", "/sbin", "/usr", "/usr/bin", "/usr/lib"),
    *("/tmp", "/usr/local/bin", "/usr/sbin", "/var"),  # noqa: S108 - a node's
)
_MOST_CONTROL_PLANES, _MOST_WORKERS = (1, 3), 6
_SHORT = 80


class KindFile:
    """A kind configuration in a file; `config` is its content.

    Raises BadScenario with all fields that contradict what the harness needs, and with what kind would not understand.
    """

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._folder = Path(file.path).absolute().parent
        try:
            self.config = yaml.load(file.text, yaml.CSafeLoader)
        except (yaml.YAMLError, ValueError) as error:
            raise BadScenario(f"{file.path}: no YAML: {' '.join(str(error).split())}") from error
        if problems := [f"{file.path}: {problem}" for problem in self._problems()]:
            raise BadScenario(problems)

    @property
    def roles(self) -> list[str]:
        """The roles of its nodes, control planes first; [] if it names none."""
        roles = [str(node.get("role", CONTROL_PLANE)) for node in self.config.get("nodes") or ()]
        return sorted(roles, key=[CONTROL_PLANE, WORKER].index)

    def nodes(self) -> list[dict[str, Any]]:
        """Return its nodes, control planes first, with what they mount by whole paths."""
        nodes = [dict(node) for node in self.config.get("nodes") or ()]
        for node in nodes:
            node["extraMounts"] = [
                {**mount, "hostPath": str(self._source(mount["hostPath"]))} for mount in node.get("extraMounts") or ()
            ]
        return sorted(nodes, key=lambda node: node.get("role", CONTROL_PLANE) != CONTROL_PLANE)

    def mounted(self) -> list[Path]:
        """Return the files that its nodes mount, alone or with a folder, by whole paths; no link that leads out."""
        names = {
            mount["hostPath"] for node in self.config.get("nodes") or () for mount in node.get("extraMounts") or ()
        }
        sources = {self._source(name) for name in names}
        found = {path for source in sources for path in (source, *source.rglob("*")) if path.is_file()}
        return sorted(path for path in found if path.resolve().is_relative_to(self._folder.resolve()))

    def merged(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the harness's configuration with this one: its patches come first, so that ours decide."""
        own = {name: self.config[name] for name in _MERGED if self.config.get(name)}
        lists = {name: [*own[name], *config.get(name, ())] for name in own if name.endswith("Patches")}
        networking = {**(self.config.get("networking") or {}), **config["networking"]}
        return {**config, **own, **lists, "networking": networking}

    def _problems(self) -> Iterator[str]:
        config = self.config
        if not isinstance(config, dict) or (config.get("kind"), config.get("apiVersion")) != (_KIND, _VERSION):
            yield f"expected a configuration of kind: `kind: {_KIND}` and `apiVersion: {_VERSION}`"
            return
        yield from _unmerged(config, _FIELDS)
        if wrong := list(_misshapen(config)):
            yield from wrong
            return
        for name in sorted(map(str, (config.get("networking") or {}).keys() - {"dnsSearch"})):
            yield f"networking.{name}: {_NETWORK}"
        yield from problems_of_cluster(config)
        yield from _problems_of_patches(config)
        for index, text in enumerate(config.get("containerdConfigPatches") or ()):
            yield from (f"containerdConfigPatches.{index}: {words}" for words in _problems_of_containerd(text))
        nodes = config.get("nodes") or []
        if not all(isinstance(node, dict) for node in nodes):
            yield "nodes: expected a list of nodes, each with its fields"
            return
        for index, node in enumerate(nodes):
            yield from (f"nodes.{index}.{words}" for words in self._problems_of_node(node))
        if nodes:
            yield from _problems_of_number([str(node.get("role", CONTROL_PLANE)) for node in nodes])

    def _problems_of_node(self, node: Mapping[str, Any]) -> Iterator[str]:
        yield from _unmerged(node, _OF_NODES)
        if wrong := list(_misshapen(node)):
            yield from wrong
            return
        if node.get("role", CONTROL_PLANE) not in (CONTROL_PLANE, WORKER):
            yield f"role: expected {CONTROL_PLANE} or {WORKER}, found {str(node['role'])[:_SHORT]!r}"
        yield from _problems_of_patches(node)
        yield from problems_of_labels(node.get("labels") or {})
        mounts = node.get("extraMounts") or []
        yield from problems_of_mounts(mounts)
        for number, mount in enumerate(mounts):
            yield from (f"extraMounts.{number}.{words}" for words in self._problems_of_mount(mount))

    def _problems_of_mount(self, mount: Any) -> Iterator[str]:
        given = mount if isinstance(mount, dict) else {}
        path, target = given.get("hostPath"), given.get("containerPath")
        if not (is_path(path) and is_path(target)):
            yield "hostPath: expected a mount with hostPath and containerPath"
            return
        source, target = self._source(path), os.path.normpath(target)
        try:
            if not source.resolve().is_relative_to(self._folder.resolve()):
                yield f"hostPath: {shorten(path)} leads out of the file's directory, which is all that nodes may have"
            elif not source.exists():
                yield f"hostPath: no file {shorten(path)} in {self._folder}"
        except (OSError, ValueError, RuntimeError) as error:  # too long, a NUL, a circle of links, a closed folder
            yield f"hostPath: {shorten(path)} cannot be looked for: {getattr(error, 'strerror', None) or error}"
        if target in _WHOLE or any(PurePosixPath(target).is_relative_to(place) for place in _PLACES):
            yield f"containerPath: {shorten(target)} holds what the harness or the node itself keeps there"

    def _source(self, path: str) -> Path:
        return self._folder / path


def _misshapen(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield fields that are no list, or no map, and should be."""
    for name, type_ in _TYPES.items():
        if given.get(name) is not None and not isinstance(given[name], type_):
            yield f"{name}: expected a {'list' if type_ is list else 'map'}, found {str(given[name])[:_SHORT]!r}"


def _unmerged(given: Mapping[str, Any], known: Sequence[str]) -> Iterator[str]:
    """Yield the fields that are not merged, and those that kind does not have."""
    for name in given:
        if name in _OURS:
            yield f"{name}: {_OURS[name]}"
        elif name not in known:
            yield f"{str(name)[:_SHORT]}: no such field; {did_you_mean(name, known)}there are {', '.join(known)}"


def _problems_of_patches(given: Mapping[str, Any]) -> Iterator[str]:
    """Yield which patches of kubeadm's configuration set what the harness sets."""
    for index, text in enumerate(given.get("kubeadmConfigPatches") or ()):
        where = f"kubeadmConfigPatches.{index}"
        try:
            patch = yaml.load(text, yaml.CSafeLoader) if isinstance(text, str) else None
        except (yaml.YAMLError, ValueError):
            patch = None
        kind = patch.get("kind") if isinstance(patch, dict) else None
        if not isinstance(patch, dict) or not isinstance(kind, str) or kind not in _KEPT:
            yield f"{where}: expected a text of YAML, of the kind {', '.join(_KEPT)}"
            continue
        for path in _KEPT[kind]:
            if _at(patch, path) is not None:
                yield f"{where}: {'.'.join(path)} of {kind} is the harness's own"
        yield from (f"{where}: {words}" for words in _problems_of_arguments(patch))


def _problems_of_arguments(patch: Mapping[str, Any]) -> Iterator[str]:
    """Yield arguments of the API server that are ours, and those in a form that does not merge with ours."""
    arguments = _at(patch, ("apiServer", "extraArgs"))
    if arguments is None:
        return
    if not isinstance(arguments, dict) or "apiVersion" in patch:
        yield "apiServer.extraArgs: write them as a map, and leave out apiVersion: so they merge with the harness's own"
        return
    ours = [str(name) for name in arguments if str(name).startswith(_AUDIT)]
    yield from (f"apiServer.extraArgs.{name}: the audit log is the harness's own evidence" for name in ours)


def _problems_of_containerd(text: Any) -> Iterator[str]:
    try:
        patch = tomllib.loads(text) if isinstance(text, str) else None
    except tomllib.TOMLDecodeError as error:
        yield f"no TOML: {error}"
        return
    if patch is None:
        yield "expected a text of TOML"
        return
    plugins = patch.get("plugins")
    for name, plugin in plugins.items() if isinstance(plugins, dict) else ():
        if isinstance(plugin, dict) and "registry" in plugin:
            yield f"plugins.{name}.registry: nodes pull from the harness's registry; say `images` in the shape"


def _problems_of_number(roles: Sequence[str]) -> Iterator[str]:
    planes, workers = roles.count(CONTROL_PLANE), roles.count(WORKER)
    if planes not in _MOST_CONTROL_PLANES:
        yield f"nodes: expected 1 or 3 control planes, found {planes}"
    if workers > _MOST_WORKERS:
        yield f"nodes: expected at most {_MOST_WORKERS} workers, found {workers}"


def _at(value: Any, path: Sequence[str]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
