"""Entry: what pytest loads of an installed harness; next to nothing, unless a session asks for scenarios by --chaos.

Whoever installs the harness has tests of other kinds, too: theirs must not notice it. So there is one option, the
markers, and fixtures that skip. `--chaos` loads the plugins that scenarios run with, before conftest.py files are read.
"""

import pytest

from chaos_harness.plugins import PLUGINS

__all__ = ["MARKERS"]

MARKERS = (
    "shape: what cluster a scenario runs on; keyword arguments are fields of chaos_harness.clusters.shape.Shape",
    "extended: a scenario that only runs when -m or -k selects something, or its id is given",
    "founding: a scenario that runs if nobody chooses any; founding(1) runs before founding(2)",
    "takes: how many seconds an experiment takes, takes(150); tests that share one name it: experiment='kill-all'",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option that is always there."""
    help_text = "run scenarios on real clusters, which takes minutes; `pytest --chaos --help` shows the options for it"
    parser.getgroup("chaos", "clusters and experiments").addoption("--chaos", action="store_true", help=help_text)


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Load the plugins of scenarios if they are asked for."""
    if early_config.known_args_namespace.chaos:
        for name in PLUGINS:
            early_config.pluginmanager.import_plugin(name)


def pytest_configure(config: pytest.Config) -> None:
    """Make the markers known."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.fixture(scope="module")
def cluster() -> None:
    """Skip: nobody asked for clusters. The plugins of scenarios are loaded later: their fixtures go before these."""
    pytest.skip("a scenario, on a real cluster: `pytest --chaos` runs it")


@pytest.fixture(scope="module")
def experiments(cluster: None) -> None:
    """Skip, as `cluster` does."""


@pytest.fixture
def experiment(experiments: None) -> None:
    """Skip, as `cluster` does."""
