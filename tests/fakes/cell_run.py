"""Cell run: a program in place of `chaos-harness run`; it lists scenarios and leaves verdicts as a real run does.

`$FAKE_CELLS` is a file of JSON: by the name of each file with scenarios, which fields of its shape it names (`named`),
how long it says it takes (`seconds`), which run made the cluster that each of its runs has (`clusters`), and what each
comes to (`outcomes`, the last for all further ones): a status, "no verdict" (0, and none is left), or "wait": until
somebody ends it. Each run adds a line to `$FAKE_CELLS.log`.
"""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

__all__ = ["main"]

_SHAPE = {"workers": 2, "kubernetes": "v1.36.4", "gatekeeper": "v3.23.1", "install": "manifest"}
_OUTCOMES = {0: "holds", 1: "violated", 3: "inconclusive"}


def main(arguments: list[str]) -> int:
    """List or run, as the arguments say, and return the status of a run."""
    told = Path(os.environ["FAKE_CELLS"])
    cells: dict[str, Any] = json.loads(told.read_text(encoding="utf-8"))
    targets = [word for word in arguments if word.partition("::")[0].endswith((".py", ".yaml")) and "/" in word]
    targets = [word for word in targets if not word.endswith("list.json") and "values" not in word]
    if "--list" in arguments:
        listed = [_listed(Path(word.partition("::")[0]), cells) for word in targets]
        if None in listed:
            sys.stderr.write("ERROR: a file that cannot be read\n")
            return 4
        Path(arguments[arguments.index("--json") + 1]).write_text(json.dumps(listed), encoding="utf-8")
        return 0
    return _run(told, cells, targets[0], arguments)


def _listed(path: Path, cells: dict[str, Any]) -> dict[str, Any] | None:
    said = cells.get(path.name)
    if said is None:
        return None
    seconds = said.get("seconds", 60.0)
    experiment = {"name": "a", "tests": ["test_a"], "seconds": seconds, "stated_seconds": seconds}
    shape = {**_SHAPE, **said.get("shape", {})}
    named = ["workers", *said.get("named", [])]
    return {"file": str(path), "named": named, "shape": shape, "memory_mib": 2700, "experiments": [experiment]}


def _run(told: Path, cells: dict[str, Any], target: str, arguments: list[str]) -> int:
    name = Path(target.partition("::")[0]).name
    log = told.with_suffix(".log")
    before = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    number = sum(line.split()[0] == name for line in before)
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{name} {' '.join(arguments)}\n")
    outcomes = cells[name].get("outcomes", [0])
    outcome = outcomes[min(number, len(outcomes) - 1)]
    if outcome == "wait":
        signal.pause()
    results = Path(arguments[arguments.index("--alluredir") + 1])
    results.mkdir(parents=True)
    for cluster in cells[name].get("clusters", [])[number : number + 1]:
        history = results.parent / "experiments" / "run" / "test_a" / "history.jsonl"
        history.parent.mkdir(parents=True)
        header = {"schema": 2, "run": cluster, "started": 0.0, "harness": "1"}
        history.write_text(f"{json.dumps(header)}\n", encoding="utf-8")
    if outcome in _OUTCOMES:
        line: dict[str, Any] = {
            "test": f"{name}::test_a",
            "claim": "policy is enforced",
            "expected": "holds",
            "issue": None,
            "seed": 7,
        }
        line |= {"outcome": _OUTCOMES[outcome], "shape": _SHAPE, "seconds": 1.0, "summary": "", "id": "enforced"}
        (results.parent / "verdicts.jsonl").write_text(f"{json.dumps(line)}\n", encoding="utf-8")
    return 0 if outcome == "no verdict" else int(outcome)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
