"""A quota that is exhausted: as long as it is, a dry run is refused for it, and what is there stays."""

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import request
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults.objects import quota
from chaos_harness.harness.faults.objects.quota import exhaust_quota
from chaos_harness.harness.undo import journal
from tests.fakes.bench import Bench
from tests.live_api.server import ApiServer

MAPS = "/api/v1/namespaces/default/configmaps"


def test_life(server: ApiServer, api: ApiClient, bench: Bench) -> None:
    """Nobody can create any more until the journal takes the quota away; without controllers nothing is exhausted."""
    request(api, "POST", MAPS, body={"metadata": {"name": "before"}})
    fault = exhaust_quota("default", "configmaps")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="a dry run was taken; does kube-controller-manager fill in quotas"):
        bench.observed(fault, 0.1)
    with server.controllers():
        assert "configmaps in default is refused: " in bench.observed(fault, 30)
    with pytest.raises(FaultNotApplied, match="exceeded quota: chaos-no-more-configmaps"):
        bench.healed(fault)
    assert request(api, "GET", f"{MAPS}/before")
    (undo,) = bench.pending()
    for _ in range(2):
        journal.replay(bench.journal.path, bench.cluster.engine)
        bench.journal.record(undo)
    assert bench.healed(fault, 5) == "a dry run of configmaps in default is not refused for the quota"


def test_what_does_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quota that was not put refuses nothing, and a namespace that is not there has none."""
    monkeypatch.setattr(quota, "put", lambda *_: None)
    fault = exhaust_quota("default")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected that no pods can be created in default"):
        bench.observed(fault, 0.1)
    with pytest.raises(BadScenario, match="there is no namespace 'nowhere'"):
        bench.inject(exhaust_quota("nowhere"))
