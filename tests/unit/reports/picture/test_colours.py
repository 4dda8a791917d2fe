"""Palette: colours that everybody can tell apart, on both backgrounds."""

import math
from collections.abc import Mapping
from itertools import combinations

import pytest

from chaos_harness.reports.picture.colours import DARK, LIGHT, STATES, style

# Linear transformations of light, as Machado, Oliveira and Fernandes give them for full dichromacy.
_SIGHTS = {
    "all cones": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "no red cones": ((0.152, 1.053, -0.205), (0.115, 0.786, 0.099), (-0.004, -0.048, 1.052)),
    "no green cones": ((0.367, 0.861, -0.228), (0.280, 0.673, 0.047), (-0.012, 0.043, 0.969)),
    "no blue cones": ((1.256, -0.077, -0.179), (-0.078, 0.931, 0.148), (0.005, 0.691, 0.304)),
}
_TOGETHER = (("good", "lost", "silent"), ("ready", "starting", "waiting", "idle"))


def _light(colour: str) -> tuple[float, float, float]:
    r, g, b = (int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    linear = tuple(part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (r, g, b))
    return linear[0], linear[1], linear[2]


def _luminance(colour: str) -> float:
    return sum(part * weight for part, weight in zip(_light(colour), (0.2126, 0.7152, 0.0722), strict=True))


def _lab(light: tuple[float, float, float]) -> tuple[float, float, float]:
    r, g, b = (min(1.0, max(0.0, part)) for part in light)
    xyz = (
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    )
    x, y, z = (part ** (1 / 3) if part > 0.008856 else 7.787 * part + 16 / 116 for part in xyz)
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _distance(first: str, second: str, sight: str) -> float:
    points = []
    for colour in (first, second):
        light = _light(colour)
        seen = [sum(weight * part for weight, part in zip(row, light, strict=True)) for row in _SIGHTS[sight]]
        points.append(_lab((seen[0], seen[1], seen[2])))
    return math.dist(*points)


@pytest.mark.parametrize("sight", _SIGHTS)
@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_what_stands_side_by_side_is_told_apart(colours: Mapping[str, str], sight: str) -> None:
    """Colours in one lane differ for every kind of colour vision, or one of the two has a pattern of its own."""
    patterns = {colour: pattern for colour, pattern in STATES.values() if pattern}
    close = [
        (first, second)
        for group in _TOGETHER
        for first, second in combinations(group, 2)
        if _distance(colours[first], colours[second], sight) < 20 and not {first, second} & set(patterns)
    ]

    assert close == []


@pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
def test_every_colour_stands_out_from_its_background(colours: Mapping[str, str]) -> None:
    """Marks have a contrast of at least 3 : 1 to the paper, text of at least 4.5 : 1."""
    paper = _luminance(colours["paper"])

    def contrast(name: str) -> float:
        bright, dim = sorted((_luminance(colours[name]), paper), reverse=True)
        return (bright + 0.05) / (dim + 0.05)

    assert [name for name in colours if name not in ("paper", "line") and contrast(name) < 3] == []
    assert [name for name in ("ink", "muted", "lost") if contrast(name) < 4.5] == []


def test_dark_is_for_dark_screens_only() -> None:
    """A dark screen gets the dark colours; paper never does."""
    assert LIGHT.keys() == DARK.keys()
    assert "@media screen and (prefers-color-scheme: dark)" in style()
    assert style().index(LIGHT["paper"]) < style().index("@media") < style().index(DARK["paper"])
