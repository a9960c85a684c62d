"""A box's hardware description: the NICs it has, as WORLD/boxes/NAME/box.json tells it.

{"version": 1, "nics": [{"driver": "i82544", "segment": "lan0", "mac": "02…", "irq": 11, "pci": 0}]}

`driver` is the name a driver is loaded by (`i82544`), or `*`: the NIC is of whatever wired driver
is loaded first. `segment` is what it is plugged into; for a wireless driver's NIC, its air. What is
left out of a NIC gets a value that depends only on the box's name and the NIC's place in the list, so
a box that nobody described is the same machine each time.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any, Final

ANY: Final = "*"
DEFAULT_SEGMENT: Final = "lan0"
DEFAULT_AIR: Final = "air0"
# Drivers whose NICs are radios (libnet.drivers.table has what they can do).
WIRELESS: Final = frozenset(
    ("abc", "ath", "bwi", "iwi", "ral", "rtw", "rum", "ti1271", "wpi")
)  # fmt: skip
VERSION: Final = 1
MAX_NICS: Final = 64

# Four interrupt links, dealt out in turn as a PC's bridge does: the fifth card shares the first's.
IRQS: Final = (11, 10, 9, 5)

VENDORS: Final[dict[int, str]] = {
    0x0B95: "ASIX Electronics",
    0x100B: "National Semiconductor",
    0x1011: "Digital Equipment Corporation",
    0x1022: "Advanced Micro Devices",
    0x10EC: "Realtek Semiconductor",
    0x148F: "Ralink Technology",
    0x14E4: "Broadcom Corporation",
    0x168C: "Atheros Communications",
    0x1814: "Ralink Technology",
    0x1957: "Freescale Semiconductor",
    0x1AF4: "Virtual",
    0x8086: "Intel Corporation",
}

_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,62}\Z")


class BadHardware(ValueError):
    """The description cannot be understood; the text says where and why."""


class Nic:
    """One network card of a box.

    index    place in the list, from 0       driver   "i82544", or ANY
    mac      6 octets                        segment  or air that it is plugged into, "" for nothing
    irq      interrupt line                  pci      PCI index: the Nth card of the same kind
    attached name of the interface that a running stack made of it, "" when free
    """

    __slots__ = ("attached", "driver", "index", "irq", "mac", "pci", "segment")

    def __init__(
        self, index: int, driver: str, segment: str, *, mac: bytes, irq: int, pci: int
    ) -> None:
        self.index, self.driver, self.segment = index, driver, segment
        self.mac, self.irq, self.pci = mac, irq, pci
        self.attached = ""

    def fits(self, driver: str) -> bool:
        """Tell whether a driver loaded by the name *driver* finds this card to be of its kind."""
        return self.driver == driver or (self.driver == ANY and driver not in WIRELESS)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Nic) and as_dict(self) == as_dict(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Nic({self.index}, {as_dict(self)!r})"


def default_mac(box: str, index: int) -> bytes:
    """Return the locally administered address of a box's NIC: always the same for the same names.

    A CRC tells any two names apart that differ in up to four octets, so BoxA and BoxB never clash.

    >>> default_mac("BoxA", 0).hex(":")
    '02:b5:ef:41:4f:00'
    """
    return (
        b"\x02"
        + zlib.crc32(box.encode("utf-8", "surrogateescape")).to_bytes(4, "big")
        + bytes((index & 0xFF,))
    )


def default_wire(driver: str) -> str:
    """Return where a NIC of *driver* is plugged in when nobody says so.

    >>> default_wire("i82544"), default_wire("abc")
    ('lan0', 'air0')
    """
    return DEFAULT_AIR if driver in WIRELESS else DEFAULT_SEGMENT


def found_nic(box: str, driver: str, others: Sequence[Nic]) -> Nic:
    """Return the NIC that a box which was never described finds when *driver* is loaded."""
    kind = driver if driver in WIRELESS else ANY
    return make_nic(box, len(others), kind, default_wire(driver), others=others)


def default_nics(box: str) -> list[Nic]:
    """Return the hardware of a box that was never described: one NIC of any wired kind on lan0."""
    return [make_nic(box, 0, ANY, DEFAULT_SEGMENT, others=())]


def make_nic(
    box: str,
    index: int,
    driver: str,
    segment: str,
    *,
    others: Sequence[Nic],
    mac: bytes | None = None,
    irq: int | None = None,
    pci: int | None = None,
) -> Nic:
    """Return a Nic with what is not given chosen; *others* are the NICs before it."""
    if pci is None:
        taken = {nic.pci for nic in others if nic.driver == driver}
        pci = next(n for n in range(len(taken) + 1) if n not in taken)
    return Nic(
        index,
        driver,
        segment,
        mac=default_mac(box, index) if mac is None else mac,
        irq=IRQS[index % len(IRQS)] if irq is None else irq,
        pci=pci,
    )


def parse_nic(text: str, box: str, others: Sequence[Nic]) -> Nic:
    """Return the Nic that `--nic` *text* describes: DRIVER[:SEGMENT|:AIR][,mac=…][,irq=N][,pci=N].

    Raises BadHardware.

    >>> nic = parse_nic("e1000:lan3,irq=7", "BoxA", ())
    >>> nic.driver, nic.segment, nic.irq, nic.pci
    ('e1000', 'lan3', 7, 0)
    """
    head, *settings = text.split(",")
    driver, colon, segment = head.partition(":")
    raw: dict[str, Any] = {"driver": driver, "segment": segment if colon else default_wire(driver)}
    for setting in settings:
        key, _, value = setting.partition("=")
        if key == "mac":
            raw[key] = value
        elif key in ("irq", "pci"):
            try:
                raw[key] = int(value, 0)
            except ValueError:
                raise BadHardware(f"{key}={value}: not a number") from None
        else:
            raise BadHardware(f"{setting}: no such setting of a NIC")
    return _nic(raw, box, others)


def _mac(value: Any) -> bytes:
    text = value.replace(":", "").replace("-", "") if isinstance(value, str) else ""
    if len(text) != 12 or not all(c in "0123456789abcdefABCDEF" for c in text):
        raise BadHardware(f"{value}: not a MAC address")
    mac = bytes.fromhex(text)
    if mac[0] & 1:
        raise BadHardware(f"{value}: a group address")
    return mac


def _number(raw: dict[str, Any], key: str, limit: int) -> int | None:
    value = raw.get(key)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= limit:
        raise BadHardware(f"{key} {value}: not a number from 0 to {limit}")
    return value


def _nic(raw: Any, box: str, others: Sequence[Nic]) -> Nic:
    if not isinstance(raw, dict):
        raise BadHardware("a NIC is a table")
    driver = raw.get("driver", ANY)
    if not isinstance(driver, str) or not (driver == ANY or _WORD.match(driver)):
        raise BadHardware(f"{driver!r}: not the name of a driver")
    segment = raw.get("segment", default_wire(driver))
    if not isinstance(segment, str) or (segment and not _WORD.match(segment)):
        raise BadHardware(f"{segment!r}: not the name of a segment")
    mac = raw.get("mac")
    return make_nic(
        box,
        len(others),
        driver,
        segment,
        others=others,
        mac=None if mac is None else _mac(mac),
        irq=_number(raw, "irq", 255),
        pci=_number(raw, "pci", 0xFFFF),
    )


def as_dict(nic: Nic) -> dict[str, Any]:
    """Return what box.json keeps of *nic*."""
    return {
        "driver": nic.driver,
        "segment": nic.segment,
        "mac": nic.mac.hex(":"),
        "irq": nic.irq,
        "pci": nic.pci,
    }


def parse(text: str, box: str) -> list[Nic]:
    """Return the NICs that box.json's *text* describes. Raises BadHardware, whatever the text."""
    import json  # only a described box pays for it

    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise BadHardware(f"not JSON: {exc}") from None
    if not isinstance(raw, dict):
        raise BadHardware("not a table")
    if raw.get("version") != VERSION:
        raise BadHardware(f"version {raw.get('version')!r}, not {VERSION}")
    items = raw.get("nics")
    if not isinstance(items, list) or len(items) > MAX_NICS:
        raise BadHardware(f"nics: not a list of at most {MAX_NICS}")
    nics: list[Nic] = []
    for item in items:
        nics.append(_nic(item, box, nics))
    return nics


def build(nics: Sequence[Nic]) -> str:
    """Return the text of box.json; parse(build(x)) == x."""
    import json

    return json.dumps({"version": VERSION, "nics": [as_dict(nic) for nic in nics]}, indent=1) + "\n"
