"""netstat(1): show network status."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from cmds._bsd import command, err_of, flag, operands, option, program
from cmds._handover import handover, not_ours
from cmds.netstat.show import Netstat, Options
from libnet.libsocket.ctx import Ctx

USAGE: Final = """\
usage: netstat [-AanT] [-f address_family]
       netstat [-dgiLmnrsTv] [-f address_family] [-F fib_selector]
       netstat [-dnbT] [-I interface] [-w wait]
       netstat [-T] [-p protocol]
       netstat [-T] [-p protocol] -P pcbaddr
       netstat [-p protocol] [-iT] [-I interface]
       netstat [-sT] [-f address_family] [-i] [-I interface]
       netstat [-s] [-B] [-I interface]
"""

AF_LOCAL: Final = 1
# What -f takes. Families that no stack of ours has show nothing, as where they are not configured.
FAMILIES: Final = {
    "inet": 2,
    "inet6": 24,
    "arp": 28,
    "pfkey": 29,
    "unix": AF_LOCAL,
    "local": AF_LOCAL,
    "iso": 7,
    "atalk": 16,
}


def atoi(text: str) -> int:
    """Return what atoi(3) reads at the front of *text*, 0 for nothing.

    >>> atoi("12s"), atoi("-3"), atoi("x")
    (12, -3, 0)
    """
    text = text.lstrip()
    sign = -1 if text[:1] == "-" else 1
    digits = ""
    for char in text[text[:1] in ("-", "+") :]:
        if char not in "0123456789" or len(digits) > 9:
            break
        digits += char
    return sign * int(digits or "0")


@command(usage=USAGE)
@flag("-A", "pcbs")
@flag("-a", "all_")
@flag("-B", "bpf")
@flag("-b", "octets")
@flag("-d", "drops")
@option("-F", "fib")
@option("-f", "family")
@flag("-g", "groups")
@option("-I", "interface")
@flag("-i", "interfaces")
@flag("-L", "no_llinfo")
@flag("-l", "wide_groups")
@option("-M", "core")
@flag("-m", "mbufs")
@option("-N", "system")
@flag("-n", "numeric")
@option("-P", "pcb")
@option("-p", "proto")
@flag("-Q", "bare")
@flag("-q", "queues")
@flag("-r", "routes")
@flag("-S", "numeric_addr")
@option("-s", "stats", count=True)
@flag("-T", "tcp_names")
@flag("-t", "timer")
@flag("-u", "local")
@flag("-v", "verbose")
@option("-w", "wait")
@operands
def run(
    ctx: Ctx,
    pcbs: bool,
    all_: bool,
    bpf: bool,
    octets: bool,
    drops: bool,
    fib: str | None,
    family: str | None,
    groups: bool,
    interface: str | None,
    interfaces: bool,
    no_llinfo: bool,
    wide_groups: bool,
    core: str | None,
    mbufs: bool,
    system: str | None,
    numeric: bool,
    pcb: str | None,
    proto: str | None,
    bare: bool,
    queues: bool,
    routes: bool,
    numeric_addr: bool,
    stats: int,
    tcp_names: bool,
    timer: bool,
    local: bool,
    verbose: bool,
    wait: str | None,
    operands: tuple[str, ...],
) -> int:
    """Show network status."""
    # Names come from the box's files, whatever the transport that tcp_names would choose, and
    # wide_groups widens columns of the IPv6 multicast tables, which no stack of ours has.
    del tcp_names, wide_groups
    err = err_of(ctx)
    opt = Options()
    opt.pcbs, opt.all, opt.octets, opt.drops = pcbs, all_, octets, drops
    opt.interface, opt.no_llinfo = interface, no_llinfo
    opt.numeric, opt.numeric_addr = numeric, numeric or numeric_addr
    opt.bare, opt.stats, opt.timer, opt.verbose = bare, stats, timer, verbose
    if family is not None:
        if family not in FAMILIES:
            err.errx(f"{family}: unknown address family")
        opt.family = FAMILIES[family]
    if local:
        opt.family = AF_LOCAL
    if fib is not None:
        if fib != "a" and not (fib.isascii() and fib.isdigit() and len(fib) < 3 and int(fib) < 16):
            err.errx(f"{fib}: invalid FIB, give 0 to 15 or a")
        opt.fib = -1 if fib == "a" else int(fib)
        opt.verbose = True
    if pcb is not None:
        digits = pcb.lower().removeprefix("0x")
        if not digits or len(digits) > 16 or any(c not in "0123456789abcdef" for c in digits):
            err.errx(f"invalid PCB address {pcb}")
        opt.pcb = int(digits, 16)
    interfaces = interfaces or interface is not None or wait is not None
    if wait is not None:
        opt.interval = max(0, atoi(wait))
    words = list(operands)
    if words and words[0][:1].isascii() and words[0][:1].isdigit():
        opt.interval = atoi(words.pop(0))
        interfaces = True
        if opt.interval <= 0:
            return run.usage(ctx)
    if core is not None or system is not None or words:
        err.errx("there is no kernel memory to read: the stack is asked through /dev/socket")
    if proto is not None:
        opt.proto = Netstat.protocol(ctx, proto)
        if opt.proto is None:
            err.errx(f"{proto}: unknown or uninstrumented protocol")
    opt.interfaces = interfaces
    show = Netstat(ctx, opt)
    if bpf:
        show.bpf()
    elif mbufs:
        show.mbufs()
    elif opt.pcb is not None:
        show.dump_pcb()
    elif opt.proto is not None:
        show.protocol_stats(opt.proto)
    elif queues:
        show.queues()
    elif interfaces and not opt.family:
        show.interfaces()
    elif routes and not interfaces:
        show.routes()
    elif groups and not interfaces:
        show.groups()
    else:
        show.protocols()
    return 0


def _start(argv: Sequence[str], ctx: Ctx) -> int:
    if not_ours(ctx):
        handover(ctx, argv)
    return run.run(argv, ctx)


main = program("netstat", _start)
