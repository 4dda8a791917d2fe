"""Own Gatekeeper: samples of the files by which a user's Gatekeeper differs from a release."""

import json
from collections.abc import Callable
from pathlib import Path
from random import Random

from chaos_harness.clusters.images.chart_values import require_known_values
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from tests.fakes.strangers import rewritten

__all__ = ["own_gatekeeper"]


def own_gatekeeper(chance: Random, folder: Path) -> Callable[[], Shape]:
    """Write values, or a manifest, of a stranger's; return who reads them, and compares the values with a chart's."""
    templates = folder / "chart" / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    (folder / "chart" / "values.yaml").write_text("replicas: 3\nimage: {repository: a}\nnodeSelector: {}\n")
    (templates / "a.yaml").write_text("a: {{ .Values.replicas }}\n")
    template = {"metadata": {"labels": {"gatekeeper.sh/operation": "webhook"}}, "spec": {"containers": [{"name": "a"}]}}
    deployment = {"kind": "Deployment", "metadata": {"name": "a", "namespace": "b"}, "spec": {"template": template}}
    name, good = chance.choice((("values", {"replicas": 2}), ("install", deployment)))
    (folder / "own.yaml").write_bytes(rewritten(chance, json.dumps(good).encode()))
    method = {} if name == "install" else {"install": "chart"}

    def read() -> Shape:
        shape = Shape.parse(flatten({"gatekeeper": {"version": "v3.23.1", name: "own.yaml", **method}}, folder))
        if shape.own and shape.own.values:
            require_known_values(shape.own.values, folder / "chart")
        return shape

    return read
