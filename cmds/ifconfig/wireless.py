"""The 802.11 words: network names, keys, and what they ask of the radio."""

from __future__ import annotations

from libnet.ioctl.ieee80211 import (
    IEEE80211_KEYBUF_SIZE,
    IEEE80211_NWKEY_PERSIST,
    IEEE80211_NWKEY_WEP,
    IEEE80211_WEP_NKID,
    Ieee80211Nwkey,
)

_HEX = frozenset("0123456789abcdefABCDEF")


class BadString(ValueError):
    """A network name or key cannot be read; the text is the warning."""


def get_string(text: str, limit: int) -> bytes:
    r"""Return the octets of *text*: pairs of hex digits after 0x, or the text itself.

    Raises BadString.

    >>> get_string("0x0aFF", 4), get_string("my lan", 32)
    (b'\n\xff', b'my lan')
    """
    if text[:2] in ("0x", "0X"):
        digits = text[2:]
        if len(digits) % 2 or not _HEX.issuperset(digits):
            raise BadString("bad hexadecimal digits")
        if len(digits) > 2 * limit:
            raise BadString("hexadecimal digits too long")
        return bytes.fromhex(digits)
    octets = text.encode("utf-8", "surrogateescape")
    if len(octets) > limit:
        raise BadString("strings too long")
    return octets


def print_string(octets: bytes) -> str:
    r"""Return octets as get_string() reads them back; quotes are for the shell.

    >>> print_string(b"MY_NET"), print_string(b"my lan"), print_string(b""), print_string(b"\1")
    ('MY_NET', '"my lan"', '""', '0x01')
    """
    if octets[:2] in (b"0x", b"0X") or any(not 0x20 <= octet < 0x7F for octet in octets):
        return f"0x{octets.hex()}"
    text = octets.decode("ascii")
    return f'"{text}"' if not text or " " in text else text


def parse_nwkey(name: str, text: str) -> Ieee80211Nwkey:
    """Return the request for a nwkey argument: key, n:k1,k2,k3,k4, persist, or persist:either.

    Raises BadString.
    """
    wepon = IEEE80211_NWKEY_WEP
    if text.lower() == "persist":
        return Ieee80211Nwkey(
            name,
            wepon=wepon | IEEE80211_NWKEY_PERSIST,
            keylen=[-1] * IEEE80211_WEP_NKID,
            key=[b""] * IEEE80211_WEP_NKID,
        )
    if text[:8].lower() == "persist:":
        wepon |= IEEE80211_NWKEY_PERSIST
        text = text[8:]
    if text[:1].isascii() and text[:1].isdigit() and text[1:2] == ":":
        defkid = int(text[0])
        fields = text[2:].split(",", IEEE80211_WEP_NKID)
        keys = [get_string(one, IEEE80211_KEYBUF_SIZE) for one in fields[:IEEE80211_WEP_NKID]]
        if len(fields) > IEEE80211_WEP_NKID and fields[-1]:
            raise BadString("SIOCS80211NWKEY: too many keys.")
    else:
        defkid = 1
        keys = [get_string(text, IEEE80211_KEYBUF_SIZE)]
    keys += [b""] * (IEEE80211_WEP_NKID - len(keys))
    return Ieee80211Nwkey(
        name, wepon=wepon, defkid=defkid, keylen=[len(key) for key in keys], key=keys
    )


def show_nwkey(nwkey: Ieee80211Nwkey) -> str:
    """Return keys in the shortest form that parse_nwkey() would not misread."""
    keys = [
        "persist" if length < 0 else print_string(key[:length])
        for length, key in zip(nwkey.keylen, nwkey.key, strict=False)
    ]
    if not keys:
        return ""
    first = nwkey.key[0][: max(nwkey.keylen[0], 0)]
    single = (
        nwkey.defkid == 1
        and not any(nwkey.keylen[1:])
        and not (first[:1].isdigit() and first[1:2] == b":")
        and first[:7].lower() != b"persist"
    )
    return keys[0] if single else f"{nwkey.defkid}:{','.join(keys)}"
