"""Harm: one fault of an experiment, with its proofs, and its healing, which an admission policy may delay."""

import time

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.machine.signals import defer_interrupts
from chaos_harness.harness.errors import UndoDenied
from chaos_harness.harness.experiment.healing import take_back
from chaos_harness.harness.experiment.phases import Phases
from chaos_harness.harness.experiment.record import FaultRecord, Phase, Record
from chaos_harness.harness.experiment.recording import Recording
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection, inject_fault, observe_fault
from chaos_harness.harness.history.vocabulary import INJECT, OBSERVED

__all__ = ["HEAL_SECONDS", "Harm"]

HEAL_SECONDS = 600.0
"""Time for a whole healing, its proof included; an interrupt's message names it."""

_PROVE_SECONDS = 45.0


class Harm:
    """A fault from its injection to the proof that it is healed; `denied` is why it could not be undone so far.

    `process` is what the history calls it, and `heals_within` the seconds after its undo in which it is claimed to
    heal; None: those of the fault.
    """

    def __init__(
        self, fault: Fault, injection: Injection, history: Recording, record: Record, process: str, within: float | None
    ) -> None:
        self._fault = fault
        self._injection = injection
        self._history = history
        self._process = process
        self._within = within
        self._tried = False
        self._told = FaultRecord(fault.name, time.time())
        record.faults.append(self._told)
        self.denied: UndoDenied | None = None

    @property
    def proof(self) -> str:
        """What proved its effect, "" if nothing has."""
        return self._told.proof

    def inject(self) -> None:
        """Do the harm. Raises what `inject_fault` raises."""
        inject_fault(self._fault, self._injection)

    def tell(self) -> None:
        """Record that it is about to be injected."""
        one_shot = {"one_shot": True} if self._fault.healed is ONE_SHOT else {}
        self._history.append("invoke", self._process, INJECT, {"name": self._fault.name, **one_shot})

    def prove(self, phases: Phases) -> None:
        """Require the proof of its effect, once more at its end. Raises FaultNotApplied."""
        fault = self._fault
        with phases(f"observed: {fault.name}") as phase:
            deadline = Deadline.after(getattr(fault, "proved_within", _PROVE_SECONDS), f"the proof of {fault.name}")
            phase.detail = proof = observe_fault(fault, self._injection.cluster, deadline)
            self._told.proof = f"{self.proof}; at the end: {proof}" if self.proof else proof
            self._history.append("ok", self._process, OBSERVED, {"name": fault.name, "proof": proof})

    def heal(self, phases: Phases) -> None:
        """Take it back, unless that was tried already; nothing is raised if a policy denies it: see `heal_denied`.

        Raises what `take_back` raises.
        """
        with defer_interrupts(f"heal {self._fault.name}", HEAL_SECONDS), self._history.tolerate_lost_lines():
            if self._tried:
                return
            self._tried = True
            with phases(f"heal: {self._fault.name}") as phase:
                try:
                    self._take_back(phase)
                except UndoDenied as error:
                    self.denied, phase.status = error, "failed"
                    phase.detail = f"denied by {error.by}, to be done when the policies are removed: {error}"

    def heal_denied(self, phases: Phases) -> None:
        """Take it back if a policy denied that, now that the policies are removed. Raises what `take_back` raises."""
        if self.denied is None:
            return
        with (
            defer_interrupts(f"heal {self._fault.name}", HEAL_SECONDS),
            self._history.tolerate_lost_lines(),
            phases(f"heal, without policies: {self._fault.name}") as phase,
        ):
            self._take_back(phase)

    def _take_back(self, phase: Phase) -> None:
        proved = bool(self.proof)
        healed, phase.detail = take_back(
            self._fault, self._injection, self._history, self._process, self._within, proved=proved, denied=self.denied
        )
        if healed:
            self._told.heal_proof, self._told.healed_at = phase.detail, time.time()
        else:
            phase.status = "failed"
