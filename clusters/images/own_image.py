"""Own image: an image of the user's, which the engine must hold, for the processor that the nodes run on."""

import json
from collections.abc import Iterable

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import Engine
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.images.resolve import LocalImage

__all__ = ["require_image", "require_images"]

_SECONDS = 60.0


def require_images(engine: Engine, names: Iterable[str]) -> list[LocalImage]:
    """Return the images that the engine holds under these names, as `require_image`. Raises BadScenario for all."""
    found: list[LocalImage] = []
    problems: list[str] = []
    for name in dict.fromkeys(names):
        try:
            found.append(require_image(engine, name))
        except BadScenario as error:
            problems += error.problems
    if problems:
        raise BadScenario(problems)
    return found


def require_image(engine: Engine, name: str) -> LocalImage:
    """Return the image that the engine holds under a name. Raises BadScenario if it holds none that nodes can run."""
    deadline = Deadline.after(_SECONDS, f"the engine to say what {name} is")
    answer = engine.run(["image", "inspect", name], deadline, check=False)
    if answer.returncode:
        command = f"docker --host {engine.host}"
        raise BadScenario(
            f"image {name}: the engine at {engine.host} holds none of this name; `{command} pull {name}` brings it "
            f"there, or, from another engine, `docker save {name} | {command} load`"
        )
    found = json.loads(answer.stdout)[0]
    runs = engine.run(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"], deadline).stdout.strip()
    is_for = f"{found.get('Os')}/{found.get('Architecture')}"
    if is_for != runs:
        raise BadScenario(f"image {name} is for {is_for}, and the engine's nodes run {runs}; build it for {runs}")
    return LocalImage(name, found["Id"], "present")
