"""Trial: the tests of a package on a copy of the repository, in a process that is forked for each mistake."""

import os
import re
import resource
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.mutation.packages import Package

__all__ = ["Trial"]

_ROOT = Path(__file__).parents[2]
_COPIED = ("clusters", "harness", "reports", "scenarios", "src", "tests")
_PRELOADED = ("docker", "hypothesis", "kubernetes.client", "kubernetes.config", "pydantic", "yaml")
_OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", "--hypothesis-profile", "quick")
_REPEATABLE = ("--hypothesis-seed", "0", "-W", "ignore::pytest.PytestAssertRewriteWarning")
_PROCESSOR_SECONDS = 60
"""A run takes a few; with a mistake it may never end."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


class Trial:
    """A copy of the repository in which one file at a time is wrong."""

    def __init__(self, root: Path, package: Package) -> None:
        self._root = root
        self._package = package
        self._unsteady = [f"--deselect={test}" for test in package.unsteady]
        self._tried = 0

    @classmethod
    @contextmanager
    def of(cls, package: Package) -> Iterator["Trial"]:
        """Make the copy, and remove it afterwards."""
        for name in _PRELOADED:
            import_module(name)
        with TemporaryDirectory(prefix="mutation-") as folder:
            root = Path(folder)
            root.chmod(0o755)  # some tests start programs of it as another user
            for name in _COPIED:
                shutil.copytree(_ROOT / name, root / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
            shutil.copy(_ROOT / "pyproject.toml", root)
            for place in _ROOT.iterdir():
                if not (root / place.name).exists() and not place.name.startswith("."):
                    (root / place.name).symlink_to(place)
            yield cls(root, package)

    def found(self, file: str, source: str) -> str:
        """Return the test that fails while `file` has this source, or why the run did not end; "" if all pass.

        The tests that have the file's name are run alone first, and all others only if they pass.
        """
        path = self._root / file
        right = path.read_text(encoding="utf-8")
        try:
            self._write(path, source)
            nearest = list(self._package.nearest(file))
            return (self._run(nearest) if nearest else "") or self._run(self._package.tests)
        finally:
            self._write(path, right)

    def _write(self, path: Path, source: str) -> None:
        """Write a file with a time that no compiled one has: two mistakes may have the same size and second."""
        path.write_text(source, encoding="utf-8")
        self._tried += 1
        os.utime(path, (self._tried, self._tried))

    def _run(self, tests: Sequence[str]) -> str:
        output = self._root / "output.txt"
        pid = os.fork()
        if pid == 0:
            self._test(output, tests)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        if status == 0:
            return ""
        failed = _FAILED.search(output.read_text(encoding="utf-8", errors="replace"))
        return failed[1] if failed else f"status {status}"

    def _test(self, output: Path, tests: Sequence[str]) -> None:
        """Run pytest in this process, and end it."""
        status = 1
        try:
            resource.setrlimit(resource.RLIMIT_CPU, (_PROCESSOR_SECONDS, _PROCESSOR_SECONDS))
            out = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            for stream in (1, 2):
                os.dup2(out, stream)
            self._enter_copy()
            status = pytest.main([*_OPTIONS, *_REPEATABLE, *self._unsteady, *tests])
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            sys.stdout.flush()
            os._exit(int(status))

    def _enter_copy(self) -> None:
        """Let this process and those that it starts import from the copy, write there, and reach no engine."""
        os.chdir(self._root)
        others = [path for path in sys.path if path and Path(path).resolve() not in (_ROOT, _ROOT / "src")]
        sys.path[:] = [str(self._root), str(self._root / "src"), *others]
        for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "chaos_harness")]:
            del sys.modules[name]
        os.environ.update(
            PYTHONPATH=str(self._root / "src"),
            PYTHONDONTWRITEBYTECODE="1" if self._tried > 1 else "",
            DOCKER_HOST="unix:///nowhere",
            XDG_STATE_HOME=str(self._root / "state"),
        )
        sys.dont_write_bytecode = self._tried > 1  # what the first run has compiled serves all others
