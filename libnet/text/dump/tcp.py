"""TCP (RFC 9293) and its options (RFC 7323, RFC 2018, RFC 2385, RFC 5925, RFC 7413, RFC 8684)."""

from __future__ import annotations

import struct
from typing import Final

from libnet.text.dump.ndo import Ndo, Printer, cksum_shouldbe, lazy, shown, tok2str, u2, u4
from libnet.text.dump.pseudo import nextproto_cksum

_HDR: Final = struct.Struct("!HHIIBBHHH").unpack_from
_WORDS: Final = ("F", "S", "R", "P", ".", "U", "E", "W")
_FLAGS: Final = tuple(
    "".join(word for i, word in enumerate(_WORDS) if flags >> i & 1) or "none"
    for flags in range(256)
)
_FIN, _SYN, _RST, _ACK, _URG = 1, 2, 4, 16, 32
_OPTIONS: Final = {
    0: "eol", 1: "nop", 2: "mss", 3: "wscale", 4: "sackOK", 5: "sack", 6: "echo", 7: "echoreply",
    8: "TS", 11: "cc", 12: "ccnew", 13: "", 19: "md5", 20: "scps", 28: "uto", 29: "tcp-ao",
    30: "mptcp", 34: "tfo", 254: "exp",
}  # fmt: skip
_MAX_CONVERSATIONS: Final = 65536
_MAX_RST_DATA: Final = 30
# The options of nearly every segment: NOP, NOP, timestamps.
_NNT: Final = b"\x01\x01\x08\x0a"
_WORD2: Final = struct.Struct("!II").unpack_from

# What TCP carries, by port, the first in the list winning: what stands before it, its printer.
_SERVICES: Final[tuple[tuple[tuple[int, ...], str, Printer], ...]] = (
    ((23,), "", lazy("telnet.telnet_print")),
    ((25,), ": ", lazy("words.smtp_print")),
    ((43,), ": ", lazy("words.whois_print")),
    ((179,), "", lazy("bgp.bgp_print")),
    ((1723,), "", lazy("pptp.pptp_print")),
    ((646,), "", lazy("ldp.ldp_print")),
    ((6379,), "", lazy("resp.resp_print")),
    ((639,), "", lazy("msdp.msdp_print")),
    ((323,), "", lazy("rpki.rpki_rtr_print")),
    ((22,), "", lazy("words.ssh_print")),
    ((10288,), "", lazy("words.beep_print")),
    ((21,), ": ", lazy("words.ftp_print")),
    ((80, 8080), ": ", lazy("words.http_print")),
    ((554, 8554), ": ", lazy("words.rtsp_print")),
    ((53,), "", lazy("dns.domain_tcp_print")),
)
_BY_PORT: Final = {
    port: (rank, before, printer)
    for rank, (ports, before, printer) in enumerate(_SERVICES)
    for port in ports
}
_domain = lazy("dns.domain_tcp_print")
_nfs = lazy("nfs.nfs_tcp_print")
_NFS: Final = 2049
_resp = lazy("resp.resp_print")
_zmtp1 = lazy("zmtp.zmtp1_print")
_mptcp = lazy("mptcp.mptcp_print")


class _Bad(Exception):
    """An option is not as long as it must be."""


class _Cut(Exception):
    """An option was not captured whole."""


def tcp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int, fragmented: int) -> None:
    """Print a segment of *length* octets; *iph* is where the IP header is."""
    ndo.protocol = "tcp"
    p = ndo.p
    v4 = b[iph] >> 4 != 6
    if o + 4 > len(b):
        p(f"{_ends(ndo, b, iph, v4)}:")
        ndo.trunc()
        return
    sport, dport = b[o] << 8 | b[o + 1], b[o + 2] << 8 | b[o + 3]
    if ndo.nflag:
        src_port, dst_port = str(sport), str(dport)
    else:
        src_port, dst_port = ndo.tcpport(sport), ndo.tcpport(dport)
    if v4:
        if b[iph + 9] == 6:
            p(f"{ndo.ipaddr(b, iph + 12)}.{src_port} > {ndo.ipaddr(b, iph + 16)}.{dst_port}: ")
        else:
            p(f"{src_port} > {dst_port}: ")
    elif b[iph + 6] == 6:
        p(f"{ndo.ip6addr(b, iph + 8)}.{src_port} > {ndo.ip6addr(b, iph + 24)}.{dst_port}: ")
    else:
        p(f"{src_port} > {dst_port}: ")
    if o + 20 > len(b):
        ndo.trunc()
        return
    _sport, _dport, seq, ack, off, flags, win, tcp_sum, urp = _HDR(b, o)
    hlen = off >> 4 << 2
    if hlen < 20:
        p(f" tcp {length - hlen & 0xFFFFFFFF} [bad hdr length {hlen} - too short, < 20]")
        return
    if ndo.qflag:
        p(f"tcp {length - hlen & 0xFFFFFFFF}")
        if hlen > length:
            p(f" [bad hdr length {hlen} - too long, > {length}]")
        return
    text = f"Flags [{_FLAGS[flags]}]"
    rev, known = False, None
    if flags & _ACK and not ndo.Sflag:
        rev = sport > dport
        if v4:
            src, dst = b[iph + 12 : iph + 16], b[iph + 16 : iph + 20]
        else:
            src, dst = b[iph + 8 : iph + 24], b[iph + 24 : iph + 40]
        if sport == dport and src > dst:
            rev = True
        key = dst + src + b[o + 2 : o + 4] + b[o : o + 2] if rev else src + dst + b[o : o + 4]
        known = ndo.tcp_seq.get(key)
        if known is None or flags & _SYN:
            if len(ndo.tcp_seq) >= _MAX_CONVERSATIONS:
                ndo.tcp_seq.clear()
            first = ack - 1 & 0xFFFFFFFF
            known = ndo.tcp_seq[key] = [first, seq] if rev else [seq, first]
        elif rev:
            seq = seq - known[1] & 0xFFFFFFFF
            ack = ack - known[0] & 0xFFFFFFFF
        else:
            seq = seq - known[0] & 0xFFFFFFFF
            ack = ack - known[1] & 0xFFFFFFFF
    if hlen > length:
        p(f"{text} [bad hdr length {hlen} - too long, > {length}]")
        return
    if ndo.vflag and not ndo.Kflag and not fragmented and o + length <= len(b):
        computed = nextproto_cksum(b, iph, o, length, 6)
        if computed:
            right = cksum_shouldbe(tcp_sum, computed)
            text += f", cksum 0x{tcp_sum:04x} (incorrect -> 0x{right:04x})"
        else:
            text += f", cksum 0x{tcp_sum:04x} (correct)"
    length -= hlen
    if length > 0:
        text += f", seq {seq}:{seq + length & 0xFFFFFFFF}"
    elif flags & (_SYN | _FIN | _RST) or ndo.vflag > 1:
        text += f", seq {seq}"
    if flags & _ACK:
        text += f", ack {ack}"
    text += f", win {win}"
    if flags & _URG:
        text += f", urg {urp}"
    if hlen > 20:
        if hlen == 32 and b[o + 20 : o + 24] == _NNT and o + 32 <= len(b):
            value, echo = _WORD2(b, o + 24)
            p(f"{text}, options [nop,nop,TS val {value} ecr {echo}], length {length}")
        else:
            p(text)
            base = 0 if known is None else known[0 if rev else 1]
            if not _options(ndo, b, o, hlen - 20, iph, length, base, flags):
                return
            p(f", length {length}")
    else:
        p(f"{text}, length {length}")
    if length == 0:
        return
    if o + hlen > len(b):
        p(f" [remaining caplen({len(b) - o}) < header length({hlen})]")
        ndo.longjmp()
    if flags & _RST and ndo.vflag:
        _rst_data(ndo, b, o + hlen, length)
        return
    if ndo.packettype:
        if ndo.packettype == "domain":
            _domain(ndo, b, o + hlen, length)
        elif ndo.packettype == "resp":
            _resp(ndo, b, o + hlen, length)
        elif ndo.packettype == "zmtp1":
            _zmtp1(ndo, b, o + hlen, length)
        return
    one, two = _BY_PORT.get(sport), _BY_PORT.get(dport)
    if (sport == _NFS or dport == _NFS) and _nfs(
        ndo, b, o + hlen, length, iph, to_server=dport == _NFS
    ):
        return
    if one or two:
        if one is None or (two is not None and two[0] < one[0]):
            one = two
        assert one is not None
        p(one[1])
        one[2](ndo, b, o + hlen, length)


def _ends(ndo: Ndo, b: bytes, iph: int, v4: bool) -> str:
    if v4:
        return f"{ndo.ipaddr(b, iph + 12)} > {ndo.ipaddr(b, iph + 16)}"
    return f"{ndo.ip6addr(b, iph + 8)} > {ndo.ip6addr(b, iph + 24)}"


def _options(
    ndo: Ndo, b: bytes, o: int, left: int, iph: int, length: int, base: int, flags: int
) -> bool:
    """Print options; return False if they ended the line.

    left    octets of options
    length  octets of data after them
    base    what selective acknowledgments are relative to
    """
    p = ndo.p
    p(", options [")
    at, ch = o + 20, ""
    try:
        while left > 0:
            p(ch)
            opt = b[at]
            at += 1
            size = 1
            if opt > 1:
                size = b[at]
                at += 1
                if size < 2 or size > left:
                    raise _Bad
                left -= 1
            left -= 1
            p(tok2str(_OPTIONS, "unknown-%u", opt))
            took = 0
            if opt not in (0, 1, 4):
                took = _option(ndo, b, at, opt, size, left, base, (o, iph, length, flags))
            at += took
            left -= took
            took += 1 if opt < 2 else 2
            if took != size:
                p(f"[len {size}]")
            ch = ","
            if opt == 0:
                break
    except _Bad:
        p("[bad opt]]" if ch else "[bad opt]")
        return False
    except _Cut:
        ndo.trunc()
        if ch:
            p(">")
        return False
    p("]")
    return True


def _option(
    ndo: Ndo,
    b: bytes,
    at: int,
    opt: int,
    size: int,
    left: int,
    base: int,
    where: tuple[int, int, int, int],
) -> int:
    """Print the value of option *opt* at *at*; return its octets."""
    p = ndo.p

    def check(n: int) -> None:
        if n > left:
            raise _Bad
        if at + n > len(b):
            raise _Cut

    took = size - 2
    if opt == 2:
        check(2)
        p(f" {u2(b, at)}")
        return 2
    if opt == 3:
        check(1)
        p(f" {b[at]}")
        return 1
    if opt == 5:
        if took % 8:
            p(" invalid sack")
            return took
        p(f" {took // 8} ")
        for i in range(0, took, 8):
            check(i + 8)
            start, end = _WORD2(b, at + i)
            p(f"{{{start - base & 0xFFFFFFFF}:{end - base & 0xFFFFFFFF}}}")
    elif opt in (6, 7, 11, 12, 13):
        check(4)
        p(f" {u4(b, at)}")
        return 4
    elif opt == 8:
        check(8)
        value, echo = _WORD2(b, at)
        p(f" val {value} ecr {echo}")
        return 8
    elif opt == 19:
        check(16)
        _signature(ndo, b, at, where)
        return 16
    elif opt == 20:
        check(2)
        p(f" cap {b[at]:02x} id {b[at + 1]}")
        return 2
    elif opt == 28:
        check(2)
        value = u2(b, at)
        seconds = (value >> 1) * 60 if value & 1 else value >> 1
        p(f" 0x{value:x} {seconds}")
        return 2
    elif opt == 29:
        if took < 2:
            ndo.invalid()
            return took
        check(1)
        p(f" keyid {b[at]}")
        check(2)
        p(f" rnextkeyid {b[at + 1]}")
        if took > 2:
            p(" mac 0x")
            _hex(ndo, b, at + 2, took - 2, check, 2)
    elif opt == 30:
        check(took)
        if not _mptcp(ndo, b[: at + took], at - 2, size, where[3]):
            raise _Bad
    elif opt == 34:
        check(took)
        p(" ")
        _fastopen(ndo, b, at, took)
    elif opt == 254:
        check(took)
        if took < 2:
            raise _Bad
        magic = u2(b, at)
        p("-")
        if magic == 0xF989:
            p("tfo")
            _fastopen(ndo, b, at + 2, took - 2)
        else:
            p(f"{magic:04x}")
    elif took:
        p(" 0x")
        _hex(ndo, b, at, took, check, 0)
    return took


def _hex(ndo: Ndo, b: bytes, at: int, n: int, check: Printer, before: int) -> None:
    ndo.p(b[at : at + n].hex())
    check(before + n)


def _fastopen(ndo: Ndo, b: bytes, at: int, n: int) -> None:
    if n == 0:
        ndo.p(" cookiereq")
    elif n % 2 or not 4 <= n <= 16:
        ndo.invalid()
    else:
        ndo.p(f" cookie {b[at : at + n].hex()}")


def _signature(ndo: Ndo, b: bytes, at: int, where: tuple[int, int, int, int]) -> None:
    """Verify the MD5 signature of RFC 2385 with the secret of -M."""
    o, iph, length, _flags = where
    p = ndo.p
    digest = b[at : at + 16]
    data = o + (b[o + 12] >> 4 << 2)
    p(" ")
    if data + length > len(b):
        p(f"snaplen too short, can't check - {digest.hex()}")
        return
    if ndo.sigsecret is None:
        p(f"shared secret not supplied with -M, can't check - {digest.hex()}")
        return
    from hashlib import md5

    if b[iph] >> 4 == 4:
        size = u2(b, iph + 2) - (b[iph] & 15) * 4 & 0xFFFF
        pseudo = b[iph + 12 : iph + 20] + b"\0" + b[iph + 9 : iph + 10] + size.to_bytes(2, "big")
    else:
        pseudo = b[iph + 8 : iph + 40] + b"\0\0" + b[iph + 4 : iph + 6] + b"\0\0\0\x06"
    header = b[o : o + 16] + b"\0\0" + b[o + 18 : o + 20]
    if md5(pseudo + header + b[data : data + length] + ndo.sigsecret).digest() == digest:
        p("valid")
    else:
        ndo.invalid()


def _rst_data(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print why a connection was reset (RFC 9293 section 3.5.3 lets a reset say so)."""
    p = ndo.p
    p(" [RST" if o + length <= len(b) else " [!RST")
    if length > _MAX_RST_DATA:
        length = _MAX_RST_DATA
        p("+")
    p(f" {shown(b[o : o + length])}]")
