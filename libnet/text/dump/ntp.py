"""NTP (RFC 5905)."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.ndo import Ndo, civil, pretty, shown, u2, u4

_MODES: Final = {
    0: "unspecified", 1: "symmetric active", 2: "symmetric passive", 3: "Client", 4: "Server",
    5: "Broadcast", 6: "Control Message", 7: "Reserved",
}  # fmt: skip
_LEAPS: Final = {0: "", 0x40: "+1s", 0x80: "-1s", 0xC0: "clock unsynchronized"}
_JAN_1970: Final = 2208988800
_MINLEN: Final = 48


def ntp_time(b: bytes, o: int) -> str:
    """Return the 64-bit time at *o*, with its date if it is not zero."""
    seconds, fraction = u4(b, o), u4(b, o + 4)
    text = f"{seconds}.{_billionths(fraction):09d}"
    if seconds:
        text += f" ({pretty(civil(seconds - _JAN_1970))})"
    return text


def _billionths(fraction: int) -> int:
    return int(fraction / 4294967296.0 * 1000000000.0)


def _delta(b: bytes, org: int, at: int) -> str:
    """Return how much later than the time at *org* that at *at* is."""
    if b[org : org + 8] == bytes(8):
        return ntp_time(b, at)
    u, uf, ou, ouf = u4(b, at), u4(b, at + 4), u4(b, org), u4(b, org + 4)
    if u > ou or (u == ou and uf > ouf):
        sign, seconds, fraction = "+", u - ou, uf - ouf
    else:
        sign, seconds, fraction = "-", ou - u, ouf - uf
    if fraction < 0:
        fraction += 1 << 32
        seconds -= 1
    return f"{sign}{seconds}.{_billionths(fraction):09d}"


def _short(b: bytes, o: int) -> str:
    """Return the 32-bit fixed point number at *o*."""
    return f"{u2(b, o)}.{int(u2(b, o + 2) / 65536.0 * 1000000.0):06d}"


def _signed(octet: int) -> int:
    return octet - 256 if octet & 0x80 else octet


def ntp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a message."""
    ndo.protocol = "ntp"
    p = ndo.p
    status = b[o]
    mode = status & 7
    p(f"NTPv{status >> 3 & 7}")
    p(f", {_MODES[mode]}, length {length}")
    if not ndo.vflag:
        return
    leap = status & 0xC0
    p(f"\n\tLeap indicator: {_LEAPS[leap]} ({leap})")
    if mode < 6:
        _time_print(ndo, b, o, length)
    elif mode == 6:
        _control_print(ndo, b, o, length)


def _invalid(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    ndo.invalid()
    if o + length > len(b):
        ndo.trunc()


def _time_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p, n = ndo.p, len(b)
    if length < _MINLEN:
        _invalid(ndo, b, o, length)
        return
    stratum = b[o + 1]
    kind = "secondary reference" if 2 <= stratum <= 15 else "reserved"
    p(f", Stratum {stratum} ({ {0: 'unspecified', 1: 'primary reference'}.get(stratum, kind) })")
    poll = _signed(b[o + 2])
    p(f", poll {poll}")
    if 0 <= poll < 32:
        p(f" ({1 << poll}s)")
    elif -32 < poll < 0:
        p(f" (1/{1 << -poll}s)")
    p(f", precision {_signed(b[o + 3])}")
    for name, at in (("\n\tRoot Delay: ", 4), (", Root dispersion: ", 8)):
        if o + at + 4 > n:
            ndo.trunc()
            return
        p(name + _short(b, o + at))
    if o + 16 > n:
        ndo.trunc()
        return
    p(", Reference-ID: ")
    if stratum == 0:
        p("(unspec)")
    elif stratum == 1:
        p(shown(b[o + 12 : o + 16]))
    elif stratum in (62, 63):
        p(f"{ndo.ipaddr(b, o + 12)} INFO_{'REPLY' if stratum & 1 else 'QUERY'}")
        return
    else:
        p(f"0x{u4(b, o + 12):08x}")
    for name, at in (("Reference Timestamp:  ", 16), ("Originator Timestamp: ", 24),
                     ("Receive Timestamp:    ", 32), ("Transmit Timestamp:   ", 40)):  # fmt: skip
        if o + at + 8 > n:
            ndo.trunc()
            return
        p(f"\n\t  {name}{ntp_time(b, o + at)}")
    p(f"\n\t    Originator - Receive Timestamp:  {_delta(b, o + 24, o + 32)}")
    p(f"\n\t    Originator - Transmit Timestamp: {_delta(b, o + 24, o + 40)}")
    if length in (52, 68, 72):
        p(f"\n\tKey id: {u4(b, o + 48)}")
        digest = b[o + 52 : o + length]
        if len(digest) < length - 52:
            ndo.trunc()
        elif digest:
            p(f"\n\tAuthentication: {digest.hex()}")
    elif length > _MINLEN:
        p(f"\n\t({length - _MINLEN} more bytes after the header)")


def _control_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if length < 12:
        _invalid(ndo, b, o, length)
        return
    control = b[o + 1]
    p(
        f", {'Response' if control & 0x80 else 'Request'}, {'Error' if control & 0x40 else 'OK'}, "
        f"{'More' if control & 0x20 else 'Last'}, OpCode={control & 0x1F}\n"
    )
    p(f"\tSequence={u2(b, o + 2)}")
    status = u2(b, o + 4)
    p(f", Status={f'0x{status:x}' if status else '0'}")
    p(f", Assoc.={u2(b, o + 6)}")
    p(f", Offset={u2(b, o + 8)}")
    count = u2(b, o + 10)
    p(f", Count={count}")
    if 12 + count > length:
        _invalid(ndo, b, o, length)
    elif count:
        if o + 12 + count > len(b):
            ndo.trunc()
        else:
            p("\n\tTO-BE-DONE: data not interpreted")
