"""Packets as text: the recorded captures line for line; cut, damaged and random packets."""

from __future__ import annotations

import gzip
import importlib
import json
import pathlib
import random
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import libnet.text.dump
from libnet.text.dump.link import has_printer, print_packet
from libnet.text.dump.ndo import Ndo
from libnet.wire.savefile import open_savefile

DATA = pathlib.Path(__file__).parent.parent / "data" / "captures"
RECORDED = json.loads(gzip.decompress((DATA / "printed.json.gz").read_bytes()))
CAPTURES = sorted(RECORDED["texts"])
FLAGS = {"e": "eflag", "S": "Sflag", "K": "Kflag"}
COUNTS = {letter: f"{letter}flag" for letter in "nvtqxXA"}
# What a packet that is not whole ends with, somewhere in its lines.
MARK = re.compile(r"\[\|[a-z0-9_.-]+\]")


def options(text):
    """Return the printers' options and the count of a command line."""
    ndo, count = Ndo(), 0
    words = iter(text.split())
    for word in words:
        if word == "-c":
            count = int(next(words))
        elif word in ("--number", "-#"):
            ndo.number = True
        else:
            for letter in word[1:]:
                if letter in FLAGS:
                    setattr(ndo, FLAGS[letter], True)
                else:
                    name = COUNTS[letter]
                    setattr(ndo, name, getattr(ndo, name) + 1)
    ndo.suppress_default_print = bool(ndo.qflag or ndo.xflag or ndo.Xflag)
    return ndo, count


def packets(name):
    with open(DATA / f"{name}.pcap", "rb") as file:
        reader = open_savefile(file)
        return reader.dlt, list(reader)


def printed(name, text):
    ndo, count = options(text)
    dlt, found = packets(name)
    found = found[:count] if count else found
    return [
        print_packet(ndo, dlt, p.data, p.length, p.sec, p.nsec // 1000, number)
        for number, p in enumerate(found, 1)
    ]


@pytest.mark.parametrize("name", CAPTURES)
def test_recorded_captures(name):
    for variant, want in RECORDED["texts"][name].items():
        text = RECORDED["options"][variant]
        got = "".join(printed(name, text))
        assert got.splitlines() == want.splitlines(), text


def test_every_printer_that_is_named_is_there():
    room = pathlib.Path(libnet.text.dump.__file__).parent
    named = set()
    for path in room.glob("*.py"):
        named |= set(re.findall(r'lazy\("([a-z0-9_]+\.[a-z0-9_]+)"\)', path.read_text()))
    assert len(named) > 70
    for where in named:
        module, function = where.split(".")
        found = getattr(importlib.import_module(f"libnet.text.dump.{module}"), function)
        assert callable(found), where


def verbose():
    return options("-nn -t -e -vvv")[0]


@pytest.mark.parametrize("name", CAPTURES)
def test_cut_at_every_length(name):
    dlt, found = packets(name)
    ndo = verbose()
    marks = 0
    # A packet of each length is enough: the others are cut in the same places.
    for packet in {len(p.data): p for p in found}.values():
        step = max(1, len(packet.data) // 150)
        for size in range(1, len(packet.data), step):
            line = print_packet(ndo, dlt, packet.data[:size], packet.length, 0, 0)
            assert line.endswith("\n")
            marks += bool(MARK.search(line))
        header = print_packet(ndo, dlt, packet.data[:1], packet.length, 0, 0)
        assert MARK.search(header), header
    assert marks


@pytest.mark.parametrize("name", CAPTURES)
def test_damaged(name):
    dice = random.Random(name)
    dlt, found = packets(name)
    ndo = verbose()
    for packet in found[:60]:
        for _ in range(12):
            data = bytearray(packet.data)
            for _ in range(dice.choice((1, 1, 2, 6))):
                data[dice.randrange(len(data))] = dice.choice(
                    (0, 1, 127, 128, 255, dice.randrange(256))
                )
            size = dice.choice((len(data), dice.randrange(1, len(data) + 1)))
            line = print_packet(ndo, dlt, bytes(data[:size]), max(packet.length, size), 0, 0)
            assert line.endswith("\n")
            assert line.isascii()


LINK_TYPES = [dlt for dlt in range(300) if has_printer(dlt)]
ETHER = bytes(12)
IP4 = bytes.fromhex("4500002800010000400000000a0000010a000002")
IP6 = bytes.fromhex("6000000000200040") + bytes(31) + b"\1"


def test_the_link_types_of_a_box_have_printers():
    assert {0, 1, 9, 12, 50, 51, 105, 108, 113, 117, 119, 127, 276} <= set(LINK_TYPES)


def show(dlt, data, flags):
    ndo = options(flags)[0]
    line = print_packet(ndo, dlt, data, max(len(data), 1), 1, 2)
    assert line.endswith("\n")
    assert line.isascii()
    return line


FLAGSETS = st.sampled_from(
    ["-nn", "-n -v", "-nn -vv -e", "-nn -vvv", "-q -n", "-A -n", "-XX -n -vvv"]
)


@settings(max_examples=300)
@given(st.sampled_from(LINK_TYPES), st.binary(max_size=200), FLAGSETS)
@example(1, b"", "-nn")
def test_any_octets_of_any_link_type(dlt, data, flags):
    show(dlt, data, flags)


@settings(max_examples=400)
@given(st.integers(0, 65535), st.binary(max_size=160), FLAGSETS)
def test_any_octets_behind_any_ethertype(kind, data, flags):
    show(1, ETHER + kind.to_bytes(2, "big") + data, flags)


ETHERTYPES = (
    0x0806,
    0x8100,
    0x88A8,
    0x8863,
    0x8864,
    0x888E,
    0x8809,
    0x88CC,
    0x9000,
    0x8847,
    0x880B,
    38,
)


@settings(max_examples=400)
@given(st.sampled_from(ETHERTYPES), st.binary(max_size=160), FLAGSETS)
def test_any_octets_behind_known_ethertypes(kind, data, flags):
    show(1, ETHER + kind.to_bytes(2, "big") + data, flags)


PROTOCOLS = (1, 2, 4, 6, 17, 41, 47, 50, 51, 58, 89, 97, 103, 108, 112, 132)


@settings(max_examples=500)
@given(st.sampled_from(PROTOCOLS), st.binary(max_size=200), FLAGSETS, st.booleans())
def test_any_octets_behind_ip(proto, data, flags, six):
    if six:
        packet = IP6[:4] + len(data).to_bytes(2, "big") + bytes((proto, 64)) + IP6[8:] + data
    else:
        packet = (
            IP4[:2]
            + (20 + len(data)).to_bytes(2, "big")
            + IP4[4:9]
            + bytes((proto,))
            + IP4[10:]
            + data
        )
    show(12, packet, flags)


PORTS = (
    53, 67, 69, 123, 161, 500, 514, 520, 521, 546, 1645, 1701, 1812, 1985, 3784, 4500, 4789, 4790, 5060,
    5353, 6081, 6635, 8472,
)  # fmt: skip


@settings(max_examples=600)
@given(st.sampled_from(PORTS), st.binary(max_size=250), FLAGSETS)
def test_any_octets_behind_udp_ports(port, data, flags):
    size = 8 + len(data)
    udp = b"\x30\x39" + port.to_bytes(2, "big") + size.to_bytes(2, "big") + b"\0\0" + data
    head = IP4[:2] + (20 + size).to_bytes(2, "big") + IP4[4:9] + b"\x11" + IP4[10:]
    show(12, head + udp, flags)


TCP_PORTS = (21, 22, 23, 25, 43, 53, 80, 554, 8080, 10288)


@settings(max_examples=400)
@given(st.sampled_from(TCP_PORTS), st.binary(max_size=40), st.binary(max_size=80), FLAGSETS)
def test_any_octets_behind_tcp_ports(port, opts, data, flags):
    opts += bytes(-len(opts) % 4)
    head = b"\x30\x39" + port.to_bytes(2, "big") + bytes(8) + bytes(((5 + len(opts) // 4) << 4, 16))
    tcp = head + b"\x10\0\0\0\0\0" + opts + data
    ip = IP4[:2] + (20 + len(tcp)).to_bytes(2, "big") + IP4[4:9] + b"\x06" + IP4[10:]
    show(12, ip + tcp, flags)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_802_11_of_any_octets(data):
    for dlt in (105, 127, 119, 163):
        show(dlt, data, "-nn -vvv -e")


def test_headers_in_headers_without_end():
    packet = IP4[:9] + b"\x04" + IP4[10:]
    data = b""
    for _ in range(3000):
        size = min(len(data) + 20, 65535)
        data = packet[:2] + size.to_bytes(2, "big") + packet[4:] + data
    line = print_packet(verbose(), 12, data, len(data), 0, 0)
    assert line.endswith("[|ip]\n")
    # And what comes after is not touched by it.
    assert show(12, b"\x50", "-nn") == "00:00:01.000002 unknown ip 5\n"


def test_lengths_that_cannot_be():
    ndo = options("-nn -t")[0]
    assert print_packet(ndo, 1, b"", 0, 0, 0) == "[Invalid header: caplen==0, len==0]\n"
    assert print_packet(ndo, 1, b"abc", 2, 0, 0) == "[Invalid header: len(2) < caplen(3)]\n"


@pytest.mark.parametrize(
    ("flags", "want"),
    [
        ("", "22:13:20.000005 "),
        ("-t", ""),
        ("-tt", "1700000000.000005 "),
        ("-ttt", " 00:00:00.000000 "),
        ("-tttt", "2023-11-14 22:13:20.000005 "),
        ("-ttttt", " 00:00:00.000000 "),
    ],
)
def test_times(flags, want):
    ndo = options(flags + " -nn")[0]
    line = print_packet(ndo, 12, b"\x50", 1, 1700000000, 5)
    assert line == want + "unknown ip 5\n"
    nano = options(flags + " -nn")[0]
    nano.nano = True
    line = print_packet(nano, 12, b"\x50", 1, 1700000000, 5)
    assert line == want.replace("000005", "000000005").replace(".000000 ", ".000000000 ") + (
        "unknown ip 5\n"
    )


class Names:
    def host(self, addr):
        return "one.example.com" if addr == 0x0A000001 else None

    def host6(self, addr):
        return None

    def ether(self, addr):
        return "card" if addr == b"\2\0\0\0\0\1" else None

    def port(self, port, proto):
        return "domain" if (port, proto) == (53, "udp") else None


def test_names_when_numbers_are_not_asked_for():
    ndo = options("-t -e")[0]
    ndo.names = Names()
    udp = b"\x04\0\0\x35\0\x08\0\0"
    frame = b"\xff" * 6 + b"\2\0\0\0\0\1\x08\0" + IP4[:9] + b"\x11" + IP4[10:]
    frame = frame[:16] + (28).to_bytes(2, "big") + frame[18:] + udp
    line = print_packet(ndo, 1, frame, len(frame), 0, 0)
    assert line.startswith(
        "card > Broadcast, ethertype IPv4 (0x0800), length 42: "
        "one.example.com.1024 > 10.0.0.2.domain: "
    )
    ndo = options("-t")[0]
    ndo.names, ndo.Nflag = Names(), True
    assert print_packet(ndo, 1, frame, len(frame), 0, 0).startswith("IP one.1024 > 10.0.0.2.domain")
