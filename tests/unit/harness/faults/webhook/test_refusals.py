"""Faults on the webhooks' way: what they cannot do is refused before a cluster is asked."""

from collections.abc import Callable
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.webhook.another import add_webhook
from chaos_harness.harness.faults.webhook.authority import break_ca_bundle


@pytest.mark.parametrize(
    ("make", "given", "words"),
    [
        (add_webhook, {"place": "beside"}, "expected before or after, Ignore or Fail, 1 to 10 s, and a namespace"),
        (add_webhook, {"failure_policy": "Maybe"}, "expected before or after, Ignore or Fail"),
        (add_webhook, {"timeout": 11}, "1 to 10 s"),
        (add_webhook, {"namespace": ""}, "and a namespace"),
        (break_ca_bundle, {"how": "empty"}, "expected 'other' or 'none'"),
    ],
)
def test_what_cannot_be_is_refused(make: Callable[..., Fault], given: dict[str, Any], words: str) -> None:
    """The error says what can be."""
    with pytest.raises(BadScenario, match=words):
        make(**given)
