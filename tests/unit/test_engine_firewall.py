"""Tests of clusters.engine.firewall: which range of addresses is free (its rules are tested on the real engine)."""

from pathlib import Path

import pytest

from clusters.engine import firewall
from clusters.errors import EngineUnavailable

_HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
_DEFAULT = "eth0\t00000000\t0100A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"


def _route(destination: str, mask: str) -> str:
    """Return a line of /proc/net/route; the kernel writes addresses in little-endian hexadecimal."""
    return f"tun0\t{destination}\t00000000\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n"


def _routes(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "route"
    path.write_text("".join([_HEAD, _DEFAULT, *lines]))
    return path


def test_the_default_route_takes_no_range(tmp_path: Path) -> None:
    """0.0.0.0/0 overlaps everything and yet leaves the first range free."""
    assert firewall.free_pool(_routes(tmp_path)) == firewall.POOLS[0]


def test_a_range_inside_a_wider_route_is_taken(tmp_path: Path) -> None:
    """A VPN that routes 10.0.0.0/8 leaves the first range outside of 10."""
    assert firewall.free_pool(_routes(tmp_path, _route("0000000A", "000000FF"))) == firewall.POOLS[1]


def test_a_range_around_a_narrower_route_is_taken(tmp_path: Path) -> None:
    """A single /24 inside a range takes the whole range."""
    assert firewall.free_pool(_routes(tmp_path, _route("0007D50A", "00FFFFFF"))) == firewall.POOLS[1]


def test_no_free_range_is_an_error_that_tells_how_to_look(tmp_path: Path) -> None:
    """Routes over half the world each leave nothing; the message names the command that shows them."""
    halves = [_route("00000000", "00000080"), _route("00000080", "00000080")]
    with pytest.raises(EngineUnavailable, match="ip route"):
        firewall.free_pool(_routes(tmp_path, *halves))
