"""Recording: what an experiment writes down is clean from the first moment, and nobody else may read it."""

import json
import stat
from pathlib import Path

from chaos_harness.harness.experiment.recording import Recording
from chaos_harness.harness.redaction import REDACTED


def test_values_are_written_without_secrets(tmp_path: Path) -> None:
    """Answers, proofs and lines of logs lose their secrets on the way into the file; its mode is 0600."""
    message = "Post http://jdoe:Winter2026@proxy: Bearer Winter2026Winter2026"
    history = Recording(tmp_path / "history.jsonl", "a")
    entry = history.append(
        "info", "fail open", "call", {"said": message, "webhook": "x", "pods": ("a", "token=Winter2026")}
    )
    history.append("ok", "canary deny 1", "asked", {"status": 403, "seconds": 0.01})
    history.finish()
    text = history.path.read_text(encoding="utf-8")

    assert "Winter2026" not in text
    assert entry.value["said"] == f"Post http://{REDACTED}@proxy: Bearer {REDACTED}"
    assert json.loads(text.splitlines()[2])["value"] == {"status": 403, "seconds": 0.01}
    assert stat.S_IMODE(history.path.stat().st_mode) == 0o600
