"""Fixtures of tests that need an engine of their own, to be broken at will."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters.engine import Layout, stop_private
from tests.fakes.tiny import tiny_context


@pytest.fixture(scope="module")
def layout() -> Iterator[Layout]:
    """Give the engine places with short names: the path of a socket has 107 characters at most."""
    root = Path(tempfile.mkdtemp(prefix="chaos-", dir="/tmp"))
    layout = Layout(f"chaos-test-{os.getpid()}", root / "data", root / "run")
    yield layout
    stop_private(layout=layout)
    shutil.rmtree(root)


@pytest.fixture(scope="session")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_context(tmp_path_factory.mktemp("context"))
