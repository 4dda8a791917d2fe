"""Samples: the measured values of one thing, and ratios between two things."""

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chaos_harness.clusters.cluster import Cluster

__all__ = ["Benchmark", "Limit", "OnCluster", "Ratio", "Samples", "table", "time_block", "to_json"]

_MISSING = "not measured"
_DIGITS_UP_TO = 1000


@dataclass
class Samples:
    """Measured values of one thing, in `unit`; `note` is other information about them."""

    name: str
    unit: str = "s"
    figures: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        """The median."""
        return statistics.median(self.figures)

    @property
    def p99(self) -> float:
        """The 99th percentile; of fewer than 100 values, the highest."""
        return sorted(self.figures)[min(len(self.figures) - 1, int(len(self.figures) * 0.99))]

    def for_machines(self) -> dict[str, object]:
        """Return it as JSON data."""
        if not self.figures:
            return {"name": self.name, "unit": self.unit, "n": 0, "note": self.note}
        low, high = min(self.figures), max(self.figures)
        fields = {"name": self.name, "unit": self.unit, "n": len(self.figures), "median": self.median}
        return {**fields, "low": low, "high": high, "p99": self.p99, "note": self.note}


@dataclass(frozen=True)
class Limit:
    """What the median, or the 99th percentile, of samples should not exceed."""

    name: str
    samples: Samples
    most: float
    of: Literal["median", "p99"] = "median"

    @property
    def value(self) -> float | None:
        """The limited value, or None if it was not measured."""
        if not self.samples.figures:
            return None
        return self.samples.median if self.of == "median" else self.samples.p99


@dataclass(frozen=True)
class Ratio:
    """The median of one thing divided by that of another, and what the ratio should not exceed."""

    name: str
    ours: Samples
    other: Samples
    most: float | None = None

    @property
    def value(self) -> float | None:
        """The ratio of the medians, or None if one of them was not measured."""
        return self.ours.median / self.other.median if self.ours.figures and self.other.figures else None


class Benchmark(Protocol):
    """A part of the benchmarks: its samples, ratios and limits."""

    @property
    def samples(self) -> list[Samples]:
        """Return the samples."""

    @property
    def ratios(self) -> list[Ratio]:
        """Return the ratios."""

    @property
    def limits(self) -> list[Limit]:
        """Return the limits."""


class OnCluster(Benchmark, Protocol):
    """A benchmark that runs on a cluster of ours."""

    def measure(self, cluster: Cluster) -> None:
        """Run the benchmark."""


@contextmanager
def time_block(samples: Samples) -> Iterator[None]:
    """Add the duration of the block in seconds, unless it raises."""
    began = time.perf_counter()
    yield
    samples.figures.append(time.perf_counter() - began)


def to_json(
    samples: Sequence[Samples], ratios: Sequence[Ratio], limits: Sequence[Limit], about: Mapping[str, object]
) -> str:
    """Return all results as JSON."""
    compared = [
        {
            "name": ratio.name,
            "value": ratio.value,
            "most": ratio.most,
            "n": [len(ratio.ours.figures), len(ratio.other.figures)],
        }
        for ratio in ratios
    ]
    limited = [{"name": limit.name, "value": limit.value, "most": limit.most} for limit in limits]
    report = {
        "about": about,
        "samples": [measured.for_machines() for measured in samples],
        "ratios": compared,
        "limits": limited,
    }
    return json.dumps(report, indent=1)


def table(samples: Sequence[Samples], ratios: Sequence[Ratio], limits: Sequence[Limit]) -> str:
    """Return all results as a table for people."""
    names = [row.name for group in (samples, ratios, limits) for row in group]
    width = max(map(len, names))
    lines = [f"{'':{width}}  {'n':>4} {'median':>10} {'range':>23}"]
    for measured in samples:
        if measured.figures:
            spread = f"{_figure(min(measured.figures))} to {_figure(max(measured.figures))}"
            numbers = f"{len(measured.figures):>4} {_figure(measured.median):>10} {spread:>23} {measured.unit}"
        else:
            numbers = f"{0:>4} {_MISSING:>10}"
        lines.append(f"{measured.name:{width}}  {numbers}{f'  {measured.note}' if measured.note else ''}")
    lines.append("")
    lines += [f"{row.name:{width}}  {_aimed(row.value, row.most)}" for group in (ratios, limits) for row in group]
    return "\n".join(lines)


def _aimed(value: float | None, most: float | None) -> str:
    if value is None:
        return _MISSING
    aim = "" if most is None else f"  {'✓' if value <= most else '✗'} at most {most:g}"
    return f"{value:.3f}{aim}"


def _figure(value: float) -> str:
    return f"{value:.4g}" if value < _DIGITS_UP_TO else f"{value:,.0f}"
