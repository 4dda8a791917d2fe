"""Healthy: nothing is done to the cluster, so that no check may raise an alarm."""
