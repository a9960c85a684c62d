"""ifconfig scan: the table, the records, and the wait for the radio's word."""

from __future__ import annotations

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.ifconfig import main
from cmds.ifconfig.scan import parse_results, show_scan
from libnet.errors import NetError
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport


def record(ssid, bssid, freq, caps, elements=b"", rssi=40, rates=b"\x82\x84\x6c"):
    length = 40 + len(ssid) + len(elements) + 3 & ~3
    head = struct.pack(
        "<HHHBBBBB6sB15sBB5x",
        length,
        freq,
        0,
        0,
        rssi,
        100,
        caps,
        0,
        bytes.fromhex(bssid),
        len(rates),
        rates,
        len(ssid),
        len(elements),
    )
    return (head + ssid + elements).ljust(length, b"\0")


WPA = bytes.fromhex("dd080050f20101000050")
RSN = bytes.fromhex("30020100")
RESULTS = record(b"MY_NET", "00124c56a78c", 2437, 0x31) + record(
    b"AN_OTHERNET", "002344445566", 2412, 0x31, WPA + RSN, rssi=31
)

# The capabilities are padded to four characters, so the first row ends in a blank.
TABLE = """\
SSID                              BSSID              CHAN RATE  S:N     INT CAPS
MY_NET                            00:12:4c:56:a7:8c    6   54M  40:0    100 EPS{}
AN_OTHERNET                       00:23:44:44:55:66    1   54M  31:0    100 EPS  WPA RSN
""".format(" ")


def test_the_table_of_the_reference():
    assert show_scan(parse_results(RESULTS)) == TABLE
    assert show_scan([]) == ""


def test_a_name_that_is_no_text_is_hex_and_cut():
    out = show_scan(parse_results(record(b"\1" * 32, "00124c56a78c", 2484, 2)))
    assert out.split("\n")[1].startswith("0x" + "01" * 13 + "0...  00:12")


ELEMENTS = {
    "00066d79206c616e": " SSID<my lan>",
    "0000": " SSID<>",
    "010482848b16": " RATES<B2,B4,B11,22>",
    "32020c6c": " XRATES<12,108>",
    "030106": " DSPARMS<6>",
    "050400010000": " TIM<050400010000>",
    "06020000": " IBSSPARMS<06020000>",
    "0706444520010314": " COUNTRY<DE  1-3,20>",
    "070644452024011e": " COUNTRY<DE  36,30>",
    "2a0103": " ERP<0x3>",
    "30140100000fac040100000fac040100000fac020000": (
        " RSN<v1 mc:AES-CCMP uc:AES-CCMP km:8021X-PSK, caps 0x0>"
    ),
    "dd160050f20101000050f20201000050f20201000050f202": (" WPA<v1 mc:TKIP uc:TKIP km:8021X-PSK>"),
    "dd1a0050f20101000050f20202000050f2020050f20401000050f201": (
        " WPA<v1 mc:TKIP uc:TKIP+AES-CCMP km:8021X-UNSPEC>"
    ),
    "dd070050f202000100": " WME<dd070050f202000100>",
    "dd03000c43": " VEN<dd03000c43>",
    "2d0101": " UNKNOWN_ELEMID_45<2d0101>",
    "30030100ff": " RSN<0100ff>",
}


@pytest.mark.parametrize(("octets", "words"), ELEMENTS.items())
def test_with_v_the_elements_are_told(octets, words):
    results = parse_results(record(b"x", "00124c56a78c", 2437, 1, bytes.fromhex(octets)))
    assert show_scan(results, verbose=True).split("\n")[1].endswith(" E   " + words)


@given(st.binary(max_size=200))
def test_any_octets_are_results(octets):
    show_scan(parse_results(octets), verbose=True)
    show_scan(parse_results(record(b"x", "00124c56a78c", 2437, 1, octets)), verbose=True)
    assert len(parse_results(RESULTS + octets)) >= 2


class Radio:
    """A stack with one radio whose scan ends when it is waited for."""

    def __init__(self, flags=0x8843, refusal="EINPROGRESS"):
        self.flags, self.refusal, self.asked, self.events = flags, refusal, [], []

    def serve(self, op, args):
        if op in ("socket", "close"):
            self.asked.append((op, *args[:1]))
            return None
        if op == "recv":
            if not self.events:
                raise NetError("EAGAIN")
            return [None, {}, self.events.pop(0)]
        name, arg = args
        if name == "SIOCGIFFLAGS":
            arg.value = self.flags
        elif name == "SIOCS80211":
            self.asked.append((name, arg.type))
            raise NetError(self.refusal)
        elif name == "SIOCG80211":
            self.asked.append((name, arg.type))
            if self.refusal == "EBUSY":
                raise NetError("EBUSY")
            arg.data = RESULTS
        elif name in ("SIOCGIFMETRIC", "SIOCGIFMTU"):
            return arg
        else:
            raise NetError("ENOTTY")
        return arg

    def now(self):
        return 0.0

    def wait(self, descriptors, timeout):
        self.asked.append("wait")
        for what in (100, 105):
            self.events.append(struct.pack("<HBBH16sH", 24, 3, 17, 2, b"abc0", what))
        return descriptors


def scan(radio, tmp_path, *words, root=True):
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        "ifconfig",
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ={},
        host=radio,
        box=BoxPaths(str(tmp_path), "BoxA"),
        root=root,
        connect=lambda prefix: LocalTransport(radio.serve),
    )
    return main(["abc0", *words], ctx), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("words", [("scan",), ("list", "scan")])
def test_root_scans_and_waits(tmp_path, words):
    radio = Radio()
    assert scan(radio, tmp_path, *words) == (0, TABLE, "")
    assert [one for one in radio.asked if one[0] != "close"] == [
        ("socket", 2),
        ("socket", 17),
        ("SIOCS80211", 23),
        "wait",
        "wait",
        ("SIOCG80211", 24),
    ]


def test_others_see_the_last_scan(tmp_path):
    radio = Radio()
    assert scan(radio, tmp_path, "scan", root=False) == (0, TABLE, "")
    assert "wait" not in radio.asked


def test_failures(tmp_path):
    assert scan(Radio(flags=0x8802), tmp_path, "scan") == (
        1,
        "",
        "ifconfig: The interface must be up before scanning.\n",
    )
    assert scan(Radio(refusal="EINVAL"), tmp_path, "scan") == (
        1,
        "",
        "ifconfig: SIOCS80211: Invalid argument\n",
    )
    assert scan(Radio(refusal="EBUSY"), tmp_path, "scan", root=False) == (
        1,
        "",
        "ifconfig: unable to get scan results\n",
    )
