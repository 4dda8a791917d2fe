"""Workflows: what GitHub is told to run exists, is pinned, needs no root, and may do no more than it must."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from nox import registry

import noxfile  # noqa: F401 - it registers the sessions

_ROOT = Path(__file__).parents[2]
_WORKFLOWS = sorted((_ROOT / ".github" / "workflows").glob("*.yml"))
_ACTIONS = sorted((_ROOT / ".github" / "actions").glob("*/action.yml"))
_SESSION = re.compile(r"\bnox (?:-s|--session) ([\w-]+)")
_AS_ROOT = re.compile(r"\b(sudo|su|doas|pkexec|apt|apt-get|dpkg|sysctl|systemctl|modprobe|mount|mmdebstrap)\b")
_PINNED = re.compile(r"uses: (\./[\w./-]+|[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+)$")
_MAY_BE_WRITTEN = {"id-token", "attestations"}
"""What proves who built a package; neither lets a workflow change the repository."""


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return document


def _jobs(path: Path) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = _read(path)["jobs"]
    return jobs


def _steps(path: Path) -> Iterator[dict[str, Any]]:
    if path in _ACTIONS:
        yield from _read(path)["runs"]["steps"]
    else:
        for job in _jobs(path).values():
            yield from job["steps"]


def _scripts(path: Path) -> list[str]:
    return [step["run"] for step in _steps(path) if "run" in step]


def test_there_are_workflows() -> None:
    """What the tests below read is there."""
    assert [path.stem for path in _WORKFLOWS] == ["ci", "nightly", "release"]
    assert [path.parent.name for path in _ACTIONS] == ["ab", "ab-comment", "chaos", "last-night", "nightly"]
    assert all(_scripts(path) for path in (*_WORKFLOWS, *_ACTIONS))


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS], ids=lambda path: path.stem)
def test_steps_can_run(path: Path) -> None:
    """Each session that a step names exists, no step needs root, and none puts an expression into a script."""
    scripts = [*_scripts(path), *(file.read_text(encoding="utf-8") for file in path.parent.glob("*.sh"))]
    named = {name for script in scripts for name in _SESSION.findall(script)}

    assert named <= set(registry.get())
    assert [script for script in scripts if _AS_ROOT.search(script)] == []
    assert [script for script in scripts if "${{" in script] == []


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS], ids=lambda path: path.stem)
def test_actions_are_pinned(path: Path) -> None:
    """Each action is one of this repository, or a commit, with its version beside it."""
    uses = re.findall(r"^[ -]+(uses: .*)$", path.read_text(encoding="utf-8"), re.MULTILINE)

    assert uses
    assert [line for line in uses if not _PINNED.match(line)] == []


@pytest.mark.parametrize("path", _WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_may_do_little(path: Path) -> None:
    """Nothing is allowed but what a job asks for, and no job may change the repository, or run for ever."""
    assert _read(path)["permissions"] == {}
    for job in _jobs(path).values():
        written = {name for name, access in job["permissions"].items() if access == "write"}
        assert written <= (_MAY_BE_WRITTEN if path.stem == "release" else set())
        assert 5 <= job["timeout-minutes"] <= 180


@pytest.mark.parametrize("path", [*_WORKFLOWS, *_ACTIONS], ids=lambda path: path.stem)
def test_what_is_kept_is_redacted(path: Path) -> None:
    """An artefact has what the harness redacts: not the files of the experiments themselves, or bundles alone."""
    for step in _steps(path):
        if step.get("uses", "").startswith("actions/upload-artifact@") and step["with"]["name"] != "dist":
            results, *left_out = paths = step["with"]["path"].splitlines()
            if not all(named.endswith(("/ab.md", "/[AB]/*.zip")) for named in paths):
                assert left_out == [f"!{results}/*/experiments"]


def test_clusters_are_removed() -> None:
    """Whatever runs on clusters is followed by gc, also when it fails."""
    verbs = r"pytest --chaos|chaos_harness (ab|nightly) "
    breaks = re.compile(rf"\.ci/run|nox -s (chaos|repro)|nox -s nightly -- --shard|{verbs}")
    for path in (*_WORKFLOWS, *_ACTIONS):
        groups = [list(_steps(path))] if path in _ACTIONS else [job["steps"] for job in _jobs(path).values()]
        for steps in groups:
            scripts = [step.get("run", "") for step in steps]
            last = max((number for number, script in enumerate(scripts) if breaks.search(script)), default=None)
            if last is not None:
                healing = [step for step in steps[last + 1 :] if step.get("run", "").endswith(" gc")]
                assert [step.get("if") for step in healing] == ["always()"], path
