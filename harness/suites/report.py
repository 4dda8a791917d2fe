"""Report: what a run of suites showed, case by case, for people and for scripts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import Any

from chaos_harness.harness.run.exit_status import ExitStatus
from chaos_harness.harness.suites.answered import Agreement, CaseResult
from chaos_harness.harness.suites.during import LostAnswers

__all__ = ["describe", "exit_status", "report"]

_MARKS: Mapping[Agreement, str] = {
    "as expected": "✓",
    "otherwise": "✗",
    "undecided": "?",
    "cannot be asked": "-",
    "skipped": "-",
}


def report(results: Sequence[CaseResult], lost: Sequence[LostAnswers] | None, fault: str) -> Iterator[str]:
    """Yield the lines for people; `lost` is what was asked while `fault` lasted, None if there was no fault."""
    for (suite, test), cases in groupby(results, lambda result: (result.suite, result.test)):
        yield f"{suite}: {test}"
        for case in cases:
            yield f"  {_MARKS[case.agreement]} {case.case}: {_words(case)}"
    yield ""
    yield _counted(results)
    if lost is not None:
        yield ""
        yield from _lost_lines(lost, fault)


def _words(case: CaseResult) -> str:
    why = f" ({case.why})" if case.why else ""
    if case.agreement in ("skipped", "cannot be asked"):
        return f"{case.agreement}{why}"
    expected = f"{case.expected}: " if case.expected else ""
    return f"{expected}{case.agreement}: {case.answered}{why}"


def _counted(results: Sequence[CaseResult]) -> str:
    counts = {word: sum(result.agreement == word for result in results) for word in _MARKS}
    words = [f"{count} {word}" for word, count in counts.items() if count]
    return f"{len(results)} case{'s' if len(results) != 1 else ''}: {', '.join(words) or 'none'}"


def _lost_lines(lost: Sequence[LostAnswers], fault: str) -> Iterator[str]:
    yield f"during {fault}:"
    for answers in lost:
        yield f"  {'✗' if answers.lost else '✓' if answers.asked else '?'} {answers.words}"
    losing = sum(answers.lost > 0 for answers in lost)
    yield f"{losing} of {len(lost)} cases lost answers"


def describe(results: Sequence[CaseResult], lost: Sequence[LostAnswers] | None, fault: str) -> dict[str, Any]:
    """Return the report for scripts."""
    cases = [asdict(result) for result in results]
    return {"cases": cases, **({} if lost is None else {"during": fault, "lost": [asdict(each) for each in lost]})}


def exit_status(results: Sequence[CaseResult], lost: Sequence[LostAnswers] | None) -> ExitStatus:
    """Return how the verb ends: OTHERWISE if a case came out otherwise or lost an answer under the fault.

    NOTHING if no case could be asked. Cases that cannot be asked are told and change nothing.
    """
    seen = {result.agreement for result in results}
    if "otherwise" in seen or any(each.lost for each in lost or ()):
        return ExitStatus.OTHERWISE
    if "undecided" in seen or any(not each.asked for each in lost or ()):
        return ExitStatus.INCONCLUSIVE
    return ExitStatus.AS_EXPECTED if "as expected" in seen else ExitStatus.NOTHING
