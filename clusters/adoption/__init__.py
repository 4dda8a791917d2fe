"""Adoption: kind clusters of the user's that were lent to the harness for some hours; it never removes one."""
