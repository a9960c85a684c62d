"""What netstat prints: tables of counters, sockets, interfaces, mbufs. Pure; the layouts are 4.4BSD's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from libnet.addr import class_mask, inet_ntoa
from libnet.ioctl.mroute import VIFF_TUNNEL, MrtMfc, MrtVif
from libnet.ioctl.sysctl import BpfPeer

# One line of statistics: a template and the counters it shows. In the template %d is the next
# counter, %s a plural s of the last one, %e "es", %y "y" or "ies".
Line = tuple[str, *tuple[str, ...]]

ICMP_NAMES: Final = (
    "echo reply",
    "#1",
    "#2",
    "destination unreachable",
    "source quench",
    "routing redirect",
    "alternate host address",
    "#7",
    "echo",
    "router advertisement",
    "router solicitation",
    "time exceeded",
    "parameter problem",
    "time stamp",
    "time stamp reply",
    "information request",
    "information request reply",
    "address mask request",
    "address mask reply",
)

_HIST: Final = "histogram"
_NO_NEWLINE: Final = "\\c"

STATS: Final[dict[str, tuple[Line, ...]]] = {
    "ip": (
        ("\t%d total packet%s received", "total"),
        ("\t%d bad header checksum%s", "badsum"),
        ("\t%d with size smaller than minimum", "toosmall"),
        ("\t%d with data size < data length", "tooshort"),
        ("\t%d with length > max ip packet size", "toolong"),
        ("\t%d with header length < data size", "badhlen"),
        ("\t%d with data length < header length", "badlen"),
        ("\t%d with bad options", "badoptions"),
        ("\t%d with incorrect version number", "badvers"),
        ("\t%d fragment%s received", "fragments"),
        ("\t%d fragment%s dropped (dup or out of space)", "fragdropped"),
        ("\t%d fragment%s dropped (out of ipqent)", "rcvmemdrop"),
        ("\t%d malformed fragment%s dropped", "badfrags"),
        ("\t%d fragment%s dropped after timeout", "fragtimeout"),
        ("\t%d packet%s reassembled ok", "reassembled"),
        ("\t%d packet%s for this host", "delivered"),
        ("\t%d packet%s for unknown/unsupported protocol", "noproto"),
        ("\t%d packet%s forwarded" + _NO_NEWLINE, "forward"),
        (" (%d packet%s fast forwarded)", "fastforward"),
        ("\t%d packet%s not forwardable", "cantforward"),
        ("\t%d redirect%s sent", "redirectsent"),
        ("\t%d packet%s no matching gif found", "nogif"),
        ("\t%d packet%s sent from this host", "localout"),
        ("\t%d packet%s sent with fabricated ip header", "rawout"),
        ("\t%d output packet%s dropped due to no bufs, etc.", "odropped"),
        ("\t%d output packet%s discarded due to no route", "noroute"),
        ("\t%d output datagram%s fragmented", "fragmented"),
        ("\t%d fragment%s created", "ofragments"),
        ("\t%d datagram%s that can't be fragmented", "cantfrag"),
        ("\t%d datagram%s with bad address in header", "badaddr"),
    ),
    "icmp": (
        ("\t%d call%s to icmp_error", "error"),
        ("\t%d error%s not generated because old message was icmp", "oldicmp"),
        (_HIST, "Output histogram:", "outhist"),
        ("\t%d message%s with bad code fields", "badcode"),
        ("\t%d message%s < minimum length", "tooshort"),
        ("\t%d bad checksum%s", "checksum"),
        ("\t%d message%s with bad length", "badlen"),
        (_HIST, "Input histogram:", "inhist"),
        ("\t%d message response%s generated", "reflect"),
        ("\t%d path MTU change%s", "pmtuchg"),
    ),
    "igmp": (
        ("\t%d message%s received", "rcv_total"),
        ("\t%d message%s received with too few bytes", "rcv_tooshort"),
        ("\t%d message%s received with bad checksum", "rcv_badsum"),
        ("\t%d membership quer%y received", "rcv_queries"),
        ("\t%d membership quer%y received with invalid field(s)", "rcv_badqueries"),
        ("\t%d membership report%s received", "rcv_reports"),
        ("\t%d membership report%s received with invalid field(s)", "rcv_badreports"),
        ("\t%d membership report%s received for groups to which we belong", "rcv_ourreports"),
        ("\t%d membership report%s sent", "snd_reports"),
    ),
    "tcp": (
        ("\t%d packet%s sent", "sndtotal"),
        ("\t\t%d data packet%s (%d byte%s)", "sndpack", "sndbyte"),
        ("\t\t%d data packet%s (%d byte%s) retransmitted", "sndrexmitpack", "sndrexmitbyte"),
        ("\t\t%d ack-only packet%s (%d delayed)", "sndacks", "delack"),
        ("\t\t%d URG only packet%s", "sndurg"),
        ("\t\t%d window probe packet%s", "sndprobe"),
        ("\t\t%d window update packet%s", "sndwinup"),
        ("\t\t%d control packet%s", "sndctrl"),
        ("\t\t%d send attempt%s resulted in self-quench", "selfquench"),
        ("\t%d packet%s received", "rcvtotal"),
        ("\t\t%d ack%s (for %d byte%s)", "rcvackpack", "rcvackbyte"),
        ("\t\t%d duplicate ack%s", "rcvdupack"),
        ("\t\t%d ack%s for unsent data", "rcvacktoomuch"),
        ("\t\t%d packet%s (%d byte%s) received in-sequence", "rcvpack", "rcvbyte"),
        ("\t\t%d completely duplicate packet%s (%d byte%s)", "rcvduppack", "rcvdupbyte"),
        ("\t\t%d old duplicate packet%s", "pawsdrop"),
        (
            "\t\t%d packet%s with some dup. data (%d byte%s duped)",
            "rcvpartduppack",
            "rcvpartdupbyte",
        ),
        ("\t\t%d out-of-order packet%s (%d byte%s)", "rcvoopack", "rcvoobyte"),
        (
            "\t\t%d packet%s (%d byte%s) of data after window",
            "rcvpackafterwin",
            "rcvbyteafterwin",
        ),
        ("\t\t%d window probe%s", "rcvwinprobe"),
        ("\t\t%d window update packet%s", "rcvwinupd"),
        ("\t\t%d packet%s received after close", "rcvafterclose"),
        ("\t\t%d discarded for bad checksum%s", "rcvbadsum"),
        ("\t\t%d discarded for bad header offset field%s", "rcvbadoff"),
        ("\t\t%d discarded because packet too short", "rcvshort"),
        ("\t%d connection request%s", "connattempt"),
        ("\t%d connection accept%s", "accepts"),
        ("\t%d connection%s established (including accepts)", "connects"),
        ("\t%d connection%s closed (including %d drop%s)", "closed", "drops"),
        ("\t%d embryonic connection%s dropped", "conndrops"),
        ("\t%d delayed free%s of tcpcb", "delayed_free"),
        ("\t%d segment%s updated rtt (of %d attempt%s)", "rttupdated", "segstimed"),
        ("\t%d retransmit timeout%s", "rexmttimeo"),
        ("\t\t%d connection%s dropped by rexmit timeout", "timeoutdrop"),
        (
            "\t%d persist timeout%s (resulting in %d dropped connection%s)",
            "persisttimeo",
            "persistdrops",
        ),
        ("\t%d keepalive timeout%s", "keeptimeo"),
        ("\t\t%d keepalive probe%s sent", "keepprobe"),
        ("\t\t%d connection%s dropped by keepalive", "keepdrops"),
        ("\t%d correct ACK header prediction%s", "predack"),
        ("\t%d correct data packet header prediction%s", "preddat"),
        ("\t%d PCB hash miss%e", "pcbhashmiss"),
        ("\t%d dropped due to no socket", "noport"),
        ("\t%d connection%s drained due to memory shortage", "connsdrained"),
        ("\t%d PMTUD blackhole%s detected", "pmtublackhole"),
        ("\t%d bad connection attempt%s", "badsyn"),
        ("\t%d SYN cache entries added", "sc_added"),
        ("\t\t%d hash collision%s", "sc_collisions"),
        ("\t\t%d completed", "sc_completed"),
        ("\t\t%d aborted (no space to build PCB)", "sc_aborted"),
        ("\t\t%d timed out", "sc_timed_out"),
        ("\t\t%d dropped due to overflow", "sc_overflowed"),
        ("\t\t%d dropped due to bucket overflow", "sc_bucketoverflow"),
        ("\t\t%d dropped due to RST", "sc_reset"),
        ("\t\t%d dropped due to ICMP unreachable", "sc_unreach"),
        ("\t\t%d delayed free of SYN cache entries", "sc_delayed_free"),
        ("\t%d SYN,ACK%s retransmitted", "sc_retransmitted"),
        ("\t%d duplicate SYN%s received for entries already in the cache", "sc_dupesyn"),
        ("\t%d SYN%s dropped (no route or no space)", "sc_dropped"),
        ("\t%d packet%s with bad signature", "badsig"),
        ("\t%d packet%s with good signature", "goodsig"),
        ("\t%d sucessful ECN handshake%s", "ecn_shs"),  # the original's spelling
        ("\t%d packet%s with ECN CE bit", "ecn_ce"),
        ("\t%d packet%s ECN ECT(0) bit", "ecn_ect"),
    ),
    "udp": (
        ("\t%d datagram%s received", "ipackets"),
        ("\t%d with incomplete header", "hdrops"),
        ("\t%d with bad data length field", "badlen"),
        ("\t%d with bad checksum", "badsum"),
        ("\t%d dropped due to no socket", "noport"),
        ("\t%d broadcast/multicast datagram%s dropped due to no socket", "noportbcast"),
        ("\t%d dropped due to full socket buffers", "fullsock"),
        ("\t%d delivered", "delivered"),
        ("\t%d PCB hash miss%e", "pcbhashmiss"),
        ("\t%d datagram%s output", "opackets"),
    ),
    "arp": (
        ("\t%d packet%s sent", "sndtotal"),
        ("\t\t%d reply packet%s", "sndreply"),
        ("\t\t%d request packet%s", "sndrequest"),
        ("\t%d packet%s received", "rcvtotal"),
        ("\t\t%d reply packet%s", "rcvreply"),
        ("\t\t%d valid request packet%s", "rcvrequest"),
        ("\t\t%d broadcast/multicast packet%s", "rcvmcast"),
        ("\t\t%d packet%s with unknown protocol type", "rcvbadproto"),
        ("\t\t%d packet%s with bad (short) length", "rcvbadlen"),
        ("\t\t%d packet%s with null target IP address", "rcvzerotpa"),
        ("\t\t%d packet%s with null source IP address", "rcvzerospa"),
        ("\t\t%d could not be mapped to an interface", "rcvnoint"),
        ("\t\t%d packet%s sourced from a local hardware address", "rcvlocalsha"),
        ("\t\t%d packet%s with a broadcast source hardware address", "rcvbcastsha"),
        ("\t\t%d duplicate%s for a local IP address", "rcvlocalspa"),
        ("\t\t%d attempt%s to overwrite a static entry", "rcvoverperm"),
        ("\t\t%d packet%s received on wrong interface", "rcvoverint"),
        ("\t\t%d entry%s overwritten", "rcvover"),
        ("\t\t%d change%s in hardware address length", "rcvlenchg"),
        ("\t%d packet%s deferred pending ARP resolution", "dfrtotal"),
        ("\t\t%d sent", "dfrsent"),
        ("\t\t%d dropped", "dfrdropped"),
        ("\t%d failure%s to allocate llinfo", "allocfail"),
    ),
    "carp": (
        ("\t%d packet%s received (IPv4)", "ipackets"),
        ("\t%d packet%s received (IPv6)", "ipackets6"),
        ("\t\t%d packet%s discarded for bad interface", "badif"),
        ("\t\t%d packet%s discarded for wrong TTL", "badttl"),
        ("\t\t%d packet%s shorter than header", "hdrops"),
        ("\t\t%d packet%s discarded for bad checksum", "badsum"),
        ("\t\t%d packet%s discarded with a bad version", "badver"),
        ("\t\t%d discarded because packet was too short", "badlen"),
        ("\t\t%d packet%s discarded for bad authentication", "badauth"),
        ("\t\t%d packet%s discarded for bad vhid", "badvhid"),
        ("\t\t%d packet%s discarded because of a bad address list", "badaddrs"),
        ("\t%d packet%s sent (IPv4)", "opackets"),
        ("\t%d packet%s sent (IPv6)", "opackets6"),
        ("\t\t%d send failed due to mbuf memory error", "onomem"),
    ),
    "pim": (
        ("\t%d message%s received", "rcv_total_msgs"),
        ("\t%d byte%s received", "rcv_total_bytes"),
        ("\t%d message%s received with too few bytes", "rcv_tooshort"),
        ("\t%d message%s received with bad checksum", "rcv_badsum"),
        ("\t%d message%s received with bad version", "rcv_badversion"),
        ("\t%d data register message%s received", "rcv_registers_msgs"),
        ("\t%d data register byte%s received", "rcv_registers_bytes"),
        ("\t%d data register message%s received on wrong iif", "rcv_registers_wrongiif"),
        ("\t%d bad register%s received", "rcv_badregisters"),
        ("\t%d data register message%s sent", "snd_registers_msgs"),
        ("\t%d data register byte%s sent", "snd_registers_bytes"),
    ),
    "routing": (
        ("\t%d bad routing redirect%s", "badredirect"),
        ("\t%d dynamically created route%s", "dynamic"),
        ("\t%d new gateway%s due to redirects", "newgateway"),
        ("\t%d destination%s found unreachable", "unreach"),
        ("\t%d use%s of a wildcard route", "wildcard"),
    ),
    "bridge": (
        ("\t%d address%e learned", "learned"),
        ("\t%d move%s of an address to another member", "moved"),
        ("\t%d address%e aged", "aged"),
        ("\t%d address%e not learned because the cache is full", "cachefull"),
        ("\t%d address%e not learned because it cannot be a source", "badsource"),
        ("\t%d frame%s from where a static address is not", "staticelsewhere"),
        ("\t%d frame%s flooded", "flooded"),
        ("\t%d frame%s whose place is where they came from", "filtered"),
        ("\t%d frame%s of our own that came back", "echo"),
        ("\t%d frame%s dropped at a port that does not forward", "blocked"),
        ("\t%d frame%s dropped by the packet filter", "pfil"),
        ("\t%d frame%s that the packet filter does not know", "notip"),
        ("\t%d BPDU%s at a member without spanning tree", "bpdu"),
        ("\t%d configuration BPDU%s received", "stp_rxconfig"),
        ("\t%d topology change notification%s received", "stp_rxtcn"),
        ("\t%d malformed BPDU%s", "stp_rxbad"),
        ("\t%d BPDU%s too old or our own", "stp_rxdiscarded"),
        ("\t%d BPDU%s at a disabled port", "stp_rxdisabled"),
        ("\t%d BPDU%s over the limit of a tick", "stp_rxflood"),
        ("\t%d configuration BPDU%s sent", "stp_txconfig"),
        ("\t%d topology change notification%s sent", "stp_txtcn"),
    ),
    "multicast routing": (
        ("\t%d datagram%s with no route for origin", "no_route"),
        ("\t%d upcall%s made to mrouted", "upcalls"),
        ("\t%d datagram%s with malformed tunnel options", "bad_tunnel"),
        ("\t%d datagram%s with no room for tunnel options", "cant_tunnel"),
        ("\t%d datagram%s arrived on wrong interface", "wrong_if"),
        ("\t%d datagram%s dropped due to upcall Q overflow", "upq_ovflw"),
        ("\t%d datagram%s dropped due to upcall socket overflow", "upq_sockfull"),
        ("\t%d datagram%s cleaned up by the cache", "cache_cleanups"),
        ("\t%d datagram%s dropped selectively by ratelimiter", "drop_sel"),
        ("\t%d datagram%s dropped - bucket Q overflow", "q_overflow"),
        ("\t%d datagram%s dropped - larger than bkt size", "pkt2large"),
    ),
    "bpf": (
        ("\t%d total packets received", "recv"),
        ("\t%d total packets captured", "capt"),
        ("\t%d total packets dropped", "drop"),
    ),
}

# What of a udp datagram was not delivered.
_UDP_LOST: Final = ("hdrops", "badlen", "badsum", "noport", "noportbcast", "fullsock")


def stats(name: str, counters: Mapping[str, int], *, nonzero: bool = False) -> str:
    r"""Return the statistics of a protocol; with *nonzero*, no line of which all counters are 0.

    >>> stats("routing", {"dynamic": 1}, nonzero=True)
    'routing:\n\t1 dynamically created route\n'
    """
    if name == "udp":
        lost = sum(counters.get(key, 0) for key in _UDP_LOST)
        counters = dict(counters, delivered=counters.get("ipackets", 0) - lost)
    out = [f"{name}:\n"]
    for template, *keys in STATS[name]:
        if template == _HIST:
            out += _histogram(keys[0], keys[1], counters)
            continue
        values = [counters.get(key, 0) for key in keys]
        if nonzero and not any(values):
            if keys == ["fastforward"] and counters.get("forward", 0):
                out.append("\n")
            continue
        if template.endswith(_NO_NEWLINE):
            out.append(_fill(template.removesuffix(_NO_NEWLINE), values))
        else:
            out.append(_fill(template, values) + "\n")
    return "".join(out)


def _histogram(title: str, prefix: str, counters: Mapping[str, int]) -> Iterator[str]:
    rows = [
        f"\t\t{name}: {counters[key]}\n"
        for number, name in enumerate(ICMP_NAMES)
        if counters.get(key := f"{prefix}.{number}", 0)
    ]
    if rows:
        yield f"\t{title}\n"
        yield from rows


def _fill(template: str, values: Sequence[int]) -> str:
    rest = iter(values)
    value = 0
    out = []
    head, *pieces = template.split("%")
    out.append(head)
    for piece in pieces:
        match piece[0]:
            case "d":
                value = next(rest)
                out.append(str(value))
            case "s":
                out.append("" if value == 1 else "s")
            case "e":
                out.append("" if value == 1 else "es")
            case _:
                out.append("y" if value == 1 else "ies")
        out.append(piece[1:])
    return "".join(out)


# -- sockets

TCP_STATES: Final = (
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RCVD",
    "ESTABLISHED",
    "CLOSE_WAIT",
    "FIN_WAIT_1",
    "CLOSING",
    "LAST_ACK",
    "FIN_WAIT_2",
    "TIME_WAIT",
)
TCP_STATES_COMPACT: Final = (
    "CLOSED",
    "LISTEN",
    "SYNSEN",
    "SYSRCV",
    "ESTABL",
    "CLWAIT",
    "FWAIT1",
    "CLOSNG",
    "LASTAK",
    "FWAIT2",
    "TMWAIT",
)

UNIX_HEADER: Final = (
    "Active UNIX domain sockets\n"
    "Address  Type   Recv-Q Send-Q    Inode     Conn     Refs  Nextref Addr\n"
)


def unnamed(laddr: int) -> bool:
    """Tell whether a local address is a server's: its host part, by class, is zero."""
    return laddr & ~class_mask(laddr) == 0


class PcbTable:
    """Rows of Internet sockets.

    pcbs     show the address of the control block         servers  whether -a was given
    numeric  addresses are numbers, so there is room for more of them
    """

    def __init__(self, *, pcbs: bool = False, servers: bool = False, numeric: bool = False) -> None:
        self.pcbs, self.servers = pcbs, servers
        self.compact = pcbs and numeric
        self.width = 22 if not pcbs else 21 if numeric else 18
        self.name_width = 12 if pcbs and not numeric else 16

    def header(self) -> str:
        """Return the title and the column heads."""
        width = self.width
        title = "Active Internet connections" + (" (including servers)" if self.servers else "")
        head = "PCB      " if self.pcbs else ""
        gap = "" if self.compact else " "
        return (
            f"{title}\n{head}Proto Recv-Q Send-Q {gap}"
            f"{'Local Address':<{width}.{width}} {'Foreign Address':<{width}.{width}} State\n"
        )

    def row(
        self, proto: str, rcv: int, snd: int, local: str, foreign: str, state: int, pcb: int
    ) -> str:
        """Return one row; *local* and *foreign* as address() makes them."""
        width = self.width
        head = f"{pcb:8x} " if self.pcbs else ""
        gap = "" if self.compact else " "
        tail = ""
        if proto == "tcp":
            names = TCP_STATES_COMPACT if self.compact else TCP_STATES
            tail = f" {names[state] if 0 <= state < len(names) else state}"
        return (
            f"{head}{proto:<5.5} {rcv:6d} {snd:6d}{gap}"
            f" {local:<{width}.{width}} {foreign:<{width}.{width}}{tail}\n"
        )

    def address(self, host: str, port: str) -> str:
        """Return host and port joined by a dot."""
        return f"{host[: self.name_width]}.{port}"


# -- interfaces


class IfRow:
    """One interface as the table shows it.

    name    without the star        up     whether IFF_UP is set
    addrs   (network, address, multicast addresses) for each address, in order
    data    counters by struct if_data's names, and `odrops`         mtu  octets
    """

    __slots__ = ("addrs", "data", "mtu", "name", "up")

    def __init__(
        self,
        name: str,
        up: bool,
        mtu: int,
        addrs: list[tuple[str, str, list[str]]],
        data: Mapping[str, int],
    ) -> None:
        self.name, self.up, self.mtu, self.addrs, self.data = name, up, mtu, addrs, data


class IfTable:
    """The table of -i.

    octets  bytes, not packets     drops, timer  more columns     wide  nothing is cut
    """

    def __init__(
        self, *, octets: bool = False, drops: bool = False, timer: bool = False, wide: bool = False
    ) -> None:
        self.octets, self.drops, self.timer, self.wide = octets, drops, timer, wide

    def header(self) -> str:
        """Return the column heads."""
        head = f"{'Name':<5} {'Mtu':<5} {'Network':<13} {'Address':<17} "
        if self.octets:
            head += f"{'Ibytes':>10} {'Obytes':>10}"
        else:
            head += f"{'Ipkts':>8} {'Ierrs':>5} {'Opkts':>8} {'Oerrs':>5} {'Colls':>5}"
        return head + (" Time" if self.timer else "") + (" Drops" if self.drops else "") + "\n"

    def rows(self, row: IfRow) -> str:
        """Return the rows of one interface, one for each address."""
        name = self._cut(row.name + ("" if row.up else "*"), 5)
        tail = self._counters(row.data) + "\n"
        out = []
        for network, address, multi in row.addrs or [("none", "none", [])]:
            out.append(f"{name} {row.mtu:<5d} {self._cut(network, 13)} {self._cut(address, 17)} ")
            out += (f"\n{'':25} {self._cut(group, 17)} " for group in multi)
            out.append(tail)
        return "".join(out)

    def _cut(self, text: str, width: int) -> str:
        return f"{text:<{width}}" if self.wide else f"{text:<{width}.{width}}"

    def _counters(self, data: Mapping[str, int]) -> str:
        if self.octets:
            text = f"{data['ibytes']:10d} {data['obytes']:10d}"
        else:
            text = (
                f"{data['ipackets']:8d} {data['ierrors']:5d} "
                f"{data['opackets']:8d} {data['oerrors']:5d} {data['collisions']:5d}"
            )
        # No driver here has a watchdog, so the time left to one is always 0.
        return (
            text
            + (f" {0:4d}" if self.timer else "")
            + (f" {data.get('odrops', 0):5d}" if self.drops else "")
        )


COUNTED: Final = (
    "ipackets",
    "ierrors",
    "opackets",
    "oerrors",
    "collisions",
    "ibytes",
    "obytes",
    "odrops",
)
BANNER_LINES: Final = 21  # lines between two banners


class Sideways:
    """The running display of -w: what passed since the line before, of one interface and of all.

    The line after a banner counts from when the stack was started.
    """

    def __init__(self, name: str, *, octets: bool = False, drops: bool = False) -> None:
        self.name, self.octets, self.drops = name, octets, drops
        self._last: dict[str, dict[str, int]] = {}
        self._lines = BANNER_LINES

    def banner(self) -> str:
        """Return the two lines of heads."""
        names = (self.name, "total")
        if self.octets:
            top = [f"{name:>7.7} in {'':8} {name:>6.6} out {'':5}" for name in names]
            below = f"{'bytes':>10} {'':8} {'bytes':>10} {'':5}"
        else:
            top = [f"{name:>5.5} in {'':5}{name:>5.5} out {'':5} {'':5}" for name in names]
            below = f"{'packets':>8} {'errs':>5} {'packets':>8} {'errs':>5} {'colls':>5}"
        gap = f" {'':5}" if self.drops else ""
        head = " drops" if self.drops else ""
        return f"{top[0]}{gap}  {top[1]}{gap}\n{below}{head}  {below}{head}\n"

    def sample(self, now: Mapping[str, Mapping[str, int]]) -> str:
        """Return the line for the counters *now* by interface, with a banner when it is time."""
        out = ""
        if self._lines >= BANNER_LINES:
            out = self.banner()
            self._lines, self._last = 0, {}
        self._lines += 1
        one: dict[str, int] = dict.fromkeys(COUNTED, 0)
        total = dict(one)
        for name, data in now.items():
            last = self._last.get(name)
            for key in COUNTED:
                value = data.get(key, 0) - (last[key] if last else 0)
                total[key] += value
                if name == self.name:
                    one[key] = value
        self._last = {name: {k: data.get(k, 0) for k in COUNTED} for name, data in now.items()}
        return f"{out}{self._half(one)}  {self._half(total)}\n"

    def _half(self, data: Mapping[str, int]) -> str:
        if self.octets:
            text = f"{data['ibytes']:10d} {'':8} {data['obytes']:10d} {'':5}"
        else:
            text = (
                f"{data['ipackets']:8d} {data['ierrors']:5d} "
                f"{data['opackets']:8d} {data['oerrors']:5d} {data['collisions']:5d}"
            )
        return text + (f" {data['odrops']:5d}" if self.drops else "")


# -- memory


def mroute(vifs: Sequence[MrtVif], mfcs: Sequence[MrtMfc]) -> str:
    """Return the tables of multicast routing (mroutepr)."""
    out = []
    if vifs:
        out.append(
            "\nVirtual Interface Table\n"
            " Vif  Thresh  Limit  Local-Address    Remote-Address   Pkt_in  Pkt_out\n"
        )
    for vif in vifs:
        remote = inet_ntoa(vif.rmt_addr) if vif.flags & VIFF_TUNNEL else ""
        out.append(
            f" {vif.vifi:3}     {vif.threshold:3}  {vif.rate_limit:5}"
            f"  {inet_ntoa(vif.lcl_addr):<15.15}  {remote:<15.15}  {vif.pkt_in:6}  {vif.pkt_out:7}\n"
        )
    if not vifs:
        out.append("\nVirtual Interface Table is empty\n")
    if mfcs:
        out.append(
            "\nMulticast Forwarding Cache\n"
            " Hash  Origin           Mcastgroup       Traffic  In-Vif  Out-Vifs/Forw-ttl\n"
        )
    for mfc in mfcs:
        outs = "".join(f" {vifi}/{ttl}" for vifi, ttl in enumerate(mfc.ttls) if ttl)
        out.append(
            f"  {mfc.hash:3}  {inet_ntoa(mfc.origin):<15.15}  {inet_ntoa(mfc.mcastgrp):<15.15}"
            f"  {pktscale(mfc.pkt_cnt):>7}     {mfc.parent:3} {outs}\n"
        )
    if mfcs:
        out.append(f"\nTotal no. of entries in cache: {len(mfcs)}\n")
    else:
        out.append("\nMulticast Forwarding Cache is empty\n")
    out.append("\n")
    return "".join(out)


def pktscale(count: int) -> str:
    """Return a count in a few columns.

    >>> pktscale(12), pktscale(5000), pktscale(3 << 20)
    ('12 ', '4k', '3m')
    """
    if count < 1024:
        return f"{count} "
    return f"{count >> 10}k" if count < 1 << 20 else f"{count >> 20}m"


_MBUF_KINDS: Final = (
    ("data", "data"),
    ("oobdata", "oob data"),
    ("control", "ancillary data"),
    ("header", "packet headers"),
    ("ftable", "fragment reassembly queue headers"),
    ("soname", "socket names and addresses"),
    ("soopts", "socket options"),
)


def mbufs(counters: Mapping[str, int]) -> str:
    """Return the text of -m from kern.mbuf.stats."""
    used = sum(counters.get(key, 0) for key, _ in _MBUF_KINDS)
    out = [f"{used} mbufs in use:\n"]
    for key, kind in _MBUF_KINDS:
        if counters.get(key, 0):
            out.append(f"\t{counters[key]} mbufs allocated to {kind}\n")
    clusters = counters.get("clusters", 0)
    msize, mclbytes = counters.get("msize", 256), counters.get("mclbytes", 2048)
    total = counters.get("mbufs_total", used) * msize
    total += counters.get("clusters_total", clusters) * mclbytes
    in_use = used * msize + clusters * mclbytes
    percent = in_use * 100 // total if total else 0
    out.append(f"{clusters}/{counters.get('clusters_total', clusters)} mapped pages in use\n")
    out.append(f"{total // 1024} Kbytes allocated to network ({percent}% in use)\n")
    out.append(f"{counters.get('drops', 0)} requests for memory denied\n")
    out.append(f"{counters.get('wait', 0)} requests for memory delayed\n")
    out.append(f"{counters.get('drain', 0)} calls to protocol drain routines\n")
    return "".join(out)


# -- packet filter descriptors

BPF_HEADER: Final = "Active BPF peers\nPID\tInt\tRecv     Drop     Capt     Flags  Bufsize  Comm\n"
_BPF_STATES: Final = {0: "I", 1: "W", 2: "T"}


def bpf_peer(peer: BpfPeer) -> str:
    """Return the row of one open bpf descriptor."""
    flags = _BPF_STATES.get(peer.state, "-")
    for on, letter in (
        (peer.promisc, "P"),
        (peer.immediate, "R"),
        (peer.seesent, "S"),
        (peer.hdrcmplt, "H"),
    ):
        flags += letter if on else "-"
    return (
        f"{peer.pid:<7d} {peer.ifname or '-':<7} {peer.rcount:<8d} {peer.dcount:<8d} "
        f"{peer.ccount:<8d} {flags}  {peer.bufsize:<8d} {peer.comm or '-'}\n"
    )


# -- one TCP control block

_TIMERS: Final = ("REXMT", "PERSIST", "KEEP", "2MSL")
_TCPCB: Final = (
    "rxtshift {rxtshift}, rxtcur {rxtcur}, dupacks {dupacks}\n"
    "peermss {peermss}, ourmss {ourmss}, segsz {segsz}\n"
    "\n"
    "snd_una {snd_una}, snd_nxt {snd_nxt}, snd_up {snd_up}\n"
    "snd_wl1 {snd_wl1}, snd_wl2 {snd_wl2}, iss {iss}, snd_wnd {snd_wnd}\n"
    "\n"
    "rcv_wnd {rcv_wnd}, rcv_nxt {rcv_nxt}, rcv_up {rcv_up}, irs {irs}\n"
    "\n"
    "rcv_adv {rcv_adv}, snd_max {snd_max}, snd_cwnd {snd_cwnd}, snd_ssthresh {snd_ssthresh}\n"
    "rcvtime {rcvtime}, rtttime {rtttime}, rtseq {rtseq}, srtt {srtt}, rttvar {rttvar}, "
    "rttmin {rttmin}, max_sndwnd {max_sndwnd}\n"
    "\n"
    "oobflags {oobflags}, iobc {iobc}, softerror {softerror}\n"
    "\n"
    "snd_scale {snd_scale}, rcv_scale {rcv_scale}, req_r_scale {request_r_scale}, "
    "req_s_scale {requested_s_scale}\n"
    "ts_recent {ts_recent}, ts_regent_age {ts_recent_age}, last_ack_sent {last_ack_sent}\n"
)


class _Zeros(dict[str, int]):
    def __missing__(self, key: str) -> int:
        return 0


def tcpcb(addr: int, fields: Mapping[str, int]) -> str:
    """Return the text of -P: struct tcpcb's fields, timers as "timer.REXMT" in ticks."""
    timers = "".join(f"\t{name}: {fields.get(f'timer.{name}', 0)}" for name in _TIMERS)
    state = fields.get("state", 0)
    word = TCP_STATES[state] if 0 <= state < len(TCP_STATES) else str(state)
    return (
        f"TCP Protocol Control Block at 0x{addr:08x}:\n\nTimers:\n{timers}\n\n"
        f"State: {word}, flags 0x{fields.get('flags', 0):x}, inpcb 0x{fields.get('inpcb', 0):x}, "
        f"in6pcb 0x{fields.get('in6pcb', 0):x}\n\n" + _TCPCB.format_map(_Zeros(fields))
    )
