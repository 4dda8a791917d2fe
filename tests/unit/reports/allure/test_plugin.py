"""Allure: small real sessions with hand-made records, and the result files that they leave."""

import gzip
import json
from pathlib import Path

import pytest

from chaos_harness.reports import run_directory
from chaos_harness.reports.allure.categories import NO_LONGER_REPRODUCES, nodeid_of
from chaos_harness.reports.trends import quality_gate
from tests.sessions import SCENARIOS, Session, run
from tests.thorough import sampled, thorough


@pytest.fixture(scope="module")
def again(every_kind: Session) -> Session:
    """Run one of the tests again in the same place, told to clean up before it begins."""
    return run(every_kind.results.parents[3], SCENARIOS, "-k", "restart and Always", "--clean-alluredir")


def test_every_test_leaves_one_result(every_kind: Session) -> None:
    """Seven tests leave seven results, failed for the product's fault and broken for the harness's."""
    statuses = {result["name"]: result["status"] for result in every_kind.load("*-result.json")}

    assert statuses == {
        "test_pods_restart[Always]": "passed",
        "test_pods_restart[IfNotPresent]": "passed",
        "test_product[Always-present]": "failed",
        "test_mended": "failed",
        "test_undecided": "broken",
        "test_harness": "broken",
        "test_skipped": "skipped",
    }


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_run_records_how_many_tests_were_chosen(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """Also where workers collect them, so that the overview of a run that is stopped says how many are missing."""
    session = run(tmp_path, SCENARIOS, "-k", "restart or harness", *workers)

    state = run_directory.read_state(session.results.parent)
    assert state is not None
    assert state.chosen == 3


def test_steps_tell_phases_faults_and_claims_in_order(every_kind: Session) -> None:
    """Phases and faults stand in the order of their real times, in milliseconds, the claims behind them."""
    steps = every_kind.result("test_pods_restart[Always]")["steps"]

    assert [(step["name"], step["status"], step["start"], step["stop"]) for step in steps] == [
        ("steady state", "passed", 1_000_000, 1_002_500),
        ("cut registry, until healed", "passed", 1_003_000, 1_009_000),
        ("recovered", "failed", 1_010_000, 1_072_000),
        ("claim: pods ready within 60 s: violated (expected violated)", "passed", 1_072_000, 1_072_000),
    ]
    assert [step["name"] for step in steps[1]["steps"]] == ["observed: no request since", "healed: answers 200"]
    assert [(parameter["name"], parameter["value"]) for parameter in steps[3]["parameters"]] == [
        ("recovered_seconds", "62"),
        ("asked_seconds", "1.5"),
    ]


def test_parameter_that_is_an_object_is_told_by_the_id(every_kind: Session) -> None:
    """An object's repr, which differs from run to run, is neither shown nor part of the history id."""
    parameters = every_kind.result("test_product[Always-present]")["parameters"]

    assert {"name": "case", "value": "Always-present"} in parameters
    assert "object" not in str(parameters)


def test_what_did_not_end_is_not_shown_as_passed(every_kind: Session) -> None:
    """A fault that was never healed is broken, and a phase that is not over has no verdict."""
    harm, heal, _ = every_kind.result("test_mended")["steps"]

    assert (harm["name"], harm["status"], harm["stop"]) == ("cut registry, not healed", "broken", 1_003_000)
    assert (heal["name"], heal["status"], heal["stop"]) == ("heal: cut registry", "unknown", 1_009_000)


def test_history_hangs_on_shape_and_not_on_names(every_kind: Session, again: Session) -> None:
    """Cluster name and seed are excluded: another run of the same test has the same history id."""
    first, second = (one.result("test_pods_restart[Always]") for one in (every_kind, again))
    excluded = {parameter["name"] for parameter in first["parameters"] if parameter.get("excluded")}

    assert excluded == {"cluster", "seed"}
    assert {"kubernetes", "install", "policy"} <= {parameter["name"] for parameter in first["parameters"]}
    assert first["historyId"] == second["historyId"]
    assert first["historyId"] != every_kind.result("test_pods_restart[IfNotPresent]")["historyId"]


def test_result_is_filed_under_feature_and_story(every_kind: Session) -> None:
    """A result carries its file as feature, its test as story, and the upstream issue as a link."""
    result = every_kind.result("test_pods_restart[Always]")
    labels = {(label["name"], label["value"]) for label in result["labels"]}

    assert {("feature", "registry"), ("story", "pods restart")} <= labels
    assert result["links"] == [
        {
            "type": "issue",
            "url": "https://github.com/open-policy-agent/gatekeeper/issues/3839",
            "name": "open-policy-agent/gatekeeper#3839",
        }
    ]


def test_attachments_hold_no_secret(every_kind: Session) -> None:
    """History, journal and logs are attached without their secrets; a large one is compressed."""
    result = every_kind.result("test_pods_restart[Always]")

    assert b"cGxhbnRlZA" not in every_kind.attachment(result, "history")
    assert b"start_container" in every_kind.attachment(result, "journal")
    assert gzip.decompress(every_kind.attachment(result, "registry log.gz")).count(b"Bearer <redacted>") == 6_000
    assert b"No such file" in every_kind.attachment(result, "events (missing)")
    assert b"planted" not in b"".join(path.read_bytes() for path in every_kind.results.iterdir())


def test_environment_tells_versions_seed_and_engine(every_kind: Session) -> None:
    """environment.properties names what the run stood on."""
    lines = (every_kind.results / "environment.properties").read_text(encoding="utf-8").splitlines()

    assert {"seed=7", "kubernetes=v1.36.4", "engine=docker 20.10.24", "install=manifest"} <= set(lines)
    assert any(line.startswith("python.allure-pytest=2.") for line in lines)


def test_histories_lie_beside_the_results(every_kind: Session) -> None:
    """The harness is told to write the run's histories into the run's directory."""
    assert f"histories: {every_kind.results.parent / 'experiments'}\n" in every_kind.output


def test_run_goes_to_a_fresh_directory(every_kind: Session, again: Session) -> None:
    """A second run leaves the first one's results alone, even told to clean up, and moves the link."""
    assert again.results != every_kind.results
    assert len(every_kind.load("*-result.json")) == 7
    assert len(again.load("*-result.json")) == 1


def test_collecting_leaves_nothing(tmp_path: Path) -> None:
    """--collect-only makes no results directory."""
    run(tmp_path, SCENARIOS, "--collect-only")

    assert not (tmp_path / "reports").exists()


@thorough
def test_crashed_worker_leaves_a_broken_result(tmp_path: Path) -> None:
    """The test that takes its worker along is broken in the results; the others' are kept, though told to clean up."""
    crashing = SCENARIOS + "\ndef test_crash():\n    os.kill(os.getpid(), 9)\n"

    session = run(tmp_path, crashing, "-n", "1", "--clean-alluredir")  # and one more, which replaces the crashed
    crashed = session.result("test_crash")

    assert session.status == 1
    assert len(session.load("*-result.json")) == 8
    assert crashed["status"] == "broken"
    assert crashed["fullName"] == "scenarios.test_registry#test_crash"
    assert "crashed while running" in crashed["statusDetails"]["message"]
    assert "nox -s gc" in crashed["statusDetails"]["message"]
    assert session.output.count("= chaos =") == 1
    assert session.load("categories.json")
    assert "seed=7" in (session.results / "environment.properties").read_text(encoding="utf-8")


@thorough
@pytest.mark.parametrize(
    ("scenarios", "reason"),
    [
        ("import nothing_of_this_name\n", "cannot be collected"),
        ("import pytest\ndef test_x(): pytest.exit('engine died')\n", "engine died"),
    ],
)
def test_session_that_ends_early_leaves_an_error(tmp_path: Path, scenarios: str, reason: str) -> None:
    """A session that broke outside any test leaves its reason among the global errors."""
    session = run(tmp_path, scenarios)

    assert session.status not in {0, 1}
    assert reason in str(session.load("*-globals.json"))


def test_result_leads_back_to_its_test(every_kind: Session) -> None:
    """A result tells the id by which pytest knows its test."""
    nodeids = {nodeid_of(result) for result in every_kind.load("*-result.json")}

    assert "scenarios/test_registry.py::test_pods_restart[Always]" in nodeids
    assert len(nodeids) == 7


def test_sentence_comes_first(every_kind: Session) -> None:
    """A result is described by its sentence, and says what it is that cannot be drawn."""
    description = every_kind.result("test_pods_restart[Always]")["descriptionHtml"]

    assert description.startswith("<p><em>Restarted pods come back.</em></p>")
    assert "known upstream defect gatekeeper#3839 reproduces" in description
    assert "there is no history to read" in description


def test_a_known_defect_that_is_gone_is_marked_for_allure(tmp_path: Path) -> None:
    """Allure's categories read nothing but messages: the record's claim decides, however the error is worded."""
    scenarios = """
from chaos_harness.harness.errors import InvariantViolated

def test_gone(leave):
    claim = {"name": "c", "expected": "violated", "outcome": "holds", "issue": "gatekeeper#1", "summary": "s",
             "evidence": [], "figures": {}}
    leave(claims=[claim])
    raise InvariantViolated("whatever it says")
"""
    message = run(tmp_path, scenarios, "--tb=no").result("test_gone")["statusDetails"]["message"]

    assert message.splitlines() == [
        "chaos_harness.harness.errors.InvariantViolated: whatever it says",
        NO_LONGER_REPRODUCES,
    ]


@thorough
def test_disk_that_is_full_at_the_end_is_said(tmp_path: Path) -> None:
    """What cannot be written is named, and the run's status stays pytest's."""
    blocked = (
        SCENARIOS
        + """
def test_blocks(request):
    results = Path(request.config.option.allure_report_dir)
    (results / "figures-perf.json").mkdir()
"""
    )
    session = run(tmp_path, "from pathlib import Path\n" + blocked, "-k", "blocks or Always and restart")

    assert session.status == 0
    assert "the report is not complete: " in session.output
    assert "see `df " in session.output


STRICT = "--fail-on-regression"


@pytest.mark.parametrize(
    ("seconds", "options", "status", "lines"),
    sampled([(12.0, [STRICT], 1, 1), (62.0, [STRICT], 0, 0), (12.0, [], 0, 1)], 1),
)
def test_regression_is_said(tmp_path: Path, seconds: float, options: list[str], status: int, lines: int) -> None:
    """A figure that is worse than in earlier runs, beyond noise, is told; the status is the claims' unless asked."""
    trend = tmp_path / "reports/out/trend.jsonl"
    trend.parent.mkdir(parents=True)
    test = "scenarios/test_registry.py::test_pods_restart[Always]"
    key = f"{test} | v1.36.4 | pods ready within 60 s | recovered_seconds"
    earlier = [{"name": f"run {number}", "started": number, "figures": {key: seconds}} for number in range(6)]
    trend.write_text("".join(f"{json.dumps(entry)}\n" for entry in earlier), encoding="utf-8")

    session = run(tmp_path, SCENARIOS, "-k", "restart and Always", *options)

    assert session.status == status
    assert session.output.count("regression: scenarios/test_registry.py::test_pods_restart[Always]") == lines
    assert "1 of 1 claims came out as expected" in session.output
    run_ = session.results.parent
    assert json.loads((run_ / "run.json").read_text(encoding="utf-8"))["status"] == status
    assert [rule.met for rule in quality_gate.read(run_)] == [True, not lines]
    assert len(session.load("*-globals.json")) == lines


@thorough
def test_disk_that_takes_no_more_in_the_middle_is_said(tmp_path: Path) -> None:
    """After the first file that cannot be written, the report is called incomplete; all verdicts are printed."""
    full = """
def test_fills(leave):
    import resource
    leave()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))
"""
    session = run(tmp_path, SCENARIOS + full, "-k", "fills")

    assert session.status == 0
    assert "1 of 1 claims came out as expected" in session.output
    assert "the report is not complete: " in session.output
    assert "File too large" in session.output
