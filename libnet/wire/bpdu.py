"""Spanning tree BPDUs behind their LLC header (IEEE 802.1D-1998 clause 9, IEEE 802.2).

Times are in 256ths of a second, identifiers are host integers: a bridge's is its priority in the upper
16 bits and an address of it below, a port's its priority in the upper 8 and its number below.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from libnet.wire import Malformed, Truncated

BSTP_ETHERADDR: Final = b"\x01\x80\xc2\x00\x00\x00"
LLC_8021D: Final = b"\x42\x42\x03"

BSTP_MSGTYPE_CFG: Final = 0x00
BSTP_MSGTYPE_RST: Final = 0x02
BSTP_MSGTYPE_TCN: Final = 0x80
BSTP_FLAG_TC: Final = 0x01
BSTP_FLAG_TCA: Final = 0x80

_HEAD: Final = Struct("!3sHBB")
_CONFIG: Final = Struct("!BQIQHHHHH")
TCN_LEN: Final = _HEAD.size
CONFIG_LEN: Final = _HEAD.size + _CONFIG.size


class Bpdu(NamedTuple):
    """A configuration BPDU, or (type BSTP_MSGTYPE_TCN, the rest 0) a topology change notification.

    rootid, bridge_id  bridge identifiers         port_id  port identifier
    cost               root path cost             flags    BSTP_FLAG_*
    message_age, max_age, hello_time, forward_delay  256ths of a second
    """

    type: int
    flags: int = 0
    rootid: int = 0
    cost: int = 0
    bridge_id: int = 0
    port_id: int = 0
    message_age: int = 0
    max_age: int = 0
    hello_time: int = 0
    forward_delay: int = 0

    @classmethod
    def parse(cls, buf: bytes | memoryview) -> Bpdu:
        """Read a BPDU from its LLC header on; what follows it is padding.

        Raises Truncated, and Malformed for another LLC header, protocol or type. A later version
        is read as version 0, as clause 9.3.4 wants it.
        """
        if len(buf) < TCN_LEN:
            raise Truncated("bpdu", need=TCN_LEN, have=len(buf))
        llc, protocol, _version, kind = _HEAD.unpack_from(buf)
        if llc != LLC_8021D:
            raise Malformed("bpdu", f"LLC {llc.hex()}")
        if protocol:
            raise Malformed("bpdu", f"protocol {protocol}")
        if kind == BSTP_MSGTYPE_TCN:
            return cls(kind)
        if kind not in (BSTP_MSGTYPE_CFG, BSTP_MSGTYPE_RST):
            raise Malformed("bpdu", f"type {kind:#x}")
        if len(buf) < CONFIG_LEN:
            raise Truncated("bpdu", need=CONFIG_LEN, have=len(buf))
        return cls(BSTP_MSGTYPE_CFG, *_CONFIG.unpack_from(buf, TCN_LEN))

    def build(self) -> bytes:
        """Return the octets from the LLC header on."""
        head = _HEAD.pack(LLC_8021D, 0, 0, self.type)
        return head if self.type == BSTP_MSGTYPE_TCN else head + _CONFIG.pack(*self[1:])
