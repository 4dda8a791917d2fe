"""Tests of tests.longest: workers begin with the files that took longest, in one order."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.longest import Longest

_TESTS = ["a.py::one", "b.py::one", "b.py::two", "c.py::one"]


class Cache(dict[str, Any]):
    """What is asked of pytest's cache."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def _controller(cache: Cache, root: Path = Path("/nowhere")) -> Longest:
    return Longest(SimpleNamespace(cache=cache, rootpath=root))  # type: ignore[arg-type]


def _order(controller: Longest, root: Path = Path("/nowhere")) -> list[str]:
    """Return the order in which a worker of the controller's collects."""
    node: Any = SimpleNamespace(workerinput={})
    controller.pytest_configure_node(node)
    tests: list[Any] = [SimpleNamespace(nodeid=name) for name in _TESTS]
    worker: Any = SimpleNamespace(cache=Cache(), workerinput=node.workerinput, rootpath=root)
    Longest(worker).pytest_collection_modifyitems(tests)
    return [test.nodeid for test in tests]


def _run(cache: Cache, **seconds: float) -> None:
    controller = _controller(cache)
    for name in _TESTS:
        report: Any = SimpleNamespace(nodeid=name, duration=seconds.get(name[0], 0.0))
        controller.pytest_runtest_logreport(report)
    controller.pytest_sessionfinish()


def test_what_took_longest_is_begun_first() -> None:
    """A file takes what its tests take together, or took; it stays together, and each test keeps its place in it."""
    cache = Cache()
    assert _order(_controller(cache)) == ["b.py::one", "b.py::two", "a.py::one", "c.py::one"]
    _run(cache, a=1.0, b=2.0, c=3.0)
    assert _order(_controller(cache)) == ["b.py::one", "b.py::two", "c.py::one", "a.py::one"]


def test_files_of_a_group_stay_together(tmp_path: Path) -> None:
    """It takes what they take together; they keep their order, so that what must be first is."""
    cache = Cache()
    _run(cache, a=2.0, b=2.0, c=2.5)
    for name in "ac":
        (tmp_path / f"{name}.py").write_text('pytestmark = [pytest.mark.xdist_group("both")]\n', encoding="utf-8")
    assert _order(_controller(cache), tmp_path) == ["a.py::one", "c.py::one", "b.py::one", "b.py::two"]


def test_the_latest_run_is_kept_alone() -> None:
    """What only an earlier run has tried is no part of it."""
    cache = Cache()
    _run(cache, a=1.0)
    cache["chaos/seconds"]["earlier.py"] = 9.0
    _run(cache, c=3.004)
    assert cache["chaos/latest"] == {"a.py": 0.0, "b.py": 0.0, "c.py": 3.0}


def test_a_run_that_ends_meanwhile_changes_no_order() -> None:
    """Workers have their controller's figures, whatever another run has written since."""
    cache = Cache()
    _run(cache, c=3.0)
    controller = _controller(cache)
    before = _order(controller)
    _run(cache, a=9.0)
    assert _order(controller) == before != _order(_controller(cache))


def test_without_a_worker_the_order_stays() -> None:
    """A run in one process is in the order of the files."""
    cache = Cache()
    _run(cache, c=3.0)
    tests: list[Any] = [SimpleNamespace(nodeid=name) for name in _TESTS]
    _controller(cache).pytest_collection_modifyitems(tests)
    assert [test.nodeid for test in tests] == _TESTS
