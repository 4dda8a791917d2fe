"""Names: which fields, variables and flags hold a secret, by their names."""

import re
from functools import lru_cache

__all__ = ["PART", "is_environment", "is_header", "is_password", "is_secret", "stays"]

PART = r"(?:pass|pwd|secret|token|cred|cookie|auth|jwt|key|kennwort|[-_](?:pat|pw|psk|dsn|otp|salt))"
"""An expression (any case) that matches every name that may be a secret's; `is_secret` decides."""

# Keys of these open something; others (`topologyKey`, `publicKey`, `secretKeyRef.key`) are names.
_OF_KEYS = frozenset(
    (
        *("access", "account", "api", "app", "application", "auth", "certificate", "client", "consumer", "crypto"),
        *("decryption", "deploy", "dsa", "ecdsa", "encryption", "function", "hmac", "instrumentation", "license"),
        *("master", "private", "rsa", "secret", "server", "session", "shared", "signing", "ssh", "ssl", "storage"),
        *("subscription", "tls", "webhook"),
    )
)
_PASSWORDS = ("password", "passwd", "passphrase", "passcode", "pwd", "kennwort")
_ENDINGS = (
    *_PASSWORDS,
    *("token", "secret", "credential", "credentials", "cookie"),
    *("apikey", "privatekey", "secretkey", "accesskey", "accountkey", "signingkey", "encryptionkey"),
)
_ALONE = frozenset(("pass", "pw", "pat", "creds", "jwt", "psk", "authorization", "otp"))
_OF_ENVIRONMENT = frozenset(("key", "keys", "auth", "cred", "dsn", "salt", "tokens", "passwords", "secrets"))
# Such a "secret" is the name of an object: `existingSecret`, `imagePullSecret`, `tls-secret`.
_OBJECTS = frozenset(["existing", "pull", "tls", "cert", "certificate", "checksum", "hash"])
# What may follow: `client-key-data`, `password_value`, `TOKEN_1`.
_TAILS = frozenset(
    (
        *("base", "data", "value", "base64", "b64", "plain", "plaintext", "text", "raw", "string"),
        *("json", "hash", "hex", "encoded", "current", "old", "new"),
    )
)
_STARTS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*_[A-Z0-9_]*\Z")
_TRIVIAL = re.compile(r"(?:|~|true|false|yes|no|null|none|nil|unset|\*+|<[a-z :]*>)\Z", re.IGNORECASE)
_REFERENCE = re.compile(r"\$\([\w.]+\)\Z|\$\{[\w.]+\}\Z|\$?\{\{[\w. ]*\}\}\Z")
_PATH = re.compile(r"(?:~|\.{0,2})(?:/[a-z0-9._-]+){2,}\Z")
_LONGEST_KEPT = 200


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a name is that of a secret: `dbPassword`, `client-key-data`, `API_KEY`, but not `tokenExpiration`.

    A name with blanks, such as "Error getting token", is part of a sentence; it counts only if it is a password.
    """
    words = _words(name)
    if not words or (" " in name and not is_password(name)):
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last == "secret" and before in _OBJECTS:
        return False
    if last in _ALONE or last.endswith(_ENDINGS):
        return True
    if last in {"key", "keys"} and before in _OF_KEYS:
        return True
    return name.endswith(".key") or (last in _OF_ENVIRONMENT and bool(_VARIABLE.match(name)))


@lru_cache(maxsize=4096)
def is_password(name: str) -> bool:
    """Whether it is a secret that people type, which may be a number or several words."""
    words = _words(name)
    return bool(words) and words[-1].endswith(_PASSWORDS)


def is_header(name: str) -> bool:
    """Whether it is the header with a scheme in front of its secret."""
    return name.lower().removeprefix("proxy-") == "authorization"


def is_environment(name: str) -> bool:
    """Whether a name is that of the environment of a container, a process or a plugin."""
    return name in {"env", "Env", "environ", "environment"}


def stays(value: str) -> bool:
    """Whether a secret's value reveals nothing: empty, a flag, redacted already, a path, the name of a variable."""
    if len(value) > _LONGEST_KEPT:
        return False
    return bool(_TRIVIAL.match(value) or _REFERENCE.match(value) or _PATH.match(value))


def _words(name: str) -> list[str]:
    words = [word.lower() for word in _STARTS.split(name[-_LONGEST_KEPT:]) if word]
    while len(words) > 1 and (words[-1] in _TAILS or words[-1].isdigit()):
        words.pop()
    return words
