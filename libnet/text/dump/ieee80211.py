"""IEEE 802.11: management, control and data frames."""

from __future__ import annotations

from typing import Final

from libnet.text.dump.llc import llc_print
from libnet.text.dump.ndo import Ndo, le2, le4, shown, tok2str
from libnet.text.dump.wlantext import REASON, STATUS

_MGMT, _CTRL, _DATA = 0, 1, 2
_MGMT_SUBTYPES: Final = {
    0: "Assoc Request", 1: "Assoc Response", 2: "ReAssoc Request", 3: "ReAssoc Response",
    4: "Probe Request", 5: "Probe Response", 8: "Beacon", 9: "ATIM", 10: "Disassociation",
    11: "Authentication", 12: "DeAuthentication", 13: "Action",
}  # fmt: skip
_WRAPPER, _BAR, _BA, _PS_POLL, _RTS, _CTS, _ACK, _CF_END, _END_ACK = range(7, 16)
_CTRL_SUBTYPES: Final = {
    _WRAPPER: "Control Wrapper", _BAR: "BAR", _BA: "BA", _PS_POLL: "Power Save-Poll",
    _RTS: "Request-To-Send", _CTS: "Clear-To-Send", _ACK: "Acknowledgment",
    _CF_END: "CF-End", _END_ACK: "CF-End+CF-Ack",
}  # fmt: skip
_CTRL_HDRLEN: Final = {
    _WRAPPER: 16, _BAR: 20, _BA: 10, _PS_POLL: 16, _RTS: 16, _CTS: 10, _ACK: 10, _CF_END: 16,
    _END_ACK: 16,
}  # fmt: skip
_TO_DS, _FROM_DS, _MORE_FLAG, _RETRY, _POWER, _MORE_DATA, _PROTECTED, _ORDER = (
    0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 0x4000, 0x8000,
)  # fmt: skip
_FC_WORDS: Final = (
    (_MORE_DATA, "More Data "), (_MORE_FLAG, "More Fragments "), (_POWER, "Pwr Mgmt "),
    (_RETRY, "Retry "), (_ORDER, "Strictly Ordered "), (_PROTECTED, "Protected "),
)  # fmt: skip
_ALGORITHMS: Final = ("Open System", "Shared Key", "EAP")
_CATEGORIES: Final = {
    0: "Spectrum Management ", 1: "QoS ", 2: "DLS ", 3: "BA ", 7: "HT ", 13: "MeshAction ",
    14: "MultiohopAction ", 15: "SelfprotectAction ", 127: "Vendor ",
}  # fmt: skip
_ACTIONS: Final[dict[int, dict[int, str]]] = {
    3: {0: "ADDBA Request", 1: "ADDBA Response", 2: "DELBA"},
    7: {0: "TxChWidth", 1: "MIMOPwrSave"},
    13: {0: "MeshLink", 1: "HWMP", 2: "Gate Announcement", 3: "Congestion Control",
         4: "MCCA Setup Request", 5: "MCCA Setup Reply", 6: "MCCA Advertisement Request",
         7: "MCCA Advertisement", 8: "MCCA Teardown", 9: "TBTT Adjustment Request",
         10: "TBTT Adjustment Response"},
    14: {0: "Proxy Update", 1: "Proxy Update Confirmation"},
    15: {1: "Peering Open", 2: "Peering Confirm", 3: "Peering Close", 4: "Group Key Inform",
         5: "Group Key Acknowledge"},
}  # fmt: skip
_SSID, _RATES, _DS, _TIM, _CHALLENGE = 0, 1, 3, 5, 16


class _Cut(Exception):
    """The frame ends before its body does."""


class _Body:
    """What the elements of a management frame say. Raises nothing: whole is False when cut.

    ssid, rates, channel  None when not there
    whole                 every element was there and sound
    """

    __slots__ = ("channel", "rates", "ssid", "whole")

    def __init__(self, b: bytes, o: int, length: int) -> None:
        self.ssid: bytes | None = None
        self.rates: bytes | None = None
        self.channel: int | None = None
        self.whole = False
        while length:
            if o + 2 > len(b) or length < 2:
                return
            kind, size = b[o], b[o + 1]
            o += 2
            if o + size > len(b) or length < size + 2:
                return
            data = b[o : o + size]
            if kind == _SSID:
                if size > 32:
                    return
                if self.ssid is None:
                    self.ssid = data
            elif kind == _RATES:
                if size > 16:
                    return
                if self.rates is None and size:
                    self.rates = data
            elif kind == _DS:
                if size == 1 and self.channel is None:
                    self.channel = data[0]
            elif (kind == _CHALLENGE and size > 253) or (kind == _TIM and size > 254):
                return
            o += size
            length -= size + 2
        self.whole = True


def _ssid_print(ndo: Ndo, body: _Body) -> None:
    if body.ssid is not None:
        ndo.p(f" ({shown(body.ssid.partition(bytes(1))[0])})")


def _rates_print(ndo: Ndo, body: _Body) -> None:
    if body.rates is not None:
        told = [f"{0.5 * (r & 0x7F):.1f}{'*' if r & 0x80 else ''}" for r in body.rates]
        ndo.p(f" [{' '.join(told)} Mbit]")


def _channel_print(ndo: Ndo, body: _Body, capability: int) -> None:
    if body.channel is not None:
        ndo.p(f" CH: {body.channel}")
    if capability & 0x10:
        ndo.p(", PRIVACY")


def _need(b: bytes, o: int, length: int, n: int) -> None:
    if o + n > len(b) or length < n:
        raise _Cut


def _text(texts: tuple[str, ...], code: int, unknown: str) -> str:
    return texts[code] if code < len(texts) else unknown


def _assoc_request(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    _need(b, o, length, 4)
    body = _Body(b, o + 4, length - 4)
    _ssid_print(ndo, body)
    _rates_print(ndo, body)
    return body.whole


def _assoc_response(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    _need(b, o, length, 6)
    capability, status, aid = le2(b, o), le2(b, o + 2), le2(b, o + 4)
    privacy = " PRIVACY " if capability & 0x10 else ""
    ndo.p(f" AID({aid & 0x3FFF:x}) :{privacy}: {_text(STATUS, status, 'n/a')}")
    return _Body(b, o + 6, length - 6).whole


def _reassoc_request(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    _need(b, o, length, 10)
    body = _Body(b, o + 10, length - 10)
    _ssid_print(ndo, body)
    ndo.p(f" AP : {ndo.etheraddr(b, o + 4)}")
    return body.whole


def _probe_request(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    body = _Body(b, o, length)
    _ssid_print(ndo, body)
    _rates_print(ndo, body)
    return body.whole


def _beacon(ndo: Ndo, b: bytes, o: int, length: int, *, told: bool) -> bool:
    """Print a beacon, or a probe response, which does not tell what kind of BSS it is."""
    _need(b, o, length, 12)
    capability = le2(b, o + 10)
    body = _Body(b, o + 12, length - 12)
    _ssid_print(ndo, body)
    _rates_print(ndo, body)
    if told:
        ndo.p(" ESS" if capability & 1 else " IBSS")
    _channel_print(ndo, body, capability)
    return body.whole


def _auth(ndo: Ndo, b: bytes, o: int, length: int) -> bool:
    _need(b, o, length, 6)
    alg, seq, status = le2(b, o), le2(b, o + 2), le2(b, o + 4)
    name = _text(_ALGORITHMS, alg, "Reserved")
    result = _text(STATUS, status, "n/a") if seq % 2 else ""
    if alg == 1 and seq in (2, 3):
        ndo.p(f" ({name})-{seq:x} [Challenge Text] {result}")
    else:
        ndo.p(f" ({name})-{seq:x}: {result}")
    return _Body(b, o + 6, length - 6).whole


def _reason(ndo: Ndo, b: bytes, o: int, length: int, src: int | None) -> bool:
    _need(b, o, length, 2)
    who = "" if ndo.eflag or src is None else f" ({ndo.etheraddr(b, src)})"
    ndo.p(f"{who}: {_text(REASON, le2(b, o), 'Reserved')}")
    return True


def _action(ndo: Ndo, b: bytes, o: int, length: int, src: int) -> bool:
    _need(b, o, length, 2)
    ndo.p(": " if ndo.eflag else f" ({ndo.etheraddr(b, src)}): ")
    category, action = b[o], b[o + 1]
    name = _ACTIONS.get(category, {}).get(action, f"Act#{action}")
    ndo.p(_CATEGORIES.get(category, f"Reserved({category}) ") + name)
    return True


def _mgmt_body(ndo: Ndo, fc: int, b: bytes, o: int, length: int, hdr: int) -> bool:
    subtype = fc >> 4 & 15
    ndo.p(tok2str(_MGMT_SUBTYPES, "Unhandled Management subtype(%x)", subtype))
    if fc & _PROTECTED:
        return _wep(ndo, b, o)
    if subtype == 0:
        return _assoc_request(ndo, b, o, length)
    if subtype in (1, 3):
        return _assoc_response(ndo, b, o, length)
    if subtype == 2:
        return _reassoc_request(ndo, b, o, length)
    if subtype == 4:
        return _probe_request(ndo, b, o, length)
    if subtype in (5, 8):
        return _beacon(ndo, b, o, length, told=subtype == 8)
    if subtype == 10:
        return _reason(ndo, b, o, length, None)
    if subtype == 11:
        return _auth(ndo, b, o, length)
    if subtype == 12:
        return _reason(ndo, b, o, length, hdr + 10)
    if subtype == 13:
        return _action(ndo, b, o, length, hdr + 10)
    return True


def _wep(ndo: Ndo, b: bytes, o: int) -> bool:
    if o + 4 > len(b):
        return False
    iv = le4(b, o)
    ndo.p(f" IV:{iv & 0xFFFFFF:3x} Pad {iv >> 24 & 0x3F:x} KeyID {iv >> 30:x}")
    return True


def _ctrl_body(ndo: Ndo, fc: int, b: bytes, o: int) -> bool:
    subtype = fc >> 4 & 15
    p = ndo.p
    p(_CTRL_SUBTYPES.get(subtype, "Unknown Ctrl Subtype"))
    if subtype == _WRAPPER:
        return True
    if o + _CTRL_HDRLEN[subtype] > len(b):
        return False
    if subtype == _PS_POLL:
        p(f" AID({le2(b, o + 2):x})")
    elif not ndo.eflag:
        if subtype == _BAR:
            _bar_print(ndo, b, o)
        elif subtype == _RTS:
            p(f" TA:{ndo.etheraddr(b, o + 10)} ")
        else:
            p(f" RA:{ndo.etheraddr(b, o + 4)} ")
    return True


def _bar_print(ndo: Ndo, b: bytes, o: int) -> None:
    ndo.p(
        f" RA:{ndo.etheraddr(b, o + 4)} TA:{ndo.etheraddr(b, o + 10)} "
        f"CTL({le2(b, o + 16):x}) SEQ({le2(b, o + 18)}) "
    )


def _ctrl_header(ndo: Ndo, fc: int, b: bytes, o: int) -> None:
    subtype = fc >> 4 & 15
    if subtype == _BAR:
        _bar_print(ndo, b, o)
    elif subtype == _PS_POLL:
        ndo.p(f"BSSID:{ndo.etheraddr(b, o + 4)} TA:{ndo.etheraddr(b, o + 10)} ")
    elif subtype == _RTS:
        ndo.p(f"RA:{ndo.etheraddr(b, o + 4)} TA:{ndo.etheraddr(b, o + 10)} ")
    elif subtype in (_CF_END, _END_ACK):
        ndo.p(f"RA:{ndo.etheraddr(b, o + 4)} BSSID:{ndo.etheraddr(b, o + 10)} ")
    elif subtype in (_BA, _CTS, _ACK):
        ndo.p(f"RA:{ndo.etheraddr(b, o + 4)} ")


def _data_header(ndo: Ndo, fc: int, b: bytes, o: int) -> None:
    subtype = fc >> 4 & 15
    if subtype & 0x0B:
        kind = ("", "Ack", "Poll", "Ack/Poll")[subtype & 3]
        ndo.p(f"CF {kind}{'+QoS' if subtype & 8 else ''} ")
    names = {
        0: ("DA", "SA", "BSSID"), _FROM_DS: ("DA", "BSSID", "SA"), _TO_DS: ("BSSID", "SA", "DA"),
    }.get(fc & (_TO_DS | _FROM_DS), ("RA", "TA", "DA", "SA"))  # fmt: skip
    told = [
        f"{n}:{ndo.etheraddr(b, o + at)} " for n, at in zip(names, (4, 10, 16, 24), strict=False)
    ]
    ndo.p("".join(told))


def _header_print(ndo: Ndo, fc: int, b: bytes, o: int, hdrlen: int, meshlen: int) -> None:
    """Print what -e adds."""
    p = ndo.p
    kind, subtype = fc >> 2 & 3, fc >> 4 & 15
    if ndo.vflag:
        p("".join([word for bit, word in _FC_WORDS if fc & bit]))
        if kind != _CTRL or subtype != _PS_POLL:
            p(f"{le2(b, o + 2)}us ")
    if meshlen:
        at = o + hdrlen - meshlen
        extra = b[at] & 3
        p(f"MeshData (AE {extra} TTL {b[at + 1]} seq {le4(b, at + 2)}")
        for i in range(extra):
            p(f" A{4 + i}:{ndo.etheraddr(b, at + 6 + 6 * i)}")
        p(") ")
    if kind == _MGMT:
        p(
            f"BSSID:{ndo.etheraddr(b, o + 16)} DA:{ndo.etheraddr(b, o + 4)} "
            f"SA:{ndo.etheraddr(b, o + 10)} "
        )
    elif kind == _CTRL:
        _ctrl_header(ndo, fc, b, o)
    elif kind == _DATA:
        _data_header(ndo, fc, b, o)


def _hdrlen(ndo: Ndo, fc: int) -> int:
    kind, subtype = fc >> 2 & 3, fc >> 4 & 15
    if kind == _MGMT:
        return 24
    if kind == _CTRL:
        size = _CTRL_HDRLEN.get(subtype, 0)
        if not size:
            ndo.p(f"unknown 802.11 ctrl frame subtype ({subtype})")
        return size
    if kind == _DATA:
        size = 30 if fc & (_TO_DS | _FROM_DS) == _TO_DS | _FROM_DS else 24
        return size + 2 if subtype & 8 else size
    ndo.p(f"unknown 802.11 frame type ({kind})")
    return 0


def ieee802_11_print(ndo: Ndo, b: bytes, o: int, length: int, *, pad: bool, fcslen: int) -> int:
    """Print the frame at *o*; return the length of its headers.

    pad     the header is padded to four octets
    fcslen  octets of checksum at the end of *length*
    """
    ndo.protocol = "802.11"
    whole = len(b) - o
    if length < fcslen:
        ndo.trunc()
        return whole
    length -= fcslen
    if whole > length:
        b = b[: o + length]
    caplen = len(b) - o
    if caplen < 2:
        ndo.trunc()
        return whole
    fc = le2(b, o)
    hdrlen = _hdrlen(ndo, fc)
    if hdrlen == 0:
        return 0
    kind, subtype = fc >> 2 & 3, fc >> 4 & 15
    if pad:
        hdrlen = hdrlen + 3 & ~3
    meshlen = 0
    if ndo.Hflag and kind == _DATA and subtype & 8:
        if o + hdrlen >= len(b):
            ndo.trunc()
            return hdrlen
        flags = b[o + hdrlen]
        meshlen = 0 if flags & ~3 else 6 * (1 + (flags & 3))
        hdrlen += meshlen
    if caplen < hdrlen:
        ndo.trunc()
        return hdrlen
    if ndo.eflag:
        _header_print(ndo, fc, b, o, hdrlen, meshlen)
    # What follows may be negative for a frame that says it is shorter than its header.
    length = length - hdrlen & 0xFFFFFFFF
    at = o + hdrlen
    try:
        if kind == _MGMT:
            if not _mgmt_body(ndo, fc, b, at, length, o):
                raise _Cut
        elif kind == _CTRL:
            if not _ctrl_body(ndo, fc, b, o):
                raise _Cut
        elif not subtype & 4:
            if fc & _PROTECTED:
                ndo.p("Data")
                if not _wep(ndo, b, at):
                    raise _Cut
            else:
                hdrlen += _data(ndo, fc, b, o, at, length)
    except _Cut:
        ndo.trunc()
    return hdrlen


def _data(ndo: Ndo, fc: int, b: bytes, o: int, at: int, length: int) -> int:
    src, dst = {
        0: (10, 4), _FROM_DS: (16, 4), _TO_DS: (10, 16),
    }.get(fc & (_TO_DS | _FROM_DS), (24, 16))  # fmt: skip
    took = llc_print(ndo, b, at, length, (b, o + src), (b, o + dst))
    if took < 0:
        if not ndo.suppress_default_print:
            ndo.default_print(b, at, len(b) - at)
        took = -took
    return took


def ieee802_11_if_print(ndo: Ndo, b: bytes, length: int) -> None:
    """Print a bare frame (DLT_IEEE802_11)."""
    ndo.ll_hdr_len += ieee802_11_print(ndo, b, 0, length, pad=False, fcslen=0)
