"""Command line: how each verb ends, and what it says when it cannot do its work."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from chaos_harness.clusters import engine, garbage, known_versions
from chaos_harness.clusters.engine import host_changes
from chaos_harness.clusters.engine.inventory import RUN, EngineObject, RemovableKind
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.images import Images
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.mirror import MIRROR
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness import __main__ as command
from tests.fakes.engine import FakeEngine
from tests.thorough import thorough

_ROOT = Path(__file__).parents[3]


@pytest.fixture(autouse=True)
def no_engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Let the verbs look for an engine where none can be, and keep their state in a place of their own."""
    monkeypatch.setenv("CHAOS_ENGINE", "system")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nobody.sock")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(host_changes, "heal", list)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.mark.parametrize("arguments", [[], ["mend"], ["gc", "--some"], ["images", "--save", "a", "--load", "b"]])
def test_bad_usage_ends_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Unknown verbs and options, and options that exclude each other, are refused with the usage."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)

    assert ended.value.code == 2
    assert "usage: chaos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plna"], "there is no verb 'plna'; did you mean plan? there are "),
        (["rpro"], "there is no verb 'rpro'; did you mean repro? there are "),
        (["repro", "a.yaml", "--tims", "3"], "unrecognized arguments: --tims 3; did you mean --times?"),
        (["repro", "a.yaml", "--gate", "3.20"], "unrecognized arguments: --gate 3.20"),
        (["repro", "a.yaml", "--keep", "alway"], "there is no value 'alway'; did you mean always? there are never"),
        (["repro", "a.yaml", "b.yaml"], "unrecognized arguments: b.yaml"),
    ],
)
def test_what_was_meant(arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A verb, an option or a value with a typo is two lines: what is wrong, and where all are explained."""
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)

    error, usage = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert words in error
    assert usage == f"usage: chaos-harness{' repro' if arguments[0] == 'repro' else ''} --help"


def test_help_has_each_verb_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Those of scenarios, which are not the harness's own, stand first; each line fits 80 columns."""
    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])
    lines = capsys.readouterr().out.splitlines()
    verbs = [line.split()[0] for line in lines if line.startswith("  ")]

    assert ended.value.code == 0
    assert verbs[:7] == ["run", "report", "nightly", "truth", "store", "compare", "repro"]
    assert len(verbs) == len(set(verbs)) == 26
    assert max(map(len, lines)) <= 80


def test_a_verb_beside_the_harness_is_not_the_harness_s_own(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever runs the harness alone is told what to type."""
    assert command.main(["run"]) == 2
    assert "type `python -m chaos_harness run`" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["nowhere/set.tar", "."])
def test_a_place_to_save_is_looked_for_first(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Images that took half an hour are not lost because of the folder: no engine is looked for."""
    assert command.main(["images", "--save", place]) == 2
    assert f"error: --save {place}: expected a file in a folder that is there" in capsys.readouterr().err


def test_unknown_versions_are_all_named_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Every unknown version is named once, with those that there are, before any engine is looked for."""
    status = command.main(["images", "--kubernetes", "v1.2.3", "1.36", "--gatekeeper", "v9.9.9"])
    stderr = capsys.readouterr().err

    assert status == 2
    assert stderr.count("v1.2.3 has no recipe") == stderr.count("v9.9.9 cannot be run") == 1
    assert known_versions.DEFAULT_KUBERNETES in stderr
    assert known_versions.DEFAULT_GATEKEEPER in stderr


def test_minors_are_images_of_their_newest(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A minor means its newest patch, and what is asked for twice in different words is made once."""
    asked: list[Shape] = []

    def ensure(_engine: object, shapes: list[Shape], *_: object) -> Images:
        asked.extend(shapes)
        return Images("node:1", None, None, None)

    monkeypatch.setattr(engine, "connect", lambda **_: FakeEngine())
    monkeypatch.setattr("chaos_harness.clusters.images.ensure", ensure)
    newest = known_versions.resolve_version("1.35", known_versions.KUBERNETES)

    assert command.main(["images", "--kubernetes", "1.35", f"{newest}", "--gatekeeper", "3.20"]) == 0
    assert capsys.readouterr().err == ""
    assert [(shape.kubernetes, shape.gatekeeper) for shape in asked] == [(newest, "v3.20.1")] * 2


def test_a_lock_of_ones_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """It is all that is used of locks; a file that is none is refused before an engine is looked for."""
    asked: list[PullRules] = []

    def ensure(_engine: object, _shapes: object, _progress: object, rules: PullRules) -> Images:
        asked.append(rules)
        return Images("node:1", None, None, None)

    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr(engine, "connect", lambda **_: FakeEngine())
    monkeypatch.setattr("chaos_harness.clusters.images.ensure", ensure)
    lock = tmp_path / "lock.yaml"
    lock.write_text(f"node/v1.36.4: docker.io/acme/node@sha256:{'1' * 64}\n")

    assert command.main(["images", "--lock", str(lock), "--locked"]) == 0
    assert asked == [PullRules({"node/v1.36.4": f"docker.io/acme/node@sha256:{'1' * 64}"}, "", only_locked=True)]
    lock.write_text("node/v1.36.4: docker.io/acme/node:latest\n")
    monkeypatch.setattr(engine, "connect", lambda **_: pytest.fail("an engine was looked for"))
    assert command.main(["images", "--lock", str(lock)]) == 2
    assert "'docker.io/acme/node:latest' is not REPOSITORY@sha256:<64 digits>" in capsys.readouterr().err


def test_unknown_engine_ends_with_2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """A word in CHAOS_ENGINE that is none of the three is refused."""
    monkeypatch.setenv("CHAOS_ENGINE", "podman")

    assert command.main(["gc"]) == 2
    assert capsys.readouterr().err.startswith("error: engine 'podman'")


def test_missing_engine_is_one_error(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Without an engine there is one message with the command to type, status 2, and nothing left on disk."""
    status = command.main(["images"])
    stderr = capsys.readouterr().err

    assert status == 2
    assert stderr.count("error:") == 1
    assert "docker info" in stderr
    assert "Traceback" not in stderr
    assert list((tmp_path / "chaos-harness/runs").iterdir()) == []


def test_gc_without_engine_has_nothing_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    """Collecting garbage where no engine answers is no error, and stops no engine that was not asked for."""
    assert command.main(["gc"]) == 0
    assert capsys.readouterr().out == ""


def test_gc_puts_back_what_was_changed_on_the_machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where no engine answers: what a killed installation or engine has left does not need one."""
    monkeypatch.setattr(host_changes, "heal", lambda: ["policy /usr/sbin/policy-rc.d"])
    assert command.main(["gc"]) == 0
    assert capsys.readouterr().out == "put back policy /usr/sbin/policy-rc.d\n"


def test_gc_tells_what_it_leaves_run_by_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A cluster has a dozen things with long names: their number is enough to know what stands there."""
    things: list[tuple[RemovableKind, str]] = [
        ("container", "a"),
        ("volume", "a"),
        ("volume", "a"),
        ("network", "pool-b"),
    ]
    leftovers = [EngineObject(kind, "0" * 64, "0" * 64, {RUN: run}, {}) for kind, run in things]
    monkeypatch.setattr(engine, "find", FakeEngine)
    monkeypatch.setattr(garbage, "collect_garbage", lambda *_, **__: [])
    monkeypatch.setattr("chaos_harness.harness.gc.inventory", lambda *_: leftovers)

    assert command.main(["gc"]) == 0
    assert capsys.readouterr().out == (
        "left 1 container, 2 volumes of a: kept, in the pool, or its run lives; --all takes it too\n"
        "left 1 network of pool-b: kept, in the pool, or its run lives; --all takes it too\n"
    )


@pytest.mark.parametrize(
    ("raised", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (EngineUnavailable("no engine"), 2, "error: no engine\n"),
        (EngineUnavailable("a\x1b[2J\nb"), 2, "error: a\\x1b[2J\nb\n"),
    ],
)
def test_status_is_decided_in_one_place(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    raised: BaseException,
    status: int,
    message: str,
) -> None:
    """An interrupt is 130, and no engine 2, whichever verb it comes from."""

    def refuse(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr("chaos_harness.clusters.engine.connect", refuse)

    assert command.main(["images"]) == status
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "most", "libraries"),
    [(["-h"], 35, set()), (["gone"], 35, set()), (["schema", "-h"], 100, {"pydantic", "yaml"})],
)
def test_only_the_verb_that_is_typed_is_imported(words: list[str], most: int, libraries: set[str]) -> None:
    """The list of verbs, and the refusal of one that there is not, import no library; help imports its verb's alone."""
    program = (
        "import contextlib, sys\n"
        "from chaos_harness.__main__ import main\n"
        "with contextlib.suppress(SystemExit):\n"
        f"    main({words!r})\n"
        "print('imported', *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=_ROOT, capture_output=True, text=True, check=True)
    imported = set(done.stdout.partition("imported ")[2].split())

    assert len([name for name in imported if name.startswith("chaos_harness.")]) < most
    assert imported & {"docker", "kubernetes", "pydantic", "pytest", "yaml"} == libraries


@thorough
def test_sigterm_is_an_interrupt(tmp_path: Path) -> None:
    """SIGTERM ends a verb as Ctrl-C does: status 130, one line, no traceback."""
    program = (
        "from chaos_harness.clusters import engine\n"
        "from chaos_harness.harness import __main__ as command\n"
        "def wait(**_):\n"
        "    print('waiting', flush=True)\n"
        "    while True: pass\n"
        "engine.connect = wait\n"
        "raise SystemExit(command.main(['images']))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "waiting\n"
        process.terminate()
        _, stderr = process.communicate(timeout=300)

    assert process.returncode == 130
    assert stderr.startswith("error: interrupted")
    assert "Traceback" not in stderr
