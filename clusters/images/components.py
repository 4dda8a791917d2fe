"""Component images: everything a node's containerd must hold before kubeadm starts, in one archive.

All Kubernetes components, etcd, CoreDNS and the pod network are one image with many names: the names are those in
kubeadm's manifests, the content is the same two layers.
"""

from pathlib import Path

from chaos_harness.clusters.images.layers import ArchiveImage, Layer, write_archive, write_layer
from chaos_harness.clusters.images.rootfs import rootfs

__all__ = ["PROXY_ROOTFS", "write"]

_POD_NETWORK = "docker.io/chaos-harness/pod-network:v1"
_COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "pod-network")
_MERGED_USR = {name: f"usr/{name}" for name in ("bin", "lib", "lib64", "sbin")}
"""Links that the package base-files would create: bare extracted packages lack them."""
_PATH = {"Env": ["PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]}
_REGISTRY = "registry.k8s.io"


PROXY_ROOTFS = rootfs("proxy-rootfs", "extract", ["iptables", "nftables", "conntrack"])
"""The bare packages that kube-proxy and the pod network call."""


def write(path: Path, names: list[str], kubernetes: Path, tools: Path, packages: Path) -> None:
    """Write the archive of all images of `names` (the output of `kubeadm config images list`) and the pod network.

    `kubernetes` and `tools` are folders of binaries, `packages` is the tar file of PROXY_ROOTFS.
    """
    folder = path.parent
    bin_folder = "usr/local/bin"
    servers = write_layer(
        folder / "servers.tar",
        {f"{bin_folder}/etcd": tools / "etcd", "coredns": tools / "coredns"},
        links=_MERGED_USR | {f"usr/sbin/{name}": "xtables-nft-multi" for name in _iptables_names()},
    )
    components = write_layer(
        folder / "kubernetes.tar",
        {f"{bin_folder}/kubernetes": kubernetes / "kubernetes"},
        links={f"{bin_folder}/{name}": "kubernetes" for name in _COMPONENTS},
    )
    pause = write_layer(folder / "pause.tar", {"pause": tools / "pause"})
    write_archive(path, _images(names, (Layer.of(packages), servers, components), pause))


def _iptables_names() -> list[str]:
    return [f"{family}{suffix}" for family in ("iptables", "ip6tables") for suffix in ("", "-save", "-restore")]


def _images(names: list[str], layers: tuple[Layer, ...], pause: Layer) -> list[ArchiveImage]:
    dns = tuple(name for name in names if "coredns" in name)
    sandbox = tuple(name for name in names if name.startswith(f"{_REGISTRY}/pause:"))
    others = tuple(name for name in names if name not in (*dns, *sandbox))
    return [
        ArchiveImage((*others, _POD_NETWORK), layers, _PATH),
        ArchiveImage(dns, layers, {**_PATH, "Entrypoint": ["/coredns"]}),
        ArchiveImage(sandbox, (pause,), {"Entrypoint": ["/pause"], "User": "65535:65535"}),
    ]
