"""Trends: compares a run's figures with those of earlier runs, and reports regressions."""
