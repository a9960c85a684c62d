"""The MD5 sum of the main ruleset that `pfctl -vsi` prints: pfsync peers compare it (OpenBSD 4.2).

What is summed are octets of the kernel's struct pf_rule, so the layout here is C's: numbers in
network order, names of dynamic interfaces and tables padded to the size of their arrays, other names
as long as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import md5
from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET6
from libnet.ioctl import pf as p

if TYPE_CHECKING:
    from libnet.engine.pf.ruleset import Rule
    from libnet.ioctl.pf import PfAddrWrap, PfRuleAddr

IFNAMSIZ: Final = 16
RTLABEL_LEN: Final = 32

_PORTS: Final = Struct("!HHBB")
# match_tag, os_fingerprint, prob; two uids and their operator; two gids and theirs; rule_flag.
_TAIL: Final = Struct("!HIIIIBIIBI")
_U32: Final = 0xFFFFFFFF


def _octets(*values: int) -> bytes:
    """Return fields of one octet each; what has come over the wire may be any integer."""
    return bytes(value & 0xFF for value in values)


def _name(text: str, size: int) -> bytes:
    return text.encode("utf-8", "surrogateescape")[:size].ljust(size, b"\0")


def _wrap(wrap: PfAddrWrap, af: int) -> bytes:
    """Return the octets of an address word, by its type."""
    head = _octets(wrap.type)
    if wrap.type == p.PF_ADDR_DYNIFTL:
        return head + _name(wrap.ifname, IFNAMSIZ) + _octets(wrap.iflags)
    if wrap.type == p.PF_ADDR_TABLE:
        return head + _name(wrap.tblname, p.PF_TABLE_NAME_SIZE)
    if wrap.type == p.PF_ADDR_RTLABEL:
        return head + _name(wrap.rtlabelname, RTLABEL_LEN)
    if wrap.type == p.PF_ADDR_ADDRMASK:
        # Both families have room for IPv6; an IPv4 address stands in front.
        size = 16 if af == AF_INET6 else 4
        room = (1 << size * 8) - 1
        return head + b"".join(
            (value & room).to_bytes(size, "big").ljust(16, b"\0")
            for value in (wrap.addr, wrap.mask)
        )
    return head


def _host(host: PfRuleAddr, af: int) -> bytes:
    return _wrap(host.addr, af) + _PORTS.pack(*host.port, host.neg & 0xFF, host.port_op & 0xFF)


def rule_octets(rule: Rule, tag_number: Callable[[str], int]) -> bytes:
    """Return what of *rule* is summed; *tag_number* gives the number of a tag's name."""
    r = rule.spec
    numbers = _TAIL.pack(
        tag_number(r.match_tagname),
        r.os_fingerprint & _U32,
        r.prob,
        *(number & _U32 for number in r.uid.uid),
        r.uid.op & 0xFF,
        *(number & _U32 for number in r.gid.uid),
        r.gid.op & 0xFF,
        r.rule_flag & _U32,
    )
    return (
        _host(r.src, r.af)
        + _host(r.dst, r.af)
        + (r.label + r.ifname + r.match_tagname).encode("utf-8", "surrogateescape")
        + numbers
        + _octets(r.action, r.direction, r.af, r.quick, r.ifnot, r.match_tag_not, r.natpass)
        + _octets(r.keep_state, r.proto, r.type, r.code, r.flags, r.flagset, r.allow_opts)
        + _octets(r.rt, r.tos)
    )


def ruleset_sum(rules: Iterable[Rule], tag_number: Callable[[str], int]) -> bytes:
    """Return the 16 octets of the sum over *rules* in their order."""
    digest = md5(usedforsecurity=False)
    for rule in rules:
        digest.update(rule_octets(rule, tag_number))
    return digest.digest()
