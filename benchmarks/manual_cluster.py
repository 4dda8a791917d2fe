"""Manual way: a ready cluster as a user makes it with kind and kubectl, one command after the other."""

from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex

from chaos_harness.clusters.cluster import Cluster, cluster_labels
from chaos_harness.clusters.creation.create import delete
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.engine.network import create_network
from chaos_harness.clusters.engine.ports import reserved_port
from chaos_harness.clusters.garbage import Owner
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.images.sources import gatekeeper_source
from chaos_harness.clusters.kind.cli import KindCli, configuration
from chaos_harness.clusters.shape import NAMESPACE, Shape

__all__ = ["plain_cluster"]

_SECONDS = 1200.0
_KUBECTL = ["kubectl", "--kubeconfig", "/etc/kubernetes/admin.conf"]


@contextmanager
def plain_cluster(engine: Engine, images: Images, shape: Shape, owner: Owner) -> Iterator[Cluster]:
    """Run `kind create`, wait for the nodes, `kind load`, `kubectl apply`, `kubectl wait`; yield the cluster.

    There is no registry, so the manifest's pull policy becomes IfNotPresent, as it must for loaded images.
    """
    deadline = Deadline.after(_SECONDS, "a plain cluster")
    name = f"chaos-{owner.run}-{token_hex(2)}"
    directory = owner.claim() / name
    directory.mkdir(mode=0o700)
    labels = {**owner.labels(), **cluster_labels(name, shape, directory)}
    kind = KindCli(engine, name, directory)
    cluster = Cluster(name, shape, engine, kind.kubeconfig, name, None, owner.run, directory)
    try:
        create_network(engine, name, labels, deadline)
        kind.write_wrapper(labels)
        quirks = engine.quirks
        folder = directory / "files"
        mounts = {path: folder / path.lstrip("/") for path in quirks.node_files()}
        for path, text in quirks.node_files().items():
            mounts[path].parent.mkdir(parents=True)
            mounts[path].write_text(text, encoding="utf-8")
        with reserved_port(engine, deadline) as port:
            config = configuration(
                name,
                shape,
                image=images.node,
                port=port,
                mounts=mounts,
                containerd_patches=quirks.containerd_patches(),
                kubeadm_patches=quirks.kubeadm_patches(shape.kubernetes),
            )
            kind.create(config, name, deadline)
        node = cluster.control_planes[0]
        wait = [*_KUBECTL, "wait", "--timeout=900s"]
        cluster.exec(node, [*wait, "--for=condition=Ready", "nodes", "--all"], deadline)
        if images.gatekeeper and shape.gatekeeper:
            image = f"{REPOSITORY}:{shape.gatekeeper}"
            engine.run(["tag", images.gatekeeper, image], deadline)
            kind.load(image, cluster.nodes(), deadline)
            manifest = (gatekeeper_source(shape.gatekeeper) / "deploy" / "gatekeeper.yaml").read_text(encoding="utf-8")
            manifest = manifest.replace("imagePullPolicy: Always", "imagePullPolicy: IfNotPresent")
            cluster.exec(node, [*_KUBECTL, "apply", "--server-side", "--filename", "-"], deadline, stdin=manifest)
            available = ["--for=condition=Available", "deployments", "--all", "--namespace", NAMESPACE]
            cluster.exec(node, [*wait, *available], deadline)
        yield cluster
    finally:
        delete(cluster)
