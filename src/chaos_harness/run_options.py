"""Run options: what `chaos-harness run` takes besides pytest's own options, by the plugins that scenarios run with."""

import argparse
from importlib import import_module
from typing import Any

from chaos_harness.clusters.checkout import ROOT
from chaos_harness.plugins import PLUGINS

__all__ = ["help_text", "run_options"]

_OF_SCENARIOS = "chaos_harness.scenarios.generated_policies.options"
_OPPOSITE = "--no-"
_USAGE = "chaos-harness run [--all] [options of pytest] [FILE, FOLDER or TEST ...]"
_DESCRIPTION = """\
Runs scenarios on real clusters by pytest, and makes their report. Without a file, -k, -m or --all these are the three
founding incidents."""
_END = """\
All else goes to pytest: -k WORDS and -m MARKERS choose scenarios, -x ends at the first failure, -n 2 runs two at a
time; `pytest --help` shows the rest."""


def run_options() -> dict[str, dict[str, Any]]:
    """Return the options that the plugins of scenarios add to pytest's, with the arguments of `addoption`."""
    recorder = _OptionRecorder()
    for name in (*PLUGINS, *([_OF_SCENARIOS] if ROOT else [])):
        add_options = getattr(import_module(name), "pytest_addoption", None)
        if add_options is not None:
            add_options(recorder)
    return recorder.options


def help_text() -> str:
    """Return the help of `chaos-harness run`."""
    parser = argparse.ArgumentParser(usage=_USAGE, description=_DESCRIPTION, epilog=_END, add_help=False)
    if ROOT:
        parser.add_argument("--all", action="store_true", help="run all scenarios")
    for name, how in run_options().items():
        if name.startswith("--") and not name.startswith(_OPPOSITE):
            parser.add_argument(name, **how)
    return parser.format_help()


class _OptionRecorder:
    """Takes the place of pytest's parser, and of its groups, and keeps each option."""

    def __init__(self) -> None:
        self.options: dict[str, dict[str, Any]] = {}

    def getgroup(self, *_: str) -> "_OptionRecorder":
        """Return itself: in which group an option is does not matter here."""
        return self

    def addoption(self, name: str, **how: Any) -> None:
        """Keep an option, and where there is one its opposite."""
        self.options[name] = how
        if how.get("action") is argparse.BooleanOptionalAction:
            self.options[f"{_OPPOSITE}{name.removeprefix('--')}"] = {"help": f"the opposite of {name}"}

    addini = addoption
