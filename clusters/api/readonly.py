"""Read-only access to a user's own cluster: there is no method that writes."""

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import load_kube_config

from chaos_harness.clusters.api.credential_program import require_program, told_errors
from chaos_harness.clusters.api.rest import read
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import (
    ApiRefused,
    ApiUnreachable,
    BadScenario,
    ClusterUnavailable,
    DeadlineExceeded,
)
from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.machine.scratch import credentials_folder
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["ReadOnlyCluster", "open_readonly"]

_PATIENCE_SECONDS = 10.0
"""For an API server that is busy, or about to serve a kind, and says so."""

_NOT_THERE = (403, 404)
_SECRETS = "/secrets"
_MOST_BYTES = 2**20
_SENTENCE = 300
_HOST = re.compile(r"[\w.:%-]+")


class ReadOnlyCluster:
    """Reads objects of a cluster by GET; it never asks for Secrets."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        """Return the answer to a GET, or None if the object does not exist or the user may not see it.

        Raises ClusterUnavailable if there is no answer, or any other answer.
        """
        if _SECRETS in path:
            raise BadScenario(f"{path}: Secrets of a user's cluster are not read")
        try:
            return read(self._api, path, Deadline.after(_PATIENCE_SECONDS, f"GET {path}"), query=query)
        except ApiRefused as error:
            if error.status in _NOT_THERE:
                return None
            raise ClusterUnavailable(
                f"GET {path}: {error.status} {escape_controls(error.message, most=_SENTENCE)}"
            ) from error
        except (ApiUnreachable, DeadlineExceeded) as error:
            raise ClusterUnavailable(escape_controls(str(error), most=_SENTENCE)) from error
        except (OSError, ValueError, TypeError) as error:  # of what a kubeconfig has run for its credentials
            raise ClusterUnavailable(f"GET {path}: no answer: {escape_controls(str(error), most=_SENTENCE)}") from error

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the objects of a list; empty if the list cannot be read. Entries that are no objects are skipped."""
        listing = self.get(path, query)
        items = listing.get("items") if isinstance(listing, dict) else None
        return [thing for thing in items if isinstance(thing, dict)] if isinstance(items, list) else []


@contextmanager
def open_readonly(kubeconfig: Path, context: str | None = None) -> Iterator[ReadOnlyCluster]:
    """Connect to the cluster of a kubeconfig for the block.

    Raises BadScenario if the file leads to no cluster, or has a program run that is not there, or gives no credentials.
    """
    configuration = Configuration()
    text = _text(kubeconfig)
    try:
        require_program(text, context, kubeconfig.parent)
        with told_errors():
            _load(kubeconfig, text, context, configuration)
    except BadScenario as error:
        raise BadScenario(f"{kubeconfig}: {error}") from error
    except Exception as error:
        words = escape_controls(str(error) or repr(error), most=_SENTENCE)
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig{_context_words(context)}: {words}") from error
    if (problem := _problem_of_server(configuration.host)) is not None:
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig{_context_words(context)} with a server, {problem}")
    configuration.retries = urllib3.Retry(total=False)
    with ApiClient(configuration) as api:
        yield ReadOnlyCluster(api)


def _load(kubeconfig: Path, text: str, context: str | None, configuration: Configuration) -> None:
    load_kube_config(  # type: ignore[no-untyped-call]  # kubernetes leaves this one out
        str(kubeconfig) if kubeconfig.is_file() else io.StringIO(text),  # a pipe is read once
        context=context,
        client_configuration=configuration,
        persist_config=False,
        temp_file_path=str(credentials_folder()),
    )


def _problem_of_server(address: object) -> str | None:
    """Return why an address leads to no API server, whatever answers; None if it may."""
    wanted = f"such as https://10.0.0.1:6443, found {escape_controls(repr(address), most=_SENTENCE)}"
    try:
        parts = urlsplit(str(address))
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{wanted}: expected a port of 1 to 65535"
    try:
        host.encode("idna")
    except UnicodeError:
        return f"{wanted}: no machine can have this name"
    right = parts.scheme in ("https", "http") and port != 0 and _HOST.fullmatch(host)
    return None if right else wanted


def _text(kubeconfig: Path) -> str:
    """Return the text of a file, unless kubernetes' client would need unlimited time or memory to read it."""
    try:
        text = bounded_files.read_bounded_text(kubeconfig, _MOST_BYTES)
        problems = [
            f"{bounded_files.line_and_column(event.start_mark)}: {words}"
            for event, words in bounded_files.forbidden_yaml(text)
        ]
    except BadScenario as error:
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig: {error}") from error
    except yaml.YAMLError as error:
        words = escape_controls(" ".join(str(error).split()), most=_SENTENCE)
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig: {words}") from error
    if problems:
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig: {problems[0]}")
    return text


def _context_words(context: str | None) -> str:
    return f" with the context {context!r}" if context else ""
