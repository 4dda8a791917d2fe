"""Table: what was found, for people in 80 columns and as Markdown, and for scripts."""

import json
from typing import Any

import pytest

from chaos_harness.clusters.terminal.width import text_columns
from chaos_harness.harness.crashtest.ledger import Trial, TrialKey, TrialOutcome, Variant
from chaos_harness.harness.crashtest.moments import MOMENTS, Moment
from chaos_harness.harness.crashtest.samples import SAMPLES
from chaos_harness.harness.crashtest.table import as_json, as_markdown, for_terminal

RULE = "new: node w rules: -A OUTPUT | <DROP> (there)"


def trial(
    name: str, moment: Moment, outcome: TrialOutcome = "zero", *, variant: Variant = "harness", **facts: object
) -> Trial:
    key = TrialKey(sample=name, moment=moment, variant=variant)
    return Trial.model_validate({"key": key, "outcome": outcome, **facts})


TRIALS = [
    trial("kill_node", "journaled", declared=("restart counts", "a mount")),
    trial("kill_node", "harming", "differs", differences=(RULE, RULE)),
    trial(
        "kill_node",
        "lasting",
        left=(("changed: x", "restart counts"),),
        declared=("restart counts", "a mount"),
        proved=2,
    ),
    trial("kill_node", "undoing", "not proved", said="it lives", proved=30),
    trial("kill_node", "unkilled", proved=4, healed=0.25, collected=100),
    trial("evict_replicas", "harming", "broken", said="no engine"),
    trial("evict_replicas", "lasting", "not reached"),
]


def test_for_a_terminal() -> None:
    """A line for each fault; below, what differs, what is left out, what never came about, what came to nothing."""
    lines = list(for_terminal(TRIALS))
    assert lines[0].split() == ["fault", "before", "in", "it", "lasts", "undo", "alive", "left", "proved", "healed"]
    assert lines[1].split() == ["kill_node", "0", "2", "0", "?", "0", "1", "4.0/30", "0.2/0.2"]
    assert lines[2].split() == ["evict_replicas", ".", "!", "-", ".", "."]
    assert lines.count(f"kill_node, in the harm: {RULE}") == 2
    assert "left out, kill_node, restart counts: changed: x" in lines
    assert "declared and not seen, kill_node: a mount" in lines
    assert "kill_node, in the undo: not proved: it lives" in lines
    assert "evict_replicas, in the harm: broken: no engine" in lines
    assert "evict_replicas, while it lasts: not reached" in lines
    assert lines[-1] == "3 of 7 trials of 2 faults came out as they should"


def test_it_fits_into_80_columns() -> None:
    """The table itself and its legend, whatever the names and the figures are."""
    facts: dict[str, Any] = {"proved": 1234.5, "healed": 1234.5, "differences": ("a",) * 999, "left": (("b", "c"),)}
    trials = [trial(name, moment, "differs", **facts) for name in SAMPLES for moment in MOMENTS]
    lines = list(for_terminal(trials))
    assert max(text_columns(line) for line in lines[: len(SAMPLES) + 8]) <= 80
    assert all(name in line for name, line in zip(SAMPLES, lines[1:], strict=False))


def test_declared_and_not_seen_is_told_after_the_whole_harm_only() -> None:
    """Who was killed before the harm, or could not be tried, has seen nothing of it, and says nothing of it."""
    early = [trial("kill_node", "journaled", declared=("a mount",)), trial("kill_node", "lasting", "broken")]
    assert not [line for line in for_terminal(early) if line.startswith("declared")]
    late = [*early, trial("kill_node", "lasting", declared=("a mount",))]
    assert [line for line in for_terminal(late) if line.startswith("declared")]


def test_each_variant_has_a_table() -> None:
    """Where the guardian is killed, too, and where undos are no-ops; a difference is what is wanted there."""
    trials = [
        TRIALS[0],
        trial("cut_webhook", "undoing", variant="guardian"),
        trial("cut_webhook", "lasting", "differs", variant="no undo", differences=("a",)),
    ]
    lines = list(for_terminal(trials))
    assert lines[-1] == "3 of 3 trials of 2 faults came out as they should"
    assert sum(line.startswith("fault ") for line in lines) == 3
    assert any("a 0 is a miss" in line for line in lines)
    assert any("its guardian was killed, too" in line for line in lines)
    titles = [line for line in as_markdown(trials).splitlines() if line.startswith("## ")]
    assert titles == ["## The harness is killed", "## Its guardian is killed, too", "## Undos turned into no-ops"]
    assert list(json.loads(as_json(trials))) == ["harness", "guardian", "no_undo", "not_sampled"]


def test_as_markdown() -> None:
    """The same as a table of Markdown, which nothing in it breaks."""
    page = as_markdown(TRIALS)
    assert "| `kill_node` | 0 | 2 | 0 | ? | 0 | 1 | 4.0/30 | 0.2/0.2 | 100/100 |" in page
    assert "- kill_node, in the harm: new: node w rules: -A OUTPUT \\| &lt;DROP> (there)" in page
    assert "- left out, kill_node, restart counts: changed: x" in page
    assert "- left out, kill_node, restart counts: 1 traits" in as_markdown(TRIALS, counted=True)


def test_as_json() -> None:
    """The same for scripts: all moments, median, 95th percentile and n."""
    described = json.loads(as_json(TRIALS))
    killed, evicted = described["harness"]
    assert killed["moments"]["harming"] == [{"outcome": "differs", "differences": [RULE, RULE], "said": ""}]
    assert killed["left"] == {"restart counts": ["changed: x"]}
    assert killed["declared_and_not_seen"] == ["a mount"]
    assert killed["proved"] == {"n": 3, "median": 4.0, "p95": 30.0}
    assert (evicted["healed"], evicted["moments"]["journaled"]) == (None, [])
    assert set(described["not_sampled"]) == {"upgrade_gatekeeper", "rollback_gatekeeper"}


@pytest.mark.parametrize("found", [[], [TRIALS[0]]])
def test_what_covers_only_a_part(found: list[Trial]) -> None:
    """Nothing, or one trial, is a table, too."""
    assert list(for_terminal(found))[-1].startswith(f"{len(found)} of {len(found)} trials")
    assert as_markdown(found)
