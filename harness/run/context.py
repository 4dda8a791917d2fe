"""Run context: what one process of a run holds: owner, shapes of its clusters, where experiments are written."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import pytest

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.adoption.record import Adoption
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import Engine, claims
from chaos_harness.clusters.engine.claims import KEPT_SECONDS
from chaos_harness.clusters.garbage import Owner, collect_garbage
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.kind.logs import LogKeeper
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.adopted import differences
from chaos_harness.harness.run.adopted import heal_adopted
from chaos_harness.harness.run.kept_logs import keep_logs
from chaos_harness.harness.undo import journal

__all__ = ["MARKER", "RunContext", "shapes_of"]

MARKER = "shape"
"""The marker with the shape of the cluster on which a file's scenarios run."""

Keep = Literal["never", "on-failure", "always"]

_LONGEST_NAME = 150
"""Of a directory, in bytes; the rest of 255 is for suffixes."""


@dataclass
class RunContext:
    """One process of a run; under xdist there are several, each with its own clusters.

    `asked` are the fields of Shape that options set; `shapes` are those of the collected files, `problems` what is
    wrong with them; `rules` say what images are and where they are pulled. `kept` are lines about how to use and remove
    kept clusters, `remarks` other lines about clusters. A run that keeps clusters takes none from the pool, because
    those are never kept; `pool_name` is that of a pool of its own ("": that of the machine). A run `on` an adopted
    cluster makes none.
    """

    seed: int
    keep: Keep
    engine: str | None
    asked: Mapping[str, Any]
    histories: Path
    progress: Progress
    owner: Owner = field(default_factory=Owner.mine)
    shapes: dict[Path, Shape] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    pool: bool = False
    pool_name: str = ""
    rules: PullRules = field(default_factory=PullRules.read)
    on: Adoption | None = None
    _claimed: dict[str, Engine] = field(default_factory=dict)

    @property
    def uses_pool(self) -> bool:
        """Whether clusters are leased from the pool and returned to it."""
        return self.pool and self.keep == "never"

    def next_shape(self, path: Path) -> Shape | None:
        """Return the shape of the file after `path`, or None."""
        paths = list(self.shapes)
        after = paths[paths.index(path) + 1 :] if path in paths else []
        return self.shapes[after[0]] if after else None

    def connect(self) -> Engine:
        """Return the engine, claimed by this run, after what dead runs left in it was healed and removed.

        What cannot be healed or removed becomes a remark; the run begins all the same.
        """
        self.owner.claim()
        engine = engines.connect(self.engine, self.progress, owner=self.owner)
        self.owner.claim(engine.id)
        self._claimed[engine.host] = engine
        for clean in (
            partial(collect_garbage, engine, progress=self.progress, undo=partial(journal.replay, engine=engine)),
            partial(heal_adopted, engine),
        ):
            try:
                clean()
            except HarnessError as error:
                self.remarks += str(error).splitlines()
        return engine

    @property
    def logs(self) -> LogKeeper:
        """Where the logs of a cluster are kept that could not be created: beside the experiments."""
        return keep_logs(self.histories / self.owner.run / "logs")

    def directory(self, name: str) -> Path:
        """Return a path that does not exist yet for the experiment `name`, with the beginning of that name."""
        short = "".join(character if character.isalnum() or character in "-_" else "-" for character in name).encode()[
            :_LONGEST_NAME
        ]
        base = self.histories / self.owner.run / short.decode(errors="ignore")
        number = sum(1 for _ in base.parent.glob(f"{base.name}*")) if base.parent.is_dir() else 0
        return base.with_name(f"{base.name}.{number + 1}") if number else base

    def keep_cluster(self, cluster: Cluster) -> None:
        """Leave a cluster running, and note how to use and remove it."""
        self.kept += [
            f"kept cluster {cluster.name}: kubectl --kubeconfig {cluster.kubeconfig} get pods --all-namespaces",
            f"it stays for {KEPT_SECONDS / 86400:.0f} days at most",
            f"remove it with: {command_line('gc --')} --all",
        ]

    @property
    def closing_lines(self) -> list[str]:
        """Lines about clusters for the end of the run, each once."""
        return list(dict.fromkeys([*self.remarks, *self.kept]))

    def close(self) -> None:
        """Remove the run's private directory and its claim, unless a kept cluster needs them."""
        for engine in self._claimed.values():
            if self.kept:
                with suppress(HarnessError):  # the label of a kept cluster protects it, too
                    claims.renew_last(engine, self.owner, KEPT_SECONDS, keep=True)
            else:
                claims.release(engine, self.owner.run)
        self._claimed.clear()
        directory = self.owner.claim()
        if not self.kept and not any(path.is_dir() for path in directory.iterdir()):
            try_remove_folder(directory)


def shapes_of(
    items: Iterable[pytest.Item], asked: Mapping[str, Any], on: Adoption | None = None
) -> tuple[dict[Path, Shape], list[pytest.Item], list[str]]:
    """Return the shape of each file, the items that contradict `asked`, and all problems of all files.

    `asked` fills what a marker leaves open. An item whose marker contradicts it cannot run as asked and is to be
    deselected. All items of one file must have the same shape. On an adopted cluster that is its own shape, and what a
    marker or `asked` says otherwise is a problem.
    """
    shapes: dict[Path, Shape] = {}
    contradicted: list[pytest.Item] = []
    problems: dict[str, None] = {}
    for item in items:
        markers = list(item.iter_markers(MARKER))
        if not markers:
            continue
        where = os.path.relpath(item.path, item.config.rootpath)
        given = {name: value for marker in reversed(markers) for name, value in marker.kwargs.items()}
        fields = flatten(given, item.path.parent)
        if any(marker.args for marker in markers):
            problems[f"{where}: shape takes keyword arguments only, the fields of a shape"] = None
        try:
            own = Shape.parse(fields, where)
        except BadScenario as error:
            problems |= dict.fromkeys(error.problems)
            continue
        if any(name in asked and asked[name] != getattr(own, name) for name in fields):
            contradicted.append(item)
            continue
        shape = Shape.parse({**asked, **fields}, where)
        if on:
            unlike = [words for _, words in differences({**asked, **fields}, shape, on)]
            problems |= dict.fromkeys(f"{where}: {words}" for words in unlike)
            shape = on.shape
        if shapes.setdefault(item.path, shape) != shape:
            problems[f"{where}: two shapes ({shapes[item.path].slug}, {shape.slug}); one file has one shape"] = None
    return shapes, contradicted, list(problems)
