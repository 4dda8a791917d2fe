"""Suggest: the word that was probably meant."""

import pytest

from chaos_harness.clusters.suggest import did_you_mean


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("kiled", "did you mean killed? "),
        ("kill_containers", "did you mean kill containers? "),
        ("Kill-Containers", "did you mean kill containers? "),
        ("xyzzy", ""),
        ("", ""),
        (None, ""),
        ("k" * 100_000, ""),
    ],
)
def test_suggestion(given: object, words: str) -> None:
    """Case, and what joins words, do not count; what resembles nothing gets no suggestion."""
    assert did_you_mean(given, ["killed", "kill containers"]) == words
