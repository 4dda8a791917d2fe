"""Gatekeeper: applies policies, places and restarts pods, and sets webhooks, before a fault."""
