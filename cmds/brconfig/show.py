"""What brconfig shows: fetched first, then laid out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cmds.brconfig.keywords import get
from libnet.addr import ether_ntoa
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl.ifflags import IFF_NAMES
from libnet.ioctl.sockio import SIOCGIFFLAGS, IfReq
from libnet.libsocket.sock import Socket
from libnet.text.err import Err


class Status:
    """A bridge: IFF_* flags, parameters, members and addresses; times in seconds."""

    __slots__ = (
        "addrs", "flags", "fwddelay", "hellotime", "maxaddr", "maxage", "members", "name",
        "priority", "timeout",
    )  # fmt: skip

    def __init__(self, name: str) -> None:
        self.name = name
        self.flags = self.priority = self.hellotime = self.fwddelay = self.maxage = 0
        self.maxaddr = self.timeout = 0
        self.members: list[b.IfbReq] = []
        self.addrs: list[b.IfbaReq] = []


def fetch(sock: Socket, err: Err, name: str) -> Status:
    """Ask the stack for everything, or exit."""

    def param(cmd: b.BrdgCmd, what: str) -> int:
        answer: Any = _get(sock, err, name, cmd, b.IfbrParam(), f"unable to get {what}")
        value: int = answer.value
        return value

    status = Status(name)
    try:
        status.flags = sock.ioctl(SIOCGIFFLAGS, IfReq(name)).value & 0xFFFF
    except NetError as exc:
        err.err(exc, "unable to get flags")
    status.priority = param(b.BRDGGPRI, "bridge priority")
    status.hellotime = param(b.BRDGGHT, "hellotime")
    status.fwddelay = param(b.BRDGGFD, "forward delay")
    status.maxage = param(b.BRDGGMA, "max age")
    status.members = _get(
        sock, err, name, b.BRDGGIFS, b.IfbIfConf(), "unable to get interface list"
    ).req
    status.maxaddr = param(b.BRDGGCACHE, "address cache size")
    status.timeout = param(b.BRDGGTO, "address timeout")
    status.addrs = addresses(sock, err, name)
    return status


def addresses(sock: Socket, err: Err, name: str) -> list[b.IfbaReq]:
    """Return the address cache, or exit."""
    conf = _get(sock, err, name, b.BRDGRTS, b.IfbaConf(), "unable to get address cache")
    found: list[b.IfbaReq] = conf.req
    return found


def _get(sock: Socket, err: Err, name: str, cmd: b.BrdgCmd, arg: Any, what: str) -> Any:
    try:
        return get(sock, name, cmd, arg)
    except NetError as exc:
        err.err(exc, what)


def show(status: Status) -> str:
    """Return the block of a bridge."""
    lines = [
        f"{status.name}: {printb('flags', status.flags, IFF_NAMES)}",
        "\tConfiguration:",
        f"\t\tpriority {status.priority} hellotime {status.hellotime}"
        f" fwddelay {status.fwddelay} maxage {status.maxage}",
        "\tInterfaces:",
    ]
    for req in status.members:
        lines.append(f"\t\t{req.ifsname} {printb('flags', req.flags, b.IFBIF_BITS)}")
        line = f"\t\t\tport {req.portno} priority {req.priority}"
        if req.flags & b.IFBIF_STP:
            known = 0 <= req.state < len(b.BSTP_STATES)
            state = b.BSTP_STATES[req.state] if known else f"<unknown state {req.state}>"
            line += f" path cost {req.path_cost} {state}"
        lines.append(line)
    lines.append(f"\tAddress cache (max cache: {status.maxaddr}, timeout: {status.timeout}):")
    lines += [f"\t\t{show_address(req)}" for req in status.addrs]
    return "\n".join(lines) + "\n"


def printb(label: str, value: int, bits: Iterable[tuple[int, str]]) -> str:
    """Return 'label=hex<NAME,NAME>': here, unlike in ifconfig, with the brackets for no bits too.

    >>> printb("flags", 0, b.IFBAF_BITS)
    'flags=0<>'
    """
    return f"{label}={value:x}<{','.join(name for bit, name in bits if value & bit)}>"


def show_address(req: b.IfbaReq) -> str:
    """Return the line of an address, without its indent.

    >>> show_address(b.IfbaReq("wm0", bytes(5) + b"!", 12))
    '00:00:00:00:00:21 wm0 12 flags=0<>'
    """
    return (
        f"{ether_ntoa(req.dst)} {req.ifsname} {req.expire}"
        f" {printb('flags', req.flags, b.IFBAF_BITS)}"
    )
