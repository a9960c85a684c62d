"""PPP (RFC 1661), its control protocols and their options, PAP (RFC 1334), CHAP (RFC 1994)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from libnet.text.dump.ip import ip_print
from libnet.text.dump.ndo import Ndo, Printer, bittok2str, lazy, take, tok2str, u2, u3, u4
from libnet.text.dump.numbers import OUI

_LCP, _IPCP, _IPV6CP, _CCP, _BACP = 0xC021, 0x8021, 0x8057, 0x80FD, 0xC02B
_ML, _PAP, _CHAP, _BAP, _VJC, _LQM, _COMP = 0x3D, 0xC023, 0xC223, 0xC02D, 0x2D, 0xC025, 0xFD
_PROTOCOLS: Final = {
    0x21: "IP", 0x23: "OSI", 0x25: "NS", 0x27: "DECNET", 0x29: "APPLE", 0x2B: "IPX",
    0x2D: "VJC IP", 0x2F: "VJNC IP", 0x31: "BRPDU", 0x33: "STII", 0x35: "VINES",
    0x281: "MPLS", 0x283: "MPLS", 0xFD: "Compressed", 0x3D: "MLPPP", 0x57: "IP6",
    0x201: "HELLO", 0x231: "LUXCOM", 0x233: "SNS", 0x8021: "IPCP", 0x8023: "OSICP",
    0x8025: "NSCP", 0x8027: "DECNETCP", 0x8029: "APPLECP", 0x802B: "IPXCP", 0x8033: "STIICP",
    0x8035: "VINESCP", 0x8057: "IP6CP", 0x8281: "MPLSCP", 0xC021: "LCP", 0xC023: "PAP",
    0xC025: "LQM", 0xC223: "CHAP", 0xC227: "EAP", 0xC027: "SPAP", 0xC123: "Old-SPAP",
    0xC02B: "BACP", 0xC02D: "BAP", 0xC03D: "MLPPP-CP", 0x80FD: "CCP",
}  # fmt: skip
_CONTROL: Final = frozenset((_LCP, _IPCP, 0x8023, 0x8281, _IPV6CP, _CCP, _BACP))
_CODES: Final = {
    0: "Vendor-Extension", 1: "Conf-Request", 2: "Conf-Ack", 3: "Conf-Nack", 4: "Conf-Reject",
    5: "Term-Request", 6: "Term-Ack", 7: "Code-Reject", 8: "Prot-Reject", 9: "Echo-Request",
    10: "Echo-Reply", 11: "Disc-Req", 12: "Ident", 13: "Time-Rem", 14: "Reset-Req",
    15: "Reset-Ack",
}  # fmt: skip
_LCP_OPTIONS: Final = (
    "Vend-Ext", "MRU", "ACCM", "Auth-Prot", "Qual-Prot", "Magic-Num", "deprecated(6)", "PFC",
    "ACFC", "FCS-Alt", "SDP", "Num-Mode", "deprecated(12)", "Call-Back", "deprecated(14)",
    "deprecated(15)", "deprecated(16)", "MRRU", "12-Bit seq #", "End-Disc", "Proprietary",
    "DCE-Id", "MP+", "Link-Disc", "LCP-Auth-Opt", "COBS", "Prefix-elision",
    "Multilink-header-Form", "I18N", "SDL-over-SONET/SDH", "PPP-Muxing",
)  # fmt: skip
_CCP_OPTIONS: Final = {
    0: "OUI", 1: "Pred-1", 2: "Pred-2", 3: "Puddle", 16: "HP-PPC", 17: "Stac-LZS", 18: "MPPC",
    19: "Gand-FZA", 20: "V.42bis", 21: "BSD-Comp", 23: "LZS-DCP", 24: "MVRCA", 25: "DEC",
    26: "Deflate", 255: "Reserved",
}  # fmt: skip
_IPCP_OPTIONS: Final = {
    1: "IP-Addrs", 2: "IP-Comp", 3: "IP-Addr", 4: "Home-Addr", 129: "Pri-DNS", 130: "Pri-NBNS",
    131: "Sec-DNS", 132: "Sec-NBNS",
}  # fmt: skip
_COMPRESSIONS: Final = {_VJC: "VJ-Comp", 0x61: "IP Header Compression"}
_SUBOPTIONS: Final = {1: "RTP-Compression", 2: "Enhanced RTP-Compression"}
_AUTH_ALGORITHMS: Final = {5: "MD5", 128: "MS-CHAPv1", 129: "MS-CHAPv2"}
_CALLBACKS: Final = {
    0: "UserAuth", 1: "DialString", 2: "LocalID", 3: "E.164", 4: "X.500", 6: "CBCP",
}  # fmt: skip
_CHAP_CODES: Final = {1: "Challenge", 2: "Response", 3: "Success", 4: "Fail"}
_PAP_CODES: Final = {1: "Auth-Req", 2: "Auth-ACK", 3: "Auth-NACK"}

_PAYLOADS: Final[dict[int, Printer]] = {
    0x0800: ip_print,
    0x2F: ip_print,
    0x21: ip_print,
    0x86DD: lazy("ip6.ip6_print"),
    0x57: lazy("ip6.ip6_print"),
    0x23: lazy("isoclns.isoclns_print"),
    0x281: lazy("mpls.mpls_print"),
    0x283: lazy("mpls.mpls_print"),
}
_chdlc = lazy("chdlc.chdlc_if_print")


class _Bogus(Exception):
    """An option has the wrong length.

    text  what to say of it
    skip  whether its length may still be used to find the next one
    """

    def __init__(self, want: int, *, exact: bool = False, skip: bool = False) -> None:
        super().__init__(f" (length bogus, should be {'=' if exact else '>='} {want})")
        self.skip = skip


class _Cut(Exception):
    """An option was not captured whole."""


def _least(size: int, want: int, *, skip: bool = False) -> None:
    if size < want:
        raise _Bogus(want, skip=skip)


def _exactly(size: int, want: int, *, skip: bool = False) -> None:
    if size != want:
        raise _Bogus(want, exact=True, skip=skip)


# Printers of an option's value: (ndo, b, o, option, length), o at the option's first octet.
# They return whether octets without a meaning were left for a dump.


def _lcp_option(ndo: Ndo, b: bytes, o: int, opt: int, size: int) -> bool:
    p = ndo.p
    if opt == 0:
        _least(size, 6, skip=True)
        vendor = u3(b, o + 2)
        p(f": Vendor: {OUI.get(vendor, 'Unknown')} ({vendor})")
    elif opt == 1:
        _exactly(size, 4, skip=True)
        p(f": {u2(b, o + 2)}")
    elif opt == 2:
        _exactly(size, 6, skip=True)
        p(f": 0x{u4(b, o + 2):08x}")
    elif opt == 3:
        _least(size, 4, skip=True)
        proto = u2(b, o + 2)
        # The mark of the format without its percent sign is the original's.
        p(f": {_PROTOCOLS.get(proto, 'Unknown Auth Proto (0x04x)')}")
        if proto == _CHAP:
            p(f", {tok2str(_AUTH_ALGORITHMS, 'Unknown Auth Alg %u', b[o + 4])}")
        elif proto not in (_PAP, 0xC227, 0xC027, 0xC123):
            ndo.unknown_data(b, o, "\n\t", size)
    elif opt == 4:
        _least(size, 4)
        p(": LQR" if u2(b, o + 2) == _LQM else ": unknown")
    elif opt == 5:
        _exactly(size, 6)
        p(f": 0x{u4(b, o + 2):08x}")
    elif opt == 23:
        _exactly(size, 4)
        p(f": 0x{u2(b, o + 2):04x}")
    elif opt == 13:
        _least(size, 3)
        p(": ")
        p(f": Callback Operation {_CALLBACKS.get(b[o + 2], 'Unknown')} ({b[o + 2]})")
    elif opt == 17:
        _exactly(size, 4)
        p(f": {u2(b, o + 2)}")
    elif opt == 19:
        _least(size, 3)
        _discriminator(ndo, b, o, size)
    elif opt not in (7, 8):
        return True
    return False


def _discriminator(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    """Print an endpoint discriminator (RFC 1990 section 5.1.3)."""
    kind = b[o + 2]
    if kind == 2:
        _exactly(size, 7)
        ndo.p(f": IPv4 {ndo.ipaddr(b, o + 3)}")
    elif kind == 3:
        _exactly(size, 9)
        ndo.p(f": MAC {ndo.etheraddr(b, o + 3)}")
    else:
        ndo.p(
            {0: ": Null", 1: ": Local", 4: ": Magic-Num-Block", 5: ": PSNDN"}.get(
                kind, f": Unknown class {kind}"
            )
        )


def _ipcp_option(ndo: Ndo, b: bytes, o: int, opt: int, size: int) -> bool:
    p = ndo.p
    if opt == 1:
        _exactly(size, 10, skip=True)
        p(f": src {ndo.ipaddr(b, o + 2)}, dst {ndo.ipaddr(b, o + 6)}")
    elif opt == 2:
        _least(size, 4)
        proto = u2(b, o + 2)
        p(f": {_COMPRESSIONS.get(proto, 'Unknown')} (0x{proto:02x}):")
        if proto == 0x61:
            _least(size, 14)
            if o + 16 > len(b):
                raise _Cut
            p(
                f"\n\t    TCP Space {u2(b, o + 4)}, non-TCP Space {u2(b, o + 6)}, "
                f"maxPeriod {u2(b, o + 8)}, maxTime {u2(b, o + 10)}, maxHdr {u2(b, o + 12)}"
            )
            if size > 14:
                _ipcomp_suboptions(ndo, b, o + 14, size - 14)
                if ndo.vflag > 1:
                    # What the original dumps starts two octets behind the fixed part.
                    ndo.unknown_data(b, o + 16, "\n\t    ", size - 2)
                    raise _Done
    elif opt in _IPCP_OPTIONS:
        _exactly(size, 6)
        p(f": {ndo.ipaddr(b, o + 2)}")
    else:
        return True
    return False


class _Done(Exception):
    """The option is printed, its dump included."""


def _ipcomp_suboptions(ndo: Ndo, b: bytes, o: int, left: int) -> None:
    ndo.p(f"\n\t      Suboptions, length {left}")
    while left >= 2:
        if o + 2 > len(b):
            raise _Cut
        sub, size = b[o], b[o + 1]
        if sub == 0 or size == 0:
            return
        ndo.p(f"\n\t\t{_SUBOPTIONS.get(sub, 'Unknown')} Suboption #{sub}, length {size}")
        if left < size:
            ndo.p(f" [remaining suboptions length {left} < {size}]")
            ndo.invalid()
            return
        left -= size
        o += size


def _ip6cp_option(ndo: Ndo, b: bytes, o: int, opt: int, size: int) -> bool:
    if opt != 1:
        return True
    _exactly(size, 10, skip=True)
    if o + 10 > len(b):
        raise _Cut
    ndo.p(": " + ":".join([f"{u2(b, o + at):04x}" for at in (2, 4, 6, 8)]))
    return False


def _ccp_option(ndo: Ndo, b: bytes, o: int, opt: int, size: int) -> bool:
    p = ndo.p
    if opt == 21:
        _least(size, 3, skip=True)
        p(f": Version: {b[o + 2] >> 5}, Dictionary Bits: {b[o + 2] & 31}")
    elif opt == 24:
        _least(size, 4, skip=True)
        c = b[o + 2]
        p(
            f": Features: {c >> 6}, PxP: {'Enabled' if c & 32 else 'Disabled'}, "
            f"History: {c & 31}, #CTX-ID: {b[o + 3]}"
        )
    elif opt == 26:
        _least(size, 4, skip=True)
        c, d = b[o + 2], b[o + 3]
        p(
            f": Window: {c >> 4}K, Method: {'zlib' if c & 15 == 8 else 'unknown'} (0x{c & 15:x}), "
            f"MBZ: {d >> 2}, CHK: {d & 3}"
        )
    else:
        return True
    return False


def _bacp_option(ndo: Ndo, b: bytes, o: int, opt: int, size: int) -> bool:
    if opt != 1:
        return True
    _exactly(size, 6, skip=True)
    ndo.p(f": Magic-Num 0x{u4(b, o + 2):08x}")
    return False


_Option = Callable[[Ndo, bytes, int, int, int], bool]
# By control protocol: the printer, its name in a truncation mark, the names of options.
_OPTIONS: Final[dict[int, tuple[_Option, str, Callable[[int], str | None]]]] = {
    _LCP: (
        _lcp_option, "lcp", lambda opt: _LCP_OPTIONS[opt] if opt < len(_LCP_OPTIONS) else None
    ),
    _IPCP: (_ipcp_option, "ipcp", lambda opt: _IPCP_OPTIONS.get(opt, "unknown")),
    _IPV6CP: (_ip6cp_option, "ip6cp", lambda opt: "Interface-ID" if opt == 1 else "unknown"),
    _CCP: (_ccp_option, "ccp", lambda opt: _CCP_OPTIONS.get(opt, "Unknown")),
    _BACP: (_bacp_option, "bacp", lambda opt: "Favored-Peer" if opt == 1 else "Unknown"),
}  # fmt: skip


def _config_option(ndo: Ndo, b: bytes, o: int, length: int, proto: int) -> int:
    """Print an option; return its octets, 0 to stop."""
    printer, mark, name_of = _OPTIONS[proto]
    p = ndo.p
    if length < 2:
        return 0
    if o + 2 > len(b):
        p(f"[|{mark}]")
        return 0
    opt, size = b[o], b[o + 1]
    if length < size:
        return 0
    name = name_of(opt)
    if name is None:
        p(f"\n\tunknown LCP option 0x{opt:02x}")
        return size if size >= 2 else 0
    p(f"\n\t  {name} Option (0x{opt:02x}), length {size}")
    if size < 2:
        p(" (length bogus, should be >= 2)")
        return 0
    try:
        unknown = printer(ndo, b, o, opt, size)
    except _Bogus as exc:
        p(str(exc))
        return size if exc.skip else 0
    except _Cut:
        p(f"[|{mark}]")
        return 0
    except _Done:
        return size
    if ndo.vflag > 1 or unknown:
        ndo.unknown_data(b, o + 2, "\n\t    ", size - 2)
    return size


def _control_print(ndo: Ndo, b: bytes, o: int, length: int, proto: int) -> None:
    """Print a packet of a control protocol."""
    p = ndo.p
    name = tok2str(_PROTOCOLS, "unknown ctrl-proto (0x%04x)", proto)
    p(f"{name}, ")
    if length < 4 or o + 2 > len(b):
        p(f"[|{name}]")
        return
    code = b[o]
    p(f"{_CODES.get(code, 'Unknown Opcode')} (0x{code:02x}), id {b[o + 1]}, length {length + 2}")
    if not ndo.vflag:
        return
    size = u2(b, o + 2)
    if size < 4:
        p(f"\n\tencoded length {size} (< 4))")
        return
    if size > length:
        p(f"\n\tencoded length {size} (> packet length {length}))")
        return
    p(f"\n\tencoded length {size} (=Option(s) length {size - 4})")
    if size == 4:
        return
    if ndo.vflag > 1:
        ndo.unknown_data(b, o - 2, "\n\t", 6)
    at = o + 4
    if code == 0:
        if size >= 11:
            p(f"\n\t  Magic-Num 0x{u4(b, at):08x}")
            vendor = u3(b, at + 4)
            p(f" Vendor: {OUI.get(vendor, 'Unknown')} ({vendor})")
    elif code in (1, 2, 3, 4):
        _config(ndo, b, at, size, proto)
    elif code == 8:
        if size >= 6:
            rejected = u2(b, at)
            p(f"\n\t  Rejected {_PROTOCOLS.get(rejected, 'unknown')} Protocol (0x{rejected:04x})")
            if size > 6:
                p("\n\t  Rejected Packet")
                ndo.unknown_data(b, at + 2, "\n\t    ", size - 2)
    elif code in (9, 10, 11, 12):
        if size >= 8:
            p(f"\n\t  Magic-Num 0x{u4(b, at):08x}")
            if size > 8:
                if code == 12:
                    p("\n\t  Message\n\t    ")
                    if ndo.printn(b, at + 4, size - 4):
                        p(f"[|{name}]")
                    return
                p("\n\t  -----trailing data-----")
                if at + 4 + size - 8 > len(b):
                    p(f"[|{name}]")
                    return
                ndo.unknown_data(b, at + 4, "\n\t  ", size - 8)
    elif code == 13:
        if size >= 12:
            p(f"\n\t  Magic-Num 0x{u4(b, at):08x}")
            p(f", Seconds-Remaining {u4(b, at + 4)}s")
    elif code not in (5, 6, 7) and ndo.vflag <= 1:
        ndo.unknown_data(b, o - 2, "\n\t  ", size + 2)


def _config(ndo: Ndo, b: bytes, at: int, size: int, proto: int) -> None:
    if proto not in _OPTIONS:
        return
    left = size - 4
    while True:
        took = _config_option(ndo, b, at, size, proto)
        if took == 0:
            return
        if left < took:
            ndo.p(f" [remaining options length {left} < {took}]")
            ndo.invalid()
            return
        left -= took
        at += took
        if left == 0:
            return


def _mlppp_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    if not ndo.eflag:
        ndo.p("MLPPP, ")
    if length < 2 or o + 2 > len(b):
        ndo.p("[|mlppp]")
        return
    flags = bittok2str(((0x80, "begin"), (0x40, "end")), "none", b[o] & 0xC0)
    ndo.p(f"seq 0x{u2(b, o) & 0xFFF:03x}, Flags [{flags}], length {length}")


def _text(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    """Print *n* octets as text; what was not captured ends the packet."""
    ndo.printjn(b, o, n)


def _authentication_head(
    ndo: Ndo, b: bytes, o: int, length: int, name: str, codes: Mapping[int, str]
) -> bool:
    """Print the start of a packet of PAP or CHAP; return False if it is not whole."""
    if length < 4:
        ndo.p(f"[|{name}]" if length < 1 else f"[|{name} 0x{b[o]:02x}]")
        return False
    ndo.p(f"{name.upper()}, {codes.get(b[o], 'unknown')} (0x{b[o]:02x})")
    ndo.p(f", id {b[o + 1]}")
    return True


def _chap_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if not _authentication_head(ndo, b, o, length, "chap", _CHAP_CODES):
        return
    code, size = b[o], u2(b, o + 2)
    if code in (1, 2):
        if length < 5:
            return
        value = b[o + 4]
        if length - 5 < value:
            return
        p(", Value ")
        p(b[o + 5 : o + 5 + value].hex())
        take(b, o + 5, value)
        p(", Name ")
        # A length that ends before the value makes a huge name, which ends with the packet.
        _text(ndo, b, o + 5 + value, size - 5 - value & 0xFFFFFFFF)
    elif code in (3, 4):
        p(", Msg ")
        _text(ndo, b, o + 4, size - 4 & 0xFFFFFFFF)


def _pap_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    p = ndo.p
    if not _authentication_head(ndo, b, o, length, "pap", _PAP_CODES):
        return
    code, size = b[o], u2(b, o + 2)
    if size > length:
        p(f", length {size} > packet size")
        return
    if size < 4:
        p(f", length {size} < PAP header length")
        return
    if code not in (1, 2, 3):
        return
    if size < (6 if code == 1 else 5):
        p("[|pap]")
        return
    at, left = o + 4, size - 4
    for word in ("Peer", "Name") if code == 1 else ("Msg",):
        if left < 1:
            return
        n = b[at]
        at += 1
        left -= 1
        if left < n:
            return
        p(f", {word} ")
        _text(ndo, b, at, n)
        at += n
        left -= n


def _unescape(data: bytes) -> bytes:
    """Return *data* without the escapes of PPP in HDLC-like framing (RFC 1662)."""
    out = bytearray()
    escaped = False
    for c in data:
        if escaped:
            out.append(c ^ 0x20)
            escaped = False
        elif c == 0x7D:
            escaped = True
        else:
            out.append(c)
    return bytes(out)


def _ppp_hdlc(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print a packet that is still escaped."""
    if o >= len(b) or length == 0:
        return
    data = _unescape(b[o:])
    size = len(data)
    if size < 1:
        ndo.trunc()
        return
    if data[0] in (0x21, 0x57):
        _PAYLOADS[data[0]](ndo, data, 1, size - 1)
        return
    if size < 2:
        ndo.trunc()
        return
    at, proto = 2, u2(data, 0)
    if proto == 0xFF03:
        if size < 4:
            ndo.trunc()
            return
        at, proto = 4, u2(data, 2)
    if proto & 0xFF00 == 0x7E00:
        ndo.p(f"(protocol 0x{proto:04x} invalid)")
    else:
        _handle(ndo, data, at, size - at, proto)


def _handle(ndo: Ndo, b: bytes, o: int, length: int, proto: int) -> None:
    """Print the payload of protocol *proto*."""
    if proto & 0xFF00 == 0x7E00:
        _ppp_hdlc(ndo, b, o - 1, length)
    elif proto in _CONTROL:
        _control_print(ndo, b, o, length, proto)
    elif proto == _ML:
        _mlppp_print(ndo, b, o, length)
    elif proto == _CHAP:
        _chap_print(ndo, b, o, length)
    elif proto == _PAP:
        _pap_print(ndo, b, o, length)
    elif proto in _PAYLOADS:
        _PAYLOADS[proto](ndo, b, o, length)
    elif proto == _COMP:
        ndo.p("compressed PPP data")
    elif proto != _BAP:
        ndo.p(f"{tok2str(_PROTOCOLS, 'unknown PPP protocol (0x%04x)', proto)} ")
        ndo.unknown_data(b, o, "\n\t", length)


def ppp_print(ndo: Ndo, b: bytes, o: int, length: int) -> int:
    """Print a PPP packet, its address and control octets left out or not; return header octets."""
    ndo.protocol = "ppp"
    start, whole = o, length
    if length < 2:
        ndo.trunc()
        return 0
    head = u2(b, o)
    if head in (0x0003, 0x0103, 0xFF03):
        if ndo.eflag and head != 0xFF03:
            ndo.p("Out " if head == 0x0103 else "In  ")
        o += 2
        length -= 2
    if length < 2:
        ndo.trunc()
        return 0
    if b[o] & 1:
        proto, size = b[o], 1  # compressed to one octet
    else:
        proto, size = u2(b, o), 2
    o += size
    length -= size
    if ndo.eflag:
        name = _PROTOCOLS.get(proto, "unknown")
        ndo.p(f"{name} (0x{proto:04x}), length {whole}")
        if name == "unknown":
            return o - start
        ndo.p(": ")
    _handle(ndo, b, o, length, proto)
    return o - start


def ppp_ethertype_print(ndo: Ndo, b: bytes, o: int, length: int) -> None:
    """Print PPP behind an Ethertype."""
    if length:
        ndo.p(": ")
        ppp_print(ndo, b, o, length)


def ppp_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet of a PPP interface (DLT_PPP)."""
    ndo.protocol = "ppp"
    if len(b) < 4:
        ndo.trunc()
        ndo.ll_hdr_len += len(b)
        return
    ndo.ll_hdr_len += 4
    ppp_print(ndo, b, 0, length)


def ppp_hdlc_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a packet of a serial line, PPP or Cisco's HDLC (DLT_PPP_SERIAL)."""
    ndo.protocol = "ppp_hdlc"
    if len(b) < 2:
        ndo.trunc()
        ndo.ll_hdr_len += len(b)
        return
    if b[0] in (0x0F, 0x8F):
        _chdlc(ndo, b, length)
        return
    if len(b) < 4:
        ndo.trunc()
        ndo.ll_hdr_len += len(b)
        return
    if ndo.eflag:
        ndo.p(f"{b[0]:02x} {b[1]:02x} {length} ")
    if b[0] == 0xFF:
        proto = u2(b, 2)
        ndo.p(f"{tok2str(_PROTOCOLS, 'unknown PPP protocol (0x%04x)', proto)}: ")
        _handle(ndo, b, 4, length - 4, proto)
        ndo.ll_hdr_len += 4
    else:
        ndo.p(f"unknown addr {b[2]:02x}; ctrl {b[3]:02x}")
        ndo.ll_hdr_len += 2
