"""Own objects: the watches on what Gatekeeper reads and writes, but for constraints, of which each kind has its own."""

from chaos_harness.harness.history.vocabulary import WATCH_BINDINGS, WATCH_POLICIES, WATCH_TEMPLATES, watch

__all__ = ["LISTS"]

LISTS = (
    WATCH_TEMPLATES,
    WATCH_POLICIES,
    WATCH_BINDINGS,
    watch("validatingwebhookconfigurations"),
    watch("mutatingwebhookconfigurations"),
)
"""Templates, generated policies and bindings, and the webhooks' configurations."""
