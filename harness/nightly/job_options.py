"""Job options: `nightly --job N` renders a night as a Kubernetes Job, and `--pod` is what its pods run."""

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import engine_choice
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.machine.own_cgroup import hand_down_controllers
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.mirror import Mirror
from chaos_harness.clusters.terminal.command_options import whole_number
from chaos_harness.harness import __version__, private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.nightly.carried import carry, write_below
from chaos_harness.harness.nightly.job import (
    RESULTS,
    NightJob,
    busiest_seconds,
    deadline_seconds,
    memory_mib,
    name_problems,
    render,
)
from chaos_harness.harness.nightly.matrix import LoadedMatrix
from chaos_harness.harness.nightly.order import ORDER, Order
from chaos_harness.harness.nightly.planning import NightPlan
from chaos_harness.harness.nightly.pod import run_pod
from chaos_harness.harness.nightly.session import Asked, digest_of, plan_night
from chaos_harness.harness.nightly.summary import Summary
from chaos_harness.harness.nightly.words import group_left_out

__all__ = ["add_job_options", "refuse_without_job", "render_job", "run_as_pod"]

_MOST_SHARDS = 1000
_LOAD_SECONDS = 1800.0
_LOCK = "lock.of-this-job.yaml"
_OUT = "chaos-results"
"""Where nights are, below the working directory, in an image, in which the harness is installed."""
_ONLY = ("image", "claim", "registry", "namespace", "name", "ready_set", "add")


def add_job_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a night as a Job."""
    group = parser.add_argument_group("on the machines of a Kubernetes cluster")
    words = "print the manifests of a Job with N shards, a privileged pod each; --out: to a file"
    group.add_argument("--job", type=whole_number(1, _MOST_SHARDS), metavar="N", help=words)
    group.add_argument("--image", metavar="IMAGE", help="the image of the harness, with a tag or a digest")
    group.add_argument("--claim", metavar="NAME", help="the PersistentVolumeClaim for the results")
    mirror = "registry with the images of docker.io: [http://]HOST[:PORT][/PATH]"
    group.add_argument("--registry", metavar="HOST", help=mirror)
    group.add_argument("--namespace", metavar="NAME", help="of the Job (default: kubectl's)")
    group.add_argument("--name", metavar="NAME", help="of the Job, and of the folder of its results")
    ready = "path in the pod, in its image or in /results, of a file of `images --save` to read first"
    group.add_argument("--ready-set", metavar="FILE", help=ready)
    more = "files or folders that what is run needs besides"
    group.add_argument("--add", type=Path, nargs="+", metavar="PATH", help=more)
    group.add_argument(
        "--pod", type=Path, metavar="DIR", help="what a pod of the Job runs, by the order in this folder"
    )


def refuse_without_job(chosen: argparse.Namespace) -> None:
    """Raise BadScenario for options that only a Job has, and for a Job that lacks one."""
    given = [f"--{name.replace('_', '-')}" for name in _ONLY if getattr(chosen, name) is not None]
    if given and not chosen.job:
        raise BadScenario(f"{', '.join(given)}: only with --job N, which renders a Kubernetes Job")
    lacking = [f"--{name}" for name in ("image", "claim") if chosen.job and not getattr(chosen, name)]
    lacks = {
        "--image": "--image IMAGE: is missing: the image of the harness; docs/how-to/nightly.md says how it is built",
        "--claim": "--claim NAME: is missing: the PersistentVolumeClaim for the results; `kubectl get pvc` shows them",
    }
    if lacking:
        raise BadScenario([lacks[name] for name in lacking])


def render_job(chosen: argparse.Namespace, asked: Asked, matrix: Path, own_scenarios: Path) -> int:
    """Write the manifests of a Job to standard output, or to the file of --out; say what to type next.

    Raises BadScenario with all that is wrong with the names, or else with the plan.
    """
    name = chosen.name or f"chaos-night-{time.strftime('%Y%m%d-%H%M%S')}"
    problems = name_problems(name=name, namespace=chosen.namespace or "", image=chosen.image, claim=chosen.claim)
    mirror = Mirror()
    try:
        mirror = Mirror.parse(chosen.registry or "", "--registry")
    except BadScenario as error:
        problems += error.problems
    if chosen.ready_set and not Path(chosen.ready_set).is_absolute():
        problems.append(
            f"--ready-set {chosen.ready_set}: expected an absolute path in the pod, such as {RESULTS}/images.tar"
        )
    if chosen.lock:
        read_lock(chosen.lock)
    if problems:
        raise BadScenario(problems)
    asked = replace(asked, shard=(1, chosen.job))
    own = _own_folder(matrix, own_scenarios)
    loaded = asked.load(matrix)
    main, carried = carry(matrix, [*_named(loaded, own_scenarios, own), *(chosen.add or ())])
    carried = {**carried, **({_LOCK: chosen.lock.read_bytes()} if chosen.lock else {})}
    with TemporaryDirectory() as folder:
        write_below(Path(folder), carried)
        asked = replace(asked, folder=None if own is None else own_scenarios / own)
        plan = plan_night(asked, Path(folder, main))
        digest = digest_of(Path(folder, main), plan)
    _refuse_plan(plan, chosen.job)
    jobs = chosen.jobs or 1
    job = NightJob(
        name,
        chosen.namespace or "",
        chosen.image,
        chosen.claim,
        mirror,
        Order(
            harness=__version__,
            digest=digest,
            shards=chosen.job,
            matrix=main,
            own=own,
            results=f"{RESULTS}/jobs/{name}",
            nights=f"{RESULTS}/{_OUT}/nights",
            budget=chosen.budget,
            jobs=jobs,
            seed=chosen.seed,
            lock=_LOCK if chosen.lock else None,
            locked=chosen.locked,
            images=chosen.ready_set,
            only=tuple(asked.only),
            shared=asked.shared,
        ),
        carried,
        memory_mib(plan, jobs),
        deadline_seconds(plan, chosen.budget, jobs),
    )
    _write(render(job), chosen.out)
    _tell(plan, job, asked, chosen.out)
    return 0


def run_as_pod(mounted: Path, asked: Asked, own_scenarios: Path, command: Sequence[str]) -> tuple[Summary, Path]:
    """Run the shard of a pod, see `run_pod`; `command` is the harness's own, of which verbs are asked."""
    order = Order.read(mounted / ORDER)

    def prepare() -> None:
        if engine_choice() == "private":
            hand_down_controllers()
        if order.images:
            deadline = Deadline.after(_LOAD_SECONDS, f"the ready set {order.images} to be read")
            done = run([*command, "images", "--load", order.images], deadline, check=False)
            if done.returncode:
                raise HarnessError(f"the ready set {order.images} could not be read:\n{done.stderr.strip()}")

    return run_pod(mounted, order, asked, own_scenarios, prepare)


def _own_folder(matrix: Path, own_scenarios: Path) -> str | None:
    """Return the folder of the harness's own scenarios that a matrix is in: each image has these."""
    folder, own = matrix.resolve().parent, own_scenarios.resolve()
    return folder.relative_to(own).as_posix() if folder.is_relative_to(own) else None


def _named(loaded: LoadedMatrix, own_scenarios: Path, own: str | None) -> list[Path]:
    """Return the files that a matrix names and a pod must be given."""
    values = (loaded.values_file(words) for words in loaded.matrix.values)
    paths = [*(target.path for target in loaded.targets), *filter(None, values)]
    if loaded.matrix.without_fault:
        paths.append(loaded.without_fault.path)
    if own is None:
        return paths
    if outside := [str(path) for path in paths if not path.is_relative_to(own_scenarios.resolve())]:
        raise BadScenario(
            f"{loaded.path}: lies among the harness's own scenarios, which pods have from their image, and names "
            f"others: {', '.join(outside)}; put a matrix of your own beside these"
        )
    return []


def _refuse_plan(plan: NightPlan, shards: int) -> None:
    """Raise BadScenario for a plan that has nothing to run, or too little for so many shards."""
    if not plan.cells:
        reasons = [f"{what}: {why}" for what, why, _ in group_left_out(plan.left_out)]
        raise BadScenario(["the matrix comes to no cell, so there is nothing to run", *reasons])
    if shards > len(plan.cells):
        raise BadScenario(f"--job {shards}: there are {len(plan.cells)} cells, so at most {len(plan.cells)} shards")


def _write(text: str, out: Path | None) -> None:
    if out is None:
        sys.stdout.write(text)
        return
    try:
        private.write(out, text)
    except OSError as error:
        raise BadScenario(f"--out {out}: cannot be written: {error.strerror}") from error


def _tell(plan: NightPlan, job: NightJob, asked: Asked, out: Path | None) -> None:
    for line in _lines(plan, job, out):
        asked.say(line)


def _lines(plan: NightPlan, job: NightJob, out: Path | None) -> Iterable[str]:
    for what, why, _ in group_left_out(plan.left_out):
        yield f"left out: {what}: {why}"
    longest = f"the longest of about {busiest_seconds(plan) / 60:.0f} min"
    cells = f"{len(plan.cells)} cells in {job.order.shards} shards, {longest}"
    yield f"{cells}; {job.memory_mib / 1024:.1f} GiB each; ended after {job.seconds / 3600:.1f} h at the latest"
    where = f" --namespace {job.namespace}" if job.namespace else ""
    yield f"next: kubectl apply{where} --filename {out or '-'}"
    yield f"then: kubectl wait{where} job/{job.name} --for=condition=Complete --timeout={job.seconds:.0f}s"
    merge = f"chaos-harness nightly --merge {job.order.results} --out {job.order.nights}/{job.name}"
    yield f"then, in {RESULTS} where the volume is mounted: {merge}"
