"""Tests of benchmarks.findings: one part that fails costs no other, and all that is known is written at once."""

import json
from pathlib import Path

from benchmarks.findings import Findings
from benchmarks.samples import Limit, Ratio, Samples
from chaos_harness.clusters.terminal.progress import Progress


class Thing:
    """Something that was measured once."""

    def __init__(self) -> None:
        self.samples = [Samples("a thing")]
        self.ratios: list[Ratio] = []
        self.limits = [Limit("a thing, at most", self.samples[0], 1.0)]


def test_a_part_that_fails_is_told_and_the_next_is_measured(tmp_path: Path) -> None:
    """Half an hour of measuring is not lost by the last minute."""
    thing = Thing()
    findings = Findings(tmp_path, Progress.quiet(), [thing])
    with findings.part("first"):
        raise OSError("no space left")
    with findings.part("second"):
        thing.samples[0].figures.append(0.5)
    assert findings.problems == ["first could not be measured: OSError: no space left"]
    text = findings.report()
    assert "first could not be measured" in text
    assert "✓ at most 1" in text


def test_machines_find_it_after_each_part(tmp_path: Path) -> None:
    """A bench that is killed leaves what it knows."""
    thing = Thing()
    with Findings(tmp_path / "new", Progress.quiet(), [thing]).part("only"):
        thing.samples[0].figures.append(0.5)
    document = json.loads((tmp_path / "new" / "bench.json").read_text(encoding="utf-8"))
    assert (document["limits"][0]["value"], document["about"]["load"][0][0]) == (0.5, "only")
