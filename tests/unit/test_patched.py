"""Patched: what tests of clusters put other values into exists; they run rarely, and late."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

_ROOT = Path(__file__).parents[2]
_PATCHED = re.compile(r'setattr\(\s*"(?P<name>chaos_harness\.[\w.]+)"')


def _patched() -> dict[str, str]:
    folders = (_ROOT / "tests" / name for name in ("api", "engines", "integration"))
    return {
        match["name"]: path.name
        for folder in folders
        for path in folder.rglob("*.py")
        for match in _PATCHED.finditer(path.read_text(encoding="utf-8"))
    }


@pytest.mark.parametrize(("name", "file"), sorted(_patched().items()))
def test_what_is_patched_exists(name: str, file: str) -> None:
    """A name that moved would be found by a run of half an hour."""
    try:
        resolve_name(name)
    except AttributeError as error:
        pytest.fail(f"{file} patches {name}: {error}")
