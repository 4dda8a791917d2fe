"""Matching: whether a constraint may match an object, by its `match`; in doubt it may.

The rules are those of Gatekeeper v3.23 (pkg/mutation/match): each criterion that is not given matches.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from chaos_harness.clusters.api.objects import Object, metadata

__all__ = ["may_match"]


def may_match(constraint: Object, thing: Object) -> bool:
    """Whether the constraint may match the object; false only if its kind, name, namespace or labels exclude that.

    The labels of its namespace are not known, so a namespaceSelector excludes nothing; nor does a scope.
    """
    match = (constraint.get("spec") or {}).get("match") or {}
    return (
        _has_kind(match.get("kinds") or (), thing)
        and _has_namespace(match, thing)
        and _has_name(str(match.get("name") or ""), thing)
        and _has_labels(match.get("labelSelector") or {}, metadata(thing).get("labels") or {})
    )


def _group_of(thing: Object) -> str:
    """Return the group of an object's kind; "" is the core group."""
    return str(thing.get("apiVersion", "")).rpartition("/")[0]


def _has_kind(kinds: Sequence[Mapping[str, Any]], thing: Object) -> bool:
    def fits(given: Sequence[str], value: str) -> bool:
        return not given or "*" in given or value in given

    group, kind = _group_of(thing), thing.get("kind", "")
    return not kinds or any(
        fits(each.get("kinds") or (), kind) and fits(each.get("apiGroups") or (), group) for each in kinds
    )


def _has_namespace(match: Mapping[str, Any], thing: Object) -> bool:
    is_namespace = thing.get("kind") == "Namespace" and not _group_of(thing)
    namespace = metadata(thing).get("name" if is_namespace else "namespace")
    if not namespace:  # it may have none, or gets one when it is created
        return True
    given, excluded = match.get("namespaces") or (), match.get("excludedNamespaces") or ()
    among = not given or any(_fits(pattern, namespace) for pattern in given)
    return among and not any(_fits(pattern, namespace) for pattern in excluded)


def _has_name(pattern: str, thing: Object) -> bool:
    name = metadata(thing).get("name")
    return not pattern or not name or _fits(pattern, str(name))


def _fits(pattern: str, value: str) -> bool:
    """Whether a text is as a pattern says, which may have a * at either end."""
    middle = pattern.removeprefix("*").removesuffix("*")
    if pattern.startswith("*"):
        return middle in value if pattern.endswith("*") else value.endswith(middle)
    return value.startswith(middle) if pattern.endswith("*") else value == pattern


def _has_labels(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(name) != value for name, value in wanted.items()):
        return False
    return all(_is_true(expression, labels) for expression in selector.get("matchExpressions") or ())


def _is_true(expression: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = expression.get("key"), expression.get("values") or ()
    match expression.get("operator"):
        case "In":
            return labels.get(str(key)) in values
        case "NotIn":
            return labels.get(str(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return True
