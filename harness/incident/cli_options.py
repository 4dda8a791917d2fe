"""Command-line options of the verbs that replay incidents on clusters."""

import argparse
import secrets
from pathlib import Path
from typing import Any

from chaos_harness.clusters.adoption.record import Adoption, require_live
from chaos_harness.clusters.engine import CHOICES
from chaos_harness.clusters.images.pull_rules import PullRules
from chaos_harness.clusters.images.sources import require_right_values
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.terminal.command_options import one_of, whole_number
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.run.context import RunContext

__all__ = [
    "NO_GATEKEEPER",
    "add_cluster_options",
    "add_lock_options",
    "add_machine_options",
    "add_run_options",
    "add_session_options",
    "add_shape_options",
    "add_yes_option",
    "load_chosen",
    "load_with_shape",
    "pull_rules",
    "refuse_kept_pool",
    "session_of",
    "shape_fields",
]

_KEEP = ("never", "on-failure", "always")
NO_GATEKEEPER = "none"
"""What `--gatekeeper` takes for a cluster without it."""

_SHAPE_OPTIONS = ("gatekeeper", "kubernetes", "install", "workers")


def add_shape_options(parser: argparse.ArgumentParser) -> None:
    """Add the incident, and the options that say on which cluster it is replayed."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the incident, such as scenarios/incidents/*.yaml")
    none = f"; {NO_GATEKEEPER}: a cluster without it, as a baseline"
    add_cluster_options(parser, "another version, or minor, than the file's", none)


def add_cluster_options(parser: argparse.ArgumentParser, words: str, more: str = "") -> None:
    """Add the options of `shape_fields`, with the help of those of versions, and `more` of that of Gatekeeper's."""
    parser.add_argument("--gatekeeper", metavar="V", help=f"{words}{more}")
    parser.add_argument("--kubernetes", metavar="V", help=words)
    parser.add_argument("--install", metavar="METHOD", help="manifest or chart")
    parser.add_argument("--workers", type=whole_number(0, 6), metavar="N", help="number of worker nodes")


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that all verbs that replay incidents have."""
    add_shape_options(parser)
    add_machine_options(parser)


def add_machine_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say by what clusters are made, and what becomes of them, whichever incidents run."""
    parser.add_argument("--fresh", action="store_true", help="a new cluster for each run, not fresh pods on one")
    add_session_options(parser)


def add_session_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `session_of`: how clusters are made, and what becomes of them."""
    parser.add_argument("--seed", type=whole_number(0, 2**32 - 1), metavar="N", help="seed of every random choice")
    parser.add_argument("--pool", action="store_true", help="each run on a cluster from the pool of frozen ones")
    keep = "keep clusters: never, on-failure or always (default: never)"
    parser.add_argument("--keep", type=one_of(*_KEEP), default="never", metavar="WHEN", help=keep)
    engine = f"container engine, of {', '.join(CHOICES)} (default: $CHAOS_ENGINE or auto)"
    parser.add_argument("--engine", type=one_of(*CHOICES), metavar="ENGINE", help=engine)
    add_lock_options(parser)
    add_yes_option(parser)


def add_yes_option(parser: argparse.ArgumentParser) -> None:
    """Add the option that agrees to what has to be installed or set up as root."""
    words = f"agree to what has to be installed or started as root, as {consent.YES}=1 does"
    parser.add_argument("--yes", action="store_true", help=words)


def add_lock_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of `pull_rules`."""
    words = "what images and files must be, by digest (default: the shipped lock)"
    parser.add_argument("--lock", type=Path, metavar="FILE", help=words)
    words = "pull and download only what is in the lock; an image that is in it is used with that digest or not at all"
    parser.add_argument("--locked", action="store_true", help=words)


def pull_rules(chosen: argparse.Namespace) -> PullRules:
    """Return the rules by which images are pulled. Raises BadScenario."""
    return PullRules.read(chosen.lock, only_locked=chosen.locked)


def load_with_shape(chosen: argparse.Namespace) -> LoadedIncident:
    """Return the chosen incident, on a cluster as the options say. Raises BadScenario."""
    loaded = load(chosen.file, shape_fields(chosen), on=_adopted(chosen))
    require_right_values(loaded.shape)
    return loaded


def shape_fields(chosen: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a shape that the options set."""
    fields = {name: getattr(chosen, name) for name in _SHAPE_OPTIONS if getattr(chosen, name) is not None}
    return {**fields, "gatekeeper": None} if fields.get("gatekeeper") == NO_GATEKEEPER else fields


def load_chosen(chosen: argparse.Namespace) -> tuple[LoadedIncident, int, PullRules]:
    """Return the chosen incident, the seed in effect, and the rules by which images are pulled. Raises BadScenario."""
    refuse_kept_pool(chosen)
    adopted = _adopted(chosen)
    if adopted and (unfit := _unfit_for_adopted(chosen)):
        raise BadScenario(f"--on {adopted.name} and {unfit}: the cluster is yours, and is used as it is; leave one out")
    loaded = load_with_shape(chosen)
    rules = pull_rules(chosen)
    if adopted:
        require_live(adopted.name, loaded.incident.budget)
    given = chosen.seed if chosen.seed is not None else loaded.incident.seed
    seed = given if given is not None else secrets.randbelow(2**32)
    return loaded.seeded(seed), seed, rules


def refuse_kept_pool(chosen: argparse.Namespace) -> None:
    """Raise BadScenario if clusters are to be taken from the pool, and to be kept."""
    if chosen.pool and chosen.keep != "never":
        raise BadScenario(
            f"--pool --keep {chosen.keep}: clusters of the pool are given back, never kept; leave one out"
        )


def _adopted(chosen: argparse.Namespace) -> Adoption | None:
    """Return the adopted cluster that was chosen, of verbs that take one. Raises BadScenario if it is none, or over."""
    name = getattr(chosen, "on", None)
    return None if name is None else require_live(name)


def _unfit_for_adopted(chosen: argparse.Namespace) -> str:
    """Return what else was typed that needs clusters of the harness's own, or ""."""
    unfit = {
        "--pool": chosen.pool,
        "--fresh": chosen.fresh,
        f"--keep {chosen.keep}": chosen.keep != "never",
        "--times, which restarts Gatekeeper between two replays": chosen.times > 1,
    }
    return next((option for option, given in unfit.items() if given), "")


def session_of(
    chosen: argparse.Namespace, seed: int, rules: PullRules, progress: Progress, histories: Path
) -> RunContext:
    """Return the context in which clusters are made."""
    return RunContext(
        seed,
        chosen.keep,
        chosen.engine,
        {},
        histories.absolute(),
        progress,
        pool=chosen.pool,
        rules=rules,
        on=_adopted(chosen),
    )
