"""Scenario list: what --list shows of each scenario, without an engine: its claims, minutes and memory."""

import inspect
import json
import os
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.incident.judge import check_of
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.upgrades import shape_of_claim
from chaos_harness.harness.pytest_plugin.estimates import Countdown, PlannedExperiment, in_minutes, planned
from chaos_harness.harness.run.context import MARKER
from chaos_harness.harness.verdict import Claim

__all__ = ["ScenarioList"]

_MIB = 1024
_WIDEST = 120


class ScenarioList:
    """A plugin that shows the list of scenarios in place of a run, and writes it into the file `json`, if any."""

    def __init__(
        self, countdown: Countdown, shapes: Callable[[], Mapping[Path, Shape]], json_file: Path | None = None
    ) -> None:
        self._countdown = countdown
        self._shapes = shapes
        self._json_file = json_file

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Write the list; a file that could not be collected is pytest's to report."""
        if session.testsfailed:
            return None
        terminal: Any = session.config.pluginmanager.get_plugin("terminalreporter")
        for line in list_scenarios(session.items, self._shapes(), self._countdown):
            terminal.write_line(line)
        if self._json_file:
            described = describe_scenarios(session.items, self._shapes(), self._countdown)
            self._json_file.write_text(json.dumps(described, indent=1), encoding="utf-8")
        return True


def list_scenarios(items: Sequence[pytest.Item], shapes: Mapping[Path, Shape], countdown: Countdown) -> Iterator[str]:
    """Yield the lines of the list: each file with its experiments, each experiment with what its tests claim.

    An incident file has its claims in words; of a test, its docstring is what it claims.
    """
    experiments = planned(items)
    for path, group in groupby(experiments, lambda experiment: experiment.tests[0].path):
        shape = shapes.get(path)
        memory = f" ({shape.slug}, {_in_gib(shape.memory_mib)})" if shape else ""
        yield from _wrapped(f"{os.path.relpath(path)}{memory}", "")
        before: list[str] = []
        for experiment in group:
            minutes = in_minutes(countdown.seconds_of([experiment], new=False))
            yield from _wrapped(f"{_name(experiment)}: {minutes}", "  ")
            claims = _claims(experiment, shape)
            for claim in ["claims the same"] if claims == before else claims:
                yield from _wrapped(claim, "    - ")
            before = claims
    most = max((shapes[path].memory_mib for path in {test.path for test in items} & shapes.keys()), default=0)
    whole = in_minutes(countdown.seconds_of(experiments)) if experiments else "0 minutes"
    yield f"{len(items)} tests in {len(experiments)} experiments: about {whole}, {_in_gib(most)} of memory"


def describe_scenarios(
    items: Sequence[pytest.Item], shapes: Mapping[Path, Shape], countdown: Countdown
) -> list[dict[str, Any]]:
    """Return the list for scripts: each file with its path, its shape, and its experiments.

    `named` are the fields of the shape that the file names itself: options fill the others alone. Of an experiment,
    `seconds` is what it takes without its cluster; `stated_seconds` is what the scenario says, null if that is nothing.
    """
    files: list[dict[str, Any]] = []
    for path, group in groupby(planned(items), lambda experiment: experiment.tests[0].path):
        experiments = list(group)
        shape = shapes.get(path)
        files.append(
            {
                "file": str(path),
                "named": sorted(_named_fields(experiments[0].tests[0])),
                "shape": shape.model_dump(mode="json") if shape else None,
                "memory_mib": shape.memory_mib if shape else 0,
                "experiments": [
                    {
                        "name": _name(experiment),
                        "tests": [test.nodeid for test in experiment.tests],
                        "seconds": countdown.seconds_of([experiment], new=False),
                        "stated_seconds": experiment.stated_seconds,
                    }
                    for experiment in experiments
                ],
            }
        )
    return files


def _named_fields(test: pytest.Item) -> set[str]:
    markers = [marker.kwargs for marker in test.iter_markers(MARKER)]
    return {name for fields in markers for name in flatten(fields, test.path.parent)}


def _name(experiment: PlannedExperiment) -> str:
    return experiment.key.rpartition("::")[2]


def _claims(experiment: PlannedExperiment, shape: Shape | None) -> list[str]:
    first = experiment.tests[0]
    if first.path.suffix == ".py" or shape is None:
        docs = [inspect.getdoc(getattr(test, "obj", None)) or test.name for test in experiment.tests]
        return list(dict.fromkeys(doc.partition("\n\n")[0].replace("\n", " ") for doc in docs))
    claims = []
    incident = load(first.path).incident
    for claimed in incident.claims:
        expected = claimed.expected(shape_of_claim(incident, claimed, shape))
        if expected is not None:
            issue = f" ({claimed.issue})" if claimed.issue and expected == "violated" else ""
            claims.append(f"{Claim(check_of(claimed)).name}: {expected}{issue}")
    return claims


def _in_gib(mib: int) -> str:
    return f"{mib / _MIB:.1f} GiB"


def _wrapped(text: str, before: str) -> list[str]:
    width = min(shutil.get_terminal_size().columns, _WIDEST)
    return textwrap.wrap(
        text, width, initial_indent=before, subsequent_indent=" " * len(before), break_long_words=False
    ) or [before]
