"""The Internet checksum (RFC 1071), whole, in parts and by difference (RFC 1624).

A *sum* is the ones-complement sum of 16-bit words, 0 to 0xffff, not yet complemented; a *cksum* is
what stands in a header: the complement of a sum. The sum of a good packet, checksum included, is
0xffff, so its in_cksum() is 0.

The sum is one big integer modulo 65535, which beats any loop of Python's. Its one trap is the
residue 0: only all-zero data sum to 0, everything else with that residue sums to 0xffff.
"""

from __future__ import annotations

Octets = bytes | bytearray | memoryview


def in_sum(data: Octets, start: int = 0) -> int:
    """Return the sum of *data* on top of *start*, a sum from before; odd data count a zero more.

    Only the last of several parts may have an odd length.

    >>> hex(in_sum(bytes.fromhex("0001f203f4f5f6f7")))  # RFC 1071 section 3
    '0xddf2'
    """
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    value += start
    if value == 0:
        return 0
    return value % 0xFFFF or 0xFFFF


def in_cksum(data: Octets, start: int = 0) -> int:
    """Return the checksum of *data*: what goes in the header, or 0 if what is there is right.

    start  a sum from before, such as pseudo_sum()

    >>> hex(in_cksum(bytes.fromhex("0001f203f4f5f6f7")))
    '0x220d'
    """
    value = int.from_bytes(data, "big")
    if len(data) & 1:
        value <<= 8
    value += start
    if value == 0:
        return 0xFFFF
    # The residue r stands for the sum r, and 0 for 0xffff: both complement to 0xffff - (r or all).
    return 0xFFFF - (value % 0xFFFF or 0xFFFF)


def in_cksum_add(one: int, two: int) -> int:
    """Return the sum of two sums.

    >>> hex(in_cksum_add(0xffff, 0x0001))
    '0x1'
    """
    value = one + two
    return value - 0xFFFF if value > 0xFFFF else value


def in_cksum_adjust(cksum: int, old: int, new: int) -> int:
    """Return *cksum* after one 16-bit word changed from *old* to *new* (RFC 1624 equation 3).

    >>> hex(in_cksum_adjust(0xdd2f, 0x5555, 0x3285))  # RFC 1624 section 4
    '0x0'
    """
    value = (cksum ^ 0xFFFF) + (old ^ 0xFFFF) + new
    value = (value & 0xFFFF) + (value >> 16)
    value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def in_cksum_adjust32(cksum: int, old: int, new: int) -> int:
    """Return *cksum* after 32 aligned bits, such as an address, changed from *old* to *new*."""
    value = (
        (cksum ^ 0xFFFF)
        + (old >> 16 ^ 0xFFFF)
        + (old & 0xFFFF ^ 0xFFFF)
        + (new >> 16)
        + (new & 0xFFFF)
    )
    value = (value & 0xFFFF) + (value >> 16)
    value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def pseudo_sum(src: int, dst: int, proto: int, length: int) -> int:
    """Return the sum of the IPv4 pseudo header of TCP and UDP (RFC 793, RFC 768).

    src, dst  addresses, host integers
    length    octets of transport header and payload
    """
    value = (src >> 16) + (src & 0xFFFF) + (dst >> 16) + (dst & 0xFFFF) + proto + length
    value = (value & 0xFFFF) + (value >> 16)
    return (value & 0xFFFF) + (value >> 16)


def in4_cksum(src: int, dst: int, proto: int, data: Octets) -> int:
    """Return the checksum of a transport header and payload under the IPv4 pseudo header.

    UDP writes 0xffff where this is 0, since 0 there means "none" (RFC 768): that is the caller's.
    """
    return in_cksum(data, pseudo_sum(src, dst, proto, len(data)))
