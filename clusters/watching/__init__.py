"""Watching: list, then watch, and report precisely what could not be seen."""
