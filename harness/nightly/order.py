"""Order: what a Kubernetes Job says to each of its pods, as a file that is mounted into them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from chaos_harness.clusters.machine import bounded_files
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.errors import BadScenario

__all__ = ["FILES", "ORDER", "Order"]

ORDER = "order.json"
FILES = "files"
"""The folder beside it that has the files of the night."""

_MOST_BYTES = 64 * 2**10
_SHORT = 200


class Order(BaseModel):
    """What the pods of a Job have in common.

    `digest` is that of the plan, `shards` how many pods there are. `matrix` is a file below FILES, and `own`, if it is
    not None, the folder of the harness's own scenarios from which it names others. `lock` is a file below FILES, too.
    `results` is where the folders of shards are, `nights` where those of earlier nights are, `images` a ready set; all
    are paths in the pod. `budget` is in seconds, from the beginning of a shard's ledger. `only` names cells (none:
    all); `shared`: cells of one shape use clusters one after another.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    harness: str
    digest: str
    shards: Annotated[int, Field(ge=1)]
    matrix: str
    own: str | None = None
    results: str
    nights: str
    budget: float | None = None
    jobs: int = 1
    seed: int | None = None
    lock: str | None = None
    locked: bool = False
    images: str | None = None
    only: tuple[str, ...] = ()
    shared: bool = True

    @classmethod
    def read(cls, path: Path) -> "Order":
        """Return the order in a file. Raises BadScenario."""
        try:
            return cls.model_validate_json(bounded_files.read_bounded_text(path, _MOST_BYTES))
        except ValidationError as error:
            said = escape_controls(str(error.errors()[0]["msg"]), most=_SHORT)
            raise BadScenario(f"{path}: is no order of a Job that this version of the harness made: {said}") from error
