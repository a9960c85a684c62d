"""Configurations of one dhcpd read by the other: ours by ISC's, and those of its Debian package by ours."""

from __future__ import annotations

import pathlib
import shutil
import subprocess

import pytest

from libnet.conf.dhcpdconf import parse

ROOT = pathlib.Path(__file__).parents[2]
DHCPD = shutil.which("dhcpd", path="/usr/sbin:/sbin:/usr/local/sbin")
THEIRS = [
    *pathlib.Path("/usr/share/doc/isc-dhcp-server").glob("**/*.conf*"),
    *pathlib.Path("/etc/dhcp").glob("dhcpd.conf"),
]
OURS = sorted((ROOT / "etc").glob("**/dhcpd*.conf"))

pytestmark = pytest.mark.interop


@pytest.mark.skipif(DHCPD is None, reason="needs isc-dhcp-server")
@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_isc_dhcpd_reads_our_samples(path):
    argv = [str(DHCPD), "-4", "-t", "-cf", str(path)]
    got = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30)
    assert got.returncode == 0, got.stderr


def test_there_is_a_sample():
    assert OURS


@pytest.mark.skipif(not THEIRS, reason="needs the samples of isc-dhcp-server")
def test_we_read_the_samples_of_isc_dhcpd():
    for path in THEIRS:
        if "6" not in path.name:
            assert [str(error) for error in parse(path.read_text(), path.name).errors] == []
