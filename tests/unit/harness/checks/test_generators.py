"""Generators: somebody must generate while a template asks, and what is not known of it."""

import pytest

from chaos_harness.harness.checks.generators import has_generator
from chaos_harness.harness.checks.policies import NO_GATEKEEPER
from chaos_harness.harness.history import History
from chaos_harness.harness.history.vocabulary import WATCH_DEPLOYMENTS
from chaos_harness.harness.verdict import Verdict
from tests.fakes.generated import TEMPLATES, new
from tests.fakes.upgrading import Upgrading

_AUDIT, _WEBHOOK = "gatekeeper-audit", "gatekeeper-controller-manager"


def split(history: Upgrading, at: float, *, generate: bool, version: str = "v3.20.1", f: str = "MODIFIED") -> Upgrading:
    """Tell of Deployments that have operations of their own; the audit pod generates, or nobody does."""
    operations = ["--operation=audit", *(["--operation=generate"] if generate else [])]
    history.deployment(at, _AUDIT, 1, version, f, args=operations)  # type: ignore[arg-type]
    return history.deployment(at, _WEBHOOK, 3, version, f, args=["--operation=webhook"])  # type: ignore[arg-type]


def started(version: str = "v3.20.1", *, generate: bool = True) -> Upgrading:
    """Return a history of a template that asks, on a Gatekeeper whose audit pod generates, or nobody."""
    history = Upgrading()
    history.begin()
    split(history, 0, generate=generate, version=version, f="ADDED").whole(0, WATCH_DEPLOYMENTS)
    return history.template(1, generate=True, f="ADDED")


def judged(recorded: History) -> Verdict:
    return has_generator(60)(recorded)


@pytest.mark.parametrize(
    ("history", "outcome", "words"),
    [
        (started(), "holds", "a pod generated whenever"),
        (
            split(started(), 50, generate=False, version="v3.23.1"),
            "violated",
            "no pod generated for more than 60 s, from 50.0",
        ),
        (split(split(started(), 50, generate=False), 100, generate=True), "holds", "a pod generated"),
        (split(started().template(40, generate=False), 50, generate=False), "holds", "a pod generated"),
        (started(generate=False), "violated", "from 1.0"),
        (started("v3.17.1", generate=False), "holds", "a pod generated"),
        (split(started(), 170, generate=False), "inconclusive", "whether a pod generated is not known from 170.0"),
    ],
    ids=["audit", "nobody", "again", "nobody-asks", "never", "before-v3.18", "young"],
)
def test_who_generates(history: Upgrading, outcome: str, words: str) -> None:
    """From v3.18 on it is an operation, and a template that asks needs somebody who has it."""
    verdict = judged(new(history, 200))
    assert (verdict.outcome, words in verdict.summary) == (outcome, True), verdict.summary


def test_when_it_is_too_late() -> None:
    """The moment is 60 s after the last generator went, and the figure is for how long there was none."""
    verdict = judged(new(split(started(), 50, generate=False), 200))
    assert (verdict.at, verdict.figures) == (110, {"without_generator_seconds": 150.0})


def test_pods_without_operations_have_all() -> None:
    """A Deployment that names none has pods that generate; one that is scaled to none has no pods."""
    history = Upgrading()
    history.begin().run(0, "v3.20.1", "ADDED").whole(0, WATCH_DEPLOYMENTS)
    assert judged(new(history.template(1, generate=True, f="ADDED"), 200)).outcome == "holds"
    for name in (_AUDIT, _WEBHOOK):
        history.deployment(20, name, 0, "v3.20.1", "MODIFIED")
    assert judged(new(history, 200)).outcome == "violated"


@pytest.mark.parametrize(
    "history",
    [
        started().gap(50, WATCH_DEPLOYMENTS),
        split(started().gap(50, TEMPLATES), 60, generate=False),
        split(started().template(20, generate=True, f="DELETED").gap(50, TEMPLATES), 60, generate=False),
        split(Upgrading().begin(), 0, generate=False, f="ADDED").whole(0, WATCH_DEPLOYMENTS).gap(50, TEMPLATES),
    ],
    ids=["deployments", "templates", "another-template", "first-template"],
)
def test_what_was_not_seen(history: Upgrading) -> None:
    """Whether somebody generated, or had to, is not known of a time in which nobody looked."""
    verdict = judged(new(history, 200))
    assert verdict.outcome == "inconclusive"
    assert "was not seen" in verdict.summary


def test_templates_do_not_matter_while_somebody_generates() -> None:
    """Whatever they ask for, there is who makes it."""
    assert judged(new(started().gap(50, TEMPLATES), 200)).outcome == "holds"


def test_no_gatekeeper_and_no_template() -> None:
    """Nothing is decided of what was never there."""
    assert judged(new(Upgrading().begin(), 200)) == NO_GATEKEEPER
    alone = Upgrading()
    split(alone.begin(), 0, generate=False, f="ADDED").whole(0, WATCH_DEPLOYMENTS)
    assert judged(new(alone, 200)).outcome == "inconclusive"
