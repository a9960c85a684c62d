"""sockstat(1): list open sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._names import HostNotFound, Names
from libnet.addr import inet_ntoa
from libnet.errors import NetError
from libnet.ioctl.sysctl import CTL_QUERY, FileInfo, PcbInfo
from libnet.libsocket.ctx import Ctx
from libnet.text.err import Err

HEADER: Final = (
    f"{'USER':<8} {'COMMAND':<10} {'PID':<5} {'FD':<2} {'PROTO':<6} "
    f"{'LOCAL ADDRESS':<21} FOREIGN ADDRESS\n"
)
INET, INET6, LOCAL = 1, 2, 4
FAMILIES: Final = {"inet": INET, "inet6": INET6, "local": LOCAL, "unix": LOCAL}
CONNECTED, LISTENING = 1, 2
TCPS_LISTEN: Final = 1
SOCK_RAW: Final = 3
# Ports from here on are given out by the stack, and have no service's name.
ANONPORTMIN: Final = 49152
# Raw sockets of protocols that have a switch entry of their own are shown by it, others as raw.
_OWN_ENTRY: Final = (1, 2)


@command(usage="")
@flag("-4", "inet")
@flag("-6", "inet6")
@flag("-c", "connected")
@option("-f", "family", multiple=True)
@flag("-l", "listening")
@flag("-n", "numeric")
@option("-p", "ports", multiple=True)
@flag("-u", "local")
@operands
def run(
    ctx: Ctx,
    inet: bool,
    inet6: bool,
    connected: bool,
    family: tuple[str, ...],
    listening: bool,
    numeric: bool,
    ports: tuple[str, ...],
    local: bool,
    operands: tuple[str, ...],
) -> int:
    """List the open sockets of all processes."""
    del operands  # the original does not look at them either
    err = err_of(ctx)
    names = Names(ctx)
    families = (INET if inet else 0) | (INET6 if inet6 else 0) | (LOCAL if local else 0)
    for word in family:
        if word.lower() not in FAMILIES:
            err.errx(f"{word}: unsupported protocol family")
        families |= FAMILIES[word.lower()]
    portmap: set[int] | None = None
    for word in ports:
        portmap = (portmap or set()) | parse_ports(word, names, err)
    if not families:
        families = INET | INET6 | (LOCAL if portmap is None else 0)
    if portmap is not None and families & LOCAL:
        err.errx("local domain sockets do not have ports")
    only = (CONNECTED if connected else 0) | (LISTENING if listening else 0)
    pcbs, files = fetch(ctx, err, families, raw=portmap is None)
    users = read_users(ctx)
    first = True
    for file in files:
        pcb = pcbs.get(file.pcbaddr)
        if pcb is None or not picked(file, pcb, only, portmap):
            continue
        if first:
            ctx.stdout.write(HEADER)
            first = False
        ctx.stdout.write(show(file, pcb, users, lambda *a: address(names, *a, numeric=numeric)))
    return 0


main = program("sockstat", run)


def parse_ports(text: str, names: Names, err: Err) -> set[int]:
    """Return the ports of a service's name, or of numbers and ranges: 80,8000-8080."""
    for proto in ("tcp", "udp"):
        try:
            return {names.getservbyname(text, proto)}
        except HostNotFound:
            continue
    found: set[int] = set()
    for part in text.removesuffix(",").split(","):
        low, dash, high = part.partition("-")
        first = number(low)
        last = number(high) if dash else first
        if first is None or last is None:
            err.err("EINVAL", text)
        found.update(range(first, last + 1))
    return found


def number(text: str) -> int | None:
    """Return the port that strtol(3) reads, where a leading 0 means octal; None if it is none."""
    if not (text.isascii() and text.isdigit()) or len(text) > 8:
        return None
    try:
        value = int(text, 8 if text[0] == "0" else 10)
    except ValueError:
        return None
    return value if value <= 65535 else None


# -- asking


def fetch(
    ctx: Ctx, err: Err, families: int, *, raw: bool
) -> tuple[dict[int, PcbInfo], list[FileInfo]]:
    """Return the control blocks of the families by address, and the open sockets."""
    try:
        control = ctx.control()
    except NetError as exc:
        err.err(exc, "sysctlnametomib: net.inet.tcp.pcblist")
    pcbs: dict[int, PcbInfo] = {}
    with control:
        for path in paths(families, raw=raw):
            mib = nametomib(control, path)
            if mib is not None:
                for pcb in ask(control, mib, err):
                    pcbs[pcb.pcbaddr] = pcb
        mib = nametomib(control, "kern.file2")
        if mib is None:
            err.err("ENOENT", "sysctlnametomib")
        return pcbs, ask(control, mib, err)


def paths(families: int, *, raw: bool) -> list[str]:
    """Return the names of the lists to ask for; what a stack lacks is passed over."""
    found = []
    if families & INET:
        found += ["net.inet.tcp.pcblist", "net.inet.udp.pcblist"]
        found += ["net.inet.raw.pcblist"] if raw else []
    if families & INET6:
        found += ["net.inet6.tcp6.pcblist", "net.inet6.udp6.pcblist"]
        found += ["net.inet6.raw6.pcblist"] if raw else []
    if families & LOCAL:
        found += ["net.local.stream.pcblist", "net.local.dgram.pcblist"]
    return found


def nametomib(control: Any, path: str) -> list[int] | None:
    """Return the numbers of a sysctl name, None when there is no such node."""
    mib: list[int] = []
    for part in path.split("."):
        try:
            nodes = control.call("sysctl", [*mib, CTL_QUERY], None)
        except NetError:
            return None
        found = next((node.num for node in nodes if node.name == part), None)
        if found is None:
            return None
        mib.append(found)
    return mib


def ask(control: Any, mib: list[int], err: Err) -> list[Any]:
    """Return the list at *mib*."""
    try:
        found: list[Any] = control.call("sysctl", mib, None)
    except NetError as exc:
        err.err(exc, "sysctl")
    return found


def read_users(ctx: Ctx) -> dict[int, str]:
    """Return login names by user number, from the box's passwd(5)."""
    users = {0: "root"}
    try:
        with open(ctx.file("/etc/passwd"), encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.split(":")
                if len(fields) > 2 and fields[2].isascii() and fields[2].isdigit():
                    users.setdefault(int(fields[2]), fields[0])
    except OSError:
        return users  # a box without the file knows its superuser
    return users


# -- choosing and showing


def isconnected(pcb: PcbInfo) -> bool:
    """Tell whether a socket has a peer, or had one."""
    return bool(pcb.faddr or pcb.fport) or pcb.state > TCPS_LISTEN


def islistening(file: FileInfo, pcb: PcbInfo) -> bool:
    """Tell whether a socket takes what anybody sends."""
    if isconnected(pcb):
        return False
    return (
        pcb.state == TCPS_LISTEN or file.type == SOCK_RAW or (pcb.proto == "udp" and pcb.lport > 0)
    )


def picked(file: FileInfo, pcb: PcbInfo, only: int, portmap: set[int] | None) -> bool:
    """Tell whether the options want a socket listed."""
    if only:
        kind = CONNECTED if isconnected(pcb) else LISTENING if islistening(file, pcb) else 0
        if not only & kind:
            return False
    return portmap is None or pcb.lport in portmap or pcb.fport in portmap


def address(names: Names, addr: int, port: int, proto: str, *, numeric: bool) -> str:
    """Return ADDRESS.PORT, with names unless *numeric*.

    Raises nothing: what has no name is shown by its number.
    """
    if not addr and not port:
        return "*.*"
    host = inet_ntoa(addr)
    service = str(port)
    if not numeric:
        host = names.gethostbyaddr(addr) or host
        if port < ANONPORTMIN:
            service = names.getservbyport(port, "udp" if proto == "udp" else "tcp") or service
    return f"{host if addr else '*'}.{service}"


def show(
    file: FileInfo, pcb: PcbInfo, users: dict[int, str], where: Callable[[int, int, str], str]
) -> str:
    """Return the line of one socket."""
    local = where(pcb.laddr, pcb.lport, pcb.proto)
    foreign = where(pcb.faddr, pcb.fport, pcb.proto) if isconnected(pcb) else "*.*"
    user = users.get(file.uid, str(file.uid))
    proto = pcb.proto
    if file.type == SOCK_RAW:
        proto = f"{file.domain}/{file.protocol}" if file.protocol in _OWN_ENTRY else "raw"
    return f"{user:<8} {file.comm:<10.10} {file.pid:<5} {file.fd:>2} {proto:<6} {local:<21} {foreign}\n"
