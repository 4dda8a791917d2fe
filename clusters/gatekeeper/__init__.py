"""Gatekeeper: how it gets into a cluster, its certificate, and when it is ready."""
