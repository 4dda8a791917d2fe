"""Chaos harness: the one package that an installation brings; its parts are the folders of the repository."""
