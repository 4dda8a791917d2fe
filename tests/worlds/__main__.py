"""Main: judge worlds whose truth is known, print how often a check was right; show one; hide more; mutate."""

import argparse
import sys
from pathlib import Path

from tests.worlds.judging import judge
from tests.worlds.metamorphic import broken
from tests.worlds.mutants import rows, survivors
from tests.worlds.scoring import Score, run, table
from tests.worlds.telling import description
from tests.worlds.truths import TRUTHS, world

_SHOWN = 12


def main(arguments: list[str]) -> int:
    """Run; return 1 if a verdict is wrong."""
    options = _parsed(arguments)
    checks = options.check or list(TRUTHS)
    if options.show is not None:
        for check in checks:
            claimed = world(check, options.show)
            _say(*description(claimed, judge(claimed), lines=not options.brief))
        return 0
    if options.mutants or options.rows:
        return _mutants(checks, options)
    low, _, high = options.seeds.partition(":")
    seeds = range(int(low), int(high))
    if options.first:
        return _first(checks, seeds, metamorphic=options.metamorphic)
    if options.metamorphic:
        return _metamorphic(checks, seeds, options.jobs)
    scores = [Score(check, run(check, seeds, jobs=options.jobs, store=options.store)) for check in checks]
    _say(table(scores))
    for score in scores:
        for how in dict.fromkeys(judged.wrong for judged in score.wrong):
            failing = [judged for judged in score.wrong if judged.wrong == how]
            shown = " ".join(str(judged.seed) for judged in failing[:_SHOWN])
            _say(f"{score.check}: {how} ({len(failing)}): {shown}")
    return 1 if any(score.wrong for score in scores) else 0


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def _metamorphic(checks: list[str], seeds: range, jobs: int) -> int:
    failed = 0
    for check in checks:
        breaches = broken(check, seeds, jobs=jobs)
        failed += len(breaches)
        _say(f"{check}: {len(breaches)} times in {len(seeds)} worlds who saw less was surer, or other than before")
        _say(*(f"  {breach}" for breach in breaches[:_SHOWN]))
    return 1 if failed else 0


def _first(checks: list[str], seeds: range, *, metamorphic: bool) -> int:
    """Look for one wrong verdict only; that a check raises is none."""
    for check in checks:
        for seed in seeds:
            if metamorphic:
                wrong = next((breach for breach in broken(check, [seed]) if "raised" not in breach), "")
            else:
                judged = judge(world(check, seed))
                wrong = f"{judged.wrong}: {seed}" if judged.wrong not in ("", "raised", "missing") else ""
            if wrong:
                _say(f"{check}: {wrong}")
                return 1
    return 0


def _mutants(checks: list[str], options: argparse.Namespace) -> int:
    lived, done = 0, []
    for mutant, check, how in survivors(checks, jobs=options.jobs, store=options.store, rows=options.rows):
        lived += not how and not mutant.lives
        words = how or f"SURVIVES{f': {mutant.lives}' if mutant.lives else ''}"
        row = f"{mutant.row} " if mutant.row else ""
        _say(f"{row}{check}: {mutant.file}: {mutant.old.strip()!r} -> {mutant.new.strip()!r}: {words}")
        done.append((mutant, check, words))
    _say(f"{lived} mutants survive without a reason", *(rows(done) if options.rows else ()))
    return 1 if lived else 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.worlds", description=__doc__)
    parser.add_argument("--check", action="append", choices=list(TRUTHS), help="judge this one; may be repeated")
    parser.add_argument("--seeds", default="0:300", help="which worlds: from the first to before the last")
    parser.add_argument("--jobs", type=int, default=1, help="how many processes judge")
    parser.add_argument("--store", type=Path, help="a file of JSON lines to go on with")
    parser.add_argument("--show", type=int, metavar="SEED", help="show one world with its truth and its verdict")
    parser.add_argument("--brief", action="store_true", help="show it without its history")
    parser.add_argument("--metamorphic", action="store_true", help="hide more of each world instead")
    parser.add_argument("--mutants", action="store_true", help="make checks wrong on purpose, and look who finds it")
    parser.add_argument(
        "--rows", action="store_true", help="put back only the mistakes that checks once made, and print a table"
    )
    parser.add_argument("--first", action="store_true", help="look for one wrong verdict only, and stop")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
