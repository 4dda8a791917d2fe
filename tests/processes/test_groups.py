"""Groups: xdist gives files of one group to one worker, whatever version of pytest names the tests."""

import os
import re
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_MARK = 'pytestmark = pytest.mark.xdist_group("both")\n'
_TESTS = """
@pytest.mark.parametrize("number", range(4))
def test_it(number):
    print(__name__, os.getpid())
"""
_CONFTEST = """
from tests.longest import Longest
def pytest_configure(config):
    config.pluginmanager.register(Longest(config))
"""
_OPTIONS = ("-p", "no:cacheprovider", "-n", "2", "--dist", "loadfile", "--no-loadscope-reorder", "-rP")


def test_a_group_is_for_one_worker(tmp_path: Path) -> None:
    """Its files are tested in one process, and each other file is in one, too."""
    tmp_path.joinpath("conftest.py").write_text(_CONFTEST, encoding="utf-8")
    for name, mark in {"a": _MARK, "b": "", "c": _MARK}.items():
        text = f"import os, pytest\n{mark}{_TESTS}"
        tmp_path.joinpath(f"test_{name}.py").write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *_OPTIONS],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "12 passed" in done.stdout, done.stdout
    told: dict[str, set[str]] = {}
    for file, process in re.findall(r"^test_([abc]) (\d+)$", done.stdout, re.MULTILINE):
        told.setdefault(file, set()).add(process)
    assert len(told["a"] | told["c"]) == len(told["b"]) == 1
    assert told["a"] != told["b"]
