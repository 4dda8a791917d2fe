"""Site: in the copy that is made of the pages each link leads somewhere, and a link that does not is told."""

from pathlib import Path

import pytest
import yaml

from docs.generator import site
from docs.generator.site import dead_links, stage


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a repository with two pages, a picture and a program."""
    files = {
        "docs/index.md": "[a](a/b.md#x) [code](../code.py#L1) [folder](../docs) [up](../README.md) [web](https://x.invalid)",
        "docs/a/b.md": "# x\n\n![p](../p.svg)\n",
        "docs/p.svg": "<svg/>",
        "docs/generator/x.py": "1",
        "docs/mkdocs.yml": "site_name: x\nnav:\n  - Start: index.md\n",
        "README.md": "[back](docs/index.md)",
        "code.py": "pass",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(site, "DOCS", tmp_path / "docs")
    monkeypatch.setattr(site, "_ROOT", tmp_path)
    return tmp_path


def test_links_lead_to_copies(repository: Path) -> None:
    """Files outside of docs/ are copied, programs as text, and a folder is no link any more."""
    stage(repository / "out")
    pages = repository / "out" / "docs"

    assert (pages / "index.md").read_text(encoding="utf-8") == (
        "[a](a/b.md#x) [code](repository/code.py.txt#L1) folder [up](repository/README.md) [web](https://x.invalid)"
    )
    assert (pages / "repository/README.md").read_text(encoding="utf-8") == "[back](../index.md)"
    assert (pages / "repository/code.py.txt").read_text(encoding="utf-8") == "pass"
    assert not (pages / "generator").exists()


def test_no_page_is_left_out(repository: Path) -> None:
    """A page that the configuration does not list comes last."""
    stage(repository / "out")
    configuration = yaml.safe_load((repository / "out" / "mkdocs.yml").read_text(encoding="utf-8"))

    assert configuration["nav"] == [{"Start": "index.md"}, {"More": ["a/b.md"]}]


def test_a_dead_link_is_told(tmp_path: Path) -> None:
    """One that leads to no file of the site is; addresses elsewhere, and places on the same page, are not."""
    (tmp_path / "a b.html").write_text("", encoding="utf-8")
    (tmp_path / "x.html").write_text(
        '<a href="a%20b.html#x"></a><a href="#y"></a><a href="https://x.invalid/z"></a><img src="no.svg">', "utf-8"
    )
    (tmp_path / "404.html").write_text('<a href="/nowhere.html"></a>', encoding="utf-8")

    assert list(dead_links(tmp_path)) == ["x.html: no.svg"]
