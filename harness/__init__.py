"""Harness: how an experiment runs, is recorded and is judged."""

__all__ = ["__version__"]

__version__ = "0.1.0"
