"""Go programs, built from modules whose checksums are committed or were verified by the checksum database."""

import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos_harness.clusters.checkout import command_line
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import CommandFailed, ImageUnavailable
from chaos_harness.clusters.images.download_retries import retry_download
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.terminal.progress import ProgressStep

__all__ = [
    "GO_SOURCES",
    "GO_STEADY",
    "SUMS",
    "Program",
    "build",
    "checksum_database",
    "committed_sums",
    "download",
    "missing",
]

GO_SOURCES = Path(__file__).with_name("go")
"""Folder of the composed modules: their main packages, go.mod and go.sum."""

SUMS = Path(__file__).with_name("modules.sum")
"""Checksums, in the format of go.sum, of modules that are built by themselves; `clusters.images.sums` writes them."""

GO_STEADY = {"CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"}
"""Environment that makes a build depend on its sources only; checksum settings stay the user's."""

_USERS_TOOLCHAIN = {name: value for name, value in GO_STEADY.items() if name != "GOTOOLCHAIN"}
_GO_LINE = re.compile(r"^go (\d+)\.(\d+)(?:\.(\d+))?$", re.MULTILINE)
_GO_VERSION = re.compile(r"go(\d+)\.(\d+)(?:\.(\d+))?")
_ASK_SECONDS = 20.0

_HOLDER = "module chaos-harness.invalid/download\n\ngo 1.24\n"
"""A module that exists only for its go.sum: the go command checks downloads against that first."""

_TELL_EVERY_SECONDS = 1.0
_MOST_NAMES_BYTES = 1 << 20


@dataclass(frozen=True)
class Program:
    """One `go build` call: main packages of one module, each linked into a binary named by its last path element.

    `variables` are set by the linker (-X).
    """

    packages: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()

    @property
    def arguments(self) -> list[str]:
        """Arguments of `go build` except the output and the packages.

        Debug tables are left out, which saves a sixth of the time and a third of the size.
        """
        linked = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in self.variables.items())])
        tags = [f"-tags={','.join(self.tags)}"] if self.tags else []
        return ["-trimpath", *tags, "-gcflags=all=-dwarf=false", f"-ldflags={linked}"]


def download(module: str, version: str, deadline: Deadline) -> Path:
    """Return the folder of a module in the module cache, downloaded and verified if necessary.

    It is verified against the committed checksum, whatever GOSUMDB, GONOSUMDB and GOPRIVATE are; a version without one,
    against the checksum database. Raises ImageUnavailable if it is not served, its checksum does not match, or no
    checksum is known; then nothing is kept.
    """
    known = committed_sums(module, version)
    asked = {} if known else checksum_database(f"{module} {version}", deadline)
    with tempfile.TemporaryDirectory() as folder:
        holder = Path(folder)
        if known:
            (holder / "go.mod").write_text(_HOLDER)
            (holder / "go.sum").write_text(known)
        try:
            return retry_download(lambda: _download(f"{module}@{version}", holder, asked, deadline), deadline)
        except CommandFailed as error:
            raise ImageUnavailable(
                f"{module} {version} is not available from the Go module proxy: {error}\n"
                f"`{command_line('doctor')}` tells whether the proxy answers; "
                f"`{command_line('images --')} --load FILE` brings a ready set"
            ) from error


def _download(module: str, holder: Path, asked: Mapping[str, str], deadline: Deadline) -> Path:
    """Return the folder of a module ("MODULE@VERSION") in the cache. Raises CommandFailed with go's reason alone."""
    command = ["go", "mod", "download", "-json", module]
    answer = run(command, deadline, env={**GO_STEADY, **asked}, cwd=holder, check=False)
    facts = json.loads(answer.stdout) if answer.stdout.startswith("{") else {"Error": answer.stderr.strip()}
    if "Error" in facts:
        raise CommandFailed(facts["Error"], said=facts["Error"])
    return Path(facts["Dir"])


def committed_sums(module: str, version: str) -> str:
    """Return the committed lines of a go.sum for one module; "" if there are none."""
    names = (f"{module} {version} ", f"{module} {version}/go.mod ")
    texts = (path.read_text(encoding="utf-8") for path in (SUMS, *sorted(GO_SOURCES.rglob("go.sum"))))
    lines = dict.fromkeys(line for text in texts for line in text.splitlines() if line.startswith(names))
    return "".join(f"{line}\n" for line in lines)


def checksum_database(what: str, deadline: Deadline) -> Mapping[str, str]:
    """Return the environment in which go asks the checksum database about every module, whatever GOPRIVATE is.

    Raises ImageUnavailable if the database is switched off: then nothing can verify the content of `what`.
    """
    used = run(["go", "env", "GOSUMDB"], deadline).stdout.strip()
    if used in ("", "off"):
        raise ImageUnavailable(
            f"{what}: expected the checksum database to verify it, as no sum of it is committed; found "
            "GOSUMDB=off, so it is not downloaded; `unset GOSUMDB; go env -u GOSUMDB` lets the database be asked"
        )
    return {"GONOSUMDB": "none"}


def missing(module: Path, environment: Mapping[str, str]) -> str:
    """Return in one line why this machine's Go cannot build the module in the folder `module`; "" if it can.

    `environment` is the one that the build gets, and in which GOTOOLCHAIN may let an older Go download a newer one.
    """
    if not shutil.which("go"):
        return "no go on PATH"
    wanted = _go_numbers(_GO_LINE, (module / "go.mod").read_text(encoding="utf-8"))
    deadline = Deadline.after(_ASK_SECONDS, "go to tell its version")
    answer = run(["go", "env", "GOVERSION", "GOTOOLCHAIN"], deadline, env=environment, cwd=GO_SOURCES, check=False)
    version, _, toolchain = answer.stdout.strip().partition("\n")
    if _go_numbers(_GO_VERSION, version) >= wanted or (version and not toolchain.startswith(("local", "path"))):
        return ""
    needed = ".".join(str(number) for number in wanted)
    return f"{version or 'go'} on PATH is older than {needed}, and GOTOOLCHAIN={toolchain} lets it fetch no newer one"


def _go_numbers(form: re.Pattern[str], text: str) -> tuple[int, ...]:
    version = form.search(text)
    return tuple(int(number or 0) for number in version.groups()) if version else (0,)


def build(
    program: Program, module: Path, output: Path, deadline: Deadline, step: ProgressStep, *, fixed: bool = True
) -> None:
    """Build `program` in the module folder `module` into the folder `output`; show the progress on `step`.

    With `fixed`, the Go on PATH builds it, so that images are the same for everybody; else the one that the user's
    GOTOOLCHAIN chooses. Raises ImageUnavailable with the compiler's message, or the checksum that did not match.
    """
    output.mkdir(parents=True, exist_ok=True)
    env = GO_STEADY if fixed else _USERS_TOOLCHAIN
    total = len(_go(["list", "-deps", *program.packages], module, deadline, env).splitlines())
    compiled = ["go", "build", "-v", *program.arguments, "-o", f"{output}/", *program.packages]
    done = threading.Event()
    with tempfile.TemporaryFile("w+b") as names:
        teller = threading.Thread(target=_show_progress, args=(names.fileno(), total, step, done), daemon=True)
        teller.start()
        try:
            run(compiled, deadline, cwd=module, env=env, stderr=names)
        except CommandFailed as error:
            raise ImageUnavailable(f"{' '.join(program.packages)} of {module} does not build: {error}") from error
        finally:
            done.set()
            teller.join()


def _go(arguments: Sequence[str], module: Path, deadline: Deadline, env: Mapping[str, str]) -> str:
    try:
        done = retry_download(lambda: run(["go", *arguments], deadline, cwd=module, env=env), deadline)
    except CommandFailed as error:
        raise ImageUnavailable(f"the modules of {module} are not available or not verified: {error}") from error
    return done.stdout


def _show_progress(names: int, total: int, step: ProgressStep, done: threading.Event) -> None:
    while not done.wait(_TELL_EVERY_SECONDS):
        compiled = os.pread(names, _MOST_NAMES_BYTES, 0).count(b"\n")
        step.count(compiled, total, f"{compiled} packages compiled of at most {total}")
