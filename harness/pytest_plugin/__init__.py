"""Pytest plugin: options, hooks and fixtures that give scenarios clusters and experiments."""
