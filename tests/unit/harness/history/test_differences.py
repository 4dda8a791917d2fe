"""Differences: what kind they are of is a value, which words and causes are made of."""

from itertools import product

import pytest

from chaos_harness.harness.causes import CAUSES
from chaos_harness.harness.history.differences import DifferenceKind, GeneratedKind, Way

_WAYS: tuple[Way, ...] = ("orphan", "missing", "altered")
_GENERATED: tuple[GeneratedKind, ...] = ("policy", "binding")


@pytest.mark.parametrize(("how", "what"), list(product(_WAYS, _GENERATED)))
def test_each_kind_is_a_cause(how: Way, what: GeneratedKind) -> None:
    """A verdict may name every kind of difference as its cause, whatever the object is called."""
    kind = DifferenceKind(how, what, "a of b", "c")
    assert kind.cause in CAUSES
    assert (kind.orphan, kind.missing, kind.altered) == tuple(how == way for way in _WAYS)
    assert str(kind) == f"{how} {what} a of b"


def test_counted() -> None:
    """One policy, two policies."""
    kind = DifferenceKind("orphan", "policy", "p", "p")
    assert (kind.counted(1), kind.counted(2)) == ("1 orphan policy", "2 orphan policies")
