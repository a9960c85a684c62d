"""The commands of brconfig(8), one row each, and what they ask of the stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TextIO

from libnet.addr import ether_aton
from libnet.errors import NetError
from libnet.ioctl import bridge as b
from libnet.ioctl.ifflags import IFF_UP, IFNAMSIZ
from libnet.ioctl.sockio import SIOCSIFFLAGS, IfDrv, IfReq
from libnet.libsocket.sock import Socket
from libnet.record import Struct
from libnet.text.err import Err


class Session:
    """One run on one bridge.

    flags  IFF_* of the bridge, as they are to be when all commands are done
    """

    def __init__(self, sock: Socket, err: Err, out: TextIO, bridge: str, flags: int) -> None:
        self.sock, self.err, self.out, self.bridge = sock, err, out, bridge
        self.flags = flags
        self.updated = False

    def get(self, cmd: b.BrdgCmd, arg: Struct) -> Any:
        """Make a sub-command that returns something. Raises NetError."""
        return get(self.sock, self.bridge, cmd, arg)

    def set(self, cmd: b.BrdgCmd, arg: Struct, what: str) -> None:
        """Make one that changes something, or exit with *what* and the reason."""
        try:
            self.sock.ioctl(b.SIOCSDRVSPEC, IfDrv(self.bridge, cmd.num, arg))
        except NetError as exc:
            self.err.err(exc, what)

    def finish(self) -> None:
        """Set the flags if a command has changed them."""
        if not self.updated:
            return
        try:
            self.sock.ioctl(SIOCSIFFLAGS, IfReq(self.bridge, self.flags))
        except NetError as exc:
            self.err.err(exc, "unable to set interface flags")


def get(sock: Socket, bridge: str, cmd: b.BrdgCmd, arg: Struct) -> Any:
    """Return what sub-command *cmd* of *bridge* tells. Raises NetError."""
    answer: IfDrv = sock.ioctl(b.SIOCGDRVSPEC, IfDrv(bridge, cmd.num, arg))
    if type(answer.arg) is not cmd.arg:
        raise NetError("EINVAL")
    return answer.arg


class Keyword:
    """One command.

    word, operands  as in the synopsis         func    called with (session, row, operands)
    cmd             its sub-command            bit     IFBIF_* or IFF_*, the field, or the largest value
    on              whether the word sets its bit
    """

    __slots__ = ("bit", "cmd", "func", "on", "operands", "word")

    def __init__(
        self,
        word: str,
        operands: str,
        func: Callable[[Session, Keyword, list[str]], None],
        cmd: b.BrdgCmd | None = None,
        bit: int = 0,
    ) -> None:
        self.word, self.operands = word, operands.split()
        self.func, self.bit = func, bit
        self.cmd = cmd
        self.on = not word.startswith("-")

    def number(self, session: Session, text: str) -> int:
        """Return the number that *text* is, 0 to `bit`, or exit."""
        value = strtoul(text)
        if value is None or not 0 <= value <= self.bit:
            session.err.errx(f"{self.word}: invalid value: {text}")
        return value


def strtoul(text: str) -> int | None:
    """Return the number in *text* as C writes it: 0x… and 0… have their bases; None for no number.

    >>> strtoul("0x10"), strtoul("010"), strtoul("10"), strtoul("ten")
    (16, 8, 10, None)
    """
    body = text.strip()
    sign = -1 if body.startswith("-") else 1
    digits = body.lstrip("+-") if body[:1] in ("+", "-") else body
    base = 16 if digits[:2].lower() == "0x" else 8 if digits[:1] == "0" else 10
    if not digits.isascii() or not digits.isalnum() or len(body) - len(digits) > 1:
        return None
    try:
        return sign * int(digits, base)
    except ValueError:
        return None


def _name(text: str) -> str:
    return text[: IFNAMSIZ - 1]


def _member(session: Session, row: Keyword, args: list[str]) -> None:
    assert row.cmd is not None
    session.set(row.cmd, b.IfbReq(_name(args[0])), f"{row.word} {args[0]}")


def _updown(session: Session, row: Keyword, _args: list[str]) -> None:
    up = row.word == "up"
    session.flags = session.flags | IFF_UP if up else session.flags & ~IFF_UP
    session.updated = True


def _flag(session: Session, row: Keyword, args: list[str]) -> None:
    try:
        req: b.IfbReq = session.get(b.BRDGGIFFLGS, b.IfbReq(_name(args[0])))
    except NetError as exc:
        session.err.err(exc, "unable to get bridge flags")
    req.flags = req.flags | row.bit if row.on else req.flags & ~row.bit
    session.set(b.BRDGSIFFLGS, req, "unable to set bridge flags")


def _flush(session: Session, row: Keyword, _args: list[str]) -> None:
    session.set(b.BRDGFLUSH, b.IfbReq(flags=row.bit), row.word)


def _address(session: Session, row: Keyword, text: str) -> bytes:
    try:
        return ether_aton(text)
    except ValueError:
        session.err.errx(f"{row.word}: invalid address: {text}")


def _static(session: Session, row: Keyword, args: list[str]) -> None:
    dst = _address(session, row, args[1])
    req = b.IfbaReq(_name(args[0]), dst, 0, b.IFBAF_STATIC)
    session.set(b.BRDGSADDR, req, f"{row.word} {args[0]} {args[1]}")


def _deladdr(session: Session, row: Keyword, args: list[str]) -> None:
    dst = _address(session, row, args[0])
    session.set(b.BRDGDADDR, b.IfbaReq(dst=dst), f"{row.word} {args[0]}")


def _addr(session: Session, _row: Keyword, _args: list[str]) -> None:
    from cmds.brconfig.show import addresses, show_address

    for req in addresses(session.sock, session.err, session.bridge):
        session.out.write(f"\t{show_address(req)}\n")


def _param(session: Session, row: Keyword, args: list[str]) -> None:
    assert row.cmd is not None
    value = row.number(session, args[0])
    session.set(row.cmd, b.IfbrParam(value), f"{row.word} {args[0]}")


def _ifparam(session: Session, row: Keyword, args: list[str]) -> None:
    assert row.cmd is not None
    value = row.number(session, args[1])
    req = b.IfbReq(_name(args[0]))
    if row.cmd is b.BRDGSIFPRIO:
        req.priority = value
    else:
        req.path_cost = value
    session.set(row.cmd, req, f"{row.word} {args[0]}")


def _ipf(session: Session, row: Keyword, _args: list[str]) -> None:
    try:
        param: b.IfbrParam = session.get(b.BRDGGFILT, b.IfbrParam())
    except NetError as exc:
        session.err.err(exc, row.word)
    value = param.value & ~b.IFBF_FILT_USEIPF
    if row.on:
        value |= b.IFBF_FILT_USEIPF
    session.set(b.BRDGSFILT, b.IfbrParam(value), f"{row.word} {value:x}")


_U8, _U16, _U32 = 0xFF, 0xFFFF, 0xFFFFFFFF
KEYWORDS: Final[dict[str, Keyword]] = {
    row.word: row
    for row in (
        Keyword("add", "interface", _member, b.BRDGADD),
        Keyword("delete", "interface", _member, b.BRDGDEL),
        Keyword("up", "", _updown),
        Keyword("down", "", _updown),
        Keyword("discover", "interface", _flag, bit=b.IFBIF_DISCOVER),
        Keyword("-discover", "interface", _flag, bit=b.IFBIF_DISCOVER),
        Keyword("learn", "interface", _flag, bit=b.IFBIF_LEARNING),
        Keyword("-learn", "interface", _flag, bit=b.IFBIF_LEARNING),
        Keyword("stp", "interface", _flag, bit=b.IFBIF_STP),
        Keyword("-stp", "interface", _flag, bit=b.IFBIF_STP),
        Keyword("flush", "", _flush, bit=b.IFBF_FLUSHDYN),
        Keyword("flushall", "", _flush, bit=b.IFBF_FLUSHALL),
        Keyword("static", "interface address", _static),
        Keyword("deladdr", "address", _deladdr),
        Keyword("addr", "", _addr),
        Keyword("maxaddr", "size", _param, b.BRDGSCACHE, _U32),
        Keyword("timeout", "seconds", _param, b.BRDGSTO, _U32),
        Keyword("hellotime", "seconds", _param, b.BRDGSHT, _U8),
        Keyword("fwddelay", "seconds", _param, b.BRDGSFD, _U8),
        Keyword("maxage", "seconds", _param, b.BRDGSMA, _U8),
        Keyword("priority", "value", _param, b.BRDGSPRI, _U16),
        Keyword("ifpriority", "interface value", _ifparam, b.BRDGSIFPRIO, _U8),
        Keyword("ifpathcost", "interface value", _ifparam, b.BRDGSIFCOST, _U8),
        Keyword("ipf", "", _ipf),
        Keyword("-ipf", "", _ipf),
    )
}
