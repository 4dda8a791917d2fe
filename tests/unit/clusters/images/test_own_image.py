"""Own image: one that the engine does not hold, or that its nodes cannot run, is one error with the next command."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import pytest

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.images.own_image import require_image, require_images
from chaos_harness.clusters.images.resolve import LocalImage
from chaos_harness.clusters.machine.process import CommandResult

if TYPE_CHECKING:
    from chaos_harness.clusters.engine import Engine


class _Engine:
    """Holds one image, and runs on amd64."""

    host = "unix:///run/e.sock"

    def __init__(self, architecture: str = "amd64") -> None:
        self.architecture = architecture

    def run(self, argv: Sequence[str], _deadline: object, **_: Any) -> CommandResult:
        if argv[0] == "version":
            return CommandResult("linux/amd64\n", "", 0)
        if argv[-1] != "acme/gatekeeper:1":
            return CommandResult("", f"Error: No such image: {argv[-1]}", 1)
        return CommandResult(json.dumps([{"Id": "sha256:1", "Os": "linux", "Architecture": self.architecture}]), "", 0)


def _require(name: str, **engine: str) -> LocalImage:
    return require_image(cast("Engine", _Engine(**engine)), name)


def test_an_image_of_the_engine() -> None:
    """It counts by its id, so that another build of one name is another cluster."""
    assert _require("acme/gatekeeper:1") == LocalImage("acme/gatekeeper:1", "sha256:1", "present")


def test_one_that_it_does_not_hold() -> None:
    """The command that brings it from another engine is told."""
    said = (
        r"image acme/none:1: the engine at unix:///run/e\.sock holds none of this name; `docker --host "
        r"unix:///run/e\.sock pull acme/none:1` .* `docker save acme/none:1 \| docker --host"
    )
    with pytest.raises(BadScenario, match=said):
        _require("acme/none:1")


def test_one_for_another_processor() -> None:
    """It would end in `exec format error` after minutes."""
    with pytest.raises(BadScenario, match=r"is for linux/arm64, and the engine's nodes run linux/amd64; build it for"):
        _require("acme/gatekeeper:1", architecture="arm64")


def test_all_that_are_missing_are_told_at_once() -> None:
    """Each once, so that one look brings all of them."""
    engine = cast("Engine", _Engine())
    assert [image.name for image in require_images(engine, ["acme/gatekeeper:1"] * 2)] == ["acme/gatekeeper:1"]
    with pytest.raises(BadScenario) as refused:
        require_images(engine, ["acme/none:1", "acme/gatekeeper:1", "acme/none:2", "acme/none:1"])
    assert [problem.split(":")[1] for problem in refused.value.problems] == ["1", "2"]
