"""Workloads: faults of pods and their containers: killed, moved, throttled, rolled out."""
