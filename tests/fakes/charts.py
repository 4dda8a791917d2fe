"""Charts: samples of a Helm chart of a stranger's, with values, that an incident sets up."""

from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_harness.harness.incident.load import load
from tests.fakes.incidents import incident
from tests.fakes.strangers import rewritten

__all__ = ["chart"]

_FILES = {
    "operator/Chart.yaml": '{"apiVersion": "v2", "name": "operator", "version": "1.0.0", "dependencies": []}',
    "operator/values.yaml": '{"replicas": 1}',
    "operator/crds/a.yaml": '{"kind": "CustomResourceDefinition", "metadata": {"name": "as.example.com"}}',
    "values.yaml": '{"replicas": 2, "labels": {"a": "b"}}',
}


def chart(chance: Random, folder: Path) -> Callable[[], object]:
    """Write an incident with a chart, of which one file is changed; return who reads it."""
    for name, text in _FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    path = incident(folder, setup=[{"chart": "operator", "values": "values.yaml"}]).path
    name = chance.choice(list(_FILES))
    (folder / name).write_bytes(rewritten(chance, _FILES[name].encode()))
    return lambda: load(path)
