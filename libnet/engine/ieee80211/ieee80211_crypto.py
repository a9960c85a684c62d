"""Keys and ciphers of one interface: which key a frame takes, and the table of ciphers.

A cipher is a row of `Crypto.ciphers` by name; "none" has no row. WEP has one; TKIP and CCMP come with
WPA. A station's own key (`Node.ucastkey`) is taken before the four of the network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import ether_ntoa
from libnet.engine.ieee80211.ieee80211_var import (
    KEYIX_NONE,
    MSG_CRYPTO,
    WEP_NKID,
    Key,
)
from libnet.errors import NetError

if TYPE_CHECKING:
    from libnet.engine.ieee80211.ieee80211_var import Cipher, Ieee80211com, Node

_IV_KEYID: Final = 3  # octet of the cipher's header whose two top bits are the key's index
_IV_LEN: Final = 4


class Crypto:
    """The keys of one interface, and the ciphers it knows.

    ciphers  by name, as Key.cipher has them
    """

    def __init__(self, ic: Ieee80211com) -> None:
        self.ic = ic
        self.ciphers: dict[str, Cipher] = {}

    def attach(self, cipher: Cipher) -> None:
        """Add a row to the table (ieee80211_crypto_register)."""
        self.ciphers[cipher.name] = cipher

    # -- keys

    def newkey(self, keyix: int, cipher: str, octets: bytes) -> Key:
        """Return a key made ready. Raises EINVAL for a cipher or a length that there is not."""
        ic = self.ic
        key = Key(keyix, cipher, octets)
        row = self.ciphers.get(cipher)
        if row is None:
            ic.stats["crypto_badcipher"] += 1
            ic.dprintf(MSG_CRYPTO, f"crypto_newkey: invalid cipher {cipher}")
            raise NetError("EINVAL")
        if not row.setkey(key):
            ic.stats["crypto_setkey_cipher"] += 1
            ic.dprintf(MSG_CRYPTO, f"crypto_setkey: {cipher} rejected key of {len(octets)} octets")
            raise NetError("EINVAL")
        return key

    def setkeys(self, keys: list[bytes], txkey: int, *, privacy: bool) -> None:
        """Install WEP keys, b"" for an empty slot. Raises EINVAL, and changes nothing."""
        if len(keys) > WEP_NKID or not 0 <= txkey < WEP_NKID:
            raise NetError("EINVAL")
        made = [
            self.newkey(index, "WEP", octets) if octets else Key(index)
            for index, octets in enumerate(keys)
        ]
        made += [Key(index) for index in range(len(made), WEP_NKID)]
        ic = self.ic
        ic.keys = made
        ic.def_txkey = txkey
        ic.privacy = privacy

    def reset(self) -> None:
        """Forget the network's keys and privacy (ieee80211_crypto_resetkeys)."""
        ic = self.ic
        ic.keys = [Key(index) for index in range(WEP_NKID)]
        ic.def_txkey = 0

    def txkey(self, node: Node, *, group: bool) -> Key | None:
        """Return the key for a frame to *node*; None, counted, when there is none."""
        if not group and node.ucastkey.cipher != "none":
            return node.ucastkey
        ic = self.ic
        key = ic.keys[ic.def_txkey]
        if key.cipher == "none":
            ic.stats["tx_nodefkey"] += 1
            ic.dprintf(
                MSG_CRYPTO,
                f"[{ether_ntoa(node.mac)}] no default transmit key deftxkey {ic.def_txkey}",
            )
            return None
        return key

    # -- frames

    def overhead(self, key: Key) -> int:
        """Return the octets that a key's cipher adds to a frame."""
        row = self.ciphers[key.cipher]
        return row.header + row.trailer

    def encap(self, key: Key, head: bytes, body: bytes) -> bytes:
        """Return *head* and the enciphered *body*."""
        return head + self.ciphers[key.cipher].encap(key, head, body)

    def decap(self, node: Node, head: bytes, body: bytes) -> tuple[Key, bytes] | None:
        """Return the key and the clear body of a frame from *node*; None, counted, when it is wrong."""
        ic = self.ic
        if len(body) < _IV_LEN:
            ic.stats["rx_tooshort"] += 1
            return None
        key = node.ucastkey
        if head[4] & 1 or key.cipher == "none":
            key = ic.keys[body[_IV_KEYID] >> 6]
        if key.cipher == "none":
            ic.stats["rx_nocipherctx"] += 1
            ic.dprintf(
                MSG_CRYPTO, f"[{ether_ntoa(node.mac)}] key id {body[_IV_KEYID] >> 6} has no key"
            )
            return None
        clear = self.ciphers[key.cipher].decap(key, head, body)
        return None if clear is None else (key, clear)

    def delucastkey(self, node: Node) -> None:
        """Forget a station's own key."""
        node.ucastkey = Key(KEYIX_NONE)
