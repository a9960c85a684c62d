"""IPsec: ESP (RFC 4303), AH (RFC 4302), IPComp (RFC 3173)."""

from __future__ import annotations

from libnet.text.dump.ndo import Ndo, lazy, need, u2, u4

_demux = lazy("ip.ip_demux_print")


def ah_print(ndo: Ndo, b: bytes, o: int) -> int:
    """Print an authentication header; return its length."""
    ndo.protocol = "ah"
    p = ndo.p
    p("AH")
    words = b[o + 1]
    size = (words + 2) * 4
    p("(")
    if ndo.vflag:
        p(f"length={words}({size}-bytes),")
    reserved = u2(b, o + 2)
    if reserved:
        p(f"reserved=0x{reserved:x}[MustBeZero],")
    p(f"spi=0x{u4(b, o + 4):08x},")
    p(f"seq=0x{u4(b, o + 8):x},icv=0x")
    p(b[o + 12 : o + size].hex())
    need(b, o, size)
    p("): ")
    return size


def ipcomp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print an IPComp header; nothing is decompressed."""
    ndo.protocol = "ipcomp"
    ndo.p(f"IPComp(cpi=0x{u2(b, o + 2):04x})")


def esp_print(
    ndo: Ndo, b: bytes, o: int, length: int, iph: int, ver: int, fragmented: int, ttl: int
) -> None:
    """Print an ESP header, and what is under it if -E gave the key.

    iph  where the IP header, of version *ver*, is
    """
    ndo.protocol = "esp"
    p = ndo.p
    if o + 8 >= len(b):
        ndo.trunc()
        return
    spi = u4(b, o)
    p(f"ESP(spi=0x{spi:08x},seq=0x{u4(b, o + 4):x}), length {length}")
    if ndo.esp is None:
        return
    if ver == 6:
        if not u2(b, iph + 4):
            return
        dst = b[iph + 24 : iph + 40]
    else:
        if fragmented:
            return
        dst = b[iph + 16 : iph + 20]
    sa = ndo.esp.find(spi, dst)
    if sa is None:
        return
    at = o + 8 + sa.ivlen
    end = len(b) - sa.authlen
    if end < at:
        ndo.trunc()
        return
    plain = sa.decrypt(b[o + 8 : at], b[at:end])
    if plain is None:
        return
    size = len(plain)
    if size < 2:
        ndo.trunc()
        return
    pad, nh = plain[-2], plain[-1]
    if pad + 2 > size:
        ndo.trunc()
        return
    p(": ")
    # The IP header stays in front, since those above look at it.
    size -= pad + 2
    _demux(ndo, b[:o] + plain[:size], o, size, ver, fragmented, ttl, nh, iph)
