"""The verb doctor: tells what this machine has and lacks; red if a run cannot start."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from chaos_harness.clusters.preflight import Finding, examine
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.terminal.width import columns_of, wrap
from chaos_harness.harness.run.exit_status import ExitStatus

__all__ = ["add_options", "describe"]

_MARKS = {"ok": "✓", "warn": "!", "bad": "✗"}


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument("--json", action="store_true", help="print the findings for a script")
    verb.set_defaults(verb=_doctor)


def _doctor(chosen: argparse.Namespace, _progress: Progress) -> int:
    findings = examine()
    ready = not any(finding.state == "bad" for finding in findings)
    if chosen.json:
        listed = [dataclasses.asdict(finding) for finding in findings]
        sys.stdout.write(json.dumps({"ready": ready, "findings": listed}, indent=2) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in describe(findings, columns_of(sys.stdout)))
    return ExitStatus.AS_EXPECTED if ready else ExitStatus.REFUSED


def describe(findings: Sequence[Finding], columns: int | None) -> list[str]:
    """Return the findings as lines that fit into `columns`, with a cure below what is not well, and a last word."""
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        begin = f" {_MARKS[finding.state]} {finding.name.ljust(width)}  "
        lines.append(wrap(f"{begin}{finding.seen}", columns, " " * (len(begin) - 1)))
        if finding.state != "ok" and finding.remedy:
            lines.append(wrap(f"{' ' * len(begin)}→ {finding.remedy}", columns))
    bad = [finding.name for finding in findings if finding.state == "bad"]
    why = f"no run can start: {', '.join(bad)}" if bad else "a run can start"
    return [*lines, wrap(f"\n{why}", columns)]
