"""lab(1): the wires and airs of a world, what is wrong with them, and what else is plugged in.

The parts, in this order: the commands; the processes that carry frames for some of them, which are
told of in WORLD/run/lab/; what `up` reads.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from cmds._bsd import program
from libnet.libsocket.ctx import Ctx
from libnet.media.impair import Impairments

if TYPE_CHECKING:
    from libnet.loop.loop import Loop
    from libnet.media.pcap import Packet
    from libnet.media.unixseg import UnixPort

STOP_S: Final = 5.0  # how long a carrier may take to end before it is killed
STUCK_S: Final = 5.0  # how long inject waits for a receiver that takes nothing
REPORT_S: Final = 0.3  # how long status waits for the counters of ports
BATCH: Final = 256  # frames that inject hands over in a pass
_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}\Z")


class LabError(Exception):
    """What a person must be told, after "lab: "; exit status 1."""


def run(argv: Sequence[str], ctx: Ctx) -> int:
    """Run with *argv*; return the exit status: 1 when it cannot be done, 2 for wrong usage."""
    with contextlib.redirect_stdout(ctx.stdout):  # where click writes its help
        try:
            result = lab.main(list(argv), prog_name=ctx.prog, standalone_mode=False, obj=ctx)
        except click.ClickException as exc:
            exc.show(file=ctx.stderr)
            return exc.exit_code
        except click.Abort:
            return 130
        except LabError as exc:
            ctx.stderr.write(f"{ctx.prog}: {exc}\n")
            return 1
        except OSError as exc:
            what = f"{exc.filename}: " if exc.filename else ""
            ctx.stderr.write(f"{ctx.prog}: {what}{exc.strerror or exc}\n")
            return 1
    return result if isinstance(result, int) else 0


@click.group()
def lab() -> None:
    """Manage the segments and airs of a world and what is plugged into them."""


class _SegmentName(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "segment"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:
        """Return *value* if it can name a segment."""
        if not _SEGMENT.match(value):
            self.fail(f"{value!r} cannot name a segment", param, ctx)
        return str(value)


SEGMENT: Final = click.argument("segment", type=_SegmentName())
AIR: Final = click.argument("air", type=_SegmentName())


def _directory(ctx: Ctx, segment: str, *, air: bool = False) -> str:
    return os.path.join(ctx.box.airs if air else ctx.box.segments, segment)


def _labair() -> Any:
    """Return the part about airs, which other verbs do not pay for."""
    from cmds import _labair

    return _labair


@contextlib.contextmanager
def _air_errors() -> Iterator[None]:
    try:
        yield
    except _labair().AirError as exc:
        raise LabError(str(exc)) from None


# Ports to the outside.


@lab.command()
@SEGMENT
@click.option("--netns", default="", metavar="NS", help="Network namespace of the interface.")
@click.option("--ifname", default="iopkt0", show_default=True, help="Name of the interface.")
@click.option("--address", "addresses", multiple=True, metavar="A/LEN", help="Its address.")
@click.option("--mac", default="", help="Its link address.")
@click.option("--mtu", type=click.IntRange(68, 65521), default=None, help="Its MTU.")
@click.option("--create", is_flag=True, help="Make the namespace if it is not there.")
@click.option("--plain", is_flag=True, help="Without virtio-net's header: no offload.")
@click.pass_obj
def tap(
    ctx: Ctx,
    segment: str,
    netns: str,
    ifname: str,
    addresses: tuple[str, ...],
    mac: str,
    mtu: int | None,
    create: bool,
    plain: bool,
) -> None:
    """Plug a Linux interface into SEGMENT; it stays until untap."""
    start_tap(
        ctx,
        segment,
        netns=netns,
        ifname=ifname,
        addresses=addresses,
        mac=mac,
        mtu=mtu or 0,
        create=create,
        plain=plain,
    )


def start_tap(
    ctx: Ctx, segment: str, *, netns: str, ifname: str, plain: bool = False, **how: Any
) -> None:
    """Make the TAP and start what carries for it. Raises LabError."""
    from libnet.media.tap import TapError, make_tap

    try:
        fd = make_tap(ifname, netns=netns, vnet=not plain, **how)
    except TapError as exc:
        raise LabError(str(exc)) from None
    try:
        _start(
            ctx,
            "tap",
            segment,
            f"{netns or 'host'}.{ifname}",
            fd=fd,
            vnet=int(not plain),
            netns=netns,
            ifname=ifname,
            address=",".join(how.get("addresses", ())),
        )
    finally:
        os.close(fd)


@lab.command()
@SEGMENT
@click.option("--ifname", default=None, help="Only the interface of this name.")
@click.option("--netns", default=None, metavar="NS", help="Only the one in this namespace.")
@click.pass_obj
def untap(ctx: Ctx, segment: str, ifname: str | None, netns: str | None) -> None:
    """Take Linux interfaces out of SEGMENT."""
    want = {"ifname": ifname, "netns": netns}
    _stop_all(ctx, "tap", segment, {k: v for k, v in want.items() if v is not None})


@lab.command()
@SEGMENT
@click.option("--local", required=True, metavar="PATH", help="Where we receive.")
@click.option("--remote", required=True, metavar="PATH", help="Where the other end receives.")
@click.pass_obj
def dgram(ctx: Ctx, segment: str, local: str, remote: str) -> None:
    """Plug a pair of Unix datagram sockets, as of QEMU's -netdev dgram, into SEGMENT."""
    local, remote = os.path.abspath(local), os.path.abspath(remote)
    name = re.sub(r"[~/]", "_", os.path.basename(local))
    _start(ctx, "dgram", segment, f"dgram.{name}", local=local, remote=remote)


@lab.command()
@SEGMENT
@click.option("--local", default=None, metavar="PATH", help="Only the one that receives here.")
@click.pass_obj
def undgram(ctx: Ctx, segment: str, local: str | None) -> None:
    """Take datagram pairs out of SEGMENT."""
    _stop_all(ctx, "dgram", segment, {"local": os.path.abspath(local)} if local else {})


@lab.command()
@AIR
@click.option("--local", default="", metavar="PATH", help="Where we receive.")
@click.option("--remote", default="", metavar="PATH", help="Where the other end receives.")
@click.option("--mac", default="", help="Its station address, until it tells.")
@click.option("--label", default="", metavar="BOX:NIC", help="What a place is given to.")
@click.pass_obj
def radio(ctx: Ctx, air: str, local: str, remote: str, mac: str, label: str) -> None:
    """Let a radio outside, behind a pair of Unix datagram sockets, onto AIR: iopkt-air(5).

    The sockets are the air's radio.in and radio.out if nothing else is said.
    """
    directory = _directory(ctx, air, air=True)
    local = os.path.abspath(local or os.path.join(directory, "radio.in"))
    remote = os.path.abspath(remote or os.path.join(directory, "radio.out"))
    address = mac.replace(":", "").lower() or "020000000000"
    if len(address) != 12 or not all(c in "0123456789abcdef" for c in address):
        raise click.UsageError(f"{mac}: not a MAC address")
    name = re.sub(r"[~/]", "_", os.path.basename(local))
    with _air_errors():
        label = _labair().label_of(label) if label else f"radio.{name}"
    _labair().make_segment(directory)
    _start(ctx, "radio", air, label, air=True, local=local, remote=remote, mac=address)


@lab.command()
@AIR
@click.option("--local", default=None, metavar="PATH", help="Only the one that receives here.")
@click.pass_obj
def unradio(ctx: Ctx, air: str, local: str | None) -> None:
    """Take radios outside off AIR."""
    want = {"local": os.path.abspath(local)} if local else {}
    _stop_all(ctx, "radio", air, want, air=True)


# Captures.


@lab.command()
@SEGMENT
@click.option("-w", "file", default=None, metavar="FILE", help='File to write; "-": output.')
@click.option("-c", "count", type=click.IntRange(1), default=None, help="Stop after N packets.")
@click.option(
    "--snaplen",
    "-s",
    type=click.IntRange(1, 262144),
    default=262144,
    help="Octets to keep of each packet.",
)
@click.option("--background", is_flag=True, help="Record until capture --stop.")
@click.option("--stop", is_flag=True, help="End the recordings in the background.")
@click.option("--air", is_flag=True, help="SEGMENT is an air: 802.11 frames with radiotap.")
@click.pass_obj
def capture(
    ctx: Ctx,
    segment: str,
    file: str | None,
    count: int | None,
    snaplen: int,
    background: bool,
    stop: bool,
    air: bool,
) -> None:
    """Record what passes on SEGMENT, for tcpdump and its kin."""
    if stop:
        if file or count or background:
            raise click.UsageError("--stop goes with nothing else")
        _stop_all(ctx, "capture", segment, {}, air=air)
    elif file is None:
        raise click.UsageError("Missing option '-w'.")
    elif background:
        if file == "-":
            raise click.UsageError("--background needs a file")
        where = os.path.abspath(file)
        what = {"file": where, "snaplen": snaplen, "count": count or 0}
        _start(ctx, "capture", segment, "capture", air=air, **what)
    else:
        _capture(ctx, segment, file, count or 0, snaplen, air=air)


def _capture(ctx: Ctx, segment: str, file: str, count: int, snaplen: int, *, air: bool) -> None:
    import signal

    from libnet.loop.loop import Loop
    from libnet.media.pcap import PcapRecorder
    from libnet.media.unixseg import UnixPort

    loop = Loop()
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.on_signal(signum, loop.stop)
    out = os.dup(1) if file == "-" else file
    with open(out, "wb") as sink:
        how: dict[str, Any] = {"snaplen": snaplen, "count": count}
        recorder: Any
        port: Any
        if air:
            recorder, port = _labair().record(ctx, segment, sink, loop=loop, **how)
        else:
            recorder = PcapRecorder(sink, loop.clock.wall, done=loop.stop, **how)
            recorder.writer.flush()
            port = UnixPort(loop, _directory(ctx, segment), "capture", role="all")
            port.receive = recorder.receive
        ctx.stderr.write(f"{ctx.prog}: recording {segment}\n")
        ctx.stderr.flush()
        try:
            loop.run()
        except BrokenPipeError:
            # The reader has gone: there is nobody to record for.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sink.fileno())
        finally:
            port.close()
            loop.close()
    ctx.stderr.write(f"{ctx.prog}: {_plural(recorder.writer.count, 'packet')} recorded\n")


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


# Injection.


@lab.command()
@SEGMENT
@click.argument("file")
@click.option("--fast", "pace", flag_value="fast", default=True, help="All at once (default).")
@click.option("--timed", "pace", flag_value="timed", help="At the pace of the recording.")
@click.pass_obj
def inject(ctx: Ctx, segment: str, file: str, pace: str) -> int:
    """Send the packets of the capture FILE on SEGMENT."""
    from libnet.loop.loop import Loop
    from libnet.media.pcap import DLT_EN10MB, PcapError, PcapReader
    from libnet.media.unixseg import UnixPort

    packets: list[Packet] = []
    fault = ""
    with open(file, "rb") as source:
        try:
            reader = PcapReader(source)
        except PcapError as exc:
            raise LabError(f"{file}: {exc}") from None
        if reader.linktype != DLT_EN10MB:
            raise LabError(f"{file}: link type {reader.linktype} is not Ethernet")
        try:
            packets.extend(reader)
        except PcapError as exc:
            fault = str(exc)  # what came before it is sent all the same
    whole = [packet for packet in packets if len(packet.frame) == packet.length]
    loop = Loop()
    port = UnixPort(loop, _directory(ctx, segment), "inject")
    try:
        if pace == "timed":
            _send_timed(loop, port, whole)
        else:
            _send_fast(loop, port, whole)
        stuck = not _settle(loop, port)
    finally:
        port.close()
        loop.close()
    ctx.stdout.write(f"{_plural(port.stat['opackets'], 'packet')} sent on {segment}\n")
    complaints = [
        (fault, f"{file}: {fault}"),
        (
            len(packets) > len(whole),
            f"{file}: {_plural(len(packets) - len(whole), 'packet')} cut short: not sent",
        ),
        (port.stat["bad frame length"], f"{file}: packets too short or too long: not sent"),
        (port.stat["nobody there"], f"{segment}: nobody is there"),
        (stuck, f"{segment}: a port takes nothing"),
    ]
    for true, text in complaints:
        if true:
            ctx.stderr.write(f"{ctx.prog}: {text}\n")
    return 1 if any(true for true, _ in complaints) else 0


def _send_fast(loop: Loop, port: UnixPort, packets: Sequence[Packet]) -> None:
    for at in range(0, len(packets), BATCH):
        port.send_many([packet.frame for packet in packets[at : at + BATCH]])
        loop.run_once(0.0)
        # Nothing may be lost because the receiver is slower than we are.
        if port.backlog > BATCH and not _settle(loop, port):
            return


def _send_timed(loop: Loop, port: UnixPort, packets: Sequence[Packet]) -> None:
    if not packets:
        return
    start, first = loop.clock.now, packets[0].time_s
    rest = iter(packets)
    packet: Packet | None = next(rest)

    def step() -> None:
        nonlocal packet
        while packet is not None:
            wait = start + packet.time_s - first - loop.clock.now
            if wait > 0:
                loop.clock.after(wait, step)
                return
            port.send(packet.frame)
            packet = next(rest, None)

    step()
    while packet is not None:
        loop.run_once(None)


def _settle(loop: Loop, port: UnixPort) -> bool:
    """Wait until all has left; return False when nothing moves any more."""
    loop.run_once(0.0)
    left, since = port.backlog, loop.clock.now
    while left:
        loop.run_once(STUCK_S)
        if port.backlog != left or port.slow:
            left, since = port.backlog, loop.clock.now
        elif loop.clock.now - since >= STUCK_S:
            return False
    return True


# What is wrong with a wire.

_PERCENT: Final = click.FloatRange(0, 100)
_AMOUNT: Final = click.FloatRange(0)


@lab.command()
@SEGMENT
@click.option("--loss", type=_PERCENT, metavar="PCT", help="Frames that get lost.")
@click.option("--delay", type=_AMOUNT, metavar="MS", help="How long a frame takes.")
@click.option("--jitter", type=_AMOUNT, metavar="MS", help="By how much that varies.")
@click.option("--dup", type=_PERCENT, metavar="PCT", help="Frames that come twice.")
@click.option("--reorder", type=_PERCENT, metavar="PCT", help="Frames overtaken by the next.")
@click.option("--corrupt", type=_PERCENT, metavar="PCT", help="Frames with one bit wrong.")
@click.option("--rate", type=_AMOUNT, metavar="KBIT", help="Kilobits a second; 0: no limit.")
@click.option("--partition", metavar="A,B|C", help="Boxes that hear each other, in groups.")
@click.option("--seed", type=int, help="Where the dice start.")
@click.option("--clear", is_flag=True, help="Make the wire perfect.")
@click.pass_obj
def impair(ctx: Ctx, /, segment: str, clear: bool, **given: Any) -> None:
    """Change what is wrong with SEGMENT; with no options, show it."""
    from libnet.media.unixseg import BadImpairFile, read_impairments

    directory = _directory(ctx, segment)
    changes = {name: value for name, value in given.items() if value is not None}
    if clear:
        if changes:
            raise click.UsageError("--clear goes with nothing else")
        set_impairments(directory, Impairments())
        return
    try:
        now = read_impairments(directory)[0].to_dict()
    except BadImpairFile as exc:
        raise LabError(str(exc)) from None
    if not changes:
        ctx.stdout.write(f"{segment}: {_words(Impairments(**now)) or 'nothing wrong'}\n")
        return
    try:
        how = Impairments(**{**now, **changes})
    except ValueError as exc:
        raise click.UsageError(str(exc)) from None
    set_impairments(directory, how)


def set_impairments(directory: str, how: Impairments) -> None:
    """Store *how* and tell every port of the segment."""
    from libnet.media.datagram import IMPAIR
    from libnet.media.unixseg import make_segment, tell, write_impairments

    make_segment(directory)
    write_impairments(directory, how)
    tell(directory, IMPAIR)


def _words(how: Impairments) -> str:
    units = {"delay": "ms", "jitter": "ms", "rate": "kbit/s", "partition": "", "seed": ""}
    return ", ".join(
        f"{name} {value:g}{units.get(name, '%')}"
        if isinstance(value, float)
        else f"{name} {value}{units.get(name, '%')}"
        for name, value in how.to_dict().items()
    )


@lab.command()
@click.argument("nic", metavar="BOX:NIC")
@click.argument("state", type=click.Choice(["up", "down"]))
@click.pass_obj
def cable(ctx: Ctx, nic: str, state: str) -> None:
    """Pull the cable of an interface, or plug it in."""
    from libnet.media.datagram import LINK
    from libnet.media.unixseg import port_name, tell, write_cable

    box, colon, name = nic.partition(":")
    label = f"{box}.{name}"
    try:
        if not (box and colon and name):
            raise ValueError("BOX:NIC is wanted")
        port_name(label, 0)
    except ValueError as exc:
        raise click.UsageError(f"{nic}: {exc}") from None
    write_cable(_directory(ctx, "any"), label, state == "up")
    for segment in _segments(ctx):
        tell(_directory(ctx, segment), LINK, label=label)


# Airs.


@lab.command("air")
@AIR
@click.option("--exponent", type=float, metavar="N", help="Of the path loss.")
@click.option("--noise", type=float, metavar="DBM", help="The noise floor.")
@click.option("--sense", type=float, metavar="DBM", help="What a sender waits for.")
@click.option("--capture", type=float, metavar="DB", help="By which the stronger frame wins.")
@click.option("--loss", type=float, metavar="PCT", help="Frames that get lost besides.")
@click.option("--seed", type=int, help="Where the dice start.")
@click.option("--clear", is_flag=True, help="Make the air like any.")
@click.pass_obj
def air_(ctx: Ctx, /, air: str, clear: bool, **given: Any) -> None:
    """Change the properties of AIR; with no options, show them."""
    changes = {name: value for name, value in given.items() if value is not None}
    if clear and changes:
        raise click.UsageError("--clear goes with nothing else")
    part = _labair()
    with _air_errors():
        if clear:
            part.reset(ctx, air)
        elif changes:
            part.change(ctx, air, changes)
        else:
            how, _places = part.read(_directory(ctx, air, air=True))
            ctx.stdout.write(f"{air}: {part.words(how)}\n")


@lab.command(context_settings={"ignore_unknown_options": True})
@click.argument("nic", metavar="BOX:NIC")
@click.argument("metres", nargs=-1, metavar="[X Y [Z]]")
@click.option("--air", default="", help="The air; without it, the one the radio is in.")
@click.option("--clear", is_flag=True, help="Forget its place.")
@click.pass_obj
def place(ctx: Ctx, nic: str, metres: tuple[str, ...], air: str, clear: bool) -> None:
    """Put the antenna of a radio somewhere, in metres; with no place, show it."""
    from libnet.media.airmodel import position

    if air and not _SEGMENT.match(air):
        raise click.UsageError(f"{air!r} cannot name an air")
    where = None
    if metres:
        if clear:
            raise click.UsageError("--clear goes with no place")
        try:
            where = position([float(word) for word in metres])
        except ValueError:
            text = " ".join(metres)
            raise click.UsageError(f"{text}: two or three numbers of metres are wanted") from None
    with _air_errors():
        ctx.stdout.write(_labair().place(ctx, nic, where, air=air, remove=clear))


# What there is.


@lab.command()
@click.option("-v", "--verbose", is_flag=True, help="Ask every port for its counters.")
@click.pass_obj
def status(ctx: Ctx, verbose: bool) -> None:
    """Show segments and airs, the ports on them, and what carries frames for the outside."""
    from tabulate import tabulate

    from libnet.media.unixseg import (
        CABLE_DIR,
        BadImpairFile,
        connect,
        ports,
        read_impairments,
    )

    wires, ends = [], []
    for segment in _segments(ctx):
        directory = _directory(ctx, segment)
        live = []
        for name, label, number, role in ports(directory):
            sock = connect(directory, name)  # a dead one is removed
            if sock is not None:
                sock.close()
                live.append((label, number, role))
        try:
            wrong = _words(read_impairments(directory)[0]) or "-"
        except BadImpairFile as exc:
            wrong = str(exc)
        wires.append((segment, sum(role == "" for _l, _n, role in live), wrong))
        counters = _ask(ctx, segment, len(live)) if verbose and live else {}
        for label, number, role in live:
            row = [label, segment, {"all": "recorder", "ctl": "tool"}.get(role, "port")]
            if verbose:
                told = counters.get(number)
                row.append("no answer" if told is None else _counts(told))
            ends.append(row)
    out = ctx.stdout
    out.write(tabulate(wires, ["segment", "ports", "wrong"], disable_numparse=True) + "\n")
    if ends:
        heads = ["port", "segment", "kind", *(["counters"] if verbose else [])]
        out.write("\n" + tabulate(ends, heads, disable_numparse=True) + "\n")
    _status_airs(ctx, verbose=verbose)
    carriers = [
        (c["kind"], os.path.basename(c["segment"]), _what(c), str(c["pid"])) for c in _records(ctx)
    ]
    if carriers:
        heads = ["carrier", "segment", "what", "pid"]
        out.write("\n" + tabulate(carriers, heads, disable_numparse=True) + "\n")
    with contextlib.suppress(FileNotFoundError):
        pulled = sorted(os.listdir(os.path.join(ctx.box.segments, CABLE_DIR)))
        if pulled:
            names = [":".join(label.rpartition(".")[::2]) for label in pulled]
            out.write("\ncables down: " + " ".join(names) + "\n")


def _status_airs(ctx: Ctx, *, verbose: bool) -> None:
    """Show airs and the antennas in them, if there are any."""
    from tabulate import tabulate

    if not os.path.isdir(ctx.box.airs):
        return
    spaces, ends = _labair().rows(ctx)
    if not spaces:
        return
    out = ctx.stdout
    out.write(
        "\n" + tabulate(spaces, ["air", "radios", "properties"], disable_numparse=True) + "\n"
    )
    if not ends:
        return
    heads = ["port", "air", "kind", "place"]
    rows = [list(end[:4]) for end in ends]
    if verbose:
        heads.append("counters")
        asked = {
            air: _ask(ctx, air, sum(end[1] == air for end in ends), air=True)
            for air in {end[1] for end in ends}
        }
        for row, end in zip(rows, ends, strict=True):
            told = asked[end[1]].get(end[4])
            row.append("no answer" if told is None else _counts(told))
    out.write("\n" + tabulate(rows, heads, disable_numparse=True) + "\n")


def _counts(told: dict[str, Any]) -> str:
    rest = {k: v for k, v in told.items() if k not in ("label", "carrier")}
    words = [f"{name.replace(' ', '-')}={value}" for name, value in sorted(rest.items())]
    return " ".join(([] if told.get("carrier", True) else ["no-carrier"]) + words) or "-"


def _what(carrier: dict[str, Any]) -> str:
    if carrier["kind"] == "tap":
        where = f"{carrier['ifname']} in {carrier['netns'] or 'the host'}"
        return f"{where} {carrier['address']}".rstrip()
    if carrier["kind"] in ("dgram", "radio"):
        return f"{carrier['local']} to {carrier['remote']}"
    return str(carrier["file"])


def _segments(ctx: Ctx) -> list[str]:
    try:
        names = os.listdir(ctx.box.segments)
    except FileNotFoundError:
        return []
    return sorted(name for name in names if _SEGMENT.match(name))


def _ask(ctx: Ctx, segment: str, count: int, *, air: bool = False) -> dict[int, dict[str, Any]]:
    """Return the counters of the ports that answer, by number."""
    from libnet.loop.loop import Loop
    from libnet.media.unixseg import Asker

    loop = Loop()
    asker = Asker(loop, _directory(ctx, segment, air=air))
    try:
        asker.ask()
        until = loop.clock.now + REPORT_S
        while len(asker.reports) < count and loop.clock.now < until:
            loop.run_once(until - loop.clock.now)
        return asker.reports
    finally:
        asker.close()
        loop.close()


# The processes that carry.


def _run_dir(ctx: Ctx) -> str:
    return os.path.join(ctx.box.world, "run", "lab")


def _start(
    ctx: Ctx, kind: str, segment: str, label: str, *, air: bool = False, **spec: Any
) -> None:
    """Start a carrier and wait until it carries. Raises LabError with its reason if it does not.

    air  whether *segment* is an air       fd  a descriptor that it inherits
    """
    import cmds._labd

    directory = _run_dir(ctx)
    os.makedirs(directory, 0o700, exist_ok=True)
    for _record in _records(ctx):
        continue  # what killed ones left is removed on the way
    read, write = os.pipe()
    try:
        spec["ready"] = write
        for fd in (write, spec.get("fd", -1)):
            if fd >= 0:
                os.set_inheritable(fd, True)
        spec["segment"], spec["label"] = _directory(ctx, segment, air=air), label
        spec["air"] = int(air)
        spec["record"] = os.path.join(
            directory, f"{kind}.{os.getpid()}.{read}.{os.urandom(4).hex()}"
        )
        home = os.path.dirname(os.path.dirname(os.path.abspath(cmds._labd.__file__)))
        # It is no process of the box whose shell we may have been called from.
        environ = {k: v for k, v in ctx.environ.items() if not k.startswith("IOPKT_")}
        environ["PYTHONPATH"] = os.pathsep.join(filter(None, (home, environ.get("PYTHONPATH", ""))))
        environ["MALLOC_TRIM_THRESHOLD_"] = str(1 << 28)
        log = os.path.join(directory, "log")
        append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        os.posix_spawn(
            sys.executable,
            [sys.executable, "-m", "cmds._labd", kind, *(f"{k}={v}" for k, v in spec.items())],
            environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, log, append, 0o600),
                (os.POSIX_SPAWN_DUP2, 1, 2),
                (os.POSIX_SPAWN_CLOSE, read),
            ],
            setsid=True,
        )
        os.close(write)
        write = -1
        said = os.read(read, 4096).decode("utf-8", "replace")
    finally:
        os.close(read)
        if write >= 0:
            os.close(write)
    if said != "ok":
        raise LabError(said or f"the carrier ended; see {log}")


def _records(ctx: Ctx) -> Iterator[dict[str, Any]]:
    """Yield what each live carrier told of itself, plus "record"; remove what dead ones left."""
    directory = _run_dir(ctx)
    try:
        names = sorted(os.listdir(directory))
    except FileNotFoundError:
        return
    for name in names:
        if name.partition(".")[0] not in ("tap", "dgram", "capture", "radio") or name.endswith("~"):
            continue
        path = os.path.join(directory, name)
        try:
            with open(path, encoding="utf-8") as file:
                told = json.load(file)
            alive = _born(told["pid"]) == told["born"] is not None
        except FileNotFoundError:
            continue
        except (ValueError, KeyError, TypeError):
            alive = False
        if alive:
            yield {**told, "record": path}
        else:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _born(pid: Any) -> int | None:
    """Return when process *pid* was started, in clock ticks, or None if it does not run."""
    from cmds._labd import born

    return born(pid) if type(pid) is int and pid > 0 else None


def _stop_all(
    ctx: Ctx, kind: str, segment: str, want: dict[str, str], *, air: bool = False
) -> None:
    """End the carriers of *kind* on *segment* that agree with *want*. Raises LabError for none."""
    directory = _directory(ctx, segment, air=air)
    found = [
        record
        for record in _records(ctx)
        if record["kind"] == kind
        and record["segment"] == directory
        and all(record.get(name) == value for name, value in want.items())
    ]
    if not found:
        raise LabError(f"{segment}: no such {kind}")
    for record in found:
        _stop(record)


def _stop(record: dict[str, Any]) -> None:
    """End one carrier, in order if it can."""
    import select
    import signal

    try:
        fd = os.pidfd_open(record["pid"])
    except ProcessLookupError:
        return
    try:
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        signal.pidfd_send_signal(fd, signal.SIGTERM)
        if not poll.poll(STOP_S * 1000):
            signal.pidfd_send_signal(fd, signal.SIGKILL)
            poll.poll(STOP_S * 1000)
    except ProcessLookupError:
        return  # it ended by itself
    finally:
        os.close(fd)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(record["pid"], os.WNOHANG)
    with contextlib.suppress(FileNotFoundError):
        os.unlink(record["record"])


# Topologies.

_BOX_KEYS: Final[dict[str, type]] = {"nics": list, "start": list}
_TAP_KEYS: Final[dict[str, type]] = {
    "segment": str,
    "netns": str,
    "ifname": str,
    "address": list,
    "mac": str,
    "mtu": int,
    "create": bool,
    "plain": bool,
}
_CAPTURE_KEYS: Final[dict[str, type]] = {"segment": str, "file": str}
_LISTS: Final[tuple[tuple[str, dict[str, type], tuple[str, ...]], ...]] = (
    ("tap", _TAP_KEYS, ("segment",)),
    ("capture", _CAPTURE_KEYS, ("segment", "file")),
)
_TOP_KEYS: Final[dict[str, type]] = {
    "segment": dict,
    "air": dict,
    "box": dict,
    "tap": list,
    "capture": list,
}


@lab.command()
@click.argument("file")
@click.pass_obj
def up(ctx: Ctx, file: str) -> None:
    """Bring up the segments, airs, boxes, taps and captures that the TOML FILE describes."""
    conf = read_topology(file)
    note = os.path.join(_run_dir(ctx), "up.json")
    if os.path.exists(note):
        raise LabError("a lab is up already; lab down ends it")
    for name, how in conf["segment"].items():
        set_impairments(_directory(ctx, name), how)
    for name, (properties, places) in conf["air"].items():
        with _air_errors():
            _labair().write(_directory(ctx, name, air=True), properties, places)
    from libnet.lab.world import BadHardware, World, WorldError

    world = World(ctx.box.world)
    try:
        for name, box in conf["box"].items():
            if not world.described(name):
                world.add_box(name, box.get("nics", []))
    except (WorldError, BadHardware) as exc:
        raise LabError(f"{file}: {exc}") from None
    os.makedirs(_run_dir(ctx), 0o700, exist_ok=True)
    with open(note, "w", encoding="utf-8") as out:
        told = {"boxes": conf["box"], "segments": conf["segment"], "airs": conf["air"]}
        json.dump({kind: list(names) for kind, names in told.items()}, out)
    for row in conf["tap"]:
        row = {"netns": "", "ifname": "iopkt0", "address": [], **row}
        start_tap(ctx, row.pop("segment"), addresses=row.pop("address"), **row)
    for row in conf["capture"]:
        where = os.path.abspath(row["file"])
        _start(ctx, "capture", row["segment"], "capture", file=where, snaplen=262144, count=0)
    for name, box in conf["box"].items():
        for line in box.get("start", []):
            result = _box(ctx, "run", name, "--", "sh", "-c", line)
            if result:
                raise LabError(f"{name}: {line}: exit status {result}; lab down undoes the rest")


@lab.command()
@click.option("--remove", is_flag=True, help="Remove the boxes and their files, too.")
@click.pass_obj
def down(ctx: Ctx, remove: bool) -> None:
    """Cut the power of what the last up brought up, and unplug what it plugged in."""
    note = os.path.join(_run_dir(ctx), "up.json")
    try:
        with open(note, encoding="utf-8") as file:
            told = json.load(file)
        boxes, segments = list(told["boxes"]), list(told["segments"])
        spaces = list(told.get("airs", []))
    except FileNotFoundError:
        raise LabError("no lab is up") from None
    except (ValueError, KeyError, TypeError):
        raise LabError(f"{note}: cannot be read; remove it") from None
    for name in boxes:
        _box(ctx, "kill", name)
        if remove:
            _box(ctx, "remove", name)
    for record in _records(ctx):
        _stop(record)
    for name in segments:
        set_impairments(_directory(ctx, name), Impairments())
    for name in spaces:
        with _air_errors():
            _labair().clear(ctx, name)
    os.unlink(note)


def _box(ctx: Ctx, *argv: str) -> int:
    """Run box(1) as a process; return its exit status."""
    import subprocess

    code = "import sys; from cmds.box import main; sys.exit(main())"
    environ = {**ctx.environ, "IOPKT_WORLD": ctx.box.world}
    ctx.stdout.flush()
    done = subprocess.run([sys.executable, "-c", code, *argv], env=environ, check=False)
    return done.returncode


def read_topology(file: str) -> dict[str, Any]:
    """Read and check a topology: {"segment": {name: Impairments}, "air", "box", "tap", "capture"}.

    "air" is {name: (AirProperties, places by label)}.

    Raises LabError: "FILE: what: why".
    """
    import tomllib

    try:
        with open(file, "rb") as source:
            raw = tomllib.load(source)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise LabError(f"{file}: {exc}") from None
    try:
        return _check_topology(raw)
    except ValueError as exc:
        raise LabError(f"{file}: {exc}") from None


def _check_topology(raw: dict[str, Any]) -> dict[str, Any]:
    _typed("", raw, _TOP_KEYS)
    conf: dict[str, Any] = {"segment": {}, "air": {}, "box": {}, "tap": [], "capture": []}
    for name, values in raw.get("segment", {}).items():
        _name(f"segment.{name}", name)
        if type(values) is not dict:
            raise ValueError(f"segment.{name}: a table is wanted")
        try:
            conf["segment"][name] = Impairments.from_dict(values)
        except (ValueError, TypeError) as exc:
            raise ValueError(f"segment.{name}: {exc}") from None
    for name, values in raw.get("air", {}).items():
        _name(f"air.{name}", name)
        if type(values) is not dict:
            raise ValueError(f"air.{name}: a table is wanted")
        try:
            conf["air"][name] = _labair().from_table(values)
        except (ValueError, TypeError) as exc:
            raise ValueError(f"air.{name}: {exc}") from None
    for name, values in raw.get("box", {}).items():
        _typed(f"box.{name}", values, _BOX_KEYS)
        conf["box"][name] = values
    for kind, keys, needed in _LISTS:
        for number, values in enumerate(raw.get(kind, []), 1):
            where = f"{kind} {number}"
            if type(values) is dict and type(values.get("address")) is str:
                values["address"] = [values["address"]]
            _typed(where, values, keys)
            for key in needed:
                if key not in values:
                    raise ValueError(f"{where}: {key} is missing")
            _name(where, values["segment"])
            conf[kind].append(values)
    return conf


def _name(where: str, name: str) -> None:
    if not _SEGMENT.match(name):
        raise ValueError(f"{where}: {name!r} cannot name a segment")


def _typed(where: str, values: Any, keys: dict[str, type]) -> None:
    prefix = f"{where}: " if where else ""
    if type(values) is not dict:
        raise ValueError(f"{prefix}a table is wanted")
    for key, value in values.items():
        kind = keys.get(key)
        if kind is None:
            raise ValueError(f"{prefix}{key}: no such key")
        if type(value) is not kind:
            raise ValueError(f"{prefix}{key}: wrong kind of value")
        if where and isinstance(value, list) and not all(type(item) is str for item in value):
            raise ValueError(f"{prefix}{key}: a list of texts is wanted")


@lab.command()
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--here", is_flag=True, help="In this world, instead of one made for it.")
@click.pass_obj
def play(ctx: Ctx, file: str, here: bool) -> int:
    """Run the transcript FILE and show it as it happens; stop where it differs."""
    from libnet.lab.play import Player
    from libnet.lab.transcript import BadTranscript, Mismatch, parse
    from libnet.lab.transcript import run as run_steps

    def show(text: str) -> None:
        ctx.stdout.write(text)
        ctx.stdout.flush()

    with open(file, encoding="utf-8") as text:
        try:
            steps = parse(text.read())
        except BadTranscript as exc:
            raise LabError(f"{file}:{exc}") from None
    with Player(ctx.environ, ctx.box.world if here else "") as player:
        try:
            run_steps(steps, player, show)
        except Mismatch as exc:
            raise LabError(f"{file}: {exc}") from None
    return 0


main: Final[Callable[..., int]] = program("lab", run)
