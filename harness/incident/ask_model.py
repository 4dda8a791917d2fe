"""Ask model: the fields by which an incident file says what is asked about its policies."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field

from chaos_harness.harness.incident.parts import STRICT, Words

__all__ = ["AnswerSpec", "AsSpec", "AskSpec", "DeniedSpec"]


class _Part(BaseModel):
    """A part of the file."""

    model_config = STRICT


class DeniedSpec(_Part):
    """How a request is denied: by which enforcement, by which constraint, and with a message that matches a pattern."""

    by: Literal["webhook", "generated policy"] | None = None
    constraint: Words | None = None
    message: Words | None = None


class AnswerSpec(_Part):
    """The right answer: `admitted`, `denied` (in whatever way, or as told), or `mutated`.

    What is mutated has a value at each path, which is one as in the `location` of a mutator, such as
    `spec.containers[name: *].imagePullPolicy`. A value that is a map is a part of what is there.
    """

    admitted: Literal[True] | None = None
    denied: DeniedSpec | None = None
    mutated: Annotated[dict[str, Any], Field(min_length=1, max_length=50)] | None = None


def _answer(value: object) -> object:
    """Turn a bare word into the answer that it is short for."""
    return (
        {"admitted": {"admitted": True}, "denied": {"denied": {}}}.get(value, value)
        if isinstance(value, str)
        else value
    )


class AsSpec(_Part):
    """Who asks: a user, and the user's groups. The user needs the rights to do what is asked (RBAC)."""

    user: Words
    groups: Annotated[list[Words], Field(max_length=20)] = []


class AskSpec(_Part):
    """What is asked all the time: a request about an object, and the right answer to it; `ask` is its name in claims.

    The object is in this file (`object`) or in one beside it (`file`). Without a name of its own it gets another one
    each time; `generateName` is the begin of such a name. Without a namespace it is in `namespace`, by default the
    probe's own. An `update` writes the object's fields into an object that is as `before`. A `dry_run` changes nothing;
    without it, what is created is deleted again.
    """

    ask: Words
    object: dict[str, Any] | None = None
    file: Words | None = None
    verb: Literal["create", "update", "delete"] = "create"
    before: dict[str, Any] | None = None
    namespace: Words | None = None
    as_: Annotated[AsSpec | None, Field(alias="as")] = None
    dry_run: bool = True
    answer: Annotated[
        AnswerSpec, BeforeValidator(_answer, json_schema_input_type=Literal["admitted", "denied"] | AnswerSpec)
    ]
