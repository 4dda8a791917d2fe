"""Links: what a page of the repository leads to is there, and so is where a file went that older pages name."""

import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)]*))?\)")
_SOURCE = re.compile(r"""<(?:img|a)\b[^>]*?\b(?:src|href)="(?!https?:|#)([^"#]+)""")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)
_WENT = re.compile(r"^\| \S.*? \| ([\w./-]+)", re.MULTILINE)


def _dead(page: Path, text: str) -> Iterator[str]:
    """Yield the relative links of a page, and the places where files went, that are not there."""
    yield from (link for link in _SOURCE.findall(text) if not (page.parent / link).exists())
    for link, anchor in _LINK.findall(text):
        target = page.parent / link if link else page
        if not target.exists():
            yield link
        elif (
            anchor
            and target.suffix == ".md"
            and anchor not in _anchors(text if not link else target.read_text("utf-8"))
        ):
            yield f"{link}#{anchor}"
    if page.name == "moved.md":
        yield from (place for place in _WENT.findall(text) if "/" in place and not (_ROOT / place).exists())


def _anchors(text: str) -> set[str]:
    """Return the names by which links lead to the headings of a page, as GitHub and the site make them."""
    headings = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in _HEADING.findall(_FENCED.sub("", text)))
    return {heading.strip().replace(" ", "-") for heading in headings}


def test_what_pages_lead_to_is_there() -> None:
    """No link of a page in Markdown is dead."""
    folders = ("", ".github", "scenarios", "tests/worlds", "tests/mutation")
    pages = [page for folder in folders for page in sorted((_ROOT / folder).glob("*.md"))]
    pages += sorted((_ROOT / "docs").rglob("*.md"))
    dead = [f"{page.relative_to(_ROOT)}: {link}" for page in pages for link in _dead(page, page.read_text("utf-8"))]

    assert len(pages) > 50
    assert "\n".join(dead) == ""


def test_a_dead_link_is_found() -> None:
    """A planted one is, beside links that lead somewhere else or to a part of a page."""
    text = (
        "# Here\n[a](nowhere.py) [b](verdicts.md#one-rule) [c](https://example.org/x)\n[d](#here) "
        '[e](verdicts.md#no-rule) [f](#there) <img src="no.svg"> <a href="gc.md"></a>\n'
        "| old.py | harness/nowhere.py |\n"
    )
    dead = ["no.svg", "nowhere.py", "verdicts.md#no-rule", "#there"]

    assert list(_dead(_ROOT / "docs" / "moved.md", text)) == [*dead, "harness/nowhere.py"]
    assert list(_dead(_ROOT / "docs" / "gc.md", text)) == dead
