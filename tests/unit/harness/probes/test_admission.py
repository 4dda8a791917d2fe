"""Admission: how the canary counts and cleans up, whatever it is answered; what a server says is in tests/api."""

from collections import Counter
from typing import Any

import pytest

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.policies import PODS, Question, deny_pods, mutate_pods
from chaos_harness.harness.probes import admission
from chaos_harness.harness.probes.admission import CANARY, FORBIDDEN, admission_canary
from chaos_harness.harness.probes.answers import Answer

QUESTIONS = (FORBIDDEN, *mutate_pods().questions, *deny_pods().questions)


def test_every_question_has_one_number_and_one_answer(
    cluster: Cluster, history: HistoryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Numbers are consecutive and answers repeat them; what was created, and nothing else, is deleted, each once."""
    created: list[str] = []
    deleted: Counter[str] = Counter()

    def ask(_api: object, question: Question, name: str, **_: Any) -> Answer:
        if question.dry_run:
            return Answer("ok", "admitted", "")
        created.append(f"{PODS}/{name}")
        return Answer("ok", "mutated", "", uid="u")

    def delete(_api: object, path: str) -> bool:
        deleted[path] += 1
        return True

    monkeypatch.setattr(admission, "ask", ask)
    monkeypatch.setattr(admission, "_delete", delete)
    probe = admission_canary(cluster, history, rate=200, questions=QUESTIONS)
    probe.start()
    for _ in Deadline.after(20, "questions").attempts(0.01, 0.05):
        if len(created) >= 10:
            break
    probe.stop()
    entries = list(read(history.path).entries)
    numbers = [sorted(entry.value["seq"] for entry in entries if entry.kind == kind) for kind in ("invoke", "ok")]
    assert numbers[0] == numbers[1] == list(range(len(entries) // 2))
    assert all(entry.process.startswith(CANARY) for entry in entries)
    assert deleted == Counter(created)
