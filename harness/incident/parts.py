"""Parts: what all parts of an incident file have in common."""

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field

from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["STRICT", "Words", "visible"]

STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)
"""Unknown fields are refused, nothing is converted; a field has the name that a file gives it alone."""


def visible(value: str) -> str:
    """Refuse invisible characters and those that move the cursor: texts are shown on terminals."""
    if escape_controls(value) != value:
        raise ValueError(f"expected visible characters, found {escape_controls(value, most=80)!r}")
    return value


Words = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(visible)]
