"""Making: missing artefacts are made two at a time; if one fails, or at an interrupt, the others end at once."""

import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait

from chaos_harness.clusters.images.store import Artefact
from chaos_harness.clusters.machine import process
from chaos_harness.clusters.machine.locking import give_up_locks
from chaos_harness.clusters.terminal.progress import Progress

__all__ = ["make_artefacts"]

_ENDING_SECONDS = 0.1


def make_artefacts(wanted: Sequence[Artefact], progress: Progress) -> None:
    """Make the missing artefacts, each once, downloads beside builds.

    If one fails, or this thread is interrupted, all commands of the others are ended, and they wait no more for an
    artefact that another process makes. Raises what the first one raised.
    """
    artefacts = list({artefact.folder: artefact for artefact in wanted}.values())
    downloads = [artefact for artefact in artefacts if artefact.name.endswith("-rootfs")]
    builds = [artefact for artefact in artefacts if artefact not in downloads]
    ending = threading.Event()

    def make_all(those: Sequence[Artefact]) -> None:
        with give_up_locks(ending):
            for artefact in those:
                artefact.get(progress)

    with ThreadPoolExecutor(max_workers=2) as threads:
        parts = [threads.submit(make_all, those) for those in (downloads, builds)]
        try:
            wait(parts, return_when=FIRST_EXCEPTION)
            for part in filter(Future.done, parts):
                part.result()
        except BaseException:
            ending.set()
            while wait(parts, timeout=_ENDING_SECONDS).not_done:  # a thread may be between two commands
                process.end_all()
            raise
