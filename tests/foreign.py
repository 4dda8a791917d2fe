"""Foreign: a repository of somebody else's, who has installed the harness and has packages named as its folders are."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Foreign", "install", "parts"]

ROOT = Path(__file__).resolve().parents[1]
_FOLDERS = ("clusters", "harness", "reports", "scenarios")
_NAMES = ("clusters", "harness", "harness.plugin", "reports")

_SETTINGS = """
[tool.pytest.ini_options]
addopts = "--strict-markers --strict-config -p no:cacheprovider"
filterwarnings = ["error"]
pythonpath = ["."]
"""
_CONFTEST = """
def pytest_addoption(parser):
    parser.addoption("--seed", default="theirs")
"""
_OWN_TESTS = """
import sys

import clusters
import harness.plugin
import reports

def test_packages_are_mine():
    assert {package.OWNER for package in (clusters, harness, harness.plugin, reports)} == {"mine"}

def test_seed_is_mine(pytestconfig):
    assert pytestconfig.option.seed == "theirs"

def test_nothing_is_loaded():
    ours = {name for name in sys.modules if name.startswith("chaos_harness.")}
    assert ours <= {"chaos_harness.plugins", "chaos_harness.pytest_entry"}
    assert not {"docker", "kubernetes", "pydantic"} & {name.partition(".")[0] for name in sys.modules}
"""


@dataclass(frozen=True)
class Foreign:
    """A repository in `folder`, with its own tests, beside which the harness is installed in `installed`."""

    folder: Path
    installed: Path

    @classmethod
    def make(cls, folder: Path, installed: Path, scenario: str) -> "Foreign":
        """Write the repository, with a scenario in e2e/."""
        for name in _NAMES:
            module = folder.joinpath(*name.split("."))
            place = module / "__init__.py" if "." not in name else module.with_suffix(".py")
            place.parent.mkdir(exist_ok=True, parents=True)
            place.write_text('OWNER = "mine"\n', encoding="utf-8")
        for name, text in {
            "pyproject.toml": _SETTINGS,
            "conftest.py": _CONFTEST,
            "tests/test_own.py": _OWN_TESTS,
            "e2e/test_scenario.py": scenario,
        }.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
        return cls(folder, installed)

    def pytest(self, *arguments: str, seconds: float = 300) -> tuple[int, str]:
        """Run pytest as its owner does, and return its status and what it said."""
        return self.run(sys.executable, "-m", "pytest", *arguments, seconds=seconds)

    def chaos(self, *arguments: str) -> tuple[int, str]:
        """Run the command that is installed."""
        return self.run(sys.executable, str(self.installed / "bin" / "chaos-harness"), *arguments)

    def run(self, *command: str, seconds: float = 300) -> tuple[int, str]:
        """Run a program in the repository, where only what is installed can be imported of the harness."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**environment, "PYTHONPATH": str(self.installed)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        return done.returncode, done.stdout


def install(folder: Path) -> Path:
    """Build the package from a copy of the checkout, install it below the folder, and return where.

    Neither asks an index: what builds it and what it needs are in the environment of the tests.
    """
    copy, installed = folder / "copy", folder / "installed"
    for name in (*_FOLDERS, "src"):
        leave_out = shutil.ignore_patterns("out", "__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=leave_out)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    before = set(copy.rglob("*"))
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", "--no-deps"]
    command = [*pip, "--no-build-isolation", "--no-compile", "--target", str(installed), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(copy.rglob("*")) == before, "pip has left something in the checkout"
    return installed


def parts(folder: Path) -> set[str]:
    """Return the files of the package's parts below a folder, without what running them leaves."""
    kept = (path for name in _FOLDERS for path in (folder / name).rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in kept if "__pycache__" not in path.parts)
    return {name for name in names if not name.startswith("reports/out/")}
