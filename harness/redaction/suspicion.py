"""Suspicion: quickly recognises text that cannot contain a secret."""

import re

__all__ = ["is_suspect"]

# What each secret that is looked for has in it or beside it, in small letters.
_SIGNS = (
    *("pass", "pwd", "secret", "token", "cred", "cookie", "auth", "jwt", "key", "kennwort"),
    *("_pat", "-pat", "_pw", "-pw", "psk", "dsn", "otp", "salt", "bearer", "basic", "env", "-u", "sig=", "signature"),
    *("code=", "tcp(", "unix(", "q~", "sha256~", "pypi-", "npm_", "hvs.", "hvb.", "k_live", "k_test", "xox", "glpat"),
    *("ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat", "akia", "asia", "aroa", "aida", "aiza", "ya29"),
    *("eyj", "ls0t", "tfmwdext", "h4sia", "sdrzsufb", "yxbpvmvyc2lvbj", "a2luzdo", "ewog", "dxnlcnm6"),
)
_USER = re.compile(r":\\*/\\*/[^\s/]{1,512}@|:[^\s:@/]{3,200}@(?!sha\d)")
_BOOTSTRAP = re.compile(r"\.[a-z0-9]{16}(?![\w.-])")


def is_suspect(text: str) -> bool:
    """Whether `text` may contain a secret. Most text lacks every sign of one."""
    small = text.lower()
    if any(sign in small for sign in _SIGNS):
        return True
    return ("@" in text and _USER.search(text) is not None) or _BOOTSTRAP.search(text) is not None
