"""IP multicast forwarding, told by a program what goes where (NetBSD ip_mroute; MROUTING 3.5).

A raw IGMP socket becomes the router with MRT_INIT. It adds vifs, which are interfaces or tunnels
(IPv4 in IPv4), and tells for each source and group by which vif packets come and by which they leave.
A packet that nothing is told about waits for a moment, up to MAX_UPQ of them, while the router hears of
it; so it works with a router that has static entries, and with one that decides as packets come.

Not supported: PIM register vifs, bandwidth meters (both EOPNOTSUPP), the advanced API (none of its
features is offered).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from libnet.addr import INADDR_ANY, SockaddrIn, is_multicast
from libnet.clock import Callout
from libnet.engine.inet.ip_var import IP_FORWARDING, IpMoptions
from libnet.engine.kern.log import WARNING
from libnet.engine.kern.mbuf import M_CSUM_L4, M_MCAST, Mbuf
from libnet.engine.kern.socket import SOCK_RAW, Socket
from libnet.engine.link.ifnet import Ifnet
from libnet.engine.pfil.pfil import IF_DETACH
from libnet.errors import NetError
from libnet.ioctl import mroute as r
from libnet.ioctl.ifflags import IFF_MULTICAST
from libnet.wire.ipv4 import IPPROTO_IGMP

if TYPE_CHECKING:
    from libnet.engine.inet.inetstack import InetStack
    from libnet.engine.kern.sysctl import SysctlTree

VERSION: Final = 0x0305
ENCAP_TTL: Final = 64
ENCAP_PROTO: Final = 4
MAX_UPQ: Final = 4  # packets of one source and group that wait for an answer
MAX_STALLED: Final = 1024  # sources and groups that wait for an answer
UPCALL_EXPIRE_S: Final = 1.5  # how long
ASSERT_MSG_S: Final = 3.0  # between two complaints about one source and group
MAX_BKT_SIZE: Final = 10000  # octets that a rate limit lets pass at once
MAXQSIZE: Final = 10  # packets that wait for a rate limit
TBF_REPROCESS_S: Final = 0.01
NO_PARENT: Final = 0xFFFF

_STATS: Final = (
    "mfc_lookups", "mfc_misses", "upcalls", "no_route", "bad_tunnel", "cant_tunnel", "wrong_if",
    "upq_ovflw", "cache_cleanups", "drop_sel", "q_overflow", "pkt2large", "upq_sockfull",
)  # fmt: skip


class Vif:
    """struct vif."""

    def __init__(self, ctl: r.VifCtl, ifp: Ifnet, now: float) -> None:
        self.ctl, self.ifp = ctl, ifp
        self.pkt_in = self.pkt_out = self.bytes_in = self.bytes_out = 0
        self.cookie: Any = None
        self.tokens = 0.0
        self.last = now
        self.queue: deque[Mbuf] = deque()
        self.callout: Callout | None = None

    @property
    def tunnel(self) -> bool:
        """Whether it is a tunnel."""
        return bool(self.ctl.flags & r.VIFF_TUNNEL)


class Mfc:
    """struct mfc: one source and group.

    stall  packets that wait for the router's answer, with the interface; None when it has come
    """

    def __init__(self, origin: int, group: int) -> None:
        self.origin, self.group = origin, group
        self.parent = NO_PARENT
        self.ttls: list[int] = []
        self.pkt_cnt = self.byte_cnt = self.wrong_if = 0
        self.last_assert = -ASSERT_MSG_S
        self.stall: list[tuple[Mbuf, Ifnet]] | None = None
        self.callout: Callout | None = None


class Mroute:
    """The multicast router of one stack.

    router  its socket, None when nobody routes
    vifs    by number                          mfc  by (source, group)
    """

    def __init__(self, stack: InetStack) -> None:
        self.stack = stack
        self.stat = stack.stat("mrt")
        self.router: Socket | None = None
        self.vifs: dict[int, Vif] = {}
        self.mfc: dict[tuple[int, int], Mfc] = {}
        self._assert = False

    # -- the router's socket

    def set(self, so: Socket, name: int, value: Any) -> None:
        """Obey a socket option (ip_mrouter_set).

        Raises ENOPROTOOPT for anybody but the router, EOPNOTSUPP, EINVAL, EADDRINUSE, EADDRNOTAVAIL.
        """
        if name == r.MRT_INIT:
            self._init(so, value)
            return
        if so is not self.router:
            raise NetError("ENOPROTOOPT")
        if name == r.MRT_DONE:
            self.done()
        elif name == r.MRT_ADD_VIF:
            self._add_vif(_is(value, r.VifCtl))
        elif name == r.MRT_DEL_VIF:
            self._del_vif(_is(value, int))
        elif name == r.MRT_ADD_MFC:
            self._add_mfc(_is(value, r.MfcCtl))
        elif name == r.MRT_DEL_MFC:
            self._del_mfc(_is(value, r.MfcCtl))
        elif name == r.MRT_ASSERT:
            self._assert = bool(_is(value, int))
        elif name == r.MRT_API_CONFIG:
            if self.vifs or self.mfc or self._assert:
                raise NetError("EPERM")
            _is(value, int)
        elif name in (r.MRT_ADD_BW_UPCALL, r.MRT_DEL_BW_UPCALL):
            raise NetError("EOPNOTSUPP")
        else:
            raise NetError("ENOPROTOOPT")

    def get(self, so: Socket, name: int) -> int:
        """Answer a socket option (ip_mrouter_get). Raises ENOPROTOOPT."""
        if so is self.router:
            if name == r.MRT_VERSION:
                return VERSION
            if name == r.MRT_ASSERT:
                return int(self._assert)
            if name in (r.MRT_API_SUPPORT, r.MRT_API_CONFIG):
                return 0
        raise NetError("ENOPROTOOPT")

    def _init(self, so: Socket, value: Any) -> None:
        if so.type != SOCK_RAW or so.protocol != IPPROTO_IGMP:
            raise NetError("EOPNOTSUPP")
        if value != 1 or type(value) is not int:
            raise NetError("EINVAL")
        if self.router is not None:
            raise NetError("EADDRINUSE")
        self.router = so
        self.stack.ip.mforward = self.forward

    def done(self) -> None:
        """Stop routing and forget everything (ip_mrouter_done)."""
        for vifi in list(self.vifs):
            self._reset_vif(vifi)
        for mfc in self.mfc.values():
            if mfc.callout is not None:
                mfc.callout.stop()
        self.mfc.clear()
        self._assert = False
        self.router = None
        self.stack.ip.mforward = None

    def detach(self, so: Socket) -> None:
        """Hear that a socket is closed."""
        if so is self.router:
            self.done()

    def ifnet_hook(self, event: str, ifp: Ifnet, _arg: Any) -> None:
        """Hear of an interface that leaves: so do its vifs (ip_mrouter_detach)."""
        if event != IF_DETACH:
            return
        for vifi, vif in list(self.vifs.items()):
            if vif.ifp is ifp:
                self._reset_vif(vifi)
        for mfc in self.mfc.values():
            if mfc.stall is not None:
                mfc.stall = [row for row in mfc.stall if row[1] is not ifp]

    # -- vifs

    def _add_vif(self, ctl: r.VifCtl) -> None:
        stack = self.stack
        if not 0 <= ctl.vifi < r.MAXVIFS or not 0 <= ctl.threshold <= 255 or ctl.rate_limit < 0:
            raise NetError("EINVAL")
        if ctl.lcl_addr == INADDR_ANY:
            raise NetError("EADDRNOTAVAIL")
        if ctl.vifi in self.vifs:
            raise NetError("EADDRINUSE")
        if ctl.flags & (r.VIFF_REGISTER | r.VIFF_SRCRT):
            raise NetError("EOPNOTSUPP")
        ifa = stack.ip.addrs.ifwithaddr(ctl.lcl_addr)
        if ifa is None:
            raise NetError("EADDRNOTAVAIL")
        if ctl.flags & r.VIFF_TUNNEL:
            # Stands for what comes out of the tunnel; it is in no list, and no route points to it.
            ifp = Ifnet(stack, f"mdecap{ctl.vifi}")
            vif = Vif(ctl, ifp, stack.clock.now)
            vif.cookie = stack.encap.attach(
                ENCAP_PROTO, lambda m: self._encapcheck(vif, m), lambda m: self._vif_input(vif, m)
            )
        else:
            ifp = ifa.ifp
            if not ifp.flags & IFF_MULTICAST:
                raise NetError("EOPNOTSUPP")
            ifp.allmulti(True)
            vif = Vif(ctl, ifp, stack.clock.now)
        self.vifs[ctl.vifi] = vif

    def _del_vif(self, vifi: int) -> None:
        if not 0 <= vifi <= max(self.vifs, default=-1):
            raise NetError("EINVAL")
        if vifi not in self.vifs:
            raise NetError("EADDRNOTAVAIL")
        self._reset_vif(vifi)

    def _reset_vif(self, vifi: int) -> None:
        vif = self.vifs.pop(vifi)
        if vif.callout is not None:
            vif.callout.stop()
        if vif.cookie is not None:
            self.stack.encap.detach(vif.cookie)
        else:
            vif.ifp.allmulti(False)

    def _vif_of(self, ifp: Ifnet) -> int | None:
        for vifi in sorted(self.vifs):
            if self.vifs[vifi].ifp is ifp:
                return vifi
        return None

    # -- the forwarding cache

    def _add_mfc(self, ctl: r.MfcCtl) -> None:
        bad = len(ctl.ttls) > r.MAXVIFS or any(not 0 <= ttl <= 255 for ttl in ctl.ttls)
        if bad or not is_multicast(ctl.mcastgrp) or not 0 <= ctl.parent <= 0xFFFF:
            raise NetError("EINVAL")
        key = ctl.origin, ctl.mcastgrp
        mfc = self.mfc.get(key)
        if mfc is None:
            mfc = self.mfc[key] = Mfc(*key)
        mfc.parent, mfc.ttls = ctl.parent, list(ctl.ttls)
        if mfc.callout is not None:
            mfc.callout.stop()
            mfc.callout = None
        stalled, mfc.stall = mfc.stall, None
        for m, ifp in stalled or ():
            self._mdq(m, ifp, mfc)

    def _del_mfc(self, ctl: r.MfcCtl) -> None:
        mfc = self.mfc.get((ctl.origin, ctl.mcastgrp))
        if mfc is None or mfc.stall is not None:
            raise NetError("EADDRNOTAVAIL")
        del self.mfc[ctl.origin, ctl.mcastgrp]

    def _expire(self, mfc: Mfc) -> None:
        self.stat["cache_cleanups"] += 1
        self.mfc.pop((mfc.origin, mfc.group), None)

    # -- packets

    def forward(self, m: Mbuf, ifp: Ifnet) -> bool:
        """Send multicast *m*, that came in by *ifp* or is about to leave by it, where it is to go.

        *m* is left as it is, for whoever else wants it. Return whether it is to be dropped
        (ip_mforward).
        """
        if m.hlen >= 32 and m.data[21] == 131:
            return True  # a source-routed tunnel of old
        if m.ttl <= 1 or m.dst >> 8 == 0xE00000:
            return False
        self.stat["mfc_lookups"] += 1
        mfc = self.mfc.get((m.src, m.dst))
        if mfc is not None and mfc.stall is None:
            self._mdq(m, ifp, mfc)
            return False
        self.stat["mfc_misses"] += 1
        self.stat["no_route"] += 1
        if mfc is not None and mfc.stall is not None:
            if len(mfc.stall) >= MAX_UPQ:
                self.stat["upq_ovflw"] += 1
            else:
                mfc.stall.append((_kept(m), ifp))
            return False
        vifi = self._vif_of(ifp)
        if vifi is None:
            return False
        if len(self.mfc) >= MAX_STALLED and self._stalled() >= MAX_STALLED:
            self.stat["upq_ovflw"] += 1
            return False
        if not self._upcall(m, r.IGMPMSG_NOCACHE, vifi):
            return True
        mfc = self.mfc[m.src, m.dst] = Mfc(m.src, m.dst)
        mfc.stall = [(_kept(m), ifp)]
        waiting = mfc
        mfc.callout = self.stack.clock.after(UPCALL_EXPIRE_S, lambda: self._expire(waiting))
        return False

    def _stalled(self) -> int:
        return sum(1 for mfc in self.mfc.values() if mfc.stall is not None)

    def _upcall(self, m: Mbuf, kind: int, vifi: int) -> bool:
        """Tell the router about *m*; False when its socket is full."""
        assert self.router is not None
        self.stat["upcalls"] += 1
        head = m.data[:8] + bytes((kind, 0, vifi, 0)) + m.data[12 : m.hlen]
        if self.router.sbappendaddr(SockaddrIn(m.src), head):
            return True
        self.stat["upq_sockfull"] += 1
        self.stack.log(WARNING, "ip_mforward: ip_mrouter socket queue full")
        return False

    def _mdq(self, m: Mbuf, ifp: Ifnet, mfc: Mfc) -> None:
        """Send *m* by the vifs that *mfc* names (ip_mdq)."""
        parent = self.vifs.get(mfc.parent)
        size = m.ip_len - m.hlen
        if parent is None or parent.ifp is not ifp:
            self.stat["wrong_if"] += 1
            mfc.wrong_if += 1
            self._wrong_vif(m, ifp, mfc, known=parent is not None)
            return
        if m.src == parent.ctl.lcl_addr:
            parent.pkt_out += 1  # our own, on its way out by the parent as well
            parent.bytes_out += size
        else:
            parent.pkt_in += 1
            parent.bytes_in += size
        mfc.pkt_cnt += 1
        mfc.byte_cnt += size
        sent = False
        for vifi, ttl in enumerate(mfc.ttls):
            vif = self.vifs.get(vifi)
            if ttl and m.ttl > ttl and vif is not None and vif.ifp is not ifp:
                vif.pkt_out += 1
                vif.bytes_out += size
                self._send(vif, m)
                sent = True
        if sent:
            self.stack.ip.stat["forward"] += 1

    def _wrong_vif(self, m: Mbuf, ifp: Ifnet, mfc: Mfc, *, known: bool) -> None:
        vifi = self._vif_of(ifp)
        now = self.stack.clock.now
        if self._assert and known and vifi is not None and now - mfc.last_assert >= ASSERT_MSG_S:
            mfc.last_assert = now
            self._upcall(m, r.IGMPMSG_WRONGVIF, vifi)

    def _send(self, vif: Vif, m: Mbuf) -> None:
        """Send a copy of *m* by *vif*, one hop older (phyint_send, encap_send)."""
        ip = self.stack.ip
        copy = _kept(m)
        if copy.csum_flags & M_CSUM_L4 and m.rcvif is None:
            ip.out.delayed_cksum(copy)
        copy.csum_flags = 0
        head = bytearray(copy.data[: copy.hlen])
        head[8] -= 1
        copy.data = ip.with_cksum(head) + copy.data[copy.hlen :]
        copy.ttl -= 1
        if vif.tunnel:
            outer = Mbuf(copy.data)
            outer.src, outer.dst = vif.ctl.lcl_addr, vif.ctl.rmt_addr
            outer.proto, outer.tos, outer.ttl = ENCAP_PROTO, 0, ENCAP_TTL
            copy = outer
        if vif.ctl.rate_limit:
            self._limit(vif, copy)
        else:
            self._out(vif, copy)

    def _out(self, vif: Vif, m: Mbuf) -> None:
        try:
            if vif.tunnel:
                self.stack.ip.output(m)
                return
            moptions = IpMoptions()
            moptions.ifp, moptions.ttl, moptions.loop = vif.ifp, m.ttl, 1
            self.stack.ip.output(m, None, IP_FORWARDING, moptions)
        except NetError as exc:
            self.stack.drop(m, "mrt", "output", exc.symbol)

    # -- rate limits

    def _limit(self, vif: Vif, m: Mbuf) -> None:
        """Send *m* when *vif*'s bucket has as many tokens as it has octets (tbf_control)."""
        if len(m.data) > MAX_BKT_SIZE:
            self.stack.drop(m, "mrt", "pkt2large")
            return
        if len(vif.queue) >= MAXQSIZE:
            self.stack.drop(m, "mrt", "q_overflow")
            return
        vif.queue.append(m)
        self._process_queue(vif)

    def _process_queue(self, vif: Vif) -> None:
        now = self.stack.clock.now
        earned = (now - vif.last) * vif.ctl.rate_limit * 1000 / 8
        vif.tokens, vif.last = min(MAX_BKT_SIZE, vif.tokens + earned), now
        while vif.queue and len(vif.queue[0].data) <= vif.tokens:
            m = vif.queue.popleft()
            vif.tokens -= len(m.data)
            self._out(vif, m)
        if vif.callout is not None:
            vif.callout.stop()
            vif.callout = None
        if vif.queue:
            vif.callout = self.stack.clock.after(TBF_REPROCESS_S, lambda: self._process_queue(vif))

    # -- tunnels

    def _encapcheck(self, vif: Vif, m: Mbuf) -> int:
        """Return how well *m* suits the tunnel: better than a gif when a multicast is inside."""
        if (m.src, m.dst) != (vif.ctl.rmt_addr, vif.ctl.lcl_addr):
            return 0
        inner = m.data[m.hlen :]
        return 69 if len(inner) >= 20 and inner[16] >> 4 == 0xE else 0

    def _vif_input(self, vif: Vif, m: Mbuf) -> None:
        inner = Mbuf(m.data[m.hlen :], vif.ifp, M_MCAST)
        self.stack.netisr(self.stack.ip.input, inner)

    # -- what is seen from outside

    def table(self) -> dict[str, Callable[[Any], Any]]:
        """Return handler by ioctl name."""
        return {"SIOCGETVIFCNT": self._getvifcnt, "SIOCGETSGCNT": self._getsgcnt}

    def _getvifcnt(self, req: r.SiocVifReq) -> r.SiocVifReq:
        vif = self.vifs.get(req.vifi)
        if vif is None:
            raise NetError("EINVAL")
        return r.SiocVifReq(req.vifi, vif.pkt_in, vif.pkt_out, vif.bytes_in, vif.bytes_out)

    def _getsgcnt(self, req: r.SiocSgReq) -> r.SiocSgReq:
        if self.router is None:
            raise NetError("EINVAL")
        mfc = self.mfc.get((req.src, req.grp))
        if mfc is None or mfc.stall is not None:
            raise NetError("EADDRNOTAVAIL")
        return r.SiocSgReq(req.src, req.grp, mfc.pkt_cnt, mfc.byte_cnt, mfc.wrong_if)

    def sysctl_setup(self, tree: SysctlTree) -> None:
        """Plant net.inet.mroute."""
        tree.node("net.inet.mroute", None, "Multicast routing")
        tree.struct_node("net.inet.mroute.viftable", None, self._viftable, "Virtual interfaces")
        tree.struct_node("net.inet.mroute.mfctable", None, self._mfctable, "Forwarding cache")
        tree.struct_node(
            "net.inet.mroute.stats",
            None,
            lambda: {name: self.stat[name] for name in _STATS},
            "Multicast routing statistics",
        )

    def _viftable(self) -> list[r.MrtVif]:
        return [
            r.MrtVif(
                vifi,
                vif.ctl.flags,
                vif.ctl.threshold,
                vif.ctl.rate_limit,
                vif.ctl.lcl_addr,
                vif.ctl.rmt_addr,
                vif.ifp.name,
                vif.pkt_in,
                vif.pkt_out,
            )
            for vifi, vif in sorted(self.vifs.items())
        ]

    def _mfctable(self) -> list[r.MrtMfc]:
        rows = [
            r.MrtMfc(
                _hash(mfc.origin, mfc.group),
                mfc.origin,
                mfc.group,
                mfc.parent,
                mfc.ttls,
                mfc.pkt_cnt,
                mfc.wrong_if,
                len(mfc.stall or ()),
            )
            for mfc in self.mfc.values()
        ]
        return sorted(rows, key=lambda row: (row.hash, row.origin, row.mcastgrp))


def _hash(origin: int, group: int) -> int:
    """Return which of the original's 256 chains the pair is on."""
    both = origin ^ group
    return (both ^ both >> 10 ^ both >> 20) & 0xFF


def _kept(m: Mbuf) -> Mbuf:
    """Return a copy with its parsed fields."""
    copy = m.copy()
    copy.src, copy.dst, copy.proto, copy.hlen, copy.tos = m.src, m.dst, m.proto, m.hlen, m.tos
    copy.ttl, copy.ip_id, copy.ip_off, copy.ip_len = m.ttl, m.ip_id, m.ip_off, m.ip_len
    return copy


def _is(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise NetError("EINVAL")
    return value
