"""Trends: a run's figures beside those of earlier runs, and what is worse than they explain."""
