"""The verb `ab`: how it ends, what it leaves, and that nothing is touched when it cannot work."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import __main__ as command
from chaos_harness.harness.errors import ImageUnavailable
from chaos_harness.harness.incident.ab import cli
from chaos_harness.harness.incident.bundle.write import Replay
from chaos_harness.harness.incident.load import LoadedIncident
from chaos_harness.harness.run.results_folder import hold_folder
from tests.fakes.incidents import bundled, incident, lived


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
    """A runner on whose clusters the claim is violated where Gatekeeper is installed by the chart, and `always` if so.

    `stops` are the numbers of the runs, from 1, at which the user presses Ctrl-C.
    """

    always = False
    stops: tuple[int, ...] = ()
    made = 0

    def __init__(self, _session: Any, directory: Path, *, fresh: bool) -> None:
        self._directory = directory
        self.environment: dict[str, str] = {}
        self.images: dict[str, str] = {}

    @contextmanager
    def open(self) -> Iterator[Any]:
        yield self

    def prepare(self, shapes: Sequence[Shape]) -> None:
        assert [shape.install for shape in shapes] == ["manifest", "chart"]

    def run(self, loaded: LoadedIncident, _seed: int) -> tuple[Replay, Path]:
        type(self).made += 1
        if self.made in self.stops:
            raise KeyboardInterrupt
        answered = self.always or loaded.shape.install == "chart"
        return lived(loaded, self._directory, answered=answered, number=self.made)


def _use(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> type[_Runner]:
    made = type("_Fake", (_Runner,), fields)
    monkeypatch.setattr(cli, "Runner", made)
    return made


_TYPED = ["ab", "install=manifest", "install=chart", "a.yaml", "--seed", "7"]


@pytest.mark.parametrize(
    ("pairs", "always", "status", "words"),
    [
        (4, False, 1, "B is worse than A, in 1 of 1 claims and figures."),
        (4, True, 0, "B is not worse than A."),
        (2, True, 3, "it is undecided whether B is worse than A."),
    ],
)
def test_ab(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    pairs: int,
    always: bool,
    status: int,
    words: str,
) -> None:
    """Status 1 if B is worse, 0 if it is not, 3 if so few runs cannot tell; the bundles say the same later."""
    _use(monkeypatch, always=always)
    incident(place)

    assert command.main([*_TYPED, "--times", str(pairs), "--markdown", "comment.md"]) == status
    captured = capsys.readouterr()
    assert captured.out.splitlines()[:2] == ["A: install=manifest", "B: install=chart"]
    assert words in captured.out
    assert (place / "comment.md").read_text(encoding="utf-8").startswith("<!-- chaos-harness ab -->\n\n### ")
    (folder,) = place.glob("reports/out/incidents/*-ab")
    assert command.main(["ab", "--from", str(folder), "--json"]) == status
    told = json.loads(capsys.readouterr().out)
    assert (told["runs"], told["seeds"]) == ({"A": pairs, "B": pairs}, list(range(7, 7 + pairs)))
    assert told["arms"] == {"A": "install=manifest", "B": "install=chart"}


def test_bundles_that_repro_left(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--from` takes any bundles of the same incident, by the folders in which they lie."""
    for label, answered in (("A", False), ("B", True)):
        (place / label).mkdir()
        bundled(place / label, answered=answered)

    assert command.main(["ab", "--from", "."]) == 3
    assert "✗" not in (out := capsys.readouterr().out)
    assert "A: gatekeeper=v3.23.1" in out


def test_ctrl_c(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It ends with 130 and the command that goes on; that makes the runs that are missing, and no other."""
    fake = _use(monkeypatch, stops=(4,))
    incident(place)

    assert command.main([*_TYPED, "--times", "4"]) == 130
    (folder,) = place.glob("reports/out/incidents/*-ab")
    again = f"stopped; go on: nox -s ab -- --resume {folder.relative_to(place)}\n"
    assert again in capsys.readouterr().err
    assert fake.made == 4

    assert command.main(["ab", "--resume", str(folder)]) == 1
    assert fake.made == 4 + 5
    assert "4 runs of A, 4 of B, seeds 7 to 10, in turn" in capsys.readouterr().out

    assert command.main(["ab", "--resume", str(folder)]) == 1
    assert fake.made == 4 + 5


def test_what_changed_is_not_resumed(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A comparison goes on with the same files only, and in one process."""
    fake = _use(monkeypatch, stops=(2,))
    incident(place)
    command.main([*_TYPED, "--times", "4"])
    (folder,) = place.glob("reports/out/incidents/*-ab")
    monkeypatch.setattr(fake, "run", lambda *_: pytest.fail("it ran"))
    capsys.readouterr()

    with hold_folder(folder):
        assert command.main(["ab", "--resume", str(folder)]) == 2
    assert "another process makes its runs" in capsys.readouterr().err
    incident(place, title="Another")
    assert command.main(["ab", "--resume", str(folder)]) == 2
    assert "was begun with other incident files" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["v3.20.1", "v3.23.1"], "expected A, B and incident files, found v3.20.1 v3.23.1"),
        ([], "found none of them"),
        (["v9", "v3.23.1,instal=chart", "a.yaml"], "B: 'instal=chart': there is no field instal"),
        (["v9", "v3.23.1", "a.yaml"], "v9"),
        (["v3.20.1", "v3.23.1", "bad.yaml", "nowhere.yaml"], "nowhere.yaml"),
        (["v3.20.1", "v3.23.1", "a.yaml", "sub/a.yaml"], "a: two of the files have this name"),
        (["--resume", "nowhere"], "is no ledger of a comparison"),
        (["--from", "nowhere"], "nowhere/A: no bundle is there"),
        (["v3.20.1", "--from", "nowhere"], "--from: arms, files, pairs and seed are those of the folder"),
        (["--resume", "nowhere", "--times", "3"], "--resume: arms, files, pairs and seed"),
        (["v3.20.1", "v3.23.1", "a.yaml", "--markdown", "no/where.md"], "expected a file in a folder that is there"),
        (["v3.20.1", "v3.23.1", "a.yaml", "--pool", "--keep", "always"], "clusters of the pool are given back"),
    ],
)
def test_bad_input(place: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str) -> None:
    """What cannot be used is one error with status 2, and nothing is written."""
    incident(place)
    (place / "sub").mkdir()
    incident(place / "sub")
    (place / "bad.yaml").write_text("a: &a [*a]\n", encoding="utf-8")
    before = sorted(place.rglob("*"))

    assert command.main(["ab", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert words in captured.err
    assert captured.out == ""
    assert sorted(place.rglob("*")) == before


def test_no_engine(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without an engine no run begins: that is one error, status 2, and no folder is left."""
    incident(place)

    assert command.main(_TYPED) == 2
    captured = capsys.readouterr()
    assert captured.err.count("error: ") == 1
    assert "docker info" in captured.err
    assert list(place.glob("reports/out/incidents/*")) == []


def test_an_image_that_cannot_be_had(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The images of both arms are there before the first run: else nothing runs, and nothing is left."""

    def refuse(*_: object) -> None:
        raise ImageUnavailable("no such release")

    _use(monkeypatch, prepare=refuse)
    incident(place)

    assert command.main(_TYPED) == 2
    assert "no such release" in capsys.readouterr().err
    assert list(place.glob("reports/out/incidents/*")) == []


def test_too_many_files(place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than fits is refused before any is read; the same file twice counts once."""
    read: list[Path] = []

    def load(path: Path, _fields: object) -> LoadedIncident:
        read.append(path)
        return incident(place)

    monkeypatch.setattr(cli, "load", load)
    files = [f"{number}.yaml" for number in range(101)]
    assert command.main(["ab", "v3.20.1", "v3.23.1", *files]) == 2
    assert "101 incident files; the limit is 100: compare them in parts" in capsys.readouterr().err
    assert (read, list(place.glob("reports"))) == ([], [])
    command.main(["ab", "v3.20.1", "v3.23.1", *files[:100], files[0]])
    assert "the limit is" not in capsys.readouterr().err
    assert len(read) == 200


def test_rules_of_pulls_are_read_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was checked before the first run is what the runs have."""
    _use(monkeypatch)
    incident(place)
    given = iter([PullRules(only_locked=True)])
    monkeypatch.setattr(PullRules, "read", lambda *_, **__: next(given))
    assert command.main([*_TYPED, "--times", "2"]) == 3
