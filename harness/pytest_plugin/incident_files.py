"""Incident files: collects each incident file as one pytest test, on a cluster of the file's shape."""

import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.experiment.lifecycle import Experiment
from chaos_harness.harness.incident.judge import claim_all
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.replay.driver import replay_incident

__all__ = ["collect_incident"]

FOLDER = "incidents"
"""Incident files are the YAML files directly in a directory of this name."""


def collect_incident(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of an incident file, or None for another file."""
    if path.suffix == ".yaml" and path.parent.name == FOLDER:
        return _IncidentFile.from_parent(parent, path=path)
    return None


class _IncidentFile(pytest.Module):
    """A module made of an incident file instead of imported: its marker is the shape, its test replays the incident."""

    def _getobj(self) -> Any:
        try:
            loaded = load(self.path)
        except BadScenario as error:
            raise self.CollectError(str(error)) from error
        module = ModuleType(re.sub(r"\W", "_", loaded.name), loaded.incident.title)
        fields = {name: getattr(loaded.incident.shape, name) for name in loaded.incident.shape.model_fields_set}
        test = _test(loaded, f"test_{module.__name__}")
        marks = [pytest.mark.shape(**fields)]
        if loaded.incident.extended and not self._named():
            marks.append(pytest.mark.extended)
        vars(module).update({"pytestmark": marks, test.__name__: test})
        return module

    def _named(self) -> bool:
        """Whether the file itself is on the command line, which selects it."""
        places = [Path(argument.partition("::")[0]) for argument in self.config.args]
        return self.path in [self.config.invocation_params.dir / place for place in places]


def _test(loaded: LoadedIncident, name: str) -> Any:
    def relived(experiment: Experiment) -> None:
        replay_incident(loaded, experiment)
        claim_all(loaded, experiment)

    relived.__name__ = relived.__qualname__ = name
    relived.__doc__ = f"{loaded.incident.title}."
    return relived
