"""Resolution of images: which of the ways is taken, by which name the image goes on, and what a failure costs."""

import io
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import BadScenario, CommandFailed, ImageUnavailable
from chaos_harness.clusters.images import Images, ensure
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.lock import renew_lock, write
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.resolve import LocalImage, find, resolve
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine.process import CommandResult, run
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine

_DIGEST = "0123456789ab" + "0" * 52
_REFERENCE = f"docker.io/kindest/node@sha256:{_DIGEST}"
_LOCK = {"node/v1": _REFERENCE}
_QUIET = Progress.quiet()


@dataclass(frozen=True)
class _Engine(FakeEngine):
    """Holds `images` by name, and pulls what is `published`; `did` is what changed it."""

    images: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    did: list[str] = field(default_factory=list)

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        name = words[-1]
        if words[:2] == ["image", "inspect"]:
            return CommandResult(f"{self.images.get(name, '')}\n", "", 0 if name in self.images else 1)
        self.did.append(" ".join(words))
        if words[0] == "pull" and name not in self.published:
            return CommandResult("", f"using default\nmanifest for {name} not found", 1)
        if words[0] == "pull":
            self.images[name] = self.published[name]
        if words[0] == "tag":
            self.images[name] = self.images[words[1]]
        return CommandResult("", "", 0)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(images.sources, "prepare_tools", lambda *_: None)
    monkeypatch.setattr(images.sources, "prepare_downloads", lambda *_: None)
    monkeypatch.setattr(images.plan, "lacks", lambda _: [])


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Let pauses take no time; give their seconds."""
    slept: list[float] = []
    monkeypatch.setattr(Deadline, "pause", lambda _, seconds: slept.append(float(seconds)))
    return slept


def _entry(engine: _Engine, *artefacts: Artefact) -> ImageEntry:
    def build(_engine: object, _progress: object) -> None:
        engine.did.append("build")
        engine.images["node:v1-key"] = "built"

    return ImageEntry("node/v1", "docker.io/kindest/node:v1", "node:v1-", "key", build, artefacts)


@pytest.mark.parametrize(
    ("there", "held", "did"),
    [
        ({"node:v1-key": "b", "node:v1-0123456789ab": "p"}, LocalImage("node:v1-0123456789ab", "p", "present"), []),
        ({"node:v1-key": "b"}, LocalImage("node:v1-key", "b", "present"), []),
        ({"node:v1-0123456789ab": "p"}, LocalImage("node:v1-0123456789ab", "p", "present"), []),
        (
            {},
            LocalImage("node:v1-0123456789ab", "new", "pulled"),
            [f"pull {_REFERENCE}", f"tag {_REFERENCE} node:v1-0123456789ab"],
        ),
    ],
    ids=["both", "built", "pulled", "none"],
)
def test_what_is_there_is_used(there: dict[str, str], held: LocalImage, did: list[str]) -> None:
    """What was pulled goes before what was built, either before a pull, and each has the name of its content."""
    engine = _Engine(images=there, published={_REFERENCE: "new"})

    assert resolve(engine, _entry(engine), _LOCK, _QUIET) == held
    assert engine.did == did


def test_without_a_lock_it_is_built() -> None:
    """What was pulled when another lock named it is not taken for what is built today."""
    engine = _Engine(images={"node:v1-0123456789ab": "p"})

    assert resolve(engine, _entry(engine), {}, _QUIET) == LocalImage("node:v1-key", "built", "built")
    assert engine.did == ["build"]


def test_another_digest_is_another_image() -> None:
    """After a new digest came into the lock, what was pulled by the old one is not used."""
    engine = _Engine(images={"node:v1-0123456789ab": "old"}, published={"node@sha256:" + "f" * 64: "new"})

    held = resolve(engine, _entry(engine), {"node/v1": "node@sha256:" + "f" * 64}, _QUIET)
    assert held == LocalImage("node:v1-ffffffffffff", "new", "pulled")


def test_a_pull_that_fails_says_why_once_and_the_image_is_built() -> None:
    """What is not there is asked for once, and nothing is pulled by the tag."""
    engine, stream = _Engine(), io.StringIO()

    assert resolve(engine, _entry(engine), _LOCK, Progress(stream)) == LocalImage("node:v1-key", "built", "built")
    assert engine.did == [f"pull {_REFERENCE}", "build"]
    lines = [line for line in stream.getvalue().splitlines() if "cannot be pulled" in line]
    why = f"{_REFERENCE} cannot be pulled: manifest for {_REFERENCE} not found"
    assert lines == [f"   {why}; `docker manifest inspect {_REFERENCE}` asks again, and no tag is taken instead"]


def test_what_cannot_be_found_is_no_error() -> None:
    """To look, and to pull, builds nothing."""
    engine = _Engine()

    assert find(engine, _entry(engine), PullRules(_LOCK)) is None
    assert "build" not in engine.did


def _ensured(monkeypatch: pytest.MonkeyPatch, engine: _Engine, *artefacts: Artefact) -> Images:
    monkeypatch.setattr(images, "entries", lambda _: {"node": _entry(engine, *artefacts)})
    return ensure(engine, Shape(), _QUIET, PullRules(_LOCK))


def test_a_pulled_image_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name and id are the shape's image, and no artefact is made for it."""
    engine = _Engine(published={_REFERENCE: "new"})
    made = _ensured(monkeypatch, engine, Artefact("tools", "1", lambda *_: pytest.fail("compiled")))

    assert (made.node, made.origin) == ("node:v1-0123456789ab", {"node:v1-0123456789ab": "pulled"})
    assert made.ids == {"node:v1-0123456789ab": "new"}


def test_a_download_goes_on_beside_a_compilation(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the pull has failed, root file systems are fetched while programs compile, and then the image is made."""
    engine, both = _Engine(), threading.Barrier(2)

    def meet(_folder: Path, _progress: Progress) -> None:
        both.wait(30)
        engine.did.append("artefact")

    artefacts = [Artefact(name, "1", meet) for name in ("node-rootfs", "tools")]
    made = _ensured(monkeypatch, engine, *artefacts)

    assert engine.did == [f"pull {_REFERENCE}", "artefact", "artefact", "build"]
    assert (made.node, made.ids) == ("node:v1-key", {"node:v1-key": "built"})


def test_what_cannot_be_fetched_ends_what_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is not root hears at once that no root file system can be made, and not after all of Kubernetes was built."""
    begun = threading.Event()

    def refuse(_folder: Path, _progress: Progress) -> None:
        begun.wait(30)
        raise ImageUnavailable("only root can install packages")

    def compile_(_folder: Path, _progress: Progress) -> None:
        begun.set()
        run(["sleep", "20"], Deadline.after(60, "a compilation"))
        pytest.fail("compiled to the end")

    artefacts = [Artefact("tools", "1", compile_), Artefact("node-rootfs", "1", refuse)]
    with pytest.raises(ImageUnavailable, match="only root"):
        _ensured(monkeypatch, _Engine(), *artefacts)


def test_images_that_are_there_are_not_all_that_a_cluster_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine with all images, of another user for instance: what else is needed is made before a cluster is."""
    asked: list[list[Shape]] = []
    monkeypatch.setattr(images.sources, "prepare_tools", lambda shapes, _: asked.append(shapes))
    _ensured(monkeypatch, _Engine(images={"node:v1-key": "b"}))
    assert asked == [[Shape()]]


def test_the_first_of_several_shapes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """All images are made ready, and the names are those of the first shape."""
    engine = _Engine(images={"node:v1-key": "1", "node:v2-key": "2"})
    nodes = {"v1.36.4": _entry(engine), "v1.35.8": ImageEntry("node/v2", "", "node:v2-", "key", lambda *_: None)}
    shapes = [Shape.model_construct(kubernetes=version) for version in nodes]
    monkeypatch.setattr(images, "entries", lambda shape: {"node": nodes[shape.kubernetes]})

    made = ensure(engine, shapes, _QUIET, PullRules())
    assert (made.node, sorted(made.ids)) == ("node:v1-key", ["node:v1-key", "node:v2-key"])


def test_digests_of_nodes_stay(tmp_path: Path) -> None:
    """The lock of nodes is kind's release: no registry is asked about them, and what there is no recipe of goes."""
    engine = FakeEngine(errors={"pull": "no such host"})
    entries = [
        _entry(_Engine()),
        ImageEntry("registry", "docker.io/library/registry:3", "registry:", "1", lambda *_: None),
    ]
    locked = _LOCK | {"node/v0": "gone", "registry": "old"}

    assert renew_lock(engine, locked, entries, _QUIET) == _LOCK
    assert engine.asked == ["pull --quiet docker.io/library/registry:3"]


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    """The comment stays, and each entry is one line."""
    path = tmp_path / "lock.yaml"
    path.write_text("# what it is\n{}\n")
    write(_LOCK, path)

    assert path.read_text() == f"# what it is\nnode/v1: {_REFERENCE}\n"
    assert read_lock(path) == _LOCK


def test_a_build_that_fails_is_no_image() -> None:
    """Its error is passed on."""

    def fail(*_: object) -> None:
        raise CommandFailed("no compiler")

    entry = ImageEntry("node/v1", "", "node:v1-", "key", fail)
    with pytest.raises(CommandFailed, match="no compiler"):
        resolve(_Engine(), entry, _LOCK, _QUIET)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file"),
        (b"\xff", "expected UTF-8, byte 0 is not"),
        (b"a: [1\n", "not YAML"),
        (b"a: &a [*a]\n", "the alias *a is refused"),
        (b"a: !!python/object/apply:os.system [id]\n", "the tag tag:yaml.org,2002:python"),
        (b"[" * 100_000, "nested deeper than 30 levels"),
        (b"#" * 300_000, "is larger than 256 KiB"),
        (b"? [a]\n: b\n", "not YAML"),
        (b"a: 1" + b":59" * 50_000, "expected a number, found one of 150001 characters"),
        (b"- a\n", "found list"),
        (b'"\\e[2J": "\\e[2J"\n', r"\x1b[2J: '\x1b[2J' is not REPOSITORY@sha256"),
    ],
)
def test_a_lock_that_is_none(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """Whatever stands in a lock's place, it is refused in time, with a line that can be shown."""
    path = tmp_path / "lock.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadScenario) as error:
        read_lock(path)
    assert problem in error.value.problems[0]
    assert error.value.problems[0].isprintable()
    assert len(str(error.value)) < 1000


@dataclass(frozen=True)
class _Flaky(_Engine):
    """Fails the first pulls with what they say in `breaks`."""

    breaks: list[str] = field(default_factory=list)

    def answer(self, words: list[str], stdin: str | None) -> CommandResult:
        """Fail if it is a pull that is to break off."""
        if words[0] == "pull" and self.breaks:
            self.did.append(" ".join(words))
            return CommandResult("", self.breaks.pop(0), 1)
        return super().answer(words, stdin)


@pytest.mark.parametrize(
    "said",
    [
        'Error response from daemon: Get "https://registry/v2/": net/http: TLS handshake timeout',
        "Error response from daemon: received unexpected HTTP status: 503 Service Unavailable",
        "error pulling image configuration: download failed after attempts=6: unexpected EOF",
        "read tcp 10.0.0.1:5->10.0.0.2:443: read: connection reset by peer",
    ],
)
def test_a_pull_that_breaks_off_is_tried_again(pauses: list[float], said: str) -> None:
    """Nothing is built for a registry that is busy for a moment; what happened is told."""
    engine, stream = _Flaky(published={_REFERENCE: "new"}, breaks=[said]), io.StringIO()

    held = resolve(engine, _entry(engine), _LOCK, Progress(stream))
    assert held == LocalImage("node:v1-0123456789ab", "new", "pulled")
    assert pauses == [1.0]
    assert f"the pull of {_REFERENCE}: attempt 1 refused, next in 1.0 s: " in stream.getvalue()
    assert f"the pull of {_REFERENCE}: succeeded at attempt 2, after " in stream.getvalue()


def test_a_pull_that_breaks_off_each_time_is_given_up(pauses: list[float]) -> None:
    """After the fourth attempt the image is built."""
    engine, stream = _Flaky(breaks=["unexpected EOF"] * 9), io.StringIO()

    assert resolve(engine, _entry(engine), _LOCK, Progress(stream)) == LocalImage("node:v1-key", "built", "built")
    assert engine.did == [*[f"pull {_REFERENCE}"] * 4, "build"]
    assert pauses == [1.0, 2.0, 4.0]
    assert f"the pull of {_REFERENCE}: given up at attempt 4, after " in stream.getvalue()


@pytest.mark.parametrize(
    "said",
    [
        "toomanyrequests: You have reached your pull rate limit",
        'Error response from daemon: Get "https://registry/v2/": dial tcp: lookup registry: no such host',
        'Error response from daemon: Get "https://registry/v2/": dial tcp 127.0.0.1:443: connect: connection refused',
        "manifest unknown: manifest unknown",
        "unauthorized: authentication required",
    ],
)
def test_a_pull_that_cannot_get_better_is_tried_once(pauses: list[float], said: str) -> None:
    """A machine without the internet, or with its quota used up, waits for nothing."""
    engine = _Flaky(breaks=[said] * 9)

    assert resolve(engine, _entry(engine), _LOCK, _QUIET).origin == "built"
    assert (len(engine.breaks), pauses) == (8, [])
