"""What a socket asks of TCP (tcp_usrreq, tcp_ctloutput)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from libnet.addr import Sockaddr, SockaddrIn, is_multicast
from libnet.engine.inet.in_pcb import IPPROTO_IP, Inpcb
from libnet.engine.kern.socket import (
    MSG_OOB,
    MSG_PEEK,
    SHUT_RD,
    SO_OOBINLINE,
    SS_CANTRCVMORE,
    SS_NOFDREF,
    SS_RCVATMARK,
    Socket,
)
from libnet.engine.tcp.tcp_var import (
    IPPROTO_TCP,
    KEEP_INIT,
    TCP_CONGCTL,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINIT,
    TCP_KEEPINTVL,
    TCP_MAXSEG,
    TCP_MINMSS,
    TCP_NODELAY,
    TCP_QUIETDROP,
    TCPOOB_HADDATA,
    TCPOOB_HAVEDATA,
    TCPS_CLOSE_WAIT,
    TCPS_CLOSED,
    TCPS_ESTABLISHED,
    TCPS_FIN_WAIT_1,
    TCPS_FIN_WAIT_2,
    TCPS_LAST_ACK,
    TCPS_LISTEN,
    TCPS_SYN_RECEIVED,
    TCPS_SYN_SENT,
    TF_ACKNOW,
    TF_DEAD,
    TF_NEEDFIN,
    TF_NODELAY,
    TF_QUIETDROP,
    Tcpcb,
)
from libnet.errors import NetError

if TYPE_CHECKING:
    from libnet.engine.tcp.tcp_subr import Tcp

_INT_MAX = 0x7FFFFFFF
_KEEP = {
    TCP_KEEPIDLE: "keepidle",
    TCP_KEEPINTVL: "keepintvl",
    TCP_KEEPCNT: "keepcnt",
    TCP_KEEPINIT: "keepinit",
}


class TcpUsrreq:
    """The calls of one stack's TCP; a StreamUsrreq."""

    def __init__(self, tcp: Tcp) -> None:
        self.tcp = tcp

    def attach(self, so: Socket) -> None:
        """Make the control blocks and reserve buffers."""
        so.snd.hiwat, so.rcv.hiwat = self.tcp.sendspace, self.tcp.recvspace
        so.snd.lowat = min(2048, so.snd.hiwat)
        self.tcp.newtcpcb(so)

    @staticmethod
    def _tp(so: Socket) -> Tcpcb:
        """Return the control block. Raises ENOTCONN when the connection is over."""
        inp: Inpcb | None = so.pcb
        if inp is None:
            raise NetError("ENOTCONN")
        tp: Tcpcb = inp.ppcb
        return tp

    def bind(self, so: Socket, addr: Sockaddr) -> None:
        """bind(2). Raises EINVAL, EAFNOSUPPORT, EADDRINUSE, EADDRNOTAVAIL, EACCES."""
        if so.pcb is None:
            raise NetError("EINVAL")
        if isinstance(addr, SockaddrIn) and is_multicast(addr.addr):
            raise NetError("EAFNOSUPPORT")
        self.tcp.table.bind(so.pcb, addr)

    def listen(self, so: Socket) -> None:
        """listen(2): take a port if there is none yet."""
        if so.pcb is None:
            raise NetError("EINVAL")
        inp: Inpcb = so.pcb
        if not inp.lport:
            self.tcp.table.set(inp, lport=self.tcp.table.ephemeral(inp, inp.laddr))
        tp: Tcpcb = inp.ppcb
        tp.state = TCPS_LISTEN

    def connect(self, so: Socket, addr: Sockaddr) -> None:
        """connect(2): send the SYN.

        Raises EINVAL on a socket that had a connection, EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE, and
        what ip_output says of the SYN.
        """
        if so.pcb is None:
            raise NetError("EINVAL")
        if type(addr) is Sockaddr:
            raise NetError("EAFNOSUPPORT")
        inp: Inpcb = so.pcb
        tp: Tcpcb = inp.ppcb
        if isinstance(addr, SockaddrIn) and (is_multicast(addr.addr) or addr.addr == 0xFFFFFFFF):
            # RFC 9293 3.9.2.3: only one peer can be at the other end.
            raise NetError("EAFNOSUPPORT")
        self.tcp.table.connect(inp, addr)
        key = (inp.faddr, inp.fport, inp.laddr, inp.lport)
        self.tcp.rcv_setup(tp)
        tp.ts_base = self.tcp.new_ts_base(key)
        tp.iss = self.tcp.new_iss(key)
        tp.snd_una = tp.snd_nxt = tp.snd_max = tp.snd_up = tp.iss
        tp.snd_recover = tp.ecn_recover = tp.iss
        so.isconnecting()
        self.tcp.stat["connattempt"] += 1
        tp.state = TCPS_SYN_SENT
        now = self.tcp.stack.clock.now
        tp.starttime = tp.rcvtime = now
        tp.t_keep = now + (tp.keepinit or KEEP_INIT)
        self.tcp.timers.arm(tp, tp.t_keep)
        error = self.tcp.output(tp)
        if error and not tp.flags & TF_DEAD:
            self.tcp.drop(tp, "")
            so.state = 0
            self.tcp.newtcpcb(so)
            raise NetError(error)

    def send(self, so: Socket, data: bytes, addr: Sockaddr | None, flags: int) -> int:
        """Take *data*, which fit, into the send buffer and send what may leave now."""
        tp = self._tp(so)
        if not data:
            return 0
        unsent = so.snd.cc - (tp.snd_nxt - tp.snd_una)
        so.snd.append(data)
        if flags & MSG_OOB:
            # RFC 6093 4: the pointer names the octet after the urgent one, as all systems have it.
            tp.snd_up = tp.snd_una + so.snd.cc
            self.tcp.output(tp)
            return len(data)
        # Where a whole segment waits for the window already, the next ACK will see to it.
        if unsent < tp.segsz or tp.snd_max == tp.snd_una:
            self.tcp.output(tp)
        return len(data)

    def rcvd(self, so: Socket) -> None:
        """Tell the peer of the room that the reader has made, if it is worth telling."""
        inp = so.pcb
        if inp is None:
            return
        tp: Tcpcb = inp.ppcb
        # With TF_ACKNOW an ACK is about to leave anyhow.
        if (
            TCPS_ESTABLISHED <= tp.state <= TCPS_FIN_WAIT_2
            and not tp.flags & TF_ACKNOW
            and self.tcp.out.want_update(tp)
        ):
            self.tcp.out.ack(tp)

    def rcvoob(self, so: Socket, flags: int) -> bytes:
        """Return the urgent octet. Raises EINVAL when there is none to come, EAGAIN before it has."""
        tp = self._tp(so)
        if (
            (not so.oobmark and not so.state & SS_RCVATMARK)
            or so.options & SO_OOBINLINE
            or tp.oobflags & TCPOOB_HADDATA
        ):
            raise NetError("EINVAL")
        if not tp.oobflags & TCPOOB_HAVEDATA:
            raise NetError("EAGAIN")
        if not flags & MSG_PEEK:
            tp.oobflags ^= TCPOOB_HAVEDATA | TCPOOB_HADDATA
        return bytes((tp.iobc,))

    def shutdown(self, so: Socket, how: int) -> None:
        """shutdown(2): with SHUT_WR and SHUT_RDWR a FIN follows the data."""
        if so.pcb is None:
            return
        tp = self._tp(so)
        if how != SHUT_RD:
            self._usrclosed(tp)
            if not tp.flags & TF_DEAD:
                self.tcp.output(tp)

    def abort(self, so: Socket) -> None:
        """Reset the connection."""
        if so.pcb is not None:
            self.tcp.drop(self._tp(so), "ECONNABORTED")

    def detach(self, so: Socket) -> None:
        """Close in order, or with SO_LINGER and no time at once (tcp_disconnect)."""
        if so.pcb is None:
            return
        tp = self._tp(so)
        if tp.state < TCPS_ESTABLISHED and tp.state != TCPS_SYN_RECEIVED:
            self.tcp.close(tp)
            return
        if so.linger == 0:
            self.tcp.drop(tp, "")
            return
        unread = so.rcv.cc
        so.isdisconnecting()
        so.rcv.flush()
        if unread and tp.state in (TCPS_ESTABLISHED, TCPS_CLOSE_WAIT):
            # RFC 1122 4.2.2.13: data that nobody will read were lost; say so.
            self.tcp.drop(tp, "")
            return
        self._usrclosed(tp)
        if not tp.flags & TF_DEAD:
            self.tcp.output(tp)

    def _usrclosed(self, tp: Tcpcb) -> None:
        """Move on: the user has nothing more to send (RFC 9293 3.10.4)."""
        state = tp.state
        if state in (TCPS_CLOSED, TCPS_LISTEN, TCPS_SYN_SENT):
            self.tcp.close(tp)
            return
        if state == TCPS_SYN_RECEIVED:
            tp.flags |= TF_NEEDFIN
        elif state == TCPS_ESTABLISHED:
            tp.state = TCPS_FIN_WAIT_1
        elif state == TCPS_CLOSE_WAIT:
            tp.state = TCPS_LAST_ACK
        elif state == TCPS_FIN_WAIT_2:
            self.fin_wait_2(tp)

    def fin_wait_2(self, tp: Tcpcb) -> None:
        """Wait for the peer's FIN; not for ever when nobody could read what comes before it."""
        if tp.so.state & (SS_CANTRCVMORE | SS_NOFDREF):
            tp.so.isdisconnected()
            tp.t_2msl = self.tcp.stack.clock.now + self.tcp.maxidle(tp)
            self.tcp.timers.arm(tp, tp.t_2msl)

    def sockaddr(self, so: Socket) -> Sockaddr:
        """getsockname(2). Raises EINVAL when the connection is over."""
        if so.pcb is None:
            raise NetError("EINVAL")
        return SockaddrIn(so.pcb.laddr, so.pcb.lport)

    def peeraddr(self, so: Socket) -> Sockaddr:
        """getpeername(2). Raises ENOTCONN."""
        if so.pcb is None or not so.pcb.faddr:
            raise NetError("ENOTCONN")
        return SockaddrIn(so.pcb.faddr, so.pcb.fport)

    def getopt(self, so: Socket, level: int, name: int) -> Any:
        """getsockopt(2) of levels IPPROTO_TCP and IPPROTO_IP. Raises ENOPROTOOPT, EINVAL."""
        if so.pcb is None:
            raise NetError("EINVAL")
        if level == IPPROTO_IP:
            return self.tcp.table.getopt(so.pcb, name)
        if level != IPPROTO_TCP:
            raise NetError("ENOPROTOOPT")
        tp = self._tp(so)
        if name == TCP_NODELAY:
            return int(bool(tp.flags & TF_NODELAY))
        if name == TCP_QUIETDROP:
            return int(bool(tp.flags & TF_QUIETDROP))
        if name == TCP_MAXSEG:
            return tp.peermss if not tp.usermss else min(tp.peermss, tp.usermss)
        if name == TCP_CONGCTL:
            return tp.cc.name
        if name == TCP_KEEPINIT:
            return tp.keepinit or int(KEEP_INIT)
        if name == TCP_KEEPCNT:
            return tp.keepcnt or self.tcp.keepcnt
        if name in _KEEP:
            knob: int = getattr(self.tcp, _KEEP[name])
            return getattr(tp, _KEEP[name]) or int(self.tcp.keep_s(knob))
        raise NetError("ENOPROTOOPT")

    def setopt(self, so: Socket, level: int, name: int, value: Any) -> None:
        """setsockopt(2) likewise.

        TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPINIT take seconds, unlike the knobs.
        """
        if so.pcb is None:
            raise NetError("EINVAL")
        if level == IPPROTO_IP:
            self.tcp.table.setopt(so.pcb, name, value)
            return
        if level != IPPROTO_TCP:
            raise NetError("ENOPROTOOPT")
        tp = self._tp(so)
        if name == TCP_CONGCTL:
            if type(value) is not str:
                raise NetError("EINVAL")
            found = self.tcp.algorithms.get(value)
            if found is None:
                raise NetError("ENOENT")
            tp.cc, tp.cc_state = found, None
            return
        if type(value) is not int:
            raise NetError("EINVAL")
        if name in (TCP_NODELAY, TCP_QUIETDROP):
            bit = TF_NODELAY if name == TCP_NODELAY else TF_QUIETDROP
            tp.flags = tp.flags | bit if value else tp.flags & ~bit
            if name == TCP_NODELAY and value and tp.state >= TCPS_ESTABLISHED:
                self.tcp.output(tp)
        elif name == TCP_MAXSEG:
            # A segment can be made smaller than what the peer takes, never larger.
            if not TCP_MINMSS <= value <= (tp.peermss if tp.state > TCPS_LISTEN else 65535):
                raise NetError("EINVAL")
            tp.usermss = value
            if tp.state > TCPS_LISTEN:
                tp.peermss = value
        elif name in _KEEP:
            if not 0 < value <= _INT_MAX:
                raise NetError("EINVAL")
            setattr(tp, _KEEP[name], value)
            if tp.state >= TCPS_ESTABLISHED and tp.t_keep:
                tp.t_keep = self.tcp.timers.keep_due(tp)
                self.tcp.timers.arm(tp, tp.t_keep)
            elif tp.state == TCPS_SYN_SENT and name == TCP_KEEPINIT:
                tp.t_keep = tp.starttime + value
                self.tcp.timers.arm(tp, tp.t_keep)
        else:
            raise NetError("ENOPROTOOPT")
