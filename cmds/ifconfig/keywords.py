"""Keywords of ifconfig(8), one row each: what may follow an interface's name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from libnet.ioctl.ifflags import (
    IFCAP_IP4CSUM,
    IFCAP_TCP4CSUM,
    IFCAP_TCP6CSUM,
    IFCAP_TSO4,
    IFCAP_TSO6,
    IFCAP_UDP4CSUM,
    IFCAP_UDP6CSUM,
    IFF_DEBUG,
    IFF_LINK0,
    IFF_LINK1,
    IFF_LINK2,
    IFF_NOARP,
    IFF_UP,
)

IN6_IFF_ANYCAST: Final = 1
IN6_IFF_TENTATIVE: Final = 2
IN6_IFF_DEPRECATED: Final = 0x10


class Keyword:
    """One word.

    word      as typed
    operands  names of the arguments that follow it
    action    the method of `cmds.ifconfig.setup.Setup` that does it: action(param, *arguments)
    param     what tells words of one action apart; a negative number clears bits
    """

    __slots__ = ("action", "operands", "param", "word")

    def __init__(self, word: str, operands: tuple[str, ...], action: str, param: Any) -> None:
        self.word, self.operands, self.action, self.param = word, operands, action, param


def _rows() -> Iterator[Keyword]:
    for word, bits in (
        ("up", IFF_UP),
        ("down", -IFF_UP),
        ("arp", -IFF_NOARP),
        ("-arp", IFF_NOARP),
        ("debug", IFF_DEBUG),
        ("-debug", -IFF_DEBUG),
        ("link0", IFF_LINK0),
        ("-link0", -IFF_LINK0),
        ("link1", IFF_LINK1),
        ("-link1", -IFF_LINK1),
        ("link2", IFF_LINK2),
        ("-link2", -IFF_LINK2),
    ):
        yield Keyword(word, (), "ifflags", bits)
    for word, rx, tx in (
        ("ip4csum", IFCAP_IP4CSUM, IFCAP_IP4CSUM),
        ("tcp4csum", IFCAP_TCP4CSUM, IFCAP_TCP4CSUM),
        ("udp4csum", IFCAP_UDP4CSUM, IFCAP_UDP4CSUM),
        ("tcp6csum", IFCAP_TCP6CSUM, IFCAP_TCP6CSUM),
        ("udp6csum", IFCAP_UDP6CSUM, IFCAP_UDP6CSUM),
        # Segmentation is something only a transmitter does.
        ("tso4", 0, IFCAP_TSO4),
        ("tso6", 0, IFCAP_TSO6),
    ):
        yield Keyword(word, (), "ifcaps", (True, rx, tx))
        yield Keyword("-" + word, (), "ifcaps", (False, rx, tx))
        if rx:
            yield Keyword(word + "-rx", (), "ifcaps", (True, rx, 0))
            yield Keyword(f"-{word}-rx", (), "ifcaps", (False, rx, 0))
            yield Keyword(word + "-tx", (), "ifcaps", (True, 0, tx))
            yield Keyword(f"-{word}-tx", (), "ifcaps", (False, 0, tx))
    for word, operands, action, param in (
        ("trailers", "", "trailers", None),
        ("-trailers", "", "trailers", None),
        ("alias", "", "alias", 1),
        ("-alias", "", "alias", -1),
        ("delete", "", "alias", -1),
        ("netmask", "mask", "netmask", None),
        ("prefixlen", "n", "prefixlen", None),
        ("broadcast", "address", "dstaddr", None),
        ("ipdst", "address", "ipdst", None),
        ("preference", "n", "preference", None),
        ("metric", "n", "metric", None),
        ("mtu", "n", "mtu", None),
        ("media", "type", "media", None),
        ("mediaopt", "options", "mediaopt", None),
        ("-mediaopt", "options", "unmediaopt", None),
        ("mode", "mode", "mode", None),
        ("instance", "n", "instance", None),
        ("inst", "n", "instance", None),
        ("ssid", "name", "nwid", None),
        ("nwid", "name", "nwid", None),
        ("nwkey", "key", "nwkey", None),
        ("-nwkey", "", "no_nwkey", None),
        ("bssid", "address", "bssid", None),
        ("-bssid", "", "no_bssid", None),
        ("chan", "n", "chan", None),
        ("-chan", "", "no_chan", None),
        ("powersave", "", "powersave", 1),
        ("-powersave", "", "powersave", 0),
        ("powersavesleep", "ms", "powersavesleep", None),
        ("hidessid", "", "set80211", (29, 1)),
        ("-hidessid", "", "set80211", (29, 0)),
        ("apbridge", "", "set80211", (30, 1)),
        ("-apbridge", "", "set80211", (30, 0)),
        ("frag", "n", "threshold", (73, 256, "fragmentation")),
        ("-frag", "", "set80211", (73, 2346)),
        ("rts", "n", "threshold", (12, 1, "RTS")),
        ("-rts", "", "set80211", (12, 2346)),
        ("scan", "", "scan", None),
        ("list", "what", "list", None),
        ("tunnel", "source destination", "tunnel", None),
        ("deletetunnel", "", "deletetunnel", None),
        ("vlan", "tag", "vlan", None),
        ("vlanif", "interface", "vlanif", None),
        ("-vlanif", "", "no_vlanif", None),
        ("agrport", "interface", "agrport", 1),
        ("-agrport", "interface", "agrport", 2),
        ("vhid", "n", "carp_number", ("vhid", 255)),
        ("advbase", "n", "carp_number", ("advbase", 255)),
        ("advskew", "n", "carp_number", ("advskew", 254)),
        ("pass", "phrase", "carp_pass", None),
        ("state", "state", "carp_state", None),
        ("carpdev", "interface", "carpdev", None),
        ("-carpdev", "", "no_carpdev", None),
        ("anycast", "", "in6_flags", IN6_IFF_ANYCAST),
        ("-anycast", "", "in6_flags", -IN6_IFF_ANYCAST),
        ("tentative", "", "in6_flags", IN6_IFF_TENTATIVE),
        ("-tentative", "", "in6_flags", -IN6_IFF_TENTATIVE),
        ("deprecated", "", "in6_flags", IN6_IFF_DEPRECATED),
        ("-deprecated", "", "in6_flags", -IN6_IFF_DEPRECATED),
        ("pltime", "seconds", "in6_lifetime", "pltime"),
        ("vltime", "seconds", "in6_lifetime", "vltime"),
        ("eui64", "", "in6_flags", None),
        ("destroy", "", "destroy", None),
    ):
        yield Keyword(word, tuple(operands.split()), action, param)


KEYWORDS: Final = {row.word: row for row in _rows()}
ADDRESS: Final = Keyword("", ("address",), "address", None)
DESTINATION: Final = Keyword("", ("destination",), "destination", None)


class MissingArgument(ValueError):
    """A word stands at the end without what it needs; the text is the message."""


def parse(words: Sequence[str]) -> Iterator[tuple[Keyword, Sequence[str]]]:
    """Yield each keyword with its arguments, left to right.

    A word that is no keyword is the address; the next such word is the destination.

    Raises MissingArgument when it gets there: what stood before has then been done, as it is on the
    original.

    >>> [(row.action, *args) for row, args in parse(["10.0.0.1", "netmask", "0xff000000", "up"])]
    [('address', '10.0.0.1'), ('netmask', '0xff000000'), ('ifflags',)]
    """
    at, unknown = 0, ADDRESS
    while at < len(words):
        row = KEYWORDS.get(words[at])
        if row is None:
            yield unknown, words[at : at + 1]
            unknown = DESTINATION
            at += 1
            continue
        count = len(row.operands)
        args = words[at + 1 : at + 1 + count]
        if len(args) < count:
            what = "argument" if count == 1 else f"{count} arguments"
            raise MissingArgument(f"'{row.word}' requires {what}")
        yield row, args
        at += 1 + count
