"""Nodes: faults of whole nodes: power lost, drained, removed, isolated."""
