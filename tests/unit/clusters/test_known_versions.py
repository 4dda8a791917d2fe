"""Known versions: which there are recipes for, and what a version means that is given in part."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos_harness.clusters import known_versions
from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.shape import RECORDED, Shape

THERE = ("v1.9.3", "v1.35.8", "v1.35.10", "v1.36.4")


def _recipe(folder: Path, name: str, *files: str) -> None:
    (folder / name).mkdir()
    for file in files or ("go.mod", "go.sum"):
        (folder / name / file).touch()


def test_recipes_are_the_versions(tmp_path: Path) -> None:
    """A folder with both files is a version, sorted by number; what is half, or no version, is none."""
    for name in ("v1.35.10", "v1.35.8", "v1.9.3"):
        _recipe(tmp_path, name)
    _recipe(tmp_path, "v1.36.4", "go.mod")
    _recipe(tmp_path, "v1.36.5", "go.sum")
    _recipe(tmp_path, "vendor")
    (tmp_path / "v1.37.0").touch()

    assert known_versions.recipes(tmp_path) == ("v1.9.3", "v1.35.8", "v1.35.10")


def test_default_is_the_newest_of_its_minor() -> None:
    """Whatever recipes there are, the default is one of them, of the default minor."""
    assert (
        known_versions.resolve_version(known_versions.DEFAULT_MINOR, known_versions.KUBERNETES)
        == known_versions.DEFAULT_KUBERNETES
    )
    assert known_versions.DEFAULT_GATEKEEPER in known_versions.GATEKEEPER


@pytest.mark.parametrize(
    ("words", "full"),
    [
        ("1.35", "v1.35.10"),
        ("v1.35", "v1.35.10"),
        ("1.35.8", "v1.35.8"),
        ("v1.35.8", "v1.35.8"),
        ("1.9", "v1.9.3"),
        ("1.3", None),
        ("1.35.1", None),
        ("1", None),
        ("v1.36.4-rc.0", None),
        ("1.36.", None),
        ("", None),
        ("newest", None),
    ],
)
def test_a_part_of_a_version(words: str, full: str | None) -> None:
    """The v and the patch may be left out, which means the newest patch by number; a prefix of digits means nothing."""
    assert known_versions.resolve_version(words, THERE) == full


@given(st.sampled_from(THERE))
def test_a_full_version_means_itself(version: str) -> None:
    """With or without the v, and whichever others there are."""
    assert (
        known_versions.resolve_version(version, THERE) == known_versions.resolve_version(version[1:], THERE) == version
    )


@pytest.mark.parametrize(
    ("product", "words", "end"),
    [
        ("Kubernetes", "1.40", "1.36 means its newest; `nox -s add-kubernetes -- v1.40.N --digest sha256:…` adds one"),
        ("Kubernetes", "1.36.9", "`nox -s add-kubernetes -- v1.36.9 --digest sha256:…` adds one"),
        ("Kubernetes", "newest", "there are v1.9.3, v1.35.8, v1.35.10, v1.36.4; a minor such as 1.36 means its newest"),
    ],
)
def test_what_there_is_and_what_to_type(product: str, words: str, end: str) -> None:
    """A refusal tells what there is, and the command that brings more, where there is one."""
    refusal = known_versions.refusal_message(product, words, THERE)

    assert refusal.startswith(f"{product} {words} has no recipe; there are v1.9.3, ")
    assert refusal.endswith(end)


def test_a_gatekeeper_that_cannot_be_run_is_told_with_those_that_can() -> None:
    """Any version in full will do from the first one on, so no command has to add one."""
    assert known_versions.refusal_message("Gatekeeper", "v9.9.9", ("v3.17.1", "v3.23.1")) == (
        "Gatekeeper v9.9.9 cannot be run; expected a version in full from v3.16.0 on, below v4, or one that was tried: "
        "v3.17.1, v3.23.1; a minor means its newest"
    )


def test_a_shape_has_versions_in_full() -> None:
    """Slug, record and comparison are those of the full version, whatever of it was given."""
    newest = known_versions.resolve_version("1.35", known_versions.KUBERNETES)
    shapes = [Shape.parse({"kubernetes": word, "gatekeeper": "3.20"}) for word in ("1.35", "v1.35", newest)]

    assert [shape.kubernetes for shape in shapes] == [newest] * 3
    assert len(set(shapes)) == 1
    assert shapes[0].slug == f"1cp2w-k{str(newest)[1:]}-g3.20.1-manifest"


@pytest.mark.parametrize("number", [3.20, 3])
def test_a_number_is_no_version(number: float) -> None:
    """3.20 without quotes is 3.2, which nobody meant."""
    with pytest.raises(BadScenario, match="shape: gatekeeper: expected a version in quotes") as refused:
        Shape.parse({"gatekeeper": number})
    assert len(refused.value.problems) == 1


def test_what_was_made_before_needs_no_recipe() -> None:
    """The record of a cluster is read whatever versions there are today; to make one is refused."""
    old = {"kubernetes": "v1.30.1", "gatekeeper": "v3.1.0"}

    assert Shape.parse(old, context=RECORDED).slug == "1cp2w-k1.30.1-g3.1.0-manifest"
    with pytest.raises(BadScenario) as refused:
        Shape.parse(old)
    assert len(refused.value.problems) == 2
