"""if_up(8): wait until network interfaces are there, linked, or up and addressed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cmds._bsd import command, err_of, flag, operands, option, program
from libnet.addr import AF_INET, AF_INET6, SockaddrIn
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_UP, IFM_ACTIVE, IFM_AVALID, LINK_STATE_UP
from libnet.ioctl.sockio import (
    SIOCGIFADDR,
    SIOCGIFCONF,
    SIOCGIFDATA,
    SIOCGIFFLAGS,
    SIOCGIFMEDIA,
    IfConf,
    IfDataReq,
    IfMediaReq,
    IfReq,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.text.err import Err

USAGE: Final = "usage: if_up [-6ailp] [-r retries] [-s seconds] [-m milliseconds] interface ...\n"


class Criterion:
    """What an interface must be.

    present  it exists                         link    its physical link is reported up
    neither  it is up and has an IPv4 address  global_ not counting 169.254/16
    """

    __slots__ = ("global_", "link", "present")

    def __init__(self, *, present: bool, link: bool, global_: bool) -> None:
        self.present, self.link, self.global_ = present, link, global_

    def met(self, sock: Socket, name: str) -> bool:
        """Tell whether interface *name* is as wanted now. Raises nothing: what is not there is not."""
        try:
            flags = sock.ioctl(SIOCGIFFLAGS, IfReq(name)).value
            if self.link:
                return _linked(sock, name)
            if self.present:
                return True
            return bool(flags & IFF_UP) and self._addressed(sock, name)
        except NetError:
            return False

    def _addressed(self, sock: Socket, name: str) -> bool:
        if not self.global_:
            return isinstance(sock.ioctl(SIOCGIFADDR, IfReq(name)).addr, SockaddrIn)
        conf: IfConf = sock.ioctl(SIOCGIFCONF, IfConf())
        return any(
            req.name == name and isinstance(req.addr, SockaddrIn) and req.addr.addr >> 16 != 0xA9FE
            for req in conf.req
        )


def _linked(sock: Socket, name: str) -> bool:
    """Tell whether the driver reports a link; one that reports nothing has none to show."""
    try:
        status = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name)).status
    except NetError:
        status = 0  # an interface without media may know its link state all the same
    if status & IFM_AVALID:
        return bool(status & IFM_ACTIVE)
    data = sock.ioctl(SIOCGIFDATA, IfDataReq(name)).data
    return data is not None and data.link_state == LINK_STATE_UP


@command(usage=USAGE)
@flag("-6", "inet6")
@flag("-a", "every")
@flag("-i", "no_link_local")
@flag("-l", "link")
@flag("-p", "present")
@option("-r", "retries", default="5")
@option("-s", "seconds")
@option("-m", "milliseconds")
@operands
def run(
    ctx: Ctx,
    inet6: bool,
    every: bool,
    no_link_local: bool,
    link: bool,
    present: bool,
    retries: str,
    seconds: str | None,
    milliseconds: str | None,
    operands: tuple[str, ...],
) -> int:
    """Look at the interfaces until they are as wanted, at most as often as -r says."""
    err = err_of(ctx)
    passes = _number(err, retries, "-r")
    pause_s = 1.0
    if milliseconds is not None:
        pause_s = _number(err, milliseconds, "-m") / 1000
    elif seconds is not None:
        pause_s = float(_number(err, seconds, "-s"))
    if not operands:
        return run.usage(ctx)
    wanted = Criterion(present=present, link=link, global_=no_link_local)
    enough = all if every else any
    family = AF_INET6 if inet6 and not (present or link) else AF_INET
    for _ in range(passes):
        if family == AF_INET6:
            _no_inet6(ctx, err)
        if enough(_look(ctx, wanted, operands)):
            return 0
        ctx.sleep(pause_s)
    return 1


def _look(ctx: Ctx, wanted: Criterion, names: Sequence[str]) -> list[bool]:
    """Return which interfaces are as wanted. Without a stack, none: a boot script may be early."""
    try:
        with ctx.socket(AF_INET, SOCK_DGRAM) as sock:
            return [wanted.met(sock, name) for name in names]
    except NetError:
        return [False]


def _number(err: Err, text: str, letter: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        err.errx(f"{letter} {text}: bad value")
    return int(text)


def _no_inet6(ctx: Ctx, err: Err) -> None:
    """End the program if the stack has no IPv6: no waiting will bring it."""
    try:
        ctx.socket(AF_INET6, SOCK_DGRAM).close()
    except NetError as exc:
        err.err(exc, "socket")
    err.err("EAFNOSUPPORT", "socket")


def last_pause(argv: Sequence[str]) -> list[str]:
    """Return *argv* without the -s and -m that a later one overrules.

    >>> last_pause(["-s", "2", "-am10", "wm0"])
    ['-a', '-m10', 'wm0']
    """
    kept: list[tuple[bool, list[str]]] = []
    rest = list(argv)
    while rest and rest[0].startswith("-") and rest[0] not in ("-", "--"):
        word = rest.pop(0)
        at = next((i for i, char in enumerate(word) if i and char in "rsm"), 0)
        words = [word, *([rest.pop(0)] if at == len(word) - 1 and at and rest else [])]
        if at and word[at] in "sm":
            flags = word[:at]
            kept = [(False, old) for _overruled, old in kept if not _overruled]
            if len(flags) > 1:
                kept.append((False, [flags]))
                words[0] = "-" + word[at:]
            kept.append((True, words))
        else:
            kept.append((False, words))
    return [word for _overruled, words in kept for word in words] + rest


def _run(argv: Sequence[str], ctx: Ctx) -> int:
    return run.run(last_pause(argv), ctx)


main = program("if_up", _run)
