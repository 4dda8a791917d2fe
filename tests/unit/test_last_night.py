"""The action that brings the last night: which run it believes, tried with a program that answers as GitHub does."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

_ACTION = Path(__file__).parents[2] / ".github" / "actions" / "last-night" / "action.yml"
_GH = """#!/bin/bash
case "$2" in
  repos/o/r) file=repository ;;
  *"/runs?branch=main&"*) file=runs ;;
  */artifacts*) file="artifacts-$(basename "$(dirname "$2")")" ;;
  */compare/*...main) file="compare-$(basename "${2%...main}")" ;;
esac
[ "$3" = --jq ] && exec jq --raw-output "$4" "$ANSWERS/$file.json"
"""


def _run(number: int, **fields: Any) -> dict[str, Any]:
    usual = {"head_repository": {"full_name": "o/r"}, "head_branch": "main", "event": "schedule"}
    return {"id": number, "head_sha": f"c{number}", **usual, **fields}


def _find(folder: Path, runs: list[dict[str, Any]], expired: int | None, gone: int | None) -> tuple[str, str]:
    """Run the step that finds the last night; return what it left for the next step, and what it printed."""
    (script,) = (one["run"] for one in yaml.safe_load(_ACTION.read_text("utf-8"))["runs"]["steps"] if "run" in one)
    answers: dict[str, Any] = {"repository": {"default_branch": "main"}, "runs": {"workflow_runs": runs}}
    for number in (run["id"] for run in runs):
        answers[f"artifacts-{number}"] = {"artifacts": [{"id": 5, "expired": number == expired}]}
        answers[f"compare-c{number}"] = {"status": "diverged" if number == gone else "ahead"}
    for name, answer in answers.items():
        (folder / f"{name}.json").write_text(json.dumps(answer))
    (folder / "gh").write_text(_GH)
    (folder / "gh").chmod(0o755)
    output = folder / "output"
    output.touch()
    environment = {"GITHUB_REPOSITORY": "o/r", "GITHUB_OUTPUT": str(output), "ANSWERS": str(folder)}
    environment["GITHUB_ACTION_PATH"] = str(_ACTION.parent)
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        env={"PATH": f"{folder}:{os.environ['PATH']}", "WORKFLOW": "nightly.yml", "ARTIFACT": "nights", **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return output.read_text("utf-8").strip(), done.stdout


@pytest.mark.parametrize(
    ("first", "expired", "gone", "found"),
    [
        ({}, None, None, "run=9"),
        ({"event": "workflow_dispatch"}, None, None, "run=9"),
        ({"event": "pull_request"}, None, None, "run=8"),
        ({"head_repository": {"full_name": "other/r"}}, None, None, "run=8"),
        ({"head_branch": "mine"}, None, None, "run=8"),
        ({}, 9, None, "run=8"),
        ({}, None, 9, "run=8"),
    ],
    ids=["last", "by hand", "pull request", "fork", "another branch", "expired", "commit is gone"],
)
def test_which_run_is_believed(
    tmp_path: Path, first: dict[str, Any], expired: int | None, gone: int | None, found: str
) -> None:
    """The last run of the default branch that no pull request began, whose artefact and commit are still there."""
    assert _find(tmp_path, [_run(9, **first), _run(8)], expired, gone)[0] == found


@pytest.mark.parametrize("runs", [[], [_run(9, event="pull_request")]], ids=["none", "none to be believed"])
def test_the_first_night(tmp_path: Path, runs: list[dict[str, Any]]) -> None:
    """Without a night to be believed there is none, which is said, and no failure."""
    left, said = _find(tmp_path, runs, None, None)
    assert (left, "this is the first" in said) == ("", True)


def test_nothing_is_brought_unless_found() -> None:
    """The download has no other source than the run that was found."""
    _, download = yaml.safe_load(_ACTION.read_text("utf-8"))["runs"]["steps"]
    assert download["if"] == "steps.find.outputs.run != ''"
    assert download["with"]["run-id"] == "${{ steps.find.outputs.run }}"
