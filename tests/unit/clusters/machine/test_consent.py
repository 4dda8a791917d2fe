"""Consent: a terminal is asked once, nobody else is, and who does not agree finds the machine as it was."""

import os
import sys
from pathlib import Path

import pytest

from chaos_harness.clusters.engine import Layout, packages, private_engine, setup_notice
from chaos_harness.clusters.errors import ConsentMissing
from chaos_harness.clusters.machine import consent, traces
from chaos_harness.clusters.terminal.progress import Progress
from tests.terminals import run_on_terminal

_ROOT = Path(__file__).parents[4]
_REQUIRES = """
import sys
from pathlib import Path
from chaos_harness.clusters.errors import ConsentMissing
from chaos_harness.clusters.machine import consent, traces
traces.HOME = Path(sys.argv[1])
try:
    consent.require("It would install docker.io.")
except ConsentMissing as error:
    print("refused:", error)
    sys.exit(2)
print("agreed")
"""


@pytest.fixture(autouse=True)
def nobody_agreed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(consent.YES, raising=False)
    monkeypatch.delenv("NOX_CURRENT_SESSION", raising=False)
    monkeypatch.setattr(traces, "HOME", tmp_path / "machine")
    monkeypatch.setattr(consent, "_TERMINAL", tmp_path / "no-terminal")


def _environment() -> dict[str, str]:
    away = ("PYTEST_XDIST_WORKER", "PYTEST_CURRENT_TEST")
    return {name: text for name, text in os.environ.items() if name not in away}


def _on_terminal(home: Path, *typed: tuple[str, str]) -> tuple[int, str]:
    argv: list[str | Path] = [sys.executable, "-c", _REQUIRES, home]
    return run_on_terminal(argv, columns=80, env=_environment(), typed=typed, cwd=_ROOT)


def test_a_terminal_is_asked_once(tmp_path: Path) -> None:
    """A "y" is kept on the machine; whoever types the next command is not asked."""
    status, written = _on_terminal(tmp_path / "home", ("[y/N]", "y\n"))
    assert (status, "It would install docker.io." in written) == (0, True)
    status, written = _on_terminal(tmp_path / "home")
    assert (status, written) == (0, "agreed\n")


@pytest.mark.parametrize("typed", ["\n", "n\n", "what\n"])
def test_whatever_is_no_yes_is_a_no(tmp_path: Path, typed: str) -> None:
    """The status is that of what is refused, the line to type is told, and nothing is kept."""
    status, written = _on_terminal(tmp_path / "home", ("[y/N]", typed))
    assert (status, "refused: nothing was installed or changed" in written) == (2, True)
    assert f"\n  {consent.YES}=1 " in written
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["CHAOS_YES", "CI"])
def test_who_agrees_beforehand_is_not_asked(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """For one command: nothing is kept."""
    monkeypatch.setenv(name, "true")
    consent.require("It would install docker.io.")
    monkeypatch.delenv(name)
    assert not consent.agreed()


def test_without_a_terminal_the_line_to_type_is_told() -> None:
    """The whole notice is in the error, so that a log has it."""
    with pytest.raises(ConsentMissing, match=rf"(?s)^It would install docker.io\..*\n  {consent.YES}=1 \S+"):
        consent.require("It would install docker.io.")


@pytest.mark.parametrize(
    ("argv", "session", "line"),
    [
        (["/x/chaos-harness", "repro", "my file.yaml"], "", "chaos-harness repro 'my file.yaml'"),
        (["/x/chaos_harness/__main__.py", "images"], "", "python3 -m chaos_harness images"),
        (["/x/chaos_harness/__main__.py", "run", "-k", "a b"], "chaos", "nox -s chaos -- -k 'a b'"),
        (["/x/chaos_harness/__main__.py", "images"], "images", "nox -s images"),
        (["/x/bin/pytest", "scenarios"], "truth", "nox -s truth -- scenarios"),
    ],
)
def test_the_line_is_what_was_typed(monkeypatch: pytest.MonkeyPatch, argv: list[str], session: str, line: str) -> None:
    """Through nox it is the session, whose verb is not an argument."""
    monkeypatch.setattr(sys, "argv", argv)
    monkeypatch.setenv("NOX_CURRENT_SESSION", session)
    assert consent.typed_command() == line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as the question")
def test_an_engine_that_nobody_agreed_to_leaves_no_trace(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The question comes before the first file, package or rule."""
    monkeypatch.setattr(packages, "install_missing", lambda _: pytest.fail("nobody was asked"))
    layout = Layout("chaos-unasked", tmp_path / "data", tmp_path / "run")
    with pytest.raises(ConsentMissing, match="dockerd and containerd"):
        private_engine.start(layout, Progress.quiet())
    assert list(tmp_path.iterdir()) == []


def test_the_notice_is_one_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    """It names packages, daemons, chain, disk, memory, minutes and the way back, in 24 lines of 80 columns."""
    monkeypatch.setattr(packages, "program", lambda _: None)
    layout = Layout("chaos-harness", Path.home() / ".cache" / "chaos-harness" / "engine", Path("/run/chaos-harness"))
    lines = setup_notice.describe(layout).splitlines()
    text = " ".join(" ".join(lines).split())
    assert len(lines) <= 20
    assert max(map(len, lines)) <= 80
    for words in ("docker.io containerd runc iptables", "dockerd and containerd", "a chain CHAOS-HARNESS", "12 GiB"):
        assert words in text
    for words in ("2.6 GiB for each cluster", "about 11 to 21 minutes", "nox -s uninstall"):
        assert words in text
