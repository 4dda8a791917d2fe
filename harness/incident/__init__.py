"""Incident: a YAML file that says what went wrong, so that it can be replayed, judged and shrunk."""
