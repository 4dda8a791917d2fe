"""Node image: Debian, kind's own node files, and Kubernetes with its component images, for one version."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.inventory import label_arguments, remove_all
from chaos_harness.clusters.errors import CommandFailed, DeadlineExceeded, ImageUnavailable
from chaos_harness.clusters.images import binaries, components, store
from chaos_harness.clusters.images.layers import ArchiveImage, Layer, write_archive, write_layer
from chaos_harness.clusters.images.rootfs import rootfs
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["ROOTS", "build", "key"]

_SECONDS = 900.0

_PACKAGES = (
    *("systemd", "dbus", "kmod", "mount", "util-linux", "procps"),
    *("conntrack", "ethtool", "iproute2", "iptables", "nftables", "curl", "ca-certificates"),
    *("e2fsprogs", "jq", "libseccomp2", "pigz", "runc"),
)

_SYSTEMD = '"$1"/usr/lib/systemd/system'
_HOOKS = (
    'rm -f "$1"/etc/machine-id "$1"/etc/hostname "$1"/etc/systemd/system/*.wants/*',
    f"rm -f {_SYSTEMD}/sysinit.target.wants/systemd-tmpfiles-setup.service",
    f"rm -f {_SYSTEMD}/multi-user.target.wants/* {_SYSTEMD}/local-fs.target.wants/* {_SYSTEMD}/basic.target.wants/*",
    f"rm -f {_SYSTEMD}/sockets.target.wants/*udev* {_SYSTEMD}/sockets.target.wants/*initctl*",
)
"""Parts of Debian's systemd that kind's base image removes, so that a node boots only its own services."""

_SERVICES = ("containerd.service", "kubelet.service", "undo-mount-hacks.service")
_NODE_BINARIES = ("containerd", "containerd-shim-runc-v2", "crictl", "ctr")
_CNI_PLUGINS = ("host-local", "loopback", "portmap", "ptp")
_KUBERNETES_NAMES = ("kubeadm", "kubectl", "kubelet")
_MANIFESTS = Path(__file__).with_name("manifests")
_ENTRYPOINT = ["/usr/local/bin/entrypoint", "/sbin/init"]
_FORMAT = 2


SYSTEM = rootfs("node-rootfs", "minbase", _PACKAGES, _HOOKS)
"""The Debian system that nodes boot."""

ROOTS = (SYSTEM, components.PROXY_ROOTFS)
"""Root file systems of a node image; they are downloaded while other parts compile."""


def key(version: str) -> str:
    """Return the key of the node image of Kubernetes `version`, computed from everything it is made from."""
    parts = (*ROOTS, binaries.tools(), binaries.kubernetes(version))
    return store.digest(_FORMAT, [part.key for part in parts], _MANIFESTS, _SERVICES, _NODE_BINARIES)


def build(engine: Engine, name: str, version: str, progress: Progress) -> None:
    """Build the node image of Kubernetes `version` in the engine under `name`.

    Raises ImageUnavailable if a part is not available or the engine refuses a step.
    """
    kubernetes = binaries.kubernetes(version).get(progress)
    tools = binaries.tools().get(progress)
    system = SYSTEM.get(progress) / "rootfs.tar"
    packages = components.PROXY_ROOTFS.get(progress) / "rootfs.tar"
    store.require_disk(4.0, f"building the node image of Kubernetes {version}")
    deadline = Deadline.after(_SECONDS, f"the node image {name}")
    base = f"{name}-base"
    owner = Owner.mine()
    container = f"{name.translate(str.maketrans('/:.', '---'))}-build-{owner.run}"
    try:
        with progress.step(f"make the node image of Kubernetes {version}"), store.scratch_folder("node") as folder:
            _load_base(engine, folder, base, version, kubernetes, tools, system, deadline)
            archive = folder / "components.tar"
            components.write(archive, _needed_images(version, kubernetes, deadline), kubernetes, tools, packages)
            with _remove_after(engine, owner):
                _import(engine, base, container, owner, archive, deadline)
                engine.run(["commit", *_changes(owner), container, name], deadline)
    except CommandFailed as error:
        raise ImageUnavailable(f"the node image of Kubernetes {version} cannot be built: {error}") from error
    finally:
        engine.run(["rmi", "--no-prune", base], Deadline.after(60, "removal of the scratch image"), check=False)


def _load_base(
    engine: Engine,
    folder: Path,
    base: str,
    version: str,
    kubernetes: Path,
    tools: Path,
    system: Path,
    deadline: Deadline,
) -> None:
    layers = (Layer.of(system), _node_layer(folder, version, kubernetes, tools, deadline))
    config = {
        "Env": ["container=docker", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        "Entrypoint": _ENTRYPOINT,
        "StopSignal": "SIGRTMIN+3",
    }
    write_archive(folder / "base.tar", [ArchiveImage((base,), layers, config)])
    engine.run(["load", "--quiet", "--input", folder / "base.tar"], deadline)


def _node_layer(folder: Path, version: str, kubernetes: Path, tools: Path, deadline: Deadline) -> Layer:
    base_files = binaries.kind_source() / "images" / "base" / "files"
    files: dict[str, Path | str] = {
        str(path.relative_to(base_files)): path for path in sorted(base_files.rglob("*")) if path.is_file()
    }
    executables = [name for name in files if name.startswith(("usr/local/bin/", "kind/bin/"))]
    files |= {f"usr/local/bin/{name}": tools / name for name in _NODE_BINARIES}
    files |= {f"opt/cni/bin/{name}": tools / name for name in _CNI_PLUGINS}
    files |= {
        "usr/bin/kubernetes": kubernetes / "kubernetes",
        "etc/containerd/cri-base.json": _base_spec(tools / "ctr", deadline),
        "etc/systemd/journald.conf.d/10-kind.conf": "[Journal]\nReadKMsg=no\n",
        "kind/manifests/default-cni.yaml": _MANIFESTS / "pod-network.yaml",
        "kind/version": version,
    }
    units = "etc/systemd/system"
    links = {f"{units}/multi-user.target.wants/{service}": f"/{units}/{service}" for service in _SERVICES}
    links |= {f"usr/bin/{name}": "kubernetes" for name in _KUBERNETES_NAMES}
    links |= {f"{units}/systemd-binfmt.service": "/dev/null", "usr/sbin/init": "/usr/lib/systemd/systemd"}
    return write_layer(
        folder / "node.tar",
        files,
        links=links,
        folders={"etc/kubernetes/manifests": 0o755},
        executables=executables,
    )


def _base_spec(ctr: Path, deadline: Deadline) -> str:
    """Return containerd's base OCI spec with the two changes that kind's base image makes to it."""
    spec = json.loads(run([ctr, "oci", "spec"], deadline).stdout)
    hooks = spec.setdefault("hooks", {}).setdefault("createContainer", [])
    hooks.append({"path": "/kind/bin/mount-product-files.sh"})
    spec["process"].pop("rlimits", None)
    return json.dumps(spec)


def _needed_images(version: str, kubernetes: Path, deadline: Deadline) -> list[str]:
    listed = run([kubernetes / "kubeadm", "config", "images", "list", "--kubernetes-version", version], deadline)
    config = binaries.kind_source() / "images" / "base" / "files" / "etc" / "containerd" / "config.toml"
    sandbox = re.search(r'sandbox_image\s*=\s*"([^"]+)"', config.read_text())
    if sandbox is None:
        raise ImageUnavailable(f"{config} names no sandbox_image: kind changed its node image")
    return sorted({*listed.stdout.split(), sandbox[1]})


def _changes(owner: Owner) -> list[str]:
    """Return the changes for `docker commit`: an image inherits labels, and this one belongs to no run."""
    instructions = [f"ENTRYPOINT {json.dumps(_ENTRYPOINT)}", *(f'LABEL {name}=""' for name in owner.labels())]
    return [word for instruction in instructions for word in ("--change", instruction)]


def _import(engine: Engine, base: str, container: str, owner: Owner, archive: Path, deadline: Deadline) -> None:
    """Import the component images into the content store of a container of `base`, which carries the labels of `owner`.

    They stay packed: each node unpacks them at its first boot, into a volume of its own. Measured on 2 busy cores:
    copying the 245 MiB into that volume takes a node about 1.3 s, unpacking, once for all names, 1.0 to 1.9 s; nodes do
    it in parallel. That is less than a tenth of a new cluster's 37 to 54 s, and a store shared by nodes would save no
    more than that.
    """
    sleep = ["--entrypoint", "sleep", base, "infinity"]
    labels = label_arguments(owner.labels())
    engine.run(["run", "--detach", "--privileged", "--name", container, *labels, *sleep], deadline)
    engine.run(["exec", "--detach", container, "containerd"], deadline)
    for _ in deadline.within(60, "containerd in the build container").attempts():
        if engine.run(["exec", container, "ctr", "version"], deadline, check=False).returncode == 0:
            break
    ctr = ["ctr", "--namespace", "k8s.io", "images", "import", "--no-unpack", "--all-platforms", "-"]
    with archive.open("rb") as stream:
        engine.run(["exec", "--interactive", container, *ctr], deadline, stdin=stream)
    engine.run(["exec", container, "pkill", "-TERM", "containerd"], deadline)
    engine.run(["exec", container, "sh", "-c", "rm -rf /run/containerd /var/lib/containerd/tmpmounts"], deadline)


@contextlib.contextmanager
def _remove_after(engine: Engine, owner: Owner) -> Iterator[None]:
    """Remove, after the block, what carries the labels of `owner`; after a kill the next garbage collection does."""
    try:
        yield
    finally:
        with contextlib.suppress(CommandFailed, DeadlineExceeded):
            remove_all(engine, Deadline.after(60, "removal of the build container"), run=owner.run)
