"""IEEE 802.11 frames: header, management and control bodies, elements, LLC/SNAP.

Source: IEEE 802.11-1999 clause 7 with the amendments a, b, g, h, i. Frames have no FCS. Numbers are
little endian on the air; the frame control word is kept as the one 16-bit number it is, its type
and subtype under FC_KIND. Addresses are six octets. What a field means is for the caller; here is
only what is needed to find the parts.

The data path does without views: one HDR.unpack_from and hdrlen() say all there is to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated

HDR: Final = Struct("<HH6s6s6sH")  # frame control, duration, three addresses, sequence control
HDRLEN: Final = HDR.size  # 24: of every management frame and of most data frames
_ADDRLEN: Final = 6
_ACK: Final = Struct("<HH6s")
_RTS: Final = Struct("<HH6s6s")
MAXLEN: Final = 2346  # octets of a frame with FCS; thresholds at this value are off
FRAG_MIN: Final = 256

# Frame control
FC_VERSION: Final = 0x0003
FC_TYPE: Final = 0x000C
FC_SUBTYPE: Final = 0x00F0
FC_KIND: Final = 0x00FC  # type and subtype: compare with the names below
FC_TODS: Final = 0x0100
FC_FROMDS: Final = 0x0200
FC_DIR: Final = 0x0300
FC_MOREFRAG: Final = 0x0400
FC_RETRY: Final = 0x0800
FC_PWRMGT: Final = 0x1000
FC_MOREDATA: Final = 0x2000
FC_PROTECTED: Final = 0x4000
FC_ORDER: Final = 0x8000

TYPE_MGT: Final = 0x00
TYPE_CTL: Final = 0x04
TYPE_DATA: Final = 0x08

ASSOC_REQ: Final = 0x00
ASSOC_RESP: Final = 0x10
REASSOC_REQ: Final = 0x20
REASSOC_RESP: Final = 0x30
PROBE_REQ: Final = 0x40
PROBE_RESP: Final = 0x50
BEACON: Final = 0x80
ATIM: Final = 0x90
DISASSOC: Final = 0xA0
AUTH: Final = 0xB0
DEAUTH: Final = 0xC0
ACTION: Final = 0xD0

PS_POLL: Final = 0xA4
RTS: Final = 0xB4
CTS: Final = 0xC4
ACK: Final = 0xD4
CF_END: Final = 0xE4
CF_END_ACK: Final = 0xF4

DATA: Final = 0x08
NODATA: Final = 0x48
QOS: Final = 0x88
QOS_NULL: Final = 0xC8
_DATA_QOS: Final = 0x80  # of a data frame's kind: has a QoS field
DATA_EMPTY: Final = 0x40  # of a data frame's kind: carries nothing

SEQ_SHIFT: Final = 4  # of the sequence number in the sequence control field
SEQ_RANGE: Final = 4096
FRAG_MASK: Final = 0x000F
AID_BITS: Final = 0xC000  # set above every association id on the air
AID_MAX: Final = 2007

# Capability information
CAPINFO_ESS: Final = 0x0001
CAPINFO_IBSS: Final = 0x0002
CAPINFO_CF_POLLABLE: Final = 0x0004
CAPINFO_CF_POLLREQ: Final = 0x0008
CAPINFO_PRIVACY: Final = 0x0010
CAPINFO_SHORT_PREAMBLE: Final = 0x0020
CAPINFO_PBCC: Final = 0x0040
CAPINFO_CHNL_AGILITY: Final = 0x0080
CAPINFO_SHORT_SLOTTIME: Final = 0x0400
CAPINFO_RSN: Final = 0x0800
CAPINFO_DSSSOFDM: Final = 0x2000

# Elements
ELEMID_SSID: Final = 0
ELEMID_RATES: Final = 1
ELEMID_FHPARMS: Final = 2
ELEMID_DSPARMS: Final = 3
ELEMID_CFPARMS: Final = 4
ELEMID_TIM: Final = 5
ELEMID_IBSSPARMS: Final = 6
ELEMID_COUNTRY: Final = 7
ELEMID_CHALLENGE: Final = 16
ELEMID_ERP: Final = 42
ELEMID_RSN: Final = 48
ELEMID_XRATES: Final = 50
ELEMID_VENDOR: Final = 221

SSID_MAX: Final = 32
RATES_PLAIN: Final = 8  # rates in a rates element; what is over goes into the extended one
RATES_MAX: Final = 15  # rates that are kept of a peer's
CHALLENGE_LEN: Final = 128
TIM_BITMAP_MAX: Final = 251

ERP_NON_ERP_PRESENT: Final = 0x01
ERP_USE_PROTECTION: Final = 0x02
ERP_LONG_PREAMBLE: Final = 0x04  # "Barker"

OUI_RSN: Final = b"\x00\x0f\xac"
OUI_WPA: Final = b"\x00\x50\xf2"
WPA_OUI_TYPE: Final = OUI_WPA + b"\x01"
WME_OUI_TYPE: Final = OUI_WPA + b"\x02"

# Authentication
AUTH_ALG_OPEN: Final = 0
AUTH_ALG_SHARED: Final = 1
AUTH_ALG_LEAP: Final = 128

REASON_UNSPECIFIED: Final = 1
REASON_AUTH_EXPIRE: Final = 2
REASON_AUTH_LEAVE: Final = 3
REASON_ASSOC_EXPIRE: Final = 4
REASON_ASSOC_TOOMANY: Final = 5
REASON_NOT_AUTHED: Final = 6
REASON_NOT_ASSOCED: Final = 7
REASON_ASSOC_LEAVE: Final = 8
REASON_ASSOC_NOT_AUTHED: Final = 9
REASON_IE_INVALID: Final = 13
REASON_MIC_FAILURE: Final = 14

STATUS_SUCCESS: Final = 0
STATUS_UNSPECIFIED: Final = 1
STATUS_CAPINFO: Final = 10
STATUS_NOT_ASSOCED: Final = 11
STATUS_OTHER: Final = 12
STATUS_ALG: Final = 13
STATUS_SEQUENCE: Final = 14
STATUS_CHALLENGE: Final = 15
STATUS_TIMEOUT: Final = 16
STATUS_TOOMANY: Final = 17
STATUS_BASIC_RATE: Final = 18

_SHORT_CTL: Final = (CTS, ACK)  # frames of one address
_NOADDR: Final = b""


def hdrlen(fc: int) -> int:
    """Return the octets of header of a frame with frame control *fc*, 10 or more.

    >>> hdrlen(BEACON), hdrlen(DATA | FC_TODS), hdrlen(QOS | FC_DIR), hdrlen(ACK), hdrlen(PS_POLL)
    (24, 24, 32, 10, 16)
    """
    kind = fc & FC_TYPE
    if kind == TYPE_DATA:
        size = HDRLEN + _ADDRLEN if fc & FC_DIR == FC_DIR else HDRLEN
        return size + 2 if fc & _DATA_QOS else size
    if kind == TYPE_CTL:
        return _ACK.size if fc & FC_KIND in _SHORT_CTL else _RTS.size
    return HDRLEN


class Frame(NamedTuple):
    """One frame; addresses that its kind does not have are empty.

    fc        frame control                dur  microseconds, or an association id (PS_POLL)
    addr1..4  as they stand: which is source, destination and network depends on FC_DIR
    seq       sequence control             qos  QoS control, 0 where there is none
    body      octets after the header
    """

    fc: int
    dur: int
    addr1: bytes
    addr2: bytes = _NOADDR
    addr3: bytes = _NOADDR
    seq: int = 0
    addr4: bytes = _NOADDR
    qos: int = 0
    body: bytes = b""

    @classmethod
    def parse(cls, buf: bytes) -> Frame:
        """Read a whole frame.

        Raises Truncated for one that ends in its header, Malformed for another version than 0 or
        the type that is none. What follows the addresses of a control frame is its body.
        """
        if len(buf) < _ACK.size:
            raise Truncated("802.11", need=_ACK.size, have=len(buf))
        fc = buf[0] | buf[1] << 8
        kind = fc & FC_TYPE
        if fc & FC_VERSION:
            raise Malformed("802.11", f"version {fc & FC_VERSION}")
        if kind == FC_TYPE:
            raise Malformed("802.11", "type 3")
        size = hdrlen(fc)
        if len(buf) < size:
            raise Truncated("802.11", need=size, have=len(buf))
        if kind == TYPE_CTL:
            if size == _ACK.size:
                _fc, dur, addr1 = _ACK.unpack_from(buf)
                return cls(fc, dur, addr1, body=buf[size:])
            _fc, dur, addr1, addr2 = _RTS.unpack_from(buf)
            return cls(fc, dur, addr1, addr2, body=buf[size:])
        _fc, dur, addr1, addr2, addr3, seq = HDR.unpack_from(buf)
        addr4, qos = _NOADDR, 0
        if kind == TYPE_DATA:
            if fc & FC_DIR == FC_DIR:
                addr4 = buf[HDRLEN : HDRLEN + _ADDRLEN]
            if fc & _DATA_QOS:
                qos = buf[size - 2] | buf[size - 1] << 8
        return cls(fc, dur, addr1, addr2, addr3, seq, addr4, qos, buf[size:])

    def build(self) -> bytes:
        """Return the octets that parse() would read back as this value."""
        kind = self.fc & FC_TYPE
        if kind == TYPE_CTL:
            if hdrlen(self.fc) == _ACK.size:
                return _ACK.pack(self.fc, self.dur, self.addr1) + self.body
            return _RTS.pack(self.fc, self.dur, self.addr1, self.addr2) + self.body
        head = HDR.pack(self.fc, self.dur, self.addr1, self.addr2, self.addr3, self.seq)
        if kind == TYPE_DATA:
            if self.fc & FC_DIR == FC_DIR:
                head += self.addr4
            if self.fc & _DATA_QOS:
                head += self.qos.to_bytes(2, "little")
        return head + self.body

    @property
    def da(self) -> bytes:
        """Whom a data or management frame is for."""
        return self.addr3 if self.fc & FC_TODS else self.addr1

    @property
    def sa(self) -> bytes:
        """Who sent a data or management frame first."""
        if self.fc & FC_FROMDS:
            return self.addr4 if self.fc & FC_TODS else self.addr3
        return self.addr2

    @property
    def bssid(self) -> bytes:
        """The network of a data or management frame; empty between two access points."""
        return (self.addr3, self.addr1, self.addr2, _NOADDR)[(self.fc & FC_DIR) >> 8]


def mgmt(
    kind: int, *, da: bytes, sa: bytes, bssid: bytes, seq: int = 0, body: bytes = b""
) -> bytes:
    """Return a management frame; *kind* may have FC_RETRY, FC_PWRMGT or FC_PROTECTED added.

    seq  sequence control: the number shifted by SEQ_SHIFT, and the fragment
    """
    return HDR.pack(kind, 0, da, sa, bssid, seq) + body


def data(
    fc: int,
    *,
    da: bytes,
    sa: bytes,
    bssid: bytes,
    seq: int = 0,
    body: bytes = b"",
    qos: int | None = None,
) -> bytes:
    """Return a data frame within one network; *fc* has FC_TODS, FC_FROMDS or neither.

    The kind (DATA, NODATA) is in *fc*; *qos* makes it one of the QoS kinds.
    """
    if fc & FC_TODS:
        addrs = bssid, sa, da
    elif fc & FC_FROMDS:
        addrs = da, bssid, sa
    else:
        addrs = da, sa, bssid
    if qos is not None:
        return HDR.pack(fc | _DATA_QOS, 0, *addrs, seq) + qos.to_bytes(2, "little") + body
    return HDR.pack(fc, 0, *addrs, seq) + body


def ps_poll(*, bssid: bytes, ta: bytes, aid: int) -> bytes:
    """Return the frame by which a station asks for one of the frames kept for it."""
    return _RTS.pack(PS_POLL, aid | AID_BITS, bssid, ta)


def rts(*, ra: bytes, ta: bytes, dur: int) -> bytes:
    """Return a request to send; *dur* is microseconds from its end to the end of the exchange."""
    return _RTS.pack(RTS, dur, ra, ta)


def cts(*, ra: bytes, dur: int) -> bytes:
    """Return a clear to send."""
    return _ACK.pack(CTS, dur, ra)


def ack(*, ra: bytes, dur: int = 0) -> bytes:
    """Return an acknowledgement."""
    return _ACK.pack(ACK, dur, ra)


# Management bodies

_BEACON: Final = Struct("<QHH")
_ASSOC_REQ: Final = Struct("<HH")
_THREE: Final = Struct("<HHH")
_REASON: Final = Struct("<H")


class Beacon(NamedTuple):
    """A beacon or probe response.

    tstamp   microseconds of the sender's timer   intval  time units of 1024 us between beacons
    capinfo  CAPINFO_*                            elems   elements, unread
    """

    tstamp: int
    intval: int
    capinfo: int
    elems: bytes

    @classmethod
    def parse(cls, body: bytes) -> Beacon:
        """Read the body. Raises Truncated."""
        if len(body) < _BEACON.size:
            raise Truncated("802.11 beacon", need=_BEACON.size, have=len(body))
        tstamp, intval, capinfo = _BEACON.unpack_from(body)
        return cls(tstamp, intval, capinfo, body[_BEACON.size :])

    def build(self) -> bytes:
        """Return the body."""
        return _BEACON.pack(self.tstamp, self.intval, self.capinfo) + self.elems


class Auth(NamedTuple):
    """An authentication frame.

    alg     AUTH_ALG_*       seq  1, 2, …: which of the exchange's frames
    status  STATUS_*         elems  the challenge, unread
    """

    alg: int
    seq: int
    status: int
    elems: bytes = b""

    @classmethod
    def parse(cls, body: bytes) -> Auth:
        """Read the body, not encrypted. Raises Truncated."""
        if len(body) < _THREE.size:
            raise Truncated("802.11 auth", need=_THREE.size, have=len(body))
        alg, seq, status = _THREE.unpack_from(body)
        return cls(alg, seq, status, body[_THREE.size :])

    def build(self) -> bytes:
        """Return the body."""
        return _THREE.pack(self.alg, self.seq, self.status) + self.elems


class AssocReq(NamedTuple):
    """An association or reassociation request.

    capinfo  CAPINFO_*   lintval  beacon intervals that the station may sleep
    curap    the access point that the station comes from; empty in an association request
    elems    elements, unread
    """

    capinfo: int
    lintval: int
    curap: bytes
    elems: bytes

    @classmethod
    def parse(cls, body: bytes, *, reassoc: bool) -> AssocReq:
        """Read the body. Raises Truncated."""
        size = _ASSOC_REQ.size + _ADDRLEN if reassoc else _ASSOC_REQ.size
        if len(body) < size:
            raise Truncated("802.11 assoc", need=size, have=len(body))
        capinfo, lintval = _ASSOC_REQ.unpack_from(body)
        return cls(capinfo, lintval, body[_ASSOC_REQ.size : size], body[size:])

    def build(self) -> bytes:
        """Return the body."""
        return _ASSOC_REQ.pack(self.capinfo, self.lintval) + self.curap + self.elems


class AssocResp(NamedTuple):
    """An association or reassociation response.

    associd  1 to AID_MAX, without AID_BITS; anything in a refusal
    """

    capinfo: int
    status: int
    associd: int
    elems: bytes

    @classmethod
    def parse(cls, body: bytes) -> AssocResp:
        """Read the body. Raises Truncated."""
        if len(body) < _THREE.size:
            raise Truncated("802.11 assoc", need=_THREE.size, have=len(body))
        capinfo, status, associd = _THREE.unpack_from(body)
        return cls(capinfo, status, associd & ~AID_BITS, body[_THREE.size :])

    def build(self) -> bytes:
        """Return the body."""
        return _THREE.pack(self.capinfo, self.status, self.associd | AID_BITS) + self.elems


def reason_parse(body: bytes) -> int:
    """Return the reason of a deauthentication or disassociation. Raises Truncated."""
    if len(body) < _REASON.size:
        raise Truncated("802.11 reason", need=_REASON.size, have=len(body))
    code: int = _REASON.unpack_from(body)[0]
    return code


def reason_build(code: int) -> bytes:
    """Return the body of a deauthentication or disassociation."""
    return _REASON.pack(code)


# Elements


class BadElement(Malformed):
    """An element has a length that its kind forbids.

    kind  ELEMID_*      toobig  whether it is too long rather than too short
    """

    def __init__(self, kind: int, size: int, *, toobig: bool) -> None:
        super().__init__("802.11 element", f"{kind}: length {size}")
        self.kind, self.toobig = kind, toobig


# Shortest and longest body of the elements that are looked into.
_SIZES: Final = {
    ELEMID_SSID: (0, SSID_MAX),
    ELEMID_RATES: (1, RATES_MAX),
    ELEMID_FHPARMS: (5, 5),
    ELEMID_DSPARMS: (1, 1),
    ELEMID_CFPARMS: (6, 6),
    ELEMID_TIM: (4, 3 + TIM_BITMAP_MAX),
    ELEMID_IBSSPARMS: (2, 2),
    ELEMID_COUNTRY: (6, 255),
    ELEMID_CHALLENGE: (1, 253),
    ELEMID_ERP: (1, 255),
    ELEMID_RSN: (2, 255),
    ELEMID_XRATES: (1, 255),
}


def elements(buf: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield (ELEMID_*, body) of each element, its length checked against nothing but the end.

    Raises Truncated at one that runs past the end, after those before it were yielded.
    """
    at, end = 0, len(buf)
    while at < end:
        if at + 2 > end:
            raise Truncated("802.11 element", need=2, have=end - at)
        size = buf[at + 1]
        stop = at + 2 + size
        if stop > end:
            raise Truncated("802.11 element", need=2 + size, have=end - at)
        yield buf[at], buf[at + 2 : stop]
        at = stop


def element(kind: int, body: bytes) -> bytes:
    """Return one element, its body at most 255 octets."""
    return bytes((kind, len(body))) + body


class Elements:
    """The elements that a management frame is known by, as bodies; None for one not there.

    ssid, rates, xrates, fhparms, cfparms, tim, ibss, country, challenge, rsn  body
    dschan  channel number            erp  ERP_* bits
    wpa, wme                          body of the vendor element, OUI and all
    unknown                           how many others there were
    """

    __slots__ = (
        "cfparms",
        "challenge",
        "country",
        "dschan",
        "erp",
        "fhparms",
        "ibss",
        "rates",
        "rsn",
        "ssid",
        "tim",
        "unknown",
        "wme",
        "wpa",
        "xrates",
    )

    def __init__(self) -> None:
        self.ssid: bytes | None = None
        self.rates: bytes | None = None
        self.xrates: bytes | None = None
        self.dschan: int | None = None
        self.fhparms: bytes | None = None
        self.cfparms: bytes | None = None
        self.tim: bytes | None = None
        self.ibss: bytes | None = None
        self.country: bytes | None = None
        self.challenge: bytes | None = None
        self.erp: int | None = None
        self.rsn: bytes | None = None
        self.wpa: bytes | None = None
        self.wme: bytes | None = None
        self.unknown = 0

    @classmethod
    def parse(cls, buf: bytes) -> Elements:
        """Gather the elements of a body; the last of several of one kind counts.

        Raises Truncated for one that runs past the end, BadElement for an impossible length.
        """
        found = cls()
        for kind, body in elements(buf):
            size = len(body)
            if (bounds := _SIZES.get(kind)) is not None and not bounds[0] <= size <= bounds[1]:
                raise BadElement(kind, size, toobig=size > bounds[1])
            if kind == ELEMID_VENDOR:
                if body[:4] == WPA_OUI_TYPE:
                    found.wpa = body
                elif body[:4] == WME_OUI_TYPE:
                    found.wme = body
                else:
                    found.unknown += 1
            elif kind == ELEMID_DSPARMS:
                found.dschan = body[0]
            elif kind == ELEMID_ERP:
                found.erp = body[0]
            elif (name := _NAMES.get(kind)) is not None:
                setattr(found, name, body)
            else:
                found.unknown += 1
        return found

    @property
    def all_rates(self) -> bytes:
        """The rates of both elements in their order, RATES_MAX of them at most."""
        return ((self.rates or b"") + (self.xrates or b""))[:RATES_MAX]


_NAMES: Final = {
    ELEMID_SSID: "ssid",
    ELEMID_RATES: "rates",
    ELEMID_XRATES: "xrates",
    ELEMID_FHPARMS: "fhparms",
    ELEMID_CFPARMS: "cfparms",
    ELEMID_TIM: "tim",
    ELEMID_IBSSPARMS: "ibss",
    ELEMID_COUNTRY: "country",
    ELEMID_CHALLENGE: "challenge",
    ELEMID_RSN: "rsn",
}


def ssid_elem(ssid: bytes) -> bytes:
    """Return the element of a network name; empty means any, or hidden."""
    return element(ELEMID_SSID, ssid)


def rates_elem(rates: Sequence[int]) -> bytes:
    """Return the first eight of *rates* (500 kb/s, with the basic bit) as an element."""
    return element(ELEMID_RATES, bytes(rates[:RATES_PLAIN]))


def xrates_elem(rates: Sequence[int]) -> bytes:
    """Return the element of the rates after the eighth; nothing if there are none."""
    return element(ELEMID_XRATES, bytes(rates[RATES_PLAIN:])) if len(rates) > RATES_PLAIN else b""


def dsparms_elem(chan: int) -> bytes:
    """Return the element that tells the channel."""
    return element(ELEMID_DSPARMS, bytes((chan,)))


def ibssparms_elem(atim: int = 0) -> bytes:
    """Return the element of an ad hoc network; *atim* is in time units."""
    return element(ELEMID_IBSSPARMS, atim.to_bytes(2, "little"))


def erp_elem(bits: int) -> bytes:
    """Return the element of ERP_* bits."""
    return element(ELEMID_ERP, bytes((bits,)))


def challenge_elem(text: bytes) -> bytes:
    """Return the element of a shared key challenge."""
    return element(ELEMID_CHALLENGE, text)


class Tim(NamedTuple):
    """Traffic indication map.

    left    beacons until the next that frames to groups follow; 0: they follow this one
    period  beacons from one such to the next
    mcast   whether frames to groups are waiting
    first   the association id of the bitmap's first bit, a multiple of 16
    bitmap  a bit for each association id that something waits for
    """

    left: int
    period: int
    mcast: bool
    first: int
    bitmap: bytes

    @classmethod
    def parse(cls, body: bytes) -> Tim:
        """Read the element's body. Raises BadElement."""
        if not 4 <= len(body) <= 3 + TIM_BITMAP_MAX:
            raise BadElement(ELEMID_TIM, len(body), toobig=len(body) > 4)
        control = body[2]
        return cls(body[0], body[1], bool(control & 1), (control >> 1) * 16, body[3:])

    def has(self, aid: int) -> bool:
        """Tell whether something waits for *aid*."""
        at = aid - self.first
        return 0 <= at < 8 * len(self.bitmap) and bool(self.bitmap[at >> 3] >> (at & 7) & 1)


def tim_elem(*, left: int, period: int, mcast: bool, aids: Collection[int]) -> bytes:
    """Return the element that says what waits for whom; *aids* are below 2008.

    >>> tim_elem(left=0, period=1, mcast=True, aids=(1,)).hex()
    '050400010102'
    """
    if not aids:
        return element(ELEMID_TIM, bytes((left, period, int(mcast), 0)))
    # The bitmap starts at an even octet (IEEE 802.11 7.3.2.6).
    first, last = (min(aids) >> 3) & ~1, max(aids) >> 3
    bitmap = bytearray(last - first + 1)
    for aid in aids:
        bitmap[(aid >> 3) - first] |= 1 << (aid & 7)
    return element(ELEMID_TIM, bytes((left, period, first | int(mcast))) + bytes(bitmap))


class Suites(NamedTuple):
    """What a WPA or RSN element offers; suites are their last octet, -1 for another maker's.

    version  1                    group  cipher of frames to groups
    pairwise, keymgmt             lists, empty where the element ends before them
    caps     RSN capabilities, None where the element ends before them
    """

    version: int
    group: int
    pairwise: tuple[int, ...]
    keymgmt: tuple[int, ...]
    caps: int | None

    @classmethod
    def parse(cls, body: bytes) -> Suites:
        """Read the body of an RSN element, or of the vendor element WPA_OUI_TYPE.

        An element may end after any of its fields. Raises Truncated for one that ends within one.
        """
        oui, at = OUI_RSN, 0
        if body[:4] == WPA_OUI_TYPE:
            oui, at = OUI_WPA, 4
        version = _u16(body, at)
        at += 2
        group = -1
        if at < len(body):
            group = _suite(body, at, oui)
            at += 4
        lists: list[tuple[int, ...]] = []
        for _ in range(2):
            if at >= len(body):
                lists.append(())
                continue
            count = _u16(body, at)
            at += 2
            if at + 4 * count > len(body):
                raise Truncated("802.11 suites", need=at + 4 * count, have=len(body))
            lists.append(tuple(_suite(body, at + 4 * i, oui) for i in range(count)))
            at += 4 * count
        caps = _u16(body, at) if at < len(body) else None
        return cls(version, group, lists[0], lists[1], caps)


def _u16(body: bytes, at: int) -> int:
    if at + 2 > len(body):
        raise Truncated("802.11 suites", need=at + 2, have=len(body))
    return body[at] | body[at + 1] << 8


def _suite(body: bytes, at: int, oui: bytes) -> int:
    if at + 4 > len(body):
        raise Truncated("802.11 suites", need=at + 4, have=len(body))
    return body[at + 3] if body[at : at + 3] == oui else -1


# LLC and SNAP

_ETHER: Final = Struct("!6s6sH")
_SNAP: Final = b"\xaa\xaa\x03\x00\x00\x00"  # RFC 1042
_BTEP: Final = b"\xaa\xaa\x03\x00\x00\xf8"  # IEEE 802.1H: bridge tunnel encapsulation
_TUNNELED: Final = (b"\x80\xf3", b"\x81\x37")  # AARP and IPX are 802.3 too: these keep them apart
_ETHERMTU: Final = 1500
_LENGTHS: Final = _ETHERMTU.to_bytes(2, "big")  # type fields up to here are lengths
LLC_LEN: Final = 8


def ether_to_body(frame: bytes) -> bytes:
    """Return the body of a data frame that carries Ethernet *frame* (14 octets or more).

    A frame whose type field is a length has its own LLC header already; octets past that length
    are padding of the wire.
    """
    kind = frame[12:14]
    if (length := kind[0] << 8 | kind[1]) <= _ETHERMTU:
        return frame[14 : 14 + length]
    return (_BTEP if kind in _TUNNELED else _SNAP) + frame[12:]


def body_to_ether(dst: bytes, src: bytes, body: bytes) -> bytes:
    """Return the Ethernet frame that the body of a data frame stands for.

    Raises Truncated for a body without LLC header, Malformed for one that no length field can
    tell.
    """
    head, kind = body[:6], body[6:8]
    if (head == _SNAP and kind not in _TUNNELED) or head == _BTEP:
        if len(body) < LLC_LEN:
            raise Truncated("802.11 snap", need=LLC_LEN, have=len(body))
        if kind > _LENGTHS:
            return dst + src + body[6:]
    if len(body) < 3:
        raise Truncated("802.11 llc", need=3, have=len(body))
    if len(body) > _ETHERMTU:
        raise Malformed("802.11 llc", f"{len(body)} octets")
    return _ETHER.pack(dst, src, len(body)) + body
