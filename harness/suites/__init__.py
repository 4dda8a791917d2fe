"""Suites: gator's test suites, read and asked of a cluster."""
