"""What tests of Jobs share: a place with a matrix."""

from pathlib import Path

import pytest

from tests.fakes.night_place import NightPlace


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NightPlace:
    return NightPlace(tmp_path, monkeypatch)
