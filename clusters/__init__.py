"""Clusters: where real kind clusters with Gatekeeper come from, and what owns them."""
