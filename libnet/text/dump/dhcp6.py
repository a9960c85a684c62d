"""DHCPv6 (RFC 8415) and its options."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.text.dump.dns import NameCut, fqdn_print
from libnet.text.dump.ndo import TRUNCATED, Ndo, need, tok2str, u2, u4

_TYPES: Final = {
    1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply",
    8: "release", 9: "decline", 10: "reconfigure", 11: "inf-req", 12: "relay-fwd",
    13: "relay-reply", 14: "leasequery", 15: "leasequery-reply",
}  # fmt: skip
_RENEW, _INF_REQ, _RELAY_FORW, _RELAY_REPLY = 5, 11, 12, 13
_OPTIONS: Final = {
    1: "client-ID", 2: "server-ID", 3: "IA_NA", 4: "IA_TA", 5: "IA_ADDR", 6: "option-request",
    7: "preference", 8: "elapsed-time", 9: "relay-message", 11: "authentication",
    12: "server-unicast", 13: "status-code", 14: "rapid-commit", 15: "user-class",
    16: "vendor-class", 17: "vendor-specific-info", 18: "interface-ID", 19: "reconfigure-message",
    20: "reconfigure-accept", 21: "SIP-servers-domain", 22: "SIP-servers-address",
    23: "DNS-server", 24: "DNS-search-list", 25: "IA_PD", 26: "IA_PD-prefix", 27: "NIS-server",
    28: "NIS+-server", 29: "NIS-domain-name", 30: "NIS+-domain-name", 31: "SNTP-servers",
    32: "lifetime", 33: "BCMCS-domain-name", 34: "BCMCS-server", 36: "Geoconf-Civic",
    37: "Remote-ID", 38: "Subscriber-ID", 39: "Client-FQDN", 40: "PANA-agent",
    41: "POSIX-timezone", 42: "POSIX-tz-database", 43: "Echo-request-option", 44: "Lease-query",
    45: "LQ-client-data", 46: "Clt-time", 47: "LQ-relay-data", 48: "LQ-client-link",
    56: "NTP-server", 64: "AFTR-Name", 112: "MUD-URL",
}  # fmt: skip
_STATUS: Final = (
    "Success", "UnspecFail", "NoAddrsAvail", "NoBinding", "NotOnLink", "UseMulticast",
    "NoPrefixAvail", "UnknownQueryType", "MalformedQuery", "NotConfigured", "NotAllowed",
)  # fmt: skip
_ADDRESSES: Final = frozenset((22, 23, 27, 28, 31, 34, 40, 48))
_AUTH_DELAYED, _AUTH_RECONFIG = 2, 3


class _Cut(Exception):
    """An option that is longer than what holds it."""


def _hex(b: bytes, o: int, n: int) -> str:
    return b[o : o + n].hex()


def _options(ndo: Ndo, b: bytes, o: int, end: int) -> None:
    """Print the options before *end*; the marker ends them where they are cut."""
    p = ndo.p
    try:
        while o < end:
            if o + 4 > end:
                raise _Cut
            need(b, o, 4)
            kind, size = u2(b, o), u2(b, o + 2)
            if o + 4 + size > end:
                raise _Cut
            p(f" ({tok2str(_OPTIONS, 'opt_%u', kind)}")
            need(b, o + 4, size)
            _option(ndo, b, o + 4, size, kind)
            p(")")
            o += 4 + size
    except (_Cut, NameCut):
        ndo.trunc()


def _option(ndo: Ndo, b: bytes, o: int, n: int, kind: int) -> None:
    p = ndo.p
    if kind in (1, 2):
        _duid(ndo, b, o, n)
    elif kind in (6, 43):
        p(" ?" if n % 2 else "".join(
            [f" {tok2str(_OPTIONS, 'opt_%u', u2(b, i))}" for i in range(o, o + n, 2)]
        ))  # fmt: skip
    elif kind == 7:
        p(f" {b[o]}" if n == 1 else " ?")
    elif kind == 8:
        p(f" {u2(b, o)}" if n == 2 else " ?")
    elif kind == 9:
        p(" (")
        _message(ndo, b[: o + n], o, n)
    elif kind == 11:
        _authentication(ndo, b, o, n)
    elif kind == 13:
        code = u2(b, o) if n >= 2 else -1
        p(f" {_status(code)}" if n >= 2 else " ?")
    elif kind in (18, 38):
        p(f" {_hex(b, o, min(n, 10))}...")
    elif kind == 19:
        words = {_RENEW: "renew", _INF_REQ: "inf-req"}
        p(f" for {words.get(b[o], f'???({b[o]:02x})')}" if n == 1 else " ?")
    elif kind in _ADDRESSES:
        p(" ?" if n % 16 else "".join([f" {ndo.ip6addr(b, i)}" for i in range(o, o + n, 16)]))
    elif kind in (21, 24):
        at = o
        while at < o + n:
            p(" ")
            at = fqdn_print(ndo, b, at, o + n)
    elif kind in _NESTED:
        _nested(ndo, b, o, n, kind)
    elif kind in (32, 46):
        p(f" {u4(b, o)}" if n == 4 else " ?")
    elif kind == 37:
        p(f" {u4(b, o)} {_hex(b, o + 4, min(n - 4, 10))}..." if n >= 4 else " ?")
    elif kind == 47:
        p(f" {ndo.ip6addr(b, o)} {_hex(b, o + 16, min(n - 16, 10))}..." if n >= 16 else " ?")
    elif kind == 56:
        _ntp(ndo, b, o, n)
    elif kind == 64:
        _aftr(ndo, b, o, n)
    elif kind in (41, 42, 112):
        if n < 5:
            p(" ?")
        else:
            p(" ")
            ndo.printjnp(b, o, n)


def _status(code: int) -> str:
    if code > 255:
        return "INVALID code"
    return _STATUS[code] if code < len(_STATUS) else f"code{code}"


def _duid(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p = ndo.p
    kind = u2(b, o) if n >= 2 else 0
    if n < 2:
        p(" ?")
    elif kind == 1:
        if n < 8:
            p(" ?")
        else:
            p(f" hwaddr/time type {u2(b, o + 2)} time {u4(b, o + 4)} {_hex(b, o + 8, n - 8)}")
    elif kind == 2:
        p(f" vid {_hex(b, o + 2, 8)}" if n >= 10 else " ?")
    elif kind == 3:
        p(f" hwaddr type {u2(b, o + 2)} {_hex(b, o + 4, n - 4)}" if n >= 4 else " ?")
    else:
        p(f" type {kind}")


def _ia_addr(ndo: Ndo, b: bytes, o: int) -> str:
    return f" {ndo.ip6addr(b, o)} pltime:{u4(b, o + 16)} vltime:{u4(b, o + 20)}"


def _ia(ndo: Ndo, b: bytes, o: int) -> str:
    return f" IAID:{u4(b, o)} T1:{u4(b, o + 4)} T2:{u4(b, o + 8)}"


def _ia_ta(ndo: Ndo, b: bytes, o: int) -> str:
    return f" IAID:{u4(b, o)}"


def _ia_prefix(ndo: Ndo, b: bytes, o: int) -> str:
    return f" {ndo.ip6addr(b, o + 9)}/{b[o + 8]} pltime:{u4(b, o)} vltime:{u4(b, o + 4)}"


def _query(ndo: Ndo, b: bytes, o: int) -> str:
    words = {1: "by-address", 2: "by-clientID"}
    return f" {words.get(b[o], f'type_{b[o]}')} {ndo.ip6addr(b, o + 1)}"


def _client_data(ndo: Ndo, b: bytes, o: int) -> str:
    return ""


# Options with options in them: the octets before those, and what they say.
_NESTED: Final[dict[int, tuple[int, Callable[[Ndo, bytes, int], str]]]] = {
    3: (12, _ia), 4: (4, _ia_ta), 5: (24, _ia_addr), 25: (12, _ia), 26: (25, _ia_prefix),
    44: (17, _query), 45: (0, _client_data),
}  # fmt: skip


def _nested(ndo: Ndo, b: bytes, o: int, n: int, kind: int) -> None:
    size, told = _NESTED[kind]
    if n < size:
        ndo.p(" ?")
        return
    ndo.p(told(ndo, b, o))
    _options(ndo, b, o + size, o + n)


def _authentication(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p = ndo.p
    if n < 11:
        p(" ?")
        return
    proto, alg, rdm = b[o], b[o + 1], b[o + 2]
    words = {_AUTH_DELAYED: "delayed", _AUTH_RECONFIG: "reconfigure"}
    p(f" proto: {words.get(proto, proto)}")
    p(f", alg: {'HMAC-MD5' if alg == 1 else alg}")
    p(f", RDM: {'mono' if rdm == 0 else rdm}")
    p(f", RD:{''.join([f' {u2(b, i):04x}' for i in range(o + 3, o + 11, 2)])}")
    at, left = o + 11, n - 11
    if proto == _AUTH_DELAYED:
        if left == 0:
            return
        if left < 20:
            p(" ??")
            return
        if left > 20:
            p(f", realm: {_hex(b, at, left - 20)}")
            at += left - 20
        p(f", key ID: {u4(b, at):08x}, HMAC-MD5:")
        p("".join([f" {u4(b, i):08x}" for i in range(at + 4, at + 20, 4)]))
    elif proto == _AUTH_RECONFIG:
        if left != 17:
            p(" ??")
            return
        p({1: " reconfig-key", 2: " type: HMAC-MD5"}.get(b[at], " type: ??"))
        p(" value:" + "".join([f" {u4(b, i):08x}" for i in range(at + 1, at + 17, 4)]))
    else:
        p(" ??")


def _ntp(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p = ndo.p
    if n < 4:
        p(" ?")
        return
    end = o + n
    while o < end - 4:
        code, size = u2(b, o), u2(b, o + 2)
        o += 4
        if o + size > end:
            raise _Cut
        p(f" subopt:{code}")
        if code in (1, 2) and size == 16:
            p(f" {ndo.ip6addr(b, o)}")
        elif code == 3:
            p(" ")
            fqdn_print(ndo, b, o, o + size)
        else:
            p(" ?")
        o += size


def _aftr(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    p = ndo.p
    if n < 3:
        p(" ?")
        return
    p(" ")
    left = n
    while left and b[o]:
        size = b[o]
        o += 1
        if size >= left - 1:
            p(" ?")
            return
        ndo.printjnp(b, o, size)
        o += size
        left -= size + 1
        if b[o]:
            p(".")


def dhcp6_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a DHCPv6 message of *length* octets."""
    try:
        _message(ndo, b, o, length)
    except TRUNCATED:
        ndo.trunc()


def _message(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    ndo.protocol = "dhcp6"
    p = ndo.p
    p("dhcp6")
    end = min(len(b), o + length)
    need(b, o, 4)
    kind = b[o]
    p(f" {tok2str(_TYPES, 'msgtype-%u', kind)}")
    if not ndo.vflag:
        return
    p(" (")
    if kind in (_RELAY_FORW, _RELAY_REPLY):
        p(f"linkaddr={ndo.ip6addr(b, o + 2)}")
        p(f" peeraddr={ndo.ip6addr(b, o + 18)}")
        _options(ndo, b, o + 34, end)
    else:
        p(f"xid={u4(b, o) & 0xFFFFFF:x}")
        _options(ndo, b, o + 4, end)
    p(")")
