"""`nox -s docs`: writes what is generated below docs/, and makes the site."""

import sys

from docs.generator.pages import DOCS, outdated
from docs.generator.site import build

__all__ = ["main"]


def main() -> int:
    """Write all that is out of date, and make the site; a link that leads nowhere is an error."""
    for path, text in outdated().items():
        file = DOCS / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        sys.stdout.write(f"wrote docs/{path}\n")
    sys.stdout.write(f"read it: {build()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
