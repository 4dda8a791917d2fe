"""Errors that clusters raise: the lower half of the tree drawn in harness.errors.

clusters may not import harness, so the classes that it raises are defined here and
harness.errors shows the whole tree.
"""

from collections.abc import Sequence

__all__ = [
    "ApiRefused",
    "ApiUnreachable",
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

_BRIEF = 400
"""Letters of a server's message that a person reads."""


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


class ApiRefused(HarnessError):
    """An API server answered a request with a status other than 2xx.

    `status` is that of HTTP, or 0 if the TLS handshake came to nothing. `message` is what the server said, all of it;
    `brief` is as much of it as a person reads, and `cause` that with the status; `body` is the answer as it came, None
    if it is no text. The `request`, as "GET /api/v1/nodes", is in the error's own words.
    """

    def __init__(self, status: int, message: str, *, request: str = "", body: str | None = None) -> None:
        self.status = status
        self.message = message
        self.brief = message[:_BRIEF]
        self.cause = f"{int(status)} {self.brief}"
        self.body = body
        super().__init__(f"{request or 'the API server'}: {self.cause}")


class ApiUnreachable(HarnessError):
    """A request to an API server had no answer, or none that is JSON: whether it was done is not known.

    `cause` is the error of whoever tried, as Python writes it. `timed_out` is whether the answer was waited for in
    vain, rather than that nobody took the request or the connection broke.
    """

    def __init__(self, request: str, error: Exception, *, timed_out: bool = False) -> None:
        self.cause = repr(error)
        self.timed_out = timed_out
        super().__init__(f"{request}: no answer: {error}")


class EngineUnavailable(ClusterUnavailable):
    """No container engine answers and none could be started."""


class ImageUnavailable(ClusterUnavailable):
    """An image is neither in the engine, nor can it be pulled, nor built."""
