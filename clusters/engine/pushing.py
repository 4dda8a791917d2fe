"""Pushing: sends an image to a registry with a password, by the engine's API, which takes it with the request.

The docker command reads passwords from a file only, and a killed process would leave that file behind.
"""

import contextlib
from collections.abc import Mapping
from typing import Any

from docker.errors import DockerException
from urllib3.exceptions import HTTPError

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed

__all__ = ["SILENT_SECONDS", "push"]

SILENT_SECONDS = 60.0
"""How long the engine may report nothing during a push; normally it reports progress all the time."""


def push(client: Any, name: str, login: Mapping[str, str], deadline: Deadline) -> None:
    """Push the image `name` with `login` (username and password), and close the docker.DockerClient `client`.

    Raises CommandFailed, DeadlineExceeded.
    """
    repository, _, tag = name.rpartition(":")
    try:
        with contextlib.closing(client):
            for said in client.api.push(repository, tag, stream=True, decode=True, auth_config=dict(login)):
                if "error" in said:
                    raise CommandFailed(f"{name} could not be pushed: {said['error']}")
                deadline.check(said.get("status", ""))
    except (DockerException, HTTPError, OSError) as error:  # requests' errors are OSErrors
        raise CommandFailed(f"{name} could not be pushed: {error}") from error
