"""nicinfo: the block of the reference, and what is passed over."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.nicinfo import STATISTICS, line, main, show, split
from libnet.addr import SockaddrDl
from libnet.errors import NetError
from libnet.ioctl.sockio import DrvComConfig, DrvComStats, IfCloneReq, IfConf, IfReq
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport

BLOCK = """\
wm0:{}
  INTEL PRO/1000 Gigabit (Copper) Ethernet Controller
  Link is up

  Physical Node ID ........................... 000C29 3A41B7
  Current Physical Node ID ................... 000C29 3A41B7
  Current Operation Rate ..................... 1000.00 Mb/s full-duplex
  Active Interface Type ...................... MII
    Active PHY address ....................... 0
  Maximum Transmittable data Unit ............ 1514
  Maximum Receivable data Unit ............... 1514
  Hardware Interrupt ......................... 0xb
  Memory Aperture ............................ 0xfd5c0000 - 0xfd5dffff
  Promiscuous Mode ........................... Off
  Multicast Support .......................... Enabled

  Packets Transmitted OK ..................... 421
  Bytes Transmitted OK ....................... 51822
  Broadcast Packets Transmitted OK ........... 3
  Multicast Packets Transmitted OK ........... 0
  Memory Allocation Failures on Transmit ..... 0

  Packets Received OK ........................ 903
  Bytes Received OK .......................... 88410
  Broadcast Packets Received OK .............. 120
  Multicast Packets Received OK .............. 14
  Memory Allocation Failures on Receive ...... 0

  Single Collisions on Transmit .............. 0
  Multiple Collisions on Transmit ............ 0
  Deferred Transmits ......................... 0
  Late Collision on Transmit errors .......... 0
  Transmits aborted (excessive collisions) ... 0
  Transmits aborted (excessive deferrals) .... 0
  Transmit Underruns ......................... 0
  No Carrier on Transmit ..................... 0
  Jabber detected ............................ 0
  Receive Alignment errors ................... 0
  Received packets with CRC errors ........... 0
  Packets Dropped on receive ................. 0
  Ethernet Headers out of range .............. 0
  Oversized Packets received ................. 0
  Frames with Dribble Bits ................... 0
  Total Frame errors ......................... 0
""".format(" ")

MAC = bytes.fromhex("000c293a41b7")


def config(**other):
    fields = {
        "flags": 1,
        "mtu": 1514,
        "mru": 1514,
        "permanent_address": MAC,
        "current_address": MAC,
        "connector": 1,
        "media_rate": 1000000,
        "duplex": 1,
        "mem_window_base": [0xFD5C0000],
        "mem_window_size": [0x20000],
        "irq": [11],
        "device_description": "INTEL PRO/1000 Gigabit (Copper) Ethernet Controller",
    }
    return DrvComConfig(**(fields | other))


def stats(valid=None):
    every = [field for group in STATISTICS for _label, field in group]
    return DrvComStats(
        txed_ok=421,
        octets_txed_ok=51822,
        txed_broadcast=3,
        rxed_ok=903,
        octets_rxed_ok=88410,
        rxed_broadcast=120,
        rxed_multicast=14,
        valid_stats=every if valid is None else valid,
    )


def serve(op, args):
    if op in ("socket", "close"):
        return None
    name, arg = args
    if name == "SIOCGIFCONF":
        units = ("lo0", "wm0", "fxp0", "abc0", "bridge0", "en0")
        return IfConf([IfReq(unit, 0, SockaddrDl()) for unit in units])
    if name == "SIOCIFGCLONERS":
        return IfCloneReq(2, ["lo", "bridge"])
    if name == "SIOCGIFMEDIA":
        arg.current = 0x80 if arg.name == "abc0" else 0x20
        return arg
    if arg.name in ("wm0", "en0"):
        arg.config, arg.stats = (config(), None) if arg.cmd == 1 else (None, stats())
        return arg
    raise NetError("EOPNOTSUPP" if arg.name in ("lo0", "fxp0", "abc0") else "ENXIO")


def nicinfo(*argv, stack=serve):
    out, err = io.StringIO(), io.StringIO()
    ctx = Ctx(
        "nicinfo",
        stdin=io.StringIO(),
        stdout=out,
        stderr=err,
        environ={},
        host=None,
        connect=lambda prefix: LocalTransport(stack, codec=True),
    )
    return main(list(argv), ctx), out.getvalue(), err.getvalue()


@pytest.mark.parametrize("argv", [("wm0",), ("--", "wm0")])
def test_the_block_of_the_reference(argv):
    assert nicinfo(*argv) == (0, BLOCK, "")


def test_a_path_of_io_net():
    assert nicinfo("/dev/io-net/en0") == (0, BLOCK.replace("wm0", "en0"), "")


def test_all_interfaces_a_bsd_port_is_passed_over_with_a_message():
    status, out, err = nicinfo()
    assert out == BLOCK + "\n" + BLOCK.replace("wm0", "en0")
    assert err == "nicinfo: fxp0: Operation not supported\n"
    assert status == 1


def test_named_ones_that_cannot_be_asked():
    status, out, err = nicinfo("wm9", "wm0", "abc0", "", "x" * 16)
    assert (status, out) == (1, BLOCK)
    assert err == (
        "nicinfo: wm9: No such device or address\n"
        "nicinfo: abc0: Operation not supported\n"
        "nicinfo: : No such device or address\n"
        f"nicinfo: {'x' * 16}: No such device or address\n"
    )


@pytest.mark.parametrize("argv", [("-s", "wm0"), ("-swm0",)])
def test_only_statistics(argv):
    status, out, _err = nicinfo(*argv)
    lines = out.split("\n")
    assert status == 0
    assert lines[0] == "wm0: "
    assert lines[1:3] == [
        "  Packets Transmitted OK ..................... 421",
        "  Bytes Transmitted OK ....................... 51822",
    ]
    assert "Physical" not in out


def test_raw_gives_a_field_a_line():
    status, out, _err = nicinfo("-r", "wm0")
    assert status == 0
    assert "wm0 permanent_address 000c293a41b7\n" in out
    assert "wm0 irq 11\n" in out
    assert "wm0 txed_ok 421\n" in out
    assert "flags" not in nicinfo("-rs", "wm0")[1]


def test_a_wrong_option_and_no_stack():
    assert nicinfo("-x") == (
        1,
        "",
        "nicinfo: unknown option -- x\nusage: nicinfo [-rs] [interface ...]\n",
    )

    def none(op, args):
        raise NetError("EAFNOSUPPORT")

    assert nicinfo(stack=none) == (
        1,
        "",
        "nicinfo: socket: Address family not supported by protocol family\n",
    )


def test_link_down_rate_unknown_promiscuous():
    text = show(
        "wm0",
        config(flags=0x2 | 0x8, duplex=-1, media_rate=0, connector=0, io_window_base=[0xD000]),
        None,
    )
    assert "Controller\n  Link is DOWN\n\n" in text
    assert line("Current Operation Rate", "0.00 Mb/s") in text
    assert line("Promiscuous Mode", "On") in text
    assert line("Multicast Support", "Disabled") in text
    assert "PHY" not in text
    assert "half-duplex" in show("wm0", config(duplex=0), None)


def test_a_statistic_that_is_not_valid_is_left_out():
    text = show("wm0", None, stats(["NIC_STAT_TXED_BROADCAST", "NIC_ETHER_STAT_FCS_ERRORS"]))
    assert text == (
        "wm0: \n"
        + "\n".join(
            [
                line("Packets Transmitted OK", 421),
                line("Bytes Transmitted OK", 51822),
                line("Broadcast Packets Transmitted OK", 3),
                "",
                line("Packets Received OK", 903),
                line("Bytes Received OK", 88410),
                "",
                line("Received packets with CRC errors", 0),
            ]
        )
        + "\n"
    )


@given(st.lists(st.text(alphabet="-rs0m9 ", max_size=6), max_size=4))
def test_splitting_loses_nothing(argv):
    assert "".join(split(argv)) == "".join(argv)
