"""Fakes: real servers on loopback that misbehave on demand."""
