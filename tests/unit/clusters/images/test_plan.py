"""Plan: what an image comes from, and what the machine lacks to build it, before anything is fetched."""

from pathlib import Path

import pytest

from chaos_harness.clusters.images import golang, plan
from chaos_harness.clusters.images.catalogue import ImageEntry
from chaos_harness.clusters.images.plan import image_supply
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.mirror import MIRROR

_OLD = "1" * 64
_REFERENCE = f"docker.io/acme/tool@sha256:{_OLD}"
_TAG = "docker.io/acme/tool:v1"


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv(MIRROR, raising=False)


def _entry(*artefacts: Artefact) -> ImageEntry:
    return ImageEntry("tool/v1", _TAG, "tool:v1-", "key", lambda *_: None, artefacts)


@pytest.mark.parametrize(
    ("names", "root", "there", "lacking"),
    [
        (
            ("kubernetes-v1", "node-rootfs"),
            False,
            ("apt-get",),
            ["no go", "no mmdebstrap, and only root can install it"],
        ),
        (("node-rootfs",), True, ("apt-get",), []),
        (("node-rootfs",), True, (), ["no mmdebstrap, and no apt-get that could install it"]),
        (("node-rootfs",), False, ("mmdebstrap",), []),
        (("gatekeeper-source-v1",), False, (), []),
    ],
)
def test_what_a_machine_lacks_to_build(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...], root: bool, there: tuple[str, ...], lacking: list[str]
) -> None:
    """It is known before hours of building, and what was built before lacks nothing."""
    monkeypatch.setattr(golang, "missing", lambda *_: "no go")
    monkeypatch.setattr("shutil.which", lambda name: name if name in there else None)
    monkeypatch.setattr("os.geteuid", lambda: 0 if root else 1000)
    artefacts = [Artefact(name, "1", lambda *_: None) for name in names]
    assert plan.lacks([_entry(*artefacts)]) == lacking
    for artefact in artefacts:
        artefact.folder.mkdir(parents=True)
    assert plan.lacks([_entry(*artefacts)]) == []


@pytest.mark.parametrize(
    ("rules", "held", "words", "possible"),
    [
        (PullRules(), True, "in the engine", True),
        (
            PullRules({"tool/v1": _REFERENCE}, "m"),
            False,
            f"pulled: m/acme/tool@sha256:{_OLD} (cannot be built here: x)",
            True,
        ),
        (PullRules(), False, f"pulled by its tag, {_TAG}, whose digest is recorded (cannot be built here: x)", True),
        (PullRules(only_locked=True), False, "not in the lock, and cannot be built here: x", False),
        (
            PullRules({"tool/v1": _REFERENCE}, only_locked=True),
            False,
            f"pulled: {_REFERENCE} (--locked takes nothing else)",
            True,
        ),
    ],
)
def test_the_plan_names_the_source(
    monkeypatch: pytest.MonkeyPatch, rules: PullRules, held: bool, words: str, possible: bool
) -> None:
    """And what is left if that fails."""
    monkeypatch.setattr(plan, "lacks", lambda _: ["x"])
    supply = image_supply(_entry(), rules, lambda _: held)
    assert (supply.words, supply.possible, supply.there) == (words, possible, held)
