"""Experiment: the life cycle of one try at breaking a cluster, from steady state to verdict."""

import random
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event
from typing import Self

from chaos_harness.clusters.api.leader_election import wait_for_leaders
from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import DeadlineExceeded
from chaos_harness.clusters.garbage import JOURNAL
from chaos_harness.clusters.gatekeeper.install import REPOSITORY
from chaos_harness.clusters.gatekeeper.readiness import wait_until_serving
from chaos_harness.clusters.machine.signals import announce_cleanup, defer_interrupts, exit_uninterrupted
from chaos_harness.clusters.machine.try_all import CleanupStack, raise_first
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import private
from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.experiment import attachments
from chaos_harness.harness.experiment.phases import Phases
from chaos_harness.harness.experiment.record import ClaimRecord, FaultRecord, Record
from chaos_harness.harness.experiment.recording import Recording, told_as_ours
from chaos_harness.harness.faults import ONE_SHOT, Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.gatekeeper.apply import enforced
from chaos_harness.harness.gatekeeper.restart import PullPolicy, restart_gatekeeper
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import FAULT, HEAL, HEALED, INJECT, OBSERVED, REPLICAS, numbered
from chaos_harness.harness.judging import judge_of
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.admission import FORBIDDEN, admission_canary
from chaos_harness.harness.probes.fail_open import follow_fail_open
from chaos_harness.harness.probes.objects import CANARY_PODS, watch_objects
from chaos_harness.harness.probes.replicas import ask_replicas
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.probes.usual import usual_probes
from chaos_harness.harness.redaction import redact
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.verdict import CheckFunction, Claim, Expected, Known, Verdict

__all__ = ["FAULT", "Experiment"]

_PROVE_SECONDS, _HEALED_SECONDS, _SERVING_SECONDS, _LED_SECONDS = 45.0, 120.0, 300.0, 360.0
_HEAL_SECONDS = 600.0
"""For all of a healing, of which `_HEALED_SECONDS` are its proof; it is what whoever interrupts it is told."""
_END_SECONDS = 120.0
"""For the last signs of life, the end of the probes and what is written beside the history."""


class Experiment:
    """One try at breaking a cluster, recorded in one history.

    Its life cycle; the numbered steps are the phases that a report shows:

    0. *Undo.* What an earlier experiment left broken on this cluster, as its journal tells, is undone
       first, so that a dirty start is impossible.
    1. *Steady state.* The control plane is led, Gatekeeper serves with all its replicas; else nothing is begun.
    2. *Probes.* They begin to ask, in threads of their own, and each must have heard something.
       The experiment is open now: `with Experiment(…) as experiment:` gives it to the scenario, which may have
       `experiment.apply(mutate_pods())` put policies in force, about which the canary asks from then on.
    3. *Fault.* `with experiment.fault(cut_registry()):` writes the undo to the journal, does the harm
    4. *Observed.* and has the fault prove that it bit: FaultNotApplied otherwise, and nothing is judged.
       Harm that lasts no longer than the blow is dealt by `experiment.act(kill_containers(…))`: same
       proof, but what there is to heal is healed when the experiment ends.
       `experiment.hold(60)` lets it last. At the end of the block the fault must prove itself again: one
       that faded in between is no fault.
    5. *Heal.* The fault is taken back, and must prove that too, also when the block raised.
    6. *Recovered.* `experiment.recovered()` waits until Gatekeeper serves again with all its replicas.
    7. *Checks.* `experiment.claim(check)` reads the history file, nothing else, and raises InvariantViolated
       or Inconclusive if the verdict is not the one that the claim expects. A probe that died or fell
       behind makes every claim ProbeBroken, because its silence means nothing.

    At the end each probe gives a last sign of life, up to which whoever reads the history later judges; then all that
    is still broken is healed, newest first, the probes are stopped, and what is worth reading is written beside the
    history. Claims can be made afterwards, too. Each of these steps is tried whatever the others did, no signal breaks
    them off, and what cannot be told, because a disk is full or a terminal gone, keeps nothing from being healed: a
    history that lacks a line is an error at the end, and every claim upon it, too.
    """

    def __init__(
        self,
        cluster: Cluster,
        directory: Path,
        *,
        name: str,
        seed: int,
        progress: Progress | None = None,
        probes: Callable[[Cluster, HistoryWriter], Sequence[Probe]] = usual_probes,
    ) -> None:
        """Prepare the experiment `name`; its history and what belongs to it go into the new `directory`."""
        directory.mkdir(mode=0o700, parents=True)
        self.cluster = cluster
        self.directory = directory
        self.random = random.Random(f"{seed} {name}")  # noqa: S311 - chosen again from the same seed
        self.history = Recording(directory / "history.jsonl", cluster.run)
        self._probes_of = probes
        self._probes = Probes(self.history)
        self._questions = [FORBIDDEN]
        self._open = CleanupStack()
        self._faults = 0
        self._journal: Journal | None = None
        self.record = Record(
            name=name,
            cluster={"name": cluster.name, "shape": cluster.shape.model_dump(mode="json")},
            seed=seed,
            history=str(self.history.path),
            journal=str(directory / JOURNAL),
            environment=attachments.environment(cluster),
        )
        self._phase = Phases(self.record, self.history, progress or Progress.quiet())

    def __enter__(self) -> Self:
        """Go through steps 0 to 2. What was begun is ended again if one fails."""
        try:
            with self._phase("undo what an earlier experiment left") as phase:
                phase.detail = "; ".join(self._undo_first()) or "nothing was left"
            with self._phase("steady state") as phase:
                led = wait_for_leaders(
                    self.cluster, Deadline.after(_LED_SECONDS, "the control plane to be led at the start")
                )
                pods = wait_until_serving(
                    self.cluster, Deadline.after(_SERVING_SECONDS, "Gatekeeper to serve at the start")
                )
                phase.detail = f"{', '.join(pods)} serve admission; {led}"
            with self._phase("probes") as phase:
                self.probe(*self._probes_of(self.cluster, self.history))
                phase.detail = ", ".join(self._probes.names)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        """Heal what is still broken, stop the probes, write down what is worth reading, close the history.

        Raises the first error of these steps, with the others in its notes.
        """
        self._end()

    @property
    def gatekeeper_repository(self) -> str:
        """The repository of Gatekeeper's image, below docker.io."""
        return REPOSITORY

    @property
    def gatekeeper_image(self) -> str:
        """Gatekeeper's image, as a node's containerd calls it."""
        return f"docker.io/{REPOSITORY}:{self.cluster.shape.gatekeeper}"

    @contextmanager
    def fault(self, fault: Fault) -> Generator[str, None, None]:
        """Do harm for the length of a block; give the proof that it was done.

        Raises FaultNotApplied if it cannot be proved at the block's start, at its end, or healed; UndoFailed
        and what else goes wrong while healing comes with a hint to `nox -s gc`, for the journal knows. If the harm or
        the block raised before, what goes wrong while healing stands in the notes of that error.
        """
        with self._harm(fault) as (proof, again):
            yield proof
            again()

    def act(self, fault: Fault) -> str:
        """Deal a blow and return the proof that it hit; what it leaves to heal is healed when the experiment ends."""
        proof, _ = self._open.enter_context(self._harm(fault))
        return proof

    def prepared(self, preparation: Preparation) -> AbstractContextManager[str]:
        """Have the cluster in a certain state for the length of a block; give the proof that it is."""
        block = self._brought_about(preparation, self._written(preparation.name))
        return exit_uninterrupted(block, f"take back {preparation.name}", _HEAL_SECONDS)

    @contextmanager
    def _brought_about(self, preparation: Preparation, journal: Journal) -> Iterator[str]:
        with ExitStack() as taken_back:
            with self._phase(preparation.name) as phase:
                phase.detail = taken_back.enter_context(preparation.make(self.cluster, journal))
            yield phase.detail

    def prepare(self, preparation: Preparation) -> str:
        """Bring the cluster into a certain state until the experiment ends; return the proof that it is."""
        return self._open.enter_context(self.prepared(preparation))

    def probe(self, *probes: Probe) -> None:
        """Start more probes, each in place of the one with its name if there is one; wait for the first sign of life.

        Raises ProbeBroken if there is none in time.
        """
        self._probes.start(*probes)

    def apply(self, *policies: Policy, rate: float = 20.0) -> str:
        """Put policies in force until the experiment ends; ask from now on, `rate` times a second, whether they hold.

        Returns what proves that each replica enforces them. Raises PolicyRejected with what Gatekeeper said of a
        policy that it cannot enforce, DeadlineExceeded, ProbeBroken.
        """
        with self._phase(f"apply policies: {', '.join(policy.name for policy in policies)}") as phase:
            block = enforced(self.cluster, self._written("apply"), self.history, policies)
            phase.detail = self._open.enter_context(exit_uninterrupted(block, "take policies away", _HEAL_SECONDS))
            self._questions += [question for policy in policies for question in policy.questions]
            cluster, history, asked = self.cluster, self.history, self._questions
            asking = [admission_canary(cluster, history, rate=rate, questions=asked)]
            asking += [ask_replicas(cluster, history, questions=asked)] if REPLICAS in self._probes.names else []
            for probe in asking:
                self._open.callback(partial(self._probes.remove, probe.name))
            self.probe(*watch_objects(cluster, history, CANARY_PODS), *asking, follow_fail_open(cluster, history))
            return phase.detail

    def hold(self, seconds: float, wake: Event | None = None) -> None:
        """Let things be as they are for `seconds`, or until `wake` is set; raise ProbeBroken as soon as a probe is."""
        wake = wake or Event()
        with self._phase(f"hold for {seconds:g} s"):
            deadline = Deadline.after(seconds, "the time to pass")
            while not (deadline.expired or wake.wait(min(1.0, deadline.remaining))):
                self._probes.healthy()

    def recovered(self, seconds: float = _SERVING_SECONDS) -> bool:
        """Wait until Gatekeeper serves again with all its replicas; return whether it did within `seconds`.

        How long it took is for a check to say: every probe has asked once more when this returns.
        """
        with self._phase("recovered") as phase:
            try:
                pods = wait_until_serving(self.cluster, Deadline.after(seconds, "Gatekeeper to serve again"))
            except DeadlineExceeded as error:
                phase.detail, phase.status = str(error), "failed"
                return False
            phase.detail = f"{', '.join(pods)} serve admission again"
            self._probes.settle()
            return True

    def restart_gatekeeper(self, pull_policy: PullPolicy | None = None) -> list[str]:
        """Replace all pods of Gatekeeper by fresh ones, with this pull policy from now on; return the webhook pods.

        Fresh pods have no restarts behind them, so that no back-off of an earlier experiment slows them.
        """
        with self._phase(f"restart Gatekeeper{f' with {pull_policy}' if pull_policy else ''}") as phase:
            deadline = Deadline.after(_SERVING_SECONDS, "Gatekeeper to serve after its restart")
            pods = restart_gatekeeper(self.cluster, deadline, pull_policy=pull_policy)
            phase.detail = ", ".join(pods)
            return pods

    def claim(
        self,
        check: CheckFunction,
        *,
        expected: Expected | None = None,
        issue: str | None = None,
        because: Sequence[Cause] = (),
        known: Known | None = None,
        record: Record | None = None,
    ) -> Verdict:
        """Judge a claim by the history as it is recorded up to now; return the verdict if it is the expected one.

        Judged is up to a mark after which every probe that still runs gave one more sign of life: what was asked
        before has its answer then, and a failed call its cause. What is not `expected` here is
        what the check itself expects of this cluster's Gatekeeper (`Check.expect`). `known` says how it is known that
        what is expected is true, if that is more than a prediction. The verdict is told in `record`, by default this
        experiment's. Raises InvariantViolated, Inconclusive, ProbeBroken; HarnessError when a line of the history was
        lost.
        """
        judge = judge_of(check)  # it may take a second, which is not to lie between two claims' marks
        self.history.require_whole()
        self._probes.healthy()
        self._probes.give_signs()
        claim = (
            Claim(check, expected, issue, tuple(because))
            if expected
            else Claim.on(check, self.cluster.shape.gatekeeper)
        )
        claim = replace(claim, known=known or claim.known)
        verdict = claim.check(read(self.history.path, so_far=True))
        (record or self.record).claims.append(ClaimRecord.of(claim, verdict, self.history.end, judge))
        claim.accept(verdict)
        return verdict

    @contextmanager
    def _harm(self, fault: Fault) -> Generator[tuple[str, Callable[[], None]], None, None]:
        injection = Injection(self.cluster, self._written(fault.name), self.history)
        self._faults += 1
        process = numbered(FAULT, self._faults)
        fault_record = FaultRecord(fault.name, time.time())
        self.record.faults.append(fault_record)

        def prove() -> None:
            with self._phase(f"observed: {fault.name}") as phase:
                deadline = Deadline.after(_PROVE_SECONDS, f"the proof of {fault.name}")
                phase.detail = proof = fault.observed(self.cluster, deadline)
                fault_record.proof = f"{fault_record.proof}; at the end: {proof}" if fault_record.proof else proof
                self.history.append("ok", process, OBSERVED, {"name": fault.name, "proof": proof})

        tried = False

        def heal() -> None:
            nonlocal tried
            with defer_interrupts(f"heal {fault.name}", _HEAL_SECONDS), self.history.telling_what_it_can():
                if tried:
                    return
                tried = True
                with self._phase(f"heal: {fault.name}") as phase:
                    self.history.append("invoke", process, HEAL, {"name": fault.name})
                    injection.heal()
                    proof = self._healed(fault)
                    self.history.append("ok", process, HEALED, {"name": fault.name, "proof": proof})
                    phase.detail = fault_record.heal_proof = proof
                    fault_record.healed_at = time.time()

        self._open.callback(heal)  # should an interrupt hit between the block and its healing
        errors: list[BaseException] = []
        with announce_cleanup(f"heal {fault.name}", _HEAL_SECONDS):
            try:
                with self._phase(f"fault: {fault.name}"):
                    one_shot = {"one_shot": True} if fault.healed is ONE_SHOT else {}
                    self.history.append("invoke", process, INJECT, {"name": fault.name, **one_shot})
                    fault.inject(injection)
                prove()
                yield fault_record.proof, prove
            except BaseException as error:  # noqa: BLE001 - raised below, with what its healing raises in its notes
                errors.append(error)
            try:
                heal()
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
            raise_first(errors)

    def _healed(self, fault: Fault) -> str:
        """Return what proves that a fault is healed. Raises FaultNotApplied."""
        if fault.healed is ONE_SHOT:
            return ONE_SHOT.value
        seconds = getattr(fault, "healed_within", _HEALED_SECONDS)
        return fault.healed(self.cluster, Deadline.after(seconds, f"{fault.name} to be healed"))

    def _written(self, what: str) -> Journal:
        if self._journal is None:
            raise HarnessError(f"{what}: the experiment is not open; use `with Experiment(…) as experiment:`")
        return self._journal

    def _undo_first(self) -> list[str]:
        path = self.cluster.directory / JOURNAL
        undone = journal.replay(path, self.cluster.engine) if path.exists() else []
        self._journal = Journal(path)
        return undone

    def _end(self) -> None:
        """Do all of it, whatever fails; an interruption does not keep the rest from being done."""
        with defer_interrupts("end the experiment", _END_SECONDS), self.history.telling_what_it_can():
            last = CleanupStack()
            last.callback(self.history.require_whole)
            last.callback(self.history.finish)
            last.callback(self._write_evidence)
            last.callback(self._keep_journal)
            last.callback(self._probes.stop)
            last.callback(self.history.require_whole)  # why probes died, if they did for it
            last.callback(self._open.close)
            last.callback(self._probes.give_last_signs)  # while policies are in force, and asked about
            last.close()

    def _keep_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            with told_as_ours(self.directory):
                promised = (self.cluster.directory / JOURNAL).read_text(encoding="utf-8", errors="replace")
                private.write(Path(self.record.journal), redact(promised))

    def _write_evidence(self) -> None:
        with told_as_ours(self.directory):
            self.record.attachments = attachments.write(read(self.history.path), self.directory)
