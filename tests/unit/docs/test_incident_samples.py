"""Incident samples: each incident file that a page shows can be replayed as it stands there."""

import re
from pathlib import Path

import pytest

from chaos_harness.harness.incident.load import load

_ROOT = Path(__file__).parents[3]
_SAMPLE = re.compile(r"^```yaml\n(schema: .*?)^```", re.MULTILINE | re.DOTALL)
_SAMPLES = [
    pytest.param(sample, id=f"{page.relative_to(_ROOT)}-{number}")
    for page in sorted([_ROOT / "README.md", *(_ROOT / "docs").glob("*.md"), *(_ROOT / "docs" / "how-to").glob("*.md")])
    for number, sample in enumerate(_SAMPLE.findall(page.read_text(encoding="utf-8")), start=1)
]


@pytest.mark.parametrize("sample", _SAMPLES)
def test_a_sample_loads(sample: str, tmp_path: Path) -> None:
    """Who copies it has an incident of the newest schema, without a problem."""
    (tmp_path / "sample.yaml").write_text(sample, encoding="utf-8")
    assert load(tmp_path / "sample.yaml").incident.schema_ == 2


def test_there_are_samples() -> None:
    """The pages that show incidents are looked at."""
    assert len(_SAMPLES) >= 7
