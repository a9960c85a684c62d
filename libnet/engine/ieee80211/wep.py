"""WEP (IEEE 802.11-1999 8.2): RC4 of body and CRC-32, keyed by a three octet IV and the secret.

A frame's body is preceded by the IV and an octet with the key's number, and followed by the
enciphered CRC-32 (the ICV). The IV counts up from a random number, so two stations with one key do not
repeat each other at once; IVs that give the key away (Fluhrer, Mantin and Shamir) are passed over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final
from zlib import crc32

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_var import MSG_CRYPTO

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Ieee80211com, Key

IVLEN: Final = 3
HEADER: Final = IVLEN + 1  # IV and key number
TRAILER: Final = 4  # ICV
KEYLENS: Final = (5, 13)  # octets: WEP-40 and WEP-104
_KID_SHIFT: Final = 6
# Octets of key that the library's RC4 takes.
_LIBRARY_SIZES: Final = (5, 7, 8, 10, 16, 20, 24, 32)

Rc4 = Callable[[bytes, bytes], bytes]


def rc4_plain(key: bytes, data: bytes) -> bytes:
    """Return *data* under RC4 with *key* of 1 to 256 octets, slowly.

    >>> rc4_plain(b"Key", b"Plaintext").hex()
    'bbf316e8d940af0ad3'
    """
    box = list(range(256))
    j = 0
    for i in range(256):
        j = j + box[i] + key[i % len(key)] & 255
        box[i], box[j] = box[j], box[i]
    i = j = 0
    out = bytearray(data)
    for at in range(len(out)):
        i = i + 1 & 255
        j = j + box[i] & 255
        box[i], box[j] = box[j], box[i]
        out[at] ^= box[box[i] + box[j] & 255]
    return bytes(out)


def rc4_for(size: int) -> Rc4:
    """Return the function that enciphers with keys of *size* octets."""
    if size not in _LIBRARY_SIZES:
        return rc4_plain
    from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
    from cryptography.hazmat.primitives.ciphers import Cipher

    def rc4(key: bytes, data: bytes) -> bytes:
        return Cipher(ARC4(key), mode=None).encryptor().update(data)

    return rc4


class WepCtx:
    """What WEP keeps of a key: the next IV, and the cipher for its length."""

    __slots__ = ("bytes_eq", "iv", "rc4")

    def __init__(self, iv: int, rc4: Rc4) -> None:
        from cryptography.hazmat.primitives.constant_time import bytes_eq

        self.iv, self.rc4, self.bytes_eq = iv, rc4, bytes_eq


class Wep:
    """The row of the cipher table for one interface, whose statistics count what fails."""

    name = "WEP"
    header = HEADER
    trailer = TRAILER

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic

    def setkey(self, key: Key) -> bool:
        """Make ready for *key*; False for a length that is not 5 or 13."""
        if len(key.key) not in KEYLENS:
            return False
        iv = self.ic.stack.dice.getrandbits(8 * IVLEN)
        key.ctx = WepCtx(iv, rc4_for(IVLEN + len(key.key)))
        return True

    def encap(self, key: Key, head: bytes, body: bytes) -> bytes:
        """Return IV, key number, and the enciphered *body* with its ICV."""
        ctx: WepCtx = key.ctx
        iv = ctx.iv
        if iv & 0xFF00 == 0xFF00 and 3 <= iv >> 16 < 16:
            iv += 0x100
        ctx.iv = iv + 1 & 0xFFFFFF
        front = iv.to_bytes(IVLEN, "big")
        self.ic.stats["crypto_wep"] += 1
        clear = body + crc32(body).to_bytes(TRAILER, "little")
        return front + bytes((key.keyix << _KID_SHIFT,)) + ctx.rc4(front + key.key, clear)

    def decap(self, key: Key, head: bytes, body: bytes) -> bytes | None:
        """Return the clear body; None for one too short, or whose ICV is wrong: rx_wepfail."""
        stats = self.ic.stats
        if len(body) < HEADER + TRAILER:
            stats["rx_wepfail"] += 1
            return None
        ctx: WepCtx = key.ctx
        stats["crypto_wep"] += 1
        clear = ctx.rc4(body[:IVLEN] + key.key, body[HEADER:])
        found = clear[:-TRAILER]
        if not ctx.bytes_eq(clear[-TRAILER:], crc32(found).to_bytes(TRAILER, "little")):
            stats["rx_wepfail"] += 1
            self.ic.dprintf(MSG_CRYPTO, f"[{ether_ntoa(head[10:16])}] wrong ICV, frame dropped")
            return None
        return found
