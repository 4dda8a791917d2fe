"""Gatekeeper: its installation, its certificate, and when it is ready."""
