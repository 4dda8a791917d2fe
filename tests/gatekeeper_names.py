"""Gatekeeper's names: what its release calls its Deployment, and where it is."""

from chaos_harness.clusters.shape import NAMESPACE

__all__ = ["CONTROLLER", "DEPLOYMENTS", "NAMESPACE"]

CONTROLLER = "gatekeeper-controller-manager"
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
