"""Links: what a page of the repository leads to is there, and so is where a file went that older pages name."""

import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)#\s]+)(?:#[^)]*)?\)")
_WENT = re.compile(r"^\| \S.*? \| ([\w./]+)", re.MULTILINE)


def _dead(page: Path, text: str) -> Iterator[str]:
    """Yield the relative links of a page, and the places where files went, that are not there."""
    yield from (link for link in _LINK.findall(text) if not (page.parent / link).exists())
    if page.name == "moved.md":
        yield from (place for place in _WENT.findall(text) if "/" in place and not (_ROOT / place).exists())


def test_what_pages_lead_to_is_there() -> None:
    """No link of a page in Markdown is dead."""
    folders = ("", ".github", "docs", "docs/contributing", "docs/decisions", "scenarios", "tests/worlds")
    pages = [page for folder in folders for page in sorted((_ROOT / folder).glob("*.md"))]
    dead = [f"{page.relative_to(_ROOT)}: {link}" for page in pages for link in _dead(page, page.read_text("utf-8"))]

    assert len(pages) > 20
    assert "\n".join(dead) == ""


def test_a_dead_link_is_found() -> None:
    """A planted one is, beside links that lead somewhere else or to a part of a page."""
    text = (
        "[a](nowhere.py) [b](verdicts.md#rule) [c](https://example.org/x) [d](#here)\n| old.py | harness/nowhere.py |\n"
    )

    assert list(_dead(_ROOT / "docs" / "moved.md", text)) == ["nowhere.py", "harness/nowhere.py"]
    assert list(_dead(_ROOT / "docs" / "gc.md", text)) == ["nowhere.py"]
