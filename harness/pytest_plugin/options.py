"""Options: what a chaos run may be told on pytest's command line, by which names, and within which limits."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from chaos_harness.clusters.adoption.record import Adoption, require_live
from chaos_harness.clusters.checkout import OPTION, OUT
from chaos_harness.clusters.engine import CHOICES
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.own_gatekeeper import flatten
from chaos_harness.clusters.shape import Shape
from chaos_harness.harness.errors import BadScenario

__all__ = ["add_options", "adopted_of", "options_of", "parse_options", "shape_asked"]

_OWN = "chaos_"
"""Prefix of our options' names inside pytest: another plugin may have a --seed, too."""
_SHAPE_OPTIONS = ("kubernetes", "gatekeeper", "install", "workers")


def add_options(parser: pytest.Parser) -> None:
    """Add the options of a chaos run."""
    group = parser.getgroup("chaos", "clusters and experiments")

    def add(name: str, **how: Any) -> None:
        group.addoption(f"{OPTION}{name}", dest=f"{_OWN}{name.replace('-', '_')}", **how)

    scope = "for scenarios that leave it open; those that name another are deselected"
    add("gatekeeper", metavar="VERSION", help=f"version of Gatekeeper, or a minor such as 3.20, {scope}")
    add("kubernetes", metavar="VERSION", help=f"version of Kubernetes, or a minor such as 1.35, {scope}")
    add("workers", metavar="N", type=int, help=f"number of worker nodes, {scope}")
    add("install", metavar="METHOD", help=f"manifest or chart, {scope}")
    add("values", metavar="FILE", help=f"values of yours for Gatekeeper's chart, {scope}")
    add("seed", metavar="N", type=int, help="seed of every random choice; each run reports it")
    add(
        "times",
        metavar="N",
        type=int,
        default=1,
        help="make each experiment N times, the first with the seed, the next with seed+1, …",
    )
    add("on", metavar="NAME", help="run on a kind cluster of yours that was adopted; none is made")
    add("keep", choices=("never", "on-failure", "always"), default="never", help="keep clusters (default: never)")
    help_text = "take clusters from the pool, and give them back to it, unless some are to be kept (default: no)"
    add("pool", action=argparse.BooleanOptionalAction, default=False, help=help_text)
    add("pool-name", metavar="NAME", default="", help="with --pool: one of its own, apart from that of this machine")
    add("founding", action="store_true", help="run what is marked as founding, unless -k or -m selects something")
    add("list", action="store_true", help="show claims, minutes and memory of what would run, and touch nothing")
    add("json", metavar="FILE", type=Path, help="with --list: write it for scripts, too, into this file")
    add("engine", choices=CHOICES, help="container engine (default: $CHAOS_ENGINE or auto)")
    add("lock", metavar="FILE", type=Path, help="what images and files must be, by digest (default: the shipped lock)")
    locked = "pull and download only what is in the lock; an image that is in it is used with that digest or not at all"
    add("locked", action="store_true", help=locked)
    add("yes", action="store_true", help=f"agree to what is installed or started as root, as {consent.YES}=1 does")
    add("histories", metavar="DIR", help=f"where experiments are written (default: {OUT}/experiments)")


def options_of(config: pytest.Config) -> argparse.Namespace:
    """Return the values of our options, by their names without the prefix."""
    known = vars(config.option).items()
    return argparse.Namespace(**{name.removeprefix(_OWN): value for name, value in known if name.startswith(_OWN)})


def shape_asked(option: argparse.Namespace) -> dict[str, Any]:
    """Return those options that ask for a shape, as they were typed; with values, `gatekeeper` in its long form."""
    asked = {name: getattr(option, name) for name in _SHAPE_OPTIONS if getattr(option, name) is not None}
    if option.values is None:
        return asked
    parts = {"version": asked.pop("gatekeeper", None), "install": asked.pop("install", None), "values": option.values}
    return {**asked, "gatekeeper": {name: value for name, value in parts.items() if value is not None}}


def adopted_of(option: argparse.Namespace) -> Adoption | None:
    """Return the adopted cluster on which a run is to run, or None. Raises BadScenario if it is none, or over."""
    return require_live(option.on) if option.on else None


def parse_options(option: argparse.Namespace) -> tuple[dict[str, Any], PullRules | None, list[str]]:
    """Return the shape that options ask for, the rules of images (None if they cannot be read), and all problems."""
    asked = shape_asked(option)
    problems = [] if option.times > 0 else [f"options: times: expected a number above 0 (was {option.times})"]
    if option.seed is not None and not 0 <= option.seed < 2**32:
        problems.append(f"options: seed: expected 0 to {2**32 - 1} (was {option.seed})")
    if option.pool_name and not option.pool:
        problems.append(f"options: pool-name: {option.pool_name} is a pool; give {OPTION}pool, too, or leave it out")
    if option.json and not option.list:
        problems.append(f"options: json: {option.json} is for what {OPTION}list shows; give both, or neither")
    try:
        shape = Shape.parse(asked, "options")
        asked = {name: getattr(shape, name) for name in flatten(asked)}
    except BadScenario as error:
        problems += error.problems
    if option.on and (option.pool or option.keep != "never" or option.times > 1):
        problems.append(
            f"options: on {option.on}: the cluster is yours, and is used as it is; leave out pool, keep and times"
        )
    try:
        adopted_of(option)
    except BadScenario as error:
        problems += error.problems
    try:
        return asked, PullRules.read(option.lock, only_locked=option.locked), problems
    except BadScenario as error:
        return asked, None, [*problems, *error.problems]
