"""pci: show the network cards of the box as the PCI server would."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cmds._bsd import command, err_of, flag, operands, program
from libnet.conf.hardware import VENDORS
from libnet.errors import NetError
from libnet.libsocket.ctx import Ctx

USAGE = "usage: pci [-v]"

BUS_VERSION = "2.10"
BASE = 0xFEB00000
WINDOW = 0x20000


@command(usage=USAGE)
@flag("-v", "verbose")
@operands
def run(ctx: Ctx, verbose: bool, operands: tuple[str, ...]) -> int:
    """Print every card."""
    if operands:
        return run.usage(ctx)
    ctx.stdout.write(f"PCI version   = {BUS_VERSION}\n")
    for number, card in enumerate(cards(ctx)):
        ctx.stdout.write("\n" + show(card, number, verbose=verbose))
    return 0


main = program("pci", run)


def cards(ctx: Ctx) -> list[dict[str, Any]]:
    """Return the cards on the bus: those in use as their stacks know them, then the others."""
    from libnet.drivers import table
    from libnet.lab.world import Hardware, WorldError, stacks

    rows: list[dict[str, Any]] = []
    for prefix in [note.prefix for note in stacks(ctx.box)] or [ctx.environ.get("SOCK", "")]:
        try:
            with ctx.control(prefix) as stack:
                told = stack.call("pci")
        except NetError as exc:
            if exc.symbol != "EAFNOSUPPORT":
                err_of(ctx).warn(exc, f"{prefix}/dev/socket")
            continue
        rows += [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
    used = {row.get("ifname") for row in rows}
    try:
        nics = Hardware.load(ctx.box)
    except WorldError as exc:
        err_of(ctx).errx(str(exc))
    for nic in nics:
        if nic.attached and nic.attached in used:
            continue
        card = table.card(nic.driver)
        rows.append(
            {
                "vid": card.vid,
                "did": card.did,
                "bus": card.bus,
                "index": nic.pci,
                "irq": nic.irq,
                "ifname": nic.attached,
                "description": card.description,
                "wireless": bool(card.modes),
            }
        )
    return [row for row in rows if row.get("bus", "pci") == "pci"]


def show(card: Mapping[str, Any], number: int, *, verbose: bool) -> str:
    """Return one card's paragraph; *number* is its place on the bus."""
    vid, did, irq = (_int(card.get(key)) for key in ("vid", "did", "irq"))
    vendor = VENDORS.get(vid, "Unknown Vendor")
    description = str(card.get("description") or "Unknown Device")
    rows = [
        ("Class", "Network (Unknown)" if card.get("wireless") else "Network (Ethernet)"),
        ("Vendor ID", f"{vid:x}h, {vendor}"),
        ("Device ID", f"{did:x}h, {description}"),
        ("PCI index", f"{_int(card.get('index')):x}h"),
    ]
    if not verbose:
        return "".join(f"{name:<14} = {value}\n" for name, value in rows)
    pin = "ABCD"[number % 4]
    rows += [
        ("Class Codes", "028000h" if card.get("wireless") else "020000h"),
        ("Revision ID", "0h"),
        ("Bus number", "0"),
        ("Device number", str(number + 3)),
        ("Function num", "0"),
        ("Status Reg", "280h"),
        ("Command Reg", "7h"),
        ("Header type", "0h Single-function"),
        ("BIST", "0h Build-in-self-test not supported"),
        ("Latency Timer", "40h"),
        ("Cache Line Size", "10h"),
        ("PCI Mem Address", f"{BASE + number * WINDOW:x}h 32bit length {WINDOW} enabled"),
        ("Max Lat", "0ns"),
        ("Min Gnt", "0ns"),
        ("PCI Int Pin", f"INT {pin}"),
        ("Interrupt line", str(irq)),
        ("CPU Interrupt", f"{irq:x}h"),
    ]
    if card.get("ifname"):
        rows.append(("Interface", str(card["ifname"])))
    return "".join(f"{name:<14} = {value}\n" for name, value in rows)


def _int(value: Any) -> int:
    return value if type(value) is int and value >= 0 else 0
