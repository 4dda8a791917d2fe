"""Tests of what the API server says of a webhook that it cannot call."""

from types import SimpleNamespace
from typing import Any, NoReturn

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.errors import ApiRefused
from chaos_harness.harness.faults.webhook import call
from chaos_harness.harness.faults.webhook.call import UNCALLED, wait_answered

_MESSAGE = (
    'Internal error occurred: failed calling webhook "check-ignore-label.gatekeeper.sh": failed to call webhook: Post '
    '"https://gatekeeper-webhook-service.gatekeeper-system.svc:443/v1/admitlabel?timeout=3s": tls: failed to verify '
    "certificate: x509: certificate signed by unknown authority"
)
_BODY = f'{{"kind": "Status", "apiVersion": "v1", "metadata": {{}}, "status": "Failure", "message": {_MESSAGE!r}}}'


def test_the_reason_is_told_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands at the end of what v1.36.4 says, behind the address of Gatekeeper's webhook."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise ApiRefused(500, _MESSAGE, body=_BODY)

    monkeypatch.setattr(call, "request", refuse)
    cluster: Any = SimpleNamespace(client=ApiClient)
    said = wait_answered(cluster, Deadline.after(5, "an answer"), UNCALLED)
    assert said.endswith("x509: certificate signed by unknown authority")
