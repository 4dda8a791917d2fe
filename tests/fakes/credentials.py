"""Credentials: a kubeconfig for an API of our own."""

from typing import Any

__all__ = ["kubeconfig"]


def kubeconfig(host: str) -> dict[str, Any]:
    """Return a kubeconfig that leads to `host`."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "w",
        "clusters": [{"name": "w", "cluster": {"server": host}}],
        "contexts": [{"name": "w", "context": {"cluster": "w", "user": "w"}}],
        "users": [{"name": "w", "user": {"token": "token-of-the-test"}}],
    }
