"""ifconfig(8): configure and show network interfaces.

keywords  the words that may follow an interface's name     fetch   what is asked before printing
setup     what each word does, and in which order           show    the blocks of the listing
media     the media words                                   wireless, wstatus, scan  the radio
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cmds._bsd import BsdCommand, command, err_of, flag, operands, program
from libnet.addr import AF_INET, AF_INET6, Sockaddr
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_UP, IFNAMSIZ
from libnet.libsocket.ctx import Ctx

if TYPE_CHECKING:
    from cmds.ifconfig.fetch import Iface
    from libnet.libsocket.sock import Socket

USAGE: Final = """\
usage: ifconfig [-h] [-m] [-v] [-z] [-L] interface
	[ af [ address[/n] [ dest_addr ] ] [ netmask mask ] [ prefixlen n ]
		[ broadcast addr ] [ preference n ] [ alias | -alias | delete ] ]
	[ up | down ] [ arp | -arp ] [ debug | -debug ] [ metric n ] [ mtu n ]
	[ link0 | -link0 ] [ link1 | -link1 ] [ link2 | -link2 ]
	[ media type ] [ mode mode ] [ mediaopt opts ] [ -mediaopt opts ]
		[ instance n ]
	[ ip4csum | -ip4csum ] [ tcp4csum | -tcp4csum ] [ udp4csum | -udp4csum ]
	[ tcp6csum | -tcp6csum ] [ udp6csum | -udp6csum ]
	[ tso4 | -tso4 ] [ tso6 | -tso6 ]
	[ ssid id ] [ nwkey key | -nwkey ] [ bssid addr | -bssid ] [ chan n | -chan ]
	[ powersave | -powersave ] [ powersavesleep ms ]
	[ hidessid | -hidessid ] [ apbridge | -apbridge ]
	[ frag n | -frag ] [ rts n | -rts ] [ scan ]
	[ vlan n vlanif i | -vlanif ] [ agrport i ] [ -agrport i ]
	[ vhid n ] [ advbase n ] [ advskew n ] [ pass phrase ] [ state state ]
		[ carpdev i | -carpdev ]
	[ [ af ] tunnel src_addr dest_addr ] [ deletetunnel ]
	[ anycast | -anycast ] [ deprecated | -deprecated ]
	[ tentative | -tentative ] [ pltime n ] [ vltime n ] [ eui64 ]
       ifconfig -a [-b] [-h] [-m] [-d] [-u] [-v] [-z] [ af ]
       ifconfig -l [-b] [-d] [-u] [-s]
       ifconfig -C
       ifconfig interface create
       ifconfig interface destroy
"""

FAMILIES: Final = {"inet": AF_INET, "inet6": AF_INET6}


class _Options:
    """The flags of one run, by letter."""

    __slots__ = tuple("CLabdhlmsuvz")
    C: bool
    L: bool
    a: bool
    b: bool
    d: bool
    h: bool
    l: bool  # noqa: E741
    m: bool
    s: bool
    u: bool
    v: bool
    z: bool

    def __init__(self, flags: dict[str, bool]) -> None:
        for letter in self.__slots__:
            setattr(self, letter, flags[f"flag_{letter}"])

    def any(self, letters: str) -> bool:
        """Tell whether one of *letters* was given."""
        return any(getattr(self, letter) for letter in letters)


@command(usage=USAGE)
@flag("-A", "flag_A")
@flag("-C", "flag_C")
@flag("-L", "flag_L")
@flag("-a", "flag_a")
@flag("-b", "flag_b")
@flag("-d", "flag_d")
@flag("-h", "flag_h")
@flag("-l", "flag_l")
@flag("-m", "flag_m")
@flag("-s", "flag_s")
@flag("-u", "flag_u")
@flag("-v", "flag_v")
@flag("-z", "flag_z")
@operands
def run(ctx: Ctx, operands: tuple[str, ...], **flags: bool) -> int:
    """Do what the command line says, in the order of ifconfig(8)."""
    err = err_of(ctx)
    if flags["flag_A"]:
        err.warnx("-A is deprecated")
    opts = _Options(flags)
    words = list(operands)
    if (opts.l or opts.C) and (opts.any("aLmvz") or words):
        return usage(ctx)
    if opts.C:
        return usage(ctx) if opts.any("bdhlsu") else list_cloners(ctx)
    # Without an operand the original lists everything, where its BSD parent shows how it is used.
    if opts.a or opts.l or not words:
        if len(words) > 1 or (words and words[0] not in FAMILIES):
            return usage(ctx)
        return printall(ctx, opts, FAMILIES[words[0]] if words else AF_INET)
    return one(ctx, opts, words)


def usage(ctx: Ctx) -> int:
    """Print how ifconfig is used; return the exit status for it."""
    assert isinstance(run, BsdCommand)
    return run.usage(ctx)


def list_cloners(ctx: Ctx) -> int:
    """Print the names of the interfaces that can be created."""
    from cmds.ifconfig.fetch import open_socket
    from libnet.ioctl.sockio import SIOCIFGCLONERS, IfCloneReq

    err = err_of(ctx)
    with open_socket(ctx, err) as sock:
        try:
            names = sock.ioctl(SIOCIFGCLONERS, IfCloneReq()).names
        except NetError as exc:
            err.err(exc, "SIOCIFGCLONERS for count")
    ctx.stdout.write(" ".join(names) + "\n")
    return 0


def printall(ctx: Ctx, opts: _Options, family: int) -> int:
    """Print every interface that the options let through."""
    from cmds.ifconfig import fetch

    err = err_of(ctx)
    shown = []
    with fetch.open_socket(ctx, err, family) as sock:
        for name, addrs in fetch.getifaddrs(sock, err).items():
            iface = fetch.getinfo(sock, err, name)
            if iface is None or not _passes(opts, iface, sock):
                continue
            if opts.l:
                shown.append(name)
            else:
                _print(ctx, sock, opts, iface, addrs)
    if opts.l:
        ctx.stdout.write(" ".join(shown) + "\n")
    return 0


def _passes(opts: _Options, iface: Iface, sock: Socket) -> bool:
    """Tell whether -b, -d, -u and -s let *iface* through."""
    from cmds.ifconfig.fetch import carrier

    return not (
        (opts.b and not iface.flags & IFF_BROADCAST)
        or (opts.d and iface.flags & IFF_UP)
        or (opts.u and not iface.flags & IFF_UP)
        or (opts.s and not carrier(sock, iface.name))
    )


def _print(ctx: Ctx, sock: Socket, opts: _Options, iface: Iface, addrs: list[Sockaddr]) -> None:
    from cmds.ifconfig.fetch import Wanted, fetch
    from cmds.ifconfig.show import show

    wanted = Wanted(human=opts.h, media=opts.m, stats=opts.v or opts.z, verbose=opts.v, zero=opts.z)
    ctx.stdout.write(show(fetch(ctx, sock, err_of(ctx), iface, addrs, wanted), wanted))


def one(ctx: Ctx, opts: _Options, words: list[str]) -> int:
    """Create, show or configure the interface that is the first of *words*."""
    from cmds.ifconfig import fetch

    err = err_of(ctx)
    name, words = words[0], words[1:]
    if len(name) >= IFNAMSIZ:
        err.errx(f"interface name '{name}' too long")
    if words[:1] == ["create"]:
        # Before anything is asked about the interface: it is not there yet.
        words = words[1:]
        _create(ctx, name)
        if not words:
            return 0
    family = FAMILIES.get(words[0], 0) if words else 0
    if family:
        words = words[1:]
    with fetch.open_socket(ctx, err, family or AF_INET) as sock:
        iface = fetch.getinfo(sock, err, name)
        if iface is None:
            return 1
        if opts.s:
            if words:
                return usage(ctx)
            return 0 if fetch.carrier(sock, name) else 1
        if not words:
            if _passes(opts, iface, sock):
                addrs = fetch.getifaddrs(sock, err).get(name, [])
                _print(ctx, sock, opts, iface, addrs)
            return 0
        from cmds.ifconfig.setup import Setup

        Setup(ctx, sock, err, iface, verbose=opts.v).run(words)
    return 0


def _create(ctx: Ctx, name: str) -> None:
    from cmds.ifconfig.fetch import open_socket
    from libnet.ioctl.sockio import SIOCIFCREATE, IfReq

    err = err_of(ctx)
    with open_socket(ctx, err) as sock:
        try:
            sock.ioctl(SIOCIFCREATE, IfReq(name))
        except NetError as exc:
            err.err(exc, "SIOCIFCREATE")


main = program("ifconfig", run)
