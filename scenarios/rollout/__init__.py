"""Rollout: how many pods lack the mutation while all webhook pods are replaced (gatekeeper#3776)."""
