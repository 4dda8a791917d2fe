"""Healing: takes one fault back and waits for the proof that it is healed; claims, at the end, that all of them are."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused, ApiUnreachable, CommandFailed, DeadlineExceeded
from chaos_harness.harness.checks.heals import heals, implied
from chaos_harness.harness.errors import FaultNotApplied, HarnessError, InvariantViolated, UndoDenied
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import HEAL, HEALED, NOT_HEALED, UNDO_DENIED, UNDONE
from chaos_harness.harness.judging import faults_of, judge_of
from chaos_harness.harness.undo.denials import GONE_SECONDS
from chaos_harness.harness.verdict import Claim

__all__ = ["claim_healing", "take_back"]

_HEALED_SECONDS = 120.0
"""How long a fault that does not say it (`healed_within`) may take to be healed."""

_PATIENCE = 1.25
"""How much longer than it may take it is asked for: seconds in which this machine was starved do not count."""

_ANSWERS = (FaultNotApplied, DeadlineExceeded, ApiRefused, ApiUnreachable)
"""What the cluster itself says by not being healed; anything else keeps us from asking, and is ours."""


def take_back(
    fault: Fault,
    injection: Injection,
    history: HistoryWriter,
    process: str,
    within: float | None,
    *,
    proved: bool,
    denied: UndoDenied | None = None,
) -> tuple[bool, str]:
    """Take a fault back; return whether it is proved to be healed, and what proves it, or what was said last instead.

    All of it is written to the history, with the seconds `within` which it is claimed to heal; None: those that the
    fault says. It is asked again until then, and a quarter longer. Its undo was `denied` before, if at all, by policies
    that are removed now: that stands in the proof. Raises UndoFailed if it cannot be taken back, UndoDenied if that is
    because of a policy, and whatever keeps us from asking; FaultNotApplied for one that was not `proved`, and does not
    heal at once: that says nothing of the product.
    """
    name = {"name": fault.name}
    history.append("invoke", process, HEAL, name)
    try:
        _undo(injection, patient=denied is not None)
    except UndoDenied as error:
        history.append("fail", process, UNDO_DENIED, {**name, "by": error.by, "said": str(error)})
        raise
    proof, said = ONE_SHOT.value, ""
    if fault.healed is not ONE_SHOT:
        given = getattr(fault, "healed_within", _HEALED_SECONDS) if within is None else within
        history.append("ok", process, UNDONE, {**name, "within": given})
        deadline = Deadline.after(given * _PATIENCE, f"{fault.name} to be healed")
        if proved:
            proof, said = _asked(fault.healed, injection.cluster, deadline)
        else:
            proof = fault.healed(injection.cluster, deadline)
    if not proof:
        history.append("fail", process, NOT_HEALED, {**name, "said": said})
        return False, said
    proof += f"; its undo was denied by {denied.by} until the policies were removed" if denied else ""
    history.append("ok", process, HEALED, {**name, "proof": proof})
    return True, proof


def _undo(injection: Injection, *, patient: bool) -> None:
    """Do the undos of a fault; if `patient`, again while policies deny them. Raises UndoDenied, UndoFailed."""
    if patient:
        for _ in Deadline.after(GONE_SECONDS, "policies to be gone").attempts(first=0.2):
            with suppress(UndoDenied):
                injection.heal()
                return
    injection.heal()


def _asked(prove: Callable[[Cluster, Deadline], str], cluster: Cluster, deadline: Deadline) -> tuple[str, str]:
    """Return what proves that a fault is healed; or "", and what is said instead."""
    last: HarnessError | None = None
    for _ in deadline.attempts(first=0.5, most=5.0):
        try:
            return prove(cluster, deadline), ""
        except (*_ANSWERS, CommandFailed) as error:
            if last is None or not isinstance(error, DeadlineExceeded):  # which only says that no time is left to ask
                last = error
    if last is not None and not isinstance(last, _ANSWERS):
        raise last
    return "", str(last)


def claim_healing(
    history: HistoryWriter, record: Record, claimed: Iterable[str]
) -> Iterator[HarnessError | InvariantViolated]:
    """Claim that each lasting fault of a finished history heals; yield the exceptions for those that do not.

    Faults for which one of the claims `claimed` (ids) says so already are left out. Each verdict is added to `record`.
    """
    for check, verdict in implied(read(history.path), faults_of(heals.__name__, claimed)):
        claim = Claim(check)
        record.claims.append(ClaimRecord.of(claim, verdict, history.end, judge_of(check)))
        try:
            claim.accept(verdict)
        except (HarnessError, InvariantViolated) as error:
            yield error
