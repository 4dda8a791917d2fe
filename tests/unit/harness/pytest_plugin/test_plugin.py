"""Plugin: real pytest sessions in processes of their own, in which only making and removing clusters is pretended."""

import json
import re
import signal
from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.deadline import Deadline
from tests.fakes.session_folder import SessionFolder
from tests.thorough import sampled, thorough

MANIFEST = """
import pytest
pytestmark = pytest.mark.shape(install="manifest")
def test_one(cluster): pass
def test_two(cluster): pass
"""
CHART = MANIFEST.replace("manifest", "chart")
NO_IMAGE = """
from chaos_harness.clusters import images
from chaos_harness.harness.errors import ImageUnavailable

def ensure(engine, shapes, progress, rules):
    raise ImageUnavailable(f"no image for {[shape.install for shape in shapes]}\\n`doctor` shows why")

images.ensure = ensure
"""
XDIST = ("-p", "xdist", "-n", "2")
_DEFAULT = known_versions.DEFAULT_KUBERNETES[1:]
OPEN = "def test_open(cluster): pass\n"


@pytest.fixture
def bench(tmp_path: Path) -> SessionFolder:
    return SessionFolder(tmp_path)


def test_files_of_one_shape_share_a_cluster(bench: SessionFolder) -> None:
    """It is put back between the files, and removed after the last test; another shape has a cluster of its own."""
    bench.write(chart=CHART, manifest=MANIFEST, other=MANIFEST)
    status, output = bench.run()
    assert status == 0, output
    assert bench.did() == [
        f"create 1cp2w-k{_DEFAULT}-g3.23.1-chart keep=False",
        f"delete 1cp2w-k{_DEFAULT}-g3.23.1-chart",
        f"create 1cp2w-k{_DEFAULT}-g3.23.1-manifest keep=False",
        f"restore 1cp2w-k{_DEFAULT}-g3.23.1-manifest",
        f"delete 1cp2w-k{_DEFAULT}-g3.23.1-manifest",
    ]
    assert "Test 5 of 6, about 6 minutes left" in output
    assert list((bench.folder / "state/chaos-harness/runs").iterdir()) == []


@pytest.mark.parametrize("workers", [(), XDIST])
def test_an_image_that_cannot_be_had(bench: SessionFolder, workers: tuple[str, ...]) -> None:
    """It is one error for all tests, with what to type, before a cluster is made; what is not chosen needs none."""
    bench.write(none=NO_IMAGE, chart=CHART, manifest=MANIFEST, quiet="def test_quiet(): pass\n")
    status, output = bench.run(*workers, "-k", "one or two")
    assert status == 4, output
    assert output.count("no image for ['chart', 'manifest']") == 1
    assert output.count("`doctor` shows why") == 1
    assert "Traceback" not in output
    assert bench.did() == []

    assert bench.run(*workers, "-k", "quiet")[0] == 0
    _, output = bench.run(*workers, "test_none.py", "test_chart.py", "test_manifest.py::test_one", "-k", "test_chart")
    assert "no image for ['chart']" in output


def test_bad_options(bench: SessionFolder) -> None:
    """All problems of the options are told at once, as a usage error, and no cluster is touched."""
    bench.write(open=OPEN)
    status, output = bench.run(
        *("--gatekeeper", "v9.9.9", "--workers", "99", "--install", "magic", "--times", "0", "--lock", "no/lock.yaml"),
        *("--pool-name", "mine"),
    )
    assert status == 4
    assert "Gatekeeper v9.9.9 cannot be run; expected a version in full from v3.16.0 on" in output
    assert "workers" in output
    assert "install" in output
    assert "times: expected a number above 0 (was 0)" in output
    assert "pool-name: mine is a pool; give --pool, too, or leave it out" in output
    assert "no/lock.yaml: cannot be read: No such file or directory" in output
    assert "Traceback" not in output
    assert bench.did() == []


def test_bad_shapes(bench: SessionFolder) -> None:
    """All problems of all files' shapes are told at once, as a usage error, and no cluster is touched."""
    bench.write(
        a=MANIFEST,
        b='import pytest\n@pytest.mark.shape(wokers=2, kubernetes="v0")\ndef test_b(cluster): pass\n',
        c='import pytest\n@pytest.mark.shape("chart")\ndef test_c(cluster): pass\n',
        d=MANIFEST + "@pytest.mark.shape(workers=3)\ndef test_three(cluster): pass\n",
    )
    status, output = bench.run()
    assert status == 4, output
    assert "test_b.py: no such field 'wokers'; did you mean workers? there are control_planes, workers" in output
    assert "test_b.py: kubernetes: Kubernetes v0 has no recipe" in output
    assert "test_c.py: shape takes keyword arguments only" in output
    assert "test_d.py: two shapes" in output
    assert bench.did() == []


@thorough
def test_bad_shapes_under_xdist(bench: SessionFolder) -> None:
    """Under xdist the same problems are told and no cluster is touched."""
    bench.write(b="import pytest\n@pytest.mark.shape(wokers=2)\ndef test_b(cluster): pass\n")
    status, output = bench.run(*XDIST)
    assert status == 4, output
    assert "no such field 'wokers'" in output
    assert bench.did() == []


def test_options_fill_what_is_open(bench: SessionFolder) -> None:
    """An option decides what a file leaves open, and deselects the tests that say otherwise."""
    bench.write(manifest=MANIFEST, chart=CHART, open=OPEN)
    status, output = bench.run("--install", "chart", "--gatekeeper", "v3.20.1")
    assert status == 0, output
    assert "3 passed, 2 deselected" in output
    assert {line for line in bench.did() if "create" in line} == {f"create 1cp2w-k{_DEFAULT}-g3.20.1-chart keep=False"}


def test_a_minor_is_enough(bench: SessionFolder) -> None:
    """An option that names a minor, and a marker that does, mean the same as the full version."""
    version = "@pytest.mark.shape(gatekeeper={!r})\ndef test_{}(cluster): pass\n"
    minor, full, other = (version.format(*named) for named in (("3.20", "a"), ("v3.20.1", "b"), ("3.23", "c")))
    bench.write(a=f"import pytest\n{minor}{full}", b=f"import pytest\n{other}")
    status, output = bench.run("--gatekeeper", "v3.20", "--kubernetes", "1.35")
    assert status == 0, output
    assert "2 passed, 1 deselected" in output
    patch = known_versions.resolve_version("1.35", known_versions.KUBERNETES)
    assert patch
    assert bench.did()[0] == f"create 1cp2w-k{patch[1:]}-g3.20.1-manifest keep=False"


def test_extended(bench: SessionFolder) -> None:
    """What is extended runs only when somebody selects, and touches no cluster otherwise."""
    bench.write(more="import pytest\ndef test_short(): pass\n@pytest.mark.extended\ndef test_long(cluster): pass\n")
    assert "1 passed, 1 deselected" in bench.run()[1]
    assert bench.did() == []
    assert "1 passed, 1 deselected" in bench.run("-m", "extended")[1]
    assert bench.did()


def test_nothing_left(bench: SessionFolder) -> None:
    """If no test is left, that is no success."""
    bench.write(manifest=MANIFEST)
    status, _ = bench.run("--install", "chart")
    assert status == 5


def test_seed(bench: SessionFolder) -> None:
    """The seed is told: the one that is given, else a new one."""
    bench.write(nothing="def test_nothing(): pass\n")
    assert "chaos: --seed 7\n" in bench.run("--seed", "7")[1]
    seeds = {match[1] for _ in range(2) if (match := re.search(r"--seed (\d+)", bench.run()[1]))}
    assert len(seeds) == 2


@pytest.mark.parametrize(
    ("keep", "body", "kept", "workers"),
    sampled(
        [
            ("on-failure", "assert 0", True, ()),
            ("always", "pass", True, ()),
            ("never", "assert 0", False, ()),
            ("on-failure", "pass", False, ()),
            ("always", "pass", True, XDIST),
        ],
        2,
    ),
    ids=["failed", "always", "never", "passed", "xdist"],
)
def test_keep(bench: SessionFolder, keep: str, body: str, workers: tuple[str, ...], *, kept: bool) -> None:
    """A cluster that is to be kept is, and the commands that use and remove it are told."""
    bench.write(one=f"def test_one(cluster): {body}\n")
    _, output = bench.run("--keep", keep, *workers)
    assert (f"kubectl --kubeconfig {bench.folder}/state" in output) == kept
    assert ("nox -s gc -- --all" in output) == kept
    assert any(line.startswith("delete") for line in bench.did()) != kept
    assert any((bench.folder / "state/chaos-harness/runs").iterdir()) == kept


@thorough
def test_sigterm(bench: SessionFolder) -> None:
    """SIGTERM is an orderly stop with fixtures torn down and the status of an interruption; a second is ignored."""
    bench.write(
        slow="from chaos_harness.clusters.deadline import Deadline\n"
        "def test_slow(cluster):\n"
        "    try:\n"
        "        for _ in Deadline.after(30, 'the signal').attempts(): pass\n"
        "    finally:\n"
        "        for _ in Deadline.after(1, 'the second signal').attempts(): pass\n"
    )
    process = bench.start()
    for _ in Deadline.after(30, "the cluster").attempts():
        if bench.did():
            break
    for _ in Deadline.after(0.5, "the test to begin").attempts():
        pass
    process.send_signal(signal.SIGTERM)
    for _ in Deadline.after(0.3, "the stop to begin").attempts():
        pass
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 2, output
    assert bench.did()[-1].startswith("delete")


HIDDEN = {
    "test": "def test_a(cluster): stop()\n",
    "setup": "@pytest.fixture\ndef broken(cluster): stop()\ndef test_a(broken): pass\n",
    "teardown": "@pytest.fixture\ndef broken(cluster):\n    yield\n    stop()\ndef test_a(broken): pass\n",
}


@pytest.mark.parametrize("where", sampled(list(HIDDEN), 1))
def test_an_error_after_an_interrupt_does_not_hide_it(bench: SessionFolder, where: str) -> None:
    """A run that is told to stop stops, though what it was at fails to end: the next test does not begin."""
    bench.write(
        hidden="import pytest\nfrom chaos_harness.harness.errors import ProbeBroken\n"
        "def stop():\n    try:\n        raise KeyboardInterrupt\n    finally:\n        raise ProbeBroken('late')\n"
        f"{HIDDEN[where]}def test_b(record_property): record_property('next', 'test')\n"
    )
    status, output = bench.run()
    assert status == pytest.ExitCode.INTERRUPTED, output
    assert [line.split()[0] for line in bench.did()] == ["create", "delete"]


@thorough
def test_xdist(bench: SessionFolder) -> None:
    """Workers of xdist have clusters of their own, one a file."""
    bench.write(manifest=MANIFEST, chart=CHART)
    status, output = bench.run(*XDIST)
    assert status == 0, output
    assert sorted(line.split()[0] for line in bench.did()) == ["create", "create", "delete", "delete"]


TRIED = """
import pytest
MADE = []  # kept, since an id is given anew
@pytest.fixture(scope="module")
def tried(request, experiments):
    MADE.append(experiments("row"))
    return request.param, MADE[-1]
@pytest.mark.parametrize("tried", ["a", "b"], indirect=True, scope="module")
@pytest.mark.parametrize("cell", [1, 2])
def test_cell(tried, cell, record_property):
    row, experiment = tried
    record_property("tried", f"{row}{cell} {experiment.record.seed} {id(experiment)}")
"""


@thorough
def test_times(bench: SessionFolder) -> None:
    """Each experiment is made anew as often as asked, on one cluster, each time with a seed of its own."""
    bench.write(tried=TRIED)
    status, output = bench.run("--times", "3", "--seed", "7")
    assert status == 0, output
    tries = [line.split()[1:] for line in bench.did() if line.startswith("tried")]
    assert sorted({(cell, seed) for cell, seed, _ in tries}) == [
        (cell, seed) for cell in ("a1", "a2", "b1", "b2") for seed in ("7", "8", "9")
    ]
    assert len({experiment for _, _, experiment in tries}) == 6
    assert len([line for line in bench.did() if line.startswith("create")]) == 1


EXPERIMENT = """
import contextlib
import pytest
from chaos_harness.harness.errors import FaultNotApplied
from chaos_harness.harness.faults.registry.cut import cut_registry
from tests.fakes.world import World
from chaos_harness.harness.experiment import lifecycle

@pytest.fixture(scope="module")
def chaos_cluster(tmp_path_factory):
    world = World()
    world.pod("a", "w-worker")
    world.ignored = set({ignored})
    with world.cluster(tmp_path_factory.mktemp("c")) as cluster:
        yield cluster

@pytest.fixture(autouse=True)
def no_probes(monkeypatch):
    monkeypatch.setattr(lifecycle.Experiment.__init__, "__kwdefaults__",
        lifecycle.Experiment.__init__.__kwdefaults__ | {"probes": lambda *_: []})

def test_cut(experiment):
    with experiment.fault(cut_registry()):
        pass
"""


def test_record(bench: SessionFolder) -> None:
    """A test's experiment leaves its record in the reports, and its history where it was asked to."""
    bench.write(cut=EXPERIMENT.replace("{ignored}", "[]"))
    status, output = bench.run("--seed", "7", "--histories", "told")
    assert status == 0, output
    record = json.loads(next(line for line in bench.did() if "chaos-record" in line).partition(" ")[2])
    assert (record["name"], record["seed"]) == ("test_cut", 7)
    assert record["faults"][0]["healed_at"]
    assert Path(record["history"]).is_relative_to(bench.folder / "told")


def test_no_op_is_not_green(bench: SessionFolder) -> None:
    """A scenario whose fault is a no-op does not pass; its record is left all the same."""
    bench.write(cut=EXPERIMENT.replace("{ignored}", '["stop"]'))
    status, output = bench.run()
    assert status == 1
    assert "FaultNotApplied" in output
    assert [line for line in bench.did() if "chaos-record" in line]


def test_fixtures_of_the_same_names(bench: SessionFolder) -> None:
    """A repository's own `engine` and `cluster` hide only our short names: experiments are on our cluster."""
    bench.write(
        manifest="import pytest\n"
        "@pytest.fixture\ndef engine(): return 'V8'\n"
        "@pytest.fixture\ndef cluster(): return 'of grapes'\n"
        'def test_theirs(engine, cluster): assert (engine, cluster) == ("V8", "of grapes")\n'
        "def test_ours(experiments, chaos_cluster): assert experiments('x').cluster is chaos_cluster\n"
    )
    status, output = bench.run()
    assert status == 0, output
    assert len(bench.did()) == 2


RETRIED = """
from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.errors import ApiRefused
from chaos_harness.clusters.retrying import retry

def test_retried():
    refusals = [ApiRefused(429, "storage is (re)initializing")]
    def read():
        if refusals:
            raise refusals.pop()
        return 1
    assert retry(read, Deadline.after(60, "the fingerprint"), passes=lambda error: True) == 2
"""


def test_a_retry_is_in_the_log_of_its_test(bench: SessionFolder) -> None:
    """How often it was refused, why, and how long it took."""
    bench.write(retried=RETRIED)
    output = bench.run()[1]
    log = output.partition("Captured log call")[2]
    assert "the fingerprint: attempt 1 refused, next in 0.1 s: the API server: 429 storage is (re)initializing" in log
    assert re.search(r"the fingerprint: succeeded at attempt 2, after \d\.\d s", log), output
