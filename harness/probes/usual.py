"""Usual probes: the probes of every experiment on Gatekeeper."""

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.admission import admission_canary
from chaos_harness.harness.probes.clocks import read_clocks
from chaos_harness.harness.probes.metronome import keep_time
from chaos_harness.harness.probes.numbers import write_numbers
from chaos_harness.harness.probes.objects import watch_objects
from chaos_harness.harness.probes.registry_log import follow_registry
from chaos_harness.harness.probes.replicas import ask_replicas
from chaos_harness.harness.probes.starving import watch_starving

__all__ = ["usual_probes"]


def usual_probes(cluster: Cluster, history: HistoryWriter) -> list[Probe]:
    """Return probes of clocks, objects, watch lag, admission, replicas, this machine, starvation and registry log.

    The registry's log is followed if the cluster has a registry; admission and replicas are asked, and Gatekeeper's
    objects watched, if it has Gatekeeper.
    """
    asked = [admission_canary(cluster, history), ask_replicas(cluster, history)] if cluster.shape.gatekeeper else []
    registry = [follow_registry(cluster.registry, history)] if cluster.registry else []
    return [
        read_clocks(cluster, history),
        *watch_objects(cluster, history),
        *write_numbers(cluster, history),
        *asked,
        keep_time(history),
        watch_starving(cluster, history),
        *registry,
    ]
