"""Shrink: the smallest part of an incident that still reproduces it."""
