"""Guard: asks the engine whether everything that a docker command would change carries this harness's label."""

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from chaos_harness.clusters.errors import CommandFailed, HarnessError, NotOurs
from chaos_harness.clusters.machine.process import CommandResult

__all__ = [
    "IMAGE",
    "Ask",
    "ObjectKind",
    "exec_target",
    "require_ours",
    "require_ours_of",
    "runs_of_images",
    "verb_of",
]

ObjectKind = Literal["container", "network", "volume", "image"]
Ask = Callable[[Sequence[str]], CommandResult]
"""Runs a docker command that changes nothing, and returns its outcome whatever the status is."""
Note = Callable[[str, str], None]
"""Takes the name of a container that carries our label, as it was asked for, and its ID."""

IMAGE = "chaos-harness.image"
"""Label of the images that the harness builds; all containers of them inherit it."""

_RUN = "chaos-harness.run"
_MISSING = re.compile(r"no such (container|image|network|volume|object)|(network|volume) \S+ not found", re.IGNORECASE)
_runs_of_images: dict[str, str] = {}
_PUSHED = re.compile(r"127\.0\.0\.1:(\d+)/")


@dataclass(frozen=True)
class _Verb:
    """How to read a docker command: the `kinds` of its arguments, the last kind repeated, and its options.

    `ends`: the arguments are followed by a command of the container's own. `labelled`: it creates something, which must
    get a label. Without kinds it changes nothing that exists.
    """

    kinds: tuple[ObjectKind, ...] = ()
    flags: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    ends: bool = False
    labelled: bool = False


def _changing(*kinds: ObjectKind, flags: str = "", valued: str = "", ends: bool = False) -> _Verb:
    return _Verb(kinds, frozenset(flags.split()), frozenset(valued.split()), ends=ends)


_VERBS: Mapping[str, _Verb] = {
    **dict.fromkeys(("ps", "images", "inspect", "logs", "port", "info", "version", "save"), _Verb()),
    **dict.fromkeys(("network ls", "network inspect", "volume ls", "volume inspect", "image inspect"), _Verb()),
    **dict.fromkeys(("build", "load", "pull", "push", "tag"), _Verb()),
    **dict.fromkeys(("run", "create", "network create", "volume create"), _Verb(labelled=True)),
    **dict.fromkeys(("start", "pause", "unpause"), _changing("container")),
    **dict.fromkeys(("stop", "restart"), _changing("container", valued="-t")),  # old docker: --time, new: --timeout
    "exec": _changing("container", flags="--interactive --detach", ends=True),
    "kill": _changing("container", valued="--signal"),
    "rm": _changing("container", flags="--force --volumes"),
    "commit": _changing("container", valued="--change", ends=True),
    "cp": _changing("container"),
    "network connect": _changing("network", "container", valued="--ip"),
    "network disconnect": _changing("network", "container", flags="--force"),
    "network rm": _changing("network"),
    "volume rm": _changing("volume"),
    "rmi": _changing("image", flags="--force --no-prune"),
}


_ON_ADOPTED = ("exec", "start", "stop", "restart", "pause", "unpause", "kill")
"""What may be done to a container that was adopted; nothing here removes one, or changes what it is made of."""


def require_ours(
    words: Sequence[str], ask: Ask, adopted: frozenset[str] = frozenset(), note: Note | None = None
) -> CommandResult | None:
    """Raise NotOurs unless everything that `docker WORDS` changes carries our label, and what it creates gets one.

    Faults and probes may also be done to the containers whose IDs are `adopted`, by whatever name they are called; none
    of them may be removed. Missing objects are no reason to refuse: the command itself reports them. If the engine does
    not answer the question, its answer is returned, and the command must not be run. `note` gets a container
    that was asked for alone and carries our label. Raises HarnessError for an unknown command or option.
    """
    name, verb, rest = _read(words)
    if verb.labelled and not _has_run_label(rest):
        raise NotOurs(f"`docker {' '.join(words)}`: expected --label {_RUN}=…: what is created must carry our label")
    if not verb.kinds:
        return None
    named = list(_object_names(words, rest, verb))
    if verb.ends:
        named = named[:1]
    if name == "cp":
        named = [word.partition(":")[0] for word in named if re.match(r"[^./-][^/]*:", word)]
    untags = name == "rmi" and "--force" not in rest
    lent = adopted if name in _ON_ADOPTED else frozenset[str]()
    for index, kind in enumerate(verb.kinds):
        last = index == len(verb.kinds) - 1
        asked = named[index:] if last else named[index : index + 1]
        refused = require_ours_of(kind, asked, ask, untags=untags, adopted=lent, note=note)
        if refused:
            return refused
    return None


def exec_target(words: Sequence[str]) -> str | None:
    """Return the container in which `docker WORDS` runs a command; None if it does something else.

    Raises HarnessError for an unknown command or option.
    """
    name, verb, rest = _read(words)
    return next(_object_names(words, rest, verb), None) if name == "exec" else None


def require_ours_of(
    kind: ObjectKind,
    names: Sequence[str],
    ask: Ask,
    *,
    untags: bool = False,
    adopted: frozenset[str] = frozenset(),
    note: Note | None = None,
) -> CommandResult | None:
    """Raise NotOurs unless all existing objects of a kind with these names or IDs carry our label, or are `adopted`.

    If the engine does not answer the question, its answer is returned. With `untags`, image names that were created for
    a push to a registry of ours pass, too: the image itself may be anybody's. `note` gets a container that was asked
    for alone and carries our label.
    """
    if not names:
        return None
    done = ask(["inspect", "--type", kind, *names])
    if done.returncode and _complaints(done):
        return done
    labels = (_RUN, IMAGE) if kind == "image" else (_RUN,)
    things: list[Mapping[str, Any]] = [
        thing for thing in json.loads(done.stdout or "[]") if kind != "container" or thing.get("Id") not in adopted
    ]
    foreign = [thing for thing in things if not any(_labels(thing).get(label) for label in labels)]
    foreign += (
        [thing for thing in things if thing not in foreign and _inherits_label(thing, ask)]
        if kind == "container"
        else []
    )
    if foreign and untags and all(_is_pushed_name(name, ask) for name in names):
        return None
    if foreign:
        foreign_names = ", ".join(_name(thing) for thing in foreign)
        raise NotOurs(
            f"{kind} {foreign_names}: expected the label {' or '.join(labels)} of its own, found none: this harness "
            f"did not create it and leaves it alone; `docker inspect {_name(foreign[0])}` shows what it is"
        )
    if note and kind == "container" and len(names) == len(things) == 1 and "Id" in things[0]:
        note(names[0], str(things[0]["Id"]))
    return None


def runs_of_images(images: Collection[str], ask: Ask) -> Mapping[str, str]:
    """Return the run labels of images, by ID, "" for one that has none; without those that are gone.

    The image of an ID never changes, so each is asked for once. Raises CommandFailed if the engine does not answer.
    """
    unknown = sorted({*images} - _runs_of_images.keys() - {""})
    if unknown:
        done = ask(["inspect", "--type", "image", *unknown])
        if done.returncode and _complaints(done):
            raise CommandFailed(f"the engine does not say what {', '.join(unknown)} is: {done.stderr.strip()}")
        for image in json.loads(done.stdout or "[]"):
            _runs_of_images[image["Id"]] = _labels(image).get(_RUN, "")
    return {image: _runs_of_images[image] for image in images if image in _runs_of_images}


def verb_of(words: Sequence[str]) -> str:
    """Return the name of the docker command in `words`; raise HarnessError if it is none of those known here."""
    for length in (2, 1):
        name = " ".join(words[:length])
        if name in _VERBS:
            return name
    raise HarnessError(
        f"`docker {' '.join(words)}`: expected one of {', '.join(sorted(_VERBS))}; what another command changes must "
        f"be said in {__name__} first"
    )


def _complaints(done: CommandResult) -> bool:
    """Whether a question that failed says anything else than that objects are missing."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return not lines or not all(map(_MISSING.search, lines))


def _read(words: Sequence[str]) -> tuple[str, _Verb, list[str]]:
    """Return the name of a docker command, how to read it, and the words after it."""
    name = verb_of(words)
    return name, _VERBS[name], list(words[len(name.split()) :])


def _object_names(words: Sequence[str], rest: Sequence[str], verb: _Verb) -> Iterator[str]:
    """Yield the words that are no options; unknown options are refused."""
    left = iter(rest)
    for word in left:
        option = word.partition("=")[0]
        if not word.startswith("-") or word == "-":
            yield word
            if verb.ends:
                return
        elif option in verb.valued:
            if option == word:
                next(left, None)
        elif option not in verb.flags:
            raise CommandFailed(f"`docker {' '.join(words)}`: expected a name, found {word!r}, which is an option")


def _has_run_label(words: Sequence[str]) -> bool:
    return any(option == "--label" and re.match(rf"{re.escape(_RUN)}=.", value) for option, value in pairwise(words))


def _labels(attributes: Mapping[str, Any]) -> Mapping[str, str]:
    return (attributes.get("Config") or attributes).get("Labels") or {}


def _inherits_label(container: Mapping[str, Any], ask: Ask) -> bool:
    """Whether a container has its run label from its image, as when a user commits a node and runs that image."""
    image = str(container.get("Image") or "")
    return _labels(container)[_RUN] == runs_of_images([image], ask).get(image)


def _name(attributes: Mapping[str, Any]) -> str:
    tags = attributes.get("RepoTags") or ()
    return str(tags[0] if tags else attributes.get("Name") or attributes.get("Id")).lstrip("/")


def _is_pushed_name(name: str, ask: Ask) -> bool:
    """Whether an image name points to a port of loopback that a container with our label publishes."""
    address = _PUSHED.match(name)
    ids = ask(["ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={_RUN}"]).stdout.split()
    if not address or not ids:
        return False
    containers = json.loads(ask(["inspect", "--type", "container", *ids]).stdout or "[]")
    bound = [
        bindings
        for container in containers
        for bindings in (container["HostConfig"].get("PortBindings") or {}).values()
    ]
    return any(binding["HostPort"] == address[1] for bindings in bound for binding in bindings or ())
