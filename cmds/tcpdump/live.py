"""tcpdump on an interface: opening it, the loop until enough is captured or a signal, the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cmds.tcpdump.session import Fatal, Session, described, listed, plural
from libnet.addr import AF_INET
from libnet.ioctl.dlt import dlt_name
from libnet.ioctl.ifflags import IFF_LOOPBACK, IFF_RUNNING, IFF_UP
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.pcap import (
    BUFSIZE,
    MAX_SNAPLEN,
    SOCK_DGRAM,
    Packet,
    Pcap,
    PcapError,
    findalldevs,
    lookupnet,
    open_live,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from libnet.libsocket.pcap import Live

# How long packets may be gathered before they are shown: with a reader at the terminal, and without.
PATIENCE_MS: Final = 1000
HURRY_MS: Final = 100
TELL_S: Final = 1.0  # with -v and -w: how often the count is told
_UP_RUNNING: Final = IFF_UP | IFF_RUNNING
_MONITOR_DLTS: Final = (127, 105)


def interfaces(ctx: Ctx) -> list[tuple[str, int]]:
    """Return interfaces with their IFF_* flags, those that serve best first. Raises PcapError."""
    return sorted(
        findalldevs(ctx),
        key=lambda row: (row[1] & _UP_RUNNING != _UP_RUNNING, bool(row[1] & IFF_LOOPBACK)),
    )


def show_interfaces(ctx: Ctx) -> int:
    """Print the list of -D."""
    from libnet.errors import NetError
    from libnet.ioctl.sockio import SIOCGIFMEDIA, IfMediaReq

    found = interfaces(ctx)
    with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
        for number, (name, flags) in enumerate(found, 1):
            words = []
            if flags & IFF_UP:
                words.append("Up")
            if flags & IFF_RUNNING:
                words.append("Running")
            if flags & IFF_LOOPBACK:
                words.append("Loopback")
            else:
                try:
                    status = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name)).status
                except NetError:
                    words.append("Connection status unknown")
                else:
                    words.append(_connection(status))
            ctx.stdout.write(f"{number}.{name} [{', '.join(words)}]\n")
    return 0


def _connection(status: int) -> str:
    from libnet.ioctl.ifflags import IFM_ACTIVE, IFM_AVALID

    if not status & IFM_AVALID:
        return "Connection status unknown"
    return "Connected" if status & IFM_ACTIVE else "Disconnected"


class LiveCapture:
    """A capture from an interface until -c packets, SIGINT or SIGTERM."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ctx, self._given = session.ctx, session.given
        self._stop = False
        self._told = -1

    def run(self) -> int:
        """Do it; return the exit status. Raises Fatal, PcapError, FilterError."""
        device = self._given["interface"]
        if device is None:
            found = interfaces(self._ctx)
            if not found:
                raise Fatal("no interfaces available for capture")
            device = found[0][0]
        pcap, device = self._open(device)
        with pcap:
            return self._capture(pcap, device)

    def _open(self, device: str) -> tuple[Live, str]:
        """Open an interface by its name, or by its number in -D's list."""
        try:
            return self._open_name(device), device
        except PcapError:
            if not (device.isascii() and device.isdigit()):
                raise
        number = int(device)
        found = interfaces(self._ctx)
        if number == 0:
            raise Fatal(f"Invalid adapter index {device}")
        if number > len(found):
            raise Fatal(f"Invalid adapter index {device}: only {len(found)} interfaces found")
        name = found[number - 1][0]
        return self._open_name(name), name

    def _open_name(self, name: str) -> Live:
        given, session = self._given, self._session
        # Someone who looks at the lines wants each soon after it happened.
        shows = given["write_file"] is None or given["also_print"]
        hurry = shows and (given["line_buffered"] or _is_terminal(self._ctx))
        return open_live(
            self._ctx,
            name,
            session.snaplen or MAX_SNAPLEN,
            promisc=not given["no_promiscuous"],
            timeout_ms=HURRY_MS if hurry else PATIENCE_MS,
            immediate=given["immediate"],
            bufsize=session.bufsize or BUFSIZE,
        )

    def _capture(self, pcap: Live, device: str) -> int:
        session, given, stderr = self._session, self._given, self._ctx.stderr
        if given["list_stamp_types"]:
            stderr.write(f"Time stamp type cannot be set for {device}\n")
            return 0
        if given["list_dlts"]:
            return self._show_dlts(pcap, device)
        self._set_up(pcap, device)
        netmask = 0
        try:
            net, netmask = lookupnet(self._ctx, device)
            session.ndo().localnet, session.ndo().netmask = net, netmask
        except PcapError as exc:
            if given["foreign"]:
                session.warn(f"foreign (-f) flag used but: {exc}")
        program = session.compiled(pcap, netmask)
        if given["dump_code"]:
            self._ctx.stdout.write(program.dump(min(given["dump_code"], 3)))
            return 0
        session.drop_privileges()
        pcap.setfilter(program)
        handler = session.handler(pcap)
        head = f"{self._ctx.prog}: "
        if not given["verbose"] and given["write_file"] is None:
            stderr.write(
                f"{head}verbose output suppressed, use -v[v]... for full protocol decode\n"
            )
            head = ""
        stderr.write(
            f"{head}listening on {device}, link-type {described(pcap.datalink())}, "
            f"snapshot length {pcap.snapshot} bytes\n"
        )
        stderr.flush()
        return self._loop(pcap, handler)

    def _set_up(self, pcap: Live, device: str) -> None:
        """Choose link type, direction and kind of time stamps. Raises PcapError, Fatal."""
        session, given = self._session, self._given
        if session.dlt is not None:
            pcap.set_datalink(session.dlt)
            self._ctx.stderr.write(f"{self._ctx.prog}: data link type {dlt_name(session.dlt)}\n")
        elif given["monitor"]:
            raw = [dlt for dlt in _MONITOR_DLTS if dlt in pcap.list_datalinks()]
            if not raw:
                raise Fatal(f"{device}: That device doesn't support monitor mode")
            pcap.set_datalink(raw[0])
        direction = (given["direction"] or "inout").lower()
        if direction == "out":
            raise Fatal(
                f"{device}: pcap_setdirection() failed: "
                "Setting direction to PCAP_D_OUT is not supported on this device"
            )
        if direction == "in":
            pcap.setdirection(sent=False)
        if given["stamp_type"] not in (None, "host"):
            session.warn(
                f"When trying to set timestamp type '{given['stamp_type']}' on {device}: "
                "That type of time stamp is not supported by that device"
            )

    def _show_dlts(self, pcap: Pcap, device: str) -> int:
        self._ctx.stderr.write(f"Data link types for {device} (use option -y to set):\n")
        for dlt in pcap.list_datalinks():
            self._ctx.stderr.write(listed(dlt))
        return 0

    def _loop(self, pcap: Live, handler: Callable[[Packet], object]) -> int:
        from cmds.tcpdump.output import LimitReached

        session, ctx = self._session, self._ctx
        stdout = ctx.stdout
        status = 0
        counts = self._given["verbose"] and session.output is not None
        counts = counts and not self._given["also_print"]
        watch = ctx.host.watch_signals("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
        limit = session.limit
        tell_at = ctx.now() + TELL_S
        try:
            while not self._stop and (not limit or session.captured < limit):
                patience = max(0.0, tell_at - ctx.now()) if counts else None
                ready = ctx.wait([pcap.descriptor, watch], patience)
                if watch in ready:
                    self._signals(pcap, watch.take())
                if pcap.descriptor in ready:
                    self._take(pcap, handler)
                    stdout.flush()
                if counts and ctx.now() >= tell_at:
                    tell_at += TELL_S
                    self._tell_count()
        except LimitReached:
            stdout.flush()
            ctx.stderr.write(f"Maximum file limit reached: {session.file_count}\n")
        except PcapError as exc:
            stdout.flush()
            ctx.stderr.write(f"{ctx.prog}: pcap_loop: {exc}\n")
            status = 1
        finally:
            watch.close()
            session.close_output()
        if self._stop and session.output is None:
            stdout.write("\n")  # a line may have been in the making
        stdout.flush()
        self._info(pcap, brief=False)
        return status

    def _take(self, pcap: Live, handler: Callable[[Packet], object]) -> None:
        """Hand on a buffer of packets."""
        limit = self._session.limit
        pcap.dispatch(limit - self._session.captured if limit else -1, handler, wait=False)

    def _signals(self, pcap: Live, names: list[str]) -> None:
        for name in names:
            if name == "SIGUSR1":
                self._info(pcap, brief=True)
            elif name == "SIGUSR2":
                if self._session.output is not None:
                    self._session.output.flush()
            else:
                self._stop = True

    def _tell_count(self) -> None:
        captured = self._session.captured
        if captured != self._told:
            self._told = captured
            self._ctx.stderr.write(f"Got {captured}\r")
            self._ctx.stderr.flush()

    def _info(self, pcap: Live, *, brief: bool) -> None:
        """Print the counts: a line each, or all on one line."""
        stderr = self._ctx.stderr
        try:
            stats = pcap.stats()
        except PcapError as exc:
            stderr.write(f"pcap_stats: {exc}\n")
            return
        texts = [
            f"{plural(self._session.captured)} captured",
            f"{plural(stats.recv)} received by filter",
            f"{plural(stats.drop)} dropped by kernel",
        ]
        if stats.ifdrop:
            texts.append(f"{plural(stats.ifdrop)} dropped by interface")
        if brief:
            stderr.write(f"{self._ctx.prog}: {', '.join(texts)}\n")
        else:
            stderr.write("\n".join(texts) + "\n")
        stderr.flush()


def _is_terminal(ctx: Ctx) -> bool:
    try:
        return ctx.stdout.isatty()
    except ValueError:
        return False
