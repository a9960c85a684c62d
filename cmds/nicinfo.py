"""nicinfo(8): what a network driver says of its hardware, and what it has counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cmds._bsd import command, err_of, flag, operands, program
from libnet.addr import AF_INET
from libnet.errors import NetError
from libnet.ioctl.ifflags import IFM_IEEE80211, IFM_NMASK, IFNAMSIZ
from libnet.ioctl.sockio import (
    DRVCOM_CONFIG,
    DRVCOM_STATS,
    NIC_FLAG_LINK_DOWN,
    NIC_FLAG_MULTICAST,
    NIC_FLAG_PROMISCUOUS,
    SIOCGDRVCOM,
    SIOCGIFCONF,
    SIOCGIFMEDIA,
    SIOCIFGCLONERS,
    DrvCom,
    DrvComConfig,
    DrvComStats,
    IfCloneReq,
    IfConf,
    IfMediaReq,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.record import Struct
from libnet.text.err import Err

USAGE: Final = "usage: nicinfo [-rs] [interface ...]\n"

IO_NET: Final = "/dev/io-net/"  # where the shim registers the drivers of io-net

CONNECTORS: Final = {0: "UTP", 1: "MII", 2: "BNC", 3: "AUI", 4: "STP", 5: "Fiber"}
_MII: Final = 1

COLUMN: Final = 46  # dots reach it

# Label and field of each statistic, in groups. Those of the first field are always there; any other
# only if the driver says that it counts it: NIC_STAT_ or NIC_ETHER_STAT_ and the field's name.
STATISTICS: Final = (
    (
        ("Packets Transmitted OK", "txed_ok"),
        ("Bytes Transmitted OK", "octets_txed_ok"),
        ("Broadcast Packets Transmitted OK", "txed_broadcast"),
        ("Multicast Packets Transmitted OK", "txed_multicast"),
        ("Memory Allocation Failures on Transmit", "tx_failed_allocs"),
    ),
    (
        ("Packets Received OK", "rxed_ok"),
        ("Bytes Received OK", "octets_rxed_ok"),
        ("Broadcast Packets Received OK", "rxed_broadcast"),
        ("Multicast Packets Received OK", "rxed_multicast"),
        ("Memory Allocation Failures on Receive", "rx_failed_allocs"),
    ),
    (
        ("Single Collisions on Transmit", "single_collisions"),
        ("Multiple Collisions on Transmit", "multi_collisions"),
        ("Deferred Transmits", "deferred_tx"),
        ("Late Collision on Transmit errors", "late_collisions"),
        ("Transmits aborted (excessive collisions)", "xcoll_aborted"),
        ("Transmits aborted (excessive deferrals)", "xdefer_aborted"),
        ("Transmit Underruns", "tx_underruns"),
        ("No Carrier on Transmit", "no_carrier"),
        ("Jabber detected", "jabber_detected"),
        ("Receive Alignment errors", "align_errors"),
        ("Received packets with CRC errors", "fcs_errors"),
        ("Packets Dropped on receive", "rx_dropped"),
        ("Ethernet Headers out of range", "length_field_outrange"),
        ("Oversized Packets received", "oversized_packets"),
        ("Frames with Dribble Bits", "dribble_bits"),
        ("Total Frame errors", "total_rx_frame_errors"),
    ),
)
_ALWAYS: Final = frozenset(("txed_ok", "octets_txed_ok", "rxed_ok", "octets_rxed_ok"))


@command(usage=USAGE)
@flag("-r", "raw")
@flag("-s", "only_stats")
@operands
def run(ctx: Ctx, raw: bool, only_stats: bool, operands: tuple[str, ...]) -> int:
    """Print one block an interface; go on after one that cannot be asked."""
    err = err_of(ctx)
    try:
        sock = ctx.socket(AF_INET, SOCK_DGRAM)
    except NetError as exc:
        err.err(exc, "socket")
    with sock:
        names = [_unit(one) for one in operands]
        chosen = names or list(_drivers(sock, err))
        status, blocks = 0, 0
        for name in chosen:
            block = _block(sock, err, name, raw=raw, stats=only_stats, named=bool(names))
            if block is None:
                status = 1
            elif block:
                ctx.stdout.write(("\n" if blocks and not raw else "") + block)
                blocks += 1
    return status


def split(argv: Iterable[str]) -> list[str]:
    """Return *argv* with an interface that is glued to its option cut off.

    >>> split(["-swm0"]), split(["-rs", "wm0"]), split(["-sr0"]), split(["-x0"])
    (['-s', 'wm0'], ['-rs', 'wm0'], ['-s', 'r0'], ['-x0'])
    """
    words: list[str] = []
    for word in argv:
        rest = word[1:].lstrip("rs") if word.startswith("-") else ""
        if rest.isdigit():
            rest = word[len(word) - len(rest) - 1 :]  # its only letter was taken for an option
        if rest[-1:].isdigit() and len(rest) < len(word) - 1:
            words += [word[: -len(rest)], rest]
        else:
            words.append(word)
    return words


def _unit(operand: str) -> str:
    """Return the interface that an operand names: its name, or the path that io-net gave it."""
    return operand.removeprefix(IO_NET)


def _drivers(sock: Socket, err: Err) -> Iterable[str]:
    """Yield the interfaces that have a driver; those that the stack makes up itself have none."""
    try:
        conf: IfConf = sock.ioctl(SIOCGIFCONF, IfConf())
        cloned = set(sock.ioctl(SIOCIFGCLONERS, IfCloneReq()).names)
    except NetError as exc:
        err.err(exc, "getifaddrs")
    for name in dict.fromkeys(req.name for req in conf.req):
        if name.rstrip("0123456789") not in cloned:
            yield name


def _block(sock: Socket, err: Err, name: str, *, raw: bool, stats: bool, named: bool) -> str | None:
    """Return the text about interface *name*; None, with a message, if the driver does not tell.

    A radio that nobody named gives no text: what there is to say about it, wlanctl says.
    """
    if not name or len(name) >= IFNAMSIZ:
        err.warn("ENXIO", name)
        return None
    try:
        config = None
        if not stats:
            config = sock.ioctl(SIOCGDRVCOM, DrvCom(name, DRVCOM_CONFIG)).config
        counts = sock.ioctl(SIOCGDRVCOM, DrvCom(name, DRVCOM_STATS)).stats
    except NetError as exc:
        if not named and _is_radio(sock, name):
            return ""
        err.warn(exc, name)
        return None
    if raw:
        return show_raw(name, config) + show_raw(name, counts)
    return show(name, config, counts)


def _is_radio(sock: Socket, name: str) -> bool:
    try:
        word: int = sock.ioctl(SIOCGIFMEDIA, IfMediaReq(name)).current
    except NetError:
        return False
    return word & IFM_NMASK == IFM_IEEE80211


def line(label: str, value: object, indent: int = 2) -> str:
    """Return one line: label, dots up to a fixed column, value.

    >>> line("Packets Received OK", 903)
    '  Packets Received OK ........................ 903'
    """
    head = f"{' ' * indent}{label} "
    return f"{head:.<{COLUMN}} {value}"


def show(name: str, config: DrvComConfig | None, counts: DrvComStats | None) -> str:
    """Return the block of one interface."""
    groups: list[list[str]] = []
    if config is not None:
        groups = [_heading(config), _config(config)]
    if counts is not None:
        groups += [group for group in _statistics(counts) if group]
    return f"{name}: \n" + "\n\n".join("\n".join(group) for group in groups) + "\n"


def _heading(config: DrvComConfig) -> list[str]:
    down = config.flags & NIC_FLAG_LINK_DOWN
    return [f"  {config.device_description}", f"  Link is {'DOWN' if down else 'up'}"]


def _node(octets: bytes) -> str:
    text = octets.hex().upper()
    return f"{text[:6]} {text[6:]}"


def _config(config: DrvComConfig) -> list[str]:
    rate = f"{config.media_rate / 1000:.2f} Mb/s"
    if config.duplex >= 0:
        rate += f" {'full' if config.duplex else 'half'}-duplex"
    lines = [
        line("Physical Node ID", _node(config.permanent_address)),
        line("Current Physical Node ID", _node(config.current_address)),
        line("Current Operation Rate", rate),
        line("Active Interface Type", CONNECTORS.get(config.connector, "Unknown")),
    ]
    if config.connector == _MII:
        lines.append(line("Active PHY address", config.phy_addr, indent=4))
    lines += [
        line("Maximum Transmittable data Unit", config.mtu),
        line("Maximum Receivable data Unit", config.mru),
    ]
    lines += [line("Hardware Interrupt", f"{irq:#x}") for irq in config.irq]
    lines += [
        line(label, f"{base:#x} - {base + max(size, 1) - 1:#x}")
        for label, bases, sizes in (
            ("I/O Aperture", config.io_window_base, config.io_window_size),
            ("Memory Aperture", config.mem_window_base, config.mem_window_size),
        )
        for base, size in zip(bases, sizes, strict=False)
    ]
    return [
        *lines,
        line("Promiscuous Mode", "On" if config.flags & NIC_FLAG_PROMISCUOUS else "Off"),
        line("Multicast Support", "Enabled" if config.flags & NIC_FLAG_MULTICAST else "Disabled"),
    ]


def _statistics(counts: DrvComStats) -> Iterable[list[str]]:
    valid = {
        name.removeprefix("NIC_").removeprefix("ETHER_").removeprefix("STAT_").lower()
        for name in counts.valid_stats
    }
    for group in STATISTICS:
        yield [
            line(label, getattr(counts, field))
            for label, field in group
            if field in _ALWAYS or field in valid
        ]


def show_raw(name: str, struct: Struct | None) -> str:
    """Return a structure field by field: interface, field, value as hex octets, number or text."""
    text = ""
    for field in struct._fields if struct is not None else ():
        value = getattr(struct, field)
        if isinstance(value, bytes):
            value = value.hex()
        elif isinstance(value, list):
            value = ",".join(map(str, value))
        text += f"{name} {field} {value}\n"
    return text


def _run(argv: Iterable[str], ctx: Ctx) -> int:
    return run.run(split(argv), ctx)


main = program("nicinfo", _run)
