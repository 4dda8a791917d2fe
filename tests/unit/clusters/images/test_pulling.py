"""Pulls: from where, by what, what a failure is told as, and what is never taken instead."""

import io
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from chaos_harness.clusters import images
from chaos_harness.clusters.errors import BadScenario, ImageUnavailable
from chaos_harness.clusters.images import download_retries, ensure, first_seen, golang, plan, pulling
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.pulling import PullProblem
from chaos_harness.clusters.images.resolve import LocalImage, find, pull
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine.process import CommandResult
from chaos_harness.clusters.mirror import MIRROR
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from tests.fakes.engine import FakeEngine

_OLD, _NEW = "1" * 64, "2" * 64
_REFERENCE = f"docker.io/acme/tool@sha256:{_OLD}"
_TAG = "docker.io/acme/tool:v1"
_QUIET = Progress.quiet()


@dataclass(frozen=True)
class _Engine(FakeEngine):
    """Pulls what is `published`, name → digest; else it says `refusal`."""

    names_held: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    refusal: str = "manifest unknown"
    did: list[str] = field(default_factory=list)

    def answer(self, words: list[str], _stdin: str | None) -> CommandResult:
        """Pull, or refuse to; know what was pulled."""
        name = words[-1]
        if words[:2] == ["image", "inspect"] and "RepoDigests" in words[3] and name in self.names_held:
            repository = name.rpartition(":")[0].removeprefix("docker.io/")
            return CommandResult(f'["elsewhere/x@sha256:{_NEW}", "{repository}@sha256:{self.names_held[name]}"]', "", 0)
        if words[:2] == ["image", "inspect"]:
            return CommandResult(self.names_held.get(name, ""), "", 0 if name in self.names_held else 1)
        self.did.append(" ".join(words))
        if words[0] == "pull" and name not in self.published:
            return CommandResult("", f"using default tag\nError response from daemon: {self.refusal}", 1)
        if words[0] == "pull":
            digest = self.published[name]
            self.names_held.update(
                {name: digest, f"{name.partition('@')[0].removesuffix(':v1')}@sha256:{digest}": digest}
            )
        if words[0] == "tag":
            self.names_held[name] = self.names_held[words[1]]
        return CommandResult("", "", 0)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv(MIRROR, raising=False)
    monkeypatch.setattr(images.sources, "prepare_tools", lambda *_: None)
    monkeypatch.setattr(images.sources, "prepare_downloads", lambda *_: None)


def _entry(*artefacts: Artefact, name: str = "tool") -> ImageEntry:
    return ImageEntry(f"{name}/v1", f"docker.io/acme/{name}:v1", f"{name}:v1-", "key", lambda *_: None, artefacts)


def test_without_a_digest_the_tag_is_pulled_and_its_digest_kept() -> None:
    """What the tag was first is what it is from then on, whatever the tag says later; a line tells so."""
    engine, stream = _Engine(published={_TAG: _OLD}), io.StringIO()

    held = pull(engine, _entry(), PullRules(), Progress(stream))
    assert held == LocalImage("tool:v1-111111111111", _OLD, "pulled")
    assert engine.did == [f"pull {_TAG}", f"tag {_REFERENCE} tool:v1-111111111111"]
    assert f"tool/v1 was in no lock: from now on it is {_REFERENCE}" in stream.getvalue()

    moved = _Engine(published={_TAG: _NEW, _REFERENCE: _OLD})
    assert pull(moved, _entry(), PullRules(), _QUIET) == held
    assert moved.did[0] == f"pull {_REFERENCE}"


def test_a_locked_run_takes_nothing_at_first_sight() -> None:
    """Neither by the tag, nor by what another run has recorded."""
    first_seen.compare({"tool/v1": _REFERENCE})
    engine = _Engine(published={_TAG: _OLD, _REFERENCE: _OLD})

    assert pull(engine, _entry(), PullRules(only_locked=True), _QUIET) is None
    assert engine.did == []


@pytest.mark.parametrize(
    ("there", "used"),
    [
        ({"tool:v1-111111111111": _OLD, "tool:v1-key": _NEW}, True),
        ({"tool:v1-111111111111": _NEW}, False),
        ({"tool:v1-key": _NEW}, False),
        ({}, False),
    ],
    ids=["pulled", "only the name", "built", "none"],
)
def test_a_locked_run_uses_what_the_engine_knows_by_the_digest(there: dict[str, str], used: bool) -> None:
    """What was built here, or loaded or tagged by the name of the digest, is not known to be what the lock says."""
    engine, rules = _Engine(names_held=there), PullRules({"tool/v1": _REFERENCE}, only_locked=True)
    held = LocalImage("tool:v1-111111111111", _OLD, "present")

    assert find(engine, _entry(), rules) == (held if used else None)
    assert find(engine, _entry(), replace(rules, only_locked=False)) is not None or not there


def test_a_locked_run_builds_nothing_that_is_in_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it could, and holds one that was built before; the last line says what uses that."""
    monkeypatch.setattr(plan, "lacks", lambda _: [])
    built = replace(_entry(), build=lambda *_: pytest.fail("built"))
    engine = _Engine(names_held={built.name: _NEW})
    with pytest.raises(ImageUnavailable) as refused:
        _ensured(monkeypatch, engine, io.StringIO(), built, only_locked=True)

    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"tool/v1: {_REFERENCE} cannot be pulled: manifest unknown; ")
    assert lines[1] == "  and --locked takes nothing that was built or loaded instead"
    assert lines[2].endswith("; without --locked, images that were built or loaded are used, too")


def test_the_lock_goes_before_what_was_seen_first() -> None:
    """A newer lock corrects a record."""
    first_seen.compare({"tool/v1": _REFERENCE})
    assert PullRules({"tool/v1": "locked"}).known("tool/v1") == "locked"
    assert PullRules().known("tool/v1") == _REFERENCE


@pytest.mark.parametrize(
    ("mirror", "asked"),
    [
        ("", _REFERENCE),
        ("127.0.0.1:5000", f"127.0.0.1:5000/acme/tool@sha256:{_OLD}"),
        ("mirror.example/hub/", f"mirror.example/hub/acme/tool@sha256:{_OLD}"),
        ("http://registry.chaos:5000/", f"registry.chaos:5000/acme/tool@sha256:{_OLD}"),
    ],
)
def test_a_mirror_is_asked_by_the_same_digest(monkeypatch: pytest.MonkeyPatch, mirror: str, asked: str) -> None:
    """The image has the same name as without the mirror, since its content is the same."""
    monkeypatch.setenv(MIRROR, mirror)
    engine, rules = _Engine(published={asked: _OLD}), PullRules({"tool/v1": _REFERENCE}, PullRules.read().mirror)

    assert pull(engine, _entry(), rules, _QUIET) == LocalImage("tool:v1-111111111111", _OLD, "pulled")
    assert engine.did == [f"pull {asked}", f"tag {asked} tool:v1-111111111111"]


def test_what_a_mirror_showed_first_is_recorded_as_docker_io() -> None:
    """The record is the same for whoever has no mirror, or another one."""
    engine = _Engine(published={"m:5000/acme/tool:v1": _OLD})

    pull(engine, _entry(), PullRules(mirror="m:5000"), _QUIET)
    assert first_seen.read() == {"tool/v1": _REFERENCE}


@pytest.mark.parametrize(
    ("reference", "asked"),
    [
        ("acme/tool:v1", "m/acme/tool:v1"),
        (f"tool@sha256:{_OLD}", f"m/library/tool@sha256:{_OLD}"),
        ("docker.io/library/tool:1", "m/library/tool:1"),
        ("ghcr.io/acme/tool:v1", "ghcr.io/acme/tool:v1"),
        ("localhost/tool:1", "localhost/tool:1"),
        ("host:5000/tool:1", "host:5000/tool:1"),
    ],
)
def test_a_mirror_stands_for_docker_io_alone(reference: str, asked: str) -> None:
    """Also where a reference does not name it; other registries are asked themselves."""
    assert PullRules(mirror="m").asked(reference) == asked


@pytest.mark.parametrize(
    "mirror", ["https://mirror.example", "http://https://m", "mirror example", "-x", "M.example", "a:b", "m/../n/"]
)
def test_a_mirror_that_is_no_address_is_refused(monkeypatch: pytest.MonkeyPatch, mirror: str) -> None:
    """Before anything is asked."""
    monkeypatch.setenv(MIRROR, mirror)
    with pytest.raises(BadScenario, match=r"CHAOS_MIRROR: expected HOST\[:PORT\]\[/PATH\]"):
        PullRules.read()


@pytest.mark.parametrize(
    ("refusal", "cause", "advice"),
    [
        ("manifest for x not found: manifest unknown", "absent", "`docker manifest inspect "),
        ("dial tcp: lookup registry: no such host", "unreachable", "CHAOS_MIRROR"),
        ("net/http: request canceled (Client.Timeout exceeded while awaiting headers)", "unreachable", "CHAOS_MIRROR"),
        ("toomanyrequests: You have reached your pull rate limit", "limited", "`docker login`"),
        ("pull access denied, repository does not exist", "refused", "`docker login docker.io`"),
        ("short read: expected 7 bytes", "broken off", "`docker pull "),
        ("write /var/lib/docker: no space left on device", "disk", "`docker system df`"),
        ("tls: failed to verify certificate: x509: signed by unknown authority", "other", "`docker pull "),
    ],
)
def test_a_pull_that_fails_says_why_and_what_to_type(refusal: str, cause: str, advice: str) -> None:
    """In one line, and nothing is tried again or by the tag."""
    engine = _Engine(published={_TAG: _NEW}, refusal=refusal)
    problem = pull(engine, _entry(), PullRules({"tool/v1": _REFERENCE}), _QUIET)

    assert isinstance(problem, PullProblem)
    assert (problem.cause, problem.asked) == (cause, _REFERENCE)
    assert str(problem).startswith(f"{_REFERENCE} cannot be pulled: {refusal}; ")
    assert advice in str(problem)
    assert "\n" not in str(problem)
    assert engine.did == [f"pull {_REFERENCE}"]


def test_a_pull_that_breaks_off_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four times in all, and by the same digest."""
    monkeypatch.setattr(download_retries, "_FIRST_PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(download_retries, "_LONGEST_PAUSE_SECONDS", 0.001)
    engine = _Engine(published={_TAG: _NEW}, refusal="unexpected EOF")
    problem = pull(engine, _entry(), PullRules({"tool/v1": _REFERENCE}), _QUIET)

    assert isinstance(problem, PullProblem)
    assert problem.cause == "broken off"
    assert engine.did == [f"pull {_REFERENCE}"] * 4


def test_a_pull_that_failed_does_not_look_done() -> None:
    """Its step has no tick."""
    stream = io.StringIO()
    pull(_Engine(), _entry(), PullRules({"tool/v1": _REFERENCE}), Progress(stream))
    assert f" ✗ pull {_REFERENCE}" in stream.getvalue()
    assert "✓" not in stream.getvalue()


def test_who_asked_a_mirror_is_not_advised_to_ask_one() -> None:
    """The mirror does not answer; docker.io may."""
    engine = _Engine(refusal="dial tcp 127.0.0.1:1: connect: connection refused")
    problem = pull(engine, _entry(), PullRules({"tool/v1": _REFERENCE}, "127.0.0.1:1"), _QUIET)
    assert str(problem).endswith(f"; `unset {MIRROR}` asks docker.io")


@pytest.mark.parametrize(
    "refusal",
    [
        f"manifest verification failed for digest sha256:{_OLD}",
        f"filesystem layer verification failed for digest sha256:{_OLD}",
        f"failed commit on ref: unexpected commit digest sha256:{_NEW}, expected sha256:{_OLD}: failed precondition",
    ],
)
def test_another_content_than_the_lock_names_is_refused(refusal: str) -> None:
    """Neither the tag nor a build stands in for it: somebody changes what is served."""
    engine = _Engine(published={_TAG: _NEW}, refusal=refusal)
    with pytest.raises(ImageUnavailable, match="is not what the lock names, and is not used"):
        pull(engine, _entry(), PullRules({"tool/v1": _REFERENCE}), _QUIET)
    assert engine.did == [f"pull {_REFERENCE}"]


def test_a_record_that_differs_is_refused_and_stays() -> None:
    """The line names both, and the command that forgets the first."""
    first_seen.compare({"a/v1": _REFERENCE})
    with pytest.raises(
        ImageUnavailable, match=rf"a/v1: expected {_REFERENCE}, as when it was seen first, found d@.*sed"
    ):
        first_seen.compare({"b/v1": _REFERENCE, "a/v1": f"d@sha256:{_NEW}"})
    assert first_seen.read() == {"a/v1": _REFERENCE}


def test_layers_are_counted() -> None:
    """By the last state of each layer."""
    printed = (
        "v1: Pulling from acme/tool\n0123456789ab: Pulling fs layer\n0123456789ac: Already exists\n"
        "0123456789ab: Download complete\n0123456789ad: Waiting\n"
    )
    assert pulling.layers(printed) == (2, 3)
    assert pulling.layers("v1: Pulling from acme/tool\n") == (0, 0)


def _ensured(
    monkeypatch: pytest.MonkeyPatch,
    engine: _Engine,
    stream: io.StringIO,
    *entries: ImageEntry,
    only_locked: bool = False,
) -> None:
    monkeypatch.setattr(
        images, "entries", lambda _: {"node": entries[0], **{str(at): e for at, e in enumerate(entries)}}
    )
    ensure(engine, Shape(), Progress(stream), PullRules({"tool/v1": _REFERENCE}, only_locked=only_locked))


def test_a_registry_that_does_not_answer_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine waits for it 15 to 25 s, for each image anew."""
    monkeypatch.setattr(plan, "lacks", lambda _: [])
    engine, stream = _Engine(refusal="lookup docker.io: no such host"), io.StringIO()
    _ensured(monkeypatch, engine, stream, _entry(), _entry(name="other"))

    assert engine.did == [f"pull {_REFERENCE}"]
    lines = stream.getvalue().splitlines()
    assert f"   plan: tool/v1: pulled: {_REFERENCE} (built from source if that fails)" in lines
    assert sum("cannot be pulled" in line for line in lines) == 1


def test_what_can_neither_be_pulled_nor_built_is_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """With all images, before anything is built, the reasons for both, and what to type."""
    built = Artefact("kubernetes-v1", "1", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(golang, "missing", lambda *_: "no go on PATH")
    with pytest.raises(ImageUnavailable) as refused:
        _ensured(monkeypatch, _Engine(), io.StringIO(), _entry(built), _entry(built, name="other"))

    lines = str(refused.value).splitlines()
    assert [line.partition(":")[0] for line in lines[:4:2]] == ["tool/v1", "other/v1"]
    assert lines[1] == lines[3] == "  and none of it can be built here: no go on PATH"
    assert "manifest unknown" in lines[0]
    assert "doctor" in lines[-1]


def test_images_of_a_silent_registry_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the first was asked for; the others share its reason."""
    built = Artefact("kubernetes-v1", "1", lambda *_: pytest.fail("built"))
    monkeypatch.setattr(golang, "missing", lambda *_: "no go on PATH")
    with pytest.raises(ImageUnavailable) as refused:
        _ensured(
            monkeypatch, _Engine(refusal="no such host"), io.StringIO(), _entry(built), _entry(built, name="other")
        )
    lines = str(refused.value).splitlines()
    assert lines[0].startswith(f"tool/v1, other/v1: {_REFERENCE} cannot be pulled: no such host; ")
    assert len(lines) == 3


def test_files_and_images_that_are_not_available_are_one_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a release does not have is not the only thing that a machine without a network lacks."""

    def refuse(*_: object) -> None:
        raise ImageUnavailable("helm is not to be had")

    monkeypatch.setattr(images.sources, "prepare_downloads", refuse)
    monkeypatch.setattr(plan, "lacks", lambda _: ["no go on PATH"])
    with pytest.raises(ImageUnavailable, match=r"(?s)helm is not to be had\ntool/v1: .*no go on PATH\n.*--load FILE"):
        _ensured(monkeypatch, _Engine(), io.StringIO(), _entry())


def test_nothing_is_built_if_a_file_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of building would end in the same error."""

    def refuse(*_: object) -> None:
        raise ImageUnavailable("helm is not to be had")

    monkeypatch.setattr(images.sources, "prepare_downloads", refuse)
    monkeypatch.setattr(plan, "lacks", lambda _: [])
    built = replace(_entry(), build=lambda *_: pytest.fail("built"))
    with pytest.raises(ImageUnavailable, match="helm is not to be had"):
        _ensured(monkeypatch, _Engine(), io.StringIO(), built)
