"""What route does with the stack: write messages, read answers and dumps, print."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from cmds._bsd import err_of
from cmds._names import Names
from cmds.route.addrs import FAMILIES, Request, UsageError
from cmds.route.messages import MessageText, sodump
from libnet.addr import AF_LINK, AF_ROUTE, Sockaddr
from libnet.errors import NetError, strerror
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_RAW, Socket
from libnet.text.routes import RouteText, family_of, routes_text
from libnet.wire.rtsock import (
    NET_RT_DUMP,
    NET_RT_IFLIST,
    RTA_BRD,
    RTA_DST,
    RTA_GATEWAY,
    RTA_IFA,
    RTA_IFP,
    RTA_NETMASK,
    RTF_CLONED,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_LLINFO,
    RTF_STATIC,
    RTM_DELETE,
    RTM_GET,
    AnyMsg,
    BadRtMessage,
    RtMsg,
    unpack,
    unpack_all,
)

ANSWER_S: Final = 10.0  # how long the answer to a GET that was taken may be on its way
_QUIET_ADDRS: Final = RTA_DST | RTA_GATEWAY | RTA_NETMASK | RTA_IFP | RTA_IFA | RTA_BRD


class Options:
    """The option letters: d n q S s t v."""

    __slots__ = ("debugonly", "null", "numeric", "quiet", "short", "spaced", "verbose")

    def __init__(
        self,
        *,
        debugonly: bool = False,
        null: bool = False,
        numeric: bool = False,
        quiet: bool = False,
        short: bool = False,
        spaced: bool = False,
        verbose: bool = False,
    ) -> None:
        self.debugonly, self.null, self.numeric, self.quiet = debugonly, null, numeric, quiet
        self.short, self.spaced, self.verbose = short, spaced, verbose


def route_strerror(symbol: str) -> str:
    """Return the text route has for an error of the routing socket.

    >>> route_strerror("ESRCH"), route_strerror("EEXIST")
    ('not in table', 'File exists')
    """
    known = {
        "ESRCH": "not in table",
        "EBUSY": "entry in use",
        "ENOBUFS": "routing table overflow",
    }
    return known.get(symbol) or strerror(symbol)


def ctime(wall: float) -> str:
    """Return seconds since 1970 as ctime(3) writes them, without the newline."""
    from time import localtime, strftime

    return strftime("%a %b %e %H:%M:%S %Y", localtime(wall))


class Session:
    """One run: the routing socket (with -t none, what is written is thrown away) and the output."""

    def __init__(self, ctx: Ctx, options: Options) -> None:
        """Open the socket. Raises NetError."""
        self.ctx = ctx
        self.options = options
        self.names = Names(ctx)
        self._err = err_of(ctx)
        self._seq = 0
        self._sock: Socket | None = None
        hosts = None if options.numeric else self.names.gethostbyaddr
        nets = None if options.numeric else self.names.getnetbyaddr
        self.text = MessageText(hosts)
        self.table = RouteText(nflag=options.numeric, hosts=hosts, nets=nets)
        if not options.null:
            self._sock = ctx.socket(AF_ROUTE, SOCK_RAW, 0)

    def close(self) -> None:
        """Close the socket."""
        if self._sock is not None:
            self._sock.close()

    def warnx(self, text: str) -> None:
        """Print a warning."""
        self._err.warnx(text)

    def _print(self, text: str) -> None:
        self.ctx.stdout.write(text)

    # -- the socket

    def _write(self, octets: bytes) -> str:
        """Write a message; return the symbol of the error, after a warning, or ""."""
        if self._sock is None:
            return ""
        try:
            self._sock.send(octets)
        except NetError as exc:
            self.warnx(f"writing to routing socket: {route_strerror(exc.symbol)}")
            return exc.symbol
        return ""

    def _deaf(self) -> None:
        """Do without copies of what is written."""
        if self._sock is not None:
            self._sock.shutdown(0)

    def _read_failed(self, symbol: str) -> NoReturn:
        self._err.err(symbol, "read from routing socket")

    def _read(self, timeout: float | None) -> AnyMsg | None:
        """Return the next message; None for one that makes no sense. Ends the program on errors."""
        if self._sock is None:
            self._read_failed("EBADF")  # /dev/null was opened to write
        deadline = None if timeout is None else self.ctx.now() + timeout
        while True:
            try:
                octets, _from = self._sock.recvfrom()
                break
            except NetError as exc:
                if exc.symbol != "EAGAIN":
                    self._read_failed(exc.symbol)
            left = None if deadline is None else deadline - self.ctx.now()
            if left is not None and left <= 0:
                self._read_failed("ETIMEDOUT")
            self.ctx.wait([self._sock], left)
        try:
            return unpack(octets)
        except BadRtMessage as exc:
            self.warnx(f"routing message not understood: {exc}")
            return None

    # -- add, change, delete, get

    def newroute(self, request: Request) -> int:
        """Do what *request* asks for; return the exit status."""
        get = request.command == "get"
        if not get:
            self._deaf()
        error, status = self._rtmsg(request)
        if get or self.options.quiet:
            return status
        kind = "host" if request.ishost else "net"
        line = f"{request.command} {kind} {request.dest}"
        if request.gateway:
            line += f": gateway {request.gateway}"
        if error:
            line += f": {route_strerror(error)}"
        self._print(line + "\n")
        return status

    def _rtmsg(self, request: Request) -> tuple[str, int]:
        """Write the message and, of a GET, print the answer; return (error symbol, status)."""
        self._seq += 1
        msg = request.msg(self._seq)
        octets = msg.build()
        if self.options.verbose and not self.options.short:
            self._verbose(request, octets)
        if self.options.debugonly:
            return "", 0
        get = request.command == "get"
        if get:
            self._drain()
        error = self._write(octets)
        if error:
            return error, 1
        return "", self._getmsg(request.addrs.dst, msg.seq) if get else 0

    def _verbose(self, request: Request, octets: bytes) -> None:
        addrs = request.addrs
        shown = (
            ("so_dst", addrs.dst),
            ("so_gate", addrs.gateway),
            ("so_mask", addrs.netmask),
            ("so_genmask", addrs.genmask),
            ("so_ifp", addrs.ifp),
            ("so_ifa", addrs.ifa),
        )
        dump = "".join(sodump(name, addr) for name, addr in shown if addr is not None)
        self._print((dump + "\n" if dump else "") + self.text.message(unpack(octets)))

    def _drain(self) -> None:
        """Forget what came since the socket was opened: the answer comes after the question."""
        while self._sock is not None:
            try:
                self._sock.recvfrom()
            except NetError:
                return

    def _getmsg(self, asked: Sockaddr | None, seq: int) -> int:
        """Print the answer to a GET; return the exit status."""
        while True:
            msg = self._read(ANSWER_S)
            if isinstance(msg, RtMsg) and msg.type == RTM_GET and msg.seq == seq:
                break
        if msg.errno:
            self.warnx(f"RTM_GET: errno {msg.errno}")
            return 1
        if self.options.short:
            if msg.flags & RTF_GATEWAY and msg.addrs.gateway is not None:
                self._print(self.text.name(msg.addrs.gateway) + "\n")
            return 0 if msg.addrs.gateway is not None else 1
        self._print(self.text.getmsg(asked, msg, self.ctx.wall()))
        bits = msg.addrs.bits()
        if self.options.verbose:
            self._print(self.text.common(msg))
        elif bits & ~_QUIET_ADDRS:
            from cmds.route.messages import ADDR_NAMES, bprintf

            self._print(f"sockaddrs: {bprintf(bits, ADDR_NAMES)}\n")
        return 0

    # -- dumps

    def _sysctl(self, op: int, what: str) -> list[AnyMsg]:
        """Return the messages of a dump, or end the program naming *what* failed."""
        mib = [4, AF_ROUTE, 0, 0, op, 0]
        try:
            with self.ctx.control() as control:
                return list(unpack_all(control.call("sysctl", mib, None)))
        except NetError as exc:
            self._err.err(exc, what)
        except BadRtMessage:
            self._err.err("EIO", what)

    def show(self, words: Sequence[str]) -> int:
        """Print the table; return the exit status."""
        family, flags, _name = show_options(words, nolink=True)
        messages = self._sysctl(NET_RT_DUMP, "route-sysctl-estimate")
        self._print("Routing tables\n" if not family else "Routing table\n")
        routes = [msg for msg in messages if isinstance(msg, RtMsg)]
        self._print(
            routes_text(routes, self.table, family=family, flags=flags, spaced=self.options.spaced)
        )
        return 0

    def flush(self, words: Sequence[str], *, doall: bool) -> int:
        """Delete all routes, without *doall* those of interfaces stay; return the exit status."""
        self._deaf()
        family, flags, name = show_options(words, nolink=False)
        messages = self._sysctl(NET_RT_DUMP, "route-sysctl-estimate")
        options = self.options
        if options.verbose:
            self._print("Examining routing table from sysctl\n")
            if family:
                self._print(f"(address family {name})\n")
        seq = 0
        for msg in messages:
            if not isinstance(msg, RtMsg):
                continue
            if options.verbose:
                self._print(self.text.message(msg))
            if msg.flags & flags != flags or (family and family_of(msg.addrs.dst) != family):
                continue
            if not doall and not msg.flags & (RTF_GATEWAY | RTF_STATIC | RTF_LLINFO):
                continue
            if options.debugonly:
                continue
            msg.type, msg.seq = RTM_DELETE, seq
            if not self._flush_one(msg):
                return 1
            seq += 1
        return 0

    def _flush_one(self, msg: RtMsg) -> bool:
        """Delete one route of the dump and say so; False ends the flush."""
        octets = msg.build()
        try:
            if self._sock is not None:
                self._sock.send(octets)
        except NetError as exc:
            if exc.symbol == "ESRCH" and msg.flags & RTF_CLONED:
                return True  # it went with the route that it was cloned from
            self.warnx(f"writing to routing socket: {route_strerror(exc.symbol)}")
            return False
        if self.options.quiet:
            return True
        if self.options.verbose:
            self._print(self.text.message(unpack(octets)))
            return True
        dst = self.table.destination_long(msg) if not msg.flags & RTF_HOST else ""
        dst = dst or self.text.name(msg.addrs.dst)
        gate = self.text.name(msg.addrs.gateway)
        self._print(f"{dst[:20]:<20} {gate[:20]:<20} done\n")
        return True

    # -- monitor

    def monitor(self) -> int:
        """Print messages as they come; with -d the interfaces, once. Returns only after -d."""
        if self.options.debugonly:
            for msg in self._sysctl(NET_RT_IFLIST, "route-sysctl-estimate"):
                self._print(self.text.message(msg))
            return 0
        while True:
            got = self._read(None)
            if got is not None:
                when = ctime(self.ctx.wall())
                self._print(f"got message of size {got.size} on {when}\n{self.text.message(got)}")
                self.ctx.stdout.flush()


def show_options(words: Sequence[str], *, nolink: bool) -> tuple[int, int, str]:
    """Return (address family, RTF_* bits, the family's word) of show's and flush's operands.

    They are read from the last to the first. Raises UsageError for any other word.

    >>> show_options(["-inet", "-host"], nolink=True)
    (2, 4, 'inet')
    """
    family, flags, name = 0, 0, "unspec"
    for word in reversed(words):
        key = word[1:] if word.startswith("-") else ""
        if key == "host":
            flags |= RTF_HOST
        elif key == "llinfo":
            flags |= RTF_LLINFO
        elif key in FAMILIES and key != "sa" and not (nolink and FAMILIES[key] == AF_LINK):
            family, name = FAMILIES[key], key
        else:
            raise UsageError(word)
    return family, flags, name
