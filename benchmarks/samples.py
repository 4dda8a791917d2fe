"""Samples: what was measured of one thing, and how two things compare."""

import json
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol

from chaos_harness.clusters.cluster import Cluster

__all__ = ["Limit", "Measured", "OnCluster", "Ratio", "Samples", "table", "timed", "to_json"]

_MISSING = "not measured"
_DIGITS_UP_TO = 1000


@dataclass
class Samples:
    """Figures of one thing, in `unit`; `note` is what else is to be known of them."""

    name: str
    unit: str = "s"
    figures: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def median(self) -> float:
        """The middle figure."""
        return statistics.median(self.figures)

    @property
    def p99(self) -> float:
        """The figure that one in a hundred exceeds; of fewer, the highest."""
        return sorted(self.figures)[min(len(self.figures) - 1, int(len(self.figures) * 0.99))]

    def told(self) -> dict[str, object]:
        """Return it for machines."""
        if not self.figures:
            return {"name": self.name, "unit": self.unit, "n": 0, "note": self.note}
        low, high = min(self.figures), max(self.figures)
        told = {"name": self.name, "unit": self.unit, "n": len(self.figures), "median": self.median}
        return {**told, "low": low, "high": high, "p99": self.p99, "note": self.note}


@dataclass(frozen=True)
class Limit:
    """What the median, or the 99th percentile, of figures should not exceed."""

    name: str
    samples: Samples
    most: float
    of: Literal["median", "p99"] = "median"

    @property
    def value(self) -> float | None:
        """The figure that is limited, or None if it was not measured."""
        if not self.samples.figures:
            return None
        return self.samples.median if self.of == "median" else self.samples.p99


@dataclass(frozen=True)
class Ratio:
    """How the median of one thing compares with that of another, and what it should not exceed."""

    name: str
    ours: Samples
    other: Samples
    most: float | None = None

    @property
    def value(self) -> float | None:
        """The ratio of the medians, or None if one of them was not measured."""
        return self.ours.median / self.other.median if self.ours.figures and self.other.figures else None


class Measured(Protocol):
    """A part of the bench: what it measures, how that compares, and what is asked for."""

    @property
    def samples(self) -> list[Samples]:
        """What is measured."""

    @property
    def ratios(self) -> list[Ratio]:
        """How it compares."""

    @property
    def limits(self) -> list[Limit]:
        """What figures should not exceed."""


class OnCluster(Measured, Protocol):
    """A part that is measured on a cluster of ours."""

    def measure(self, cluster: Cluster) -> None:
        """Measure it."""


@contextmanager
def timed(samples: Samples) -> Iterator[None]:
    """Add how long the block took, unless it raises."""
    began = time.perf_counter()
    yield
    samples.figures.append(time.perf_counter() - began)


def to_json(
    samples: Sequence[Samples], ratios: Sequence[Ratio], limits: Sequence[Limit], about: Mapping[str, object]
) -> str:
    """Return everything for machines."""
    compared = [
        {
            "name": each.name,
            "value": each.value,
            "most": each.most,
            "n": [len(each.ours.figures), len(each.other.figures)],
        }
        for each in ratios
    ]
    limited = [{"name": each.name, "value": each.value, "most": each.most} for each in limits]
    told = {"about": about, "samples": [each.told() for each in samples], "ratios": compared, "limits": limited}
    return json.dumps(told, indent=1)


def table(samples: Sequence[Samples], ratios: Sequence[Ratio], limits: Sequence[Limit]) -> str:
    """Return everything for people."""
    names = [each.name for group in (samples, ratios, limits) for each in group]
    width = max(map(len, names))
    lines = [f"{'':{width}}  {'n':>4} {'median':>10} {'range':>23}"]
    for each in samples:
        if each.figures:
            spread = f"{_figure(min(each.figures))} to {_figure(max(each.figures))}"
            told = f"{len(each.figures):>4} {_figure(each.median):>10} {spread:>23} {each.unit}"
        else:
            told = f"{0:>4} {_MISSING:>10}"
        lines.append(f"{each.name:{width}}  {told}{f'  {each.note}' if each.note else ''}")
    lines.append("")
    lines += [f"{each.name:{width}}  {_aimed(each.value, each.most)}" for group in (ratios, limits) for each in group]
    return "\n".join(lines)


def _aimed(value: float | None, most: float | None) -> str:
    if value is None:
        return _MISSING
    aim = "" if most is None else f"  {'✓' if value <= most else '✗'} at most {most:g}"
    return f"{value:.3f}{aim}"


def _figure(value: float) -> str:
    return f"{value:.4g}" if value < _DIGITS_UP_TO else f"{value:,.0f}"
