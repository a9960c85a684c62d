"""IP options in transit: record route, timestamps, source routes (RFC 791 section 3.1, RFC 7126).

Router alert (RFC 2113) and everything unknown passes unchanged. Source routes obey allowsrcrt and
forwsrcrt; the one that ended here is kept with the packet, for the reply to go back by.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import is_multicast
from libnet.engine.inet.ip_var import IP_HLEN, IpOpts
from libnet.engine.kern.mbuf import Mbuf
from libnet.errors import NetError
from libnet.wire.icmp import (
    ICMP_PARAMPROB,
    ICMP_UNREACH,
    ICMP_UNREACH_HOST,
    ICMP_UNREACH_NET_PROHIB,
    ICMP_UNREACH_SRCFAIL,
)
from libnet.wire.ipv4 import (
    IPOPT_LSRR,
    IPOPT_MINOFF,
    IPOPT_NOP,
    IPOPT_OFFSET,
    IPOPT_OLEN,
    IPOPT_RR,
    IPOPT_SECURITY,
    IPOPT_SSRR,
    IPOPT_TS,
    IPOPT_TS_PRESPEC,
    IPOPT_TS_TSANDADDR,
    IPOPT_TS_TSONLY,
    MAX_IPOPTLEN,
    BadOption,
    Option,
    walk_options,
)

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip
    from libnet.engine.link.ifnet import Ifaddr

SRCROUTE: Final = "srcroute"  # tag: (last sender, hops as recorded)


class _Bad(Exception):
    """An option cannot be honoured: the ICMP type and code (or octet at fault) to answer with."""

    def __init__(self, kind: int, code: int) -> None:
        super().__init__(kind, code)
        self.kind, self.code = kind, code


class IpOptions:
    """Option processing of one Ip."""

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack

    def dooptions(self, m: Mbuf) -> bool:
        """Honour the options of *m*; True when it has been forwarded or dropped (ip_dooptions)."""
        before = m.data
        head = bytearray(before[: m.hlen])
        first_dst = m.dst
        try:
            for opt in walk_options(before[IP_HLEN : m.hlen]):
                at = IP_HLEN + opt.offset
                if opt.kind in (IPOPT_LSRR, IPOPT_SSRR):
                    self._source_route(m, head, opt, at)
                elif opt.kind == IPOPT_RR:
                    self._record_route(m, head, opt, at)
                elif opt.kind == IPOPT_TS:
                    self._timestamp(m, head, opt, at, first_dst)
            forward = m.dst != first_dst and not is_multicast(m.dst)
            if forward and not self.ip.forwsrcrt:
                raise _Bad(ICMP_UNREACH, ICMP_UNREACH_SRCFAIL)
        except BadOption as exc:
            return self._refuse(m, before, ICMP_PARAMPROB, exc.offset)
        except _Bad as exc:
            return self._refuse(m, before, exc.kind, exc.code)
        if bytes(head) != before[: m.hlen]:
            head[16:20] = m.dst.to_bytes(4, "big")
            m.data = self.ip.with_cksum(head) + before[m.hlen :]
        if forward:
            self.ip.forward(m, True)
        return forward

    def _refuse(self, m: Mbuf, before: bytes, kind: int, code: int) -> bool:
        m.data = before
        self.ip.reparse(m)
        self.stack.drop(m, "ip", "badoptions", f"icmp type {kind}, {code}")
        self.stack.icmp.error(m, kind, code)
        return True

    def _pointer(self, head: bytearray, at: int) -> int:
        pointer = head[at + IPOPT_OFFSET]
        if pointer < IPOPT_MINOFF:
            raise _Bad(ICMP_PARAMPROB, at + IPOPT_OFFSET)
        return pointer

    def _source_route(self, m: Mbuf, head: bytearray, opt: Option, at: int) -> None:
        if not self.ip.allowsrcrt:
            raise _Bad(ICMP_UNREACH, ICMP_UNREACH_NET_PROHIB)
        pointer = self._pointer(head, at)
        if m.dst not in self.ip.addrs.local:
            if opt.kind == IPOPT_SSRR:
                raise _Bad(ICMP_UNREACH, ICMP_UNREACH_SRCFAIL)
            return  # loose, and not at its next stop yet
        slot = pointer - 1
        if slot + 4 > len(opt.data):
            # The end of the route: it should be for us. Keep the way it came.
            body = opt.data[3:]
            hops = [int.from_bytes(body[i : i + 4], "big") for i in range(0, len(body) - 3, 4)]
            m.tag(SRCROUTE, (m.src, hops))
            return
        hop = int.from_bytes(head[at + slot : at + slot + 4], "big")
        ifa: Ifaddr | None
        if opt.kind == IPOPT_SSRR:
            ifa = self.ip.addrs.ifwithladdr(hop)
        else:
            ifa = self._rtaddr(hop)
        if ifa is None:
            raise _Bad(ICMP_UNREACH, ICMP_UNREACH_SRCFAIL)
        m.dst = hop
        head[at + slot : at + slot + 4] = ifa.addr.to_bytes(4, "big")
        head[at + IPOPT_OFFSET] = pointer + 4

    def _record_route(self, m: Mbuf, head: bytearray, opt: Option, at: int) -> None:
        pointer = self._pointer(head, at)
        slot = pointer - 1
        if slot + 4 > len(opt.data):
            return  # no room: not an error
        # The way out; if it is for us, the address it is for.
        ifa = self.ip.addrs.ifwithaddr(m.dst) or self._rtaddr(m.dst)
        if ifa is None:
            raise _Bad(ICMP_UNREACH, ICMP_UNREACH_HOST)
        head[at + slot : at + slot + 4] = ifa.addr.to_bytes(4, "big")
        head[at + IPOPT_OFFSET] = pointer + 4

    def _timestamp(self, m: Mbuf, head: bytearray, opt: Option, at: int, dst: int) -> None:
        size, pointer = len(opt.data), opt.data[IPOPT_OFFSET]
        if size > MAX_IPOPTLEN:
            raise _Bad(ICMP_PARAMPROB, at + IPOPT_OLEN)
        if pointer < IPOPT_MINOFF + 1:
            raise _Bad(ICMP_PARAMPROB, at + IPOPT_OFFSET)
        flag, overflow = opt.data[3] & 15, opt.data[3] >> 4
        if pointer > size - 3:
            # RFC 791 page 23: an overflow counter that overflows is an error.
            if overflow == 15:
                raise _Bad(ICMP_PARAMPROB, at + IPOPT_OFFSET)
            head[at + 3] = (overflow + 1) << 4 | flag
            return
        slot = pointer - 1
        if flag != IPOPT_TS_TSONLY:
            if flag not in (IPOPT_TS_TSANDADDR, IPOPT_TS_PRESPEC):
                raise _Bad(ICMP_PARAMPROB, at + 3)
            if slot + 8 > size:
                raise _Bad(ICMP_PARAMPROB, at + IPOPT_OFFSET)
            if flag == IPOPT_TS_TSANDADDR:
                assert m.rcvif is not None
                ifa = self.ip.addrs.ifaof_ifpforaddr(dst, m.rcvif)
                if ifa is None:
                    return
                head[at + slot : at + slot + 4] = ifa.addr.to_bytes(4, "big")
            elif int.from_bytes(head[at + slot : at + slot + 4], "big") not in self.ip.addrs.local:
                return  # the next entry waits for another host
            slot += 4
        head[at + slot : at + slot + 4] = self.ip.iptime().to_bytes(4, "big")
        head[at + IPOPT_OFFSET] = slot + 5

    def _rtaddr(self, dst: int) -> Ifaddr | None:
        """Return the address of the interface that leads to *dst* (ip_rtaddr)."""
        rt = self.stack.route.rtalloc(dst)
        return None if rt is None else rt.ifa


def srcroute(m: Mbuf) -> IpOpts | None:
    """Return the source route to answer *m* with: what it came by, reversed (ip_srcroute)."""
    found = m.tags.get(SRCROUTE) if m.tags else None
    if not found or not found[1]:
        return None
    src, hops = found
    back = [*reversed(hops[:-1]), src]
    body = b"".join(hop.to_bytes(4, "big") for hop in back)
    option = bytes((IPOPT_NOP, IPOPT_LSRR, 3 + len(body), IPOPT_MINOFF)) + body
    return IpOpts(hops[-1], option)


def reply_options(m: Mbuf) -> IpOpts | None:
    """Return the options that an answer to *m* bears: the route back, and the records to go on with."""
    if m.hlen == IP_HLEN:
        return None
    back = srcroute(m)
    kept = b""
    try:
        for opt in walk_options(m.data[IP_HLEN : m.hlen]):
            if opt.kind in (IPOPT_RR, IPOPT_TS, IPOPT_SECURITY):
                kept += opt.data
    except BadOption:
        kept += b""
    data = (b"" if back is None else back.data) + kept
    data += bytes(-len(data) & 3)
    if not data or len(data) > MAX_IPOPTLEN:
        return None
    return IpOpts(0 if back is None else back.dst, data)


def pcbopts(data: bytes) -> IpOpts | None:
    """Return what setsockopt(IP_OPTIONS) is given, checked (ip_pcbopts). Raises EINVAL.

    The first address of a source route is taken out of the list: it is where the packet goes first.
    """
    if not data:
        return None
    if len(data) > MAX_IPOPTLEN or len(data) & 3:
        raise NetError("EINVAL")
    dst = 0
    out = b""
    try:
        for opt in walk_options(data):
            body = opt.data
            if opt.kind in (IPOPT_LSRR, IPOPT_SSRR):
                if dst or len(body) < 7 or body[2] != IPOPT_MINOFF:
                    raise NetError("EINVAL")
                dst = int.from_bytes(body[3:7], "big")
                body = bytes((opt.kind, len(body) - 4, IPOPT_MINOFF)) + body[7:]
                if not dst:
                    raise NetError("EINVAL")
            out += body
    except BadOption:
        raise NetError("EINVAL") from None
    return IpOpts(dst, out + bytes(-len(out) & 3))


def getopts(opts: IpOpts | None) -> bytes:
    """Return what getsockopt(IP_OPTIONS) gives back."""
    return b"" if opts is None else opts.data
