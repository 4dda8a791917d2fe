"""Fixtures of tests that start whole programs: nothing that they do to a machine is kept beside what is real."""

from tests.own_machine import own_machine

__all__ = ["own_machine"]
