"""Command line of `ab`: compares incidents on two arms, now, or by bundles that are there."""

import argparse
import hashlib
import json
import secrets
import sys
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.machine.removal import try_remove_folder
from chaos_harness.clusters.terminal.command_options import whole_number
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import private
from chaos_harness.harness.errors import BadScenario, HarnessError
from chaos_harness.harness.incident.ab.arms import LABELS, Arm, Label, parse_arms
from chaos_harness.harness.incident.ab.compare import compare
from chaos_harness.harness.incident.ab.ledger import FILE, MOST_FILES, MOST_PAIRS, Head, Ledger
from chaos_harness.harness.incident.ab.markdown import render_markdown
from chaos_harness.harness.incident.ab.observed import observe, shapes_apart
from chaos_harness.harness.incident.ab.order import slots
from chaos_harness.harness.incident.ab.session import make_runs
from chaos_harness.harness.incident.ab.status import exit_status
from chaos_harness.harness.incident.ab.text import render_text
from chaos_harness.harness.incident.ab.words import ComparisonReport, describe
from chaos_harness.harness.incident.cli_options import (
    add_machine_options,
    pull_rules,
    refuse_kept_pool,
    session_of,
)
from chaos_harness.harness.incident.load import LoadedIncident, load
from chaos_harness.harness.incident.replay.runner import Runner
from chaos_harness.harness.run.results_folder import hold_folder, make_work_folder, new_folder

__all__ = ["add_options"]

_PAIRS = 10


def add_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of the verb to its parser."""
    verb.add_argument("a", nargs="?", metavar="A", help="a release, fields of a shape, or both: v3.20.1,install=chart")
    verb.add_argument("b", nargs="?", metavar="B", help="the same, of what may be worse")
    verb.add_argument("files", type=Path, nargs="*", metavar="FILE", help="incident files")
    verb.add_argument(
        "--times",
        type=whole_number(1, MOST_PAIRS),
        metavar="N",
        help=f"pairs of runs (default: {_PAIRS}, which mostly see a claim that goes from never to 3 of 5; 4 see from "
        "never to always, and 6 are the fewest that judge figures)",
    )
    add_machine_options(verb)
    earlier = verb.add_mutually_exclusive_group()
    earlier.add_argument("--resume", type=Path, metavar="DIR", help="go on where a comparison was stopped")
    words = "compare the bundles that are in DIR/A and DIR/B, without a cluster"
    earlier.add_argument("--from", type=Path, dest="source", metavar="DIR", help=words)
    verb.add_argument("--markdown", type=Path, metavar="FILE", help="write it as the comment of a pull request, too")
    verb.add_argument("--json", action="store_true", help="for scripts: all claims and figures")
    verb.set_defaults(verb=_ab)


def _ab(chosen: argparse.Namespace, progress: Progress) -> int:
    _refuse_mixed(chosen)
    _require_markdown(chosen.markdown)
    folder = chosen.source or _run(chosen, progress)
    runs = observe(folder)
    told = ComparisonReport(
        dict(zip(LABELS, _arms_of(folder) or shapes_apart(runs), strict=True)),
        compare(runs),
        tuple(sorted({run.seed for run in runs})),
        folder,
    )
    if chosen.markdown:
        _write_markdown(chosen.markdown, render_markdown(told))
    if chosen.json:
        sys.stdout.write(f"{json.dumps(describe(told), indent=1)}\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in render_text(told))
    return exit_status(told.comparison)


def _refuse_mixed(chosen: argparse.Namespace) -> None:
    """Raise BadScenario unless what was typed is a new comparison, one to resume, or bundles to compare."""
    given = [word for word in (chosen.a, chosen.b, *map(str, chosen.files)) if word]
    earlier = "--resume" if chosen.resume else "--from" if chosen.source else None
    if earlier and (given or chosen.times or chosen.seed is not None):
        raise BadScenario(f"{earlier}: arms, files, pairs and seed are those of the folder; leave them out")
    if len(set(chosen.files)) > MOST_FILES:
        raise BadScenario(
            f"{len(set(chosen.files))} incident files; the limit is {MOST_FILES}: compare them in parts, each with "
            f"{command_line('ab --')} {chosen.a} {chosen.b} FILE…"
        )
    if not earlier and not chosen.files:
        raise BadScenario(
            f"expected A, B and incident files, found {' '.join(given) or 'none of them'}; "
            f"such as: {command_line('ab --')} v3.20.1 v3.23.1 scenarios/incidents/gatekeeper-3776.yaml"
        )
    refuse_kept_pool(chosen)


def _run(chosen: argparse.Namespace, progress: Progress) -> Path:
    """Make all runs that are missing; return the folder with their bundles."""
    folder: Path = chosen.resume or new_folder("incidents", "ab")
    if chosen.resume:
        ledger = Ledger.resume(folder / FILE)
        head = ledger.head
    else:
        given = secrets.randbelow(2**32) if chosen.seed is None else chosen.seed
        files = tuple(dict.fromkeys(map(str, chosen.files)))
        head = Head(arms=(chosen.a, chosen.b), files=files, digests=(), pairs=chosen.times or _PAIRS, seed=given)
    incidents = _load(parse_arms(head.arms), head.files)
    digests = tuple(_digest(loaded) for label in LABELS for loaded in incidents[label])
    if chosen.resume and head.digests != digests:
        raise BadScenario(f"{folder}: was begun with other incident files, or other versions; begin again without it")
    rules = pull_rules(chosen)
    with hold_folder(folder):
        work = make_work_folder(folder)
        if not chosen.resume:
            ledger = Ledger.begin(folder / FILE, head.model_copy(update={"digests": digests}))
        if not all(map(ledger.has, slots(head.pairs, len(head.files), head.seed))):
            session = session_of(chosen, head.seed, rules, progress, work)
            _make(chosen, ledger, incidents, folder, Runner(session, work, fresh=chosen.fresh), progress)
    return folder


def _make(
    chosen: argparse.Namespace,
    ledger: Ledger,
    incidents: dict[Label, list[LoadedIncident]],
    folder: Path,
    runner: Runner,
    progress: Progress,
) -> None:
    again = f"{command_line('ab --')} --resume {folder}"
    progress.say(f"a bundle of each run goes to {folder}; when stopped, go on: {again}")
    begun = False
    try:
        with runner.open():
            runner.prepare([loaded.shape for label in LABELS for loaded in incidents[label]])
            begun = True
            make_runs(ledger, incidents, runner, folder, progress.say)
    except (KeyboardInterrupt, HarnessError):
        if begun:
            progress.say(f"stopped; go on: {again}")
        raise
    finally:
        if not begun and not chosen.resume:
            try_remove_folder(folder)


def _load(arms: tuple[Arm, Arm], files: tuple[str, ...]) -> dict[Label, list[LoadedIncident]]:
    """Return the incidents of each arm. Raises BadScenario with the problems of all, each once."""
    problems: dict[str, None] = {}
    incidents: dict[Label, list[LoadedIncident]] = {label: [] for label in LABELS}
    for arm in arms:
        for file in files:
            try:
                incidents[arm.label].append(load(Path(file), arm.fields))
            except BadScenario as error:
                problems |= dict.fromkeys(error.problems)
    names = [Path(file).stem for file in files]
    for name in sorted({name for name in names if names.count(name) > 1}):
        problems[f"{name}: two of the files have this name; in bundles they could not be told apart"] = None
    if problems:
        raise BadScenario(list(problems))
    return incidents


def _digest(loaded: LoadedIncident) -> str:
    """Return the digest of what runs: the file, those it refers to, and the shape."""
    digest = hashlib.sha256(loaded.shape.model_dump_json().encode())
    for path in (loaded.path, *loaded.files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _arms_of(folder: Path) -> tuple[str, str] | None:
    """Return the arms as they were typed, if the folder is a comparison's."""
    ledger = folder / FILE
    return Ledger.read(ledger).head.arms if ledger.is_file() else None


def _require_markdown(file: Path | None) -> None:
    """Raise BadScenario unless a file can be written there, before an hour of runs."""
    if file and (file.is_dir() or not file.parent.is_dir()):
        raise BadScenario(f"--markdown {file}: expected a file in a folder that is there")


def _write_markdown(file: Path, text: str) -> None:
    try:
        private.write(file, text)
    except OSError as error:
        raise HarnessError(f"{file}: cannot be written: {error.strerror}; see `ls -ld {file.parent}`") from error
