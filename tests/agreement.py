"""Agreement: what `gator verify` and a cluster say of the same suites, case by case, as a table.

`python -m tests.agreement GATOR CLUSTER` prints it: GATOR is what `gator verify -v tests/suites/...` printed, CLUSTER
what `chaos-harness suite --json tests/suites/...` did.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

__all__ = ["Row", "compared", "table"]

_LINE = re.compile(r"(?P<indent> *)(?:===|---) (?P<word>SKIP|RUN|PASS|FAIL):?\s+(?P<name>[^\t]+)")
_SUITE = re.compile(r"(?:ok|FAIL)\t(?P<path>\S+)\t")
_WORDS = {"PASS": "passes", "FAIL": "fails", "SKIP": "skipped"}
_SAME = {("passes", "as expected"), ("fails", "otherwise"), ("skipped", "skipped")}


class Row(NamedTuple):
    """One case: gator's word for it, the cluster's, what it answered, and why it could not be asked."""

    suite: str
    test: str
    case: str
    gator: str
    cluster: str
    answered: str = ""
    why: str = ""

    @property
    def agree(self) -> str:
        """Whether the two agree: "yes", "no", or "" if the cluster was not asked, or did not decide."""
        if self.cluster in ("cannot be asked", "undecided"):
            return ""
        return "yes" if (self.gator, self.cluster) in _SAME else "no"


def compared(gator: str, cluster: Mapping[str, object]) -> list[Row]:
    """Return a row for each case of the cluster's report, with gator's word for it."""
    words = dict(_words(gator))
    rows = []
    for case in cluster["cases"]:  # type: ignore[attr-defined]  # as `suite --json` prints it
        key = (Path(case["suite"]).parent.name, case["test"], case["case"])
        word = words.get(key) or words.get((*key[:2], "")) or "not run"
        rows.append(Row(*key, word, case["agreement"], case["answered"], case["why"]))
    return rows


def _words(gator: str) -> Iterator[tuple[tuple[str, str, str], str]]:
    """Yield gator's word for each case, and for each test with the case ""; a suite's name comes after its cases."""
    pending: list[tuple[str, str, str]] = []
    test, cases = "", []
    for line in gator.splitlines():
        if suite := _SUITE.match(line):
            name = Path(suite["path"]).parent.name
            yield from (((name, one, case), word) for one, case, word in pending)
            pending = []
        elif (told := _LINE.match(line)) and told["word"] != "RUN":
            if told["indent"]:
                cases.append((told["name"], _WORDS[told["word"]]))
            else:
                test = told["name"]
                pending += [(test, case, word) for case, word in cases] + [(test, "", _WORDS[told["word"]])]
                cases = []


def table(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    head = "| suite | test | case | gator | cluster | agree | what the cluster answered, or why it cannot be asked |"
    lines = [head, "| --- | --- | --- | --- | --- | --- | --- |"]
    for row in rows:
        said = (row.answered + (f" ({row.why})" if row.why and row.answered else row.why)).replace("|", "\\|")
        lines.append(f"| {row.suite} | {row.test} | {row.case} | {row.gator} | {row.cluster} | {row.agree} | {said} |")
    return "\n".join(lines)


if __name__ == "__main__":
    told, asked = (Path(argument).read_text(encoding="utf-8") for argument in sys.argv[1:3])
    sys.stdout.write(f"{table(compared(told, json.loads(asked)))}\n")
