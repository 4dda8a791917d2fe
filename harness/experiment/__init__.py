"""Experiment: one attempt to break a cluster, from steady state to verdict, and the record of it."""
