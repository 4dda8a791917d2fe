"""Colours: the fixed colours of all pictures by meaning, for paper, light and dark screens."""

from collections.abc import Mapping

__all__ = ["DARK", "LIGHT", "PATTERNS", "STATES", "style"]

# Hues of Okabe and Ito, which people with any colour vision can distinguish, each light enough or dark enough for
# its background. No meaning depends on hue alone: states differ in pattern, outcomes in the height of their marks.
LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#57606a",
    "line": "#d5dae0",
    "good": "#0072b2",
    "lost": "#c2410c",
    "silent": "#24292f",
    "ready": "#00795a",
    "starting": "#b57600",
    "waiting": "#b0417f",
    "idle": "#8b949e",
    "fault": "#57606a",
}
DARK: Mapping[str, str] = {
    "paper": "#161b22",
    "ink": "#e6edf3",
    "muted": "#9da7b1",
    "line": "#30363d",
    "good": "#56b4e9",
    "lost": "#ff7a3d",
    "silent": "#d0d7de",
    "ready": "#2fc494",
    "starting": "#f0b94a",
    "waiting": "#f08cc3",
    "idle": "#7d8590",
    "fault": "#9da7b1",
}

STATES: Mapping[str, tuple[str, str]] = {
    "ready": ("ready", ""),
    "running": ("starting", "dots"),
    "starting": ("starting", ""),
    "waiting": ("waiting", "stripes"),
    "leaving": ("idle", "dots"),
    "unready": ("waiting", "stripes"),
    "held": ("good", ""),
    "unheld": ("waiting", "stripes"),
}
"""Colour and pattern of each state of a lifeline; an object that is gone is not drawn."""

PATTERNS = (
    '<pattern id="stripes" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="3" height="6" class="holes"/></pattern>'
    '<pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse"><circle cx="2.5" cy="2.5" r="1.2" '
    'class="holes"/></pattern>'
)

_RULES = """
text { font-family: system-ui, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: var(--ink) }
.small { font-size: 11px; fill: var(--muted) }
.head { font-weight: 600 }
.bad { font-weight: 600; fill: var(--lost) }
.paper { fill: var(--paper) }
.holes { fill: var(--paper); fill-opacity: .75 }
.grid { stroke: var(--line); stroke-width: 1; fill: none }
.edge { stroke: var(--muted); stroke-width: 1; fill: none }
.shade { fill: var(--fault); fill-opacity: .1 }
.unproved { fill: var(--fault); fill-opacity: .35 }
.tick { stroke-width: 2; vector-effect: non-scaling-stroke; fill: none }
.s-lost { stroke: var(--lost) } .s-silent { stroke: var(--silent) }
.step { stroke: var(--ready); stroke-width: 2; fill: none }
.phase { fill: var(--line) }
.heal { fill: var(--paper); stroke: var(--ink); stroke-width: 1.5 }
.s-good { stroke: var(--good) } .s-idle { stroke: var(--idle) }
.verdict { stroke-width: 2.5; fill: none }
.decided { stroke: var(--lost); stroke-width: 1; stroke-dasharray: 2 3; fill: none }
"""


def style() -> str:
    """Return the style sheet: light, dark if the reader's screen is dark, and light on paper."""
    names = [name for name in LIGHT if name not in ("paper", "muted", "line")]
    fills = "".join(f".{name} {{ fill: var(--{name}) }} " for name in names)
    dark = f"@media screen and (prefers-color-scheme: dark) {{ {_variables(DARK)} }}"
    return f"<style>{_variables(LIGHT)}\n{dark}{_RULES}{fills}</style>"


def _variables(colours: Mapping[str, str]) -> str:
    return f":root {{ {'; '.join(f'--{name}: {value}' for name, value in colours.items())} }}"
