"""Gatekeeper: how it is driven before a fault: policies put in force, pods placed, restarted, webhooks set."""
