"""Child: the process that the crash test kills, as a run of its own on a cluster of another one."""

import json
import sys

from chaos_harness.clusters import engine as engines
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.engine import claims
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.clusters.machine.owner import Owner
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.harness.crashtest.life import live
from chaos_harness.harness.errors import EngineUnavailable

__all__ = ["main"]


def main() -> int:
    """Live one fault, by the JSON of the first argument: `engine`, `cluster`, `fault`, `values` and `moment`.

    Its journal lies in the private directory of its own run, so that, once it was killed, garbage collection undoes
    what it did and leaves the cluster, whose owner lives.
    """
    asked = json.loads(sys.argv[1])
    engine = engines.find(asked["engine"])
    if engine is None:
        raise EngineUnavailable(f"no {asked['engine']} engine answers")
    owner = Owner.mine()
    directory = owner.claim(engine.id)
    claims.hold(engine, owner)
    cluster = Cluster.open(engine, asked["cluster"])
    status = live(cluster, asked["fault"], asked["values"], asked["moment"], directory / JOURNAL)
    if status == 0:
        claims.release(engine, owner.run)
        try_remove_folder(directory)
    return status


if __name__ == "__main__":
    sys.exit(main())
