"""IPv4 and IPv6 addresses as the resolver of the era reads and prints them (RFC 4291)."""

from __future__ import annotations

import re

from libnet.addr import AF_INET, inet_aton, inet_ntoa, inet_pton

_HEX = re.compile(r"[0-9A-Fa-f]{1,4}\Z")


def ntop(af: int, addr: int) -> str:
    """Return the text of an address.

    >>> ntop(2, 0x7f000001), ntop(24, 1), ntop(24, 0xfe80 << 112 | 1)
    ('127.0.0.1', '::1', 'fe80::1')
    """
    return inet_ntoa(addr) if af == AF_INET else ntop6(addr)


def ntop6(addr: int) -> str:
    """Return the text of an IPv6 address, its longest run of zero words as "::".

    >>> ntop6(0xffff0a000001), ntop6(0x20010db8 << 96)
    ('::ffff:10.0.0.1', '2001:db8::')
    """
    words = [addr >> shift & 0xFFFF for shift in range(112, -1, -16)]
    best, best_len, at = -1, 1, 0
    while at < 8:
        end = at
        while end < 8 and words[end] == 0:
            end += 1
        if end - at > best_len:
            best, best_len = at, end - at
        at = max(end, at + 1)
    if best == 0 and (best_len == 6 or (best_len == 5 and words[5] == 0xFFFF)):
        return ("::" if best_len == 6 else "::ffff:") + inet_ntoa(addr & 0xFFFFFFFF)
    if best < 0:
        return ":".join(f"{word:x}" for word in words)
    head = ":".join(f"{word:x}" for word in words[:best])
    tail = ":".join(f"{word:x}" for word in words[best + best_len :])
    return f"{head}::{tail}"


def pton6(text: str) -> int | None:
    """Return the IPv6 address that *text* is, or None.

    >>> pton6("::1"), pton6("1::2::3"), pton6("::10.0.0.1") == 0x0a000001
    (1, None, True)
    """
    if "." in text:
        head, _, quad = text.rpartition(":")
        try:
            low = inet_pton(quad)
        except ValueError:
            return None
        text = f"{head}:{low >> 16:x}:{low & 0xFFFF:x}"
    front, double, back = text.partition("::")
    if double and "::" in back:
        return None
    first = front.split(":") if front else []
    last = back.split(":") if back else []
    if not all(map(_HEX.match, first + last)):
        return None
    missing = 8 - len(first) - len(last)
    if missing < 0 or (missing == 0) == bool(double) or (missing > 0) != bool(double):
        return None
    value = 0
    for word in (*first, *("0" for _ in range(missing)), *last):
        value = value << 16 | int(word, 16)
    return value


def net_pton(text: str) -> tuple[int, int] | None:
    """Return (address, prefix length) of "10/8", "10.1.2.0/24", or None (inet_net_pton(3)).

    >>> net_pton("10/8"), net_pton("10.1.2.3/33")
    ((167772160, 8), None)
    """
    base, _, bits = text.partition("/")
    if not (bits.isascii() and bits.isdigit()) or int(bits[:4]) > 32 or len(bits) > 3:
        return None
    parts = base.split(".")
    if len(parts) > 4 or not all(p.isascii() and p.isdigit() and len(p) < 4 for p in parts):
        return None
    value = 0
    for part in parts:
        if int(part) > 255:
            return None
        value = value << 8 | int(part)
    return value << 8 * (4 - len(parts)), int(bits)


def aton(text: str) -> int | None:
    """Return the address of one to four parts, decimal, octal or hex, or None."""
    try:
        return inet_aton(text)
    except ValueError:
        return None


def prefix_mask(af: int, bits: int) -> int:
    """Return the mask of a prefix length: 32 bits wide for AF_INET, else 128.

    >>> hex(prefix_mask(2, 8)), prefix_mask(24, 0)
    ('0xff000000', 0)
    """
    if af == AF_INET:
        return (0xFFFFFFFF << (32 - bits)) & 0xFFFFFFFF
    return ((1 << bits) - 1) << (128 - bits)


def mask_len(af: int, mask: int) -> int:
    """Return how many bits a mask has in front (unmask of pfctl).

    >>> mask_len(2, 0xffffff00), mask_len(0, 0)
    (24, 0)
    """
    width = 32 if af == AF_INET else 128
    count = 0
    while count < width and mask >> (width - 1 - count) & 1:
        count += 1
    return count
