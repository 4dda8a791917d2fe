"""Incident files: collects each incident file as one pytest test, on a cluster of the file's shape."""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.incident.judge import claim_all
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.model import Incident
from chaos_harness.harness.incident.replay.driver import replay_incident
from chaos_harness.harness.incident.timeline import length
from chaos_harness.harness.pytest_plugin.options import adopted_of, options_of

__all__ = ["collect_incident"]

FOLDER = "incidents"
"""YAML files directly in a directory of this name are incident files, as are those that are named themselves."""

_AROUND_SECONDS = 60.0
"""Seconds for the steady state, preparations, policies, the proofs of faults, and the recovery at the end."""


def collect_incident(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of an incident file, or None for another file.

    Incident files are those in folders of that name, and what is itself on the command line.
    """
    if path.suffix == ".yaml" and (path.parent.name == FOLDER or _is_named(path, parent.config)):
        return _IncidentFile.from_parent(parent, path=path)
    return None


def _is_named(path: Path, config: pytest.Config) -> bool:
    """Whether a file itself is on the command line, which selects it."""
    places = (Path(config.invocation_params.dir, argument.partition("::")[0]) for argument in config.args)
    return path in (Path(os.path.normpath(place)) for place in places)


class _IncidentFile(pytest.Module):
    """A module made of an incident file instead of imported: its marker is the shape, its test replays the incident."""

    def _getobj(self) -> Any:
        try:
            loaded = load(self.path, on=adopted_of(options_of(self.config)))
        except BadScenario as error:
            raise self.CollectError(str(error)) from error
        module = ModuleType(re.sub(r"\W", "_", loaded.name), loaded.incident.title)
        fields = {name: getattr(loaded.incident.shape, name) for name in loaded.incident.shape.model_fields_set}
        if loaded.shape.releases:
            fields["releases"] = loaded.shape.releases
        test = _test(loaded, f"test_{module.__name__}")
        marks = [pytest.mark.shape(**fields), pytest.mark.takes(_seconds_of(loaded.incident))]
        if loaded.incident.extended and not _is_named(self.path, self.config):
            marks.append(pytest.mark.extended)
        vars(module).update({"pytestmark": marks, test.__name__: test})
        return module


def _seconds_of(incident: Incident) -> float:
    """Return how long a replay usually takes: the timeline each time, what goes before it, and a recovery."""
    return length(incident) * incident.repeat + _AROUND_SECONDS


def _test(loaded: LoadedIncident, name: str) -> Any:
    def relived(experiment: Experiment) -> None:
        replay_incident(loaded, experiment)
        claim_all(loaded, experiment)

    relived.__name__ = relived.__qualname__ = name
    relived.__doc__ = f"{loaded.incident.title}."
    return relived
