"""arp(8): show and change the table of link addresses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NoReturn

from cmds._bsd import command, err_of, flag, operands, program
from cmds._names import HostNotFound, Names
from libnet.addr import AF_INET, AF_ROUTE, SockaddrDl, SockaddrIn, inet_ntoa
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFT_ETHER, IFT_IEEE80211
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_RAW, Socket
from libnet.text.routes import link_text
from libnet.wire.rtsock import (
    NET_RT_FLAGS,
    NET_RT_IFLIST,
    RTF_ANNOUNCE,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_LLINFO,
    RTF_STATIC,
    RTM_ADD,
    RTM_DELETE,
    RTM_GET,
    RTV_EXPIRE,
    SIN_PROXY,
    AnyMsg,
    BadRtMessage,
    IfMsg,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrInarp,
    unpack,
    unpack_all,
)

USAGE: Final = """\
Usage: arp [-n] hostname
       arp [-nv] -a
       arp [-v] -d -a
       arp [-v] -d hostname [pro [iface_name]]
       arp -s hostname ether_addr [temp] [pub [pro [iface_name]]]
       arp -f filename
"""

TEMP_S: Final = 20 * 60  # how long an entry made with `temp` stays
ANSWER_S: Final = 10.0
MAX_FILE: Final = 1 << 20  # characters of a -f file
_WORDS: Final = 6  # of one line of it


class Give(Exception):
    """A message was printed; the rest of this entry is given up."""


def entry(argv: Sequence[str], ctx: Ctx) -> int:
    """Run, or step aside for the host's own arp."""
    from cmds._handover import handover, not_ours

    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


@command(usage=USAGE)
@flag("-a", "all_")
@flag("-n", "numeric")
@flag("-v", "verbose")
@flag("-d", "delete")
@flag("-s", "set_")
@flag("-f", "file")
@operands
def run(
    ctx: Ctx,
    all_: bool,
    numeric: bool,
    verbose: bool,
    delete: bool,
    set_: bool,
    file: bool,
    operands: tuple[str, ...],
) -> int:
    """Do one operation."""
    arp = Arp(ctx, numeric=numeric, verbose=verbose)
    count = len(operands)
    if delete + set_ + file > 1:
        return run.usage(ctx)
    if delete:
        if all_ and not count:
            return arp.delete_all()
        if all_ or not 1 <= count <= 3:
            return run.usage(ctx)
        return arp.delete(operands)
    if set_:
        if not 2 <= count <= _WORDS:
            return run.usage(ctx)
        return arp.set(operands)
    if file:
        if count != 1:
            return run.usage(ctx)
        return arp.file(operands[0])
    if all_:
        arp.dump(None)
        return 0
    if count != 1:
        return run.usage(ctx)
    return arp.get(operands[0])


main = program("arp", entry)


class Asked:
    """What the words after the address of -s (or the name of -d) ask for.

    Raises ValueError with the word that makes no sense.

    temp    the entry expires      pub    it is published       pro  it is for publishing only
    iface   the interface it is on, "" for what routing says
    trail   how often trailers were asked for
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.temp = self.pub = self.pro = False
        self.iface = ""
        self.trail = 0
        for word in words:
            if word.startswith("temp"):
                self.temp = True
            elif word.startswith("pub"):
                self.pub = True
            elif word.startswith("trail"):
                self.trail += 1
            elif word.startswith("pro") and not self.pro:
                self.pro = True
            elif self.pro and not self.iface:
                self.iface = word
            else:
                raise ValueError(word)


def atosdl(text: str) -> bytes | None:
    """Return the octets of "0:c:29:3a:41:b7"; None when the first is none.

    As the original, it stops at the first octet that makes no sense; at most 12 are read.

    >>> atosdl("0:c:29").hex(), atosdl("wm0")
    ('000c29', None)
    """
    out = bytearray()
    for part in text.split(":")[:12]:
        digits = part[2:] if part[:2] in ("0x", "0X") else part
        if not digits or len(digits) > 8 or any(c not in "0123456789abcdefABCDEF" for c in digits):
            break
        value = int(digits, 16)
        if value > 255:
            break
        out.append(value)
    return bytes(out) or None


def is_llinfo(msg: RtMsg) -> bool:
    """Tell whether a route is an entry of the table."""
    gate = msg.addrs.gateway
    return (
        isinstance(gate, SockaddrDl)
        and msg.flags & (RTF_LLINFO | RTF_GATEWAY) == RTF_LLINFO
        and gate.type in (IFT_ETHER, IFT_IEEE80211)
    )


def entry_line(msg: RtMsg, host: str, ifname: str) -> str:
    """Return the line of one entry.

    host  its name, "?" for none     ifname  "" when it is not known
    """
    dst, gate, mask = msg.addrs.dst, msg.addrs.gateway, msg.addrs.netmask
    assert isinstance(dst, SockaddrIn)
    lladdr = link_text(gate) if isinstance(gate, SockaddrDl) and gate.lladdr else "(incomplete)"
    line = f"{host} ({inet_ntoa(dst.addr)}) at {lladdr}"
    if ifname:
        line += f" on {ifname}"
    if not msg.rmx.expire:
        line += " permanent"
    if isinstance(dst, SockaddrInarp) and dst.other & SIN_PROXY:
        line += " published (proxy only)"
    if mask is not None:
        line += " published" if mask == 0xFFFFFFFF else "(weird)"
    return line


class Arp:
    """One run."""

    def __init__(self, ctx: Ctx, *, numeric: bool, verbose: bool) -> None:
        self.ctx = ctx
        self.names = Names(ctx)
        self._err = err_of(ctx)
        self._numeric, self._verbose = numeric, verbose
        self._sock: Socket | None = None
        self._seq = 0
        self._ifnames: dict[int, tuple[str, int]] | None = None

    # -- addresses and interfaces

    def _address(self, host: str) -> int:
        try:
            return self.names.gethostbyname(host)
        except HostNotFound:
            self._err.warnx(f"{host}: Unknown host")
            raise Give from None

    def _sysctl(self, mib: list[int], what: str) -> list[AnyMsg]:
        try:
            with self.ctx.control() as control:
                return list(unpack_all(control.call("sysctl", mib, None)))
        except NetError as exc:
            self._err.err(exc, what)
        except BadRtMessage:
            self._err.err("EIO", what)

    def _interfaces(self) -> dict[int, tuple[str, int]]:
        """Return (name, IFT_*) of each interface by index."""
        if self._ifnames is None:
            messages = self._sysctl([4, AF_ROUTE, 0, 0, NET_RT_IFLIST, 0], "getifaddrs")
            self._ifnames = {
                msg.index: (msg.addrs.ifp.name, msg.addrs.ifp.type)
                for msg in messages
                if isinstance(msg, IfMsg) and isinstance(msg.addrs.ifp, SockaddrDl)
            }
        return self._ifnames

    def _on(self, iface: str, host: str) -> SockaddrDl:
        """Return the link sockaddr of the interface called *iface*."""
        for index, (name, kind) in self._interfaces().items():
            if name == iface:
                return SockaddrDl(index, kind)
        self._err.warnx(f"cannot intuit interface index and type for {host}")
        raise Give

    # -- looking

    def _entries(self) -> list[RtMsg]:
        mib = [4, AF_ROUTE, 0, AF_INET, NET_RT_FLAGS, RTF_LLINFO]
        messages = self._sysctl(mib, "route-sysctl-estimate")
        return [m for m in messages if isinstance(m, RtMsg) and isinstance(m.addrs.dst, SockaddrIn)]

    def dump(self, only: int | None) -> bool:
        """Print all entries, or those of one address; tell whether there were any."""
        found = False
        for msg in self._entries():
            dst, gate = msg.addrs.dst, msg.addrs.gateway
            assert isinstance(dst, SockaddrIn)
            if only is not None and dst.addr != only:
                continue
            found = True
            host = None if self._numeric else self.names.gethostbyaddr(dst.addr)
            index = gate.index if isinstance(gate, SockaddrDl) else 0
            ifname = self._interfaces().get(index, ("", 0))[0] if index else ""
            self.ctx.stdout.write(entry_line(msg, host or "?", ifname) + "\n")
        return found

    def get(self, host: str) -> int:
        """Print the entry of *host*; return the exit status."""
        try:
            addr = self._address(host)
        except Give:
            return 1
        if self.dump(addr):
            return 0
        self._err.errx(f"{host} ({inet_ntoa(addr)}) -- no entry")

    # -- the routing socket

    def _socket(self) -> Socket:
        if self._sock is None:
            try:
                self._sock = self.ctx.socket(AF_ROUTE, SOCK_RAW, 0)
            except NetError as exc:
                self._err.err(exc, "socket")
        return self._sock

    def _read_failed(self, symbol: str) -> NoReturn:
        self._err.err(symbol, "read from routing socket")

    def _ask(self, host: str, dst: SockaddrIn) -> RtMsg:
        """Return what routing knows of *dst*. Raises Give after a message."""
        self._seq += 1
        msg = RtMsg(RTM_GET, addrs=RtAddrs(dst), seq=self._seq)
        sock = self._socket()
        try:
            sock.send(msg.build())
        except NetError as exc:
            self._err.warn(exc, "writing to routing socket")
            self._err.warn(exc, host)
            raise Give from None
        return self._answer(sock)

    def _answer(self, sock: Socket) -> RtMsg:
        deadline = self.ctx.now() + ANSWER_S
        while True:
            try:
                octets, _from = sock.recvfrom()
                got = unpack(octets)
            except BadRtMessage:
                continue
            except NetError as exc:
                left = deadline - self.ctx.now()
                if exc.symbol != "EAGAIN":
                    self._read_failed(exc.symbol)
                if left <= 0:
                    self._read_failed("ETIMEDOUT")
                self.ctx.wait([sock], left)
                continue
            if isinstance(got, RtMsg) and got.type == RTM_GET and got.seq == self._seq:
                return got

    def _write(self, msg: RtMsg) -> None:
        """Write a message. Raises Give after a message."""
        try:
            self._socket().send(msg.build())
        except NetError as exc:
            if exc.symbol == "ESRCH" and msg.type == RTM_DELETE:
                return  # it went by itself in the meantime
            self._err.warn(exc, "writing to routing socket")
            raise Give from None

    # -- changing

    def set(self, words: Sequence[str]) -> int:
        """Make an entry of "hostname ether_addr [temp] [pub [pro [iface]]]"; return the status."""
        host, eaddr, *rest = words
        try:
            self._set(host, eaddr, Asked(rest))
        except ValueError as exc:
            self._err.warnx(f"{exc.args[0]}: not one of temp, pub and pro")
            return 1
        except Give:
            return 1
        return 0

    def _set(self, host: str, eaddr: str, asked: Asked) -> None:
        addr = self._address(host)
        lladdr = atosdl(eaddr)
        if lladdr is None:
            self._err.warnx(f"invalid link-level address '{eaddr}'")
            raise Give
        for _ in range(asked.trail):
            self._err.warnx(f"{host}: Sending trailers is no longer supported")
        gate, proxy = self._where(host, addr, asked)
        gate = SockaddrDl(gate.index, gate.type, "", lladdr)
        flags = RTF_STATIC | (RTF_ANNOUNCE if asked.pub or asked.pro else 0)
        addrs = RtAddrs(_key(addr, proxy=proxy), gate)
        if asked.pub and not proxy:
            addrs.netmask = 0xFFFFFFFF
        else:
            flags |= RTF_HOST
        expire = int(self.ctx.wall()) + TEMP_S if asked.temp else 0
        self._seq += 1
        self._write(
            RtMsg(
                RTM_ADD,
                flags=flags,
                addrs=addrs,
                seq=self._seq,
                inits=RTV_EXPIRE,
                rmx=RtMetrics(expire=expire),
            )
        )
        if self._verbose:
            self.ctx.stdout.write(f"{host} ({eaddr}) added\n")

    def _where(self, host: str, addr: int, asked: Asked) -> tuple[SockaddrDl, bool]:
        """Return the interface of a new entry, and whether it is proxy-only. Raises Give."""
        proxy = asked.pro
        if asked.iface:
            return self._on(asked.iface, host), proxy
        got = self._ask(host, _key(addr, proxy=proxy))
        dst = got.addrs.dst
        if isinstance(dst, SockaddrIn) and dst.addr == addr and not is_llinfo(got):
            if not asked.pub and not proxy:
                self._err.warnx(f"set: can only proxy for {host}")
                raise Give
            if proxy:
                self._err.warnx("set: proxy entry exists for non 802 device")
                raise Give
            # A route of its own leads there; an entry beside it can still be published.
            proxy = True
            got = self._ask(host, _key(addr, proxy=True))
            dst = got.addrs.dst
            if isinstance(dst, SockaddrIn) and dst.addr == addr and not is_llinfo(got):
                self._err.warnx("set: proxy entry exists for non 802 device")
                raise Give
        gate = got.addrs.gateway
        if not isinstance(gate, SockaddrDl):
            self._err.warnx(f"cannot intuit interface index and type for {host}")
            raise Give
        return gate, proxy

    def delete(self, words: Sequence[str]) -> int:
        """Delete the entry of "hostname [pro [iface]]"; return the exit status."""
        try:
            asked = Asked(words[1:])
            self._delete(words[0], proxy=asked.pro or asked.pub, iface=asked.iface)
        except ValueError as exc:
            self._err.warnx(f"{exc.args[0]}: not one of pub and pro")
            return 1
        except Give:
            return 1
        return 0

    def _delete(self, host: str, *, proxy: bool = False, iface: str = "") -> None:
        addr = self._address(host)
        only = self._on(iface, host).index if iface else 0
        for key in (True,) if proxy else (False, True):
            got = self._ask(host, _key(addr, proxy=key))
            dst, gate = got.addrs.dst, got.addrs.gateway
            if (
                isinstance(dst, SockaddrIn)
                and dst.addr == addr
                and is_llinfo(got)
                and isinstance(gate, SockaddrDl)
                and only in (0, gate.index)
            ):
                self._seq += 1
                got.type, got.seq = RTM_DELETE, self._seq
                self._write(got)
                if self._verbose:
                    self.ctx.stdout.write(f"{host} ({inet_ntoa(addr)}) deleted\n")
                return
        self._err.warnx(f"delete: can't locate {host}")
        raise Give

    def delete_all(self) -> int:
        """Delete every entry; return the exit status."""
        for msg in self._entries():
            dst = msg.addrs.dst
            assert isinstance(dst, SockaddrIn)
            proxy = isinstance(dst, SockaddrInarp) and bool(dst.other & SIN_PROXY)
            try:
                self._delete(inet_ntoa(dst.addr), proxy=proxy)
            except Give:
                continue
        return 0

    def file(self, name: str) -> int:
        """Make the entries of a file; return the exit status."""
        try:
            with open(self.ctx.operand(name), encoding="utf-8", errors="replace") as file:
                text = file.read(MAX_FILE)
        except OSError as exc:
            self._err.err(exc, f"cannot open {name}")
        status = 0
        for line in file_lines(text):
            words = line.split()
            if not words:
                continue
            if not 2 <= len(words) <= _WORDS:
                self._err.warnx(f"bad line: {line}")
                status = 1
            elif self.set(words):
                status = 1
        return status


def _key(addr: int, *, proxy: bool) -> SockaddrIn:
    return SockaddrInarp(addr, other=SIN_PROXY) if proxy else SockaddrIn(addr)


def file_lines(text: str) -> list[str]:
    """Return the lines of a -f file without comments; a backslash at the end joins two lines.

    >>> file_lines("a 1 # x" + chr(10) + "b 2")
    ['a 1 ', 'b 2']
    """
    out: list[str] = []
    pending = ""
    for line in text.splitlines():
        line = pending + line.partition("#")[0]
        pending = ""
        if line.endswith("\\"):
            pending = line[:-1]
            continue
        out.append(line)
    if pending:
        out.append(pending)
    return out
