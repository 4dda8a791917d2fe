"""Crash test: kills the harness at each moment of each fault, collects garbage, and compares cluster and machine."""
