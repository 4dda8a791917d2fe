"""Image name: a name as people write it, in full: the registry, the repository, and the tag."""

import re
from dataclasses import dataclass
from typing import Self

__all__ = ["DOCKER", "ImageName", "folder_of"]

DOCKER = "docker.io"
"""The registry of names that begin with none."""

_PARTS = re.compile(r"(?P<repository>[a-z0-9]+(?:(?:[._]|__|-+|/)[a-z0-9]+)*)(?::(?P<tag>\w[\w.-]{0,127}))?")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::\d+)?")
_SHORT = 80


@dataclass(frozen=True)
class ImageName:
    """A name in full, as nodes know it."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def read(cls, given: str) -> Self:
        """Return the name that is meant: without a registry docker.io's, without a tag `latest`.

        Raises ValueError for what is no name, and for a digest: it is that of one registry's manifest.
        """
        if "@" in given:
            raise ValueError(f"{given[:_SHORT]!r}: name it by a tag: its digest is not the same in another registry")
        first, _, rest = given.partition("/")
        registry = first if rest and (first == "localhost" or set(first) & {".", ":"}) else ""
        parts = _PARTS.fullmatch(rest if registry else given)
        if parts is None or not _HOST.fullmatch(registry or DOCKER):
            raise ValueError(f"expected an image such as ghcr.io/acme/web:1.2, found {given[:_SHORT]!r}")
        if registry in ("", "index.docker.io", DOCKER):
            official = "" if "/" in parts["repository"] else "library/"
            return cls(DOCKER, f"{official}{parts['repository']}", parts["tag"] or "latest")
        return cls(registry, parts["repository"], parts["tag"] or "latest")

    @property
    def mirrored(self) -> str:
        """Its repository and tag in a registry that has the images of several: docker.io's are at the top."""
        folder = "" if self.registry == DOCKER else f"{folder_of(self.registry)}/"
        return f"{folder}{self.repository}:{self.tag}"

    def __str__(self) -> str:
        """Return it in full."""
        return f"{self.registry}/{self.repository}:{self.tag}"


def folder_of(registry: str) -> str:
    """Return the folder of a registry's images among those of others, which has no port in its name."""
    return registry.replace(":", "-")
