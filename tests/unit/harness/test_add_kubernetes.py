"""Adding: a version of Kubernetes becomes known everywhere at once, or nothing is written."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.errors import CommandFailed, HarnessError, ImageUnavailable
from chaos_harness.clusters.images.lock_file import read_lock
from chaos_harness.clusters.terminal.progress import Progress
from chaos_harness.harness import __main__ as command
from chaos_harness.harness import add_kubernetes
from chaos_harness.harness.add_kubernetes import Request, add, list_versions
from chaos_harness.harness.errors import BadScenario
from tests.thorough import thorough

_ROOT = Path(__file__).parents[3]
_NEW = "v1.36.99"
_DIGEST = "sha256:" + "d" * 64
_LOCK = "clusters/images/lock.yaml"
_SCHEMA = "scenarios/incidents/schema.json"
_LIST = "docs/reference/versions.md"
_RECIPES = "clusters/images/go/kubernetes"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Copy of the project without its code that may be changed, on a machine with Go."""
    real_which = shutil.which
    monkeypatch.setattr(shutil, "which", lambda name, **how: "/usr/bin/go" if name == "go" else real_which(name, **how))
    place = tmp_path / "project"
    (place / "harness").mkdir(parents=True)
    shutil.copytree(_ROOT / _RECIPES, place / _RECIPES)
    shutil.copytree(_ROOT / "src", place / "src", symlinks=True)
    for name in (_LIST, _LOCK, _SCHEMA):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(_ROOT / name, place / name)
    return place


@pytest.fixture
def code(root: Path) -> Path:
    """Copy of the project with the code by which its schema is made."""
    for name in ("clusters", "harness"):
        shutil.copytree(
            _ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "kubernetes"), dirs_exist_ok=True
        )
    return root


def _compose(version: str, recipes: Path) -> Path:
    """Write a recipe as the Go module proxy would give it."""
    folder = recipes / version
    folder.mkdir()
    (folder / "go.mod").write_text(f"require (\n\tk8s.io/kubernetes {version}\n)\n", encoding="utf-8")
    (folder / "go.sum").write_text(f"k8s.io/kubernetes {version} h1:x\n", encoding="utf-8")
    return folder


def _add(root: Path, version: str = _NEW, digest: str = _DIGEST, replace: str | None = None) -> list[str]:
    return add(Request(version, digest, replace), Progress.quiet(), root=root, compose=_compose)


def _files(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
        for path in root.rglob("*")
    }


def test_the_docs_list_what_there_is() -> None:
    """The one line of the docs that names the versions names all of them, and the default."""
    listed = (_ROOT / _LIST).read_text(encoding="utf-8")

    assert f"\nKubernetes {list_versions(known_versions.KUBERNETES)}; Gatekeeper " in listed


@thorough
def test_a_version_becomes_known(code: Path) -> None:
    """Its recipe, digest, place in the docs and, being the newest of its minor, the schema's default are there."""
    lines = _add(code)
    listed = (code / _LIST).read_text(encoding="utf-8")

    assert known_versions.recipes(code / _RECIPES) == tuple(sorted({*known_versions.KUBERNETES, _NEW}, key=_by_number))
    assert read_lock(code / _LOCK) == read_lock() | {f"node/{_NEW}": f"docker.io/kindest/node@{_DIGEST}"}
    assert f"{known_versions.DEFAULT_KUBERNETES}, {_NEW} (default), " in listed
    schema = json.loads((code / _SCHEMA).read_text(encoding="utf-8"))
    assert schema["$defs"]["Shape"]["properties"]["kubernetes"]["default"] == _NEW
    assert lines[0] == f"wrote {_RECIPES}/{_NEW}"
    assert lines[-1].startswith('next: `nox -s tests -- -m "not cluster"`')


@thorough
def test_a_version_is_replaced(code: Path) -> None:
    """Of the old one neither recipe nor digest nor mention is left, and nothing else changes."""
    old, before = known_versions.DEFAULT_KUBERNETES, _files(code)
    lines = _add(code, version=_NEW[1:], replace=known_versions.DEFAULT_MINOR)
    after = _files(code)

    assert f"removed {_RECIPES}/{old} and its entry in the lock" in lines
    assert not (code / _RECIPES / old).exists()
    assert set(read_lock(code / _LOCK)) == {*read_lock(), f"node/{_NEW}"} - {f"node/{old}"}
    assert f"{old} (default)" not in (code / _LIST).read_text(encoding="utf-8")
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    recipes = {f"{_RECIPES}/{version}{file}" for version in (old, _NEW) for file in ("", "/go.mod", "/go.sum")}
    assert changed == {*recipes, _LIST, _LOCK, _SCHEMA}


@pytest.mark.parametrize(
    ("request_", "problems"),
    [
        (Request("1.36", _DIGEST), ["version '1.36': expected a full one, such as v1.36.5; there are v1."]),
        (Request("v1.36.5-rc.0", _DIGEST), ["version 'v1.36.5-rc.0': expected a full one"]),
        (Request("../v1.36.5", _DIGEST), ["version '../v1.36.5': expected a full one"]),
        (
            Request(known_versions.DEFAULT_KUBERNETES, _DIGEST),
            [f"{known_versions.DEFAULT_KUBERNETES} is there already"],
        ),
        (Request(_NEW, "sha256:12"), ["digest 'sha256:12': expected sha256: and 64 digits"]),
        (Request(_NEW, "d" * 64), ["expected sha256: and 64 digits"]),
        (Request(_NEW, _DIGEST.upper()), ["expected sha256: and 64 digits"]),
        (
            Request(_NEW, read_lock()[f"node/{known_versions.DEFAULT_KUBERNETES}"].partition("@")[2]),
            ["is that of node/v"],
        ),
        (Request(_NEW, _DIGEST, "v1.2.3"), ["--replace v1.2.3: there is no recipe of it; there are v1."]),
        (
            Request("v1.99.0", _DIGEST, known_versions.DEFAULT_KUBERNETES),
            [f"nothing of the default minor {known_versions.DEFAULT_MINOR} would be left"],
        ),
        (
            Request("new", "none", "old"),
            ["version 'new'", "digest 'none'", "--replace old: there is no recipe of it"],
        ),
    ],
)
def test_bad_requests_are_refused(root: Path, request_: Request, problems: list[str]) -> None:
    """All problems of a request are told at once, and nothing is asked for or written."""
    before = _files(root)

    with pytest.raises(BadScenario) as refused:
        _add(root, request_.version, request_.digest, request_.replace)
    assert len(refused.value.problems) == len(problems)
    for words, problem in zip(problems, refused.value.problems, strict=True):
        assert words in problem
    assert _files(root) == before


def test_without_go_nothing_is_begun(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Go resolves the recipe: where it is missing, that is said first."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BadScenario, match=r"no `go` on PATH.*`nox -s doctor`"):
        _add(root)


def test_outside_of_a_checkout_nothing_is_begun(root: Path) -> None:
    """An installed package has no docs to write into."""
    (root / _LIST).unlink()
    with pytest.raises(BadScenario, match=r"is no checkout of the project: docs/reference/versions\.md is missing"):
        _add(root)


def test_docs_without_their_line_are_no_guess(root: Path) -> None:
    """Where the versions stand in the docs must be certain."""
    listed = root / _LIST
    listed.write_text(listed.read_text(encoding="utf-8").replace("\nKubernetes v", "\nKubernetes: v"), encoding="utf-8")
    with pytest.raises(
        BadScenario, match=r"docs/reference/versions\.md: expected one line `Kubernetes v1\..*\(default\).*;`"
    ):
        _add(root)


@pytest.mark.parametrize("error", [ImageUnavailable("403"), CommandFailed("checksum mismatch")])
def test_a_version_that_the_proxy_refuses_is_not_added(root: Path, error: HarnessError) -> None:
    """Its error is told with the command that names those there are, and half a recipe is nowhere."""
    before = _files(root)

    def refuse(version: str, recipes: Path) -> Path:
        (recipes / version).mkdir()
        raise error

    with pytest.raises(ImageUnavailable, match=r"(?s)is not added, nothing was written: .*`go list -m -versions"):
        add(Request(_NEW, _DIGEST), Progress.quiet(), root=root, compose=refuse)
    assert _files(root) == before


def test_a_schema_that_cannot_be_made_leaves_nothing(root: Path) -> None:
    """What fails after the recipe is there leaves nothing of it."""
    (root / "harness/__init__.py").write_text("raise SystemExit('broken')\n", encoding="utf-8")
    before = _files(root)

    with pytest.raises(CommandFailed, match="broken"):
        _add(root)
    assert _files(root) == before


def _failing(times: int, act: Callable[..., None]) -> Callable[..., None]:
    """Return `act` that is interrupted the `times`-th time it is called."""
    calls = 0

    def fail(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == times:
            raise KeyboardInterrupt
        act(*arguments)

    return fail


@pytest.mark.parametrize(("name", "times"), [("_put", 1), ("_put", 2), ("_put", 5), ("_remove", 1), ("_remove", 2)])
def test_an_interrupt_halfway_takes_back_all(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    """Whichever file was being written or removed, all are as they were."""
    before = _files(root)
    monkeypatch.setattr(add_kubernetes, "_write_schema", lambda stage: (stage / _SCHEMA).write_text("{}\n"))
    monkeypatch.setattr(add_kubernetes, name, _failing(times, getattr(add_kubernetes, name)))

    with pytest.raises(KeyboardInterrupt):
        _add(root, replace=known_versions.DEFAULT_KUBERNETES)
    assert _files(root) == before


def test_the_verb_needs_a_digest(capsys: pytest.CaptureFixture[str]) -> None:
    """Without one the usage is told."""
    with pytest.raises(SystemExit) as ended:
        command.main(["add-kubernetes", _NEW])
    assert ended.value.code == 2
    assert "--digest" in capsys.readouterr().err


def test_the_verb_refuses_with_one_error(capsys: pytest.CaptureFixture[str]) -> None:
    """A bad request ends with 2 and one message."""
    assert command.main(["add-kubernetes", "new", "--digest", "none"]) == 2
    assert capsys.readouterr().err.startswith("error: version 'new': expected a full one")


def _by_number(version: str) -> list[int]:
    return [int(number) for number in version[1:].split(".")]
