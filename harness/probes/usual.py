"""Usual probes: those of every experiment on Gatekeeper."""

from clusters.cluster import Cluster
from harness.history import History
from harness.probes import Probe
from harness.probes.admission import admission_canary
from harness.probes.clocks import read_clocks
from harness.probes.metronome import keep_time
from harness.probes.numbers import write_numbers
from harness.probes.objects import watch_objects
from harness.probes.replicas import ask_replicas
from harness.probes.requests import follow_registry
from harness.probes.starving import watch_starving

__all__ = ["usual_probes"]


def usual_probes(cluster: Cluster, history: History) -> list[Probe]:
    """Return probes of objects, admission, replicas, machine, who is starved, clocks, and the registry's log if any.

    How late a watch is, a number tells that is written each second (see `harness.probes.numbers`).
    """
    registry = [follow_registry(cluster.registry, history)] if cluster.registry else []
    return [
        read_clocks(cluster, history),
        *watch_objects(cluster, history),
        *write_numbers(cluster, history),
        admission_canary(cluster, history),
        ask_replicas(cluster, history),
        keep_time(history),
        watch_starving(cluster, history),
        *registry,
    ]
