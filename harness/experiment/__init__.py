"""Experiment: one try at breaking a cluster, from steady state to verdict, and what is recorded of it."""
