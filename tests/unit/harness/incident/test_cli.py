"""Verbs: how each verb of incidents ends, what it says, and that nothing is touched when it cannot work."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.harness import __main__ as command
from chaos_harness.harness.incident import cli
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.run.results_folder import hold_folder
from tests.fakes.incidents import bundled, incident, lived

_SUITE = Path(__file__).parents[3] / "suites" / "allowed-repos"


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Type the commands in a directory of the test's own, where no engine can be."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHAOS_ENGINE", "system")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


class _Runner:
    """A runner whose runs reproduce in turn or not, as `seen` says."""

    seen: tuple[bool, ...] = (True,)

    def __init__(self, _session: Any, directory: Path, *, fresh: bool) -> None:
        self._directory = directory
        self._number = 0
        self.environment = {"engine": "none"}
        self.images: dict[str, str] = {}

    @contextmanager
    def open(self) -> Iterator[Any]:
        yield self

    def run(self, loaded: LoadedIncident, _seed: int) -> tuple[Replay, Path]:
        self._number += 1
        answered = self.seen[(self._number - 1) % len(self.seen)]
        return lived(loaded, self._directory, answered=answered, number=self._number)


@pytest.mark.parametrize(
    ("seen", "status", "words"),
    [((True, False), 0, "reproduced 2 of 3"), ((False,), 1, "reproduced 0 of 3")],
)
def test_repro(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seen: tuple[bool, ...],
    status: int,
    words: str,
) -> None:
    """It ends with 0 if the incident was seen at least once, says how often, and its bundle can be rechecked."""
    monkeypatch.setattr(cli, "Runner", type("_Fake", (_Runner,), {"seen": seen}))
    incident(place)

    assert command.main(["repro", "a.yaml", "--times", "3", "--seed", "7", "--gatekeeper", "3.20"]) == status
    stdout = capsys.readouterr().out
    assert words in stdout
    assert "Gatekeeper v3.20.1" in stdout
    assert "replay it:         nox -s repro -- a.yaml --gatekeeper v3.20.1" in stdout
    (bundle,) = place.glob("reports/out/incidents/*-repro-a/bundle.zip")
    assert command.main(["recheck", str(bundle)]) == 0
    assert "3 claims judged again, none changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        ["repro", "bad.yaml"],
        ["repro", "a.yaml", "--kubernetes", "v9"],
        ["repro", "nowhere.yaml"],
        ["shrink", "bad.yaml"],
        ["shrink", "a.yaml", "--resume", "nowhere"],
        ["shrink", "a.yaml", "--resume", "nowhere", "--seed", "7"],
        ["repro", "a.yaml", "--on", ""],
        ["repro", "a.yaml", "--lock", "nowhere"],
        ["shrink", "a.yaml", "--lock", "nowhere"],
        ["ab", "v3.20.1", "v3.23.1", "a.yaml", "--lock", "nowhere"],
        ["crashtest", "--lock", "nowhere"],
        ["suite", str(_SUITE), "--lock", "nowhere"],
        ["suite", str(_SUITE), "--lasts", "5s"],
        ["repro", "a.yaml", "--pool", "--keep", "always"],
        ["repro", "a.yaml", "--workers", "0", "--install", "cart"],
        ["recheck", "bad.yaml"],
        ["new-incident", "a.yaml"],
        ["record", "--kubeconfig", "bad.yaml"],
    ],
)
def test_bad_input(place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """What cannot be used is one error with status 2, and nothing is written."""
    incident(place)
    (place / "bad.yaml").write_text("a: &a [*a]\n", encoding="utf-8")
    before = sorted(place.rglob("*"))

    assert command.main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert captured.out == ""
    assert sorted(place.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["repro"],
        ["repro", "a", "--times", "0"],
        ["repro", "a", "--times", "x"],
        ["repro", "a", "--times", "1e3"],
        ["repro", "a", "--seed", "-5"],
        ["repro", "a", "--seed", "99999999999"],
        ["repro", "a", "--workers", "7"],
        ["shrink", "a", "--budget", "soon"],
        ["shrink", "a", "--budget", "0s"],
        ["shrink", "a", "--budget=-5m"],
        ["shrink", "a", "--confidence", "1"],
        ["shrink", "a", "--confidence", "sure"],
    ],
)
def test_bad_usage(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    """An option that cannot be is refused, with where the options are explained, before anything is read."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)

    assert ended.value.code == 2
    assert "usage: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "status"),
    [(["repro"], 2), (["repro", "--bisect"], 125), (["shrink"], 2)],
    ids=["repro", "repro --bisect", "shrink"],
)
def test_no_engine(place: Path, capsys: pytest.CaptureFixture[str], verb: list[str], status: int) -> None:
    """Without an engine nothing is run: that is one error, status 2, and no bundle and no folder is left."""
    incident(place)

    assert command.main([*verb, "a.yaml"]) == status
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert "docker info" in captured.err
    assert captured.out == ""
    assert list(place.glob("reports/out/incidents/*")) == []


@pytest.mark.parametrize(
    ("seen", "status", "runs"), [((False, True), 1, 2), ((False,), 0, 3)], ids=["reproduced", "not reproduced"]
)
def test_bisect(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], seen: Any, status: int, runs: int
) -> None:
    """Reproduced is a bad commit, and no more runs are needed; a good one is reproduced by none."""
    monkeypatch.setattr(cli, "Runner", type("_Fake", (_Runner,), {"seen": seen}))
    incident(place)

    assert command.main(["repro", "a.yaml", "--times", "3", "--bisect"]) == status
    assert capsys.readouterr().out.count("\nrun ") == runs


def test_recheck_of_a_changed_verdict(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A verdict that is another one today ends with 1."""
    bundle = bundled(place)
    (place / "empty").mkdir()
    monkeypatch.setattr("chaos_harness.harness.incident.bundle.recheck.judge", lambda *_: [])

    assert command.main(["recheck", str(bundle)]) == 1
    assert "1 changed" in capsys.readouterr().out


def test_reports_for_scripts(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With --json a script reads each run, each claim's verdict then and now, and where the bundle is."""
    monkeypatch.setattr(cli, "Runner", type("_Fake", (_Runner,), {"seen": (True, False)}))
    incident(place)

    assert command.main(["repro", "a.yaml", "--times", "2", "--seed", "7", "--json"]) == 0
    replayed = json.loads(capsys.readouterr().out)
    assert [run["seen"] for run in replayed["runs"]] == ["reproduced", "not reproduced"]
    assert (replayed["seed"], replayed["shape"]["workers"]) == (7, 2)
    assert command.main(["recheck", replayed["bundle"], "--json"]) == 0
    claims = json.loads(capsys.readouterr().out)["claims"]
    assert {claim["changed"] for claim in claims} == {False}
    assert [claim["then"]["outcome"] for claim in claims] == [claim["now"]["outcome"] for claim in claims]
    assert {claim["run"] for claim in claims} == {run["directory"] for run in replayed["runs"]}


def test_new_incident(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The skeleton can be lived as it is, says what may stand in it, and never replaces a file."""
    assert command.main(["new-incident", "mine.yaml"]) == 0
    assert "nox -s repro -- mine.yaml" in capsys.readouterr().out
    text = (place / "mine.yaml").read_text(encoding="utf-8")

    assert load(place / "mine.yaml").incident.faults[1].after == "cut"
    assert "#   recovers_within seconds how [during] [steady]\n" in text
    assert "$any-worker" in text
    assert command.main(["new-incident", "mine.yaml"]) == 2
    assert (place / "mine.yaml").read_text(encoding="utf-8") == text


def test_shrink(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A shrink says where it can go on, and leaves the smallest file, which can be read."""
    monkeypatch.setattr(cli, "Runner", _Runner)
    probes = [{"probe": "ask_replicas"}]
    incident(place, probes=probes, shape={"workers": 1})

    assert command.main(["shrink", "a.yaml", "--budget", "1h", "--seed", "7"]) == 0
    captured = capsys.readouterr()
    (smallest,) = place.glob("reports/out/incidents/*-shrink-a/a.yaml")
    assert "1 of 2 parts are left" in captured.out
    assert "without probe 1: reproduced" in captured.out
    assert f"--resume {smallest.parent.relative_to(place)}" in captured.err
    assert load(smallest).incident.probes == []


def test_shrink_that_is_stopped(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shrink that is interrupted ends with the command that goes on with it."""

    def stop(*_: object) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "Runner", _Runner)
    monkeypatch.setattr(_Runner, "run", stop)
    incident(place)

    assert command.main(["shrink", "a.yaml", "--seed", "7"]) == 130
    (folder,) = place.glob("reports/out/incidents/*-shrink-a")
    stderr = capsys.readouterr().err
    assert f"stopped after 1 runs; go on: nox -s shrink -- a.yaml --resume {folder.relative_to(place)}" in stderr


def test_a_shrink_is_not_resumed_beside_itself(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever resumes one that still runs is told so, and changes nothing in its folder."""
    monkeypatch.setattr(cli, "Runner", _Runner)
    incident(place)
    assert command.main(["shrink", "a.yaml", "--seed", "7"]) == 0
    (folder,) = place.glob("reports/out/incidents/*-shrink-a")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    capsys.readouterr()

    with hold_folder(folder):
        assert command.main(["shrink", "a.yaml", "--resume", str(folder)]) == 2
    assert "another process makes its runs" in capsys.readouterr().err
    assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_verb_says_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    """The help lists the verbs."""
    with pytest.raises(SystemExit):
        command.main(["--help"])

    stdout = capsys.readouterr().out
    for verb in ("repro", "ab", "recheck", "shrink", "new-incident", "record", "schema"):
        assert f"\n  {verb} " in stdout


def test_a_place_for_results_that_cannot_be(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where no directory can be made for results, that is one line, before anything is done."""
    monkeypatch.setattr(cli, "Runner", lambda *_, **__: pytest.fail("it began"))
    incident(place)
    (place / "reports").write_text("a file")

    for verb in ("repro", "shrink"):
        assert command.main([verb, "a.yaml"]) == 2
        stderr = capsys.readouterr().err
        assert "cannot be made: Not a directory; type the command where you may write" in stderr
        assert stderr.count("\n") == 1


def test_a_long_name(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An incident whose name has as many letters as a name can have leaves its results by a shorter one."""
    monkeypatch.setattr(cli, "Runner", _Runner)
    incident(place)
    name = f"{'a' * 250}.yaml"
    (place / "a.yaml").rename(place / name)

    assert command.main(["repro", name]) == 0


def test_a_title_reaches_no_terminal_as_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a run says when it breaks, which may be anybody's words, is shown."""

    class Broken(_Runner):
        def run(self, loaded: LoadedIncident, seed: int) -> tuple[Replay, Path]:
            run, directory = super().run(loaded, seed)
            return run.model_copy(update={"error": "\x1b]52;c;cm0=\x07"}), directory

    monkeypatch.setattr(cli, "Runner", Broken)
    incident(place)
    command.main(["repro", "a.yaml"])
    stdout = capsys.readouterr().out
    assert r"\x1b]52;c;cm0=\x07" in stdout
    assert all(line.isprintable() for line in stdout.splitlines())
