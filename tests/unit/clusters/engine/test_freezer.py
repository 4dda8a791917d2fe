"""Freezer: what is frozen within a container is found by its id, and thawed whatever the kernel refuses."""

from pathlib import Path

from chaos_harness.clusters.engine.freezer import cgroups_of, thaw


def _frozen(directory: Path, word: str = "FROZEN", name: str = "freezer.state") -> Path:
    directory.mkdir(parents=True)
    file = directory / name
    file.write_text(word)
    return file


def test_all_below_a_container_is_thawed(tmp_path: Path) -> None:
    """Cgroups of both versions' names, however deep; those of other containers stay as they are."""
    deep = _frozen(tmp_path / "chaos-harness" / "abc" / "kubelet.slice" / "pod1")
    unified = _frozen(tmp_path / "chaos-harness" / "abc" / "other", "1", "cgroup.freeze")
    scope = _frozen(tmp_path / "system.slice" / "docker-abc.scope")
    stranger = _frozen(tmp_path / "chaos-harness" / "def")
    thaw(cgroups_of("abc", tmp_path))
    assert [path.read_text() for path in (deep, unified, scope, stranger)] == ["THAWED", "0", "THAWED", "FROZEN"]


def test_what_is_refused_keeps_nothing_else_from_being_thawed(tmp_path: Path) -> None:
    """A file that cannot be written is left, and the others are thawed."""
    (tmp_path / "a" / "abc" / "freezer.state").mkdir(parents=True)
    file = _frozen(tmp_path / "a" / "abc" / "pod1")
    thaw(cgroups_of("abc", tmp_path))
    assert file.read_text() == "THAWED"
    assert cgroups_of("nobody", tmp_path / "nowhere") == []
