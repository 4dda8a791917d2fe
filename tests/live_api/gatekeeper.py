"""Gatekeeper: its kinds and webhooks as they are released, on an API server on which it does not run."""

from functools import cache
from typing import Any

import yaml
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.images.sources import gatekeeper_source
from chaos_harness.clusters.known_versions import DEFAULT_GATEKEEPER

__all__ = ["install_kinds", "install_webhooks", "released"]


@cache
def released(kind: str) -> tuple[dict[str, Any], ...]:
    """Return the objects of a kind that the release manifest has."""
    manifest = gatekeeper_source(DEFAULT_GATEKEEPER) / "deploy" / "gatekeeper.yaml"
    objects = yaml.load_all(manifest.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return tuple(released_object for released_object in objects if released_object and released_object["kind"] == kind)


def install_kinds(api: ApiClient) -> None:
    """Make the API server know Gatekeeper's kinds, and wait until it serves the last one."""
    apply(api, released("CustomResourceDefinition"), Deadline.after(30, "Gatekeeper's kinds"))


def install_webhooks(api: ApiClient) -> None:
    """Put the two configurations there; nobody answers behind them."""
    webhooks = (*released("MutatingWebhookConfiguration"), *released("ValidatingWebhookConfiguration"))
    apply(api, webhooks, Deadline.after(30, "Gatekeeper's webhooks"))
