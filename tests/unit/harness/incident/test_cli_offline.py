"""Offline verbs: check, list and new read code and files, write what they are asked to write, and nothing else."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.harness import __main__ as command
from chaos_harness.harness.catalogue import entries
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.listing import LISTS, listed
from tests.fakes.incidents import incident

_ROOT = Path(__file__).parents[4]
_SHIPPED = _ROOT / "scenarios" / "incidents"


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Type the commands in a folder of the test's own; looking for an engine is a failure."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("chaos_harness.clusters.engine.connect", lambda **_: pytest.fail("an engine was looked for"))
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


def test_shipped_incidents_have_no_problem(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder stands for its incident files; nothing is written."""
    assert command.main(["check", str(_SHIPPED)]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines == [f"{path}: no problem" for path in sorted(_SHIPPED.glob("*.yaml"))]
    assert list(place.iterdir()) == []


def test_all_problems_of_all_files(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has its file, line and column, then comes what to do next; scripts get the same as JSON."""
    incident(place)
    (place / "b.yaml").write_text("schema: 1\ntitel: x\n", encoding="utf-8")

    assert command.main(["check", "a.yaml", "b.yaml", "nowhere.yaml"]) == 2
    *problems, following = capsys.readouterr().out.splitlines()
    assert problems[0] == "a.yaml: no problem"
    assert [line for line in problems if line.startswith("b.yaml:2:1: titel: no such field; did you mean title?")]
    assert problems[-1] == "nowhere.yaml: cannot be read: No such file or directory"
    assert following.startswith("next: mend them; `")
    assert command.main(["check", "--json", "a.yaml", "b.yaml"]) == 2
    right, wrong = json.loads(capsys.readouterr().out)
    assert right == {"file": "a.yaml", "problems": []}
    assert len(wrong["problems"]) == len(problems) - 2


def test_a_folder_without_incidents(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That nothing was checked is no success."""
    (place / "empty").mkdir()

    assert command.main(["check", "empty"]) == 2
    assert "error: empty: there is no incident file in this folder" in capsys.readouterr().err


@pytest.mark.parametrize("what", [what for what in LISTS if what != "scenarios"])
def test_every_name_is_listed(what: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each, with its parameters; the details are lines of 80 columns; JSON has all."""
    assert command.main(["list", what]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert command.main(["list", what, "--details"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if len(line) >= 80] == []
    assert command.main(["list", what, "--json"]) == 0
    names = [thing["name"] for thing in json.loads(capsys.readouterr().out)]

    assert [line.partition(":")[0].split(" ")[0] for line in lines] == [name.split(" ")[0] for name in names]


def test_what_claims_call_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """A fault's name in a history, and its harm, are what claims need and files do not show otherwise."""
    faults = {fault.name: fault for fault in listed("faults")}

    assert faults.keys() == entries("fault").keys()
    assert (faults["kill_containers"].known_as, faults["kill_containers"].harms) == ("kill containers", "killed")
    assert (faults["cut_off_node"].known_as, faults["cut_off_node"].harms) == ("cut off node", "cut off node")
    assert [name for name, fault in faults.items() if not fault.known_as] == []
    assert command.main(["list", "faults", "--details"]) == 0
    assert '  how: stop | drop | 503, default "stop"\n' in capsys.readouterr().out


def test_scenarios_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Incident files and tests in Python, by the paths that `run` takes, without importing them."""
    assert command.main(["list", "scenarios", "--json"]) == 0
    scenarios = {thing["name"]: thing for thing in json.loads(capsys.readouterr().out)}

    assert scenarios["scenarios/incidents/gatekeeper-3776.yaml"]["extended"]
    assert scenarios["scenarios/incidents/gatekeeper-3839.yaml"]["summary"].startswith("Gatekeeper that restarts")
    assert "scenarios/healthy/test_healthy.py::test_no_check_raises_a_false_alarm" in scenarios


@pytest.mark.parametrize("name", ["mine", "mine.yaml"])
def test_a_new_incident_has_no_problem(place: Path, name: str) -> None:
    """It can be replayed as it is, and an existing file is never replaced."""
    assert command.main(["new", "incident", name]) == 0
    assert load(place / "mine.yaml").incident.faults[1].after == "cut"
    assert command.main(["new", "incident", name]) == 2


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
@pytest.mark.parametrize("what", ["incident", "scenario"])
def test_a_new_file_needs_a_name(place: Path, what: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without one nothing is written."""
    assert command.main(["new", what, name]) == 2
    assert "expected the name of a new file" in capsys.readouterr().err
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", ["mine", "test_mine.py", "my first-one.py"])
def test_a_new_scenario_is_python(place: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """It is a test that pytest collects, whose imports there are."""
    assert command.main(["new", "scenario", name]) == 0
    (path,) = place.glob("test_*.py")
    namespace: dict[str, object] = {}
    exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), namespace)  # noqa: S102 - our own text

    assert [name for name in namespace if name.startswith("test_")]
    assert str(path.name) in capsys.readouterr().out
    assert command.main(["new", "scenario", name]) == 2


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("there", "there: is there already; choose another name"),
        ("link", "link: is there already; choose another name"),
        ("folder", "folder: is there already; choose another name"),
        ("none/a.yaml", "none/a.yaml: there is no folder none; make it, or choose another"),
        ("there/a.yaml", "there/a.yaml: cannot be written: Not a directory"),
        ("a" * 300, "cannot be written: File name too long"),
    ],
)
def test_where_nothing_can_be_recorded(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, output: str, words: str
) -> None:
    """It is told before a cluster is asked for anything."""
    monkeypatch.setattr("chaos_harness.clusters.api.readonly.open_readonly", lambda *_: pytest.fail("it was read"))
    (place / "there").write_text("mine", encoding="utf-8")
    (place / "link").symlink_to("nowhere")
    (place / "folder").mkdir()
    assert command.main(["record", "--kubeconfig", "kubeconfig", "--output", output]) == 2
    assert words in capsys.readouterr().err
    assert (place / "there").read_text(encoding="utf-8") == "mine"


def test_where_something_can_be_recorded(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Then the kubeconfig is read, and nothing is written before the cluster is."""
    assert command.main(["record", "--kubeconfig", "kubeconfig", "--output", "new.yaml"]) == 2
    assert "kubeconfig: expected a kubeconfig" in capsys.readouterr().err
    assert list(place.iterdir()) == []
