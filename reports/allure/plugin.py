"""Allure plugin: writes a run as Allure results; the only module that imports Allure."""

import time
from collections.abc import Generator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import allure_commons
import allure_pytest.plugin
import pytest
from _pytest.junitxml import xml_key
from allure_commons.model2 import Label, Link, Parameter, Status, StatusDetails, TestResult, TestStepResult
from allure_commons.utils import md5

from chaos_harness.clusters.checkout import OUT, command_line
from chaos_harness.clusters.machine.removal import remove_folder
from chaos_harness.clusters.terminal.escape import escape_controls
from chaos_harness.harness.experiment.record import ClaimRecord, FaultRecord, Phase, Record
from chaos_harness.harness.redaction import redact
from chaos_harness.reports import junit, run_directory
from chaos_harness.reports.allure import attachments, categories, failures, run_end
from chaos_harness.reports.allure.attachments import AllureAttachment
from chaos_harness.reports.allure.disk_errors import DiskErrorGuard
from chaos_harness.reports.allure.results import ResultWriter
from chaos_harness.reports.allure.sweep import redact_results
from chaos_harness.reports.overview.run import read_run
from chaos_harness.reports.overview.terminal import render_lines
from chaos_harness.reports.overview.write import write_overview
from chaos_harness.reports.picture import summary_text
from chaos_harness.reports.picture.story import Story
from chaos_harness.reports.records import read_record

__all__ = ["pytest_configure"]

_DIRECTORY, _TROUBLE = "chaos-allure-directory", "chaos-allure-trouble"
_PLAIN = (str, int, float, bool, type(None))
_EMBEDDED_BYTES, _MOST_EMBEDDED_BYTES = 512 * 1024, 24 * 1024 * 1024
"""A page must stay small enough for a browser; all pictures are attached, too."""


@pytest.hookimpl(tryfirst=True)  # before allure-pytest reads the options
def pytest_configure(config: pytest.Config) -> None:
    """Choose a new results directory for all workers of the run, unless one was given; nothing is created yet."""
    if config.option.collectonly or getattr(config.option, "chaos_list", False):
        return
    config.option.clean_alluredir = False  # every worker would delete what the others wrote
    theirs = allure_pytest.plugin.AllureFileLogger
    config.add_cleanup(lambda: setattr(allure_pytest.plugin, "AllureFileLogger", theirs))
    allure_pytest.plugin.AllureFileLogger = ResultWriter  # which takes out secrets before anything is on the disk
    if hasattr(config, "workerinput"):  # workers know the command line, not what the controller made of it
        results = Path(config.workerinput[_DIRECTORY])
    else:
        given = config.option.allure_report_dir
        run = None if given else run_directory.new_run(config.rootpath / OUT)
        results = run / "results" if run else Path(given).absolute()
        if run and not config.option.xmlpath:
            config.option.xmlpath = str(run / "junit.xml")
    guard = DiskErrorGuard(results)
    allure_commons.plugin_manager.register(guard)
    config.add_cleanup(lambda: allure_commons.plugin_manager.unregister(guard))
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Conductor(results, run, guard))
        if run:
            config.add_cleanup(partial(_remove_if_empty, run))
    config.option.allure_report_dir = str(results)
    if (
        getattr(config.option, "chaos_histories", "") is None
    ):  # an option of the harness: histories lie beside their results
        config.option.chaos_histories = str(results.parent / "experiments")
    config.pluginmanager.register(_Renderer(config, guard))
    config.pluginmanager.register(failures, "chaos-failures")


def _remove_if_empty(run: Path) -> None:
    """Remove the directory that was made for a run, if nothing was run, as by --help."""
    for folder in (run / "results", run):
        with suppress(OSError):
            folder.rmdir()


class _Renderer:
    """Adds the content of its record to a test's result; runs in the worker, on the main thread."""

    def __init__(self, config: pytest.Config, guard: DiskErrorGuard) -> None:
        self._config = config
        self._guard = guard
        self._embedded = 0
        self._files = attachments.Files()
        self._budget = attachments.Budget.of_one(getattr(config, "workerinput", {}).get("workercount", 1))
        self._last: tuple[object, Story | None] = (None, None)

    @pytest.hookimpl(wrapper=True, trylast=True)  # after the fixtures, before allure hashes the parameters
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            return (yield)
        finally:
            record = read_record(item.user_properties)
            if record:
                listener: Any = self._config.pluginmanager.get_plugin("allure_listener")
                logger = listener.allure_logger
                result = logger.get_test(None)
                _render(record, item, result)
                for attachment in self._told(record, item, result):
                    logger.attach_data(
                        uuid4().hex,
                        attachment.body,
                        name=attachment.name,
                        attachment_type=attachment.kind,
                        extension=attachment.suffix,
                        parent_uuid=result.uuid,
                    )

    def pytest_sessionfinish(self) -> None:
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_TROUBLE] = self._guard.first_error

    def _told(self, record: Record, item: pytest.Item, result: TestResult) -> list[AllureAttachment]:
        """Put the summary with the picture at the top of the result; return what is to be attached."""
        story = self._story(record)
        drawn = attachments.draw_pictures(record, story) if story else []
        most = min(_EMBEDDED_BYTES, _MOST_EMBEDDED_BYTES - self._embedded)
        picture = next((image.address for image in drawn[:1] if len(image.body) <= most), "")
        self._embedded += len(picture)
        fact, details = result.description or "", result.statusDetails or StatusDetails()
        details.message = details.message and categories.mark_known_defect(
            summary_text.shorten_message(details.message, record.claims), record.claims
        )
        result.descriptionHtml = summary_text.render_page(record, story, item.nodeid, fact=fact, picture=picture)
        return self._budget.select([*drawn, *self._files.of(record)], record)

    def _story(self, record: Record) -> Story | None:
        """Return the story of the record; tests that share an experiment share it, and it is read once."""
        path = Path(record.history)
        key = (path, path.stat().st_size) if path.exists() else None
        if key is None or self._last[0] != key:
            self._last = key, attachments.load_story(record)
        return self._last[1]


_NOTHING_RAN = (pytest.ExitCode.NO_TESTS_COLLECTED, pytest.ExitCode.USAGE_ERROR)


class _Conductor:
    """Writes, once a run, what belongs to no test, or to a test whose worker died."""

    def __init__(self, results: Path, run: Path | None, guard: DiskErrorGuard) -> None:
        self._results = results
        self._run = run
        self._guard = guard
        self._records: dict[str, Record] = {}
        self._outcomes: dict[str, str] = {}
        self._began = self._told = False
        self._worse: list[str] = []
        self._overview: list[str] = []

    def pytest_sessionstart(self) -> None:
        with self._guard.catch_errors():
            categories.write_categories(self._results)
            if self._run:
                run_directory.record_start(self._run)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._choose(len(session.items))

    @pytest.hookimpl(optionalhook=True)  # only with xdist, whose controller collects nothing
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        self._choose(len(ids))

    @pytest.hookimpl(optionalhook=True)  # only with xdist
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_DIRECTORY] = str(self._results)

    @pytest.hookimpl(optionalhook=True)  # only with xdist
    def pytest_testnodedown(self, node: Any) -> None:
        self._guard.first_error = self._guard.first_error or getattr(node, "workeroutput", {}).get(_TROUBLE, "")

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._run and not self._began:  # a run in which no test began is not the latest
            self._began = True
            with self._guard.catch_errors():
                run_directory.make_latest(self._run)
        self._note(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        run_end.add_outcome(self._outcomes, report)
        record = read_record(report.user_properties)
        if record:
            self._records[report.nodeid] = record
        if report.when == "teardown":
            self._note(report.nodeid, record.history if record else "none")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell(f"{report.nodeid}: cannot be collected", report.longreprtext)

    def pytest_internalerror(self, excrepr: Any) -> None:
        self._tell("pytest had an internal error", str(excrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._tell(f"interrupted: {excinfo.exconly()}", str(excinfo.getrepr(style="short")))

    @pytest.hookimpl(optionalhook=True)  # only with xdist
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Write the result of the test during which the worker crashed."""
        message = f"{report.longreprtext}; `{command_line('gc')}` heals and removes what it left"
        allure_commons.plugin_manager.hook.report_result(result=_crashed(crashitem, message))

    @pytest.hookimpl(wrapper=True, trylast=True)  # around JUnit XML, before the summary is printed
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        xml = session.config.stash.get(xml_key, None)
        with self._guard.catch_errors(), junit.write_when_clean(xml, self._records):
            yield
        with self._guard.catch_errors():
            if self._run and not self._began and exitstatus in _NOTHING_RAN:
                self._forget(self._run, session.config)
            else:
                self._finish(exitstatus, session)

    def _forget(self, run: Path, config: pytest.Config) -> None:
        """Remove the directory of a run in which no test could begin, or none was chosen: it tells nothing."""
        if xml := config.stash.get(xml_key, None):  # it would say where its file is
            del config.stash[xml_key]
            config.pluginmanager.unregister(xml)
        remove_folder(run)

    @pytest.hookimpl(tryfirst=True)  # above the table of claims
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._overview:
            terminalreporter.write_sep("=", "overview")
        for line in self._overview:
            terminalreporter.write_line(line)
        for words in filter(None, [self._guard.first_error, *self._worse]):
            terminalreporter.write_line(escape_controls(words), red=True)

    def _finish(self, exitstatus: int, session: pytest.Session) -> None:
        categories.write_environment(self._results, categories.collect_environment(self._records.values()))
        if exitstatus and not (self._outcomes or self._told):
            self._tell(f"pytest ended with {exitstatus!r} before any test ran", "")
        for finding in run_end.write(self._results, self._run, self._records, self._outcomes):
            self._tell(finding.message, finding.detail)
            self._worse += [redact(finding.message)] if finding.regression else []
        fails = self._worse and session.config.option.fail_on_regression
        if fails and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        redact_results(self._results)
        if self._run:
            run_directory.record_end(self._run, int(session.exitstatus))
            if self._outcomes:
                overview = read_run(self._run)
                self._overview = render_lines(overview)
                write_overview(self._run, overview)

    def _choose(self, tests: int) -> None:
        if self._run and tests:
            with self._guard.catch_errors():
                run_directory.record_chosen(self._run, tests)

    def _note(self, nodeid: str, history: str = "") -> None:
        if self._run:
            with self._guard.catch_errors():
                run_directory.record_test(self._run, nodeid, history)

    def _tell(self, message: str, trace: str) -> None:
        self._told = True
        allure_commons.plugin_manager.hook.global_error(message=redact(message), trace=redact(trace))


def _crashed(nodeid: str, message: str) -> TestResult:
    """Return a broken result with the names that allure-pytest would have given the test."""
    path, *classes, name = nodeid.split("::")
    package, suite = path.removesuffix(".py").replace("/", "."), Path(path).stem
    full_name = f"{'.'.join([package, *classes])}#{name.partition('[')[0]}"
    parent = package.rpartition(".")[0]
    labels = {"parentSuite": parent, "suite": suite, "feature": _words(suite), "framework": "pytest"}
    at = _milliseconds(time.time())
    return TestResult(
        uuid=str(uuid4()),
        name=name,
        fullName=full_name,
        testCaseId=md5(full_name),  # type: ignore[no-untyped-call]
        titlePath=[*path.split("/"), *classes],
        status=Status.BROKEN,
        statusDetails=StatusDetails(message=message),
        labels=[Label(*label) for label in labels.items()],
        start=at,
        stop=at,
    )


def _render(record: Record, item: pytest.Item, result: TestResult) -> None:
    _name_objects(item, result)
    known = {parameter.name for parameter in result.parameters}
    shape = {name: value for name, value in record.cluster["shape"].items() if name not in known}
    result.parameters += [Parameter(name, str(value)) for name, value in shape.items()]
    # Excluded: they differ from run to run, and the history of a test depends on the hash of the others.
    result.parameters += [
        Parameter("cluster", record.cluster["name"], excluded=True),
        Parameter("seed", str(record.seed), excluded=True),
    ]
    result.labels += [
        Label("feature", _words(Path(item.path).stem)),
        Label("story", _words(item.originalname if isinstance(item, pytest.Function) else item.name)),
    ]
    issues = dict.fromkeys(claim.issue for claim in record.claims if claim.issue)
    result.links += [Link("issue", address, issue) for issue in issues if (address := categories.issue_url(issue))]
    result.steps += _steps(record)


def _name_objects(item: pytest.Item, result: TestResult) -> None:
    """Replace parameters that are objects by the test's ID: their repr is long and changes with their fields."""
    callspec = getattr(item, "callspec", None)
    objects = {name for name, value in callspec.params.items() if not isinstance(value, _PLAIN)} if callspec else set()
    if callspec and objects:
        result.parameters = [parameter for parameter in result.parameters if parameter.name not in objects]
        result.parameters.append(Parameter("case", callspec.id))


def _steps(record: Record) -> list[TestStepResult]:
    """Return phases and faults in the order of their start, then the claims."""
    steps = [*map(_phase, record.phases), *map(_fault, record.faults)]
    end = max((step.stop for step in steps), default=_milliseconds(time.time()))
    return sorted(steps, key=lambda step: int(step.start)) + [_claim(claim, end) for claim in record.claims]


def _phase(phase: Phase) -> TestStepResult:
    status = Status.UNKNOWN if phase.status == "running" else phase.status
    return _step(phase.name, status, phase.start, phase.stop, [phase.detail])


def _fault(fault: FaultRecord) -> TestStepResult:
    if fault.healed_at is None:
        proofs = [f"observed: {fault.proof}", "never proved to be healed"]
        return _step(f"{fault.name}, not healed", Status.BROKEN, fault.injected_at, None, proofs)
    proofs = [f"observed: {fault.proof}", f"healed: {fault.heal_proof}"]
    return _step(f"{fault.name}, until healed", Status.PASSED, fault.injected_at, fault.healed_at, proofs)


def _claim(claim: ClaimRecord, end: int) -> TestStepResult:
    status = Status.PASSED if claim.as_expected else Status.FAILED
    if claim.outcome == "inconclusive":
        status = Status.BROKEN
    title = f"claim: {claim.name}: {claim.outcome} (expected {claim.expectation})"
    step = _step(title, status, end / 1000, None, [claim.summary, *claim.evidence])
    step.parameters += [Parameter(name, f"{value:g}") for name, value in claim.figures.items()]
    return step


def _step(name: str, status: str, start: float, stop: float | None, details: list[str]) -> TestStepResult:
    begin, end = _milliseconds(start), _milliseconds(stop if stop is not None else start)
    return TestStepResult(
        name=redact(name),
        status=status,
        start=begin,
        stop=end,
        steps=[TestStepResult(name=redact(detail), status=status, start=end, stop=end) for detail in details if detail],
    )


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
