"""Mirror: the registry that is asked instead of docker.io, by the environment."""

import os
import re
from dataclasses import dataclass
from typing import Self

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.terminal.escape import escape_controls

__all__ = ["MIRROR", "Mirror"]

MIRROR = "CHAOS_MIRROR"
"""Variable with a mirror of docker.io, or a cache that pulls through, as [http://]HOST[:PORT][/PATH]."""

_PLAIN = "http://"
_ADDRESS = re.compile(r"[a-z0-9]([a-z0-9.\-]*[a-z0-9])?(:\d{1,5})?(/[a-z0-9][a-z0-9._\-]*)*", re.ASCII)
_SHORT = 100


@dataclass(frozen=True)
class Mirror:
    """A mirror by its address, HOST[:PORT][/PATH] ("": none); `plain`: it is spoken to without encryption."""

    address: str = ""
    plain: bool = False

    @classmethod
    def parse(cls, text: str, name: str = MIRROR) -> Self:
        """Return the mirror in `text`, the value of `name`. Raises BadScenario."""
        address = text.strip().removeprefix(_PLAIN).rstrip("/")
        if address and not _ADDRESS.fullmatch(address):
            shown = escape_controls(text.strip(), most=_SHORT)
            raise BadScenario(f"{name}: expected HOST[:PORT][/PATH], as in mirror.example:5000 (was {shown})")
        return cls(address, bool(address) and text.strip().startswith(_PLAIN))

    @classmethod
    def read(cls) -> Self:
        """Return the mirror that the environment names. Raises BadScenario."""
        return cls.parse(os.environ.get(MIRROR, ""))

    @property
    def host(self) -> str:
        """Its host, with the port."""
        return self.address.partition("/")[0]

    def __str__(self) -> str:
        """Return it as it is written in the environment."""
        return f"{_PLAIN if self.plain else ''}{self.address}"
