"""Errors that clusters raise: the lower half of the tree drawn in harness.errors.

clusters may not import harness, so the classes that it raises are defined here and
harness.errors shows the whole tree.
"""

from collections.abc import Sequence

__all__ = [
    "BadScenario",
    "ChaosError",
    "ClusterUnavailable",
    "CommandFailed",
    "DeadlineExceeded",
    "EngineUnavailable",
    "HarnessError",
    "ImageUnavailable",
    "NotOurs",
]


class ChaosError(Exception):
    """Anything this project raises on purpose."""


class HarnessError(ChaosError):
    """The harness, its input or its surroundings are at fault, not Gatekeeper (Allure: broken)."""


class BadScenario(HarnessError):
    """An option, file, version or shape cannot be used; nothing was touched.

    All problems of the input are in `problems`, and all of them are in the message.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class DeadlineExceeded(HarnessError):
    """Something that was waited for did not come in time."""


class CommandFailed(HarnessError):
    """A command ended with a status other than 0; the message carries the end of its output."""


class NotOurs(HarnessError):
    """A container, cluster or kubeconfig does not carry this harness's label; it was not touched."""


class ClusterUnavailable(HarnessError):
    """No cluster of the wanted shape could be had."""


class EngineUnavailable(ClusterUnavailable):
    """No container engine answers and none could be started."""


class ImageUnavailable(ClusterUnavailable):
    """An image is neither in the engine, nor can it be pulled, nor built."""
