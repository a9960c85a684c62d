"""ip_output: route, source address, hooks, checksums, fragments (RFC 791, RFC 1122 section 3.3)."""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Final

from libnet.addr import INADDR_BROADCAST, SockaddrIn
from libnet.engine.inet.ip_var import (
    IP_ALLOWBROADCAST,
    IP_DEFAULT_MULTICAST_TTL,
    IP_FORWARDING,
    IP_HDR,
    IP_HLEN,
    IP_MTUDISC,
    IP_RAWOUTPUT,
    IP_ROUTETOIF,
    IpMoptions,
    IpOpts,
    NeedFrag,
)
from libnet.engine.kern.mbuf import (
    M_BCAST,
    M_CSUM_L4,
    M_LOOP,
    M_MCAST,
    M_CSUM_IPv4,
    M_CSUM_TCPv4,
    M_CSUM_UDPv4,
    Mbuf,
)
from libnet.engine.pfil.pfil import PFIL_OUT
from libnet.errors import NetError
from libnet.ioctl.ifflags import (
    IFCAP_TSO4,
    IFF_BROADCAST,
    IFF_LOOPBACK,
    IFF_MULTICAST,
    IFF_POINTOPOINT,
)
from libnet.wire.cksum import in_cksum, in_cksum_add, pseudo_sum
from libnet.wire.ipv4 import (
    IP_DF,
    IP_MAXPACKET,
    IP_MF,
    IP_OFFMASK,
    IPPROTO_TCP,
    BadOption,
    copied_options,
)
from libnet.wire.rtsock import RTF_BLACKHOLE, RTF_GATEWAY, RTF_HOST, RTF_REJECT, RTV_MTU

if TYPE_CHECKING:
    from libnet.engine.inet.ip import Ip
    from libnet.engine.link.ifnet import Ifnet
    from libnet.engine.route.table import Rtentry

_pack = IP_HDR.pack
_u32 = Struct("!I").unpack_from
_from_bytes = int.from_bytes
_OURS: Final = IP_FORWARDING | IP_RAWOUTPUT
_SPECIAL: Final = RTF_GATEWAY | RTF_REJECT | RTF_BLACKHOLE
_TCP_CKSUM: Final = 16
_UDP_CKSUM: Final = 6


class IpOutput:
    """The output half of one Ip."""

    def __init__(self, ip: Ip) -> None:
        self.ip = ip
        self.stack = ip.stack
        self.stat = ip.stat
        self.addrs = ip.addrs
        self.head = ip.head

    def output(
        self,
        m: Mbuf,
        opt: IpOpts | None = None,
        flags: int = 0,
        moptions: IpMoptions | None = None,
        rt: Rtentry | None = None,
        bound: Ifnet | None = None,
    ) -> None:
        """Send *m*.

        Normally *m.data* is what follows the header, and src (0 to have one chosen), dst, proto, tos
        and ttl of *m* are set; with IP_FORWARDING or IP_RAWOUTPUT *m.data* is the whole packet and all
        fields are set as reparse() does.

        opt    options to insert       flags  IP_*         moptions  of the socket
        rt     the route, if it is known already           bound     SO_BINDTODEVICE
        Raises EHOSTUNREACH, ENETUNREACH (no route), EADDRNOTAVAIL, EACCES (a broadcast without leave),
        EMSGSIZE (NeedFrag), ENETDOWN, EHOSTDOWN, ENOBUFS, and whatever a hook says.
        """
        stack = self.stack
        ours = not flags & _OURS
        if ours:
            if opt is not None and opt.dst:
                m.dst = opt.dst
            m.ip_id = self.ip.newid()
            m.ip_off = 0
            self.stat["localout"] += 1
        dst = hop = m.dst

        # Route.
        if flags & IP_ROUTETOIF and bound is None:
            rt = None
            ifa = self.addrs.ifwithladdr(dst)
            if ifa is None:
                stack.drop(m, "ip", "noroute", "no interface on that net")
                raise NetError("ENETUNREACH")
            ifp = ifa.ifp
            mtu = ifp.mtu
            m.ttl = 1
        elif (dst >> 28 == 0xE or dst == INADDR_BROADCAST) and (
            bound is not None or (moptions is not None and moptions.ifp is not None)
        ):
            rt = None
            out = bound or (moptions.ifp if moptions is not None else None)
            assert out is not None
            ifp = out
            mtu = ifp.mtu
            ifa = self.addrs.first(ifp)
        else:
            if rt is None:
                rt = stack.route.rtalloc(dst)
            if bound is not None and (rt is None or rt.ifp is not bound):
                rt, ifp, mtu = None, bound, bound.mtu
                ifa = self.addrs.ifaof_ifpforaddr(dst, bound)
            elif rt is None:
                stack.drop(m, "ip", "noroute")
                raise NetError("EHOSTUNREACH")
            else:
                ifa, ifp = rt.ifa, rt.ifp
                mtu = rt.mtu or ifp.mtu
                rt.use += 1
                rtflags = rt.flags
                if rtflags & _SPECIAL:
                    if rtflags & RTF_BLACKHOLE:
                        stack.drop(m, "ip", "blackhole")
                        return
                    if rtflags & RTF_REJECT and rt.llinfo is None:
                        stack.drop(m, "ip", "noroute", "reject route")
                        raise NetError("EHOSTUNREACH" if rtflags & RTF_HOST else "ENETUNREACH")
                    if rtflags & RTF_GATEWAY and isinstance(rt.gateway, SockaddrIn):
                        hop = rt.gateway.addr

        if dst >> 28 == 0xE or dst == INADDR_BROADCAST:
            hop = dst
            if not self._multicast(m, ifp, moptions, bare=bound is not None, opt=opt, ours=ours):
                return
        else:
            if not m.src:
                if ifa is None:
                    if bound is None:
                        stack.drop(m, "ip", "odropped", "no source address")
                        raise NetError("EADDRNOTAVAIL")
                else:
                    m.src = ifa.addr
            if m.src >> 28 == 0xE:
                # RFC 1112 7.2: a multicast source is never valid.
                stack.drop(m, "ip", "odropped", "multicast source")
                raise NetError("EADDRNOTAVAIL")
            heard = self.addrs.bcasts.get(ifp.index)
            if not hop or (
                heard is not None and hop in heard and self.addrs.in_broadcast(hop, ifp)
            ):
                self._broadcast(m, ifp, flags, opt, ours=ours)
            else:
                m.flags &= ~M_BCAST

        if ours:
            if flags & IP_MTUDISC and rt is not None and not rt.locks & RTV_MTU:
                m.ip_off = IP_DF
            # With nobody to look at it, or to do it, the header's checksum is done with the header.
            summed = (
                opt is None
                and not self.head.hooks_out
                and not ifp.csum_flags_tx & M_CSUM_IPv4
                and not ifp.flags & IFF_LOOPBACK
            )
            self._header(m, opt, summed=summed)
        else:
            summed = True
        head = self.head
        if head.hooks_out:
            seen, was = m.data, m
            for hook in head.hooks_out:
                got = hook(m, ifp, PFIL_OUT)
                if got is None:
                    return
                m = got
            if (m is not was or m.data is not seen) and not self.ip.reparse(m):
                stack.drop(m, "ip", "pfilbad", "a hook left no IP packet")
                return
        length = m.ip_len
        if length > mtu and not (m.gso_size and length <= IP_MAXPACKET):
            self._fragment(m, ifp, hop, rt, mtu)
            return
        undone = m.csum_flags
        if m.gso_size and (not ifp.capenable_tx & IFCAP_TSO4 or m.gso_size + 40 > mtu):
            self._tso_output(m, ifp, hop, rt, mtu)
            return
        if not summed:
            # The header's checksum is still 0.
            if ifp.csum_flags_tx & M_CSUM_IPv4:
                m.csum_flags |= M_CSUM_IPv4
            elif not ifp.flags & IFF_LOOPBACK or self.ip.do_loopback_cksum:
                self._ip_cksum(m)
        if undone:
            self._delayed(m, ifp)
        ifp.output(m, hop, rt)

    def _multicast(
        self,
        m: Mbuf,
        ifp: Ifnet,
        moptions: IpMoptions | None,
        *,
        bare: bool,
        opt: IpOpts | None,
        ours: bool,
    ) -> bool:
        """Prepare a multicast or a limited broadcast; False when it is not to leave the box."""
        stack, dst = self.stack, m.dst
        if dst == INADDR_BROADCAST:
            m.flags = (m.flags & ~M_MCAST) | M_BCAST
            able = ifp.flags & (IFF_BROADCAST | IFF_POINTOPOINT)
        else:
            m.flags = (m.flags & ~M_BCAST) | M_MCAST
            able = ifp.flags & IFF_MULTICAST
        if ours:
            m.ttl = IP_DEFAULT_MULTICAST_TTL if moptions is None else moptions.ttl
        if not able:
            stack.drop(m, "ip", "noroute", f"{ifp.name} cannot do that")
            raise NetError("ENETUNREACH")
        if not m.src:
            ifa = self.addrs.first(ifp)
            if ifa is not None:
                m.src = ifa.addr
            elif not bare:
                stack.drop(m, "ip", "odropped", f"{ifp.name} has no address")
                raise NetError("EADDRNOTAVAIL")
        if dst in stack.igmp.groups.get(ifp.index, ()) and (moptions is None or moptions.loop):
            self._mloopback(m, ifp, opt, ours=ours)
        elif ours and self.ip.mforward is not None and m.flags & M_MCAST:
            # A copy that is looped back is forwarded when it is received.
            self.ip.mforward(self._as_received(m, opt, ours=ours), ifp)
        # Time to live 0 keeps it inside, and a loopback has delivered it just now.
        return m.ttl != 0 and not ifp.flags & IFF_LOOPBACK

    def _mloopback(self, m: Mbuf, ifp: Ifnet, opt: IpOpts | None, *, ours: bool) -> None:
        """Have ourselves receive a copy, as if it came in by *ifp* (ip_mloopback)."""
        copy = self._as_received(m, opt, ours=ours)
        copy.rcvif = ifp
        copy.flags |= M_LOOP
        copy.csum_flags = M_CSUM_IPv4
        self.stack.netisr(self.ip.input, copy)

    def _as_received(self, m: Mbuf, opt: IpOpts | None, *, ours: bool) -> Mbuf:
        """Return a whole copy of *m*, checksums and all."""
        copy = m.copy()
        copy.src, copy.dst, copy.proto, copy.tos, copy.ttl = m.src, m.dst, m.proto, m.tos, m.ttl
        copy.ip_id, copy.ip_off = m.ip_id, m.ip_off
        if ours:
            self._header(copy, opt)
        else:
            self.ip.reparse(copy)
        if copy.csum_flags & M_CSUM_L4:
            self.delayed_cksum(copy)
        self._ip_cksum(copy)
        return copy

    def _broadcast(
        self, m: Mbuf, ifp: Ifnet, flags: int, opt: IpOpts | None, *, ours: bool
    ) -> None:
        """Check that a broadcast may go out. Raises EADDRNOTAVAIL, EACCES, EMSGSIZE."""
        stack = self.stack
        if not ifp.flags & IFF_BROADCAST:
            stack.drop(m, "ip", "odropped", f"{ifp.name} cannot broadcast")
            raise NetError("EADDRNOTAVAIL")
        if not flags & IP_ALLOWBROADCAST:
            stack.drop(m, "ip", "odropped", "broadcast not allowed")
            raise NetError("EACCES")
        hlen = IP_HLEN + len(opt.data) if opt is not None else IP_HLEN
        length = len(m.data) + hlen if ours else m.ip_len
        if length > ifp.mtu:
            # Broadcasts are not cut up.
            stack.drop(m, "ip", "odropped", "broadcast larger than a frame")
            raise NeedFrag(ifp.mtu)
        m.flags |= M_BCAST

    def _header(self, m: Mbuf, opt: IpOpts | None, *, summed: bool = False) -> None:
        """Put a header before *m*, its checksum 0 for now unless *summed*. Raises EMSGSIZE."""
        if opt is None:
            hlen, vhl, extra = IP_HLEN, 0x45, b""
        else:
            extra = opt.data + bytes(-len(opt.data) & 3)
            hlen = IP_HLEN + len(extra)
            vhl = 0x40 | hlen >> 2
        length = hlen + len(m.data)
        if length > IP_MAXPACKET:
            self.stack.drop(m, "ip", "toolongout")
            raise NetError("EMSGSIZE")
        m.hlen, m.ip_len = hlen, length
        cksum = 0
        if summed:
            # Each field is congruent to the sum of its words.
            value = (vhl << 8) + m.tos + length + m.ip_id + m.ip_off
            value += (m.ttl << 8) + m.proto + m.src + m.dst
            cksum = 0xFFFF - (value % 0xFFFF or 0xFFFF)
        head = _pack(vhl, m.tos, length, m.ip_id, m.ip_off, m.ttl, m.proto, cksum, m.src, m.dst)
        m.data = head + extra + m.data

    def _ip_cksum(self, m: Mbuf) -> None:
        data, hlen = m.data, m.hlen
        if data[10:12] != b"\0\0":
            data = data[:10] + b"\0\0" + data[12:]
        m.data = data[:10] + in_cksum(data[:hlen]).to_bytes(2, "big") + data[12:]

    def _delayed(self, m: Mbuf, ifp: Ifnet) -> None:
        """Finish the transport checksum here unless the interface or the loopback spares it."""
        todo = m.csum_flags & M_CSUM_L4 & ~ifp.csum_flags_tx
        if not todo:
            return
        if not ifp.flags & IFF_LOOPBACK or todo & self.ip.loopback_l4:
            self.delayed_cksum(m)
        m.csum_flags &= ~todo

    @staticmethod
    def delayed_cksum(m: Mbuf) -> None:
        """Finish the checksum of a whole packet whose field holds the pseudo-header sum."""
        data = m.data
        udp = m.csum_flags & M_CSUM_UDPv4
        at = m.hlen + (_UDP_CKSUM if udp else _TCP_CKSUM)
        if at + 2 > len(data):
            return
        cksum = in_cksum(data[m.hlen :])
        if udp:
            cksum = cksum or 0xFFFF
        m.data = data[:at] + cksum.to_bytes(2, "big") + data[at + 2 :]
        m.csum_flags &= ~M_CSUM_L4

    # -- what does not fit

    def _fragment(self, m: Mbuf, ifp: Ifnet, hop: int, rt: Rtentry | None, mtu: int) -> None:
        """Send *m* in pieces (ip_fragment). Raises EMSGSIZE when it must not be cut."""
        stack = self.stack
        if m.ip_off & IP_DF:
            stack.drop(m, "ip", "cantfrag", f"{m.ip_len} octets, path takes {mtu}")
            raise NeedFrag(mtu)
        if m.csum_flags & M_CSUM_L4:
            self.delayed_cksum(m)
        pieces = self.fragment(m, mtu)
        if not pieces:
            stack.drop(m, "ip", "cantfrag", f"no room in {mtu} octets")
            raise NeedFrag(mtu)
        spare = bool(ifp.csum_flags_tx & M_CSUM_IPv4)
        for data in pieces:
            piece = Mbuf(data, m.rcvif, m.flags)
            piece.tags = m.tags
            piece.csum_flags = 0
            if spare:
                piece.data = data[:10] + b"\0\0" + data[12:]
                piece.csum_flags = M_CSUM_IPv4
            ifp.output(piece, hop, rt)
            self.stat["ofragments"] += 1
        self.stat["fragmented"] += 1

    @staticmethod
    def fragment(m: Mbuf, mtu: int) -> list[bytes]:
        """Return the fragments of *m* with their checksums; none when not 8 octets fit.

        RFC 791 section 3.2: options with the copy bit go into every fragment.
        """
        data, hlen = m.data, m.hlen
        room = (mtu - hlen) & ~7
        if room < 8:
            return []
        options = data[IP_HLEN:hlen]
        try:
            later = copied_options(options) if options else b""
        except BadOption:
            later = b""
        payload = data[hlen : m.ip_len]
        first_off = m.ip_off & IP_OFFMASK
        more_after = m.ip_off & IP_MF
        rest = m.ip_off & ~(IP_MF | IP_OFFMASK)
        pieces: list[bytes] = []
        pos = 0
        while pos < len(payload):
            extra = later if pos else options
            size = (mtu - IP_HLEN - len(extra)) & ~7
            part = payload[pos : pos + size]
            last = pos + size >= len(payload)
            off = rest | (first_off + (pos >> 3)) | (more_after if last else IP_MF)
            hl = IP_HLEN + len(extra)
            head = _pack(
                0x40 | hl >> 2,
                m.tos,
                hl + len(part),
                m.ip_id,
                off,
                m.ttl,
                m.proto,
                0,
                m.src,
                m.dst,
            )
            cksum = in_cksum(head + extra)
            pieces.append(head[:10] + cksum.to_bytes(2, "big") + head[12:] + extra + part)
            pos += size
        return pieces

    def _tso_output(self, m: Mbuf, ifp: Ifnet, hop: int, rt: Rtentry | None, mtu: int) -> None:
        """Cut a TCP super-frame into segments for an interface that cannot (ip_tso_output)."""
        ipcsum = not ifp.csum_flags_tx & M_CSUM_IPv4
        l4csum = not ifp.csum_flags_tx & M_CSUM_TCPv4
        pieces = self.segments(m, mtu, ipcsum=ipcsum, l4csum=l4csum)
        self.ip.skipids(len(pieces) - 1)
        m.csum_flags = (0 if ipcsum else M_CSUM_IPv4) | (0 if l4csum else M_CSUM_TCPv4)
        m.gso_size = 0
        ifp.output_many(pieces, m, hop, rt)

    @staticmethod
    def segments(m: Mbuf, mtu: int, *, ipcsum: bool = True, l4csum: bool = True) -> list[bytes]:
        """Return the TCP segments of super-frame *m*, identifications and checksums done.

        ipcsum, l4csum  False leaves that checksum to the interface: 0, and the pseudo-header sum
        """
        data, hlen = m.data, m.hlen
        if m.proto != IPPROTO_TCP or len(data) < hlen + 20:
            return [data]
        start = hlen + ((data[hlen + 12] >> 4) << 2)
        end = min(m.ip_len, len(data))
        size = min(m.gso_size, mtu - start)
        if start < hlen + 20 or start > end or size < 1:
            return [data]
        seq = _u32(data, hlen + 4)[0]
        flags = data[hlen + 13]
        ident = m.ip_id
        # Everything but length, identification, numbers, flags and checksums is the same in all.
        first, second, third = data[:2], data[6:10], data[12 : hlen + 4]
        fourth, fifth, sixth = (
            data[hlen + 8 : hlen + 13],
            data[hlen + 14 : hlen + 16],
            data[hlen + 18 : start],
        )
        ipsum = _word(first) + _word(second) + _word(data[12:hlen])
        thlen = start - hlen
        pseudo = pseudo_sum(m.src, m.dst, IPPROTO_TCP, 0)
        l4sum = pseudo + _word(data[hlen : hlen + 4]) + _word(data[hlen + 8 : hlen + 12])
        l4sum += (data[hlen + 12] << 8) + _word(fifth) + _word(sixth)
        pack = Struct(f"!2sHH4sH{len(third)}sI5sB2sH{len(sixth)}s").pack
        out = []
        now = flags & 0xF6  # FIN and PSH only at the end
        while True:
            stop = start + size
            if stop >= end:
                stop = end
                now = flags & (0xFF if start == hlen + thlen else 0x7F)
            part = data[start:stop]
            length = hlen + thlen + stop - start
            cksum = 0
            if ipcsum:
                cksum = 0xFFFF - ((ipsum + length + ident) % 0xFFFF or 0xFFFF)
            if l4csum:
                value = _from_bytes(part, "big")
                if length - hlen & 1:
                    value <<= 8
                value += l4sum + length - hlen + seq + now
                tsum = 0xFFFF - (value % 0xFFFF or 0xFFFF)
            else:
                tsum = in_cksum_add(pseudo, length - hlen)
            out.append(
                pack(
                    first, length, ident, second, cksum, third, seq, fourth, now, fifth, tsum, sixth
                )
                + part
            )
            if stop >= end:
                return out
            start = stop
            seq = (seq + size) & 0xFFFFFFFF
            ident = (ident + 1) & 0xFFFF
            now = flags & 0x76  # CWR only on the first


def _word(octets: bytes) -> int:
    """Return *octets*, an even number of them, as one integer: congruent to the sum of its words."""
    return _from_bytes(octets, "big")
