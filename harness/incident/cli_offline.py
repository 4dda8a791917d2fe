"""Command line of the verbs that touch nothing: check, list, new and schema."""

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import chaos_harness
from chaos_harness.clusters.checkout import ROOT, command_line
from chaos_harness.clusters.terminal.command_options import one_of
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.clusters.terminal.width import columns_of, wrap
from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.incident.convert import convert
from chaos_harness.harness.incident.load import load
from chaos_harness.harness.incident.model import SCHEMA
from chaos_harness.harness.incident.schema import schema
from chaos_harness.harness.incident.skeleton import scenario_skeleton, skeleton
from chaos_harness.harness.listing import LISTS, Listed, listed
from chaos_harness.harness.run.exit_status import ExitStatus

__all__ = [
    "add_check_options",
    "add_list_options",
    "add_new_incident_options",
    "add_new_options",
    "add_schema_options",
    "require_new",
    "write_new",
]

_WIDTH = 79
_SUFFIXES = (".yaml", ".yml")


def add_check_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `check` to its parser."""
    verb.add_argument("files", type=Path, nargs="+", metavar="FILE", help="incident files, or folders of such")
    verb.add_argument("--json", action="store_true", help="for scripts: the problems of each file")
    verb.add_argument(
        "--convert", action="store_true", help=f"write files of schema 1 anew, in schema {SCHEMA}; comments stay"
    )
    verb.set_defaults(verb=_check)


def add_list_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `list` to its parser."""
    verb.add_argument("what", type=one_of(*LISTS), metavar="WHAT", help=f"of {', '.join(LISTS)}")
    verb.add_argument("--details", action="store_true", help="what each parameter takes, and names for claims")
    verb.add_argument("--json", action="store_true", help="for scripts: all details")
    verb.set_defaults(verb=_list)


def add_new_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `new` to its parser."""
    verb.add_argument("what", type=one_of("scenario", "incident"), metavar="WHAT", help="scenario (Python) or incident")
    verb.add_argument("name", type=Path, metavar="NAME", help="a new file, with or without its suffix")
    verb.set_defaults(verb=_new)


def add_new_incident_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `new-incident` to its parser."""
    verb.add_argument("name", type=Path, metavar="FILE", help="a new file")
    verb.set_defaults(verb=_new, what="incident")


def add_schema_options(verb: argparse.ArgumentParser) -> None:
    """Add the options of `schema` to its parser."""
    verb.set_defaults(verb=_schema)


def require_new(path: Path) -> None:
    """Raise BadScenario if something is at a path, or no file can be made there; nothing is written."""
    said = None
    try:
        path.lstat()
        said = "is there already; choose another name"
    except FileNotFoundError:
        if not path.parent.is_dir():
            said = f"there is no folder {path.parent}; make it, or choose another"
        elif not os.access(path.parent, os.W_OK | os.X_OK):
            said = f"nothing can be written in {path.parent}; choose another folder"
    except (OSError, ValueError) as error:
        said = f"cannot be written: {getattr(error, 'strerror', None) or error}"
    if said:
        raise BadScenario(f"{path}: {said}")


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet. Raises BadScenario."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise BadScenario(f"{path}: expected a path where a new file can be written: {error.strerror}") from error


def _check(chosen: argparse.Namespace, _progress: Progress) -> int:
    if chosen.convert:
        return _convert(_files(chosen.files), as_json=chosen.json)
    problems = {str(path): _problems(path) for path in _files(chosen.files)}
    if chosen.json:
        report = [{"file": path, "problems": its} for path, its in problems.items()]
        sys.stdout.write(f"{json.dumps(report, indent=1)}\n")
        return ExitStatus.REFUSED if any(problems.values()) else ExitStatus.AS_EXPECTED
    for path, its in problems.items():
        lines = [escape_controls(line) for line in its] or [f"{escape_controls(path)}: no problem"]
        sys.stdout.write("".join(f"{wrap(line, columns_of(sys.stdout))}\n" for line in lines))
    if not any(problems.values()):
        return ExitStatus.AS_EXPECTED
    sys.stdout.write(
        f"next: mend them; `{command_line('list --')} faults` lists faults with their parameters, likewise checks, "
        "probes, policies\n"
    )
    return ExitStatus.REFUSED


def _convert(paths: Sequence[Path], *, as_json: bool) -> int:
    """Write the files of schema 1 among these in the newest one, if all can be.

    Raises BadScenario with all problems if they are not told as JSON, or if a file cannot be written.
    """
    texts: dict[Path, str] = {}
    problems: dict[Path, list[str]] = {path: [] for path in paths}
    for path in paths:
        try:
            if load(path).incident.schema_ != SCHEMA:
                texts[path] = convert(path.read_bytes().decode(), path)  # with its line ends
        except BadScenario as error:
            problems[path] += error.problems
    right = not any(problems.values())
    if not right and not as_json:
        raise BadScenario([problem for its in problems.values() for problem in its])
    for path, text in texts.items() if right else ():
        try:
            path.write_text(text, encoding="utf-8", newline="")
        except OSError as error:
            raise BadScenario(f"{path}: expected a file that can be written: {error.strerror}") from error
    if as_json:
        report = [
            {"file": str(path), "problems": its, "written": right and path in texts} for path, its in problems.items()
        ]
        sys.stdout.write(f"{json.dumps(report, indent=1)}\n")
        return ExitStatus.AS_EXPECTED if right else ExitStatus.REFUSED
    sys.stdout.writelines(f"wrote {escape_controls(str(path))}: schema {SCHEMA}\n" for path in texts)
    if not texts:
        sys.stdout.write(f"nothing to do: all are of schema {SCHEMA}\n")
    return ExitStatus.AS_EXPECTED


def _files(given: Iterable[Path]) -> list[Path]:
    """Return the files, and for each folder the YAML files directly in it. Raises BadScenario if one has none."""
    files: list[Path] = []
    for path in given:
        there = sorted(file for file in path.iterdir() if file.suffix in _SUFFIXES) if path.is_dir() else [path]
        if not there:
            raise BadScenario(f"{path}: there is no incident file in this folder; they end with {_SUFFIXES[0]}")
        files += there
    return list(dict.fromkeys(files))


def _problems(path: Path) -> list[str]:
    try:
        load(path)
    except BadScenario as error:
        return list(error.problems)
    return []


def _list(chosen: argparse.Namespace, _progress: Progress) -> int:
    things = listed(chosen.what, _scenarios())
    if chosen.json:
        sys.stdout.write(f"{json.dumps([asdict(thing) for thing in things], indent=1)}\n")
    else:
        cut = sys.stdout.isatty()
        lines = (line for thing in things for line in (_lines(thing) if chosen.details else [_line(thing, cut=cut)]))
        sys.stdout.writelines(f"{line}\n" for line in lines)
    return ExitStatus.AS_EXPECTED if things else ExitStatus.NOTHING


def _scenarios() -> Path:
    """Return the folder of scenarios: the checkout's, or what is installed."""
    return ROOT / "scenarios" if ROOT else Path(str(chaos_harness.__file__)).parent / "scenarios"


def _head(thing: Listed) -> str:
    """Return a thing's name and its parameters, those in brackets being optional."""
    names = [parameter.name if parameter.required else f"[{parameter.name}]" for parameter in thing.parameters]
    return " ".join([thing.name, *names])


def _line(thing: Listed, *, cut: bool) -> str:
    """Return a thing in one line, `cut` to 80 columns behind its name and parameters."""
    line = f"{_head(thing)}: {thing.summary}"
    return line if not cut or len(line) <= _WIDTH else f"{line[: max(_WIDTH - 1, len(_head(thing)))]}…"


def _lines(thing: Listed) -> list[str]:
    """Return the lines of a thing with all that is known of it."""
    words = [f"{thing.summary.rstrip('.')}{' (extended)' if thing.extended else ''}"]
    words += [f"in claims: {thing.known_as!r}{f', how: {thing.harms!r}' if thing.harms else ''}"] * bool(thing.known_as)
    for parameter in thing.parameters:
        default = "" if parameter.required else f", default {json.dumps(parameter.default)}"
        words.append(f"{parameter.name}: {parameter.values}{default}")
    head = textwrap.wrap(_head(thing), _WIDTH, subsequent_indent="    ", break_on_hyphens=False)
    wrapped = (
        textwrap.wrap(line, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)
        for line in words
        if line
    )
    return [*head, *(line for lines in wrapped for line in lines)]


def _new(chosen: argparse.Namespace, _progress: Progress) -> int:
    path: Path = chosen.name
    if not path.name or path.name == "..":
        raise BadScenario(f"{path}: expected the name of a new file")
    if chosen.what == "incident":
        path = path if path.suffix in _SUFFIXES else path.with_name(f"{path.name}.yaml")
        write_new(path, skeleton(path.stem))
        sys.stdout.write(f"wrote {path}; replay it: {command_line('repro --')} {path}\n")
        return ExitStatus.AS_EXPECTED
    path = path if path.suffix == ".py" else path.with_name(f"{path.name}.py")
    path = path if path.name.startswith("test_") else path.with_name(f"test_{path.name}")
    write_new(path, scenario_skeleton(path.stem.removeprefix("test_")))
    sys.stdout.write(f"wrote {path}; run it: {command_line('chaos --')} {path}\n")
    return ExitStatus.AS_EXPECTED


def _schema(_chosen: argparse.Namespace, _progress: Progress) -> int:
    sys.stdout.write(f"{json.dumps(schema(), indent=1)}\n")
    return ExitStatus.AS_EXPECTED
