"""Watching: list, then watch, and an honest account of what could not be seen."""
