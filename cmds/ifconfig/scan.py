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
    SIOCG80211,
    SIOCS80211,
    Ieee80211Req,
)
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.sock import SOCK_RAW, Socket
from libnet.text.err import Err

# struct ieee80211req_scan_result, host order (little-endian on every target that matters): length,
# frequency, flags, noise, rssi, interval, capabilities, ERP, BSSID, rates, SSID and element lengths.
_RESULT: Final = Struct("<HHHBBBBB6sB15sBB5x")
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
        ) = _RESULT.unpack_from(octets)
        self.chan = channel_of(freq)
        self.rate = max((rate & 0x7F for rate in rates[:nrates]), default=0) // 2
        self.ssid, self.elements = ssid, elements


def channel_of(freq: int) -> int:
    """Return the channel number of a frequency in MHz (IEEE 802.11 clauses 15 and 17).

    >>> channel_of(2437), channel_of(2484), channel_of(5180)
    (6, 14, 36)
    """
    if freq == 2484:
        return 14
    if freq < 2484:
        return max(0, (freq - 2407) // 5)
    return max(0, (freq - 5000) // 5)


def parse_results(octets: bytes) -> list[ScanResult]:
    """Return the records in *octets*; what follows a record that makes no sense is left out."""
    found: list[ScanResult] = []
    at = 0
    while len(octets) - at >= _RESULT.size:
        fields = _RESULT.unpack_from(octets, at)
        length, ssid_len, ie_len = fields[0], fields[-2], fields[-1]
        if length < _RESULT.size + ssid_len + ie_len or length > len(octets) - at:
            break
        ssid_at = at + _RESULT.size
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


def _elements(octets: bytes) -> Iterator[str]:
    """Yield the words of the information elements that every listing names."""
    while len(octets) >= 2 and len(octets) >= 2 + octets[1]:
        kind, body, octets = octets[0], octets[2 : 2 + octets[1]], octets[2 + octets[1] :]
        if kind == 48:
            yield " RSN"
        elif kind == 221 and body[:4] == b"\x00\x50\xf2\x01":
            yield " WPA"
        elif kind == 221 and body[:4] == b"\x00\x50\xf2\x02":
            yield " WME"


def show_scan(results: list[ScanResult]) -> str:
    """Return the table; nothing at all for no results."""
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
            f"{''.join(_elements(one.elements))}\n"
        )
    return text


def scan(ctx: Ctx, sock: Socket, err: Err, name: str, *, up: bool) -> None:
    """Scan on interface *name* and print what was found."""
    if not up:
        err.errx("The interface must be up before scanning.")
    if ctx.root:  # others get what the last scan found
        _request(ctx, sock, err, name)
    try:
        got = sock.ioctl(SIOCG80211, Ieee80211Req(name, type=IEEE80211_IOC_SCAN_RESULTS))
    except NetError:
        err.errx("unable to get scan results")
    ctx.stdout.write(show_scan(parse_results(got.data)))


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
