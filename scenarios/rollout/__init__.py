"""Rollout: what mutation is worth while all webhook pods are replaced (gatekeeper#3776)."""
