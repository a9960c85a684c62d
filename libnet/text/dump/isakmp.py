"""ISAKMP: IKE version 1 (RFC 2407, RFC 2408, RFC 2409) and 2 (RFC 7296), NAT-T (RFC 3948)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from libnet.text.dump.ndo import Ndo, lazy, shown, u2, u4
from libnet.text.dump.numbers import protoname

_SA, _P, _T, _N = 1, 2, 3, 11
_V2_NOTIFY, _V2E = 41, 46
_FLAG_E, _FLAG_C, _FLAG_I, _FLAG_V, _FLAG_R = 1, 2, 8, 16, 32
_HDRLEN: Final = 28
_MAXINITIATORS: Final = 20
_PROTOCOLS: Final = (None, "isakmp", "ipsec-ah", "ipsec-esp", "ipcomp")
_PAYLOADS: Final = (
    "none", "sa", "p", "t", "ke", "id", "cert", "cr", "hash", "sig", "nonce", "n", "d", "vid",
    *(f"pay{i}" for i in range(14, 33)),
    "v2sa", "v2ke", "v2IDi", "v2IDr", "v2cert", "v2cr", "v2auth", "v2nonce", "v2n", "v2d",
    "v2vid", "v2TSi", "v2TSr", "v2e", "v2cp", "v2eap",
)  # fmt: skip
_EXCHANGES: Final = {
    0: "none", 1: "base", 2: "ident", 3: "auth", 4: "agg", 5: "inf", 32: "oakley-quick",
    33: "oakley-newgroup", 34: "ikev2_init", 35: "ikev2_auth", 36: "child_sa", 37: "inf2",
}  # fmt: skip
_GROUPS: Final = (
    None, "modp768", "modp1024", "EC2N 2^155", "EC2N 2^185", "modp1536", "iana-grp06",
    "iana-grp07", "iana-grp08", "iana-grp09", "iana-grp10", "iana-grp11", "iana-grp12",
    "iana-grp13", "modp2048", "modp3072", "modp4096", "modp6144", "modp8192",
)  # fmt: skip
# Transforms of IKEv1, by protocol.
_IKE: Final = (None, "ike")
_AH: Final = (None, "(reserved)", "md5", "sha", "1des", "sha2-256", "sha2-384", "sha2-512")
_ESP: Final = (
    None, "1des-iv64", "1des", "3des", "rc5", "idea", "cast", "blowfish", "3idea", "1des-iv32",
    "rc4", "null", "aes",
)  # fmt: skip
_IPCOMP: Final = (None, "oui", "deflate", "lzs")
# Transforms of IKEv2.
_T_TYPES: Final = (None, "encr", "prf", "integ", "dh", "esn")
_PRF: Final = (None, "hmac-md5", "hmac-sha", "hmac-tiger", "aes128_xcbc")
_INTEG: Final = (None, "hmac-md5", "hmac-sha", "dec-mac", "kpdk-md5", "aes-xcbc")
_ESN: Final = ("no-esn", "esn")
# Attributes: name, how many values have a name at most, those names.
_Map = dict[int, tuple[str, Sequence[str | None]]]
# The original's tables say eighteen groups, so the last has no name in an attribute.
_GROUP_ATTR: Final = _GROUPS[:18]
_OAKLEY_ATTRS: Final[_Map] = {
    1: ("enc", (None, "1des", "idea", "blowfish", "rc5", "3des", "cast", "aes")),
    2: ("hash", (None, "md5", "sha1", "tiger", "sha2-256", "sha2-384", "sha2-512")),
    3: ("auth", (None, "preshared", "dss", "rsa sig", "rsa enc", "rsa enc revised")),
    4: ("group desc", _GROUP_ATTR),
    5: ("group type", (None, "MODP", "ECP", "EC2N")),
    6: ("group prime", ()),
    7: ("group gen1", ()),
    8: ("group gen2", ()),
    9: ("group curve A", ()),
    10: ("group curve B", ()),
    11: ("lifetype", (None, "sec", "kb")),
    12: ("lifeduration", ()),
    13: ("prf", ()),
    14: ("keylen", ()),
    15: ("field", ()),
    16: ("order", ()),
}
_IPSEC_ATTRS: Final[_Map] = {
    1: ("lifetype", (None, "sec", "kb")),
    2: ("life", ()),
    3: ("group desc", _GROUP_ATTR),
    4: ("enc mode", (None, "tunnel", "transport")),
    5: ("auth", (None, "hmac-md5", "hmac-sha1", "1des-mac", "keyed")),
    6: ("keylen", ()),
    7: ("rounds", ()),
    8: ("dictsize", ()),
    9: ("privalg", ()),
}
_ENCR_ATTRS: Final[_Map] = {14: ("keylen", ())}
_V1_TRANSFORMS: Final[dict[int, tuple[Sequence[str | None], _Map]]] = {
    1: (_IKE, _OAKLEY_ATTRS), 2: (_AH, _IPSEC_ATTRS), 3: (_ESP, _IPSEC_ATTRS),
    4: (_IPCOMP, _IPSEC_ATTRS),
}  # fmt: skip
_V2_TRANSFORMS: Final[dict[int, Sequence[str | None]]] = {
    1: _ESP, 2: _PRF, 3: _INTEG, 4: _GROUPS, 5: _ESN,
}  # fmt: skip
_ID_TYPES: Final = (
    None, "IPv4", "FQDN", "user FQDN", "IPv4net", "IPv6", "IPv6net", "IPv4range", "IPv6range",
    "ASN1 DN", "ASN1 GN", "keyid",
)  # fmt: skip
_CERTS: Final = (
    "none", "pkcs7", "pgp", "dns", "x509sign", "x509ke", "kerberos", "crl", "arl", "spki",
    "x509attr",
)  # fmt: skip
_ERRORS: Final = (
    None, "INVALID-PAYLOAD-TYPE", "DOI-NOT-SUPPORTED", "SITUATION-NOT-SUPPORTED",
    "INVALID-COOKIE", "INVALID-MAJOR-VERSION", "INVALID-MINOR-VERSION",
    "INVALID-EXCHANGE-TYPE", "INVALID-FLAGS", "INVALID-MESSAGE-ID", "INVALID-PROTOCOL-ID",
    "INVALID-SPI", "INVALID-TRANSFORM-ID", "ATTRIBUTES-NOT-SUPPORTED", "NO-PROPOSAL-CHOSEN",
    "BAD-PROPOSAL-SYNTAX", "PAYLOAD-MALFORMED", "INVALID-KEY-INFORMATION",
    "INVALID-ID-INFORMATION", "INVALID-CERT-ENCODING", "INVALID-CERTIFICATE",
    "CERT-TYPE-UNSUPPORTED", "INVALID-CERT-AUTHORITY", "INVALID-HASH-INFORMATION",
    "AUTHENTICATION-FAILED", "INVALID-SIGNATURE", "ADDRESS-NOTIFICATION",
    "NOTIFY-SA-LIFETIME", "CERTIFICATE-UNAVAILABLE", "UNSUPPORTED-EXCHANGE-TYPE",
    "UNEQUAL-PAYLOAD-LENGTHS",
)  # fmt: skip
_IPSEC_STATUS: Final = ("RESPONDER-LIFETIME", "REPLAY-STATUS", "INITIAL-CONTACT")
# Notifications of IKEv2: name, whether the SPI is shown.
_NOTIFY2: Final = {
    1: ("unsupported_critical_payload", False), 4: ("invalid_ike_spi", True),
    5: ("invalid_major_version", False), 7: ("invalid_syntax", True),
    9: ("invalid_message_id", True), 11: ("invalid_spi", True),
    14: ("no_protocol_chosen", True), 17: ("invalid_ke_payload", True),
    24: ("authentication_failed", True), 34: ("single_pair_required", True),
    35: ("no_additional_sas", False), 36: ("internal_address_failure", False),
    37: ("failed:cp_required", False), 39: ("invalid_selectors", False),
    16384: ("initial_contact", False), 16385: ("set_window_size", False),
    16386: ("additional_ts_possible", False), 16387: ("ipcomp_supported", False),
    16388: ("nat_detection_source_ip", True), 16389: ("nat_detection_destination_ip", True),
    16390: ("cookie", True), 16391: ("use_transport_mode", False),
    16392: ("http_cert_lookup_supported", False), 16393: ("rekey_sa", True),
    16394: ("tfc_padding_not_supported", False), 16395: ("non_first_fragment_also", False),
}  # fmt: skip
_COOKIE: Final = 16390
_V2_IDS: Final = {
    1: ("ipv4", False), 2: ("fqdn", True), 3: ("rfc822", True), 5: ("ipv6", False),
    9: ("dn", False), 10: ("gn", False), 11: ("keyid", False),
}  # fmt: skip
_AUTHS: Final = ("invalid", "rsasig", "shared-secret", "dsssig")
_esp = lazy("esp.esp_print")


class _Cut(Exception):
    """A payload is not there whole."""


class _Stop(Exception):
    """A payload told of its fault itself: nothing after it is looked at."""


def _word(words: Sequence[str | None], value: int) -> str:
    word = words[value] if value < len(words) else None
    return word or f"#{value}"


def _np(value: int) -> str:
    return _PAYLOADS[value] if value < len(_PAYLOADS) else f"#{value}"


def _raw(ndo: Ndo, b: bytes, o: int, n: int) -> None:
    """Print *n* octets in hex. Raises _Cut before anything is printed."""
    if o + n > len(b):
        raise _Cut
    ndo.p(b[o : o + n].hex())


def _some(ndo: Ndo, b: bytes, o: int) -> None:
    """Print the first octets and the last ones of the packet."""
    end = len(b)
    n = min(end - o, 10)
    tail = max(end - 20, o + n)
    ndo.p(" data=(")
    _raw(ndo, b, o, max(n, 0))
    ndo.p("...")
    if end - tail > 0:
        _raw(ndo, b, tail, end - tail)
    ndo.p(")")


def _attribute(ndo: Ndo, b: bytes, o: int, end: int, attrs: _Map) -> int:
    """Print an attribute; return where the next is. *end* is where they end."""
    p = ndo.p
    fixed = b[o] & 0x80
    total = 4 if fixed else 4 + u2(b, o + 2)
    if end < o + total:
        p("[|attr]")
        return end + 1
    p("(")
    kind = u2(b, o) & 0x7FFF
    name, values = attrs.get(kind, (f"#{kind}", ()))
    p(f"type={name} ")
    try:
        if fixed:
            p("value=")
            value = u2(b, o + 2)
            word = values[value] if value < len(values) else None
            if word:
                p(word)
            else:
                _raw(ndo, b, o + 2, 2)
        else:
            p(f"len={total - 4} value=")
            _raw(ndo, b, o + 4, total - 4)
    except _Cut:
        p(")")
        raise
    p(")")
    return o + total


def _attributes(ndo: Ndo, b: bytes, o: int, end: int, attrs: _Map) -> int:
    while o < len(b) and o < end:
        o = _attribute(ndo, b, o, end, attrs)
    if len(b) < end:
        ndo.p("...")
    return o


class _Where:
    """What a payload is part of: phase, DOI, protocol, and how deep it is nested."""

    __slots__ = ("base", "depth", "doi", "phase", "proto")

    def __init__(self, phase: int, base: int, doi: int = 0, proto: int = 0, depth: int = 0) -> None:
        self.phase, self.base, self.doi, self.proto, self.depth = phase, base, doi, proto, depth


# Printers of a payload: (ndo, b, o, size, kind, where), o at its generic header. They return where
# the next payload is.
_Payload = Callable[[Ndo, bytes, int, int, int, _Where], int]


def _v1_sa(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("sa:")
    if o + 12 > len(b):
        raise _Cut
    doi, sit = u4(b, o + 4), u4(b, o + 8)
    if doi != 1:
        p(f" doi={doi}")
        p(f" situation={sit}")
        return o + 12
    words = [w_ for bit, w_ in ((1, "identity"), (2, "secrecy"), (4, "integrity")) if sit & bit]
    p(f" doi=ipsec situation={'+'.join(words)}")
    at = o + 12
    if sit != 1:
        # What the original shows here lies four octets into the payload.
        p(f" ident={u4(b, o + 4)}")
        at += 4
    if at + 4 > len(b):
        raise _Cut
    return _sub1(ndo, b, at, _P, _Where(w.phase, w.base, doi, w.proto, w.depth))


def _v1_p(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("p:")
    if o + 8 > len(b):
        raise _Cut
    p(f" #{b[o + 4]} protoid={_word(_PROTOCOLS, b[o + 5])} transform={b[o + 7]}")
    spi = b[o + 6]
    if spi:
        p(" spi=")
        _raw(ndo, b, o + 8, spi)
    at = o + 8 + spi
    if at + 4 > len(b):
        raise _Cut
    return _sub1(ndo, b, at, _T, _Where(w.phase, w.base, w.doi, b[o + 5], w.depth))


def _v1_t(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("t:")
    if o + 8 > len(b):
        raise _Cut
    ident = b[o + 5]
    names, attrs = _V1_TRANSFORMS.get(w.proto, (None, {}))
    p(f" #{b[o + 4]} id={ident if names is None else _word(names, ident)} ")
    return _attributes(ndo, b, o + 8, o + size, attrs)


def _more(ndo: Ndo, b: bytes, o: int, size: int) -> None:
    """Print a payload's octets with -vvv."""
    if ndo.vflag > 2 and size > 4:
        ndo.p(" ")
        _raw(ndo, b, o + 4, size - 4)


def _v1_ke(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    ndo.p(f"ke: key len={size - 4}")
    _more(ndo, b, o, size)
    return o + size


def _v1_plain(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    """Print a hash, a signature or a vendor ID."""
    ndo.p(f"{_np(kind)}: len={size - 4}")
    _more(ndo, b, o, size)
    return o + size


def _v1_cert(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    ndo.p(f"{_np(kind)}:")
    if o + 6 > len(b):
        raise _Cut
    ndo.p(f" len={size - 4} type={_word(_CERTS, b[o + 4])}")
    _more(ndo, b, o, size)
    return o + size


def _v1_nonce(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    ndo.p(f"nonce: n len={size - 4}")
    if ndo.vflag > 2:
        _more(ndo, b, o, size)
    elif ndo.vflag > 1:
        ndo.p(" ")
        _some(ndo, b, o + 4)
    return o + size


def _v1_id(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("id:")
    if o + 8 > len(b):
        raise _Cut
    ident, proto = b[o + 4], b[o + 5]
    p(f" idtype={_word(_ID_TYPES, ident)}")
    name = None if ndo.nflag or not proto else protoname(proto)
    p(f" protoid={name or proto}")
    p(f" port={u2(b, o + 6)}")
    if size <= 8:
        return o + size
    at, n = o + 8, size - 8
    if at + n > len(b):
        raise _Cut
    least = {1: 4, 4: 8, 5: 16, 6: 32, 7: 8, 8: 32}.get(ident)
    if ident in (2, 3):
        p(f" len={n} {shown(b[at : at + n])}")
    elif least is None:
        p(f" len={n}")
        if ndo.vflag > 2:
            p(" ")
            _raw(ndo, b, at, n)
    elif n < least:
        p(f" len={n} [bad: < {least}]")
    elif ident == 1:
        p(f" len={n} {ndo.ipaddr(b, at)}")
    elif ident == 4:
        p(f" len={n} {ndo.ipaddr(b, at)}/{'.'.join(map(str, b[at + 4 : at + 8]))}")
    elif ident == 5:
        p(f" len={n} {ndo.ip6addr(b, at)}")
    elif ident == 6:
        p(f" len={n} {ndo.ip6addr(b, at)}/0x{b[at + 16 : at + 32].hex()}")
    elif ident == 7:
        p(f" len={n} {ndo.ipaddr(b, at)}-{ndo.ipaddr(b, at + 4)}")
    else:
        p(f" len={n} {ndo.ip6addr(b, at)}-{ndo.ip6addr(b, at + 16)}")
    return o + size


def _notify_name(doi: int, kind: int) -> str:
    if kind < 8192:
        return _word(_ERRORS, kind)
    if kind < 16384:
        if doi != 1:
            return f"#{kind}"
        return "RESERVED" if kind == 8192 else f"#{kind - 8192}"
    if kind < 24576:
        return "CONNECTED" if kind == 16384 else f"#{kind - 16384}"
    if doi == 1 and kind < 32768:
        return _word(_IPSEC_STATUS, kind - 24576)
    return f"#{kind}"


def _doi(doi: int, proto: int) -> str:
    """Return a domain of interpretation and a protocol in it."""
    return f"doi=ipsec proto={_word(_PROTOCOLS, proto)}" if doi == 1 else f"doi={doi} proto={proto}"


def _v1_n(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("n:")
    if o + 12 > len(b):
        raise _Cut
    doi, proto, spi, what = u4(b, o + 4), b[o + 8], b[o + 9], u2(b, o + 10)
    p(f" {_doi(doi, proto)} type={_notify_name(doi, what)}")
    if spi:
        p(" spi=")
        _raw(ndo, b, o + 12, spi)
    at, end = o + 12 + spi, o + size
    if doi != 1:
        return at
    if at < len(b):
        if what == 24576:
            p(" attrs=(")
            try:
                while at < len(b) and at < end:
                    at = _attribute(ndo, b, at, end, _OAKLEY_ATTRS)
            except _Cut:
                p(")")
                raise
            p(")")
        elif what == 24577:
            p(" status=(")
            p(f"replay detection {'en' if u4(b, at) else 'dis'}abled)")
        elif ndo.vflag > 3:
            p(" data=(")
            _raw(ndo, b, at, len(b) - at)
            p(")")
        else:
            _some(ndo, b, at)
    return end


def _v1_d(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    p("d:")
    if o + 12 > len(b):
        raise _Cut
    doi, proto, spi, count = u4(b, o + 4), b[o + 8], b[o + 9], u2(b, o + 10)
    p(f" {_doi(doi, proto)}")
    p(f" spilen={spi} nspi={count} spi=")
    at = o + 12
    for i in range(count):
        if i:
            p(",")
        _raw(ndo, b, at, spi)
        at += spi
    return at


def _head2(ndo: Ndo, name: str, b: bytes, o: int) -> None:
    ndo.p(f"{name}{'[C]' if b[o + 1] & 0x80 else ''}:")


def _v2_gen(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    _head2(ndo, _np(kind), b, o)
    ndo.p(f" len={size - 4}")
    _more(ndo, b, o, size)
    return o + size


def _v2_t(ndo: Ndo, b: bytes, o: int, size: int, number: int) -> int:
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, "t", b, o)
    kind, ident = b[o + 4], u2(b, o + 6)
    names = _V2_TRANSFORMS.get(kind)
    told = str(ident) if names is None else _word(names, ident)
    ndo.p(f" #{number} type={_word(_T_TYPES, kind)} id={told} ")
    return _attributes(ndo, b, o + 8, o + size, _ENCR_ATTRS if kind == 1 else {})


def _items(
    ndo: Ndo,
    b: bytes,
    at: int,
    left: int,
    kind: int,
    name: str,
    depth: int,
    printer: Callable[[int, int, int], int],
) -> int:
    """Print proposals or transforms; return where they end.

    left     octets that the payload around them leaves
    kind     the payload type that has a printer
    printer  of (offset, size, number)
    """
    number, np = 0, kind
    while np:
        number += 1
        if left < 4:
            ndo.p(f" [|{name}]")
            return at + left
        if at + 4 > len(b):
            raise _Cut
        size = u2(b, at + 2)
        if size <= 4:
            raise _Cut
        if left < size:
            ndo.p(f" [|{name}]")
            return at + left
        if at + size > len(b):
            raise _Cut
        here = at
        ndo.p("\n" + "    " * (depth + 1) + "(")
        if np == kind:
            at = printer(at, size, number)
        else:
            ndo.p(_np(np))
            at += size
        ndo.p(")")
        left -= size
        np = b[here]
    return at


def _v2_p(ndo: Ndo, b: bytes, o: int, size: int, depth: int) -> int:
    p = ndo.p
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, "p", b, o)
    left, spi = size - 4, b[o + 6]
    p(f" #{b[o + 4]} protoid={_word(_PROTOCOLS, b[o + 5])} transform={b[o + 7]} len={size}")
    at = o + 8
    if spi:
        if left < spi:
            p(" [|p]")
            return at + left
        p(" spi=")
        _raw(ndo, b, at, spi)
        at += spi
        left -= spi

    def transform(where: int, n: int, number: int) -> int:
        return _named(ndo, "t", lambda: _v2_t(ndo, b, where, n, number))

    return _items(ndo, b, at, left, _T, "p", depth, transform)


def _v2_sa(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    _head2(ndo, "sa", b, o)
    left = u2(b, o + 2) - 4
    ndo.p(f" len={left}")

    def proposal(where: int, n: int, number: int) -> int:
        return _named(ndo, "p", lambda: _v2_p(ndo, b, where, n, w.depth + 1))

    return _items(ndo, b, o + 4, left, _P, _np(kind), w.depth, proposal)


def _v2_ke(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, _np(kind), b, o)
    if size < 8:
        ndo.p(f" len={size} < 8")
        return o + size
    ndo.p(f" len={size - 8} group={_word(_GROUPS, u2(b, o + 4))}")
    if ndo.vflag > 2 and size > 8:
        ndo.p(" ")
        _raw(ndo, b, o + 8, size - 8)
    return o + size


def _dotted(data: bytes) -> str:
    return "".join([chr(c) if 0x20 <= c < 0x7F else "." for c in data])


def _v2_id(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, _np(kind), b, o)
    ndo.p(f" len={size - 4}")
    _more(ndo, b, o, size)
    known = _V2_IDS.get(b[o + 4])
    if known is not None:
        name, text = known
        ndo.p(f" {name}:")
        n = size - 8
        if n < 0 or o + size > len(b):
            raise _Cut
        ndo.p(_dotted(b[o + 8 : o + size]) if text else b[o + 8 : o + size].hex())
    return o + size


def _v2_auth(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, _np(kind), b, o)
    ndo.p(f" len={size - 4} method={_word(_AUTHS, b[o + 4])}")
    if ndo.vflag > 1:
        ndo.p(" authdata=(")
        if size < 8:
            raise _Cut
        _raw(ndo, b, o + 8, size - 8)
        ndo.p(") ")
    else:
        _some(ndo, b, o + 8)
    return o + size


def _v2_nonce(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    _head2(ndo, "nonce", b, o)
    ndo.p(f" len={size - 4}")
    if ndo.vflag > 1:
        ndo.p(" nonce=(")
        _raw(ndo, b, o + 4, size - 4)
        ndo.p(") ")
    else:
        _some(ndo, b, o + 4)
    return o + size


def _v2_n(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    p = ndo.p
    if o + 8 > len(b):
        raise _Cut
    _head2(ndo, "n", b, o)
    proto, spi, what = b[o + 4], b[o + 5], u2(b, o + 6)
    p(f" prot_id={_word(_PROTOCOLS, proto)}")
    if what < 8192:
        unknown = "error"
    elif what < 16384:
        unknown = "private-error"
    else:
        unknown = "status" if what < 40960 else "private-status"
    name, show = _NOTIFY2.get(what, (unknown, True))
    p(f" type={what}({name})")
    if show and spi:
        p(" spi=")
        _raw(ndo, b, o + 8, spi)
    at = o + 8 + spi
    left = len(b) - at
    if left > 0:
        some = what == _COOKIE
        if ndo.vflag > 3 or (some and left < 30):
            p(" data=(")
            _raw(ndo, b, at, left)
            p(")")
        elif some:
            _some(ndo, b, at)
    return o + size


def _v2_vid(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    _head2(ndo, _np(kind), b, o)
    n = size - 4
    ndo.p(f" len={n} vid=")
    if o + size > len(b):
        raise _Cut
    ndo.p(_dotted(b[o + 4 : o + size]))
    if ndo.vflag > 2 and n > 4:
        ndo.p(" ")
        _raw(ndo, b, o + 4, n)
    return o + size


def _v2_e(ndo: Ndo, b: bytes, o: int, size: int, kind: int, w: _Where) -> int:
    """Print an encrypted payload, and what is in it if -E gave the key. Nothing comes after it."""
    _head2(ndo, _np(kind), b, o)
    n = size - 4
    ndo.p(f" len={n}")
    if ndo.vflag > 2 and n > 4:
        ndo.p(" ")
        _raw(ndo, b, o + 4, n)
    if o + size > len(b):
        raise _Cut
    if ndo.esp is not None:
        initiator = bool(b[w.base + 19] & _FLAG_I)
        cookies = b[w.base : w.base + 8], b[w.base + 8 : w.base + 16]
        sa = ndo.esp.find_ikev2(initiator, *cookies)
        plain = None
        if sa is not None:
            data = b[o + 4 : o + size - sa.authlen]
            if len(data) > sa.ivlen:
                plain = sa.decrypt(data[: sa.ivlen], data[sa.ivlen :])
        if plain is not None:
            whole = b[:o] + plain
            _sub2(ndo, whole, o, b[o], _Where(w.phase, w.base, w.doi, w.proto, w.depth + 1))
    raise _Stop


_PRINTERS: Final[dict[int, _Payload]] = {
    1: _v1_sa, 2: _v1_p, 3: _v1_t, 4: _v1_ke, 5: _v1_id, 6: _v1_cert, 7: _v1_cert,
    8: _v1_plain, 9: _v1_plain, 10: _v1_nonce, 11: _v1_n, 12: _v1_d, 13: _v1_plain,
    33: _v2_sa, 34: _v2_ke, 35: _v2_id, 36: _v2_id, 37: _v2_gen, 38: _v2_gen, 39: _v2_auth,
    40: _v2_nonce, 41: _v2_n, 42: _v2_gen, 43: _v2_vid, 44: _v2_gen, 45: _v2_gen, 47: _v2_gen,
    48: _v2_gen,
}  # fmt: skip


def _named(ndo: Ndo, name: str, printer: Callable[[], int]) -> int:
    """Run a printer; a fault in what it prints is told with its name. Raises _Stop after that."""
    try:
        return printer()
    except _Cut:
        ndo.p(f" [|{name}]")
        raise _Stop from None


def _sub(
    ndo: Ndo, b: bytes, o: int, np: int, w: _Where, own: dict[int, _Payload] | None = None
) -> int:
    """Print a chain of payloads, the first of type *np*; return where it ends.

    Raises _Stop after a fault, told.
    """
    while np:
        if o + 4 > len(b) or o + u2(b, o + 2) > len(b):
            ndo.p(f" [|{_np(np)}]")
            raise _Stop
        size = u2(b, o + 2)
        ndo.p("\n" + "    " * (w.depth + 1) + "(")
        try:
            here = o
            if size <= 4:
                raise _Stop
            printer = _PRINTERS.get(np)
            if own is not None and np in own:
                printer = own[np]
            if printer is None:
                ndo.p(_np(np))
                o += size
            else:
                inner = _Where(w.phase, w.base, w.doi, w.proto, w.depth + 1)
                try:
                    o = printer(ndo, b, o, size, np, inner)
                except _Cut:
                    ndo.p(f" [|{'n' if np == _V2_NOTIFY else _np(np)}]")
                    raise _Stop from None
        except _Stop:
            ndo.p(")")
            raise
        ndo.p(")")
        np = b[here]
    return o


def _sub1(ndo: Ndo, b: bytes, o: int, np: int, w: _Where) -> int:
    return _sub(ndo, b, o, np, w)


def _sub2(ndo: Ndo, b: bytes, o: int, np: int, w: _Where) -> int:
    return _sub(ndo, b, o, np, w, {_V2E: _v2_e})


def _side(ndo: Ndo, b: bytes, o: int, iph: int) -> str:
    """Return who speaks: I(nitiator), R(esponder) or ?, as the first packet of a cookie told."""
    cookie = b[o : o + 8]
    cache = ndo.memory.setdefault("isakmp", [])
    if not cache:
        # Free places hold the zero cookie, which thereby is known and belongs to nobody.
        cache.extend([[bytes(8), b"", b""] for _ in range(_MAXINITIATORS)])
        ndo.memory["isakmp next"] = 0
    if b[iph] >> 4 == 4:
        src, dst = b[iph + 12 : iph + 16], b[iph + 16 : iph + 20]
    else:
        src, dst = b[iph + 8 : iph + 24], b[iph + 24 : iph + 40]
    for known in cache:
        if known[0] == cookie:
            if src == known[1]:
                return "I"
            return "R" if src == known[2] else "?"
    if any(b[o + 8 : o + 16]):
        return "?"
    place = ndo.memory["isakmp next"]
    cache[place] = [cookie, src, dst]
    ndo.memory["isakmp next"] = (place + 1) % _MAXINITIATORS
    return "I"


def isakmp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a message; *iph* is where the IP header is."""
    ndo.protocol = "isakmp"
    p = ndo.p
    if len(b) < o + _HDRLEN:
        ndo.trunc()
        return
    p("isakmp")
    major, minor = b[o + 17] >> 4, b[o + 17] & 15
    if ndo.vflag:
        p(f" {major}.{minor} msgid {b[o + 20 : o + 24].hex()}")
    if ndo.vflag > 1:
        p(f" cookie {b[o : o + 8].hex()}->{b[o + 8 : o + 16].hex()}")
    p(":")
    if major not in (1, 2):
        return
    phase = 2 if u4(b, o + 20) else 1
    flags = b[o + 19]
    if major == 1:
        p(f" phase {phase}{'/others' if phase == 2 else ''} {_side(ndo, b, o, iph)}")
        marks = f"{'E' if flags & _FLAG_E else ''}{'C' if flags & _FLAG_C else ''}"
    else:
        p(" parent_sa" if phase == 1 else " child_sa ")
        marks = (
            f"{'I' if flags & _FLAG_I else ''}{'V' if flags & _FLAG_V else ''}"
            f"{'R' if flags & _FLAG_R else ''}"
        )
    exchange = b[o + 18]
    p(f" {_EXCHANGES.get(exchange, f'#{exchange}')}")
    if flags:
        p(f"[{marks}]")
    if not ndo.vflag:
        return
    p(":")
    np = b[o + 16]
    if flags & _FLAG_E:
        p(f" [encrypted {_np(np)}]")
    else:
        try:
            (_sub1 if major == 1 else _sub2)(ndo, b, o + _HDRLEN, np, _Where(phase, o))
        except _Stop:
            pass  # the fault is in the line already
    told = u4(b, o + 24)
    if told != length:
        p(f" (len mismatch: isakmp {told}/ip {length})")


def isakmp_udp_print(ndo: Ndo, b: bytes, o: int, length: int, iph: int) -> None:
    """Print a message on one of its ports."""
    isakmp_print(ndo, b, o, length, iph)


def rfc3948_print(
    ndo: Ndo, b: bytes, o: int, length: int, iph: int, ver: int, fragmented: int, ttl: int
) -> None:
    """Print what is behind port 4500: a message, ESP in UDP, or a keep-alive."""
    ndo.protocol = "isakmp_rfc3948"
    if length == 1 and b[o] == 0xFF:
        ndo.p("isakmp-nat-keep-alive")
    elif length < 4:
        ndo.trunc()
    elif u4(b, o) == 0:
        ndo.p("NONESP-encap: ")
        isakmp_print(ndo, b, o + 4, length - 4, iph)
    else:
        ndo.p("UDP-encap: ")
        _esp(ndo, b, o, length, iph, ver, fragmented, ttl)
