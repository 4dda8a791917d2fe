"""Replay: runs an incident on real clusters, as often as asked."""
