"""lab capture and inject: what passes on a wire or in an air, to a file and back."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from cmds.lab.base import SEGMENT, LabError, plural, segment_dir
from cmds.lab.carriers import start_carrier, stop_carriers
from libnet.libsocket.ctx import Ctx

if TYPE_CHECKING:
    from libnet.loop.loop import Loop
    from libnet.media.pcap import Packet
    from libnet.media.unixseg import UnixPort

STUCK_S: Final = 5.0  # how long inject waits for a receiver that takes nothing
BATCH: Final = 256  # frames that inject hands over in a pass


@click.command()
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
        stop_carriers(ctx, "capture", segment, {}, air=air)
    elif file is None:
        raise click.UsageError("Missing option '-w'.")
    elif background:
        if file == "-":
            raise click.UsageError("--background needs a file")
        where = os.path.abspath(file)
        what = {"file": where, "snaplen": snaplen, "count": count or 0}
        start_carrier(ctx, "capture", segment, "capture", air=air, **what)
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
            from cmds.lab import airs

            recorder, port = airs.record(ctx, segment, sink, loop=loop, **how)
        else:
            recorder = PcapRecorder(sink, loop.clock.wall, done=loop.stop, **how)
            recorder.writer.flush()
            port = UnixPort(loop, segment_dir(ctx, segment), "capture", role="all")
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
    ctx.stderr.write(f"{ctx.prog}: {plural(recorder.writer.count, 'packet')} recorded\n")


@click.command()
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
    port = UnixPort(loop, segment_dir(ctx, segment), "inject")
    try:
        if pace == "timed":
            _send_timed(loop, port, whole)
        else:
            _send_fast(loop, port, whole)
        stuck = not _settle(loop, port)
    finally:
        port.close()
        loop.close()
    ctx.stdout.write(f"{plural(port.stat['opackets'], 'packet')} sent on {segment}\n")
    complaints = [
        (fault, f"{file}: {fault}"),
        (
            len(packets) > len(whole),
            f"{file}: {plural(len(packets) - len(whole), 'packet')} cut short: not sent",
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
