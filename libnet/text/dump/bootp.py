"""BOOTP (RFC 951) and DHCP (RFC 2131, options RFC 2132 and those after it)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, s4, shown, tok2str, u2, u4

_OPS: Final = {1: "Request", 2: "Reply"}
_FLAGS: Final = ((0x8000, "Broadcast"),)
_RFC1048: Final = b"\x63\x82\x53\x63"
_CMU: Final = b"CMU\0"
# The first character says how the value is told: a text, i IPv4 addresses, l and L 32-bit words
# without and with a sign, s 16-bit words, p pairs of addresses, B yes or no, b octets, $ by hand.
_TAGS: Final = {
    0: " PAD", 1: "iSubnet-Mask", 2: "LTime-Zone", 3: "iDefault-Gateway", 4: "iTime-Server",
    5: "iIEN-Name-Server", 6: "iDomain-Name-Server", 7: "iLOG", 8: "iCS", 9: "iLPR-Server",
    10: "iIM", 11: "iRL", 12: "aHostname", 13: "sBS", 255: " END", 14: "aDP",
    15: "aDomain-Name", 16: "iSS", 17: "aRP", 18: "aEP", 19: "BIPF", 20: "BSRT", 21: "pPF",
    22: "sRSZ", 23: "bTTL", 24: "lMTU-Timeout", 25: "sMTU-Table", 26: "sMTU", 27: "BLSN",
    28: "iBR", 29: "BMD", 30: "BMS", 31: "BRouter-Discovery", 32: "iRSA", 33: "pStatic-Route",
    34: "BUT", 35: "lAT", 36: "BIE", 37: "bTT", 38: "lKI", 39: "BKG", 40: "aYD", 41: "iYS",
    42: "iNTP", 43: "bVendor-Option", 44: "iNetbios-Name-Server", 45: "iWDD",
    46: "$Netbios-Node", 47: "aNetbios-Scope", 48: "iXFS", 49: "iXDM", 64: "sN+D", 65: "iN+S",
    68: "iMH", 69: "iSMTP", 70: "iPOP3", 71: "iNNTP", 72: "iWWW", 73: "iFG", 74: "iIRC",
    75: "iSTS", 76: "iSTDA", 50: "iRequested-IP", 51: "lLease-Time", 52: "$OO", 66: "aTFTP",
    67: "aBF", 53: " DHCP-Message", 54: "iServer-ID", 55: "bParameter-Request", 56: "aMSG",
    57: "sMSZ", 58: "lRN", 59: "lRB", 60: "aVendor-Class", 61: "$Client-ID", 98: "aUAP",
    116: "BNOAUTO", 78: "bSLP-DA", 79: "bSLP-SCOPE", 117: "sNSSEARCH", 77: "$User-Class",
    118: "iSUBNET", 121: "$Classless-Static-Route", 249: "$Classless-Static-Route-Microsoft",
    150: "iTFTP-Server-Address", 80: "aSLP-NA", 81: "$FQDN", 82: "$Agent-Information",
    83: "bARMT", 88: "aTZSTR", 89: "bFQDNS", 90: "bAUTH", 91: "LLast-Transaction-Time",
    92: "iAssociated-IP", 93: "sARCH", 94: "bNDI", 97: "bGUID", 95: "aLDAP", 100: "aPOSIX-TZ",
    101: "aTZ-Name", 112: "iNI", 113: "aNITAG", 114: "aURL", 161: "aMUD-URL",
}  # fmt: skip
_PAD, _END, _MESSAGE, _REQUEST, _NODE, _OVERLOAD, _FQDN = 0, 255, 53, 55, 46, 52, 81
_CLIENT_ID, _AGENT, _ROUTES, _ROUTES_MS, _USER_CLASS = 61, 82, 121, 249, 77
_OVERLOADS: Final = {1: "file", 2: "sname", 3: "file+sname"}
_NODES: Final = {1: "b-node", 2: "p-node", 4: "m-node", 8: "h-node"}
_HARDWARE: Final = {
    1: "ether", 6: "ieee802", 7: "arcnet", 15: "frelay", 23: "strip", 24: "ieee1394",
}  # fmt: skip
_MESSAGES: Final = {
    1: "Discover", 2: "Offer", 3: "Request", 4: "Decline", 5: "ACK", 6: "NACK", 7: "Release",
    8: "Inform", 10: "LeaseQuery", 11: "LeaseUnassigned", 12: "LeaseUnknown",
    13: "LeaseActive",
}  # fmt: skip
_SUBOPTIONS: Final = {1: "Circuit-ID", 2: "Remote-ID", 6: "Subscriber-ID"}


class _Cut(Exception):
    """A text was not captured whole."""


def bootp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message."""
    ndo.protocol = "bootp"
    p = ndo.p
    op = b[o]
    p(f"BOOTP/DHCP, {tok2str(_OPS, 'unknown (0x%02x)', op)}")
    htype, hlen = b[o + 1], b[o + 2]
    ethernet = htype == 1 and hlen == 6
    if ethernet and op == 1:
        p(f" from {ndo.etheraddr(b, o + 28)}")
    p(f", length {length}")
    if not ndo.vflag:
        return
    if o + 10 > len(b):
        ndo.trunc()
        return
    if htype != 1:
        p(f", htype {htype}")
    if not ethernet:
        p(f", hlen {hlen}")
    if b[o + 3]:
        p(f", hops {b[o + 3]}")
    xid, secs = u4(b, o + 4), u2(b, o + 8)
    if xid:
        p(f", xid 0x{xid:x}")
    if secs:
        p(f", secs {secs}")
    flags = u2(b, o + 10)
    p(f", Flags [{bittok2str(_FLAGS, 'none', flags)}]")
    if ndo.vflag > 1:
        p(f" (0x{flags:04x})")
    for name, at in (("Client", 12), ("Your", 16), ("Server", 20), ("Gateway", 24)):
        if u4(b, o + at):
            p(f"\n\t  {name}-IP {ndo.ipaddr(b, o + at)}")
    if ethernet:
        p(f"\n\t  Client-Ethernet-Address {ndo.etheraddr(b, o + 28)}")
    for name, at, size in (("sname", 44, 64), ("file", 108, 128)):
        if b[o + at]:
            p(f'\n\t  {name} "')
            whole = ndo.printztn(b, o + at, size, len(b))
            p('"')
            if not whole:
                ndo.trunc()
                return
    vend = o + 236
    magic = b[vend : vend + 4]
    if len(magic) < 4:
        ndo.trunc()
    elif magic == _RFC1048:
        try:
            _options(ndo, b, vend + 4)
        except _Cut:
            ndo.trunc()
    elif magic == _CMU:
        _cmu(ndo, b, vend)
    elif magic != b"\0\0\0\0":
        p(f"\n\t  Vendor-#0x{u4(b, vend):x}")


def _options(ndo: Ndo, b: bytes, o: int) -> None:
    p, n = ndo.p, len(b)
    p("\n\t  Vendor-rfc1048 Extensions\n\t    Magic Cookie 0x63825363")
    while o < n:
        tag = b[o]
        o += 1
        if tag in (_PAD, _END) and ndo.vflag < 3:
            if tag == _END:
                return
            continue
        name = _TAGS.get(tag, "?Unknown")
        size = 0
        if tag not in (_PAD, _END):
            size = b[o]
            o += 1
        p(f"\n\t    {name[1:]} ({tag}), length {size}{': ' if size else ''}")
        if tag == _PAD:
            first = o
            while o < n and b[o] == _PAD:
                o += 1
            if o > first:
                p(f", occurs {o - first + 1}")
        if o + size > n:
            raise _Cut
        if tag == _MESSAGE and size == 1:
            p(tok2str(_MESSAGES, "Unknown (%u)", b[o]))
        elif tag == _REQUEST:
            for i, c in enumerate(b[o : o + size]):
                p(", " if i % 4 else "\n\t      ")
                p(f"{_TAGS.get(c, '?Unknown')[1:]} ({c})")
        else:
            how = name[0]
            if how == "?":
                how = "b" if size & 1 else "s" if size & 2 else "l"
            left = _special(ndo, b, o, size, tag) if how == "$" else _value(ndo, b, o, size, how)
            if left:
                p(f"\n\t  trailing data length {left}")
        o += size


def _value(ndo: Ndo, b: bytes, o: int, size: int, how: str) -> int:
    """Print a value; return how many octets of it were left over."""
    if how == "a":
        ndo.p(f'"{shown(b[o : o + size])}"')
        return 0
    if how in "ilL":
        tell = {"i": ndo.ipaddr, "L": s4, "l": u4}[how]
        ndo.p(",".join([str(tell(b, o + i)) for i in range(0, size - 3, 4)]))
        return size % 4
    if how == "p":
        pairs = [
            f"({ndo.ipaddr(b, o + i)}:{ndo.ipaddr(b, o + i + 4)})" for i in range(0, size - 7, 8)
        ]
        ndo.p(",".join(pairs))
        return size % 8
    if how == "s":
        ndo.p(",".join([str(u2(b, o + i)) for i in range(0, size - 1, 2)]))
        return size % 2
    data = b[o : o + size]
    if how == "B":
        ndo.p(",".join(["NY"[c] if c < 2 else f"{c}?" for c in data]))
    else:
        ndo.p(".".join(map(str, data)))
    return 0


def _special(ndo: Ndo, b: bytes, o: int, size: int, tag: int) -> int:
    """Print a value that has a form of its own; return how many octets were left over."""
    p = ndo.p
    least = {_FQDN: 3, _ROUTES: 5, _ROUTES_MS: 5, _USER_CLASS: 2, _AGENT: 0}.get(tag, 1)
    if size < least:
        p(f"[ERROR: length < {least} bytes]")
        return 0
    if tag == _NODE:
        p(tok2str(_NODES, "#%d", b[o]))
        return size - 1
    if tag == _OVERLOAD:
        p(tok2str(_OVERLOADS, "#%d", b[o]))
        return size - 1
    if tag == _FQDN:
        flags = b[o]
        if flags & 0xF0:
            p(f"[ERROR: MBZ nibble 0x{flags >> 4:x} != 0] ")
        if flags & 0x0F:
            p(f"[{bittok2str(((1, 'S'), (2, 'O'), (4, 'E'), (8, 'N')), '', flags, '')}] ")
        if b[o + 1] or b[o + 2]:
            p(f"{b[o + 1]}/{b[o + 2]} ")
        p(f'"{shown(b[o + 3 : o + size])}"')
    elif tag == _CLIENT_ID:
        data = b[o + 1 : o + size]
        if b[o] == 0:
            p(f'"{shown(data)}"')
        else:
            p(f"{tok2str(_HARDWARE, 'hardware-type %u,', b[o])} {data.hex(':')}")
    elif tag == _AGENT:
        return _agent(ndo, b, o, size)
    elif tag == _USER_CLASS:
        _user_class(ndo, b, o, size)
    else:
        _static_routes(ndo, b, o, size)
    return 0


def _agent(ndo: Ndo, b: bytes, o: int, size: int) -> int:
    p = ndo.p
    while size >= 2:
        sub, length = b[o], b[o + 1]
        o += 2
        size -= 2
        head = f"\n\t      {_SUBOPTIONS.get(sub, 'Unknown')} SubOption {sub}, length {length}: "
        if length > size:
            p(f"{head}length goes past end of option")
            return 0
        p(head)
        if sub in _SUBOPTIONS:
            p(shown(b[o : o + length]))
        else:
            ndo.unknown_data(b, o, "\n\t\t", length)
        o += length
        size -= length
    return size


def _static_routes(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    """Print classless static routes (RFC 3442)."""
    p = ndo.p
    sep = ""
    while size > 0:
        p(sep)
        sep = ","
        width = b[o]
        o += 1
        size -= 1
        if width > 32:
            p(f"[ERROR: Mask width ({width}) > 32]")
            return
        octets = (width + 7) // 8
        if size < octets + 4:
            p(f"[ERROR: Remaining length ({size}) < {octets + 4} bytes]")
            return
        net = ".".join(map(str, b[o : o + octets])) + ".0" * (4 - octets)
        dest = f"{net}/{width}" if width else "default"
        p(f"({dest}:{ndo.ipaddr(b, o + octets)})")
        o += octets + 4
        size -= octets + 4


def _user_class(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    """Print user classes (RFC 3004)."""
    p = ndo.p
    number = 1
    while size > 0:
        length = b[o]
        o += 1
        size -= 1
        p(f"\n\t      instance#{number}: ")
        if length == 0:
            p("[ERROR: suboption length must be non-zero]")
            return
        if size < length:
            p("[ERROR: invalid option]")
            return
        p(f'"{shown(b[o : o + length])}", length {length}')
        number += 1
        o += length
        size -= length


def _cmu(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    p(" vend-cmu")
    if o + 8 > len(b):
        ndo.trunc()
        return
    flags = b[o + 4]
    if flags & ~1:
        p(f" F:0x{flags:x}")
    mask = "SM" if flags & 1 else "SM*"
    for name, at in (("DG", 12), (mask, 8), ("NS1", 16), ("NS2", 20), ("IEN1", 24),
                     ("IEN2", 28), ("TS1", 32), ("TS2", 36)):  # fmt: skip
        if o + at + 4 > len(b):
            ndo.trunc()
            return
        if u4(b, o + at):
            p(f" {name}:{ndo.ipaddr(b, o + at)}")
