"""Whole: each line of a node is a trait, which a random name does not change."""

import pytest

from chaos_harness.clusters.pool.deviations import Trait, deviations
from chaos_harness.clusters.pool.whole import by_line, sections

_ID, _OTHER = "0123abcd" * 8, "89ab4567" * 8
_SHORT, _OTHER_SHORT = _ID[:16], _OTHER[:16]
_UID, _OTHER_UID = "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f", "ffffffff-0a1b-0a1b-0a1b-0a1b2c3d4e5f"
_SNAT = "-A POST -s 127.0.0.11/32 -p udp -m udp --sport {} -j SNAT --to-source 10.1.2.3:53"
"""Where what a container asks its name server is answered: at a port that Docker draws when the container starts."""


def changed(title: str, before: str, after: str) -> list[str]:
    place = Trait("node", "w", aspect=title)
    return list(map(str, deviations(by_line(place, before), by_line(place, after))))


def test_sections_of_what_a_script_printed() -> None:
    """By their titles; one may be empty."""
    assert dict(sections("== rules\na\nb\n== queues\n== mounts\nc\n")) == {"rules": "a\nb", "queues": "", "mounts": "c"}


@pytest.mark.parametrize(
    ("title", "before", "after", "words"),
    [
        ("rules", "-A a", "-A a\n-A b", ["new: node w rules: -A b (there)"]),
        ("rules", "-A a\n-A b", "-A b", ["gone: node w rules: -A a"]),
        ("rules", "-A a\n-A b", "-A b\n-A a", []),
        ("sysctls", "vm/a = 1", "vm/a = 2", ["changed: node w sysctls: vm/a (was 1, is 2)"]),
        (
            "etc",
            f"{_ID}  /etc/a b",
            f"{_OTHER}  /etc/a b",
            [f"changed: node w etc: /etc/a b (was {_SHORT}, is {_OTHER_SHORT})"],
        ),
        (
            "images",
            f"a sha256:{_ID}",
            f"a sha256:{_OTHER}",
            [f"gone: node w images: a sha256:{_ID}", f"new: node w images: a sha256:{_OTHER} (there)"],
        ),
        ("mounts", f"/run/{_ID}/rootfs overlay", f"/run/{_OTHER}/rootfs overlay\n/run/{_ID}/rootfs overlay", []),
        ("mounts", f"/pods/{_UID}/kube-api-access-a1b2c tmpfs", f"/pods/{_OTHER_UID}/kube-api-access-zz9 tmpfs", []),
        (
            "rules",
            f"-A OUT --dport 53 -j DNAT --to-destination 127.0.0.11:35013\n{_SNAT.format(35013)}",
            f"-A OUT --dport 53 -j DNAT --to-destination 127.0.0.11:43135\n{_SNAT.format(43135)}",
            [],
        ),
        (
            "rules",
            "-A OUT --sport 1 -j DROP",
            "-A OUT --sport 2 -j DROP",
            ["gone: node w rules: -A OUT --sport 1 -j DROP", "new: node w rules: -A OUT --sport 2 -j DROP (there)"],
        ),
        ("mounts", "/run/d/exec/netns/0123456789ab nsfs", "/run/d/exec/netns/ba9876543210 nsfs", []),
        ("mounts", "/a tmpfs", "/a tmpfs\n/filled tmpfs", ["new: node w mounts: /filled tmpfs (there)"]),
        (
            "cgroups",
            f"/k/pod{_UID}/cpu.max = max".replace("-", "_"),
            f"/k/pod{_OTHER_UID}/cpu.max = 10",
            ["changed: node w cgroups: /k/podUID/cpu.max (was max, is 10)"],
        ),
        (
            "cgroups",
            f"/k/{_ID}/cpu.max = 1\n/k/{_OTHER}/cpu.max = 2",
            f"/k/{_ID}/cpu.max = 2\n/k/{_OTHER}/cpu.max = 2",
            ["changed: node w cgroups: /k/ID/cpu.max (was 1, 2, is 2)"],
        ),
    ],
    ids=str,
)
def test_what_differs(title: str, before: str, after: str, words: list[str]) -> None:
    """A line that is new, gone or has another value; not their order, nor what a pod's random name changes."""
    assert changed(title, before, after) == words
