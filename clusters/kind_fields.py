"""Kind fields: the values in a kind configuration that kind, Docker or a kubelet would refuse only after a minute."""

import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeGuard

from chaos_harness.clusters.api.label_selectors import is_label_name, is_label_value
from chaos_harness.clusters.problem_words import shorten
from chaos_harness.clusters.suggest import did_you_mean

__all__ = ["is_path", "problems_of_cluster", "problems_of_labels", "problems_of_mounts"]

_MOUNT = ("hostPath", "containerPath", "readOnly", "selinuxRelabel", "propagation")
_PROPAGATIONS = ("None", "HostToContainer", "Bidirectional")
_GATE = re.compile(r"[A-Za-z0-9]{1,253}")
_API = re.compile(r"[a-z0-9./-]{1,253}")
_DOMAIN = re.compile(r"[A-Za-z0-9_.-]{1,253}")
_SHORT = 80
_TRUTHS = ("true", "false")
_OF_KUBERNETES = ("kubernetes.io", "k8s.io")
_OF_KUBELETS = ("kubelet.kubernetes.io", "node.kubernetes.io")
_SET_BY_KUBELETS = (
    *("kubernetes.io/hostname", "kubernetes.io/os", "kubernetes.io/arch"),
    *("beta.kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/instance-type"),
    *("topology.kubernetes.io/zone", "topology.kubernetes.io/region"),
    *("failure-domain.beta.kubernetes.io/zone", "failure-domain.beta.kubernetes.io/region"),
)
"""Labels of Kubernetes that a kubelet may set, besides those with a prefix of _OF_KUBELETS."""


def problems_of_cluster(config: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with feature gates, API groups and domains, which are maps."""
    for name, given in (config.get("featureGates") or {}).items():
        if not isinstance(name, str) or not _GATE.fullmatch(name):
            yield f"featureGates: expected a gate's name such as InPlacePodVerticalScaling, found {shorten(name)}"
        elif not isinstance(given, bool):
            yield f"featureGates.{name}: expected true or false, found {shorten(given)}"
    for name, given in (config.get("runtimeConfig") or {}).items():
        if not isinstance(name, str) or not _API.fullmatch(name):
            yield f"runtimeConfig: expected a group or version such as api/alpha, found {shorten(name)}"
        elif _text(given) not in _TRUTHS:
            yield f'runtimeConfig.{name}: expected "true" or "false", found {shorten(given)}'
    domains = (config.get("networking") or {}).get("dnsSearch")
    if domains is not None and not isinstance(domains, list):
        yield f"networking.dnsSearch: expected a list of domains, found {shorten(domains)}"
    for index, domain in enumerate(domains if isinstance(domains, list) else ()):
        if not isinstance(domain, str) or not _DOMAIN.fullmatch(domain):
            yield f"networking.dnsSearch.{index}: expected a domain such as example.com, found {shorten(domain)}"


def problems_of_labels(labels: Mapping[Any, Any]) -> Iterator[str]:
    """Yield which labels of a node its kubelet would refuse."""
    for key, value in labels.items():
        if not isinstance(key, str) or not is_label_name(key):
            yield f"labels: expected a label's name such as disk or example.com/disk, found {shorten(key)}"
        elif _is_below(prefix := key.rpartition("/")[0], _OF_KUBERNETES) and not (
            _is_below(prefix, _OF_KUBELETS) or key in _SET_BY_KUBELETS
        ):
            yield f"labels.{key}: a kubelet refuses it as one of Kubernetes; choose a prefix of your own, or none"
        text = _text(value)
        if text is None or not is_label_value(text):
            words = "at most 63 letters, digits, -, _ and ., at both ends a letter or digit"
            yield f"labels.{str(key)[:_SHORT]}: expected {words}, found {shorten(value)}"


def problems_of_mounts(mounts: list[Any]) -> Iterator[str]:
    """Yield what is wrong with the mounts of a node, but for where they lead from and to."""
    targets: dict[str, int] = {}
    for number, mount in enumerate(mounts):
        if not isinstance(mount, dict):
            continue
        yield from (f"extraMounts.{number}.{words}" for words in _problems_of_mount(mount))
        if is_path(target := mount.get("containerPath")):
            earlier = targets.setdefault(os.path.normpath(target), number)
            if earlier != number:
                yield f"extraMounts.{number}.containerPath: {shorten(target)} is that of extraMounts.{earlier}, too"


def _problems_of_mount(mount: Mapping[Any, Any]) -> Iterator[str]:
    for name in mount:
        if name not in _MOUNT:
            yield f"{str(name)[:_SHORT]}: no such field; {did_you_mean(name, _MOUNT)}there are {', '.join(_MOUNT)}"
    for name in ("readOnly", "selinuxRelabel"):
        if mount.get(name) is not None and not isinstance(mount[name], bool):
            yield f"{name}: expected true or false, found {shorten(mount[name])}"
    if mount.get("propagation") not in (None, "", *_PROPAGATIONS):
        yield f"propagation: expected one of {', '.join(_PROPAGATIONS)}, found {shorten(mount['propagation'])}"
    for name in ("hostPath", "containerPath"):
        given = mount.get(name)
        if is_path(given) and (":" in given or not given.isprintable()):
            yield f"{name}: expected a path of visible characters, without a colon, found {shorten(given)}"
    target = mount.get("containerPath")
    if is_path(target) and not target.startswith("/"):
        meant = shorten(f"/{os.path.normpath(target)}")
        yield f"containerPath: expected a whole path, such as {meant}, found {shorten(target)}"


def is_path(given: Any) -> TypeGuard[str]:
    """Return whether a value is a text that is not empty."""
    return isinstance(given, str) and bool(given)


def _text(value: Any) -> str | None:
    """Return what kind reads in place of a text; None for what it does not take as one."""
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else None if isinstance(value, dict | list) else str(value)


def _is_below(prefix: str, domains: tuple[str, ...]) -> bool:
    return any(prefix == domain or prefix.endswith(f".{domain}") for domain in domains)
