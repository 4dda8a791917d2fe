"""HTML: what is removed from Allure's pages, and the message if the report cannot be generated."""

import base64
import hashlib
import json
import re
import shlex
import shutil
import stat
import sys
from pathlib import Path

import pytest

from chaos_harness.harness.errors import HarnessError
from chaos_harness.reports import __main__ as verbs
from chaos_harness.reports.allure import categories, killed_runs
from chaos_harness.reports.html import allure_cli, generate, server
from chaos_harness.reports.overview.run import read_run
from chaos_harness.reports.overview.write import MARKDOWN, write_overview
from chaos_harness.reports.run_directory import record_end, record_start
from chaos_harness.reports.trends import quality_gate

_PAGE = """<!DOCTYPE html><html><head><meta charset="utf-8"></head><body>
<script>bundle</script>
<script async src="https://www.googletagmanager.com/gtag/js?id=G-X"></script>
<script> window.dataLayer = []; function gtag(){} gtag('config', 'G-X'); </script>
</body></html>"""

# Stands for Allure's command: notes the configuration, and makes a page and a line of history.
_ALLURE = """
import json, pathlib, sys
configuration = json.loads(pathlib.Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
pathlib.Path("{seen}").write_text(json.dumps(configuration))
pathlib.Path(configuration["output"]).mkdir()
(pathlib.Path(configuration["output"]) / "index.html").write_text({page!r})
with pathlib.Path(configuration["historyPath"]).open("a") as file:
    file.write(json.dumps({{"name": configuration["name"]}}) + "\\n")
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Make a run with no result in it."""
    results = tmp_path / "out" / "run-1" / "results"
    results.mkdir(parents=True)
    categories.write_categories(results)
    return results.parent


def _allure(tmp_path: Path, page: str = _PAGE) -> list[str]:
    script = tmp_path / "allure.py"
    script.write_text(_ALLURE.format(seen=tmp_path / "seen", page=page), encoding="utf-8")
    return [sys.executable, str(script)]


def test_page_asks_nobody() -> None:
    """The tag manager and what feeds it are gone, the rest is as it was, and a policy forbids all other requests."""
    clean = generate.block_requests(_PAGE)

    assert "google" not in clean
    assert "gtag" not in clean
    assert "<script>bundle</script>" in clean
    assert clean.index("Content-Security-Policy") < clean.index("charset")
    assert "http" not in generate.POLICY


def test_only_the_scripts_of_the_page_run() -> None:
    """A script in the text is known by its hash; what else would be one there, such as a handler, is forbidden."""
    (policy,) = re.findall(r'content="([^"]*)"', generate.block_requests(_PAGE))
    scripts = policy.partition("script-src ")[2].split()

    assert f"'sha256-{base64.b64encode(hashlib.sha256(b'bundle').digest()).decode()}'" in scripts
    assert "'unsafe-inline'" not in scripts


def test_an_attached_page_does_not_break_the_report(run: Path, tmp_path: Path) -> None:
    """A page that a test attached, with whatever it would load, is none of the report's own."""
    allure = _allure(tmp_path)
    attached = "report / 'data' / 'attachments' / 'a.html'"
    more = f"""
report = pathlib.Path(configuration["output"])
(report / "data" / "attachments").mkdir(parents=True)
({attached}).write_text("<img src='https://elsewhere.example/x.png'>")
"""
    script = Path(allure[1])
    script.write_text(script.read_text(encoding="utf-8") + more, encoding="utf-8")

    index = generate.generate(run, allure)
    assert (index.parent / "data" / "attachments" / "a.html").is_file()
    assert stat.S_IMODE(index.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "planted",
    [
        '<script src="//elsewhere.example/x.js"></script>',
        '<link rel="stylesheet" href="https://elsewhere.example/x.css">',
        "<img src=http://elsewhere.example/x.png>",
    ],
)
def test_page_that_would_ask_somebody_is_refused(planted: str) -> None:
    """Whatever another version of Allure may load from elsewhere is an error, not a request."""
    with pytest.raises(HarnessError, match="expected a page without requests, found"):
        generate.block_requests(_PAGE.replace("<body>", f"<body>{planted}"))


def test_report_is_made_anew_and_its_run_counted_once(run: Path, tmp_path: Path) -> None:
    """Made twice, the report is the newer one, and the history of all runs has the run once."""
    for _ in range(2):
        index = generate.generate(run, _allure(tmp_path))
    history = (run.parent / "history.jsonl").read_text(encoding="utf-8").splitlines()
    configuration = json.loads((tmp_path / "seen").read_text(encoding="utf-8"))

    assert index == run / "report/index.html"
    assert "google" not in index.read_text(encoding="utf-8")
    assert [json.loads(line)["name"] for line in history] == ["run-1"]
    assert configuration["categories"]
    assert sorted(path.name for path in run.iterdir()) == ["allurerc.json", "report", "results"]


def test_large_results_are_not_one_page(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Attachments that no browser could hold in one page make a report of many files."""
    monkeypatch.setattr(generate, "_MOST_SINGLE_BYTES", 10)
    generate.generate(run, _allure(tmp_path))

    options = json.loads((tmp_path / "seen").read_text(encoding="utf-8"))["plugins"]["awesome"]["options"]
    assert options["singleFile"] is False


def test_allure_that_fails_is_one_clear_error(run: Path) -> None:
    """What Allure said is in the message, and no half of a report is left."""
    with pytest.raises(HarnessError, match=r"Allure 3 cannot make the report: .* ended with 3: no space left"):
        generate.generate(
            run, [sys.executable, "-c", "import sys; print('no space left', file=sys.stderr); sys.exit(3)"]
        )

    assert not (run / "report").exists()


def test_without_node_one_line_tells_how_to_read_the_results(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results stay; the verb ends with 1 and says what is missing and what to type instead."""

    def missing(_say: object) -> list[str]:
        raise HarnessError("Node.js cannot be installed: no route to host")

    monkeypatch.setattr(allure_cli, "allure_command", missing)

    assert verbs.main([str(run)]) == 1
    overview, first, second = capsys.readouterr().err.splitlines()
    assert overview == f"overview: {run / 'report/overview.html'}"
    assert (run / "report/overview.html").is_file(), "it needs no Node.js"
    assert first == "no HTML report: Node.js cannot be installed: no route to host"
    assert second.startswith(f"results: {run / 'results'}; ")
    assert second.endswith(f"copy {run} there and type, in a checkout of this: nox -s report -- --serve run-1")


@pytest.mark.parametrize("named", [".", "results"])
def test_a_run_that_was_carried_elsewhere_is_shown_there(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], named: str
) -> None:
    """The command that is told makes the page from the folder alone, wherever it lies, also by its results' name."""
    carried = tmp_path / "elsewhere" / "of a colleague"
    shutil.copytree(run, carried)
    shutil.rmtree(run)
    monkeypatch.setattr(allure_cli, "allure_command", lambda _say: _allure(tmp_path))
    shown: list[Path] = []
    monkeypatch.setattr(server, "serve", lambda place, *_: shown.append(place))

    nox, session, name, end, *arguments = shlex.split(categories.viewer_command(carried / named))
    assert [nox, session, name, end] == ["nox", "-s", "report", "--"]
    assert verbs.main(arguments) == 0
    assert shown == [carried / "report"]
    said = capsys.readouterr().err.splitlines()
    assert said == [f"overview: {carried / 'report/overview.html'}", f"report: {carried / 'report/index.html'}"]


def test_full_disk_while_rescuing_is_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A disk that takes no more is no traceback."""

    def full(_run: Path) -> list[str]:
        raise OSError(28, "No space left on device", str(run))

    monkeypatch.setattr(killed_runs, "rescue", full)

    assert verbs.main([str(run)]) == 1
    assert capsys.readouterr().err.startswith("no HTML report: [Errno 28] No space left on device: ")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "expected a run's directory with results in it, found none; `ls "),
        ("nope", "expected a run's directory with results in it, found none; `ls "),
        ("round", "expected a run's directory with results in it, found none; `ls "),
        ("a" * 300, "cannot be a run's directory: File name too long"),
        (f"{'a' * 300}/results", "File name too long"),
    ],
)
def test_run_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, words: str) -> None:
    """What has no results has no report, and no way to read them; it is one line, and nothing is written."""
    (tmp_path / "round").symlink_to("round")
    assert verbs.main([str(tmp_path / name)]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("error: ")
    assert words in said
    assert [path.name for path in tmp_path.iterdir()] == ["round"]


def test_verb_says_where_the_report_lies(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The overview's place comes first, then that of Allure's page; both pages have a link to the other one."""
    monkeypatch.setattr(allure_cli, "allure_command", lambda _say: _allure(tmp_path))

    assert verbs.main([str(run)]) == 0
    places = [run / "report/overview.html", run / "report/index.html"]
    assert capsys.readouterr().err == "overview: {}\nreport: {}\n".format(*places)
    assert [f'<a href="{other.name}"' in page.read_text() for page, other in (places, places[::-1])] == [True, True]


def test_a_run_that_ends_meanwhile_is_shown_as_it_ended(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own overview, written at its end, is not replaced by one of a run that is under way."""
    record_start(run)

    def end_and_find(_say: object) -> list[str]:
        record_end(run, 0)
        return _allure(tmp_path)

    monkeypatch.setattr(allure_cli, "allure_command", end_and_find)
    assert verbs.main([str(run)]) == 0
    ended = (run / MARKDOWN).read_text()
    write_overview(run, read_run(run))
    assert ended == (run / MARKDOWN).read_text()


def test_gate_of_the_run_goes_to_allure(run: Path, tmp_path: Path) -> None:
    """What the run must meet is handed over with the results; a run that has told nothing hands over nothing."""
    asked = (
        "import json, pathlib, sys; "
        "pathlib.Path('{answers}').write_text(json.dumps([pathlib.Path(word).is_file() for word in sys.argv]));"
    )
    allure = _allure(tmp_path)
    script = Path(allure[1])
    script.write_text(asked.format(answers=tmp_path / "told") + script.read_text(encoding="utf-8"), encoding="utf-8")
    handed_over = []
    for rules in ([], [quality_gate.GateRule("claims", False, "1 of 2", 2, 1)]):
        if rules:
            quality_gate.write(run, rules)
        generate.generate(run, allure)
        handed_over.append(json.loads((tmp_path / "told").read_text(encoding="utf-8"))[4:-1])

    assert handed_over == [[], [False, True]]
