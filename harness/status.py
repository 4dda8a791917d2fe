"""Status: what a command's end is as an exit status, decided in one place, with one line that says why."""

import signal
import sys
from collections.abc import Callable

from harness.errors import BadScenario, ChaosError

__all__ = ["status"]


def status(work: Callable[[], int]) -> int:
    """Do the work of a command and return its exit status; SIGTERM interrupts it as Ctrl-C does.

    What `work` returns: it was done. 1: it could not be done, and why is on standard error. 2: what was asked for
    cannot be, and nothing was touched. 130: interrupted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return work()
    except KeyboardInterrupt:
        return _fail("interrupted; what was under way is removed by `nox -s gc` and by the next run", 130)
    except BadScenario as error:
        return _fail(str(error), 2)
    except ChaosError as error:
        return _fail(str(error), 1)


def _fail(message: str, found: int) -> int:
    sys.stderr.write(f"error: {message}\n")
    return found
