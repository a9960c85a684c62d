"""wlanctl(8): the stations and networks that an 802.11 interface knows."""

from __future__ import annotations

from typing import Final

from cmds._bsd import command, err_of, flag, operands, program
from libnet.addr import AF_INET, SockaddrDl, ether_ntoa
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import (
    IEEE80211_SYSCTL_NODE_SIZE,
    IEEE80211_SYSCTL_OP_ALL,
    IEEE80211_SYSCTL_T_NODE,
    Ieee80211NodeSysctl,
)
from libnet.ioctl.sysctl import CTL_NET, CTL_QUERY, NET_RT_IFLIST, PF_ROUTE
from libnet.libsocket.ctx import Ctx
from libnet.text.err import Err
from libnet.wire.rtsock import BadRtMessage, IfMsg, unpack_all

USAGE: Final = """\
Usage: wlanctl [ -p ] -a
       wlanctl [ -p ] interface [ interface ... ]
"""

INT_MAX: Final = 0x7FFFFFFF
BASIC: Final = 0x80
_PRIVACY: Final = 0x0010

NODE_FLAGS: Final = ((0x0001, "bss"), (0x0002, "sta"), (0x0004, "scan"))
CAPABILITIES: Final = (
    (0x0001, "ess"),
    (0x0002, "ibss"),
    (0x0004, "cf pollable"),
    (0x0008, "request cf poll"),
    (0x0010, "privacy"),
    (0x0020, "short preamble"),
    (0x0040, "pbcc"),
    (0x0080, "channel agility"),
    (0x0400, "short slot-time"),
    (0x0800, "rsn"),
    (0x2000, "dsss-ofdm"),
)
CHANNEL_FLAGS: Final = (
    (0x0010, "turbo"),
    (0x0020, "cck"),
    (0x0040, "ofdm"),
    (0x0080, "2.4GHz"),
    (0x0100, "5GHz"),
    (0x0200, "passive scan"),
    (0x0400, "dynamic cck-ofdm"),
    (0x0800, "gfsk"),
)


@command(usage=USAGE)
@flag("-a", "all_")
@flag("-p", "open_only")
@operands
def run(ctx: Ctx, all_: bool, open_only: bool, operands: tuple[str, ...]) -> int:
    """Show the nodes of all 802.11 interfaces, or of those named."""
    err = err_of(ctx)
    if all_ == bool(operands):
        ctx.stderr.write(USAGE)
        return 1
    names = interfaces(ctx, err)
    indexes = {name: index for index, name in names.items()}
    for name in operands or ("",):
        if name and name not in indexes:
            err.err("ENXIO", "if_nametoindex")
        for node in fetch(ctx, err, indexes.get(name, 0)):
            if not (open_only and node.capinfo & _PRIVACY):
                ctx.stdout.write(show(node, names.get(node.ifindex, f"#{node.ifindex}")))
    return 0


main = program("wlanctl", run)


# -- asking


def interfaces(ctx: Ctx, err: Err) -> dict[int, str]:
    """Return the names of the interfaces by index."""
    mib = [CTL_NET, PF_ROUTE, 0, AF_INET, NET_RT_IFLIST, 0]
    try:
        with ctx.control() as stack:
            found = list(unpack_all(stack.call("sysctl", mib, None)))
    except (NetError, BadRtMessage) as exc:
        err.err(exc if isinstance(exc, NetError) else "EIO", "if_nametoindex")
    return {
        msg.index: msg.addrs.ifp.name
        for msg in found
        if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl)
    }


def fetch(ctx: Ctx, err: Err, ifindex: int) -> list[Ieee80211NodeSysctl]:
    """Return the nodes of one interface, or of all for index 0; a stack without 802.11 ends the program."""
    try:
        with ctx.control() as stack:
            mib: list[int] = []
            for part in ("net", "link", "ieee80211", "nodes"):
                below = stack.call("sysctl", [*mib, CTL_QUERY], None)
                found = [node.num for node in below if node.name == part]
                if not found:
                    err.err("ENOENT", "sysctlnametomib")
                mib.append(found[0])
            tail = [
                ifindex,
                IEEE80211_SYSCTL_OP_ALL,
                0,
                IEEE80211_SYSCTL_T_NODE,
                IEEE80211_SYSCTL_NODE_SIZE,
                INT_MAX,
            ]
            nodes: list[Ieee80211NodeSysctl] = stack.call("sysctl", mib + tail, None)
    except NetError as exc:
        err.err(exc, "sysctl(get)")
    return nodes


# -- showing


def flags(value: int, names: tuple[tuple[int, str], ...]) -> str:
    """Return a number and the words of its bits, none where none is known.

    >>> flags(0x22, CAPABILITIES), flags(0x8000, CAPABILITIES)
    ('0022<ibss,short preamble>', '8000')
    """
    words = ",".join(word for bit, word in names if value & bit)
    return f"{value:04x}<{words}>" if words else f"{value:04x}"


def rateset(rates: bytes, txrate: int) -> str:
    """Return rates in Mb/s: the one in use in brackets, basic ones with a star.

    >>> rateset(bytes((0x82, 0x84, 11, 22)), 2)
    ' *1.0 *2.0 [5.5] 11.0'
    """
    text = ""
    for at, rate in enumerate(rates):
        tenths = 5 * (rate & 0x7F)
        word = f"{'*' if rate & BASIC else ''}{tenths // 10}.{tenths % 10}"
        text += f" [{word}]" if at == txrate else f" {word}"
    return text


def show(node: Ieee80211NodeSysctl, ifname: str) -> str:
    """Return the lines about one node; a network name that is no text is shown with marks for that."""
    ess = node.essid.decode("utf-8", "replace")
    return (
        f"{ifname}: mac {ether_ntoa(node.macaddr)} bss {ether_ntoa(node.bssid)}\n"
        f"\tnode flags {flags(node.flags, NODE_FLAGS)}\n"
        f"\tess <{ess}>\n"
        f"\tchan {node.chan} freq {node.freq}MHz flags {flags(node.chanflags, CHANNEL_FLAGS)}\n"
        f"\tcapabilities {flags(node.capinfo, CAPABILITIES)}\n"
        f"\tbeacon-interval {node.intval} TU tsft {node.tstamp} us\n"
        f"\trates{rateset(node.rates, node.txrate)}\n"
        f"\tassoc-id {node.associd} assoc-failed {node.fails} inactivity {node.inact}s\n"
        f"\trssi {node.rssi} txseq {node.txseq} rxseq {node.rxseq}\n"
    )
