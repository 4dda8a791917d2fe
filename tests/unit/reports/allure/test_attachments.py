"""Attached: files beside a result, without secrets and bounded."""

import gzip
import json
import random
from pathlib import Path

from chaos_harness.harness.experiment.record import Attachment, ClaimRecord, Record
from chaos_harness.reports.allure.attachments import (
    AllureAttachment,
    Budget,
    Files,
    attach_file,
    draw_pictures,
    load_story,
)
from chaos_harness.reports.picture.read_history import read_story
from tests.fakes.histories import HistoryBuilder
from tests.thorough import thorough


@thorough
def test_very_large_history_is_cut_and_said_to_be(tmp_path: Path) -> None:
    """Whole lines up to a bound are kept, compressed; the name tells how many, the last line where the rest is."""
    path = tmp_path / "history.jsonl"
    noise = random.Random(1)  # noqa: S311 - must not compress
    with path.open("w", encoding="utf-8") as lines:
        for number in range(15_000):
            lines.write(json.dumps({"index": number, "value": noise.randbytes(400).hex()}) + "\n")

    attachment = attach_file("history", path, "application/jsonl")
    *kept, last = gzip.decompress(attachment.body).decode().splitlines()

    assert len(attachment.body) < 5 * 1024 * 1024
    assert attachment.name == f"history, the first {len(kept):,} lines.gz"
    assert 1_000 < len(kept) < 15_000
    assert json.loads(kept[-1])["index"] == len(kept) - 1
    assert last == f"cut here; the whole is {path}"


def test_secret_across_many_lines_is_found_in_a_large_file(tmp_path: Path) -> None:
    """A private key in a log is gone, wherever it stands, also when the file is compressed."""
    path = tmp_path / "kubelet.log"
    key = "-----BEGIN RSA PRIVATE KEY-----\n" + "planted\n" * 500 + "-----END RSA PRIVATE KEY-----\n"
    path.write_text("fine\n" * 60_000 + key + "fine\n" * 60_000, encoding="utf-8")

    attachment = attach_file("log", path, "text/plain")

    assert attachment.name == "log.gz"
    assert gzip.decompress(attachment.body).count(b"fine\n") >= 119_999
    assert b"planted" not in gzip.decompress(attachment.body)


def test_shared_files_are_read_once(tmp_path: Path) -> None:
    """Tests that share an experiment get the very same attachments; a file that changed is read again."""
    for name in ("history.jsonl", "journal.jsonl", "events.txt"):
        (tmp_path / name).write_text("{}\n", encoding="utf-8")
    events = Attachment("events", str(tmp_path / "events.txt"), "text/plain")
    record = Record("x", {}, 1, str(tmp_path / "history.jsonl"), str(tmp_path / "journal.jsonl"), attachments=[events])
    files = Files()

    first = files.of(record)
    (tmp_path / "events.txt").write_text("more\n", encoding="utf-8")
    second = files.of(record)

    assert [attachment.name for attachment in first] == ["history", "journal", "events"]
    assert second[0] is first[0]
    assert second[2].body == b"more\n"


def test_pictures_are_a_timeline_and_a_close_up(tmp_path: Path) -> None:
    """A close-up comes along if losses are close together."""
    history = HistoryBuilder().canaries(0, 100)
    record = Record("x", {}, 1, str(tmp_path / "none"), "")
    quiet = draw_pictures(record, read_story(history.recorded()))
    history.add(50, "invoke", "canary 1", "q").add(50.1, "fail", "canary 1", "q", {})
    lossy = draw_pictures(record, read_story(history.recorded()))

    assert [picture.name for picture in quiet] == ["timeline"]
    assert [picture.name for picture in lossy] == ["timeline", "close-up, 49.0 to 51.0 s"]
    assert lossy[0].address.startswith("data:image/svg+xml;base64,")


def test_history_that_cannot_be_read_has_no_story(tmp_path: Path) -> None:
    """A missing, foreign or broken history makes no picture and no noise."""
    broken = tmp_path / "broken.jsonl"
    broken.write_text('{"schema": 1, "run": "", "started": 0, "harness": "0"}\n{}\n', encoding="utf-8")

    assert [load_story(Record("x", {}, 1, str(path), "")) for path in (tmp_path / "none", broken)] == [None, None]


def _some(name: str, number: int, letter: str = "x") -> AllureAttachment:
    return AllureAttachment(name, letter.encode() * number, "text/plain", "txt")


def _of(*outcomes: str) -> Record:
    claims = [ClaimRecord("c", "holds", outcome, None, "", [], {}) for outcome in outcomes]
    return Record("x", {}, 1, "/run/experiments/x/history.jsonl", "", claims=claims)


def test_run_attaches_no_more_than_its_budget(tmp_path: Path) -> None:
    """Once half of it is used up, only tests in which something came out otherwise attach more, until it is empty."""
    budget, fine, odd = Budget(1_000), _of("holds"), _of("holds", "violated")

    attached = [
        [
            attachment.name
            for attachment in budget.select([_some("picture", 200, letter), _some("log", 125, letter * 2)], record)
        ]
        for letter, record in (("a", fine), ("b", fine), ("c", odd), ("d", odd))
    ]

    assert attached == [["picture", "log"], ["left out"], ["picture", "log"], ["left out"]]


def test_what_was_left_out_is_named_with_its_place() -> None:
    """The reader is told what there would have been, and where it lies."""
    (note,) = Budget(10).select([_some("history.gz", 123_456)], _of("violated"))

    assert note.body == (
        b"The run has attached enough; what was left out here lies in /run/experiments/x:\nhistory.gz, 123,456 bytes\n"
    )


def test_what_tests_share_is_attached_to_the_first_and_where_it_matters() -> None:
    """The others of an experiment say to which test it is attached; what is small is there each time."""
    budget, shared = Budget(1_000_000), [_some("history", 40_000), _some("journal", 9)]

    first, second, odd = (budget.select(shared, _of(outcome)) for outcome in ("holds", "holds", "violated"))

    assert [[attachment.name for attachment in attachments] for attachments in (first, second, odd)] == [
        ["history", "journal"],
        ["journal", "elsewhere"],
        ["history", "journal"],
    ]
    assert second[-1].body == b"What is the same in another test of this experiment:\nhistory: attached to x\n"


def test_workers_share_a_budget() -> None:
    """All workers of a run together attach no more than one process alone would."""
    assert Budget.of_one(4)._left * 4 == Budget.of_one(1)._left == 256 * 1024 * 1024


@thorough
def test_five_thousand_tests_stay_within_the_budget() -> None:
    """However many tests a run has, what they attach is bounded, and each one says so."""
    budget, total, notes = Budget(10_000_000), 0, 0
    for number in range(5_000):
        for attachment in budget.select([_some("history.gz", 40_000, f"{number:08}"[-8:])], _of("holds")):
            total += len(attachment.body)
            notes += attachment.name == "left out"

    assert total < 10_000_000
    assert notes > 4_900
