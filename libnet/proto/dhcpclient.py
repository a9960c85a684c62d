"""The client's side of DHCP (RFC 2131 section 4.4; address check RFC 5227 section 2.1.1).

    client = DhcpClient(ClientConf(mac), dice)
    client.start(now)
    client.input(octets, now)       a message for the client's port, from wherever it was captured
    client.arp_input(octets, now)   an ARP packet of the interface
    client.run(now)                 when next_due() has come
    client.take_output()            Send, Probe, Bound and Lost, in the order in which they are to be done

    INIT ── REQUESTING of an offer ── PROBING ── BOUND ── T1 ── RENEWING ── T2 ── REBINDING ── end: INIT
    INIT-REBOOT ── REBOOTING ── PROBING                    a NAK, anywhere: INIT
                                └ somebody answers: DECLINE, ten seconds, INIT

A lease runs from the moment the first request for it left, so the client never believes longer in an
address than the server does.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from libnet.addr import inet_ntoa, is_multicast
from libnet.clock import Dice
from libnet.wire import Malformed, Truncated
from libnet.wire import dhcp as d
from libnet.wire.arp import ARPOP_REPLY, ARPOP_REQUEST, Arp, arp_build
from libnet.wire.cksum import Octets

INIT: Final = "INIT"
SELECTING: Final = "SELECTING"
REQUESTING: Final = "REQUESTING"
INIT_REBOOT: Final = "INIT-REBOOT"
REBOOTING: Final = "REBOOTING"
PROBING: Final = "PROBING"
BOUND: Final = "BOUND"
RENEWING: Final = "RENEWING"
REBINDING: Final = "REBINDING"
STOPPED: Final = "STOPPED"

INADDR_BROADCAST: Final = 0xFFFFFFFF
INFINITY: Final = 0xFFFFFFFF  # a lease time without end
FIRST_RETRY_S: Final = 4.0
MOST_RETRY_S: Final = 64.0
LEAST_RENEW_S: Final = 60.0  # between requests while the address is still ours
DECLINE_WAIT_S: Final = 10.0
REQUESTS: Final = 4  # of an offer before another one is looked for
REBOOTS: Final = 3  # of an old address before a new one is asked for
PROBES: Final = 2
PROBE_S: Final = 1.0
MAX_MESSAGE: Final = 1500
PARAMETERS: Final = bytes(
    (
        d.DHO_SUBNET_MASK,
        d.DHO_BROADCAST_ADDRESS,
        d.DHO_ROUTERS,
        d.DHO_STATIC_ROUTES,
        d.DHO_HOST_NAME,
        d.DHO_DOMAIN_NAME,
        d.DHO_DOMAIN_NAME_SERVERS,
        d.DHO_DHCP_RENEWAL_TIME,
        d.DHO_DHCP_REBINDING_TIME,
    )
)

# Why a client gave up.
NO_SERVER: Final = "no server"
CONFLICTS: Final = "conflicts"


class ClientConf:
    """What a client is told.

    mac        of the interface             ident      value of option 61
    hostname   sent as option 12, or ""     unicast    do not ask for broadcast replies
    server     the only server to believe, 0 for any
    declines   give up after so many addresses in a row that others had; 0: addresses are not probed
    timeout_s  from the first message to an ACK, None for ever
    """

    __slots__ = ("declines", "hostname", "ident", "mac", "server", "timeout_s", "unicast")

    def __init__(
        self,
        mac: bytes,
        *,
        ident: bytes = b"",
        hostname: str = "",
        unicast: bool = False,
        server: int = 0,
        declines: int = 5,
        timeout_s: float | None = None,
    ) -> None:
        self.mac = mac
        self.ident = ident or bytes((d.HTYPE_ETHER,)) + mac
        self.hostname, self.unicast, self.server = hostname, unicast, server
        self.declines, self.timeout_s = declines, timeout_s


class Lease(NamedTuple):
    """What a server granted. Addresses are host integers, moments seconds of the client's clock.

    mask, broadcast  0 where the server did not say
    routes           (destination, router) of option 33
    t1, t2, end      when to renew, to rebind, to stop; None in a lease without end
    """

    addr: int
    server: int
    mask: int
    broadcast: int
    routers: tuple[int, ...]
    routes: tuple[tuple[int, int], ...]
    servers: tuple[int, ...]
    domain: str
    hostname: str
    t1: float | None
    t2: float | None
    end: float | None

    def same_setup(self, other: Lease) -> bool:
        """Tell whether nothing but times and server differ."""
        return self._replace(server=0, t1=None, t2=None, end=None) == other._replace(
            server=0, t1=None, t2=None, end=None
        )


class Send(NamedTuple):
    """A message to send; a broadcast (dst 255.255.255.255) as a frame of our own making."""

    octets: bytes
    src: int
    dst: int


class Probe(NamedTuple):
    """An ARP packet to broadcast."""

    octets: bytes


class Bound(NamedTuple):
    """The interface is to have this lease; *before* is the one it had, or None."""

    lease: Lease
    before: Lease | None


class Lost(NamedTuple):
    """The interface is to have this lease no longer."""

    lease: Lease


Output = Send | Probe | Bound | Lost


class DhcpClient:
    """One client on one interface.

    state    one of the names above      lease   while the address is ours, or None
    failure  NO_SERVER or CONFLICTS when it has given up, else ""
    log      lines for whoever wants to follow, taken with take_log()
    """

    def __init__(self, conf: ClientConf, dice: Dice) -> None:
        self.conf = conf
        self.state = INIT
        self.lease: Lease | None = None
        self.failure = ""
        self._dice = dice
        self._output: list[Output] = []
        self._log: list[str] = []
        self._xid = 0
        self._due: float | None = None
        self._deadline: float | None = None
        self._began = 0.0  # of the secs field
        self._asked = 0.0  # when the first request of this exchange left
        self._retry_s = FIRST_RETRY_S
        self._tries = 0
        self._wanted = 0  # address asked for
        self._chosen = 0  # server that offered it
        self._pending: Lease | None = None  # granted, being probed
        self._declined = 0

    # -- driven from outside

    def start(self, now: float, *, last: int = 0) -> None:
        """Begin; *last* is an address that was ours before the system went down, 0 for none."""
        if last:
            self._wanted = last
            self.state = INIT_REBOOT
            self._due = now
        else:
            self._init(now)

    def next_due(self) -> float | None:
        """Return when run() wants to be called, None when there is nothing to wait for."""
        if self.state == STOPPED:
            return None
        if self._deadline is None:
            return self._due
        return self._deadline if self._due is None else min(self._due, self._deadline)

    def take_output(self) -> list[Output]:
        """Return what is to be done, in order, and forget it."""
        output, self._output = self._output, []
        return output

    def take_log(self) -> list[str]:
        """Return lines for the log and forget them."""
        lines, self._log = self._log, []
        return lines

    def run(self, now: float) -> None:
        """Do what is due."""
        if self.state == STOPPED:
            return
        if self._deadline is not None and now >= self._deadline:
            self._fail(NO_SERVER)
            return
        if self._due is None or now < self._due:
            return
        {
            INIT: self._discover,
            INIT_REBOOT: self._reboot,
            SELECTING: self._discover_again,
            REQUESTING: self._request_again,
            REBOOTING: self._reboot_again,
            PROBING: self._probe,
            BOUND: self._renew,
            RENEWING: self._renew,
            REBINDING: self._renew,
        }[self.state](now)

    def release(self, now: float) -> None:
        """Give the address back and stop."""
        lease = self.lease
        if lease is not None:
            self._new_exchange(now)
            self._say(f"DHCPRELEASE of {inet_ntoa(lease.addr)} to {inet_ntoa(lease.server)}")
            octets = self._message(d.DHCPRELEASE, now, ciaddr=lease.addr, server=lease.server)
            self._output.append(Send(octets, lease.addr, lease.server))
            self._drop_lease()
        self._stop()

    def stop(self) -> None:
        """Stop and keep the address: its lease is good until it ends."""
        self._stop()

    # -- what comes in

    def input(self, octets: Octets, now: float) -> None:
        """Take a message. What is not for us, or makes no sense, is passed over."""
        try:
            msg = d.Dhcp.parse(octets)
            self._take(msg, now)
        except (Truncated, Malformed) as exc:
            self._say(f"message ignored: {exc}")

    def _take(self, msg: d.Dhcp, now: float) -> None:
        if msg.op != d.BOOTREPLY or msg.xid != self._xid or msg.chaddr != self.conf.mac:
            return
        server = msg.addr(d.DHO_DHCP_SERVER_IDENTIFIER) or 0
        if self.conf.server and server != self.conf.server:
            return
        kind = msg.type
        if self.state == SELECTING:
            if kind == d.DHCPOFFER and server and _usable(msg.yiaddr):
                self._offered(msg, server, now)
            return
        if self.state not in (REQUESTING, REBOOTING, RENEWING, REBINDING):
            return
        if self.state == REQUESTING and server != self._chosen:
            return
        if kind == d.DHCPACK:
            if _usable(msg.yiaddr):
                self._acked(self._granted(msg, server), now)
        elif kind == d.DHCPNAK:
            why = msg.text(d.DHO_DHCP_MESSAGE)
            self._say(f"DHCPNAK from {inet_ntoa(server)}" + (f": {why}" if why else ""))
            self._drop_lease()
            self._init(now)

    def arp_input(self, octets: Octets, now: float) -> None:
        """Take an ARP packet: while an address is being probed, anybody's claim to it counts."""
        lease = self._pending
        if self.state != PROBING or lease is None:
            return
        try:
            arp = Arp.parse(octets)
        except Truncated:
            return
        if arp.pln != 4 or arp.sha == self.conf.mac or arp.op not in (ARPOP_REQUEST, ARPOP_REPLY):
            return
        addr = lease.addr.to_bytes(4, "big")
        # Another's probe for the same address is a claim as well (RFC 5227 2.1.1).
        probe = arp.op == ARPOP_REQUEST and arp.spa == bytes(4) and arp.tpa == addr
        if arp.spa == addr or probe:
            self._decline(lease, now)

    # -- without an address

    def _init(self, now: float, wait_s: float | None = None) -> None:
        """Wait a little before the first DISCOVER: boxes that got power together would all ask together."""
        self.state = INIT
        self._pending = None
        self._deadline = None
        self._due = now + (1.0 + 9.0 * self._dice.random() if wait_s is None else wait_s)

    def _arm(self, now: float) -> None:
        if self._deadline is None and self.conf.timeout_s is not None:
            self._deadline = now + self.conf.timeout_s

    def _discover(self, now: float) -> None:
        self.state = SELECTING
        self._began = now
        self._arm(now)
        self._new_exchange(now)
        self._discover_again(now)

    def _discover_again(self, now: float) -> None:
        self._say("DHCPDISCOVER to 255.255.255.255")
        self._broadcast(self._message(d.DHCPDISCOVER, now))
        self._backoff(now)

    def _offered(self, msg: d.Dhcp, server: int, now: float) -> None:
        self._say(f"DHCPOFFER of {inet_ntoa(msg.yiaddr)} from {inet_ntoa(server)}")
        self._wanted, self._chosen = msg.yiaddr, server
        self.state = REQUESTING
        self._asked = now
        self._retry_s, self._tries = FIRST_RETRY_S, 0
        self._request_again(now)

    def _request_again(self, now: float) -> None:
        if self._tries >= REQUESTS:
            # The server has changed its mind or gone. The deadline stays: no ACK has been seen.
            self._discover(now)
            return
        self._tries += 1
        self._say(f"DHCPREQUEST for {inet_ntoa(self._wanted)} to 255.255.255.255")
        octets = self._message(d.DHCPREQUEST, now, wanted=self._wanted, server=self._chosen)
        self._broadcast(octets)
        self._backoff(now)

    def _reboot(self, now: float) -> None:
        self.state = REBOOTING
        self._began = now
        self._arm(now)
        self._new_exchange(now)
        self._reboot_again(now)

    def _reboot_again(self, now: float) -> None:
        if self._tries >= REBOOTS:
            deadline = self._deadline
            self._init(now, 0.0)
            self._deadline = deadline
            return
        self._tries += 1
        self._say(f"DHCPREQUEST for {inet_ntoa(self._wanted)} to 255.255.255.255")
        self._broadcast(self._message(d.DHCPREQUEST, now, wanted=self._wanted))
        self._backoff(now)

    # -- granted

    def _granted(self, msg: d.Dhcp, server: int) -> Lease:
        """Return the lease of an ACK. Raises Malformed for one without a time."""
        seconds = msg.number(d.DHO_DHCP_LEASE_TIME, 4)
        if not seconds:
            raise Malformed("DHCPACK", "no lease time")
        routes = msg.addrs(d.DHO_STATIC_ROUTES)
        t1: float | None = None
        t2: float | None = None
        end: float | None = None
        if seconds != INFINITY:
            rebind = msg.number(d.DHO_DHCP_REBINDING_TIME, 4) or 0
            renew = msg.number(d.DHO_DHCP_RENEWAL_TIME, 4) or 0
            # Times that are not in order are not the server's meaning: the RFC's own hold then.
            if not 0 < rebind < seconds:
                rebind = 0
            rebind_s = rebind or seconds * 0.875
            renew_s = renew if 0 < renew < rebind_s else min(seconds * 0.5, rebind_s)
            t1, t2, end = self._asked + renew_s, self._asked + rebind_s, self._asked + seconds
        return Lease(
            msg.yiaddr,
            server or (self.lease.server if self.lease is not None else msg.siaddr),
            msg.addr(d.DHO_SUBNET_MASK) or 0,
            msg.addr(d.DHO_BROADCAST_ADDRESS) or 0,
            tuple(msg.addrs(d.DHO_ROUTERS)),
            tuple(zip(routes[::2], routes[1::2], strict=False)),
            tuple(msg.addrs(d.DHO_DOMAIN_NAME_SERVERS)),
            msg.text(d.DHO_DOMAIN_NAME) or "",
            msg.text(d.DHO_HOST_NAME) or "",
            t1,
            t2,
            end,
        )

    def _acked(self, lease: Lease, now: float) -> None:
        self._say(f"DHCPACK of {inet_ntoa(lease.addr)} from {inet_ntoa(lease.server)}")
        if self.lease is None and self.state == REQUESTING and lease.addr != self._wanted:
            self._say(f"{inet_ntoa(self._wanted)} was asked for: ignored")
            return
        if self.lease is not None and lease.addr != self.lease.addr:
            # Not what a renewal may say (RFC 2131 4.4.5): begin again.
            self._drop_lease()
            self._init(now)
            return
        if self.lease is not None or not self.conf.declines:
            self._bind(lease, now)
            return
        self.state = PROBING
        self._pending = lease
        self._deadline = None
        self._tries = 0
        self._probe(now)

    def _probe(self, now: float) -> None:
        lease = self._pending
        assert lease is not None
        if self._tries >= PROBES:
            self._bind(lease, now)
            return
        self._tries += 1
        octets = arp_build(ARPOP_REQUEST, self.conf.mac, 0, bytes(6), lease.addr)
        self._output.append(Probe(octets))
        self._due = now + PROBE_S

    def _decline(self, lease: Lease, now: float) -> None:
        self._say(f"DHCPDECLINE of {inet_ntoa(lease.addr)}: somebody has it")
        self._new_exchange(now)
        octets = self._message(d.DHCPDECLINE, now, wanted=lease.addr, server=lease.server)
        self._broadcast(octets)
        self._declined += 1
        if self._declined >= self.conf.declines:
            self._fail(CONFLICTS)
            return
        self._init(now, DECLINE_WAIT_S)

    def _bind(self, lease: Lease, now: float) -> None:
        self._pending = None
        self._deadline = None
        if lease.end is not None and lease.end <= now:
            self._drop_lease()
            self._init(now)
            return
        before, self.lease = self.lease, lease
        self.state = BOUND
        self._declined = 0
        self._due = lease.t1
        renewal = "never" if lease.t1 is None else f"in {max(0, int(lease.t1 - now))} seconds"
        self._say(f"bound to {inet_ntoa(lease.addr)} -- renewal {renewal}")
        self._output.append(Bound(lease, before))

    def _renew(self, now: float) -> None:
        """Ask for more time: first who granted it, then anybody, until the lease has ended."""
        lease = self.lease
        assert lease is not None
        assert lease.t2 is not None
        assert lease.end is not None
        if now >= lease.end:
            self._say(f"lease of {inet_ntoa(lease.addr)} has ended")
            self._drop_lease()
            self._init(now)
            return
        if self.state == BOUND:
            self._began = now
            self._new_exchange(now)
        self.state = RENEWING if now < lease.t2 else REBINDING
        if self.state == RENEWING:
            dst, until = lease.server, lease.t2
        else:
            dst, until = INADDR_BROADCAST, lease.end
        self._say(f"DHCPREQUEST for {inet_ntoa(lease.addr)} to {inet_ntoa(dst)}")
        octets = self._message(d.DHCPREQUEST, now, ciaddr=lease.addr)
        self._output.append(Send(octets, lease.addr, dst))
        self._due = min(until, now + max((until - now) / 2, LEAST_RENEW_S))

    # -- the ends of things

    def _drop_lease(self) -> None:
        lease, self.lease = self.lease, None
        if lease is not None:
            self._output.append(Lost(lease))

    def _fail(self, why: str) -> None:
        self.failure = why
        self._drop_lease()
        self._stop()

    def _stop(self) -> None:
        self.state = STOPPED
        self._pending = None
        self._due = self._deadline = None

    # -- messages

    def _say(self, text: str) -> None:
        self._log.append(text)

    def _new_exchange(self, now: float) -> None:
        self._xid = self._dice.getrandbits(32)
        self._asked = now
        self._retry_s, self._tries = FIRST_RETRY_S, 0

    def _backoff(self, now: float) -> None:
        self._due = now + self._retry_s + 2.0 * self._dice.random() - 1.0
        self._retry_s = min(self._retry_s * 2, MOST_RETRY_S)

    def _broadcast(self, octets: bytes) -> None:
        self._output.append(Send(octets, 0, INADDR_BROADCAST))

    def _message(
        self, kind: int, now: float, *, ciaddr: int = 0, wanted: int = 0, server: int = 0
    ) -> bytes:
        conf = self.conf
        options = {
            d.DHO_DHCP_MESSAGE_TYPE: bytes((kind,)),
            d.DHO_DHCP_CLIENT_IDENTIFIER: conf.ident,
        }
        if wanted:
            options[d.DHO_DHCP_REQUESTED_ADDRESS] = wanted.to_bytes(4, "big")
        if server:
            options[d.DHO_DHCP_SERVER_IDENTIFIER] = server.to_bytes(4, "big")
        asking = kind in (d.DHCPDISCOVER, d.DHCPREQUEST)
        if asking:
            options[d.DHO_DHCP_MAX_MESSAGE_SIZE] = MAX_MESSAGE.to_bytes(2, "big")
            if conf.hostname:
                options[d.DHO_HOST_NAME] = conf.hostname.encode("ascii", "replace")
            options[d.DHO_DHCP_PARAMETER_REQUEST_LIST] = PARAMETERS
        broadcast = asking and not ciaddr and not conf.unicast
        return d.Dhcp(
            d.BOOTREQUEST,
            d.HTYPE_ETHER,
            len(conf.mac),
            0,
            self._xid,
            min(int(now - self._began), 0xFFFF) if asking else 0,
            d.BOOTP_BROADCAST if broadcast else 0,
            ciaddr,
            0,
            0,
            0,
            conf.mac,
            b"",
            b"",
            options,
        ).build()


def _usable(addr: int) -> bool:
    """Tell whether *addr* may be a host's: not 0/8, 127/8, multicast or what is above it."""
    return addr >> 24 not in (0, 127) and not is_multicast(addr) and addr < 0xF0000000
