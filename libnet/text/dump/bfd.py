"""Bidirectional forwarding detection (RFC 5880)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, bittok2str, need, tok2str, u4

_CONTROL, _ECHO, _MULTIHOP, _LAG = 3784, 3785, 4784, 6784
_PORTS: Final = {_CONTROL: "Control", _MULTIHOP: "Multihop", _LAG: "Lag"}
_DIAGS: Final = {
    0: "No Diagnostic", 1: "Control Detection Time Expired", 2: "Echo Function Failed",
    3: "Neighbor Signaled Session Down", 4: "Forwarding Plane Reset", 5: "Path Down",
    6: "Concatenated Path Down", 7: "Administratively Down", 8: "Reverse Concatenated Path Down",
}  # fmt: skip
_FLAGS0: Final = (
    (0x80, "I Hear You"), (0x40, "Demand"), (0x20, "Poll"), (0x10, "Final"),
    (8, "Control Plane Independent"), (4, "Authentication Present"), (2, "Reserved"),
    (1, "Reserved"),
)  # fmt: skip
_FLAGS1: Final = (
    (0x20, "Poll"), (0x10, "Final"), (8, "Control Plane Independent"),
    (4, "Authentication Present"), (2, "Demand"), (1, "Multipoint"),
)  # fmt: skip
_STATES: Final = ("AdminDown", "Down", "Init", "Up")
_AUTHS: Final = {
    1: "Simple Password", 2: "Keyed MD5", 3: "Meticulous Keyed MD5", 4: "Keyed SHA1",
    5: "Meticulous Keyed SHA1",
}  # fmt: skip


def bfd_print(ndo: Ndo, b: bytes, o: int, length: int, port: int) -> None:
    """Print a message of *length* octets to *port*."""
    ndo.protocol = "bfd"
    p = ndo.p
    if port not in _PORTS:
        p(f"BFD, {'Echo' if port == _ECHO else f'unknown ({port})'}, length: {length}")
        if ndo.vflag:
            ndo.unknown_data(b, o, "\n\t", length)
        return
    need(b, o, 24)
    version, diag, flags = b[o] >> 5, b[o] & 0x1F, b[o + 1]
    if version == 0:
        head = f"Control, Flags: [{bittok2str(_FLAGS0, 'none', flags)}]"
    elif version == 1:
        head = (
            f"{_PORTS[port]}, State {_STATES[flags >> 6]}, "
            f"Flags: [{bittok2str(_FLAGS1, 'none', flags & 0x3F)}]"
        )
    else:
        p(f"BFDv{version}, Control, length: {length}")
        if ndo.vflag:
            ndo.unknown_data(b, o, "\n\t", length)
        return
    if not ndo.vflag:
        p(f"BFDv{version}, {head}, length: {length}")
        return
    tx, rx, echo = u4(b, o + 12), u4(b, o + 16), u4(b, o + 20)
    p(
        f"BFDv{version}, length: {length}\n\t{head}, "
        f"Diagnostic: {tok2str(_DIAGS, 'unknown', diag)} (0x{diag:02x})"
        f"\n\tDetection Timer Multiplier: {b[o + 2]} "
        f"({(b[o + 2] * tx & 0xFFFFFFFF) // 1000} ms Detection time), BFD Length: {b[o + 3]}"
        f"\n\tMy Discriminator: 0x{u4(b, o + 4):08x}, Your Discriminator: 0x{u4(b, o + 8):08x}"
        f"\n\t  Desired min Tx Interval:    {tx // 1000:4d} ms"
        f"\n\t  Required min Rx Interval:   {rx // 1000:4d} ms"
        f"\n\t  Required min Echo Interval: {echo // 1000:4d} ms"
    )
    if flags & 4:
        _authentication(ndo, b, o + 24)


def _authentication(ndo: Ndo, b: bytes, o: int) -> None:
    p = ndo.p
    need(b, o, 4)
    kind, size = b[o], b[o + 1]
    p(f"\n\tAuthentication: {_AUTHS.get(kind, 'Unknown')} ({kind}), length: {size}")
    p(f"\n\t  Auth Key ID: {b[o + 2]}")
    if kind == 1:
        if not 4 <= size <= 19:
            p(f"[invalid length {size}]")
            return
        p(", Password: ")
        ndo.printjn(b, o + 3, size - 3)
    elif kind in (2, 3, 4, 5):
        digest = 16 if kind < 4 else 20
        if size != digest + 8:
            p(f"[invalid length {size}]")
            return
        p(f", Sequence Number: 0x{u4(b, o + 4):08x}")
        need(b, o + 8, digest)
        p(f"\n\t  {'Digest' if kind < 4 else 'Hash'}: {b[o + 8 : o + 8 + digest].hex()}")
