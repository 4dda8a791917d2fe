"""OCI runtime shim: a program between dockerd and runc that drops capabilities which the host lacks."""

import shutil
import sys
from pathlib import Path

__all__ = ["write"]

_SYSTEM_PYTHON = Path("/usr/bin/python3")
_PROGRAM = """\
#!{python} -IS
import json
import os
import sys

MISSING = frozenset({missing})


def remove_capabilities(path):
    with open(path, encoding="utf-8") as file:
        spec = json.load(file)
    sets = spec.get("process", spec).get("capabilities") or {{}}
    for name, capabilities in sets.items():
        sets[name] = [each for each in capabilities if each not in MISSING]
    scratch = path + ".chaos-harness"
    with open(scratch, "w", encoding="utf-8") as file:
        json.dump(spec, file)
    os.replace(scratch, path)


def option(arguments, *names):
    for index, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name in names:
            return value if equals else arguments[index + 1]
    return None


arguments = sys.argv[1:]
command = next((each for each in arguments if each in ("create", "run", "exec")), None)
if command == "exec":
    process = option(arguments, "--process", "-p")
    if process:
        remove_capabilities(process)
elif command:
    remove_capabilities(os.path.join(option(arguments, "--bundle", "-b") or ".", "config.json"))
os.execv({runc!r}, ["runc", *arguments])
"""


def write(path: Path, missing: tuple[str, ...], runc: str) -> None:
    """Write the shim that removes the capabilities `missing` and then becomes `runc` (an absolute path).

    runc refuses a container whose capabilities cannot all be set, and `docker run --privileged` asks for every one. The
    interpreter is the system's, which outlives a virtualenv.
    """
    python = (
        _SYSTEM_PYTHON if _SYSTEM_PYTHON.exists() else Path(shutil.which(sys.executable) or sys.executable).resolve()
    )
    text = _PROGRAM.format(python=python, missing=sorted(missing), runc=runc)
    scratch = path.with_suffix(".new")
    scratch.write_text(text)
    scratch.chmod(0o700)
    scratch.replace(path)
