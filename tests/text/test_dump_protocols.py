"""Packets of one protocol at a time, printed as tcpdump 4.99.3 prints them, whole and cut.

Each file of tests/data/packets is one printer's: "LINKTYPE OPTIONS", then "= LENGTH OCTETS" for each
packet that one program sees, then "> " and a line of what it prints. A remark says where they are from.
"""

from __future__ import annotations

import pathlib
import random
import re
from typing import NamedTuple

import pytest

from cmds.tcpdump.session import PACKET_TYPES
from libnet.text.dump import tcp, udp
from libnet.text.dump.link import print_packet
from libnet.text.dump.ndo import Ndo

DATA = pathlib.Path(__file__).parent.parent / "data" / "packets"
PROTOCOLS = sorted(path.stem for path in DATA.glob("*.txt"))
FLAGS = {"e": "eflag", "S": "Sflag", "K": "Kflag", "b": "bflag", "u": "uflag"}


class Case(NamedTuple):
    """Packets that one program sees, and its lines; *lengths* are those on the wire."""

    linktype: int
    options: str
    lengths: list[int]
    packets: list[bytes]
    lines: list[str]


def cases(protocol):
    found = []
    octets = []
    for line in (DATA / f"{protocol}.txt").read_text(encoding="latin-1").split("\n"):
        if line.startswith("= "):
            _mark, length, head = line.split()
            found[-1].lengths.append(int(length))
            octets.append(head)
            found[-1].packets.append(b"")
        elif line.startswith("  "):
            octets[-1] += line.strip()
        elif line.startswith(">"):
            found[-1].lines.append(line[2:])
        elif line and not line.startswith("#"):
            linktype, _blank, options = line.partition(" ")
            found.append(Case(int(linktype), options, [], [], []))
            continue
        if octets:
            found[-1].packets[-1] = bytes.fromhex(octets[-1])
    return found


def make_ndo(options):
    ndo = Ndo()
    ndo.tflag = 1
    words = options.split()
    if "-T" in words:
        ndo.packettype = words[words.index("-T") + 1]
        words = words[: words.index("-T")]
    for letter in "".join(words).replace("-", ""):
        if letter in FLAGS:
            setattr(ndo, FLAGS[letter], True)
        else:
            name = f"{letter}flag"
            setattr(ndo, name, getattr(ndo, name) + 1)
    return ndo


def printed(case):
    ndo = make_ndo(case.options)
    return "".join(
        print_packet(ndo, case.linktype, packet, length, 0, 0)
        for packet, length in zip(case.packets, case.lengths, strict=True)
    ).split("\n")[:-1]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_printed_as_recorded(protocol):
    found = cases(protocol)
    assert found
    for case in found:
        assert printed(case) == case.lines, case.options


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_cut_packets_are_lines_with_a_marker_or_whole(protocol):
    for case in cases(protocol)[::2]:
        for packet, length in zip(case.packets, case.lengths, strict=True):
            for size in {1, 7, *range(14, len(packet), max(1, len(packet) // 40))}:
                text = print_packet(
                    make_ndo(case.options), case.linktype, packet[:size], length, 0, 0
                )
                assert text.endswith("\n")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damaged_packets_are_lines(protocol):
    dice = random.Random(4)
    for case in cases(protocol):
        for packet, length in zip(case.packets, case.lengths, strict=True):
            for _ in range(6):
                octets = bytearray(packet)
                for _ in range(3):
                    octets[dice.randrange(len(octets))] = dice.choice((0, 1, 127, 255))
                ndo = make_ndo(case.options + " -vvv")
                text = print_packet(ndo, case.linktype, bytes(octets), length, 0, 0)
                assert text.endswith("\n")


def _ip(proto, payload):
    head = b"\x45\0" + (20 + len(payload)).to_bytes(2, "big") + bytes((0, 1, 0, 0, 64, proto, 0, 0))
    return head + b"\x0a\0\0\1\x0a\0\0\2" + payload


def _datagram(sport, dport, payload):
    ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    return _ip(17, ports + (8 + len(payload)).to_bytes(2, "big") + b"\0\0" + payload)


def _segment(sport, dport, payload):
    ports = sport.to_bytes(2, "big") + dport.to_bytes(2, "big")
    return _ip(6, ports + bytes(8) + b"\x50\x18\x10\0\0\0\0\0" + payload)


@pytest.mark.parametrize(
    ("make", "ports"),
    [
        (_datagram, sorted({*udp._BY_PORT, *udp._TO, udp._NFS})),
        (_segment, sorted({*tcp._BY_PORT, tcp._NFS})),
    ],
    ids=("udp", "tcp"),
)
def test_any_octets_behind_every_port_that_has_a_printer(make, ports):
    """One of them once asked for more than it was given, whatever the packet."""
    dice = random.Random(11)
    for port in ports:
        for options in ("-n", "-nvvv"):
            for size in (0, 1, 13, 60, 200):
                payload = dice.randbytes(size)
                for packet in (make(port, 60000, payload), make(60000, port, payload)):
                    text = print_packet(make_ndo(options), 101, packet, len(packet), 0, 0)
                    assert re.match(r"IP 10|IP \(", text), (port, text)


@pytest.mark.parametrize("kind", sorted(PACKET_TYPES - {"carp"}))
def test_what_a_type_forces_is_printed_by_it(kind):
    """A type without its printer would say no more than who sends to whom."""
    payload = random.Random(5).randbytes(64)
    packets = (_datagram(40000, 40001, payload), _segment(40000, 40001, payload))
    lines = [
        print_packet(make_ndo(f"-n -T {kind}"), 101, packet, len(packet), 0, 0)
        for packet in packets
    ]
    behind_udp = re.sub(r"^IP 10\.0\.0\.1\.\w+ > 10\.0\.0\.2\.\w+: ", "", lines[0]).strip()
    behind_tcp = lines[1].partition("length 64")[2].strip()
    assert behind_udp or behind_tcp


def test_carp_is_told_from_vrrp_by_its_type():
    packet = _ip(112, b"\x21\x01" + bytes(34))
    assert "CARP" in print_packet(make_ndo("-n -T carp"), 101, packet, len(packet), 0, 0)
    assert "CARP" not in print_packet(make_ndo("-n"), 101, packet, len(packet), 0, 0)
