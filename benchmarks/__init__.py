"""Benchmarks: how long things take compared to manual work, as ratios within one run, with n, median and range.

Absolute times of one machine mean nothing on another; ratios of two ways that alternate in one run do. No test has a
time limit: `nox -s bench` is for people who want to know.
"""
