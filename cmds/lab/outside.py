"""lab tap, dgram, radio: ports to the outside, each carried by a process of its own."""

from __future__ import annotations

import os
import re
from typing import Any

import click

from cmds.lab.base import AIR, SEGMENT, LabError, segment_dir
from cmds.lab.carriers import start_carrier, stop_carriers
from libnet.libsocket.ctx import Ctx


@click.command()
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
        start_carrier(
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


@click.command()
@SEGMENT
@click.option("--ifname", default=None, help="Only the interface of this name.")
@click.option("--netns", default=None, metavar="NS", help="Only the one in this namespace.")
@click.pass_obj
def untap(ctx: Ctx, segment: str, ifname: str | None, netns: str | None) -> None:
    """Take Linux interfaces out of SEGMENT."""
    want = {"ifname": ifname, "netns": netns}
    stop_carriers(ctx, "tap", segment, {k: v for k, v in want.items() if v is not None})


@click.command()
@SEGMENT
@click.option("--local", required=True, metavar="PATH", help="Where we receive.")
@click.option("--remote", required=True, metavar="PATH", help="Where the other end receives.")
@click.pass_obj
def dgram(ctx: Ctx, segment: str, local: str, remote: str) -> None:
    """Plug a pair of Unix datagram sockets, as of QEMU's -netdev dgram, into SEGMENT."""
    local, remote = os.path.abspath(local), os.path.abspath(remote)
    name = re.sub(r"[~/]", "_", os.path.basename(local))
    start_carrier(ctx, "dgram", segment, f"dgram.{name}", local=local, remote=remote)


@click.command()
@SEGMENT
@click.option("--local", default=None, metavar="PATH", help="Only the one that receives here.")
@click.pass_obj
def undgram(ctx: Ctx, segment: str, local: str | None) -> None:
    """Take datagram pairs out of SEGMENT."""
    stop_carriers(ctx, "dgram", segment, {"local": os.path.abspath(local)} if local else {})


@click.command()
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
    from cmds.lab import airs
    from libnet.media.mesh import make_segment

    directory = segment_dir(ctx, air, air=True)
    local = os.path.abspath(local or os.path.join(directory, "radio.in"))
    remote = os.path.abspath(remote or os.path.join(directory, "radio.out"))
    address = mac.replace(":", "").lower() or "020000000000"
    if len(address) != 12 or not all(c in "0123456789abcdef" for c in address):
        raise click.UsageError(f"{mac}: not a MAC address")
    name = re.sub(r"[~/]", "_", os.path.basename(local))
    label = airs.label_of(label) if label else f"radio.{name}"
    make_segment(directory)
    start_carrier(ctx, "radio", air, label, air=True, local=local, remote=remote, mac=address)


@click.command()
@AIR
@click.option("--local", default=None, metavar="PATH", help="Only the one that receives here.")
@click.pass_obj
def unradio(ctx: Ctx, air: str, local: str | None) -> None:
    """Take radios outside off AIR."""
    want = {"local": os.path.abspath(local)} if local else {}
    stop_carriers(ctx, "radio", air, want, air=True)
