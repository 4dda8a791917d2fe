"""Pulls: histories that hold, that violate and that decide nothing, for each check."""

import pytest

from harness.checks.pulls import asked_no_registry, asked_registry, no_request_during
from tests.fakes.histories import Told

REPOSITORY = "openpolicyagent/gatekeeper"
MANIFEST = f"/v2/{REPOSITORY}/manifests/v3.23.1?ns=docker.io"
ASKED = asked_registry(REPOSITORY)
NOT_ASKED = asked_no_registry(REPOSITORY)


def cut() -> Told:
    """Return a container that starts at 2 s, and a cut from 10 to 80 s; the registry's log is read to the end."""
    return Told().event(2, "Started", "a").fault(9, 10, 80).log_read(5).log_read(90)


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_asked(method: str) -> None:
    """A request for the manifest before the cut is what `Always` does, and what IfNotPresent must not do."""
    recorded = cut().request(2, MANIFEST, method=method).recorded()
    assert ASKED(recorded).outcome == "holds"
    assert (NOT_ASKED(recorded).outcome, NOT_ASKED(recorded).at) == ("violated", 2)


@pytest.mark.parametrize(
    "told",
    [
        cut(),
        cut().request(85, MANIFEST),
        cut().request(2, "/v2/"),
        cut().request(2, "/v2/openpolicyagent/gatekeeper-crds/manifests/v3.23.1"),
        cut().request(2, MANIFEST, method="PUT"),
    ],
    ids=["nothing", "after-the-cut", "no-manifest", "another-repository", "a-push"],
)
def test_not_asked(told: Told) -> None:
    """Other requests, and those after the cut, do not count."""
    assert (ASKED(told.recorded()).outcome, ASKED(told.recorded()).at) == ("violated", 9)
    assert NOT_ASKED(told.recorded()).outcome == "holds"


@pytest.mark.parametrize(
    "told",
    [
        Told().event(2, "Started", "a").fault(9, 10, 80).log_read(5),
        Told().fault(9, 10, 80).log_read(90),
        Told().event(20, "Started", "a").fault(9, 10, 80).log_read(90),
        Told().event(2, "Started", "a").fault(9, None, 80).log_read(90),
    ],
    ids=["log-not-read", "nothing-started", "started-too-late", "unproved"],
)
def test_asked_undecided(told: Told) -> None:
    """Without the registry's log, a container that started, and a cut, silence means nothing."""
    assert ASKED(told.recorded()).outcome == "inconclusive"
    assert NOT_ASKED(told.recorded()).outcome == "inconclusive"


def test_cut_is_a_cut() -> None:
    """No request between the proof of the cut and its end: the cut held; requests around it do not matter."""
    recorded = cut().request(2, MANIFEST).request(9.5, MANIFEST).request(80.5, MANIFEST).recorded()
    verdict = no_request_during()(recorded)
    assert verdict.outcome == "holds"
    assert verdict.figures["cut_seconds"] == 70


def test_leaky_cut() -> None:
    """A request that the registry answered during the cut is a violation, and is told."""
    verdict = no_request_during()(cut().request(40, MANIFEST).recorded())
    assert (verdict.outcome, verdict.at) == ("violated", 40)
    assert MANIFEST in verdict.evidence[0]


@pytest.mark.parametrize(
    "told",
    [Told().fault(9, 10, 80).log_read(79), Told().fault(9, 10, None).log_read(90), Told().log_read(90)],
    ids=["log-not-read", "not-healed", "no-fault"],
)
def test_cut_undecided(told: Told) -> None:
    """Without a proved and healed cut, and the registry's log to its end, nothing is decided."""
    assert no_request_during()(told.recorded()).outcome == "inconclusive"


def test_many_requests() -> None:
    """Of many requests the first are told, and how many more there were."""
    told = cut()
    for at in range(20, 28):
        told.request(at, MANIFEST)
    assert no_request_during()(told.recorded()).evidence[-1] == "and 3 more"
