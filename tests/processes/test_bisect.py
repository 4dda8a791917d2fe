"""Bisect: `git bisect run` with `repro --bisect` finds the commit that made an incident reproduce."""

import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.incidents import incident

_REPRO = """
import sys
from contextlib import contextmanager
from pathlib import Path

from chaos_harness.harness import __main__ as command
from chaos_harness.harness.incident import cli
from tests.fakes.incidents import lived

class Runner:
    environment, images = {}, {}

    def __init__(self, _session, directory, *, fresh):
        self.directory = directory

    @contextmanager
    def open(self):
        yield self

    def run(self, loaded, _seed):
        return lived(loaded, self.directory, answered=Path("policy").read_text() == "loose")

cli.Runner = Runner
sys.exit(command.main(["repro", "a.yaml", "--bisect"]))
"""

_HISTORY = ("strict", "strict", None, "strict", None, "loose", "loose")
"""The policy in each commit; None: the incident file of that commit cannot be read."""


def _git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    command = ["git", *who, *words]
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "CHAOS_ENGINE": "system"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commit_that_made_it_reproduce_is_found(tmp_path: Path) -> None:
    """Commits that cannot be judged are skipped: what is left is the first bad commit, and the one before it."""
    incident(tmp_path)
    good = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    (tmp_path / ".gitignore").write_text("reports\n", encoding="utf-8")
    _git(tmp_path, "init", "--quiet")
    for number, policy in enumerate(_HISTORY):
        (tmp_path / "a.yaml").write_text(good if policy else "a: &a [*a]\n", encoding="utf-8")
        (tmp_path / "policy").write_text(policy or "none", encoding="utf-8")
        (tmp_path / "number").write_text(str(number), encoding="utf-8")
        _git(tmp_path, "add", "--all")
        _git(tmp_path, "commit", "--quiet", "--message", f"commit {number}")
    _git(tmp_path, "bisect", "start", "HEAD", f"HEAD~{len(_HISTORY) - 1}")

    command = [sys.executable, "-c", _REPRO]
    done = subprocess.run(
        ["git", "bisect", "run", *command],
        cwd=tmp_path,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "reports/state")},
        capture_output=True,
        text=True,
        check=False,
    )
    log = _git(tmp_path, "bisect", "log")

    assert "only 'skip'ped commits left" in done.stdout + done.stderr + log, done.stdout + done.stderr
    assert [line.rpartition("] ")[2] for line in log.splitlines() if "possible first bad" in line] == [
        "commit 5",
        "commit 4",
    ]
