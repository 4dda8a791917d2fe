"""Versions that recipes exist for: of Kubernetes, Gatekeeper and the tools that make clusters of them."""

__all__ = ["CRICTL", "DEFAULT_GATEKEEPER", "DEFAULT_KUBERNETES", "GATEKEEPER", "HELM", "KIND", "KUBERNETES"]

KUBERNETES = ("v1.34.4", "v1.35.4", "v1.36.3", "v1.37.2")
GATEKEEPER = ("v3.17.1", "v3.18.3", "v3.20.1", "v3.23.0", "v3.23.1")
KIND = "v0.33.0"
HELM = "v3.21.4"
CRICTL = "v1.36.0"

DEFAULT_KUBERNETES = "v1.36.3"
DEFAULT_GATEKEEPER = "v3.23.1"
