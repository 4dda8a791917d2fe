"""Owner: what is known of a run's process from wherever one looks, and what its directory says."""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.machine.owner import PREFIX, Owner, engines_of, owner_of, run_directories
from chaos_harness.clusters.machine.paths import runtime_dir
from chaos_harness.clusters.machine.process_starts import start_time
from tests.namespaces import needs_namespaces
from tests.thorough import examples

_ROOT = Path(__file__).parents[4]
_SEEN = """
import json, sys
from chaos_harness.clusters.machine.owner import Owner
print(Owner.from_labels(json.loads(sys.argv[1])).is_running())
"""
_LIVES = """
import json, sys
from chaos_harness.clusters.machine.owner import Owner
print(json.dumps(Owner.mine("r").labels()), flush=True)
sys.stdin.read()
"""

_LABELS = ("owner-pid", "owner-start", "owner-view", "boot-id", "expires")


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return tmp_path


def asked(labels: dict[str, str], *around: str) -> str:
    """Return what a process that `around` puts somewhere else sees of the owner with these labels."""
    argv = [*around, sys.executable, "-c", _SEEN, json.dumps(labels)]
    return subprocess.run(argv, cwd=_ROOT, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_labels_bring_the_owner_back() -> None:
    """An owner read from its labels is the same owner."""
    owner = Owner.mine("r")
    assert Owner.from_labels(owner.labels(keep=True)) == owner


def test_keep_is_a_label_of_its_own() -> None:
    """The label keep is there when asked for, and only then."""
    owner = Owner.mine("r")
    assert set(owner.labels(keep=True)) - set(owner.labels()) == {f"{PREFIX}.keep"}


@pytest.mark.parametrize("pid", ["many", "", "-1", "9" * 5000, "²"])
def test_labels_that_lack_something_make_a_dead_owner(pid: str) -> None:
    """Who has nothing but a run label cannot be shown to live, whatever its other labels say."""
    assert not Owner.from_labels({f"{PREFIX}.run": "r", f"{PREFIX}.owner-pid": pid}).alive()


@pytest.mark.parametrize("name", ["Run", "a_b", "-a", "a" * 25, "a/b"])
def test_a_run_name_that_no_host_can_have_is_refused(name: str) -> None:
    """A run's name becomes part of host names, so it must be able to."""
    with pytest.raises(BadScenario, match="run name"):
        Owner.mine(name)


def test_the_start_time_of_a_process_is_gone_with_it(child: subprocess.Popen[bytes]) -> None:
    """A process has a start time while it runs, none when it is a zombie, none when it is reaped."""
    running = start_time(child.pid)
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    zombie = start_time(child.pid)
    child.wait()
    assert (running.isdigit(), zombie, start_time(child.pid)) == (True, "", "")


def test_a_process_that_is_seen_lives_however_old_its_run_is() -> None:
    """A run of more than six hours is as alive as any other: its time counts only if nobody can see it."""
    assert dataclasses.replace(Owner.mine("r"), expires=int(time.time()) - 1).alive()


def test_a_process_that_has_ended_is_dead_at_once(child: subprocess.Popen[bytes]) -> None:
    """Killed and not yet reaped, or reaped, or its number given to another process: it does not run."""
    owner = dataclasses.replace(Owner.mine("r"), pid=child.pid, start=start_time(child.pid))
    assert owner.is_running() is True
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert owner.is_running() is False
    child.wait()
    assert owner.is_running() is False
    assert dataclasses.replace(Owner.mine("r"), start="1").is_running() is False


@pytest.mark.parametrize(
    "change",
    [
        {"boot_id": "another machine's"},
        {"boot_id": ""},
        {"view": "pid:[1]", "pid": 2**22 + 1},
        {"view": "", "pid": 9**9},
    ],
)
def test_what_cannot_be_seen_lives_until_its_time_is_up(change: dict[str, Any]) -> None:
    """Another boot id or namespace may be one that shares the engine; earlier versions name no namespace."""
    owner = dataclasses.replace(Owner.mine("r"), **change)
    assert (owner.is_running(), owner.alive()) == (None, True)
    assert not dataclasses.replace(owner, expires=int(time.time()) - 1).alive()


@needs_namespaces
def test_another_pid_namespace_is_no_proof_of_death() -> None:
    """A live process on either side of a namespace is unknown on the other; at home it is seen, and dead when it is."""
    unshared = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
    assert asked(Owner.mine("r").labels(), *unshared) == "None"
    with subprocess.Popen(
        [*unshared, sys.executable, "-c", _LIVES], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as inside:
        assert inside.stdout
        owner = Owner.from_labels(json.loads(inside.stdout.readline()))
        assert (owner.pid != inside.pid, owner.is_running(), owner.alive()) == (True, None, True)
        inside.kill()
    assert owner.is_running() is None


@needs_namespaces
def test_a_namespace_with_the_processes_around_it_in_proc_proves_no_death(child: subprocess.Popen[bytes]) -> None:
    """Without a /proc of its own, the numbers that it sees are not those that it is asked about."""
    owner = dataclasses.replace(Owner.mine("r"), pid=child.pid, start=start_time(child.pid))
    child.kill()
    child.wait()
    assert asked(owner.labels(), "unshare", "--pid", "--fork") == "None"


@needs_namespaces
def test_hidden_processes_are_not_gone(child: subprocess.Popen[bytes]) -> None:
    """With hidepid a process of somebody else's has no entry in /proc; it still answers to its number."""
    owner = dataclasses.replace(Owner.mine("r"), pid=child.pid, start=start_time(child.pid))
    hidden = 'mount -t proc -o hidepid=2 proc /proc && exec setpriv --reuid 65534 --regid 65534 --clear-groups "$@"'
    around = ("unshare", "--mount", "sh", "-c", hidden, "sh")
    assert asked(owner.labels(), *around) == "None"
    child.kill()
    child.wait()
    assert asked(owner.labels(), *around) == "False"


def test_a_machine_without_proc_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no /proc a run has a name all the same, and lives until its time is up."""
    monkeypatch.setattr("chaos_harness.clusters.machine.owner.start_time", lambda _: "")
    monkeypatch.setattr("chaos_harness.clusters.machine.boot.BOOT_ID", Path("/nowhere"))
    monkeypatch.setattr("chaos_harness.clusters.machine.owner.process_view", lambda: "")
    assert (Owner.mine("r").is_running(), Owner.mine("r").alive()) == (None, True)


def test_a_frozen_cluster_lives_without_a_process_until_it_is_too_old() -> None:
    """Nobody's cluster lives; too many hours, or a clock that was set back make it dead, another boot unfit to wake."""
    owner = Owner.nobody("pool-1")
    day = 24 * 3600
    assert (owner.is_pooled, owner.is_frozen, Owner.mine("r").is_pooled, Owner.of_pool().is_frozen) == (
        True,
        True,
        False,
        False,
    )
    for change in ({"boot_id": "x"}, {"expires": owner.expires - day}, {"expires": owner.expires + day}):
        assert not dataclasses.replace(owner, **change).is_frozen


def test_a_claimed_directory_is_private_and_names_owner_and_engine() -> None:
    """The run's directory has mode 0700 and is found again with its owner, and all engines that it was on."""
    owner = Owner.mine("r")
    directory = owner.claim()
    assert (directory.stat().st_mode & 0o777, dict(run_directories())) == (0o700, {directory: owner})
    owner.claim("engine-a")
    owner.claim()
    assert (dict(run_directories()), engines_of(directory)) == ({directory: owner}, frozenset({"engine-a"}))


def test_earlier_versions_read_the_owner_file() -> None:
    """It has the five fields that they know, and no other: with one more they would take a live run for nobody's."""
    directory = Owner.mine("r").claim("engine-a")
    assert set(json.loads((directory / "owner.json").read_text())) == {"run", "pid", "start", "boot_id", "expires"}


def test_a_directory_of_an_earlier_version_lives_until_its_time_is_up() -> None:
    """It names no namespace: that its process is not to be seen proves nothing."""
    directory = Owner.mine("r").claim()
    (directory / "where.json").unlink()
    fields = json.loads((directory / "owner.json").read_text())
    for expires, alive in ((fields["expires"], True), (int(time.time()) - 1, False)):
        (directory / "owner.json").write_text(json.dumps({**fields, "pid": 2**22 + 1, "expires": expires}))
        ((_, owner),) = run_directories()
        assert owner.alive() is alive


def test_half_a_change_of_owners_proves_no_death() -> None:
    """The two files are written one after the other; a namespace counts only with the process that it was told of."""
    directory = Owner.mine("r").claim()
    where = json.loads((directory / "where.json").read_text())
    (directory / "where.json").write_text(json.dumps({**where, "pid": 1, "start": "1"}))
    ((_, owner),) = run_directories()
    assert owner.view == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "null",
        '{"run": "r"}',
        "[" * 100_000,
        '{"run": 1, "pid": "1", "start": 1, "boot_id": 1, "expires": "x"}',
        json.dumps({"run": "r", "pid": 1, "start": "1", "boot_id": "b", "expires": 10**400}),
    ],
    ids=range(7),
)
def test_an_owner_that_cannot_be_read_lives_as_long_as_a_run_whose_last_word_it_was(text: str) -> None:
    """Nothing is known of it until six hours have passed since it was written."""
    directory = Owner.mine("r").claim()
    file = directory / "owner.json"
    file.write_text(text)
    ((_, owner),) = run_directories()
    assert owner.alive()
    os.utime(file, (time.time() - 7 * 3600,) * 2)
    ((_, owner),) = run_directories()
    assert (owner.run, owner.alive()) == ("r", False)


def test_an_owner_file_that_never_ends_is_not_waited_for() -> None:
    """A label may name anybody's file: a pipe, or one of gigabytes, says nothing, at once."""
    directory = Owner.mine("r").claim()
    (directory / "owner.json").unlink()
    os.mkfifo(directory / "owner.json")
    assert owner_of(directory) is None
    (directory / "owner.json").unlink()
    with (directory / "owner.json").open("wb") as file:
        file.truncate(1 << 40)
    assert owner_of(directory) is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["run", "pid", "start", "engines", "view"]), inner),
    max_leaves=8,
)
_OWNERS = st.fixed_dictionaries(dict.fromkeys(("run", "pid", "start", "boot_id", "expires"), _VALUES))
_WHERES = st.fixed_dictionaries(dict.fromkeys(("pid", "start", "view", "engines"), _VALUES))


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owner=st.binary() | (_VALUES | _OWNERS).map(lambda document: json.dumps(document).encode()),
    where=st.binary() | (_VALUES | _WHERES).map(lambda document: json.dumps(document).encode()),
)
def test_no_file_of_a_run_keeps_others_from_being_seen(owner: bytes, where: bytes) -> None:
    """Whatever bytes stand in it, every run is yielded, with an owner of whom it can be asked whether he lives."""
    for run in ("bad", "good"):
        Owner.mine(run).claim("engine-a")
    (runtime_dir("runs", "bad") / "owner.json").write_bytes(owner)
    (runtime_dir("runs", "bad") / "where.json").write_bytes(where)
    runs = {path.name: (holder.alive(), engines_of(path)) for path, holder in run_directories()}
    assert (set(runs), runs["good"]) == ({"bad", "good"}, (True, frozenset({"engine-a"})))


@settings(max_examples=examples(100), deadline=None)
@given(labels=st.dictionaries(st.sampled_from([f"{PREFIX}.{name}" for name in _LABELS]), st.text()))
def test_no_labels_raise(labels: dict[str, str]) -> None:
    """Anybody may write any label: it makes an owner who lives or does not."""
    assert Owner.from_labels({f"{PREFIX}.run": "r", **labels}).alive() in (True, False)


def test_what_no_file_of_ours_names_is_not_ours(tmp_path: Path) -> None:
    """A directory without our file, however old, a link, a file: none of them is a run."""
    old, other = runtime_dir("runs", "old"), tmp_path / "other"
    os.utime(old, (time.time() - 7200,) * 2)
    Owner.mine("r").claim().rename(other)
    (runtime_dir("runs") / "link").symlink_to(other)
    (runtime_dir("runs") / "file").touch()
    assert list(run_directories()) == []


def test_directories_behind_a_link_are_not_ours(tmp_path: Path) -> None:
    """Whoever made `runs` a link meant a folder of other things."""
    Owner.mine("r").claim()
    runtime_dir("runs").rename(tmp_path / "others")
    (tmp_path / "chaos-harness" / "runs").symlink_to(tmp_path / "others")
    assert list(run_directories()) == []


def test_a_claim_that_was_cut_off_is_nobodys_after_a_minute() -> None:
    """Another run may be about to give it its name; a minute later it is not."""
    directory = Owner.mine("r").claim()
    unfinished = directory.rename(directory.with_name(".unfinished-abc"))
    assert list(run_directories()) == []
    os.utime(unfinished / "owner.json", (time.time() - 120,) * 2)
    ((path, owner),) = run_directories()
    assert (path, owner.alive()) == (unfinished, False)
