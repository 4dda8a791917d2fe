"""Webhook: faults of Gatekeeper's webhooks: unreachable, without certificate, busy."""
