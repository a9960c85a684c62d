"""ifconfig scan: ask the radio to look round, wait for its word, list what it found."""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from libnet.addr import AF_ROUTE, ether_ntoa
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import (
    IEEE80211_IOC_SCAN_REQ,
    IEEE80211_IOC_SCAN_RESULTS,
    SCAN_RESULT,
    SIOCG80211,
    SIOCS80211,
    Ieee80211Req,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_RAW, Socket
from libnet.text.err import Err
from libnet.wire import Truncated
from libnet.wire.ieee80211 import (
    ELEMID_CFPARMS,
    ELEMID_CHALLENGE,
    ELEMID_COUNTRY,
    ELEMID_DSPARMS,
    ELEMID_ERP,
    ELEMID_FHPARMS,
    ELEMID_IBSSPARMS,
    ELEMID_RATES,
    ELEMID_RSN,
    ELEMID_SSID,
    ELEMID_TIM,
    ELEMID_VENDOR,
    ELEMID_XRATES,
    WME_OUI_TYPE,
    WPA_OUI_TYPE,
    Suites,
    element,
    elements,
)
from libnet.wire.phy import channel_of

_RTM_IEEE80211: Final = 17
_RTM_IEEE80211_SCAN: Final = 105
_ANNOUNCE: Final = Struct("<HBBH16sH")

SCAN_TIMEOUT_S: Final = 30.0

_CAPS: Final = (
    (0x0001, "E"),
    (0x0002, "I"),
    (0x0004, "c"),
    (0x0008, "C"),
    (0x0010, "P"),
    (0x0020, "S"),
    (0x0040, "B"),
    (0x0080, "A"),
    (0x0400, "s"),
    (0x0800, "R"),
    (0x2000, "D"),
)


class ScanResult:
    """One access point or ad hoc network. rate in Mb/s; interval in time units of 1.024 ms."""

    __slots__ = ("bssid", "caps", "chan", "elements", "interval", "noise", "rate", "rssi", "ssid")

    def __init__(self, octets: bytes, ssid: bytes, elements: bytes) -> None:
        (
            _length,
            freq,
            _flags,
            self.noise,
            self.rssi,
            self.interval,
            self.caps,
            _erp,
            self.bssid,
            nrates,
            rates,
            _ssid_len,
            _ie_len,
        ) = SCAN_RESULT.unpack_from(octets)
        self.chan = channel_of(freq)
        self.rate = max((rate & 0x7F for rate in rates[:nrates]), default=0) // 2
        self.ssid, self.elements = ssid, elements


def parse_results(octets: bytes) -> list[ScanResult]:
    """Return the records in *octets*; what follows a record that makes no sense is left out."""
    found: list[ScanResult] = []
    at = 0
    while len(octets) - at >= SCAN_RESULT.size:
        fields = SCAN_RESULT.unpack_from(octets, at)
        length, ssid_len, ie_len = fields[0], fields[-2], fields[-1]
        if length < SCAN_RESULT.size + ssid_len + ie_len or length > len(octets) - at:
            break
        ssid_at = at + SCAN_RESULT.size
        ie_at = ssid_at + ssid_len
        record = octets[at : at + length]
        found.append(ScanResult(record, octets[ssid_at:ie_at], octets[ie_at : ie_at + ie_len]))
        at += length
    return found


def _ssid(octets: bytes) -> str:
    if any(not 0x20 <= octet < 0x7F for octet in octets):
        text = f"0x{octets.hex()}"
        return text if len(text) <= 32 else text[:29] + "..."
    return octets.decode("ascii")


# Elements that are told in hexadecimal, by what they are called.
_NAMES: Final = {
    ELEMID_FHPARMS: "FHPARMS",
    ELEMID_CFPARMS: "CFPARMS",
    ELEMID_TIM: "TIM",
    ELEMID_IBSSPARMS: "IBSSPARMS",
    ELEMID_CHALLENGE: "CHALLENGE",
}
_CIPHERS: Final = {0: "NONE", 1: "WEP40", 2: "TKIP", 3: "AES-OCB", 4: "AES-CCMP", 5: "WEP104"}
_KEYMGMT_WPA: Final = {0: "NONE", 1: "8021X-UNSPEC", 2: "8021X-PSK"}
_KEYMGMT_RSN: Final = {1: "8021X-UNSPEC", 2: "8021X-PSK"}


def show_suites(body: bytes, keymgmt: dict[int, str]) -> str:
    """Return what a WPA or RSN element offers; its octets where it is broken off.

    >>> show_suites(bytes.fromhex("0100000fac040100000fac040100000fac020000"), _KEYMGMT_RSN)
    '<v1 mc:AES-CCMP uc:AES-CCMP km:8021X-PSK, caps 0x0>'
    """
    try:
        suites = Suites.parse(body)
    except Truncated:
        return f"<{body.hex()}>"
    text = f"<v{suites.version} mc:{_CIPHERS.get(suites.group, '?')}"
    if suites.pairwise:
        text += " uc:" + "+".join(_CIPHERS.get(suite, "?") for suite in suites.pairwise)
    if suites.keymgmt:
        text += " km:" + "+".join(keymgmt.get(suite, "?") for suite in suites.keymgmt)
    if suites.caps is not None:
        text += f", caps {suites.caps:#x}"
    return text + ">"


def _country(body: bytes) -> str:
    text = "".join(chr(octet) if 0x20 <= octet < 0x7F else "?" for octet in body[:3])
    for at in range(3, len(body) - 2, 3):
        first, count, power = body[at : at + 3]
        text += f" {first},{power}" if count == 1 else f" {first}-{first + count - 1},{power}"
    return text


def _rates(body: bytes) -> str:
    return ",".join(f"{'B' if rate & 0x80 else ''}{rate & 0x7F}" for rate in body)


def _elements(octets: bytes, *, verbose: bool) -> Iterator[str]:
    """Yield the words of the information elements that a listing names, what follows a broken one not."""
    try:
        for kind, body in elements(octets):
            yield _element(kind, body, verbose=verbose)
    except Truncated:
        return


def _element(kind: int, body: bytes, *, verbose: bool) -> str:
    if kind == ELEMID_RSN:
        return " RSN" + (show_suites(body, _KEYMGMT_RSN) if verbose else "")
    if kind == ELEMID_VENDOR and body[:4] == WPA_OUI_TYPE:
        return " WPA" + (show_suites(body, _KEYMGMT_WPA) if verbose else "")
    octets = f"<{element(kind, body).hex()}>"
    if kind == ELEMID_VENDOR and body[:4] == WME_OUI_TYPE:
        return " WME" + (octets if verbose else "")
    if not verbose:
        return ""
    if kind == ELEMID_SSID:
        return f" SSID<{_ssid(body)}>"
    if kind == ELEMID_RATES:
        return f" RATES<{_rates(body)}>"
    if kind == ELEMID_XRATES:
        return f" XRATES<{_rates(body)}>"
    if kind == ELEMID_DSPARMS and body:
        return f" DSPARMS<{body[0]}>"
    if kind == ELEMID_COUNTRY:
        return f" COUNTRY<{_country(body)}>"
    if kind == ELEMID_ERP and body:
        return f" ERP<{body[0]:#x}>"
    if kind == ELEMID_VENDOR:
        return f" VEN{octets}"
    return f" {_NAMES.get(kind, f'UNKNOWN_ELEMID_{kind}')}{octets}"


def show_scan(results: list[ScanResult], *, verbose: bool = False) -> str:
    """Return the table; nothing at all for no results.

    verbose  tell what is in the elements
    """
    if not results:
        return ""
    text = (
        f"{'SSID':<32}  {'BSSID':<17}  {'CHAN':>4} {'RATE':>4}  {'S:N':<7} {'INT':>3} {'CAPS':>4}\n"
    )
    for one in results:
        caps = "".join(letter for bit, letter in _CAPS if one.caps & bit)
        text += (
            f"{_ssid(one.ssid):<32.32}  {ether_ntoa(one.bssid)}  {one.chan:3d}  {one.rate:3d}M"
            f" {one.rssi:3d}:{one.noise:<3d}  {one.interval:3d} {caps:<4.4}"
            f"{''.join(_elements(one.elements, verbose=verbose))}\n"
        )
    return text


def scan(ctx: Ctx, sock: Socket, err: Err, name: str, *, up: bool, verbose: bool) -> None:
    """Scan on interface *name* and print what was found."""
    if not up:
        err.errx("The interface must be up before scanning.")
    if ctx.root:  # others get what the last scan found
        _request(ctx, sock, err, name)
    try:
        got = sock.ioctl(SIOCG80211, Ieee80211Req(name, type=IEEE80211_IOC_SCAN_RESULTS))
    except NetError:
        err.errx("unable to get scan results")
    ctx.stdout.write(show_scan(parse_results(got.data), verbose=verbose))


def _request(ctx: Ctx, sock: Socket, err: Err, name: str) -> None:
    # Listen first: the radio may be done before we could ask whether it is.
    try:
        events = ctx.socket(AF_ROUTE, SOCK_RAW)
    except NetError as exc:
        err.err(exc, "socket")
    with events:
        try:
            sock.ioctl(SIOCS80211, Ieee80211Req(name, type=IEEE80211_IOC_SCAN_REQ))
        except NetError as exc:
            if exc.symbol != "EINPROGRESS":
                err.err(exc, "SIOCS80211")
        until = ctx.now() + SCAN_TIMEOUT_S
        while (left := until - ctx.now()) > 0 and ctx.wait([events], left):
            try:
                data, _from = events.recvfrom()
            except NetError as exc:
                if exc.symbol == "EAGAIN":
                    continue
                err.err(exc, "recv")
            if _is_scan_done(data, name):
                return


def _is_scan_done(data: bytes, name: str) -> bool:
    if len(data) < _ANNOUNCE.size:
        return False
    _length, _version, kind, _index, ifname, what = _ANNOUNCE.unpack_from(data)
    if kind != _RTM_IEEE80211 or what != _RTM_IEEE80211_SCAN:
        return False
    octets: bytes = ifname
    return octets.rstrip(b"\0") == name.encode()
