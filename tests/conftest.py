"""What all tests share: an interrupt interrupts, whoever started them, and no test judges how busy the machine is."""

import gc
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.costs import Costs
from tests.longest import Longest
from tests.profiles import load_profiles
from tests.thorough import deselect_thorough

_ROOT = Path(__file__).resolve().parents[1]

# What tests start imports the harness and the tests as they do, wherever it is started.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(_ROOT / "src"), str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
)

# A shell starts what it puts into the background with SIGINT ignored, nohup with SIGHUP, and so do all that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

os.environ.setdefault("CHAOS_YES", "1")  # a test that starts an engine does so on purpose

load_profiles()

gc.disable()  # until all tests are collected: hardly anything of that is garbage


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Longest(config))
    config.pluginmanager.register(Costs(config))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave to `nox -s tests` what takes long."""
    deselect_thorough(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Look for garbage only in what tests make: walking over all that stays was 40 % of collecting, in each worker."""
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()
