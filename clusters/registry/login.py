"""Login: the password of one registry, known only to the run that created it and to the nodes of its cluster."""

import base64
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import bcrypt

from chaos_harness.clusters.errors import ClusterUnavailable, NotOurs

__all__ = ["Login"]

_USER = "chaos"
_MARK = "chaos_pw_"
"""Prefix of the passwords, by which redaction finds them (see harness.redaction.forms)."""
_BYTES = 16
_ROUNDS = 4
"""bcrypt's minimum: the registry hashes at every request, and a random password needs no slow hash."""
_FILE = "registry.password"


@dataclass(frozen=True)
class Login:
    """A registry's password: a file of mode 0600 in the private directory of its cluster."""

    path: Path

    @classmethod
    def make(cls, directory: Path) -> Self:
        """Create a random password in a new file in `directory`; return its login."""
        login = cls.of(directory)
        file = os.open(login.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as into:
            into.write(f"{_MARK}{secrets.token_hex(_BYTES)}")
        return login

    @classmethod
    def of(cls, directory: Path) -> Self:
        """Return the login of the cluster in `directory`, whichever process created it; nothing is read yet."""
        return cls(directory / _FILE)

    @property
    def authorization(self) -> str:
        """The Authorization header's value.

        Raises ClusterUnavailable if the file is missing, NotOurs if others can read it.
        """
        return f"Basic {base64.b64encode(f'{_USER}:{self._password()}'.encode()).decode()}"

    @property
    def htpasswd(self) -> str:
        """The registry's htpasswd file, which holds the password's hash; raises as `authorization` does."""
        hashed = bcrypt.hashpw(self._password().encode(), bcrypt.gensalt(rounds=_ROUNDS))
        return f"{_USER}:{hashed.decode()}\n"

    def _password(self) -> str:
        try:
            mode = self.path.stat().st_mode & 0o777
            password = self.path.read_text(encoding="ascii")
        except OSError as error:
            raise ClusterUnavailable(
                f"{self.path}: expected the password of the cluster's registry: {error}"
            ) from error
        if mode & 0o077:
            raise NotOurs(
                f"{self.path}: expected mode 0600, found {mode:04o}: others may know the registry's password by now"
            )
        return password
