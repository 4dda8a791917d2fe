"""Edits that are refused before a cluster is touched; what becomes of the others is in tests/api."""

from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.faults.objects import edit
from chaos_harness.harness.faults.objects.edit import edit_object
from tests.fakes.bench import Bench

_PATCH = {"spec": {"replicas": 0}}


@pytest.mark.parametrize(
    "words",
    [
        {"name": "../secrets/x"},
        {"name": "--all"},
        {"name": "a/b"},
        {"name": "a%2fb"},
        {"name": ""},
        {"kind": "--raw=/x"},
        {"namespace": "n/../kube-system"},
    ],
    ids=str,
)
def test_names_that_are_options_or_paths(words: dict[str, str]) -> None:
    """A word that would be an option of kubectl or another path of the API is refused before anything is touched."""
    with pytest.raises(BadScenario, match=f"{next(iter(words))}: expected .* found"):
        edit_object(**({"kind": "ConfigMap", "name": "d"} | words), patch=_PATCH)


def test_a_reference_must_stand_for_a_name(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reference is none before it is resolved, and one that is not resolved touches nothing."""
    asked: list[object] = []
    monkeypatch.setattr(edit, "find_path", lambda *words: asked.append(words))
    fault = edit_object("Deployment", "$node(a=b)", _PATCH, namespace="n")
    with pytest.raises(BadScenario, match="no option and no path"):
        bench.inject(fault)
    assert asked == []


@pytest.mark.parametrize(("kind", "patch"), [("Deployment", {}), ("Secret", _PATCH)])
def test_empty_patches_and_secrets_are_refused(kind: str, patch: dict[str, Any]) -> None:
    """An empty patch, and one of a Secret, whose values would stand in the journal, are refused."""
    with pytest.raises(BadScenario, match="expected a patch, and of no Secret"):
        edit_object(kind, "d", patch)
