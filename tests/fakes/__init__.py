"""Fakes: stand-ins for the engine, kubectl, the programs in nodes and the API server, which refuse what those refuse.

A command that is new to them goes into `grammar.py` and, misspelt too, into `commands.py`; `python -m
tests.fakes.record` (with PYTHONPATH=src) asks a real cluster and writes the record. `tests/unit/test_fakes.py` holds
the fakes to that record, `tests/integration/test_fakes.py` the record to a real cluster.
"""
