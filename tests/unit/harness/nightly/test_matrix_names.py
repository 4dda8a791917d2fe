"""Matrix names: a matrix has the names of the format alone, and not those of the model's attributes."""

from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.nightly.matrix import load_matrix

_GOOD = "schema: 1\nrun: a.yaml\nwithoutFault: a.yaml\nfailurePolicy: Fail\n"


@pytest.mark.parametrize(
    ("name", "other"), [("failurePolicy", "failure_policy"), ("withoutFault", "without_fault"), ("schema", "schema_")]
)
def test_only_the_names_of_the_format(tmp_path: Path, name: str, other: str) -> None:
    """A name in Python is refused with the one that is meant."""
    (tmp_path / "a.yaml").touch()
    path = tmp_path / "matrix.yaml"
    path.write_text(_GOOD, encoding="utf-8")
    assert load_matrix(path, "a.yaml").matrix.axis("failurePolicy") == ("Fail",)
    path.write_text(_GOOD.replace(f"{name}:", f"{other}:"), encoding="utf-8")
    with pytest.raises(BadScenario, match=f"{other}: no such field; did you mean {name}") as refused:
        load_matrix(path, "a.yaml")
    assert str(path) in str(refused.value)
