r"""Capture and inject packets, shaped like libpcap.

    with open_live(ctx, "wm0") as pcap:
        pcap.setfilter("icmp or arp")
        pcap.loop(10, lambda packet: ctx.stdout.write(f"{packet.length}\n"))

open_live() reads /dev/bpf of the box's stack, open_offline() a capture file, open_dead() nothing: it
compiles filters. A Packet has sec, nsec, length and data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

from libnet.addr import AF_INET, SockaddrIn
from libnet.conf.pcapfilter import NETMASK_UNKNOWN, FilterError, Program
from libnet.conf.pcapfilter import compile as compile_filter
from libnet.errors import NetError
from libnet.ioctl import bpf as b
from libnet.ioctl.dlt import dlt_description, dlt_name
from libnet.ioctl.sockio import SIOCGIFADDR, SIOCGIFNETMASK, IfReq
from libnet.wire.savefile import MAX_SNAPLEN, Packet, Reader, SavefileError, Writer, open_savefile

if TYPE_CHECKING:
    from libnet.bpf.machine import Filter
    from libnet.conf.pcapfilter import Names
    from libnet.libsocket.ctx import Ctx
    from libnet.libsocket.sock import Descriptor

BUFSIZE: Final = 32768
TIMEOUT_MS: Final = 1000
SOCK_DGRAM: Final = 2
Handler = Callable[[Packet], object]

__all__ = [
    "MAX_SNAPLEN",
    "FilterError",
    "Packet",
    "Pcap",
    "PcapError",
    "Stats",
    "Writer",
    "findalldevs",
    "lookupnet",
    "open_dead",
    "open_live",
    "open_offline",
]


class PcapError(Exception):
    """What went wrong, as it is to be printed.

    detail  what the system said of it, or ""
    """

    def __init__(self, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.detail = detail


class Stats(NamedTuple):
    """Packets since the filter was set: seen by it, lost for want of room, lost by the interface."""

    recv: int
    drop: int
    ifdrop: int


class Pcap:
    """What every kind of capture does.

    snapshot  octets kept of a packet           names   tables that names in filters are looked up in
    netmask   of the network captured on, host integer; for `ip broadcast`
    """

    def __init__(self, dlt: int, snapshot: int, names: Names | None = None) -> None:
        self._dlt = dlt
        self.snapshot = snapshot
        self.names = names
        self.netmask = NETMASK_UNKNOWN
        self._break = False
        self._closed = False

    # -- what it is

    def datalink(self) -> int:
        """Return the link type (pcap_datalink)."""
        return self._dlt

    def list_datalinks(self) -> list[int]:
        """Return the link types to choose from."""
        return [self._dlt]

    def set_datalink(self, dlt: int) -> None:
        """Choose a link type. Raises PcapError when it is not among them."""
        if dlt not in self.list_datalinks():
            raise PcapError(f"{dlt_name(dlt)} is not one of the DLTs supported by this device")

    def describe(self) -> str:
        """Return the link type as capture tools print it: "EN10MB (Ethernet)"."""
        return f"{dlt_name(self._dlt)} ({dlt_description(self._dlt)})"

    # -- filters

    def compile(self, text: str, *, optimize: bool = True, netmask: int | None = None) -> Program:
        """Compile an expression for these packets. Raises FilterError."""
        return compile_filter(
            text,
            self._dlt,
            self.snapshot,
            optimize=optimize,
            netmask=self.netmask if netmask is None else netmask,
            names=self.names,
            savefile=self._savefile(),
        )

    def _savefile(self) -> bool:
        return True

    def setfilter(self, program: Program | str) -> None:
        """Take only the packets that *program*, or an expression, accepts. Raises FilterError."""
        self._install(self.compile(program) if isinstance(program, str) else program)

    def _install(self, program: Program) -> None:
        raise PcapError("no packets come from here")

    # -- packets

    def _some(self, wait: bool) -> Sequence[Packet] | None:
        """Return packets, none at a timeout, None at the end of the capture."""
        raise PcapError("no packets come from here")

    def next(self) -> Packet | None:
        """Return the next packet; None at a timeout or at the end (pcap_next)."""
        got: list[Packet] = []
        self.dispatch(1, got.append)
        return got[0] if got else None

    def dispatch(self, count: int, handler: Handler, *, wait: bool = True) -> int:
        """Hand on what one read gives, at most *count* packets (-1: all); return how many.

        wait  for packets until the read timeout; without it only what is there is taken

        Raises PcapError.
        """
        raise PcapError("no packets come from here")

    def loop(self, count: int, handler: Handler) -> int:
        """Hand on packets until *count* of them (-1: for ever), the end, or breakloop().

        Return how many were handed on. Raises PcapError.
        """
        raise PcapError("no packets come from here")

    def breakloop(self) -> None:
        """Let loop() or dispatch() return after the packet at hand."""
        self._break = True

    def __iter__(self) -> Iterator[Packet]:
        """Yield packets until the end of the capture."""
        raise PcapError("no packets come from here")

    def inject(self, data: bytes) -> int:
        """Send a packet, link header and all; return its length. Raises PcapError."""
        raise PcapError("Sending packets isn't supported on savefiles")

    def stats(self) -> Stats:
        """Return the counters. Raises PcapError."""
        raise PcapError("Statistics aren't available from savefiles")

    def fileno(self) -> int:
        """Return a host descriptor to poll, -1 when there is none."""
        return -1

    def close(self) -> None:
        """Close."""
        self._closed = True

    def __enter__(self) -> Pcap:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


class Live(Pcap):
    """A capture from an interface of the stack.

    descriptor  the open /dev/bpf, for Ctx.wait()
    """

    def __init__(
        self,
        ctx: Ctx,
        device: str,
        snaplen: int,
        *,
        promisc: bool,
        timeout_ms: int,
        immediate: bool,
        bufsize: int,
        dlt: int | None,
    ) -> None:
        super().__init__(b.DLT_EN10MB, snaplen, PcapNames(ctx))
        self._ctx, self.device = ctx, device
        self._timeout_s = timeout_ms / 1000 if timeout_ms > 0 else None
        try:
            self.descriptor: Descriptor = ctx.open("/dev/bpf")
        except NetError as exc:
            raise PcapError(f"/dev/bpf: {exc.strerror}") from None
        try:
            self._setup(promisc=promisc, immediate=immediate, bufsize=bufsize, dlt=dlt)
        except BaseException:
            self.descriptor.close()
            raise
        self._pending: list[Packet] = []
        self._at = 0

    def _setup(self, *, promisc: bool, immediate: bool, bufsize: int, dlt: int | None) -> None:
        desc = self.descriptor
        self._ask(b.BIOCVERSION)
        self._ask(b.BIOCSBLEN, bufsize)
        try:
            desc.ioctl(b.BIOCSETIF, IfReq(self.device))
        except NetError as exc:
            if exc.symbol == "ENXIO":
                text = "No such device exists"
                raise PcapError(f"{self.device}: {text}", text) from None
            raise PcapError(f"BIOCSETIF: {self.device}: {exc.strerror}") from None
        self._dlt = self._ask(b.BIOCGDLT)
        count = self._ask(b.BIOCGDLTLIST, b.BpfDltList()).len
        self._dlts: list[int] = self._ask(b.BIOCGDLTLIST, b.BpfDltList(count, [])).dlts
        if dlt is not None:
            self.set_datalink(dlt)
        if self._timeout_s is not None:
            sec, usec = divmod(round(self._timeout_s * 1_000_000), 1_000_000)
            self._ask(b.BIOCSRTIMEOUT, b.BpfTimeval(sec, usec))
        if immediate:
            self._ask(b.BIOCIMMEDIATE, 1)
        if promisc:
            self._ask(b.BIOCPROMISC)
        self._size: int = self._ask(b.BIOCGBLEN)
        # Until a filter is set, one that takes everything cuts packets to the snapshot length.
        self._install(compile_filter("", self._dlt, self.snapshot))

    def _ask(self, row: Any, arg: Any = None) -> Any:
        try:
            return self.descriptor.ioctl(row, arg)
        except NetError as exc:
            raise PcapError(f"{row.name}: {exc.strerror}") from None

    def list_datalinks(self) -> list[int]:
        """Return the link types to choose from."""
        return list(self._dlts)

    def set_datalink(self, dlt: int) -> None:
        """Choose a link type. Raises PcapError when the interface has no such."""
        super().set_datalink(dlt)
        if dlt != self._dlt:
            self._ask(b.BIOCSDLT, dlt)
            self._dlt = dlt

    def _savefile(self) -> bool:
        return False

    def setdirection(self, *, sent: bool) -> None:
        """Choose whether packets that the box sends are captured too (they are)."""
        self._ask(b.BIOCSSEESENT, int(sent))

    def _install(self, program: Program) -> None:
        from libnet.bpf.machine import goes_back, translate

        self._own: Filter | None = None
        if goes_back(program.insns) or len(program) > b.BPF_MAXINSNS:
            # What the engine does not run is run here.
            self._own = translate(program)
            program = compile_filter("", self._dlt, self.snapshot)
        self._ask(b.BIOCSETF, b.BpfProgram(program.pack()))
        self._pending, self._at = [], 0

    # -- packets

    def _more(self, wait: bool) -> bool:
        """Read a buffer; tell whether there was one."""
        if self._pending:
            self._pending, self._at = [], 0
        try:
            octets = self.descriptor.read(self._size)
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "EINTR"):
                text = "The interface disappeared" if exc.symbol == "ENXIO" else exc.strerror
                raise PcapError(f"read: {text}") from None
            if not wait or not self._ctx.wait([self.descriptor], self._timeout_s):
                return False
            return self._more(False)
        self._pending = list(parse(octets))
        if self._own is not None:
            self._pending = [p for p in self._pending if self._own(p.data, p.length)]
        return True

    def dispatch(self, count: int, handler: Handler, *, wait: bool = True) -> int:
        """Hand on what one read gives, at most *count* packets (-1: all); return how many.

        Raises PcapError.
        """
        self._break = False
        if self._at >= len(self._pending) and not self._more(wait):
            return 0
        done = 0
        while self._at < len(self._pending) and done != count and not self._break:
            packet = self._pending[self._at]
            self._at += 1
            done += 1
            handler(packet)
        return done

    def loop(self, count: int, handler: Handler) -> int:
        """Hand on packets until *count* of them (-1: for ever) or breakloop(). Raises PcapError."""
        done = 0
        while done != count:
            done += self.dispatch(count - done if count > 0 else -1, handler)
            if self._break:
                break
        return done

    def __iter__(self) -> Iterator[Packet]:
        """Yield packets for ever. Raises PcapError."""
        while True:
            packet = self.next()
            if packet is not None:
                yield packet

    def inject(self, data: bytes) -> int:
        """Send a packet, link header and all; return its length. Raises PcapError."""
        try:
            return self.descriptor.write(data)
        except NetError as exc:
            raise PcapError(f"send: {exc.strerror}") from None

    def stats(self) -> Stats:
        """Return the counters of the descriptor. Raises PcapError."""
        got: b.BpfStat = self._ask(b.BIOCGSTATS)
        return Stats(got.recv, got.drop, 0)

    def fileno(self) -> int:
        """Return a host descriptor to poll, or -1 in the simulator."""
        return self.descriptor.fileno()

    def close(self) -> None:
        """Close."""
        if not self._closed:
            super().close()
            self.descriptor.close()


class Offline(Pcap):
    """A capture file."""

    def __init__(self, file: BinaryIO, names: Names | None) -> None:
        try:
            self._reader: Reader = open_savefile(file)
        except SavefileError as exc:
            raise PcapError(str(exc)) from None
        super().__init__(self._reader.dlt, self._reader.snaplen, names)
        self._file = file
        self.nano = self._reader.nano
        self.swapped = self._reader.swapped
        self._packets = iter(self._reader)
        self._filter: Filter | None = None

    def _install(self, program: Program) -> None:
        from libnet.bpf.machine import translate

        self._filter = translate(program)

    def dispatch(self, count: int, handler: Handler, *, wait: bool = True) -> int:
        """Hand on packets, at most *count* (-1: all); return how many, 0 at the end."""
        return self.loop(count, handler)

    def loop(self, count: int, handler: Handler) -> int:
        """Hand on packets until *count* of them (-1: all), the end, or breakloop().

        Raises PcapError where the file goes wrong, after the packets before.
        """
        self._break = False
        done = 0
        accepts = self._filter
        try:
            while done != count:
                packet = next(self._packets, None)
                if packet is None:
                    break
                if accepts is not None and not accepts(packet.data, packet.length):
                    continue
                done += 1
                handler(packet)
                if self._break:
                    break
        except SavefileError as exc:
            raise PcapError(str(exc)) from None
        return done

    def __iter__(self) -> Iterator[Packet]:
        """Yield the packets that the filter takes. Raises PcapError where the file goes wrong."""
        while True:
            packet = self.next()
            if packet is None:
                return
            yield packet

    def close(self) -> None:
        """Close the file."""
        super().close()
        self._file.close()


def open_live(
    ctx: Ctx,
    device: str,
    snaplen: int = MAX_SNAPLEN,
    *,
    promisc: bool = True,
    timeout_ms: int = TIMEOUT_MS,
    immediate: bool = False,
    bufsize: int = BUFSIZE,
    dlt: int | None = None,
) -> Live:
    """Capture on an interface of the box's stack (pcap_open_live).

    snaplen     octets kept of a packet           promisc  receive what is for others too
    timeout_ms  how long the stack may gather packets before the reader gets them; 0: buffers full only
    immediate   get each packet at once           bufsize  octets of the stack's two buffers
    dlt         link type to choose

    Raises PcapError.
    """
    return Live(
        ctx,
        device,
        snaplen if 0 < snaplen <= MAX_SNAPLEN else MAX_SNAPLEN,
        promisc=promisc,
        timeout_ms=timeout_ms,
        immediate=immediate,
        bufsize=bufsize,
        dlt=dlt,
    )


def open_offline(file: BinaryIO | str, ctx: Ctx | None = None) -> Offline:
    """Read a capture file, pcap or pcapng: an open one, or one by its name (pcap_open_offline).

    ctx  whose names filters may use, and in whose box the name lies

    Raises PcapError.
    """
    if isinstance(file, str):
        return _open_named(file, ctx)
    return Offline(file, PcapNames(ctx) if ctx is not None else None)


def _open_named(name: str, ctx: Ctx | None) -> Offline:
    try:
        file: BinaryIO = open(name if ctx is None else ctx.operand(name), "rb")  # noqa: SIM115 - kept
    except OSError as exc:
        raise PcapError(f"{name}: {exc.strerror}") from None
    try:
        return open_offline(file, ctx)
    except BaseException:
        file.close()
        raise


def open_dead(dlt: int, snaplen: int = MAX_SNAPLEN, ctx: Ctx | None = None) -> Pcap:
    """Return what only compiles filters (pcap_open_dead)."""
    return Pcap(dlt, snaplen, PcapNames(ctx) if ctx is not None else None)


def parse(octets: bytes) -> Iterator[Packet]:
    """Yield the packets of a buffer that /dev/bpf gave."""
    at, end = 0, len(octets)
    unpack = b.BPF_HDR.unpack_from
    while at + b.BPF_HDR_LEN <= end:
        sec, usec, caplen, length, hdrlen = unpack(octets, at)
        at += hdrlen
        yield Packet(sec, usec * 1000, length, octets[at : at + caplen])
        at = b.bpf_wordalign(at + caplen)


def findalldevs(ctx: Ctx) -> list[tuple[str, int]]:
    """Return name and IFF_* flags of each interface that can be captured on, in order of index.

    Raises PcapError when no stack runs.
    """
    from libnet.ioctl.sockio import SIOCGIFCONF, SIOCGIFFLAGS, IfConf

    found: dict[str, int] = {}
    try:
        with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            conf: IfConf = sock.ioctl(SIOCGIFCONF, IfConf())
            for req in conf.req:
                if req.name not in found:
                    found[req.name] = sock.ioctl(SIOCGIFFLAGS, IfReq(req.name)).value
    except NetError as exc:
        raise PcapError(f"socket: {exc.strerror}") from None
    return list(found.items())


def lookupnet(ctx: Ctx, device: str) -> tuple[int, int]:
    """Return network and mask of an interface, host integers. Raises PcapError when it has none."""
    try:
        with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            addr = sock.ioctl(SIOCGIFADDR, IfReq(device)).addr
            mask = sock.ioctl(SIOCGIFNETMASK, IfReq(device)).addr
    except NetError as exc:
        if exc.symbol == "EADDRNOTAVAIL":
            raise PcapError(f"{device}: no IPv4 address assigned") from None
        raise PcapError(f"SIOCGIFADDR: {device}: {exc.strerror}") from None
    assert isinstance(addr, SockaddrIn)
    assert isinstance(mask, SockaddrIn)
    return addr.addr & mask.addr, mask.addr


class PcapNames:
    """Names of the box for filters: its hosts, networks, services, protocols and ethers files."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self._tables: dict[str, Any] = {}

    def _table(self, path: str, parse: Callable[[str], Any]) -> Any:
        table = self._tables.get(path)
        if table is None:
            try:
                with open(self._ctx.file(path), encoding="utf-8", errors="replace") as file:
                    text = file.read(_MAX_TEXT)
            except OSError:
                text = ""
            table = self._tables[path] = parse(text)
        return table

    def hosts(self, name: str) -> Sequence[int | bytes]:
        """Return the addresses of a host: those of the lines of hosts(5) that have the name."""
        from libnet.addr import inet_pton
        from libnet.conf.hosts import parse_hosts
        from libnet.conf.pcapfilter.lexer import ipv6_octets

        wanted = name.lower()
        found: list[int | bytes] = []
        for address, names in self._table("/etc/hosts", parse_hosts).lines:
            if wanted not in [one.lower() for one in names]:
                continue
            try:
                found.append(inet_pton(address))
            except ValueError:
                octets = ipv6_octets(address)
                if octets is not None:
                    found.append(octets)
        return found

    def network(self, name: str) -> int | None:
        """Return a network number, unshifted."""
        from libnet.conf.hosts import parse_networks

        number: int | None = self._table("/etc/networks", parse_networks).by_name.get(name)
        return number

    def port(self, name: str) -> tuple[int | None, int | None]:
        """Return the (TCP, UDP) ports of a service."""
        from libnet.conf.hosts import parse_services

        ports = self._table("/etc/services", parse_services).by_name
        return ports.get((name, "tcp")), ports.get((name, "udp"))

    def protocol(self, name: str) -> int | None:
        """Return the number of an IP protocol."""
        from libnet.conf.hosts import parse_protocols

        number: int | None = self._table("/etc/protocols", parse_protocols).by_name.get(name)
        return number

    def ether(self, name: str) -> bytes | None:
        """Return the Ethernet address of a host (ethers(5))."""
        octets: bytes | None = self._table("/etc/ethers", _parse_ethers).get(name)
        return octets


_MAX_TEXT: Final = 1 << 20


def _parse_ethers(text: str) -> dict[str, bytes]:
    """Read ethers(5): an address and a name a line; lines that make no sense are passed over."""
    from libnet.addr import ether_aton

    found: dict[str, bytes] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) < 2:
            continue
        try:
            found.setdefault(words[1], ether_aton(words[0]))
        except ValueError:
            continue
    return found
