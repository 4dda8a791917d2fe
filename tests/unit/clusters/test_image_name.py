"""Image name: what people write, in full, and under which name a mirror of several registries has it."""

import pytest

from chaos_harness.clusters.errors import BadScenario
from chaos_harness.clusters.image_name import ImageName
from chaos_harness.clusters.shape import Shape


@pytest.mark.parametrize(
    ("given", "full", "mirrored"),
    [
        ("web", "docker.io/library/web:latest", "library/web:latest"),
        ("acme/web:1.2", "docker.io/acme/web:1.2", "acme/web:1.2"),
        ("docker.io/web:1", "docker.io/library/web:1", "library/web:1"),
        ("index.docker.io/acme/web:1", "docker.io/acme/web:1", "acme/web:1"),
        ("ghcr.io/acme/team/web:v1-rc.2", "ghcr.io/acme/team/web:v1-rc.2", "ghcr.io/acme/team/web:v1-rc.2"),
        ("localhost:5000/web:1", "localhost:5000/web:1", "localhost-5000/web:1"),
        ("localhost/web", "localhost/web:latest", "localhost/web:latest"),
    ],
)
def test_a_name_in_full(given: str, full: str, mirrored: str) -> None:
    """Without a registry it is docker.io's, without a tag the latest; read again it is the same."""
    name = ImageName.read(given)
    assert (str(name), name.mirrored) == (full, mirrored)
    assert ImageName.read(full) == name


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("ghcr.io/acme/web@sha256:0123", "name it by a tag: its digest is not the same in another registry"),
        ("Web:1", "expected an image such as ghcr.io/acme/web:1.2, found 'Web:1'"),
        ("https://ghcr.io/acme/web", "expected an image such as"),
        ("ghcr.io/", "expected an image such as"),
        ("", "expected an image such as"),
        ("a b", "expected an image such as"),
        ("../web.x/y", "expected an image such as"),
    ],
)
def test_what_is_no_name(given: str, words: str) -> None:
    """It is refused with what was found."""
    with pytest.raises(ValueError, match=words):
        ImageName.read(given)


def test_the_images_of_a_shape() -> None:
    """They are in its name, since a cluster with other images is another one."""
    shape = Shape.parse({"images": ["web", "ghcr.io/acme/web:1"]})
    assert shape.images == ("docker.io/library/web:latest", "ghcr.io/acme/web:1")
    assert len({one.slug for one in (shape, Shape(), Shape.parse({"images": ["web"]}))}) == 3
    assert Shape.parse(shape.model_dump(mode="json")) == shape


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"images": ["web@sha256:1"]}, r"shape: images\.0: .*name it by a tag"),
        ({"images": ["openpolicyagent/gatekeeper:v3.23.1"]}, r"it is Gatekeeper's.*`gatekeeper: \{image: …\}`"),
        (
            {"images": ["web"], "registry": False, "install": "chart"},
            "images: nodes pull them from the cluster's registry",
        ),
    ],
)
def test_images_that_no_cluster_can_have(fields: dict[str, object], words: str) -> None:
    """They are refused with their place."""
    with pytest.raises(BadScenario, match=words):
        Shape.parse(fields)
