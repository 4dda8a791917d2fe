"""What tests of probes share: the namespace of canaries, and a webhook that the API server calls."""

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.policies import GROUND
from tests.live_api.webhook import Webhook, serving


@pytest.fixture
def ground(api: ApiClient) -> None:
    apply(api, GROUND, Deadline.after(10, "the namespace of canaries"))


@pytest.fixture
def webhook(ground: None) -> Iterator[Webhook]:
    with serving() as webhook:
        yield webhook
