"""Nodes: faults of whole nodes: no power, drained, removed, cut off."""
