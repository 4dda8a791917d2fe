"""Nights: a matrix and the ledger of a night, as a stranger may have changed them."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_harness.harness.nightly.ledger import CellFacts, Ended, Head, JudgedLine, Ledger, Note
from chaos_harness.harness.nightly.matrix import load_matrix
from chaos_harness.harness.nightly.order import Order
from tests.fakes.strangers import rewritten

__all__ = ["matrix", "night", "order"]


def matrix(chance: Random, folder: Path) -> Callable[[], object]:
    """Write a matrix; return what reads it."""
    axes = {"kubernetes": ["1.36"], "gatekeeper": "3.20", "failurePolicy": ["Fail"], "values": ["as-released"]}
    exclude = [{"run": "a.py", "why": "slow"}]
    said = {"schema": 1, "run": ["a.py"], "withoutFault": "a.py", **axes, "exclude": exclude, "rate": {"width": 0.5}}
    path = folder / "matrix.yaml"
    (folder / "a.py").touch()
    path.write_bytes(rewritten(chance, json.dumps(said).encode()))
    return lambda: load_matrix(path, "a.py")


def night(chance: Random, folder: Path) -> Callable[[], object]:
    """Write the ledger of a night; return what reads it."""
    facts = CellFacts(target="a.py", axes={"install": "chart"}, seconds=60.0, memory_mib=2700)
    made = {"harness": "1", "night": "a", "matrix": "a.yaml", "digest": "b", "seed": 7, "begun": 1.0, "width": 0.5}
    head = Head.model_validate({**made, "confidence": 0.95, "cells": {"a": facts}, "only": ["a"]})
    claim = JudgedLine(test="a", id="b", claim="c", expected="holds", outcome="holds")
    ended = Ended(
        cell="a", attempt=1, outcome="as expected", status=0, seconds=1.0, begun=1.0, ended=2.0, claims=(claim,)
    )
    lines = [line.model_dump_json().encode() for line in (head, ended, Note(at=3.0, words="a"))]
    number = chance.randrange(len(lines))
    lines[number] = rewritten(chance, lines[number])
    path = folder / "night.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return lambda: Ledger.read(path, "1")


def order(chance: Random, folder: Path) -> Callable[[], object]:
    """Write the order of a Job; return what reads it."""
    paths = {"matrix": "a.yaml", "results": "/a", "nights": "/b", "images": "/c", "lock": "d"}
    said = {"harness": "1", "digest": "a", "shards": 2, "own": ".", "budget": 60.0, "jobs": 1, "seed": 7, **paths}
    said |= {"only": ["a"], "shared": True}
    path = folder / "order.json"
    path.write_bytes(rewritten(chance, json.dumps(said).encode()))
    return lambda: Order.read(path)
