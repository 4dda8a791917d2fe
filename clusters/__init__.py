"""Clusters: creates real kind clusters with Gatekeeper, and keeps track of which run owns them."""
