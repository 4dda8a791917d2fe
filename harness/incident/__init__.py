"""Incident: one YAML file that says what went wrong, so that it can be lived again, judged anew and made smaller."""
