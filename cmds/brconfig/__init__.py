"""brconfig(8): configure bridges and show them."""

from __future__ import annotations

from cmds._bsd import command, err_of, flag, operands, program
from cmds.brconfig.keywords import KEYWORDS, Session
from libnet.addr import AF_INET
from libnet.errors import NetError
from libnet.ioctl.sockio import SIOCGIFCONF, SIOCGIFFLAGS, IfConf, IfReq
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.text.err import Err

_PATTERNS = (
    "-a", "<bridge>", "<bridge> up|down", "<bridge> addr", "<bridge> add <interface>",
    "<bridge> delete <interface>", "<bridge> maxaddr <size>", "<bridge> timeout <time>",
    "<bridge> static <interface> <address>", "<bridge> deladdr <address>", "<bridge> flush",
    "<bridge> flushall", "<bridge> ipf|-ipf", "<bridge> discover|-discover <interface>",
    "<bridge> learn|-learn <interface>", "<bridge> stp|-stp <interface>", "<bridge> maxage <time>",
    "<bridge> fwddelay <time>", "<bridge> hellotime <time>", "<bridge> priority <value>",
    "<bridge> ifpriority <interface> <value>", "<bridge> ifpathcost <interface> <value>",
)  # fmt: skip
USAGE = "usage: " + "".join(
    f"{'       ' if number else ''}brconfig {pattern}\n" for number, pattern in enumerate(_PATTERNS)
)


@command(usage=USAGE)
@flag("-a", "all_")
@operands
def run(ctx: Ctx, all_: bool, operands: tuple[str, ...]) -> int:
    """Configure or show bridges."""
    if all_ == bool(operands):
        ctx.stderr.write(USAGE)
        return 1
    err = err_of(ctx)
    try:
        sock = ctx.socket(AF_INET, SOCK_DGRAM)
    except NetError as exc:
        err.err(exc, "socket")
    with sock:
        if all_:
            for name in _bridges(sock, err):
                ctx.stdout.write(_shown(sock, err, name))
            return 0
        name, *words = operands
        if not is_bridge(name):
            err.errx(f"{name} is not a bridge")
        try:
            flags = sock.ioctl(SIOCGIFFLAGS, IfReq(name)).value
        except NetError as exc:
            err.err(exc, "unable to get interface flags")
        if not words:
            ctx.stdout.write(_shown(sock, err, name))
            return 0
        _commands(Session(sock, err, ctx.stdout, name, flags), words)
    return 0


main = program("brconfig", run)


def is_bridge(name: str) -> bool:
    """Tell whether *name* is that of a bridge: `bridge`, then a digit.

    >>> is_bridge("bridge0"), is_bridge("bridge"), is_bridge("wm0")
    (True, False, False)
    """
    return name.startswith("bridge") and "0" <= name[6:7] <= "9"


def _bridges(sock: Socket, err: Err) -> list[str]:
    try:
        conf: IfConf = sock.ioctl(SIOCGIFCONF, IfConf())
    except NetError as exc:
        err.err(exc, "getifaddrs")
    return list(dict.fromkeys(req.name for req in conf.req if is_bridge(req.name)))


def _shown(sock: Socket, err: Err, name: str) -> str:
    from cmds.brconfig.show import fetch, show

    return show(fetch(sock, err, name))


def _commands(session: Session, words: list[str]) -> None:
    """Obey the commands from left to right; up and down come last, in one ioctl."""
    rest = words
    while rest:
        word, rest = rest[0], rest[1:]
        row = KEYWORDS.get(word)
        if row is None:
            session.err.errx(f"unknown command: {word}")
        count = len(row.operands)
        if len(rest) < count:
            plural = "" if count == 1 else "s"
            session.err.errx(f"command {word} requires {count} argument{plural}")
        args, rest = rest[:count], rest[count:]
        row.func(session, row, args)
    session.finish()
