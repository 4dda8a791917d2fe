"""Plans: `chaos-harness plan FILE` shows what a replay would do, need and cost; nothing is touched."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from chaos_harness.clusters.terminal.command_options import CommandParser
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.cli_options import add_lock_options, add_shape_options, load_with_shape, pull_rules
from chaos_harness.harness.incident.plan import Plan, PlannedStep, plan_of
from chaos_harness.harness.incident.plan_text import format_plan
from chaos_harness.harness.run.exit_status import ExitStatus, run_command
from chaos_harness.reports.picture.plan import PlannedBar, draw_plan

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Print the plan of an incident, and draw it; return an ExitStatus."""
    parser = CommandParser(
        prog="chaos-harness plan",
        description="Show what a replay of an incident would do, need and cost; nothing is touched.",
    )
    add_shape_options(parser)
    add_lock_options(parser)
    parser.add_argument("--svg", type=Path, metavar="FILE", help="draw the timeline into a new file")
    parser.add_argument("--json", action="store_true", help="for scripts: the plan as JSON")
    chosen = parser.parse_args(arguments)

    def show() -> int:
        plan = plan_of(load_with_shape(chosen), pull_rules(chosen))
        if chosen.svg:
            _write(chosen.svg, _picture(plan))
        lines = [json.dumps(asdict(plan), indent=1)] if chosen.json else map(escape_controls, format_plan(plan))
        sys.stdout.writelines(f"{line}\n" for line in lines)
        return ExitStatus.AS_EXPECTED

    return run_command(show)


def _picture(plan: Plan) -> str:
    turns = f"the timeline is run {plan.turns} times" if plan.turns > 1 else ""
    claims = [f"claim {claim.id}: expected {claim.expected}" for claim in plan.claims]
    remarks = [*plan.before, *filter(None, [turns]), *claims]
    return draw_plan(plan.title, list(map(_bar, plan.steps)), plan.least, remarks)


def _bar(step: PlannedStep) -> PlannedBar:
    end = None if step.lasts is None else step.begin + step.lasts
    details = " ".join(filter(None, [step.begins, step.parameters]))
    return PlannedBar(f"{step.number} {step.fault}", step.begin, end, details)


def _write(path: Path, picture: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(picture)
    except OSError as error:
        raise BadScenario(f"--svg {path}: cannot be written: {error.strerror}") from error
