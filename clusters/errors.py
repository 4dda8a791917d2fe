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
    "ConsentMissing",
    "DeadlineExceeded",
    "EngineUnavailable",
    "HarnessError",
    "ImageUnavailable",
    "NotOurs",
]

_BRIEF = 400
"""Length of `ApiRefused.brief`, in characters."""


class ChaosError(Exception):
    """Any error that this project raises on purpose."""


class HarnessError(ChaosError):
    """The harness, its input or its environment failed, not Gatekeeper (Allure: broken)."""


class BadScenario(HarnessError):
    """An option, file, version or shape cannot be used; nothing was touched.

    `problems` lists all problems of the input; the message contains all of them.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class ConsentMissing(BadScenario):
    """Nobody agreed to what would be changed on this machine; the message has the line that agrees."""


class DeadlineExceeded(HarnessError):
    """Something that was waited for did not happen in time."""


class CommandFailed(HarnessError):
    """A command exited with a status other than 0; the message contains the end of its output.

    `said` is that end alone, as the program wrote it; "" if nobody kept it.
    """

    def __init__(self, message: str, *, said: str = "") -> None:
        self.said = said
        super().__init__(message)


class NotOurs(HarnessError):
    """A container, cluster or kubeconfig does not carry this harness's label; it was not touched."""


class ClusterUnavailable(HarnessError):
    """A cluster of the requested shape cannot be created, opened or reached."""


class ApiRefused(HarnessError):
    """An API server answered a request with a status other than 2xx.

    `status` is the HTTP status, or 0 if the TLS handshake failed. `message` is the server's whole message, `brief` its
    beginning for people to read, `cause` the status with the brief message; `body` is the raw answer, None if it is not
    text. `retry_after` is for how many seconds the server asks to be left alone, None if it does not say. The error's
    own text names the request ("GET /api/v1/nodes").
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        request: str = "",
        body: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.retry_after = retry_after
        self.message = message
        self.brief = message[:_BRIEF]
        self.cause = f"{int(status)} {self.brief}"
        self.body = body
        super().__init__(f"{request or 'the API server'}: {self.cause}")


class ApiUnreachable(HarnessError):
    """A request to an API server got no answer, or one that is not JSON; whether the server executed it is unknown.

    `cause` is the underlying error's repr. `timed_out` is true if no answer came in time, false if the connection was
    refused or broke.
    """

    def __init__(self, request: str, error: Exception, *, timed_out: bool = False) -> None:
        self.cause = repr(error)
        self.timed_out = timed_out
        super().__init__(f"{request}: no answer: {error}")


class EngineUnavailable(ClusterUnavailable):
    """No container engine answers and none could be started."""


class ImageUnavailable(ClusterUnavailable):
    """An image is not in the engine and can be neither pulled nor built."""
