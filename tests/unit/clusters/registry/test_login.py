"""Tests of clusters.registry.login: who has a registry's password, where it lies, and that it is told nowhere."""

import base64
import json
import stat
from pathlib import Path

import pytest

from chaos_harness.clusters.errors import ClusterUnavailable, NotOurs
from chaos_harness.clusters.registry.container import hosts_toml
from chaos_harness.clusters.registry.login import Login
from chaos_harness.harness.redaction import redact, redact_object


def test_each_registry_has_a_password_of_its_own(tmp_path: Path) -> None:
    """It is random, in a file that nobody else may read, and another process finds it there."""
    passwords = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        login = Login.make(tmp_path / name)
        assert stat.S_IMODE(login.path.stat().st_mode) == 0o600
        assert Login.of(tmp_path / name) == login
        password = login.path.read_text()
        passwords.add(password)
        assert base64.b64decode(login.authorization.removeprefix("Basic ")) == f"chaos:{password}".encode()
        assert password not in repr(login)
        assert password not in login.htpasswd
    assert len(passwords) == 2
    assert {len(password) for password in passwords} == {len("chaos_pw_") + 32}


def test_a_password_is_not_made_twice(tmp_path: Path) -> None:
    """A file that is there already, perhaps another's, is not written to."""
    Login.make(tmp_path)
    with pytest.raises(FileExistsError):
        Login.make(tmp_path)


def test_a_password_that_is_gone_or_known_to_others_is_told(tmp_path: Path) -> None:
    """Both are told by the file's path."""
    login = Login.make(tmp_path)
    login.path.chmod(0o640)
    with pytest.raises(NotOurs, match=f"{login.path}: expected mode 0600, found 0640"):
        _ = login.authorization
    login.path.unlink()
    with pytest.raises(ClusterUnavailable, match=f"{login.path}: expected the password of the cluster's registry"):
        _ = login.htpasswd


def test_no_report_tells_the_password(tmp_path: Path) -> None:
    """Whatever file, command or error it might stand in, it is taken out, and nothing that it is encoded from stays."""
    login = Login.make(tmp_path)
    password, blob = login.path.read_text(), login.authorization.removeprefix("Basic ")
    texts = [
        hosts_toml("10.0.0.254:5000", login.authorization),
        f'header = "Authorization: {login.authorization}"\n',
        json.dumps({"auths": {"127.0.0.1:21000": {"auth": blob}}}),
        json.dumps({"username": "chaos", "password": password}),
        f"a push failed with {password}",
        f"a line\\n{password}",
        f"GET http://chaos:{password}@127.0.0.1:21000/v2/",
        f"stdin={login.authorization!r}",
    ]
    for text in texts:
        assert (password in text) or (blob in text)
        for clean in (redact(text), json.dumps(redact_object({"said": text}))):
            assert password not in clean
            assert blob not in clean
    assert redact(texts[0]).startswith('server = "http://10.0.0.254:5000"')
