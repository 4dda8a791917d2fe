"""Own checkout: sources of the user's become an image that the engine holds, by Go or by their Dockerfile, once."""

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos_harness.clusters.errors import BadScenario, CommandFailed, ImageUnavailable
from chaos_harness.clusters.images.own_checkout import build_checkout
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.own_gatekeeper import OwnGatekeeper
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress

if TYPE_CHECKING:
    from chaos_harness.clusters.engine import Engine

_MAIN = """\
package main

import "example.com/gatekeeper/pkg/version"

func main() { println(version.Version) }
"""


class _Engine:
    """Holds the images that it loaded or built; `loaded` are the files of the last one."""

    def __init__(self, *, refuses: str = "") -> None:
        self.refuses = refuses
        self.held: set[str] = set()
        self.ran: list[list[str]] = []
        self.loaded: dict[str, bytes] = {}

    def run(self, argv: Sequence[str | Path], _deadline: object, **_: Any) -> CommandResult:
        words = list(map(str, argv))
        match words:
            case ["image", "inspect", *_, name]:
                return CommandResult("sha256:1\n" if name in self.held else "", "", 0 if name in self.held else 1)
            case ["load", *_, archive]:
                self._load(Path(archive))
            case ["build", "--quiet", "--tag", name, *_]:
                if self.refuses:
                    raise CommandFailed(self.refuses, said=self.refuses)
                self.held.add(name)
            case _:
                pytest.fail(f"unexpected: {words}")
        self.ran.append(words)
        return CommandResult("", "", 0)

    def _load(self, archive: Path) -> None:
        with tarfile.open(archive) as outer:
            manifest = outer.extractfile("manifest.json")
            assert manifest
            text = manifest.read().decode()
            self.held.add(text.split('"RepoTags"')[1].split('"')[1])
            for member in outer:
                if member.name.endswith(".tar"):
                    with tarfile.open(fileobj=outer.extractfile(member)) as layer:
                        self.loaded |= {
                            file.name: read.read() for file in layer if (read := layer.extractfile(file)) is not None
                        }


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    folder = tmp_path / "gatekeeper"
    (folder / "pkg/version").mkdir(parents=True)
    (folder / "go.mod").write_text("module example.com/gatekeeper\n\ngo 1.24\n", encoding="utf-8")
    (folder / "main.go").write_text(_MAIN, encoding="utf-8")
    (folder / "pkg/version/v.go").write_text('package version\n\nvar Version = "unset"\n', encoding="utf-8")
    (folder / "Dockerfile").write_text("FROM acme/base:1\n", encoding="utf-8")
    return folder


def _own(checkout: Path, **more: str) -> OwnGatekeeper:
    own = Shape.parse({"gatekeeper": {"version": "v3.23.1", "checkout": str(checkout), **more}}).own
    assert own
    return own


def _build(own: OwnGatekeeper, engine: _Engine) -> None:
    build_checkout(cast("Engine", engine), own, "v3.23.1", Progress.quiet())


@pytest.mark.skipif(shutil.which("go") is None, reason="compiles a real program: needs Go")
def test_it_is_built_by_go_once(checkout: Path) -> None:
    """The program says the version that it is like, and is all that the image has; the engine is not asked twice."""
    engine, own = _Engine(), _own(checkout)
    _build(own, engine)
    assert engine.held == {own.image}
    assert b"v3.23.1" in engine.loaded["manager"]
    _build(own, engine)
    assert len(engine.ran) == 1


@pytest.mark.skipif(shutil.which("go") is None, reason="compiles a real program: needs Go")
def test_what_does_not_compile_is_told(checkout: Path) -> None:
    """In the compiler's words."""
    (checkout / "main.go").write_text("package main\n\nfunc main() { nothing() }\n", encoding="utf-8")
    with pytest.raises(ImageUnavailable, match="undefined: nothing"):
        _build(_own(checkout), _Engine())


def test_its_dockerfile_builds_it(checkout: Path) -> None:
    """The engine does it, with the checkout as its context."""
    engine, own = _Engine(), _own(checkout, dockerfile="Dockerfile")
    _build(own, engine)
    name = str(own.image)
    label = f"chaos-harness.image={name}"
    assert engine.ran == [
        ["build", "--quiet", "--tag", name, "--label", label, "--file", str(checkout / "Dockerfile"), str(checkout)]
    ]


def test_what_the_engine_refuses_is_told(checkout: Path) -> None:
    """In its words, such as for a base that it cannot pull."""
    with pytest.raises(ImageUnavailable, match="Dockerfile does not build: pull access denied"):
        _build(_own(checkout, dockerfile="Dockerfile"), _Engine(refuses="pull access denied"))


def test_what_changed_meanwhile_is_refused(checkout: Path) -> None:
    """Its image would have the name of what was there before."""
    own = _own(checkout, dockerfile="Dockerfile")
    (checkout / "main.go").write_text("package main\n", encoding="utf-8")
    engine = _Engine()
    with pytest.raises(BadScenario, match="changed since the run began"):
        _build(own, engine)
    assert engine.held == set()
