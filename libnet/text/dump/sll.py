"""Linux cooked captures: what "any" records of packets (LINKTYPE_LINUX_SLL and _SLL2)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ether import MAX_ETHERNET_LENGTH_VAL, ethertype_print, tci
from libnet.text.dump.llc import llc_print
from libnet.text.dump.ndo import Ndo, lazy, need, tok2str, u2, u4
from libnet.text.dump.numbers import ETHERTYPES

_DIRECTIONS: Final = {0: "In", 1: "B", 2: "M", 3: "P", 4: "Out"}
_P_802_3, _P_802_2, _8021Q = 1, 4, 0x8100
_RADIOTAP: Final = 803
_radio = lazy("radiotap.ieee802_11_radio_print")


def _header(ndo: Ndo, b: bytes, at: int, halen: int, proto: int, length: int) -> None:
    """Print the sender's address, at *at*, and what protocol follows."""
    if halen == 6:
        ndo.p(f"{ndo.etheraddr(b, at)} ")
    if ndo.qflag:
        return
    if proto > MAX_ETHERNET_LENGTH_VAL:
        ndo.p(f"ethertype {ETHERTYPES.get(proto, 'Unknown')} (0x{proto:04x})")
    elif proto in (_P_802_3, _P_802_2):
        ndo.p("802.3" if proto == _P_802_3 else "802.2")
    else:
        ndo.p(f"ethertype Unknown (0x{proto:04x})")
    ndo.p(f", length {length}: ")


def sll_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet of the first version (DLT_LINUX_SLL)."""
    ndo.protocol = "sll"
    need(b, 0, 16)

    def header() -> None:
        ndo.p(f"{_DIRECTIONS.get(u2(b, 0), '?'):>3} ")
        _header(ndo, b, 6, u2(b, 4), u2(b, 14), length)

    if ndo.eflag:
        header()
    if not _payload(ndo, b, 16, length - 16, u2(b, 2), u2(b, 14)):
        if not ndo.eflag:
            header()
        if not ndo.suppress_default_print:
            ndo.default_print(b, 16, len(b) - 16)


def sll2_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet of the second version (DLT_LINUX_SLL2)."""
    ndo.protocol = "sll2"
    need(b, 0, 20)
    # The number of an interface of another machine says nothing here.
    ndo.p(f"{'?':<5} {_DIRECTIONS.get(b[10], '?'):<3} ")

    def header() -> None:
        ndo.protocol = "sll2"
        ndo.p(f"ifindex {u4(b, 4)} ")
        _header(ndo, b, 12, b[11], u2(b, 0), length)

    if ndo.eflag:
        header()
    if not _payload(ndo, b, 20, length - 20, u2(b, 8), u2(b, 0)):
        if not ndo.eflag:
            header()
        if not ndo.suppress_default_print:
            ndo.default_print(b, 20, len(b) - 20)


def _payload(ndo: Ndo, b: bytes, o: int, length: int, hatype: int, proto: int) -> bool:
    """Print what is behind a header of *o* octets; return whether there is a printer for it."""
    if hatype == _RADIOTAP:
        ndo.ll_hdr_len += o
        ndo.ll_hdr_len += _radio(ndo, b, o, length)
        return True
    while proto == _8021Q:
        if len(b) - o < 4:
            ndo.protocol = "vlan"
            ndo.trunc()
            ndo.ll_hdr_len += len(b)
            return True
        if ndo.eflag:
            ndo.p(f"{tci(u2(b, o))}, ")
        proto = u2(b, o + 2)
        if proto <= MAX_ETHERNET_LENGTH_VAL:
            proto = _P_802_2
        if not ndo.qflag:
            ndo.p(f"ethertype {tok2str(ETHERTYPES, 'Unknown', proto)}, ")
        o += 4
        length -= 4
    known = True
    if proto > MAX_ETHERNET_LENGTH_VAL:
        known = ethertype_print(ndo, proto, b, o, length)
    else:
        took = llc_print(ndo, b, o, length, None, None) if proto == _P_802_2 else -1
        if took < 0:
            if not ndo.suppress_default_print:
                ndo.default_print(b, o, len(b) - o)
        else:
            o += took
    ndo.ll_hdr_len += o
    return known
