"""Tests of benchmarks.stores: the stores that are measured are stores, and are asked what people ask."""

from pathlib import Path

import pytest

from benchmarks.stores import Stores
from tests.thorough import thorough


@thorough
def test_a_cell_takes_no_more_room_among_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Four times the cells do not take much more than four times the room, and every question is answered."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    stores = Stores((600, 2_400))
    stores.measure(1)
    assert all(sample.figures for sample in stores.samples)
    assert stores.bytes[1].median < 1.2 * stores.bytes[0].median
