"""Scenarios: what is claimed about Gatekeeper, one file a cluster shape."""
