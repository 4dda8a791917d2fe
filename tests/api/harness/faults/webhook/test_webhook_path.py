"""Faults on the webhook's path that objects make: the API server itself says what becomes of its calls."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client import ApiClient

from chaos_harness.clusters.api.rest import apply, find_object, merge_patch, request
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.gatekeeper.readiness import WEBHOOK
from chaos_harness.harness.errors import BadScenario, FaultNotApplied
from chaos_harness.harness.faults.webhook import another, authority
from chaos_harness.harness.faults.webhook.another import add_webhook
from chaos_harness.harness.faults.webhook.authority import break_ca_bundle
from chaos_harness.harness.faults.webhook.call import DENIED, UNCALLED, wait_answered
from chaos_harness.harness.faults.webhook.lost_certificate import delete_certificate
from tests.fakes.bench import Bench
from tests.gatekeeper_names import CONTROLLER, DEPLOYMENTS, NAMESPACE
from tests.live_api.cluster import KubectlEngine, iptables
from tests.live_api.gatekeeper import released
from tests.live_api.lives import inject_and_die, replay_afresh
from tests.live_api.webhook import Webhook, denial, serving

SECRET = f"/api/v1/namespaces/{NAMESPACE}/secrets/gatekeeper-webhook-server-cert"
CONTENT = "c2VjcmV0"


@pytest.fixture
def webhook(api: ApiClient, bench: Bench) -> Iterator[Webhook]:
    """Give the webhook that denies what Gatekeeper must deny, by the name of Gatekeeper's."""
    with serving() as webhook:
        webhook.decide = lambda _: denial("no such namespace")
        webhook.configure(api, name=WEBHOOK)
        wait_answered(bench.cluster, soon(), DENIED)
        yield webhook


def soon() -> Deadline:
    return Deadline.after(20, "the answer")


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("how", ["other", "none"])
def test_an_authority_that_signed_nothing(api: ApiClient, bench: Bench, how: Any) -> None:
    """The API server calls nobody whom it does not trust; it does again when a fresh process has read the journal."""
    fault = break_ca_bundle(how)
    bench.inject(fault)
    assert f"the caBundle of {WEBHOOK} is {how}; the API server says: " in bench.observed(fault, 20)
    with pytest.raises(FaultNotApplied, match=r"expected .*denied.* it says: .*x509"):
        bench.healed(fault, 0.1)
    bench.heal(fault)
    assert bench.healed(fault, 20) == "the API server, asked for what Gatekeeper must deny, says: denied"
    inject_and_die(bench.cluster, "break_ca_bundle", {"how": how})
    assert "x509" in wait_answered(bench.cluster, soon(), UNCALLED)
    assert replay_afresh(bench.cluster).startswith("webhooks.set_back")
    assert wait_answered(bench.cluster, soon(), DENIED) == DENIED
    assert bench.pending() == []


@pytest.mark.usefixtures("webhook")
def test_an_authority_that_is_put_right_at_once(api: ApiClient, bench: Bench) -> None:
    """Gatekeeper itself does that: the call that failed meanwhile is the proof."""
    path = f"{authority._ROOT}/validatingwebhookconfigurations"
    before = request(api, "GET", path)["items"]
    fault = break_ca_bundle()
    bench.inject(fault)
    for configuration in before:
        webhooks = [
            {"name": webhook["name"], "clientConfig": {"caBundle": webhook["clientConfig"]["caBundle"]}}
            for webhook in configuration["webhooks"]
        ]
        merge_patch(api, f"{path}/{configuration['metadata']['name']}", {"webhooks": webhooks}, strategic=True)
    wait_answered(bench.cluster, soon(), DENIED)
    assert "x509" in bench.observed(fault, 20)
    bench.heal(fault)


@pytest.mark.usefixtures("webhook")
def test_an_authority_that_stays(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A patch that changes nothing, as one that Gatekeeper took back at once, is found out by the call."""
    monkeypatch.setattr(authority, "merge_patch", lambda *_, **__: {})
    fault = break_ca_bundle()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected the API server to say 'failed calling webhook'"):
        bench.observed(fault, 0.5)


def test_no_webhook_at_all(bench: Bench) -> None:
    """Where Gatekeeper has none, nothing was harmed."""
    fault = break_ca_bundle()
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match="expected a webhook of Gatekeeper, there is none"):
        bench.observed(fault, 0.5)


@pytest.fixture
def rules(bench: Bench) -> None:
    """Have a node that keeps rules for packets."""
    assert isinstance(bench.cluster.engine, KubectlEngine)
    bench.cluster.engine.programs["iptables"] = iptables()


@pytest.fixture
def silent(rules: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have the silent webhook's address be one of loopback, where connections are taken and nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(another, "_SILENT", f"https://127.0.0.1:{listener.getsockname()[1]}/silent")
        yield


@pytest.mark.usefixtures("silent")
def test_time_outs_add_up(bench: Bench) -> None:
    """One before and one after cost their time-outs in turn; without them a dry run is as fast as before."""
    first = add_webhook("before", timeout=1, namespace="default")
    second = add_webhook("after", timeout=1, namespace="default")
    bench.inject(first)
    bench.observed(first, 20)
    with pytest.raises(BadScenario, match="aaa-chaos-silent already"):
        bench.inject(add_webhook("before", timeout=1, namespace="default"))
    bench.inject(second)
    both = add_webhook(timeout=2, namespace="default")
    assert "a dry run in default took " in bench.observed(both, 20)
    bench.heal(first)
    with pytest.raises(FaultNotApplied, match=r"expected silent.* to be gone, it is there"):
        bench.healed(second)
    bench.heal(second)
    for _ in Deadline.after(20, "a dry run to be as fast as before").attempts():
        healed = bench.healed(first)
        if "took 0." in healed:
            break
    assert "aaa-chaos-silent is gone, and a dry run in default took 0." in healed


@pytest.mark.usefixtures("silent")
def test_one_that_fails_closed(bench: Bench) -> None:
    """Nothing is admitted for this webhook, which the API server names."""
    fault = add_webhook(failure_policy="Fail", timeout=1, namespace="default")
    bench.inject(fault)
    assert f'was refused: Internal error occurred: failed calling webhook "{another._WEBHOOK}"' in bench.observed(
        fault, 20
    )
    bench.heal(fault)
    bench.healed(fault)


@pytest.mark.usefixtures("rules")
def test_a_webhook_that_is_not_called(bench: Bench, api: ApiClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was not added costs nothing, which the dry run shows; a killed harness leaves none."""
    inject_and_die(bench.cluster, "add_webhook", {"namespace": "nowhere"})
    path = f"{another._ROOT}/aaa-chaos-silent"
    assert find_object(api, path) is not None
    assert replay_afresh(bench.cluster).startswith("objects.delete(resource='MutatingWebhookConfiguration")
    assert find_object(api, path) is None
    monkeypatch.setattr(another, "put", lambda *_: None)
    fault = add_webhook(timeout=10, namespace="default")
    bench.inject(fault)
    with pytest.raises(FaultNotApplied, match=r"expected a dry run in default to wait 10 s .*, it took \d\."):
        bench.observed(fault, 0.5)


@pytest.fixture
def gatekeeper(api: ApiClient) -> None:
    """Put Gatekeeper's namespace, its Deployment and the Secret there, filled."""
    (deployment,) = [made for made in released("Deployment") if made["metadata"]["name"] == CONTROLLER]
    secrets = [made for made in released("Secret") if made["metadata"]["name"].endswith("-cert")]
    apply(api, (*released("Namespace"), deployment, *secrets), soon())
    merge_patch(api, SECRET, {"data": {"tls.crt": CONTENT, "ca.crt": CONTENT, "tls.key": CONTENT}})


@pytest.mark.usefixtures("gatekeeper")
def test_a_certificate_that_is_lost(api: ApiClient, bench: Bench) -> None:
    """A fresh process makes the Secret again, empty, and restarts the pods: its content never was in the journal."""
    fault = delete_certificate()
    bench.inject(fault)
    assert "there is no Secret gatekeeper-webhook-server-cert" in bench.observed(fault)
    with pytest.raises(FaultNotApplied, match="there is none"):
        bench.healed(fault)
    assert CONTENT not in bench.journal.path.read_text(encoding="utf-8")
    assert replay_afresh(bench.cluster).count("\n") == 2
    there = request(api, "GET", SECRET)
    assert "data" not in there
    assert there["metadata"]["labels"] == {"gatekeeper.sh/system": "yes"}
    template = request(api, "GET", f"{DEPLOYMENTS}/{CONTROLLER}")["spec"]["template"]
    assert "kubectl.kubernetes.io/restartedAt" in template["metadata"]["annotations"]
    with pytest.raises(FaultNotApplied, match=r"expected Gatekeeper to fill Secret .*, it has no certificate"):
        bench.healed(fault)
    with pytest.raises(FaultNotApplied, match="expected no Secret"):
        bench.observed(fault)
    merge_patch(api, SECRET, {"data": {"tls.crt": CONTENT}})
    assert bench.healed(fault) == "Secret gatekeeper-webhook-server-cert holds a certificate again"
    inject_and_die(bench.cluster, "delete_certificate", {})
    assert find_object(api, SECRET) is None
    replay_afresh(bench.cluster)
    assert find_object(api, SECRET) is not None
