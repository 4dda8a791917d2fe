"""Site: a copy of the pages in which every link leads somewhere, made into HTML by Zensical, without a network."""

import posixpath
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml

from docs.generator.pages import DOCS

__all__ = ["SITE", "build", "dead_links", "stage"]

_ROOT = DOCS.parent
_PLACE = _ROOT / "build" / "docs"
SITE = _PLACE / "site"
"""Where the site is written."""

_CONFIGURATION = "mkdocs.yml"
_PAGES = "docs"
_OUTSIDE = "repository"
"""The folder of the site for files of the repository to which pages lead."""
_KEPT = (".md", ".svg", ".css", ".zip")
_LINK = re.compile(r"(?<=\]\()(?!\w+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_WORDS_OF_LINK = re.compile(r"\[([^\]]*)\]\(\0\)")
_MORE = "More"


def build() -> Path:
    """Make the site and return its first page. Raises CalledProcessError, ValueError if a link leads nowhere."""
    stage(_PLACE)
    subprocess.run([sys.executable, "-m", "zensical", "build", "--clean", "--strict"], cwd=_PLACE, check=True)
    if dead := list(dead_links(SITE)):
        raise ValueError("\n".join(["links that lead nowhere:", *dead]))
    return SITE / "index.html"


def stage(place: Path) -> None:
    """Copy the pages into a folder, with the files outside of docs/ to which they lead, and the configuration."""
    if place.exists():
        shutil.rmtree(place)
    copied = _Copy(place / _PAGES)
    for path in sorted(DOCS.rglob("*")):
        if path.is_file() and path.suffix in _KEPT:
            copied.add(path)
    configuration = yaml.safe_load((DOCS / _CONFIGURATION).read_text(encoding="utf-8"))
    more = sorted(set(copied.pages()) - set(_pages_of(configuration["nav"])))
    configuration["nav"].append({_MORE: more})
    text = yaml.safe_dump(configuration, sort_keys=False, allow_unicode=True)
    (place / _CONFIGURATION).write_text(text, encoding="utf-8")


class _Copy:
    """Copies pages into a folder, each of which may need other files of the repository."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._there: dict[Path, str] = {}

    def add(self, path: Path) -> str:
        """Copy a file if it is not there yet, and return its path in the folder."""
        if path in self._there:
            return self._there[path]
        name = self._there[path] = _name_in_site(path)
        target = self._folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            target.write_text(self._rewrite(path, name), encoding="utf-8")
        else:
            shutil.copy(path, target)
        return name

    def pages(self) -> Iterator[str]:
        """Yield the pages of docs/ that were copied."""
        yield from (name for path, name in self._there.items() if path.suffix == ".md" and path.is_relative_to(DOCS))

    def _rewrite(self, page: Path, name: str) -> str:
        """Return a page whose links lead to copies; a link to a folder, which a site cannot show, is text."""

        def replace(link: re.Match[str]) -> str:
            target = (page.parent / unquote(link[1])).resolve()
            if not target.is_file():
                return "\0"
            return posixpath.relpath(self.add(target), posixpath.dirname(name)) + (link[2] or "")

        return _WORDS_OF_LINK.sub(r"\1", _LINK.sub(replace, page.read_text(encoding="utf-8")))


def _name_in_site(path: Path) -> str:
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = f"{_OUTSIDE}/{path.relative_to(_ROOT).as_posix().replace('/.', '/').lstrip('.')}"
    return name if path.suffix in _KEPT else f"{name}.txt"  # as text every browser shows it


def _pages_of(nav: Any) -> Iterator[str]:
    """Yield the pages in a list of pages, or of sections."""
    if isinstance(nav, str):
        yield nav
        return
    for part in nav.values() if isinstance(nav, dict) else nav:
        yield from _pages_of(part)


class _References(HTMLParser):
    """Collects what a page refers to by href, src or srcset."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses in a tag; a page's own address and those it may be found at are no references."""
        if tag == "link" and ("rel", "canonical") in attrs:
            return
        self.urls += [value.split(" ")[0] for name, value in attrs if name in ("href", "src", "srcset") and value]


def dead_links(site: Path) -> Iterator[str]:
    """Yield each reference from a page of a site to a file that is not in it."""
    for page in sorted(site.rglob("*.html")):
        if page.name == "404.html":  # a server shows it at any address
            continue
        references = _References()
        references.feed(page.read_text(encoding="utf-8"))
        for url in references.urls:
            parts = urlsplit(url)
            if parts.scheme or parts.netloc or not parts.path:
                continue
            if not (page.parent / unquote(parts.path)).exists():
                yield f"{page.relative_to(site)}: {url}"
