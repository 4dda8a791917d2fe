"""Installed: what came by us is known before it comes, and only that goes, unless somebody needs it."""

import os
from pathlib import Path

import pytest

from chaos_harness.clusters.machine import installed, traces

_SIMULATED = """\
The following NEW packages will be installed:
  mc mc-data
The following packages will be upgraded:
  libc6
1 upgraded, 2 newly installed, 0 to remove and 138 not upgraded.
Inst libc6 [2.36-9+deb12u10] (2.36-9+deb12u13 Debian:12.15/oldstable [amd64])
Inst mc-data (3:4.8.29-2 Debian:12.15/oldstable [all])
Inst mc (3:4.8.29-2 Debian:12.15/oldstable [amd64])
Conf mc-data (3:4.8.29-2 Debian:12.15/oldstable [all])
"""
"""What apt 2.6 of Debian 12 writes of `apt-get --simulate install mc`."""

_APT = """#!/bin/sh
# Knows what needs what, as $NEEDS says: "needed>needing"; writes as apt 2.6 does.
case "$*" in
"--simulate remove "*) shift 2 ;;
"-o DPkg::Lock::Timeout=300 "[rp]*" --yes "*) echo "$3 $(echo "$*" | cut -d' ' -f5-)" >> "$LOG"; exit 0 ;;
*) echo "E: Invalid operation $1" >&2; exit 100 ;;
esac
for name in "$@"; do echo "Remv $name [1.0]"; done
for pair in $NEEDS; do
  for name in "$@"; do [ "${pair%>*}" = "$name" ] && echo "Remv ${pair#*>} [2.0]"; done
done
exit 0
"""
_DPKG = """#!/bin/sh
[ "$1 $2" = '--show --showformat=${Package} ${db:Status-Status}
' ] || { echo "dpkg-query: error: unknown option" >&2; exit 2; }
shift 2
status=0
for name in "$@"; do
  case " $THERE " in
  *" $name "*) echo "$name installed" ;;
  *) echo "dpkg-query: no packages found matching $name" >&2; status=1 ;;
  esac
done
exit $status
"""


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Make a machine with a dpkg and an apt-get, which writes into this file what it removes."""
    for name, script in (("apt-get", _APT), ("dpkg-query", _DPKG)):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    monkeypatch.setenv("NEEDS", "")
    monkeypatch.setattr(traces, "HOME", tmp_path / "machine")
    monkeypatch.setattr(installed, "_DATA_OF_OTHERS", (tmp_path / "docker",))
    return tmp_path / "log"


def test_only_what_was_not_there_is_new() -> None:
    """A package that is only upgraded was there before."""
    assert installed.new_packages(_SIMULATED) == ["mc-data", "mc"]


def test_what_came_by_us_and_is_still_there_is_known(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each once; a record that a kill cut off is of nothing that was installed."""
    monkeypatch.setenv("THERE", "runc docker.io")
    assert installed.recorded() == []
    installed.record(["docker.io", "runc"])
    installed.record(["runc", "gone"])
    with (traces.HOME / "packages.jsonl").open("a") as file:
        file.write('{"at": "2026-11-29", "packa')
    assert installed.recorded() == ["docker.io", "runc"]


def test_what_nobody_else_needs_goes_with_its_settings(log: Path) -> None:
    """All in one call; what ours need of each other is no reason to stay."""
    os.environ["NEEDS"] = "runc>docker.io"
    assert installed.remove(["docker.io", "runc"]) == (["docker.io", "runc"], {})
    assert log.read_text() == "purge docker.io runc\n"


def test_what_others_need_stays_and_says_so(log: Path) -> None:
    """No package goes that did not come by us, and none that runs something."""
    os.environ["NEEDS"] = "iptables>firewalld"
    going, staying = installed.remove(["docker.io", "iptables", "runc"], needed=["docker.io"])
    assert (going, staying) == (["runc"], {"iptables": "firewalld needs it"})
    assert log.read_text() == "purge runc\n"


def test_the_data_of_another_engine_stays(log: Path) -> None:
    """A purge of docker.io would take /var/lib/docker with it."""
    (log.parent / "docker").mkdir()
    installed.remove(["docker.io"])
    assert log.read_text() == "remove docker.io\n"
