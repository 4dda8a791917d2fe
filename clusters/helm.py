"""Helm: runs it with the kubeconfig of one cluster, and with nothing of the user's own settings."""

import os
from collections.abc import Sequence
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images.sources import tool
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.shape import NAMESPACE

__all__ = ["helm"]

_WAITS = ("install", "rollback", "uninstall", "upgrade")
"""The verbs that take a time-out."""


def helm(kubeconfig: Path, words: Sequence[str | Path], deadline: Deadline, *, namespace: str = NAMESPACE) -> str:
    """Run helm on the cluster of a kubeconfig, by default in Gatekeeper's namespace, and return what it prints.

    Its hook jobs end before it does. Raises CommandFailed, DeadlineExceeded, ImageUnavailable (no helm).
    """
    timeout = ["--timeout", f"{max(deadline.remaining, 1):.0f}s"] if words[0] in _WAITS else []
    homes = {f"HELM_{name}_HOME": str(kubeconfig.parent / "helm") for name in ("CACHE", "CONFIG", "DATA")}
    unset = dict.fromkeys((name for name in os.environ if name.startswith("HELM_KUBE")), "")
    env = {**unset, **homes, "KUBECONFIG": str(kubeconfig)}
    return run([tool("helm"), *words, "--namespace", namespace, *timeout], deadline, env=env).stdout
