"""Allure: the plugin that writes a run as Allure results, and the only module that imports it."""

import gzip
import re
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any
from uuid import uuid4

import allure_commons
import pytest
from allure_commons.model2 import Label, Link, Parameter, Status, StatusDetails, TestResult, TestStepResult
from allure_commons.utils import md5

from harness.record import ClaimRecord, FaultRecord, Phase, Record
from harness.redaction import redact
from reports import context, store
from reports.records import record_in

__all__ = ["pytest_configure"]

_DIRECTORY = "chaos-allure-directory"
_PLAIN = (str, int, float, bool, type(None))
_LARGE_BYTES = 256 * 1024


@pytest.hookimpl(tryfirst=True)  # before allure-pytest reads the options
def pytest_configure(config: pytest.Config) -> None:
    """Choose a fresh results directory, the same for all workers of the run, unless one was given; make nothing yet."""
    if config.option.collectonly:
        return
    config.option.clean_alluredir = False  # every worker would delete what the others wrote
    if hasattr(config, "workerinput"):  # workers know the command line, not what the controller made of it
        results = Path(config.workerinput[_DIRECTORY])
    else:
        given = config.option.allure_report_dir
        run = None if given else store.new_run(config.rootpath / "reports" / "out")
        results = run / "results" if run else Path(given).absolute()
        config.pluginmanager.register(_Conductor(results, run))
    config.option.allure_report_dir = str(results)
    if getattr(config.option, "histories", "") is None:  # an option of the harness: histories lie beside their results
        config.option.histories = str(results.parent / "experiments")
    config.pluginmanager.register(_Renderer(config))


class _Renderer:
    """Adds to a test's result what its record tells, where the test runs and on the main thread."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    @pytest.hookimpl(wrapper=True, trylast=True)  # after the fixtures, before allure hashes the parameters
    def pytest_runtest_teardown(self, item: pytest.Item) -> Generator[None, None, None]:
        try:
            return (yield)
        finally:
            record = record_in(item.user_properties)
            if record:
                listener: Any = self._config.pluginmanager.get_plugin("allure_listener")
                logger = listener.allure_logger
                _render(record, item, logger.get_test(None), logger)


class _Conductor:
    """Writes, once a run, what belongs to no test or to a test that could not write it itself."""

    def __init__(self, results: Path, run: Path | None) -> None:
        self._results = results
        self._run = run
        self._records: dict[str, Record] = {}
        self._ran = False
        self._told = False

    def pytest_sessionstart(self) -> None:
        context.write_categories(self._results)
        if self._run:
            store.make_latest(self._run)

    @pytest.hookimpl(optionalhook=True)  # only with xdist
    def pytest_configure_node(self, node: Any) -> None:
        node.workerinput[_DIRECTORY] = str(self._results)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._ran = True
        record = record_in(report.user_properties)
        if record:
            self._records[report.nodeid] = record

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._tell(f"{report.nodeid}: cannot be collected", report.longreprtext)

    def pytest_internalerror(self, excrepr: Any) -> None:
        self._tell("pytest broke down", str(excrepr))

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        self._tell(f"interrupted: {excinfo.exconly()}", str(excinfo.getrepr(style="short")))

    @pytest.hookimpl(optionalhook=True)  # only with xdist
    def pytest_handlecrashitem(self, crashitem: str, report: pytest.TestReport) -> None:
        """Write the result of the test that took its worker along."""
        message = f"{report.longreprtext}; `nox -s gc` heals and removes what it left"
        allure_commons.plugin_manager.hook.report_result(result=_crashed(crashitem, message))

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        context.write_environment(self._results, context.environment(self._records.values()))
        if exitstatus and not (self._ran or self._told):
            self._tell(f"pytest ended with {exitstatus!r} before any test ran", "")

    def _tell(self, message: str, trace: str) -> None:
        self._told = True
        allure_commons.plugin_manager.hook.global_error(message=redact(message), trace=redact(trace))


def _crashed(nodeid: str, message: str) -> TestResult:
    """Return a broken result with the names that allure-pytest would have given the test."""
    path, *classes, name = nodeid.split("::")
    package, suite = path.removesuffix(".py").replace("/", "."), Path(path).stem
    full_name = f"{'.'.join([package, *classes])}#{name.partition('[')[0]}"
    at = _milliseconds(time.time())
    return TestResult(
        uuid=str(uuid4()),
        name=name,
        fullName=full_name,
        testCaseId=md5(full_name),  # type: ignore[no-untyped-call]
        titlePath=[*path.split("/"), *classes],
        status=Status.BROKEN,
        statusDetails=StatusDetails(message=message),
        labels=[
            Label("parentSuite", package.rpartition(".")[0]),
            Label("suite", suite),
            Label("feature", _words(suite)),
            Label("framework", "pytest"),
        ],
        start=at,
        stop=at,
    )


def _render(record: Record, item: pytest.Item, result: TestResult, logger: Any) -> None:
    _name_objects(item, result)
    known = {parameter.name for parameter in result.parameters}
    shape = {name: value for name, value in record.cluster["shape"].items() if name not in known}
    result.parameters += [Parameter(name, str(value)) for name, value in shape.items()]
    # Excluded: they differ from run to run, and the history of a test hangs on the hash of the others.
    result.parameters += [
        Parameter("cluster", record.cluster["name"], excluded=True),
        Parameter("seed", str(record.seed), excluded=True),
    ]
    result.labels += [
        Label("feature", _words(Path(item.path).stem)),
        Label("story", _words(item.originalname if isinstance(item, pytest.Function) else item.name)),
    ]
    result.links += [_link(issue) for issue in dict.fromkeys(claim.issue for claim in record.claims) if issue]
    result.steps += _steps(record)
    _attach(logger, result.uuid, "history", Path(record.history), "application/jsonl")
    _attach(logger, result.uuid, "journal", Path(record.journal), "application/jsonl")
    for each in record.attachments:
        _attach(logger, result.uuid, each.name, Path(each.path), each.type)


def _name_objects(item: pytest.Item, result: TestResult) -> None:
    """Put the test's id in place of parameters that are objects: their repr is long, and changes with their fields."""
    callspec = getattr(item, "callspec", None)
    objects = {name for name, value in callspec.params.items() if not isinstance(value, _PLAIN)} if callspec else set()
    if callspec and objects:
        result.parameters = [each for each in result.parameters if each.name not in objects]
        result.parameters.append(Parameter("case", callspec.id))


def _steps(record: Record) -> list[TestStepResult]:
    """Return phases and faults in the order in which they began, then the claims."""
    steps = [*map(_phase, record.phases), *map(_fault, record.faults)]
    end = max((step.stop for step in steps), default=_milliseconds(time.time()))
    return sorted(steps, key=lambda step: int(step.start)) + [_claim(claim, end) for claim in record.claims]


def _phase(phase: Phase) -> TestStepResult:
    status = Status.UNKNOWN if phase.status == "running" else phase.status
    return _step(phase.name, status, phase.start, phase.stop, [phase.detail])


def _fault(fault: FaultRecord) -> TestStepResult:
    if fault.healed_at is None:
        told = [f"observed: {fault.proof}", "never proved to be healed"]
        return _step(f"{fault.name}, not healed", Status.BROKEN, fault.injected_at, None, told)
    told = [f"observed: {fault.proof}", f"healed: {fault.heal_proof}"]
    return _step(f"{fault.name}, until healed", Status.PASSED, fault.injected_at, fault.healed_at, told)


def _claim(claim: ClaimRecord, end: int) -> TestStepResult:
    status = Status.PASSED if claim.outcome == claim.expected else Status.FAILED
    if claim.outcome == "inconclusive":
        status = Status.BROKEN
    title = f"claim: {claim.name}: {claim.outcome} (expected {claim.expected})"
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


def _attach(logger: Any, uuid: str, name: str, path: Path, kind: str) -> None:
    """Attach a file without its secrets; a missing one is said to be missing, a large one compressed."""
    try:
        text = redact(path.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        name, text, kind = f"{name} (missing)", f"{path}: {error.strerror}", "text/plain"
    body, suffix = text.encode(), path.suffix.lstrip(".") or "txt"
    if len(body) > _LARGE_BYTES:
        name, body, kind, suffix = f"{name}.gz", gzip.compress(body), "application/gzip", f"{suffix}.gz"
    logger.attach_data(str(uuid4()), body, name=name, attachment_type=kind, extension=suffix, parent_uuid=uuid)


def _link(issue: str) -> Link:
    """Return the link of "gatekeeper#3839", with or without its owner; another form is an address itself."""
    known = re.fullmatch(r"(?:(?P<owner>[\w.-]+)/)?(?P<name>[\w.-]+)#(?P<number>\d+)", issue)
    if known is None:
        return Link("issue", issue, issue)
    owner = known["owner"] or "open-policy-agent"
    return Link("issue", f"https://github.com/{owner}/{known['name']}/issues/{known['number']}", issue)


def _words(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
