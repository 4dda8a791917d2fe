"""Scoring: how many worlds a check judged rightly: sensitivity, specificity, and what share it left open."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Self

from tests.worlds.judging import Judged, digest, judge
from tests.worlds.truths import world

__all__ = ["Score", "row", "run", "table"]

_CHUNK = 20


def _one(check: str, seed: int) -> Judged:
    return judge(world(check, seed))


def run(
    check: str,
    seeds: Iterable[int],
    *,
    jobs: int = 1,
    store: Path | None = None,
    judge_one: Callable[[str, int], Judged] = _one,
) -> list[Judged]:
    """Return the verdicts on these worlds; those that `store` has of the same checks are not judged again.

    `store` is a file of JSON lines, to which each new verdict is added as soon as it is there.
    """
    wanted = list(seeds)
    known = {judged.seed: judged for judged in _stored(store, check)}
    missing = [seed for seed in wanted if seed not in known]
    with ProcessPoolExecutor(jobs) if jobs > 1 else _Here() as pool:
        for judged in pool.map(judge_one, [check] * len(missing), missing, chunksize=_CHUNK):
            known[judged.seed] = judged
            _store(store, judged)
    return [known[seed] for seed in wanted]


class _Here:
    """A pool of no process but this one."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Callable[[str, int], Judged], *of: Sequence[object], chunksize: int) -> Iterator[Judged]:
        return map(work, *of)


def _stored(store: Path | None, check: str) -> Iterator[Judged]:
    if store is None or not store.exists():
        return
    for line in store.read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        if fields.get("check") == check and fields.pop("digest") == digest(check):
            yield Judged(**fields)


def _store(store: Path | None, judged: Judged) -> None:
    if store is not None:
        with store.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"digest": digest(judged.check), **judged._replace(evidence=())._asdict()}) + "\n")


class Score:
    """Counts of one check's verdicts."""

    def __init__(self, check: str, verdicts: Sequence[Judged]) -> None:
        self.check = check
        self.all = verdicts
        self.wrong = [judged for judged in verdicts if judged.wrong]

    def count(self, truth: str, outcome: str = "", *, clear: bool | None = None) -> int:
        """Return how many worlds have this truth and verdict ("": any), in which nothing (or something) was hidden."""
        return sum(
            judged.truth == truth and outcome in ("", judged.outcome) and clear in (None, not judged.hidden)
            for judged in self.all
        )

    def share(self, truth: str, *, clear: bool | None = None) -> str:
        """Return which share of worlds with this truth was judged to have it: sensitivity, or specificity."""
        return _percent(self.count(truth, truth, clear=clear), self.count(truth, clear=clear))

    def wrongs(self, how: str) -> int:
        """Return how many verdicts are wrong in this way."""
        return sum(judged.wrong == how for judged in self.wrong)

    @property
    def open(self) -> str:
        """Which share of all verdicts is inconclusive."""
        return _percent(sum(judged.outcome == "inconclusive" for judged in self.all), len(self.all))


def _percent(some: int, all_: int) -> str:
    return f"{100 * some / all_:.1f}" if all_ else "-"


_HEAD = (
    "| check | worlds | violated, holds, open | sensitivity | specificity | of worlds with nothing hidden "
    "| inconclusive | wrong `holds` | wrong `violated` | needless `inconclusive` | raised | digest |"
)


def row(score: Score) -> str:
    """Return the line of one check, in percent where no number of worlds is meant; its digest is that of today."""
    truths = f"{score.count('violated')}, {score.count('holds')}, {score.count('inconclusive')}"
    clear = f"{score.share('violated', clear=True)} / {score.share('holds', clear=True)}"
    cells = [score.check, str(len(score.all)), truths, score.share("violated"), score.share("holds"), clear, score.open]
    kinds = ("wrong holds", "wrong violated", "needless inconclusive", "raised")
    return f"| {' | '.join([*cells, *(str(score.wrongs(how)) for how in kinds), digest(score.check)])} |"


def table(scores: Iterable[Score]) -> str:
    """Return all lines, with a head."""
    return "\n".join([_HEAD, "|" + " --- |" * 12, *(row(score) for score in scores)])
