"""Foreign: a user's own cluster, which is read and never written: there is no method that could."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_kube_config
from urllib3.exceptions import HTTPError

from clusters.errors import BadScenario, ClusterUnavailable
from clusters.rest import request
from clusters.scratch import credentials

__all__ = ["Foreign", "opened"]

_TIMEOUT = (5.0, 20.0)
_NOT_THERE = (403, 404)
_SECRETS = "/secrets"


class Foreign:
    """Asks a cluster for objects; Secrets are never asked for."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Any | None:
        """Return the answer to a GET, or None if there is no such thing or the user may not see it.

        Raises ClusterUnavailable if there is no answer, or another one.
        """
        if _SECRETS in path:
            raise BadScenario(f"{path}: Secrets of a user's cluster are not read")
        try:
            return request(self._api, "GET", path, query=query, timeout=_TIMEOUT)
        except ApiException as error:
            if error.status in _NOT_THERE:
                return None
            raise ClusterUnavailable(f"GET {path}: {error.status} {_said(error)}") from error
        except (HTTPError, ValueError) as error:
            raise ClusterUnavailable(f"GET {path}: no answer: {error}"[:400]) from error

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return the objects of a list, or none if it cannot be had."""
        found = self.get(path, query)
        return list(found.get("items") or ()) if isinstance(found, dict) else []


@contextmanager
def opened(kubeconfig: Path, context: str | None = None) -> Iterator[Foreign]:
    """Give the cluster that a kubeconfig leads to, for a block. Raises BadScenario if the file leads nowhere."""
    configuration = Configuration()
    try:
        load_kube_config(  # type: ignore[no-untyped-call]  # kubernetes leaves this one out
            str(kubeconfig),
            context=context,
            client_configuration=configuration,
            persist_config=False,
            temp_file_path=str(credentials()),
        )
    except (ConfigException, OSError, TypeError, ValueError, yaml.YAMLError) as error:
        raise BadScenario(f"{kubeconfig}: expected a kubeconfig{_named(context)}: {error}") from error
    configuration.retries = urllib3.Retry(total=False)
    with ApiClient(configuration) as api:
        yield Foreign(api)


def _named(context: str | None) -> str:
    return f" with the context {context!r}" if context else ""


def _said(error: ApiException) -> str:
    try:
        return str(json.loads(error.body or "")["message"])[:300]
    except (ValueError, KeyError, TypeError):
        return str(error.reason)
