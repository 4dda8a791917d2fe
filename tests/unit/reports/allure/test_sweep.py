"""Sweep: secrets are planted wherever a run writes, and everything that it left is searched."""

import base64
import gzip
import json
import re
from pathlib import Path

from chaos_harness.reports.allure.sweep import redact_results
from tests.sessions import run

_PLANTED = "plantedplanted0123456789"
_SCENARIOS = f'''
"""Scenarios that leak."""
import logging

def test_leaks(leave):
    """A fact. Authorization: Bearer {_PLANTED}"""
    secret = "Authorization: Bearer {_PLANTED}"
    phase = {{"name": "hold " + secret, "start": 1.0, "stop": 2.0, "status": "broken", "detail": secret}}
    fault = {{"name": "cut " + secret, "proof": secret, "injected_at": 1.0, "healed_at": 2.0, "heal_proof": secret}}
    claim = {{"name": "serves " + secret, "expected": "holds", "outcome": "violated", "issue": None,
             "summary": secret, "evidence": [secret], "figures": {{"a_seconds": 1.0}}}}
    leave(phases=[phase], faults=[fault], claims=[claim], environment={{"engine": secret}},
          cluster={{"name": secret, "shape": {{"kubernetes": secret}}}})
    print(secret)
    logging.warning(secret)
    raise AssertionError(secret)

def test_leaks_quietly(leave, tmp_path):
    leave()
    header = {{"schema": 1, "run": "", "started": 1.0, "harness": "0"}}
    entry = {{"index": 0, "kind": "ok", "process": "fault 1", "f": "inject", "at": 1.0, "wall": 2.0,
             "value": {{"name": "cut", "proof": "token: {_PLANTED}"}}}}
    lines = [header, entry, entry | {{"f": "observed"}}]
    import json
    (tmp_path / "history.jsonl").write_text("".join(json.dumps(line) + "\\n" for line in lines))
    assert 0, "client-key-data: {_PLANTED}"

def test_broken_fixture(nothing_of_this_name):
    """Never runs."""
'''


def _contents(path: Path) -> bytes:
    """Return all that a file holds: unpacked, and with what its addresses hold."""
    body = path.read_bytes()
    body = gzip.decompress(body) if path.suffix == ".gz" else body
    inner = re.findall(rb"base64,([A-Za-z0-9+/=]+)", body)
    return b"".join([body, *map(base64.b64decode, inner)])


def test_no_secret_is_left_anywhere(tmp_path: Path) -> None:
    """Messages, traces, output, logs, records, histories, pictures, JUnit, metrics and trend hold none."""
    session = run(tmp_path, _SCENARIOS, "-n", "2")
    run_directory = session.results.parent
    files = [path for root in (run_directory, run_directory.parent) for path in root.rglob("*") if path.is_file()]
    leaks = [path.name for path in files if _PLANTED.encode() in _contents(path)]

    assert len(files) > 15
    assert {"junit.xml", "metrics.prom", "trend.jsonl"} <= {path.name for path in files}
    assert leaks == []
    assert len(session.load("*-result.json")) == 3


def test_json_stays_json(tmp_path: Path) -> None:
    """A secret at the end of a string takes nothing of what follows along; text that is cut off is cleaned, too."""
    whole, cut, clean = (tmp_path / name for name in ("a-result.json", "b-result.json", "c-result.json"))
    whole.write_text(json.dumps({"message": "token: planted", "more": [1, None, "x"]}), encoding="utf-8")
    cut.write_text('{"message": "token: planted', encoding="utf-8")
    clean.write_text('{"a":  1}', encoding="utf-8")

    assert redact_results(tmp_path) == ["a-result.json", "b-result.json"]
    assert json.loads(whole.read_text(encoding="utf-8")) == {"message": "token: <redacted>", "more": [1, None, "x"]}
    assert "planted" not in cut.read_text(encoding="utf-8")
    assert clean.read_text(encoding="utf-8") == '{"a":  1}'
    assert redact_results(tmp_path) == []


def test_what_nobody_can_read_is_no_error(tmp_path: Path) -> None:
    """JSON that is too deep to be read loses all that it says, and is JSON afterwards."""
    path = tmp_path / "a-result.json"
    path.write_text('{"token": "planted", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", encoding="utf-8")

    assert redact_results(tmp_path) == ["a-result.json"]
    assert "removed as a whole" in json.loads(path.read_text(encoding="utf-8"))
