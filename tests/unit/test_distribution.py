"""Distribution: what apt is asked, and what is said where it cannot be asked."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from clusters import distribution
from clusters.errors import HarnessError
from clusters.progress import Progress


@pytest.fixture
def apt(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Make a machine whose only program is an apt-get that writes down what it is asked, and succeeds."""
    root = Path(tempfile.mkdtemp())
    (root / "apt-get").write_text(f'#!/bin/sh\necho "$@" >> {root}/asked\n')
    (root / "apt-get").chmod(0o755)
    monkeypatch.setenv("PATH", str(root))
    monkeypatch.setattr(distribution, "_POLICY", root / "policy-rc.d")
    yield root
    shutil.rmtree(root)


def _install() -> None:
    distribution.install(["a", "b"], Progress.quiet(), lack="no a here", elsewhere="ask your vendor")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_packages_are_installed_alone_and_nothing_goes(apt: Path) -> None:
    """The lists are fetched, then the packages come, without what they only recommend, and waiting for dpkg's lock."""
    _install()
    update, install = (apt / "asked").read_text().splitlines()
    assert update == "-o DPkg::Lock::Timeout=300 update"
    assert install == "-o DPkg::Lock::Timeout=300 install --yes --no-install-recommends --no-remove a b"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gets as far as apt")
def test_what_apt_says_is_told(apt: Path) -> None:
    """An installation that fails is told with the command and apt's own words."""
    (apt / "apt-get").write_text("#!/bin/sh\necho E: no route >&2; exit 100\n")
    with pytest.raises(HarnessError, match=r"(?s)no a here; `apt-get update && .* a b` failed: .*E: no route"):
        _install()


def test_without_apt_another_way_is_told(apt: Path) -> None:
    """On another distribution the reader is told what to do."""
    (apt / "apt-get").unlink()
    with pytest.raises(HarnessError, match=r"no a here, and only Debian's and .*; ask your vendor"):
        _install()


def test_who_is_not_root_is_told_the_command(apt: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is asked of apt, and the command is one to type."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(HarnessError, match=r"type `sudo sh -c 'apt-get update && apt-get install .* a b'`"):
        _install()
    assert not (apt / "asked").exists()


def test_a_policy_that_was_there_comes_back(tmp_path: Path) -> None:
    """A machine's own policy-rc.d is the same after the installation, also when that fails."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 0\n")
    seen = []
    with contextlib.suppress(KeyError), distribution.no_daemon_starts(policy):
        seen.append(policy.read_text())
        raise KeyError
    assert "exit 101" in seen[0]
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert [each.name for each in tmp_path.iterdir()] == ["policy-rc.d"]


def test_a_policy_that_a_killed_run_put_aside_comes_back(tmp_path: Path) -> None:
    """What a kill -9 in the middle left is put right by the next installation."""
    policy = tmp_path / "policy-rc.d"
    policy.write_text("the machine's own")
    guard = distribution.no_daemon_starts(policy)
    guard.__enter__()
    with distribution.no_daemon_starts(policy):
        pass
    assert policy.read_text() == "the machine's own"
