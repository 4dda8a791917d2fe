"""Plan text: a plan as lines of at most 80 characters, with the timeline drawn in them."""

import textwrap
from collections.abc import Iterator

from chaos_harness.harness.incident.plan import Plan, PlannedStep

__all__ = ["format_plan"]

_WIDTH = 80
_NAME = 24
_BAR = _WIDTH - _NAME - 12
_MARKS = 5


def format_plan(plan: Plan) -> Iterator[str]:
    """Yield the lines of a plan."""
    yield from _wrapped(plan.title)
    yield ""
    yield from _cost(plan)
    if plan.before:
        yield ""
        yield "Before"
        for words in plan.before:
            yield from _wrapped(words, "  ")
    yield ""
    yield f"Timeline{f', {plan.turns} times' if plan.turns > 1 else ''}"
    yield from _timeline(plan)
    yield ""
    yield "Claims"
    for claim in plan.claims:
        yield from _wrapped(f"{claim.id}: expected {claim.expected}", "  ")
        for brought in dict.fromkeys(claim.needs.values()):
            streams = ", ".join(stream for stream, source in claim.needs.items() if source == brought)
            yield from _wrapped(f"needs {streams}: from {brought}", "    ")


def _cost(plan: Plan) -> Iterator[str]:
    shape = plan.shape
    nodes = f"{shape['control_planes']} control plane(s), {shape['workers']} workers"
    nodes += f" by {shape['kind']['path']}" if shape["kind"] else ""
    yield from _wrapped(f"cluster   {nodes}, Kubernetes {shape['kubernetes']}, {plan.gatekeeper}", rest=10)
    yield from _wrapped(f"memory    {plan.memory_mib / 1024:.1f} GiB at most", rest=10)
    most = f"; at most {plan.most:g} s with all triggers" if plan.most > plan.least else ""
    timeline = f"the timeline {plan.least:g} s{most}, its budget {plan.budget:g} s"
    minutes = f"about {max(1, round(plan.seconds / 60))} from images that are there, on two idle cores"
    yield from _wrapped(f"minutes   {minutes}; {timeline}, recovery at most {plan.recovery:g} s", rest=10)
    for number, (name, source) in enumerate(plan.images.items()):
        yield from _wrapped(f"{'images' if number == 0 else '':<10}{name}: {source}", rest=12)


def _timeline(plan: Plan) -> Iterator[str]:
    end = max(plan.least, 1.0)
    marks = [end * number / (_MARKS - 1) for number in range(_MARKS)]
    ruler = [" "] * (_BAR + 8)
    for mark in marks:
        place, words = round(mark / end * (_BAR - 1)), f"{mark:.0f}"
        ruler[place : place + len(words)] = words
    yield f"{'  seconds':<{_NAME}}{''.join(ruler)}".rstrip()
    for step in plan.steps:
        yield f"  {step.number} {step.fault}"[: _NAME - 1].ljust(_NAME) + _bar(step, end)
        details = ", ".join(filter(None, [step.begins, step.parameters]))
        if details:
            yield from _wrapped(details, "    ")


def _bar(step: PlannedStep, end: float) -> str:
    """Return a step as a bar: # while it lasts, x where its harm does not, ~ if it may begin later."""
    begin = min(round(step.begin / end * (_BAR - 1)), _BAR - 1)
    count = 1 if step.lasts is None else max(1, round(step.lasts / end * (_BAR - 1)))
    sign = "x" if step.lasts is None else "#"
    return f"{' ' * begin}{sign * min(count, _BAR - begin)}{' ~' if step.triggered else ''}"


def _wrapped(words: str, indent: str = "", rest: int = 0) -> list[str]:
    subsequent = " " * rest if rest else f"{indent}  "
    lines = textwrap.wrap(words, _WIDTH, initial_indent=indent, subsequent_indent=subsequent, break_on_hyphens=False)
    return lines or [""]
