"""JSON patch: what an object is after the patch of a mutating webhook (RFC 6902)."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

__all__ = ["patched"]


def patched(manifest: Mapping[str, Any] | None, operations: Sequence[Mapping[str, Any]]) -> Any:
    """Return the object after the operations, of which webhooks use "add", "replace" and "remove".

    Raises ValueError for another one, KeyError, IndexError or TypeError for a place that is not there.
    """
    document: dict[str, Any] = {"": deepcopy(manifest)}
    for operation in operations:
        *above, last = [part.replace("~1", "/").replace("~0", "~") for part in operation["path"].split("/")]
        holder: Any = document
        for part in above:
            holder = holder[int(part) if isinstance(holder, list) else part]
        _operate(operation["op"], holder, last, operation.get("value"))
    return document[""]


def _operate(what: str, holder: Any, last: str, value: Any) -> None:
    if what not in ("add", "replace", "remove"):
        raise ValueError(f"no operation of a webhook's patch: {what!r}")
    if not isinstance(holder, list):
        if what == "remove":
            del holder[last]
        else:
            holder[last] = deepcopy(value)
        return
    index = len(holder) if last == "-" else int(last)
    if what == "add":
        holder.insert(index, deepcopy(value))
    elif what == "replace":
        holder[index] = deepcopy(value)
    else:
        del holder[index]
