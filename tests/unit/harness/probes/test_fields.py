"""Fields: what no probe of a field can read is refused before anything is asked."""

from pathlib import Path

import pytest

from chaos_harness.harness.errors import BadScenario
from chaos_harness.harness.history import HistoryWriter
from chaos_harness.harness.probes.fields import watch_field
from tests.fakes.engine import FakeEngine
from tests.fakes.rest_server import cluster_on, rest_server


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("Secret", "{.data.a}", "field a: what a Secret holds is never on disk"),
        ("Pod", "{.status[}", "field a: "),
        ("Widget", "{.status}", "Widget"),
    ],
    ids=["secret", "path", "kind"],
)
def test_what_cannot_be_read_is_refused(
    history: HistoryWriter, tmp_path: Path, kind: str, path: str, words: str
) -> None:
    """The content of a Secret, a path that is none, and a kind that the API server does not have."""
    with rest_server() as server:
        server.answers |= {"/api": {"versions": ["v1"]}, "/api/v1": {"resources": []}, "/apis": {"groups": []}}
        cluster = cluster_on(server, FakeEngine(), tmp_path)
        with pytest.raises(BadScenario, match=words):
            watch_field(cluster, history, field="a", kind=kind, name="b", path=path)
