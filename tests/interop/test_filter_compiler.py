"""Our programs against those of the real tcpdump, for expressions nobody has recorded."""

from __future__ import annotations

import os
import random
import re
import subprocess

import pytest

from cmds._handover import find_next
from libnet.conf.pcapfilter import FilterError, compile
from libnet.ioctl.dlt import dlt_name

pytestmark = pytest.mark.interop

SNAPLEN = 262144
VERSION = "libpcap version 1.10."
DLTS = (1, 1, 1, 105, 127, 12, 9, 113)
PROTOS = "ip ip6 tcp udp icmp icmp6 arp rarp igmp sctp esp ah pim stp iso isis ipx atalk l1"
DIRS = ("", "", "src ", "dst ", "src or dst ", "src and dst ")


def _tcpdump():
    program = find_next("tcpdump", os.environ.get("PATH", ""))  # not ours
    if program is None:
        pytest.skip("no tcpdump here")
    about = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    if VERSION not in about.stdout + about.stderr:
        pytest.skip("its compiler is another version")
    return program


class Maker:
    """Makes expressions from a seed."""

    def __init__(self, seed):
        self.dice = random.Random(seed)

    def one(self, *choices):
        return self.dice.choice(choices)

    def value(self, depth=0):
        pick = self.dice.random()
        if depth > 2 or pick < 0.35:
            return self.one("0", "1", "6", "0x800", "80", "255", "65535", "len")
        if pick < 0.7:
            header = self.one("ip", "tcp", "udp", "icmp", "ether", "ip6", "icmp6", "arp")
            return f"{header}[{self.dice.randrange(30)}{self.one('', ':1', ':2', ':4')}]"
        op = self.one("+", "-", "*", "&", "|", "^", "<<", ">>")
        both = f"{self.value(depth + 1)} {op} {self.value(depth + 1)}"
        return f"({both})" if self.dice.random() < 0.4 else both

    def primitive(self):
        port = self.one("80", "53", "67", "65535")
        address = self.one("10.0.0.1", "192.168.7.9", "fe80::1")
        network = self.one("10", "10.1", "10.0.0.0/8", "224.0.0.0/4", "2001:db8::/32")
        return self.one(
            self.one(*PROTOS.split()),
            f"{self.one(*DIRS)}host {address}",
            f"{self.one(*DIRS)}net {network}",
            f"{self.one('', 'tcp ', 'udp ')}{self.one(*DIRS)}port {port}",
            f"{self.one('', 'tcp ', 'udp ')}portrange {self.one('1-10', '5000-6000')}",
            f"ether {self.one(*DIRS)}host 2:0:0:0:0:1",
            self.one("broadcast", "multicast", "ip multicast", "ip6 multicast", "less 64"),
            self.one("vlan", "vlan 5", "mpls 7", "pppoes", "pppoed", "llc", "type mgt"),
            f"{self.value()} {self.one('=', '!=', '>', '<', '>=', '<=')} {self.value()}",
        )

    def expression(self, depth=0):
        pick = self.dice.random()
        if depth > 2 or pick < 0.4:
            return self.primitive()
        if pick < 0.8:
            word = self.one("and", "or")
            return f"{self.expression(depth + 1)} {word} {self.expression(depth + 1)}"
        return self.one(f"not ({self.expression(depth + 1)})", f"({self.expression(depth + 1)})")


def _ours(text, dlt, optimize):
    try:
        return compile(text, dlt, SNAPLEN, optimize=optimize, netmask=0).dump(3)
    except FilterError as exc:
        return f"tcpdump: {exc}\n"


@pytest.mark.parametrize("seed", range(8))
def test_programs_and_messages_are_the_same(seed):
    program = _tcpdump()
    maker = Maker(seed)
    for _ in range(25):
        text, dlt = maker.expression(), maker.one(*DLTS)
        for flags in ([], ["-O"]):
            real = subprocess.run(
                [program, "-y", dlt_name(dlt), *flags, "-ddd", text],
                capture_output=True,
                text=True,
                check=False,
            )
            theirs = real.stdout or re.sub(r"^Warning:.*\n", "", real.stderr)
            assert _ours(text, dlt, not flags) == theirs, (text, dlt_name(dlt), flags)
