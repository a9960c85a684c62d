"""dhcrelay(8): pass DHCP requests on to servers elsewhere, and their replies back."""

from __future__ import annotations

import re
from functools import partial
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._daemon import background
from cmds._dhcpnet import links, udp_frame, udp_payload
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, SockaddrIn, ether_ntoa
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_UP
from libnet.libsocket.ctx import Ctx, SignalWatch
from libnet.libsocket.pcap import Live, Packet, PcapError, open_live
from libnet.libsocket.sock import SO_REUSEADDR, SOCK_DGRAM, SOL_SOCKET, Socket
from libnet.proto.dhcprelay import (
    APPEND,
    MAX_HOPS,
    MAX_LENGTH,
    MODES,
    Circuit,
    Relay,
    RelayConf,
    ToServer,
)
from libnet.text.err import Err
from libnet.wire.rtsock import BadRtMessage

USAGE: Final = (
    "Usage: dhcrelay [-p <port>] [-d] [-D] [-i interface] [-q] [-a]\n"
    "                [-c count] [-A length] [-m append|replace|forward|discard]\n"
    "                [server1 [... serverN]]\n"
)
DRAIN: Final = 64  # datagrams read between two looks around
SLOGC_TCPIP: Final = 14
WARNING, INFO = 3, 5  # severities of the system log


@command(usage=USAGE)
@option("-A", "length", default=str(MAX_LENGTH))
@flag("-a", "agent")
@option("-c", "count", default=str(MAX_HOPS))
@flag("-D", "drop")
@flag("-d", "foreground")
@option("-i", "interfaces", multiple=True)
@option("-m", "mode", default=APPEND)
@option("-p", "port", default="67")
@flag("-q", "quiet")
@operands
def run(
    ctx: Ctx,
    length: str,
    agent: bool,
    count: str,
    drop: bool,
    foreground: bool,
    interfaces: tuple[str, ...],
    mode: str,
    port: str,
    quiet: bool,
    operands: tuple[str, ...],
) -> int:
    """Open the interfaces and relay, in the background unless -d."""
    err = err_of(ctx)
    if not operands or mode not in MODES:
        return run.usage(ctx)
    conf = RelayConf([_server(ctx, err, name) for name in operands])
    conf.agent, conf.drop, conf.mode = agent, drop, mode
    conf.hops = _number(err, count, "hop count", 0, 255)
    conf.length = _number(err, length, "packet length", 64, 65507)
    number = _number(err, port, "UDP port", 1, 65534)
    if not ctx.root:
        err.err("EPERM", "socket")
    circuits = _circuits(ctx, err, interfaces)
    daemon = Daemon(ctx, Relay(conf, circuits), number, loud=foreground)
    try:
        daemon.open(circuits, quiet=quiet)
    except PcapError as exc:
        daemon.close()
        err.errx(str(exc))
    except NetError as exc:
        daemon.close()
        err.err(exc, "Can't bind to dhcp address")
    if foreground:
        return daemon.serve()
    return background(ctx, daemon.serve)


main = program("dhcrelay", run)


def _server(ctx: Ctx, err: Err, name: str) -> int:
    try:
        return Names(ctx).gethostbyname(name)
    except HostNotFound:
        err.errx(f"{name}: host unknown")


def _number(err: Err, text: str, what: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text) or not least <= int(text) <= most:
        err.errx(f"{text}: not a valid {what}")
    return int(text)


def _circuits(ctx: Ctx, err: Err, wanted: tuple[str, ...]) -> list[Circuit]:
    """Return the interfaces asked for, or all broadcast ones that have an address."""
    try:
        present = links(ctx)
    except NetError as exc:
        err.err(exc, "socket")
    except BadRtMessage:
        err.err("EINVAL", "sysctl")
    found = {
        link.name: Circuit(link.name, link.mac, link.addrs)
        for link in present
        if link.name in wanted or (not wanted and link.flags & IFF_UP and link.addrs)
    }
    for name in wanted:
        if name not in found:
            err.errx(f"{name}: not found")
        if not found[name].addrs:
            err.errx(f"{name}: no IPv4 address")
    if not found:
        err.errx("no interfaces to listen on")
    return list(found.values())


class Daemon:
    """The relay at work.

    Requests are captured, since a box with the address 0.0.0.0 on its other side has to be heard;
    replies come to sockets, one on each interface's address, which also give requests their source.
    """

    def __init__(self, ctx: Ctx, relay: Relay, port: int, *, loud: bool) -> None:
        self._ctx, self._relay, self._port, self._loud = ctx, relay, port, loud
        self._pcaps: dict[str, Live] = {}
        self._socks: dict[int, Socket] = {}

    def open(self, circuits: list[Circuit], *, quiet: bool) -> None:
        """Open capture and sockets. Raises PcapError, NetError."""
        for circuit in circuits:
            pcap = open_live(self._ctx, circuit.name, promisc=False, timeout_ms=0, immediate=True)
            self._pcaps[circuit.name] = pcap
            pcap.setdirection(sent=False)
            pcap.setfilter(f"udp dst port {self._port}")
            for addr in circuit.addrs:
                sock = self._socks[addr] = self._ctx.socket(AF_INET, SOCK_DGRAM)
                sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
                sock.bind(SockaddrIn(addr, self._port))
        if quiet:
            return
        for word in ("Listening on", "Sending on  "):
            for circuit in circuits:
                self.log(INFO, f"{word} BPF/{circuit.name}/{ether_ntoa(circuit.mac)}")
        self.log(INFO, "Sending on   Socket/fallback")

    def close(self) -> None:
        """Close whatever is open."""
        for pcap in self._pcaps.values():
            pcap.close()
        for sock in self._socks.values():
            sock.close()

    def log(self, severity: int, text: str) -> None:
        """Write to the system log of the box, and with -d to standard error."""
        slog = self._ctx.slog
        if slog is None:
            from libnet.loop.slog import SlogWriter

            slog = self._ctx.slog = SlogWriter(self._ctx.box.slog)
        slog.write(severity, SLOGC_TCPIP, 0, f"{self._ctx.prog}: {text}")
        if self._loud:
            self._ctx.stderr.write(text + "\n")
            self._ctx.stderr.flush()

    def serve(self) -> int:
        """Relay until told to end; return the exit status."""
        signals = self._ctx.host.watch_signals("SIGTERM", "SIGINT")
        try:
            return self._loop(signals)
        except PcapError as exc:
            # The interface has gone, or the stack.
            self.log(WARNING, str(exc))
            return 1
        finally:
            signals.close()
            self.close()

    def _loop(self, signals: SignalWatch) -> int:
        waiting: list[Any] = [pcap.descriptor for pcap in self._pcaps.values()]
        waiting += self._socks.values()
        waiting.append(signals)
        while True:
            ready = self._ctx.wait(waiting, None)
            if signals in ready and signals.take():
                return 0
            for name, pcap in self._pcaps.items():
                if pcap.descriptor in ready:
                    pcap.dispatch(-1, partial(self._frame, name=name), wait=False)
            for sock in self._socks.values():
                if sock in ready:
                    self._datagrams(sock)
            self._act()

    def _frame(self, packet: Packet, name: str) -> None:
        """Take a captured frame."""
        found = udp_payload(packet.data, self._port)
        # A reply comes to a socket as well, and is taken from there.
        if found is not None and found[1][:1] == b"\x01":
            self._relay.request_input(found[1], name)

    def _datagrams(self, sock: Socket) -> None:
        for _ in range(DRAIN):
            try:
                octets, _src = sock.recvfrom()
            except NetError as exc:
                if exc.symbol not in ("EAGAIN", "EINTR"):
                    raise PcapError(f"recvfrom: {exc.strerror}") from None
                return
            if octets[:1] == b"\x02":  # a request is captured as well, and taken from there
                self._relay.reply_input(octets)

    def _act(self) -> None:
        """Send what the relay has decided on."""
        output = self._relay.take_output()
        for text in self._relay.take_log():
            self.log(INFO, text)
        for item in output:
            try:
                if isinstance(item, ToServer):
                    self._socks[item.src].sendto(item.octets, SockaddrIn(item.dst, self._port))
                else:
                    port = self._port
                    frame = udp_frame(item.mac, item.src, port, item.dst, port + 1, item.octets)
                    self._pcaps[item.ifname].inject(frame)
            except NetError as exc:
                self.log(WARNING, f"sendto: {exc.strerror}")
            except (PcapError, ValueError) as exc:
                self.log(WARNING, str(exc))
            else:
                self.log(INFO, item.text)
