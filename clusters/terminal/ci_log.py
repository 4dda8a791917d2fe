"""CI log: how lines look in the log of a CI service: with the time, and in groups that can be folded."""

import os
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["CiLog"]

Service = Literal["", "github", "gitlab"]

_NO_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 60
_OFF = ("", "0", "false", "no")
_SERVICES: Mapping[str, Service] = {"GITHUB_ACTIONS": "github", "GITLAB_CI": "gitlab", "CI": ""}
"""Which variable says that it is whose log; almost all services set CI."""


@dataclass(frozen=True)
class CiLog:
    """The form of one log: `timed` if its lines begin with the time in UTC, `service` if that can fold groups.

    Workflow commands: docs.github.com; collapsible sections: docs.gitlab.com.
    """

    timed: bool = False
    service: Service = ""
    clock: Callable[[], float] = time.time

    @classmethod
    def of(cls, environment: Mapping[str, str] = os.environ) -> "CiLog":
        """Return the form that the environment of a CI service asks for; elsewhere lines stay as they are.

        Workers of pytest-xdist write side by side, so they open no groups.
        """
        services = [service for name, service in _SERVICES.items() if environment.get(name, "").lower() not in _OFF]
        return cls(bool(services), services[0] if services and "PYTEST_XDIST_WORKER" not in environment else "")

    def line(self, text: str) -> str:
        """Return a line of text as it stands in the log."""
        if not self.timed:
            return text
        return f"{time.strftime('%H:%M:%S', time.gmtime(self.clock()))} {text}"

    def begin_group(self, title: str) -> str:
        """Return the line that opens a group; "" where there are none."""
        if self.service == "github":
            return f"::group::{title}"
        if self.service == "gitlab":
            return f"\033[0Ksection_start:{self.clock():.0f}:{_section(title)}\r\033[0K{title}"
        return ""

    def end_group(self, title: str) -> str:
        """Return the line that closes a group; "" where there are none."""
        if self.service == "github":
            return "::endgroup::"
        if self.service == "gitlab":
            return f"\033[0Ksection_end:{self.clock():.0f}:{_section(title)}\r\033[0K"
        return ""


def _section(title: str) -> str:
    return _NO_NAME.sub("_", title.lower()).strip("_")[:_LONGEST_NAME]
