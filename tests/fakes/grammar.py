"""Grammar: how the programs that faults and undos run take their command lines, and how they refuse them.

It has what the harness uses. Who uses more puts it here and into `tests.fakes.commands`, and has it recorded.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import NoReturn

from chaos_harness.clusters.machine.process import CommandResult

__all__ = ["Call", "RefusedError", "call_in_node", "docker_call", "refuse"]


class RefusedError(Exception):
    """A program refuses what it is asked; `done` is how it ends then."""

    def __init__(self, done: CommandResult) -> None:
        super().__init__(done.stderr or done.stdout)
        self.done = done


def refuse(status: int, stderr: str, stdout: str = "") -> NoReturn:
    """Raise what a program says, and its exit status."""
    raise RefusedError(CommandResult(stdout, stderr, status))


@dataclass(frozen=True)
class Call:
    """A command line that its program takes: its verb, its options with their values, and the words that remain."""

    verb: str
    options: Mapping[str, Sequence[str]]
    words: Sequence[str]

    def value(self, option: str, default: str = "") -> str:
        """Return the last value that an option is given."""
        return self.options.get(option, [default])[-1]


@dataclass(frozen=True)
class _Form:
    """How many words there are besides options; one that `ends` has no option behind its first word."""

    flags: frozenset[str] = frozenset()
    valued: frozenset[str] = frozenset()
    least: int = 0
    most: float = 0
    ends: bool = False


def _form(options: str = "", least: int = 0, most: float | None = None, *, ends: bool = False) -> _Form:
    """Return a form; what takes a value is written with a =."""
    words = options.split()
    valued = frozenset(word[:-1] for word in words if word.endswith("="))
    return _Form(
        frozenset(words) - {f"{word}=" for word in valued}, valued, least, least if most is None else most, ends
    )


def _parsed(
    verb: str,
    line: Sequence[str],
    form: _Form,
    unknown: Callable[[str], NoReturn],
    miscounted: Callable[[Sequence[str]], NoReturn],
) -> Call:
    options: dict[str, list[str]] = {}
    words: list[str] = []
    left = iter(line)
    for word in left:
        option, equals, value = word.partition("=")
        if not word.startswith("-") or word == "-" or (form.ends and words):
            words.append(word)
        elif option in form.valued:
            given = value if equals else next(left, None)
            if given is None:
                unknown(word)
            options.setdefault(option, []).append(given)
        elif word in form.flags:
            options[word] = []
        else:
            unknown(word)
    if not form.least <= len(words) <= form.most:
        miscounted(words)
    return Call(verb, options, words)


_DOCKER = {
    "commit": _form("--change=", 1, 2),
    "cp": _form("", 2),
    "create": _form(
        "--name= --label= --network= --ip= --publish= --env= --mount= --log-driver=",
        1,
        inf,
        ends=True,
    ),
    "exec": _form("--interactive --detach", 2, inf, ends=True),
    "image inspect": _form("--format=", 1, inf),
    "images": _form("--all --quiet --no-trunc --filter= --format="),
    "info": _form("--format="),
    "inspect": _form("--type= --format=", 1, inf),
    "kill": _form("--signal=", 1, inf),
    "load": _form("--quiet --input="),
    "logs": _form("--timestamps --since=", 1),
    "network connect": _form("--ip=", 2),
    "network create": _form("--driver= --opt= --label= --subnet= --gateway=", 1),
    "network disconnect": _form("--force", 2),
    "network inspect": _form("", 1, inf),
    "network ls": _form("--quiet --no-trunc --filter="),
    "network rm": _form("", 1, inf),
    "pause": _form("", 1, inf),
    "ps": _form("--all --quiet --no-trunc --filter="),
    "pull": _form("--quiet", 1),
    "restart": _form("-t=", 1, inf),
    "rm": _form("--force --volumes", 1, inf),
    "rmi": _form("--force --no-prune", 1, inf),
    "run": _form(
        "--detach --privileged --name= --label= --network= --ip= --publish= --env= --volume= --mount= --entrypoint=",
        1,
        inf,
        ends=True,
    ),
    "save": _form("--output=", 1, inf),
    "start": _form("", 1, inf),
    "stop": _form("-t=", 1, inf),
    "tag": _form("", 2),
    "unpause": _form("", 1, inf),
    "version": _form("--format="),
    "volume create": _form("--label=", 1),
    "volume ls": _form("--quiet --filter="),
    "volume rm": _form("", 1, inf),
}
_DOCKER_GROUPS = ("network", "volume", "image")
_TYPES = ("config", "container", "image", "network", "node", "plugin", "secret", "service", "task", "volume")
_SIGNALS = ("KILL", "TERM", "STOP", "CONT")


def docker_call(line: Sequence[str]) -> Call:
    """Return a command line of docker, read as docker reads it. Raises RefusedError."""
    verb = next((verb for length in (2, 1) if (verb := " ".join(line[:length])) in _DOCKER), "")
    if not verb:
        group = bool(line) and line[0] in _DOCKER_GROUPS
        if group and (options := [word for word in line if word.startswith("-")]):
            refuse(125, f"unknown flag: {options[0]}")
        refuse(1, f"docker: unknown command: docker {' '.join(line[: 1 + group])}")
    form = _DOCKER[verb]

    def miscounted(_: Sequence[str]) -> NoReturn:
        least = "at least " if form.most > form.least else ""
        refuse(1, f"docker: 'docker {verb}' requires {least}{form.least} argument{'s' if form.least > 1 else ''}")

    call = _parsed(verb, line[len(verb.split()) :], form, lambda word: refuse(125, f"unknown flag: {word}"), miscounted)
    if call.value("--type", "container") not in _TYPES:
        listed = ", ".join(f'"{kind}"' for kind in _TYPES)
        refuse(1, f'unknown type: "{call.value("--type")}": must be one of {listed}')
    if call.value("--signal", "KILL") not in _SIGNALS:
        refuse(1, f"Error response from daemon: Invalid signal: {call.value('--signal')}")
    for filter_ in call.options.get("--filter", ()):
        if filter_.partition("=")[0] not in ("label", "reference", "name"):
            refuse(1, f"Error response from daemon: Invalid filter '{filter_.partition('=')[0]}'")
    return call


_KUBECTL = {
    "cordon": _form("", 1),
    "create": _form("--filename="),
    "delete": _form("--ignore-not-found --selector= --timeout=", 1, inf),
    "get": _form("--ignore-not-found --output=", 1, inf),
    "patch": _form("--type= --patch=", 2),
    "rollout restart": _form("", 1),
    "uncordon": _form("", 1),
}
_KUBECTL_OPTIONS = frozenset(("--kubeconfig", "--namespace"))
_PATCH_TYPES = ("json", "merge", "strategic")


def _kubectl(line: Sequence[str]) -> Call:
    rest, before = list(line), []
    while rest and rest[0].startswith("-"):
        option, equals, _ = rest[0].partition("=")
        if option not in _KUBECTL_OPTIONS:
            refuse(1, f"error: unknown flag: {option}")
        before += rest[: 1 if equals else 2]
        rest = rest[1 if equals else 2 :]
    verb = next((verb for length in (2, 1) if (verb := " ".join(rest[:length])) in _KUBECTL), "")
    if not verb and rest[:1] == ["rollout"]:
        refuse(1, f'error: unknown command "{" ".join(rest[1:])}"')
    if not verb and before:
        refuse(1, f"Error: flags cannot be placed before plugin name: {before[0]}")
    if not verb:
        refuse(1, f'error: unknown command "{" ".join(rest[:1])}" for "kubectl"')
    form = _KUBECTL[verb]
    form = _Form(form.flags, form.valued | _KUBECTL_OPTIONS, form.least, form.most)
    call = _parsed(
        verb,
        [*before, *rest[len(verb.split()) :]],
        form,
        lambda word: refuse(1, f"error: unknown flag: {word}"),
        lambda _: refuse(1, f"error: USAGE: {verb} NODE [flags]"),
    )
    if verb == "patch" and call.value("--type") not in _PATCH_TYPES:
        refuse(1, f'error: --type must be one of [{" ".join(_PATCH_TYPES)}], not "{call.value("--type")}"')
    return call


_CRICTL = {
    "images": _form("--output="),
    "inspect": _form("", 1),
    "inspecti": _form("--quiet", 1),
    "ps": _form("--state= --name= --label= --output="),
    "pull": _form("", 1),
    "rmi": _form("", 1),
}


def _fatal(said: str) -> NoReturn:
    refuse(1, f'time="2026-11-28T12:00:00Z" level=fatal msg="{said}"')


def _crictl(line: Sequence[str]) -> Call:
    verb = line[0] if line else ""
    if verb not in _CRICTL:
        refuse(3, f"No help topic for '{verb}'")

    def unknown(word: str) -> NoReturn:
        said = f"flag provided but not defined: {word[1:]}"
        usage = f"Incorrect Usage: {said}\n\nNAME:\n   crictl {verb} - List containers\n"
        refuse(1, f'time="2026-11-28T12:00:00Z" level=fatal msg="{said}"', usage)

    return _parsed(verb, line[1:], _CRICTL[verb], unknown, lambda _: _fatal("image name cannot be empty"))


_CHAINS = {
    "filter": ("INPUT", "FORWARD", "OUTPUT"),
    "mangle": ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"),
    "nat": ("PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"),
}
_IPTABLES = _form("-I= -D= -nvxL= -X= -w= -t= -d= -p= --dport= -i= -o= -m= --comment= -j= --reject-with=")
_MATCHES = {"--dport": ("-p", "tcp"), "--comment": ("-m", "comment"), "--reject-with": ("-j", "REJECT")}
"""Options that only stand behind what brings them."""


def _iptables(line: Sequence[str]) -> Call:
    def unknown(word: str) -> NoReturn:
        refuse(2, f'iptables v1.8.11 (nf_tables): unknown option "{word}"')

    call = _parsed("iptables", line, _IPTABLES, unknown, lambda words: refuse(2, f"Bad argument `{words[0]}'"))
    for option, (bringer, value) in _MATCHES.items():
        if option in call.options and value not in call.options.get(bringer, ()):
            unknown(option)
    table = call.value("-t", "filter")
    if table not in _CHAINS:
        refuse(3, f"iptables v1.8.11 (nf_tables): table '{table}' does not exist")
    (verb,) = (verb for verb in ("-I", "-D", "-nvxL", "-X") if verb in call.options)
    if call.value(verb) not in _CHAINS[table]:
        refuse(1, "iptables: No chain/target/match by that name.")
    if call.value("-j", "DROP") not in ("DROP", "REJECT"):
        refuse(2, f"iptables v1.8.11 (nf_tables): Chain '{call.value('-j')}' does not exist")
    return Call(verb, call.options, line[line.index(verb) + 1 :])


_CURL = _form(
    "--silent --show-error --insecure --config= --output= --write-out= --max-time= --noproxy= --header= --data="
)


def _curl(line: Sequence[str]) -> Call:
    form = _Form(_CURL.flags, _CURL.valued, 1, inf)
    return _parsed(
        "curl",
        line,
        form,
        lambda word: refuse(2, f"curl: option {word}: is unknown"),
        lambda _: refuse(2, "curl: (2) no URL specified"),
    )


def _systemctl(line: Sequence[str]) -> Call:
    if options := [word for word in line if word.startswith("-")]:
        refuse(1, f"systemctl: unrecognized option '{options[0]}'")
    if line[0] not in ("start", "stop", "restart", "is-active"):
        refuse(1, f"Unknown command verb '{line[0]}', did you mean 'restart'?")
    return Call(line[0], {}, line[1:])


def _kill(line: Sequence[str]) -> Call:
    signal, *pids = line
    if signal.removeprefix("-") not in _SIGNALS:
        refuse(1, f"kill: invalid argument {signal.removeprefix('-')[:1]}")
    for pid in pids:
        if not pid.isdecimal():
            refuse(1, f"kill: failed to parse argument: '{pid}'")
    return Call("kill", {signal: []}, pids)


def _timeout(line: Sequence[str]) -> Call:
    form = _form("--kill-after=", 2, inf, ends=True)
    call = _parsed(
        "timeout",
        line,
        form,
        lambda word: refuse(125, f"timeout: unrecognized option '{word}'"),
        lambda _: refuse(125, "timeout: missing operand"),
    )
    if not call.words[0].replace(".", "", 1).isdecimal():
        refuse(125, f"timeout: invalid time interval '{call.words[0]}'")
    return call


def _plain(program: str, options: str = "", least: int = 1, *, ends: bool = False) -> Callable[[Sequence[str]], Call]:
    """Return the reader of a program of the system's, such as cat."""
    shell = program in ("bash", "sh")

    def read(line: Sequence[str]) -> Call:
        def unknown(word: str) -> NoReturn:
            refuse(
                1 + shell, f"{program}: {word}: invalid option" if shell else f"{program}: unrecognized option '{word}'"
            )

        form = _form(options, least, inf, ends=ends)
        return _parsed(program, line, form, unknown, lambda _: refuse(1, f"{program}: missing operand"))

    return read


_PROGRAMS: Mapping[str, Callable[[Sequence[str]], Call]] = {
    "bash": _plain("bash", "-c=", 0, ends=True),
    "cat": _plain("cat"),
    "crictl": _crictl,
    "curl": _curl,
    "iptables": _iptables,
    "kill": _kill,
    "kubectl": _kubectl,
    "rm": _plain("rm", "-f"),
    "sh": _plain("sh", "-c=", 0, ends=True),
    "systemctl": _systemctl,
    "timeout": _timeout,
    "touch": _plain("touch"),
}
_IN_REGISTRY = frozenset(("rm", "touch", "cat", "sh", "timeout", "kill"))


def call_in_node(argv: Sequence[str], *, registry: bool = False) -> tuple[str, Call]:
    """Return which program runs in a node's container, or in a registry's, and its command line, as it reads it.

    What runs under `timeout` is told as if it ran by itself. Raises RefusedError.
    """
    program = argv[0]
    if program not in _PROGRAMS or (registry and program not in _IN_REGISTRY):
        missing = f'exec: "{program}": executable file not found in $PATH: unknown'
        refuse(126, "", f"OCI runtime exec failed: exec failed: unable to start container process: {missing}")
    call = _PROGRAMS[program](argv[1:])
    if program != "timeout":
        return program, call
    if call.words[1] not in _PROGRAMS:
        refuse(127, f"timeout: failed to run command '{call.words[1]}': No such file or directory")
    return call_in_node(call.words[1:], registry=registry)
