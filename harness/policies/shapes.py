"""Shapes: whether a policy, or an object that one is asked about, has fields, lists and texts where they are read.

The API server refuses an object of another shape, but only when there is a cluster.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from chaos_harness.clusters.problem_words import shorten

__all__ = ["CONSTRAINT", "OBJECT", "REVIEW", "TEMPLATE", "misshapen", "misshapen_policy"]

_Place = tuple[str | int, ...]
"""Where a part of an object is: names of fields and indexes, from the outermost one."""

_NAMED = [{"name": str, "expression": str}]
_SOURCE = {
    "generateVAP": bool,
    "failurePolicy": str,
    "validations": [{"expression": str}],
    "variables": _NAMED,
    "matchCondition": _NAMED,
}
TEMPLATE: Mapping[str, Any] = {
    "spec": {
        "crd": {"spec": {"names": {"kind": str}}},
        "targets": [{"target": str, "code": [{"engine": str, "source": _SOURCE}]}],
    }
}
"""A ConstraintTemplate: a map has these fields, a list these elements; each may be missing."""

CONSTRAINT: Mapping[str, Any] = {
    "spec": {
        "enforcementAction": str,
        "scopedEnforcementActions": [{"action": str, "enforcementPoints": [{"name": str}]}],
        "match": {
            "kinds": [{"apiGroups": [str], "kinds": [str]}],
            "name": str,
            "namespaces": [str],
            "excludedNamespaces": [str],
            "labelSelector": {
                "matchLabels": {},
                "matchExpressions": [{"key": str, "operator": str, "values": [str]}],
            },
        },
    }
}
"""A constraint of any kind."""

_MUTATOR: Mapping[str, Any] = {"spec": {"applyTo": [{"groups": [str], "versions": [str], "kinds": [str]}]}}

OBJECT: Mapping[str, Any] = {
    "apiVersion": str,
    "kind": str,
    "metadata": {"name": str, "generateName": str, "namespace": str, "labels": {}},
}
"""Any object."""

REVIEW: Mapping[str, Any] = {
    "request": {
        "operation": str,
        "subResource": str,
        "name": str,
        "namespace": str,
        "kind": {"group": str, "version": str, "kind": str},
        "userInfo": {"username": str, "groups": [str]},
        "object": OBJECT,
        "oldObject": OBJECT,
    }
}
"""An AdmissionReview."""

_BY_GROUP = {
    "templates.gatekeeper.sh": TEMPLATE,
    "constraints.gatekeeper.sh": CONSTRAINT,
    "mutations.gatekeeper.sh": _MUTATOR,
}
_WORDS = {str: "a text", bool: "true or false"}


def misshapen(value: object, shape: Any, place: _Place = ()) -> Iterator[tuple[_Place, str]]:
    """Yield each part of a value that is not as its shape has it, with its place; a field may be null."""
    if isinstance(shape, Mapping):
        if not isinstance(value, Mapping):
            such = f" such as {', '.join(shape)}" if shape else ""
            yield place, f"expected fields{such}, found {shorten(value)}"
            return
        for name, inner in shape.items():
            if value.get(name) is not None:
                yield from misshapen(value[name], inner, (*place, name))
    elif isinstance(shape, list):
        if not isinstance(value, list):
            yield place, f"expected a list, found {shorten(value)}"
            return
        for index, element in enumerate(value):
            yield from misshapen(element, shape[0], (*place, index))
    elif not isinstance(value, shape):
        yield place, f"expected {_WORDS[shape]}, found {shorten(value)}"


def misshapen_policy(manifest: Mapping[str, Any]) -> Iterator[tuple[_Place, str]]:
    """Yield each part of one of Gatekeeper's objects that is not as it must be; nothing of any other object."""
    group = str(manifest.get("apiVersion")).partition("/")[0]
    yield from misshapen(manifest, _BY_GROUP.get(group, {}))
