"""Experiment: the life cycle of one attempt to break a cluster, from steady state to verdict."""

import random
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
from chaos_harness.clusters.machine.try_all import CleanupStack, note_besides, raise_first
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import private
from chaos_harness.harness.causes import Cause
from chaos_harness.harness.errors import HarnessError
from chaos_harness.harness.experiment import attachments
from chaos_harness.harness.experiment.harm import HEAL_SECONDS, Harm
from chaos_harness.harness.experiment.healing import claim_healing
from chaos_harness.harness.experiment.phases import Phases, describe_serving
from chaos_harness.harness.experiment.record import ClaimRecord, Record
from chaos_harness.harness.experiment.recording import Recording, convert_write_errors
from chaos_harness.harness.faults import Fault
from chaos_harness.harness.faults.injection import Injection
from chaos_harness.harness.gatekeeper.apply import enforce_policies
from chaos_harness.harness.gatekeeper.restart import PullPolicy, restart_gatekeeper
from chaos_harness.harness.history import HistoryWriter, read
from chaos_harness.harness.history.vocabulary import FAULT, REPLICAS, numbered
from chaos_harness.harness.judging import judge_of
from chaos_harness.harness.policies import Policy
from chaos_harness.harness.preparation import Preparation
from chaos_harness.harness.probes import Probe
from chaos_harness.harness.probes.admission import admission_canary, standing_questions
from chaos_harness.harness.probes.fail_open import follow_fail_open
from chaos_harness.harness.probes.objects import canary_pods, watch_objects
from chaos_harness.harness.probes.replicas import ask_replicas
from chaos_harness.harness.probes.running import Probes
from chaos_harness.harness.probes.usual import usual_probes
from chaos_harness.harness.redaction import redact
from chaos_harness.harness.undo import journal
from chaos_harness.harness.undo.journal import Journal
from chaos_harness.harness.verdict import CheckFunction, Claim, Expected, KnownBy, Verdict

__all__ = ["Experiment"]

_SERVING_SECONDS, _LED_SECONDS = 300.0, 360.0
_END_SECONDS = 120.0
"""Time for the last signs of life, the end of the probes, and the attachments."""


class Experiment:
    """One attempt to break a cluster, recorded in one history.

    The numbered steps of its life cycle are the phases that a report shows:

    0. *Undo.* The journal's undos that an earlier experiment on this cluster left pending are done first,
       so that no experiment starts on a broken cluster.
    1. *Steady state.* The control plane has leaders and all replicas of Gatekeeper, if the cluster has it, are
       serving; else the experiment does not begin.
    2. *Probes.* They start to ask, each in its own thread, and each must have got a first answer.
       The experiment is open now: `with Experiment(…) as experiment:` gives it to the scenario, which may put
       policies in force by `experiment.apply(mutate_pods())`; the canary asks about them from then on.
    3. *Fault.* `with experiment.fault(cut_registry()):` writes the undo to the journal, does the harm
    4. *Observed.* and requires the fault's proof of an effect: without it FaultNotApplied is raised, and
       nothing is judged. A one-shot fault is injected by `experiment.act(kill_containers(…))`: same proof,
       but anything that is left to heal is healed when the experiment ends.
       `experiment.hold(60)` lets the fault last. At the end of the block the fault must prove itself again:
       one that faded meanwhile is no fault.
    5. *Heal.* The fault is undone, also if the block raised; UndoFailed if that is impossible. That the cluster
       recovers in time is a claim (`heals`), judged when the experiment ends: the scenario goes on in either case.
       So it does if an admission policy denies the undo, which is done when the policies are removed.
    6. *Recovered.* `experiment.recovered()` waits until all replicas of Gatekeeper are serving again.
    7. *Checks.* `experiment.claim(check)` reads the history file and nothing else, and raises InvariantViolated
       or Inconclusive if the verdict is not the expected one. If a probe died or is late, every claim raises
       ProbeBroken, because the probe's silence means nothing.

    At the end each probe gives a last sign of life, which bounds what a later reader of the history may judge. Then
    everything that is still broken is healed, newest first, the probes are stopped, and attachments are written beside
    the history. Claims can be made afterwards, too. Each of these steps is tried even if others failed, and no signal
    interrupts them. A full disk or a closed terminal prevents no healing: a history that lacks a line is an error at
    the end, and of every claim about it. Last of all, each fault that lasted and was proved is claimed to heal, unless
    the scenario claimed that itself. A violation is raised, or is a note of the error that was raised first.
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
        claims_healing: bool = True,
    ) -> None:
        """Prepare the experiment `name`; its history and other files go into the new `directory`.

        `claims_healing`: whether it claims at its end that faults heal; not if somebody judges the history afterwards.
        """
        directory.mkdir(mode=0o700, parents=True)
        self.cluster = cluster
        self.directory = directory
        self.random = random.Random(f"{seed} {name}")  # noqa: S311 - chosen again from the same seed
        self.history = Recording(directory / "history.jsonl", cluster.run)
        self._probes_of = probes
        self._probes = Probes(self.history)
        self._questions = standing_questions(cluster)
        self._open = CleanupStack()
        self._harms: list[Harm] = []
        self.fault_number = 0
        """The number of the last fault; a replay sets it, so that a fault's id follows the step."""
        self._claims_healing = claims_healing
        self._claimed: list[str] = []
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
        """Do steps 0 to 2. If one fails, what was started is ended again."""
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
                phase.detail = f"{describe_serving(pods)}; {led}"
            with self._phase("probes") as phase:
                self.probe(*self._probes_of(self.cluster, self.history))
                phase.detail = ", ".join(self._probes.names)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        """Heal what is still broken, stop the probes, write attachments, close the history, claim that faults heal.

        Raises the first error of these steps, with the others in its notes. If the block raised `error`, a fault that
        does not heal is a note of it.
        """
        self._end(error)

    @property
    def gatekeeper_repository(self) -> str:
        """The repository of Gatekeeper's image, below docker.io."""
        return REPOSITORY

    @property
    def gatekeeper_image(self) -> str:
        """Gatekeeper's image, by the name that containerd on a node has for it."""
        return f"docker.io/{REPOSITORY}:{self.cluster.shape.gatekeeper}"

    @contextmanager
    def fault(self, fault: Fault, *, heals_within: float | None = None) -> Generator[str, None, None]:
        """Inject a fault for the duration of a block; give the proof of its effect.

        It is claimed to heal within `heals_within` seconds after its undo; None: its own `healed_within`, or 120.
        Raises FaultNotApplied if there is no proof at the block's start or at its end. UndoFailed, like other errors of
        healing, names `nox -s gc`, which reads the journal. If the harm or the block raised first, errors of healing
        are in the notes of that error.
        """
        with self._harm(fault, heals_within) as (proof, again):
            yield proof
            again()

    def act(self, fault: Fault, *, heals_within: float | None = None, until: ExitStack | None = None) -> str:
        """Inject a one-shot fault and return its proof; what it leaves is healed when `until` closes, or at the end."""
        proof, _ = (until or self._open).enter_context(self._harm(fault, heals_within))
        return proof

    def prepare_for_block(self, preparation: Preparation) -> AbstractContextManager[str]:
        """Bring the cluster into a certain state for the duration of a block; give the proof of it."""
        block = self._carry_out(preparation, self._written(preparation.name))
        return exit_uninterrupted(block, f"take back {preparation.name}", HEAL_SECONDS)

    @contextmanager
    def _carry_out(self, preparation: Preparation, journal: Journal) -> Iterator[str]:
        with ExitStack() as taken_back:
            with self._phase(preparation.name) as phase:
                phase.detail = taken_back.enter_context(preparation.make(self.cluster, journal))
            yield phase.detail

    def prepare(self, preparation: Preparation) -> str:
        """Bring the cluster into a certain state until the experiment ends; return the proof of it."""
        return self._open.enter_context(self.prepare_for_block(preparation))

    def probe(self, *probes: Probe) -> None:
        """Start more probes, each in place of a running one of its name; wait for the first sign of life of each.

        Raises ProbeBroken if there is none in time.
        """
        self._probes.start(*probes)

    def apply(self, *policies: Policy, rate: float = 20.0) -> str:
        """Put policies in force until the experiment ends; the canary asks about them, `rate` questions a second.

        Returns the proof. Raises PolicyRejected with Gatekeeper's message, DeadlineExceeded, ProbeBroken.
        """
        with self._phase(f"apply policies: {', '.join(policy.name for policy in policies)}") as phase:
            block = enforce_policies(self.cluster, self._written("apply"), self.history, policies)
            phase.detail, more = self._open.enter_context(exit_uninterrupted(block, "remove policies", HEAL_SECONDS))
            cluster, history, asked = self.cluster, self.history, [*self._questions, *more]
            self._questions = asked
            asking = [admission_canary(cluster, history, rate=rate, questions=asked)] if asked else []
            asking += [ask_replicas(cluster, history, questions=asked)] if REPLICAS in self._probes.names else []
            for probe in asking:
                self._open.callback(partial(self._probes.remove, probe.name))
            asking += watch_objects(cluster, history, canary_pods(asked))
            self.probe(*asking, follow_fail_open(cluster, history))
            return phase.detail

    def hold(self, seconds: float, wake: Event | None = None) -> None:
        """Wait for `seconds`, or until `wake` is set; raise ProbeBroken as soon as a probe is dead or late."""
        wake = wake or Event()
        with self._phase(f"hold for {seconds:g} s", seconds):
            deadline = Deadline.after(seconds, "the time to pass")
            while not (deadline.expired or wake.wait(min(1.0, deadline.remaining))):
                self._probes.require_healthy()

    def note(self, text: str) -> None:
        """Show a decision of the scenario among the phases, such as why it ends early."""
        with self._phase(text):
            pass

    def recovered(self, seconds: float = _SERVING_SECONDS) -> bool:
        """Wait until all replicas of Gatekeeper are serving again; return whether they are within `seconds`.

        How long recovery took is for a check to judge: every probe has asked once more when this returns.
        """
        with self._phase("recovered") as phase:
            try:
                pods = wait_until_serving(self.cluster, Deadline.after(seconds, "Gatekeeper to serve again"))
            except DeadlineExceeded as error:
                phase.detail, phase.status = str(error), "failed"
                return False
            phase.detail = describe_serving(pods, " again")
            self._probes.settle()
            return True

    def restart_gatekeeper(self, pull_policy: PullPolicy | None = None) -> list[str]:
        """Replace all pods of Gatekeeper by new ones, from now on with this pull policy; return the webhook pods.

        New pods have no restarts in their past, so that no back-off of an earlier experiment slows them.
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
        known: KnownBy | None = None,
        record: Record | None = None,
    ) -> Verdict:
        """Judge a claim by the history recorded so far; return the verdict if it is the expected one.

        The history is judged up to a mark after which every running probe gave one more sign of life: questions asked
        before have their answers then, and failed calls their causes. Without `expected` the check's own expectation
        for this cluster's version of Gatekeeper counts (`Check.expect`). `known` says how it is known that the
        expectation is true, if it is more than a prediction. The verdict goes into `record`, by default this
        experiment's. Raises InvariantViolated, Inconclusive, ProbeBroken, HarnessError (a lost line of the history).
        """
        judge = judge_of(check)  # it may take a second, which must not lie between the marks of two claims
        self.history.require_whole()
        self._probes.require_healthy()
        self._probes.give_signs()
        claim = (
            Claim(check, expected, issue, tuple(because))
            if expected
            else Claim.on(check, self.cluster.shape.gatekeeper)
        )
        claim = replace(claim, known=known or claim.known)
        self._claimed.append(claim.id)
        verdict = claim.check(read(self.history.path, so_far=True))
        (record or self.record).claims.append(ClaimRecord.of(claim, verdict, self.history.end, judge))
        claim.accept(verdict)
        return verdict

    @contextmanager
    def _harm(self, fault: Fault, heals_within: float | None) -> Generator[tuple[str, Callable[[], None]], None, None]:
        injection = Injection(self.cluster, self._written(fault.name), self.history)
        self.fault_number += 1
        process = numbered(FAULT, self.fault_number)
        harm = Harm(fault, injection, self.history, self.record, process, heals_within)
        self._harms.append(harm)
        heal, prove = partial(harm.heal, self._phase), partial(harm.prove, self._phase)
        self._open.callback(heal)  # should an interrupt hit between the block and its healing
        errors: list[BaseException] = []
        with announce_cleanup(f"heal {fault.name}", HEAL_SECONDS):
            try:
                self._probes.wait_for_calm()
                with self._phase(f"fault: {fault.name}"):
                    harm.tell()
                    self._probes.prove_watches()
                    harm.inject()
                prove()
                yield harm.proof, prove
            except BaseException as error:  # noqa: BLE001 - raised below, with what its healing raises in its notes
                errors.append(error)
            try:
                heal()
            except BaseException as error:  # noqa: BLE001 - raised below
                errors.append(error)
            raise_first(errors)

    def _written(self, what: str) -> Journal:
        if self._journal is None:
            raise HarnessError(f"{what}: the experiment is not open; use `with Experiment(…) as experiment:`")
        return self._journal

    def _undo_first(self) -> list[str]:
        path = self.cluster.directory / JOURNAL
        undone = journal.replay(path, self.cluster.engine) if path.exists() else []
        self._journal = Journal(path)
        return undone

    def _end(self, raised: BaseException | None = None) -> None:
        """Do all steps of the end, even if some fail; an interrupt does not prevent the rest."""
        with defer_interrupts("end the experiment", _END_SECONDS), self.history.tolerate_lost_lines():
            last = CleanupStack()
            last.callback(self.history.require_whole)
            last.callback(partial(self._claim_healing, raised))
            last.callback(self.history.finish)
            last.callback(self._write_evidence)
            last.callback(self._keep_journal)
            last.callback(self._probes.stop)
            last.callback(self.history.require_whole)  # why probes died, if they did for it
            for harm in self._harms:
                last.callback(partial(harm.heal_denied, self._phase))  # what policies denied that are removed by then
            last.callback(self._open.close)
            last.callback(self._probes.give_last_signs)  # while policies are in force, and asked about
            last.close()

    def _claim_healing(self, raised: BaseException | None) -> None:
        """Claim that each fault heals; one that does not becomes a note of what the block `raised`, if anything."""
        if self.history.whole and self._claims_healing and self.record.faults:
            unhealed = list(claim_healing(self.history, self.record, self._claimed))
            if raised is None:
                raise_first(unhealed)
            else:
                note_besides(raised, unhealed)

    def _keep_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None
            with convert_write_errors(self.directory):
                promised = (self.cluster.directory / JOURNAL).read_text(encoding="utf-8", errors="replace")
                private.write(Path(self.record.journal), redact(promised))

    def _write_evidence(self) -> None:
        with convert_write_errors(self.directory):
            self.record.attachments = attachments.write(read(self.history.path), self.directory)
