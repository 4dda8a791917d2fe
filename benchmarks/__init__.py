"""Bench: how long things take beside what a user would do by hand, as ratios of one run, with n, median and range.

Figures of a machine are worth nothing on another one; ratios of two ways that took turns in the same run are.
No test is timed: `nox -s bench` is for who wants to know.
"""
