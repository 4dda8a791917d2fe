"""Comparison: what changed between two groups of runs, and what of it is more than noise."""
