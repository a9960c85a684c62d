"""ICMP (RFC 792, RFC 1122 section 3.2.2, RFC 1191, RFC 1812 section 4.3; NetBSD ip_icmp)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET, INADDR_ANY, INADDR_BROADCAST, SockaddrIn, is_multicast
from libnet.engine.inet import ip_options
from libnet.engine.inet.in_var import IN_LOOPBACKNET, in_canforward
from libnet.engine.inet.ip_var import IpOpts
from libnet.engine.kern.mbuf import M_BCAST, M_MCAST, Mbuf
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LOOPBACK, IFF_POINTOPOINT
from libnet.wire import Malformed, Truncated
from libnet.wire import icmp as wire
from libnet.wire.cksum import in_cksum
from libnet.wire.ipv4 import IP_DF, IPPROTO_ICMP, MAXTTL, Ipv4
from libnet.wire.rtsock import RTF_DYNAMIC, RTF_GATEWAY, RTF_HOST, RTV_MTU

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree
    from libnet.engine.route.table import Rtentry

# What an error means to whoever sent the packet (PRC_*, <sys/protosw.h>).
PRC_UNREACH_NET: Final = "unreach_net"
PRC_UNREACH_HOST: Final = "unreach_host"
PRC_UNREACH_PROTOCOL: Final = "unreach_protocol"
PRC_UNREACH_PORT: Final = "unreach_port"
PRC_UNREACH_SRCFAIL: Final = "unreach_srcfail"
PRC_MSGSIZE: Final = "msgsize"
PRC_TIMXCEED_INTRANS: Final = "timxceed_intrans"
PRC_TIMXCEED_REASS: Final = "timxceed_reass"
PRC_PARAMPROB: Final = "paramprob"
PRC_QUENCH: Final = "quench"
PRC_REDIRECT_HOST: Final = "redirect_host"
PRC_HOSTDEAD: Final = "hostdead"

# The errno that a socket gets for it, "" for none (inetctlerrmap).
INETCTLERR: Final = {
    PRC_MSGSIZE: "EMSGSIZE",
    PRC_HOSTDEAD: "EHOSTDOWN",
    PRC_UNREACH_NET: "EHOSTUNREACH",
    PRC_UNREACH_HOST: "EHOSTUNREACH",
    PRC_UNREACH_PROTOCOL: "ECONNREFUSED",
    PRC_UNREACH_PORT: "ECONNREFUSED",
    PRC_UNREACH_SRCFAIL: "EHOSTUNREACH",
    PRC_PARAMPROB: "ENOPROTOOPT",
    PRC_TIMXCEED_INTRANS: "",
    PRC_TIMXCEED_REASS: "",
    PRC_QUENCH: "",
    PRC_REDIRECT_HOST: "",
}

_UNREACH: Final = {
    wire.ICMP_UNREACH_NET: PRC_UNREACH_NET,
    wire.ICMP_UNREACH_HOST: PRC_UNREACH_HOST,
    wire.ICMP_UNREACH_PROTOCOL: PRC_UNREACH_PROTOCOL,
    wire.ICMP_UNREACH_PORT: PRC_UNREACH_PORT,
    wire.ICMP_UNREACH_NEEDFRAG: PRC_MSGSIZE,
    wire.ICMP_UNREACH_SRCFAIL: PRC_UNREACH_SRCFAIL,
    wire.ICMP_UNREACH_NET_UNKNOWN: PRC_UNREACH_NET,
    wire.ICMP_UNREACH_HOST_UNKNOWN: PRC_UNREACH_HOST,
    wire.ICMP_UNREACH_ISOLATED: PRC_UNREACH_HOST,
    wire.ICMP_UNREACH_NET_PROHIB: PRC_UNREACH_NET,
    wire.ICMP_UNREACH_HOST_PROHIB: PRC_UNREACH_HOST,
    wire.ICMP_UNREACH_TOSNET: PRC_UNREACH_NET,
    wire.ICMP_UNREACH_TOSHOST: PRC_UNREACH_HOST,
    # RFC 1812 5.2.7.1: what a filter refused is as good as unreachable.
    wire.ICMP_UNREACH_ADMIN_PROHIBIT: PRC_UNREACH_HOST,
}

# Packet sizes of common links, RFC 1191 section 7.1.
MTU_TABLE: Final = (65535, 65280, 32000, 17914, 9180, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)
_MTU_LEAST: Final = 296

CtlInput = Callable[[str, Ipv4, bytes], None]


class Icmp:
    """The ICMP of one stack.

    ctlinput   by IP protocol: called (PRC_*, quoted header, first octets of its payload); what has
               none goes to the raw sockets
    vouch      by IP protocol: asked whether a packet that is said to be too large can be ours, before
               the path MTU is changed (RFC 5927 7.2)
    mtudisc    called with the destination whose path has a new MTU

    Attributes named as the nodes of net.inet.icmp are those knobs.
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("icmp")
        self.maskrepl = 0
        self.returndatabytes = 8
        self.errppslimit = 100
        self.rediraccept = 1
        self.redirtimeout = 600
        self.ctlinput: dict[int, CtlInput] = {}
        self.vouch: dict[int, Callable[[Ipv4, bytes], bool]] = {}
        self.mtudisc: list[Callable[[int], None]] = []
        self._second = -1.0
        self._sent = 0

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.icmp."""
        tree.node("net.inet.icmp", 1, "ICMPv4 related settings")
        for name, num, low, high, desc in (
            ("maskrepl", 1, None, None, "Respond to ICMP_MASKREQ messages"),
            ("returndatabytes", 3, 8, 512, "Number of bytes to return in an ICMP error message"),
            ("errppslimit", 4, None, None, "Maximum number of outgoing ICMP errors per second"),
            ("rediraccept", 5, None, None, "Accept ICMP_REDIRECT messages"),
            ("redirtimeout", 6, 0, None, "Lifetime of ICMP_REDIRECT generated routes"),
        ):
            tree.int_node(f"net.inet.icmp.{name}", num, self, name, lo=low, hi=high, desc=desc)
        tree.struct_node("net.inet.icmp.stats", 7, lambda: dict(self.stat), "ICMP statistics")

    # -- errors to others

    def error(self, m: Mbuf, kind: int, code: int, *, dest: int = 0, mtu: int = 0) -> None:
        """Tell the source of *m*, a parsed packet as it was received, what went wrong with it.

        dest  the better router of a redirect
        mtu   octets that would have passed, for ICMP_UNREACH_NEEDFRAG
        For ICMP_PARAMPROB *code* is the octet at fault.
        """
        if kind != wire.ICMP_REDIRECT:
            self.stat["error"] += 1
        # RFC 1122 3.2.2: never about an error, a later fragment, or what went to many.
        if m.ip_off & 0x1FFF:
            self._not_sent(m, "nofirstfrag")
            return
        if m.proto == IPPROTO_ICMP and kind != wire.ICMP_REDIRECT:
            if len(m.data) < m.hlen + wire.ICMP_MINLEN:
                self._not_sent(m, "oldshort")
                return
            if not wire.is_info(m.data[m.hlen]):
                self._not_sent(m, "oldicmp")
                return
        if m.flags & (M_BCAST | M_MCAST) or is_multicast(m.dst) or m.dst == INADDR_BROADCAST:
            self._not_sent(m, "oldbcast")
            return
        if self.ratelimit():
            self._not_sent(m, "ratelimited")
            return
        length = m.hlen + min(self.returndatabytes, m.ip_len - m.hlen)
        hun = 0
        if kind == wire.ICMP_REDIRECT:
            hun = dest
        elif kind == wire.ICMP_PARAMPROB:
            hun, code = code << 24, 0
        elif kind == wire.ICMP_UNREACH and code == wire.ICMP_UNREACH_NEEDFRAG:
            hun = mtu & 0xFFFF
        answer = Mbuf(wire.icmp_build(kind, code, hun, m.data[:length]), m.rcvif)
        answer.src, answer.dst, answer.tos = m.src, m.dst, 0
        pf_tag = m.tags.get("pf_generated") if m.tags else None
        if pf_tag is not None:
            answer.tag("pf_generated", pf_tag)
        if self._reflect(answer, None):
            self.stat[f"outhist.{kind}"] += 1

    def _not_sent(self, m: Mbuf, why: str) -> None:
        self.stat[why] += 1
        if self.stack.droptrace:
            self.stack.trace_drop(m, "icmp", why, "no error is sent about it")

    def ratelimit(self) -> bool:
        """Count an error; True when net.inet.icmp.errppslimit a second are out (icmp_ratelimit)."""
        limit = self.errppslimit
        if limit < 0:
            return False
        now = self.stack.clock.now
        if not self._second <= now < self._second + 1.0:
            self._second, self._sent = now, 0
        self._sent += 1
        return self._sent > limit

    # -- answers

    def _reflect(self, m: Mbuf, opts: IpOpts | None) -> bool:
        """Send *m*, an ICMP message, back: its src becomes dst (icmp_reflect)."""
        stack = self.stack
        to, was_for = m.src, m.dst
        if not in_canforward(to) and to >> 24 != IN_LOOPBACKNET:
            stack.drop(m, "icmp", "badreturn", "no one to answer")
            return False
        src = self._reflect_source(m, to, was_for)
        if src is None:
            stack.drop(m, "icmp", "nosource", "no address to answer from")
            return False
        m.src, m.dst, m.proto, m.ttl = src, to, IPPROTO_ICMP, MAXTTL
        m.flags &= ~(M_BCAST | M_MCAST)
        m.csum_flags = 0
        try:
            stack.ip.output(m, opts)
        except NetError as exc:
            # ip_output has counted it; nobody of ours waits for it.
            if stack.droptrace:
                stack.trace_drop(m, "icmp", "output", exc.symbol)
        return True

    def _reflect_source(self, m: Mbuf, to: int, was_for: int) -> int | None:
        """Return the address to answer from: the one asked, else one of the way it came by."""
        addrs, ifp = self.stack.ip.addrs, m.rcvif
        if was_for in addrs.local:
            return was_for
        if ifp is not None and ifp.flags & IFF_BROADCAST:
            for ifa in ifp.addrs:
                if ifa.family == AF_INET and was_for == ifa.broadaddr:
                    return ifa.addr
        if ifp is not None:
            rt = self.stack.route.rtlookup(to)
            if rt is not None and rt.ifa.ifp is ifp:
                return rt.ifa.addr
            first = addrs.first(ifp)
            if first is not None:
                return first.addr
        for ifa in addrs.list:
            if not ifa.ifp.flags & IFF_LOOPBACK:
                return ifa.addr
        return None

    # -- receiving

    def input(self, m: Mbuf) -> None:
        """Take an ICMP message that is for us (icmp_input)."""
        stack = self.stack
        data, hlen = m.data, m.hlen
        body = data[hlen:]
        size = len(body)
        if size < wire.ICMP_MINLEN:
            stack.drop(m, "icmp", "tooshort")
            return
        if in_cksum(body):
            stack.drop(m, "icmp", "checksum")
            return
        kind, code = body[0], body[1]
        if kind > wire.ICMP_MAXTYPE:
            stack.rip.input(m)
            return
        self.stat[f"inhist.{kind}"] += 1
        if kind == wire.ICMP_ECHO:
            self._echo(m, body)
            return
        handler = _HANDLERS.get(kind)
        if handler is None or handler(self, m, wire.Icmp.parse(body), code):
            stack.rip.input(m)

    def _answer(self, m: Mbuf, kind: int, body: bytes) -> None:
        cksum = in_cksum(bytes((kind, 0, 0, 0)) + body[4:])
        reply = Mbuf(bytes((kind, 0)) + cksum.to_bytes(2, "big") + body[4:], m.rcvif)
        reply.src, reply.dst, reply.tos = m.src, m.dst, m.tos
        self.stat["reflect"] += 1
        self.stat[f"outhist.{kind}"] += 1
        self._reflect(reply, ip_options.reply_options(m))

    def _echo(self, m: Mbuf, body: bytes) -> None:
        # RFC 1122 3.2.2.6 lets a host answer a broadcast or not: BSD does.
        self._answer(m, wire.ICMP_ECHOREPLY, body)

    def _tstamp(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        body = m.data[m.hlen :]
        if len(body) < wire.ICMP_TSLEN:
            self.stack.drop(m, "icmp", "badlen")
            return False
        when = self.stack.ip.iptime().to_bytes(4, "big")
        self._answer(m, wire.ICMP_TSTAMPREPLY, body[:12] + when + when + body[20:])
        return False

    def _maskreq(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        if not self.maskrepl:
            return True
        body = m.data[m.hlen :]
        if len(body) < wire.ICMP_MASKLEN:
            self.stack.drop(m, "icmp", "badlen")
            return False
        assert m.rcvif is not None
        whom = m.src if m.dst in (INADDR_BROADCAST, INADDR_ANY) else m.dst
        ifa = self.stack.ip.addrs.ifaof_ifpforaddr(whom, m.rcvif)
        if ifa is None:
            return True
        if m.src == INADDR_ANY:
            # RFC 950: who does not know its address hears the answer as a broadcast.
            if ifa.ifp.flags & IFF_BROADCAST:
                m.src = ifa.broadaddr
            elif ifa.ifp.flags & IFF_POINTOPOINT:
                m.src = ifa.dstaddr
        self._answer(m, wire.ICMP_MASKREPLY, body[:8] + ifa.mask.to_bytes(4, "big") + body[12:])
        return False

    def _quoted(self, m: Mbuf, msg: wire.Icmp) -> Ipv4 | None:
        """Return the packet that an error is about, with 8 octets of it; None (counted) if not."""
        try:
            quoted = Ipv4.quoted(msg.payload)
        except (Truncated, Malformed):
            self.stack.drop(m, "icmp", "badlen", "no packet is quoted")
            return None
        if len(quoted.payload) < wire.ICMP_ADVLENMIN:
            self.stack.drop(m, "icmp", "badlen", "too little is quoted")
            return None
        return quoted

    def _unreach(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        prc = _UNREACH.get(code)
        return self._deliver(m, msg, prc)

    def _timxceed(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        known = (PRC_TIMXCEED_INTRANS, PRC_TIMXCEED_REASS)
        return self._deliver(m, msg, known[code] if code < 2 else None)

    def _paramprob(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        return self._deliver(m, msg, PRC_PARAMPROB if code < 2 else None)

    def _quench(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        return self._deliver(m, msg, None if code else PRC_QUENCH)

    def _deliver(self, m: Mbuf, msg: wire.Icmp, prc: str | None) -> bool:
        """Tell the protocol whose packet had a problem; raw listeners hear of it too."""
        if prc is None:
            self.stat["badcode"] += 1
            return True
        quoted = self._quoted(m, msg)
        if quoted is None:
            return False
        if is_multicast(quoted.dst):
            self.stat["badcode"] += 1
            return True
        if prc == PRC_MSGSIZE:
            vouch = self.vouch.get(quoted.p)
            if vouch is not None and not vouch(quoted, bytes(quoted.payload[:8])):
                self.stat["pmtuforged"] += 1
                return False
            self._needfrag(msg, quoted)
        self.notify(prc, quoted)
        return True

    def notify(self, prc: str, quoted: Ipv4) -> None:
        """Hand *prc* about the packet *quoted* to its protocol's ctlinput."""
        handler = self.ctlinput.get(quoted.p, self.stack.rip.ctlinput)
        handler(prc, quoted, bytes(quoted.payload[:8]))

    def _redirect(self, m: Mbuf, msg: wire.Icmp, code: int) -> bool:
        if code > wire.ICMP_REDIRECT_TOSHOST:
            self.stat["badcode"] += 1
            return True
        if not self.rediraccept:
            self.stack.drop(m, "icmp", "redirrefused", "net.inet.icmp.rediraccept is 0")
            return False
        quoted = self._quoted(m, msg)
        if quoted is None:
            return False
        route = self.stack.route
        rt = route.rtredirect(quoted.dst, msg.gwaddr, RTF_GATEWAY | RTF_HOST, m.src, m.rcvif)
        if rt is not None:
            self.stack.ip.flow.invalidate_all()
            if self.redirtimeout and rt.flags & (RTF_DYNAMIC | RTF_HOST) == RTF_DYNAMIC | RTF_HOST:
                route.timer(rt, "redirect", self.redirtimeout)
        for handler in self.ctlinput.values():
            handler(PRC_REDIRECT_HOST, quoted, bytes(quoted.payload[:8]))
        return True

    # -- path MTU (RFC 1191)

    def _needfrag(self, msg: wire.Icmp, quoted: Ipv4) -> None:
        """Learn the path MTU, if the quoted packet can be one that we sent.

        It must come from an address of ours, have the DF bit, and be larger than what the router says
        fits; a blind forger knows none of the ports that the transports check beyond that.
        """
        stack = self.stack
        if not stack.ip.mtudisc:
            return
        if quoted.src not in stack.ip.addrs.local or not quoted.off & IP_DF:
            self.stat["pmtuforged"] += 1
            return
        mtu = msg.nextmtu
        if mtu and quoted.len and mtu >= quoted.len:
            self.stat["pmtuforged"] += 1
            return
        rt = self._host_route(quoted.dst)
        if rt is None:
            return
        if not mtu:
            mtu = quoted.len
            # Some routers of 4.2BSD's time count the header twice.
            if rt.mtu and mtu > rt.mtu:
                mtu -= quoted.hlen
            mtu = mtu or rt.mtu or rt.ifp.mtu
            mtu = next((size for size in MTU_TABLE if mtu > size), 68)
        if not rt.locks & RTV_MTU:
            if not _MTU_LEAST <= mtu <= rt.ifp.mtu:
                # Nobody has such a link: do without path MTU discovery.
                rt.locks |= RTV_MTU
            elif not rt.mtu or rt.mtu > mtu:
                self.stat["pmtuchg"] += 1
                rt.mtu = mtu
            stack.ip.flow.invalidate_all()
        if stack.ip.mtudisctimeout:
            stack.route.timer(rt, "mtudisc", stack.ip.mtudisctimeout, self._mtudisc_timeout)
        for func in self.mtudisc:
            func(quoted.dst)

    def _host_route(self, dst: int) -> Rtentry | None:
        """Return the host route to keep the MTU in, made if there is none."""
        route = self.stack.route
        rt = route.rtalloc(dst)
        if rt is None or rt.flags & RTF_HOST:
            return rt
        gateway = rt.gateway if isinstance(rt.gateway, SockaddrIn) else None
        try:
            new = route.rtrequest(
                "add", dst, None, gateway, RTF_GATEWAY | RTF_HOST | RTF_DYNAMIC, rt.ifa, rt.ifp
            )
        except NetError:
            return None
        new.mtu, new.locks = rt.mtu, rt.locks
        return new

    def _mtudisc_timeout(self, rt: Rtentry) -> None:
        if rt.flags & (RTF_DYNAMIC | RTF_HOST) == RTF_DYNAMIC | RTF_HOST:
            self.stack.route.delete(rt)
        elif not rt.locks & RTV_MTU:
            rt.mtu = 0
            self.stack.ip.flow.invalidate_all()


_HANDLERS: Final[dict[int, Callable[[Icmp, Mbuf, wire.Icmp, int], bool]]] = {
    wire.ICMP_UNREACH: Icmp._unreach,
    wire.ICMP_TIMXCEED: Icmp._timxceed,
    wire.ICMP_PARAMPROB: Icmp._paramprob,
    wire.ICMP_SOURCEQUENCH: Icmp._quench,
    wire.ICMP_REDIRECT: Icmp._redirect,
    wire.ICMP_TSTAMP: Icmp._tstamp,
    wire.ICMP_MASKREQ: Icmp._maskreq,
}
