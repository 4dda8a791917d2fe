"""Replay: an incident run again on real clusters, as often as asked."""
