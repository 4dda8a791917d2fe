"""Workloads: faults of pods and their containers: killed, moved, paused, throttled, rolled out."""
