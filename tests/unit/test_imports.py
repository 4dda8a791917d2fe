"""Imports: the direction in which the folders may know each other, and the other rules that every file keeps."""

import fnmatch
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules import problems

_ROOT = Path(__file__).parents[2]
# Hosts of package registries, in pieces so that this file does not name them.
_HOSTS = tuple(
    ".".join(pieces)
    for pieces in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("npmjs", "org"),
        ("deb", "debian", "org"),
    )
)
_NOT_OURS = {
    ".git",
    ".nox",
    ".venv",
    ".mypy_cache",
    ".ruff_cache",
    ".pytest_cache",
    ".hypothesis",
    "__pycache__",
    "build",
    "out",
}


def _files(pattern: str) -> list[Path]:
    """Return our files of a name, without a look into the 50,000 that lie in environments and caches."""
    ours = []
    for folder, folders, names in os.walk(_ROOT):
        folders[:] = [name for name in folders if name not in _NOT_OURS]
        ours += [Path(folder, name) for name in fnmatch.filter(names, pattern) if name not in _NOT_OURS]
    return [path for path in ours if path.is_file()]


def test_every_file_keeps_the_rules() -> None:
    """Import direction, length, docstring, __all__ and the one sleeper are as design and style say."""
    sources = {path.relative_to(_ROOT).as_posix(): path.read_text(encoding="utf-8") for path in _files("*.py")}

    assert {path for path in sources if path.startswith("clusters/")}, "looked in the wrong place"
    assert "\n".join(f"{path}: {problem}" for path in sources for problem in problems(path, sources[path])) == ""


def test_names_of_files_are_plain() -> None:
    """No name of a file has a blank in it: such a file is the output of a command that went astray."""
    assert [path for path in _files("*") if set(path.name) & set(" \t\n")] == []


def test_no_file_names_a_package_registry() -> None:
    """Which registry packages come from is each machine's configuration, so no file names one."""
    texts = {path: path.read_bytes() for path in _files("*")}
    named = [f"{path}: {host}" for path, text in texts.items() for host in _HOSTS if host.encode() in text]

    assert "\n".join(named) == ""


@pytest.mark.parametrize(
    ("path", "planted", "problem"),
    [
        ("clusters/a.py", "import chaos_harness.harness", "clusters may not import harness"),
        ("clusters/a.py", "from chaos_harness.harness import errors", "clusters may not import harness.errors"),
        ("clusters/a.py", "import pytest", "pytest may only be imported in"),
        (
            "clusters/engine/a.py",
            "def f():\n    import chaos_harness.reports.allure.plugin",
            "clusters may not import reports.allure.plugin",
        ),
        ("clusters/engine/a.py", "from ...harness import errors", "clusters may not import harness.errors"),
        (
            "harness/a.py",
            "from chaos_harness.reports import terminal_table",
            "harness may not import reports.terminal_table",
        ),
        ("harness/a.py", "import allure", "allure may only be imported in reports/allure/plugin.py"),
        ("harness/a.py", "import docker", "docker may only be imported in clusters/, harness/faults/"),
        ("harness/probes/a.py", "from docker.errors import APIError", "docker may only be imported in"),
        ("harness/checks/a.py", "from kubernetes import client", "kubernetes may only be imported in"),
        (
            "harness/a.py",
            "from chaos_harness.scenarios.registry_cut import test_registry",
            "harness may not import scenarios.registry_cut.test_registry",
        ),
        ("reports/terminal_table.py", "from allure_commons import hookimpl", "allure_commons may only be imported in"),
        (
            "reports/a.py",
            "from chaos_harness.harness.experiment.lifecycle import Experiment",
            "reports may not import harness.experiment.lifecycle",
        ),
        (
            "reports/a.py",
            "if TYPE_CHECKING:\n    import chaos_harness.clusters.kind.cli",
            "reports may not import clusters.kind.cli",
        ),
        ("scenarios/a.py", "from tests import sessions", "scenarios may not import tests.sessions"),
        ("scenarios/a.py", "import docker", "docker may only be imported in"),
        ("clusters/a.py", "from tenacity import Retrying", "tenacity may only be imported in clusters/retrying.py"),
        ("clusters/a.py", "from kubernetes.client.exceptions import ApiException", "may only be named in"),
        ("harness/faults/a.py", "from kubernetes.client import ApiException", "ApiException may only be named in"),
        (
            "harness/probes/a.py",
            "from urllib3.exceptions import HTTPError",
            "may only be named in clusters/api/rest.py",
        ),
        (
            "harness/a.py",
            "import urllib3\nE = urllib3.exceptions.HTTPError",
            "may only be named in clusters/api/rest.py",
        ),
        ("clusters/a.py", "from clusters import errors", "clusters: import it as a part of chaos_harness"),
        ("tests/unit/a.py", "import harness.errors", "harness.errors: import it as a part of chaos_harness"),
        ("harness/a.py", "import time\ntime.sleep(1)", "sleeps"),
        ("tests/unit/a.py", "from time import sleep", "sleeps"),
        ("harness/a.py", "\n" * 400, "more than 400 lines"),
    ],
)
def test_planted_violation_is_found(path: str, planted: str, problem: str) -> None:
    """Each rule is seen to catch what breaks it."""
    found = problems(path, f'"""A noun: what it does."""\n{planted}\n__all__ = ["a"]\n')

    assert len(found) == 1
    assert problem in found[0]


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("clusters/a.py", "import docker\nimport kubernetes\nfrom chaos_harness.clusters import errors"),
        (
            "harness/faults/a.py",
            "import docker\nfrom kubernetes import client\nfrom chaos_harness.clusters.kind.cli import x",
        ),
        ("harness/pytest_plugin/plugin.py", "import pytest"),
        (
            "clusters/api/rest.py",
            "from kubernetes.client.exceptions import ApiException\nfrom urllib3.exceptions import A",
        ),
        ("clusters/cluster.py", "import urllib3\nfrom kubernetes.client import ApiClient\nR = urllib3.Retry"),
        ("reports/allure/plugin.py", "import allure_commons\nimport pytest\nfrom chaos_harness.harness import errors"),
        ("scenarios/a.py", "import pytest\nfrom chaos_harness.harness.faults.registry.cut import cut_registry"),
        ("clusters/deadline.py", "import time\ntime.sleep(1)"),
        ("tests/unit/a.py", "import docker\nimport chaos_harness.clusters\nimport allure_commons"),
    ],
)
def test_what_design_allows_is_not_refused(path: str, allowed: str) -> None:
    """Each folder may import what stands after it in the direction."""
    assert problems(path, f'"""A noun: what it does."""\n{allowed}\n__all__ = ["a"]\n') == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("__all__ = []", "no docstring that begins with one sentence"),
        ('"""Without an end"""\n__all__ = []', "no docstring that begins with one sentence"),
        ('"""A noun: what it does."""\nx = 1', "no __all__"),
    ],
)
def test_missing_head_is_found(source: str, problem: str) -> None:
    """A module without a docstring of one sentence, or without __all__, is found."""
    assert problems("harness/a.py", source) == [problem]


@pytest.mark.parametrize("module", ["history", "checks", "incident.bundle.recheck"])
def test_who_judges_needs_no_cluster(module: str) -> None:
    """What reads and judges a history loads neither docker nor kubernetes, and neither do all checks by their names."""
    program = (
        f"import sys; from chaos_harness.harness.{module} import __doc__\n"
        "from chaos_harness.harness.catalogue import entries; entries('check')\n"
        "print(*{name.partition('.')[0] for name in sys.modules} & {'docker', 'kubernetes'})"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
