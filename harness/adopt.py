"""The verbs adopt and release: a kind cluster of the user's is lent for faults, and given back, healed and compared."""

import argparse
import sys
from collections.abc import Callable

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.adoption import nodes, record
from chaos_harness.clusters.adoption.nodes import KindCluster
from chaos_harness.clusters.adoption.opening import examine, reach, what_changed, while_unused
from chaos_harness.clusters.adoption.record import Adoption
from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.machine import consent
from chaos_harness.clusters.pool.deviations import Deviation, deviations
from chaos_harness.clusters.pool.fingerprint import fingerprint, wait_settled
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness.errors import BadScenario, ConsentMissing, DeadlineExceeded, EngineUnavailable
from chaos_harness.harness.incident.model import seconds
from chaos_harness.harness.probes.numbers import delete_number
from chaos_harness.harness.run.adopted import heal
from chaos_harness.harness.run.exit_status import ExitStatus

__all__ = ["add_adopt_options", "add_release_options"]

_KIND = "kind"
_SECONDS = 60.0
_SETTLE_SECONDS = 120.0
_LEAST, _MOST = 60.0, 24 * 3600.0
_YES = "--yes-adopt"


def add_adopt_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `adopt` to its parser."""
    verb.add_argument("what", metavar="kind", help="the word kind: no other clusters are adopted")
    verb.add_argument("name", metavar="NAME", help="the kind cluster, as `kind get clusters` has it")
    words = "for how long, such as 2h; from 1m to 24h"
    verb.add_argument("--for", dest="seconds", type=_time, required=True, metavar="TIME", help=words)
    words = "the name again, in place of typing it on the terminal; nothing else agrees"
    verb.add_argument(_YES, dest="again", metavar="NAME", help=words)
    verb.set_defaults(verb=_adopt)


def add_release_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `release` to its parser."""
    verb.add_argument("name", metavar="NAME", help="the adopted cluster")
    verb.set_defaults(verb=_release)


def _adopt(chosen: argparse.Namespace, progress: Progress) -> int:
    name = chosen.name
    if chosen.what != _KIND:
        raise BadScenario(
            f"adopt {chosen.what[:80]!r}: expected `adopt kind NAME`: only kind clusters of this machine are adopted; "
            f"`{command_line('record -- --kubeconfig FILE')}` reads any other, and changes nothing"
        )
    if chosen.again not in (None, name):
        raise BadScenario(f"{_YES} {chosen.again[:80]!r}: expected the same name again, {name[:80]!r}")
    engine = _engine()
    found = nodes.find(engine, name, Deadline.after(_SECONDS, "the engine to list kind clusters"))
    if found.problems:
        raise BadScenario(found.problems)
    _require_not_adopted(name)
    _require_named_twice(found, chosen)
    with while_unused(name) as free:
        if not free:
            raise BadScenario(f"kind cluster {name}: another process adopts or releases it now")
        _require_not_adopted(name)
        adoption = _begin(engine, found, chosen.seconds, progress)
    shape = adoption.shape
    gatekeeper = f"Gatekeeper {shape.gatekeeper} ({shape.install})" if shape.gatekeeper else "no Gatekeeper"
    sys.stdout.write(
        f"{adoption}\n"
        f"nodes: {shape.nodes}, {shape.workers} of them workers; Kubernetes {shape.kubernetes}, {gatekeeper}\n"
        f"use it: {command_line('repro --')} FILE --on {name}\n"
        f"give it back: {command_line('release --')} {name}\n"
    )
    return ExitStatus.AS_EXPECTED


def _begin(engine: Engine, found: KindCluster, seconds_: float, progress: Progress) -> Adoption:
    """Examine a cluster, and write the record; nothing of it is left if that fails."""
    try:
        with progress.step(f"look at kind cluster {found.name}"):
            cluster = reach(engine, found)
            shape = examine(cluster, Deadline.after(_SECONDS, f"kind cluster {found.name} to be examined"))
        _settle(lambda deadline: wait_settled(cluster, deadline), progress, "before it is adopted")
        with progress.step("keep its fingerprint"):
            deadline = Deadline.after(_SECONDS, f"the fingerprint of {found.name}")
            adoption = Adoption.begin(found, engine.id, seconds_, shape, fingerprint(cluster, deadline))
            record.write(adoption)
    except BaseException:
        record.forget(found.name)
        raise
    return adoption


def _require_not_adopted(name: str) -> None:
    for adoption in record.records():
        if adoption.name == name:
            over = "" if adoption.left > 0 else ", which is over"
            raise BadScenario(f"{adoption}{over}; `{command_line('release --')} {name}` first")


def _require_named_twice(found: KindCluster, chosen: argparse.Namespace) -> None:
    """Show what would be adopted, and raise ConsentMissing unless its name is given a second time."""
    name, hours = found.name, f"{chosen.seconds / 3600:.3g} h"
    rows = [f"  {node.role:<14} {node.name}  {node.id[:12]}  {node.image}" for node in found.nodes]
    notice = "\n".join(
        [
            f"kind cluster {name} is yours. For {hours} the harness may harm these containers, and what runs in",
            "them. It heals what it did, removes no container, and `release` says what is not as it was:",
            *map(escape_controls, rows),
        ]
    )
    if chosen.again == name:
        sys.stdout.write(f"{notice}\n")
        return
    typed = consent.ask_for_text(f"{notice}\n\nType its name again to adopt it:")
    if typed != name:
        why = "nobody can be asked here" if typed is None else "that is not its name, and nothing was adopted"
        line = f"{command_line('adopt --')} kind {name} --for {chosen.seconds / 60:g}m {_YES} {name}"
        raise ConsentMissing(f"{notice}\n\n{why}; this line names it twice:\n  {line}")


def _release(chosen: argparse.Namespace, progress: Progress) -> int:
    adoption = record.read(chosen.name)
    engine = _engine()
    if engine.id != adoption.engine:
        raise BadScenario(f"{adoption}: it is on another engine than the one at {engine.host}; see CHAOS_ENGINE")
    with while_unused(adoption.name) as free:
        if not free:
            raise BadScenario(f"{adoption}: a run uses it now; wait for its end, or end it")
        sys.stdout.writelines(f"undone: {words}\n" for words in heal(engine, adoption))
        changed = what_changed(engine, adoption, Deadline.after(_SECONDS, "the engine to list its containers"))
        if str(changed):
            record.forget(adoption.name)
            sys.stdout.write(f"released {adoption.name}; it cannot be compared, its containers changed: {changed}\n")
            return ExitStatus.OTHERWISE
        found = _compare(engine, adoption, progress)
        record.forget(adoption.name)
    pods = [difference for difference in found if difference.trait.kind == "pods"]
    others = [difference for difference in found if difference not in pods]
    _tell("pods that were replaced or restarted meanwhile", pods)
    _tell("not as it was", others)
    sys.stdout.write(f"released {adoption.name}: {'see above' if others else 'it is as it was'}\n")
    return ExitStatus.OTHERWISE if others else ExitStatus.AS_EXPECTED


def _compare(engine: Engine, adoption: Adoption, progress: Progress) -> list[Deviation]:
    found = nodes.find(engine, adoption.name, Deadline.after(_SECONDS, "the engine to list kind clusters"))
    cluster = reach(engine, found)
    _delete_number(cluster)
    _settle(lambda deadline: wait_settled(cluster, deadline), progress, "after it was healed")
    with progress.step(f"compare {adoption.name} with what it was"):
        deadline = Deadline.after(_SECONDS, f"the fingerprint of {adoption.name}")
        return deviations(adoption.fingerprint, fingerprint(cluster, deadline))


def _delete_number(cluster: Cluster) -> None:
    """Delete the one object that a killed run leaves without an undo; it harms nothing."""
    with cluster.client() as api:
        delete_number(api, cluster)


def _settle(wait: Callable[[Deadline], None], progress: Progress, when: str) -> None:
    """Wait until all pods are ready; a cluster of which some never are is taken as it is, and that is said."""
    try:
        with progress.step(f"wait until all pods are ready {when}"):
            wait(Deadline.after(_SETTLE_SECONDS, f"all pods to be ready {when}"))
    except DeadlineExceeded as error:
        progress.say(f" ! {error}")


def _tell(title: str, differences: list[Deviation]) -> None:
    if differences:
        sys.stdout.write(f"{title}:\n")
        sys.stdout.writelines(f"  {escape_controls(str(difference))}\n" for difference in differences)


def _engine() -> Engine:
    """Return the engine that answers, of this machine; none is started. Raises EngineUnavailable, BadScenario."""
    engine = engines.find()
    if engine is None:
        raise EngineUnavailable(
            "no container engine answers, so there are no kind clusters; `docker info` must work, see CHAOS_ENGINE"
        )
    nodes.require_local(engine)
    return engine


def _time(text: str) -> float:
    try:
        given = float(str(seconds(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not _LEAST <= given <= _MOST:
        raise argparse.ArgumentTypeError(f"expected 1m to 24h, found {text[:80]!r}")
    return given
