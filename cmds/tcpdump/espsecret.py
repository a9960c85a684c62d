"""The secrets of tcpdump -E: which security associations there are, and how they are undone.

One after the other, by commas or on the lines of a file: "spi@address algorithm:secret";
"algorithm:secret" for every packet no other is for; "file NAME"; and
"ikev2 I|R 0xINITIATOR 0xRESPONDER auth:key enc:key" with the two cookies of an exchange.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

ICV_96: Final = 12
_MAX_SECRET: Final = 256

# Names of ciphers in CBC mode: class of the library, octets of key, octets of a block.
_CIPHERS: Final[dict[str, tuple[str, int, int]]] = {
    "des": ("TripleDES", 8, 8),
    "3des": ("TripleDES", 24, 8),
    "des-ede3": ("TripleDES", 24, 8),
    "des3": ("TripleDES", 24, 8),
    "aes128": ("AES", 16, 16),
    "aes192": ("AES", 24, 16),
    "aes256": ("AES", 32, 16),
    "blowfish": ("Blowfish", 16, 8),
    "bf": ("Blowfish", 16, 8),
    "cast": ("CAST5", 16, 8),
    "camellia128": ("Camellia", 16, 16),
    "camellia192": ("Camellia", 24, 16),
    "camellia256": ("Camellia", 32, 16),
    "seed": ("SEED", 16, 16),
}


class EspError(ValueError):
    """A secret that ends the program; the text is what is printed."""


class Sa:
    """One security association.

    ivlen    octets in front of the ciphertext
    authlen  octets of the check value behind it
    """

    def __init__(
        self, algorithm: str, authlen: int, secret: bytes, warn: Callable[[str], None]
    ) -> None:
        self._kind, keylen, self.ivlen = _CIPHERS[algorithm]
        self.authlen = authlen
        # A short secret goes on with zeros; of a long one the first octets count.
        self._key = secret[:keylen].ljust(keylen, b"\0")
        self._warn = warn

    def decrypt(self, iv: bytes, ct: bytes) -> bytes | None:
        """Return what is under *ct*, or None after saying why."""
        if len(ct) % self.ivlen:
            self._warn(
                f"esp_print: ciphertext size {len(ct)} is not a multiple of the cipher block size "
                f"{self.ivlen}"
            )
            return None
        from cryptography.hazmat.primitives.ciphers import Cipher, modes

        key = self._key * 3 if self._kind == "TripleDES" and len(self._key) == 8 else self._key
        made = Cipher(_algorithm(self._kind)(key), modes.CBC(iv)).decryptor()
        return made.update(ct) + made.finalize()


def _algorithm(kind: str) -> Any:
    """Return the class of a cipher; the old ones live in another place of newer libraries."""
    from cryptography.hazmat.primitives.ciphers import algorithms

    try:
        from cryptography.hazmat.decrepit.ciphers import algorithms as decrepit
    except ImportError:
        return getattr(algorithms, kind)
    return getattr(decrepit, kind, None) or getattr(algorithms, kind)


class EspSecrets:
    """All that -E said.

    text  the option
    read  returns the text of a file of the box; raises OSError
    warn  prints a warning
    """

    def __init__(self, text: str, read: Callable[[str], str], warn: Callable[[str], None]) -> None:
        self._read, self._warn = read, warn
        self._sas: dict[tuple[int, bytes], Sa] = {}
        self._ikev2: dict[tuple[bool, bytes, bytes], Sa] = {}
        self._default: Sa | None = None
        for line in text.replace("\n", ",").split(","):
            self._one(line, "cmdline", 0, 0)

    def find(self, spi: int, dst: bytes) -> Sa | None:
        """Return the association for *spi* to *dst*, 4 or 16 octets; else the default one."""
        return self._sas.get((spi, dst), self._default)

    def find_ikev2(self, initiator: bool, spii: bytes, spir: bytes) -> Sa | None:
        """Return the association of an IKEv2 exchange."""
        return self._ikev2.get((bool(initiator), spii, spir))

    def _one(self, line: str, file: str, number: int, depth: int) -> None:
        head, blank, rest = _split(line)
        if not blank:
            sa = self._algorithm(head)
            if sa is not None:
                self._default = sa
            return
        if head.lower() == "file":
            self._file(rest, depth)
        elif head.lower() == "ikev2":
            self._ikev2_line(rest, file, number)
        else:
            self._keyed(head, rest)

    def _file(self, name: str, depth: int) -> None:
        if depth > 8:
            raise EspError(f"{name}: too many files in files")
        try:
            text = self._read(name)
        except OSError as exc:
            raise EspError(
                f"esp_print_decode_onesecret: can't open {name}: {exc.strerror}"
            ) from None
        for number, line in enumerate(text.splitlines(), 1):
            if line and line[0] != "#":
                self._one(line, name, number, depth + 1)

    def _keyed(self, head: str, rest: str) -> None:
        number, at, address = head.partition("@")
        spi, tail = _strtoul(number)
        if spi is None or not at:
            self._warn(f"print_esp: failed to decode spi# {tail}")
            return
        octets = _address(address)
        if octets is None:
            self._warn(f"print_esp: can not decode IP# {address}")
            return
        sa = self._algorithm(rest.lstrip(" \t\r\n"))
        if sa is not None:
            self._sas[spi, octets] = sa

    def _ikev2_line(self, line: str, file: str, number: int) -> None:
        words = line.replace("\t", " ").split(" ")
        if len(words) < 5:
            self._warn(f"print_esp: failed to find all fields for ikev2 at {file}:{number}")
            return
        init, icookie, rcookie, auth, enc = words[:5]
        wrong = any(len(c) != 18 or c[:2] != "0x" for c in (icookie, rcookie))
        if init[:1] not in ("I", "R") or wrong:
            self._warn(f"print_esp: line {file}:{number} improperly formatted.")
            self._warn(
                f"init={init} icookie={icookie}({len(icookie)}) rcookie={rcookie}({len(rcookie)})"
            )
            return
        spii, spir = self._hex(icookie[2:]), self._hex(rcookie[2:])
        sa = self._algorithm(enc)
        if sa is None:
            return
        kind, colon, _secret = auth.partition(":")
        if not colon:
            self._warn(f"failed to decode espsecret: {auth}")
            return
        if kind.lower() in ("sha1", "md5"):
            sa.authlen = ICV_96
        self._ikev2[init[0] == "I", spii, spir] = sa

    def _algorithm(self, text: str) -> Sa | None:
        """Return what "algorithm:secret" stands for, or None after a warning."""
        name, colon, secret = text.partition(":")
        if not colon:
            self._warn(f"failed to decode espsecret: {text}")
            return None
        authlen = ICV_96 if len(name) > 7 and name.endswith("-hmac96") else 0
        name = name.removesuffix("-hmac96") if authlen else name
        if len(name) > 4:
            name = name.removesuffix("-cbc")
        if name.lower() not in _CIPHERS:
            self._warn(f"failed to find cipher algo {name}")
            return None
        if secret[:2] == "0x":
            octets = self._hex(secret[2:])
            if not octets:
                return None
        else:
            octets = secret.encode("utf-8", "surrogateescape")
        return Sa(name.lower(), authlen, octets, self._warn)

    def _hex(self, digits: str) -> bytes:
        """Return octets of hex digits, an odd last one left out."""
        if len(digits) // 2 > _MAX_SECRET:
            self._warn(f"secret is too big: {len(digits) // 2}")
            return b""
        digits = digits[: len(digits) & ~1]
        for digit in digits:
            if digit not in "0123456789abcdefABCDEF":
                raise EspError(f"invalid hex digit {digit} in espsecret")
        return bytes.fromhex(digits)


def _split(line: str) -> tuple[str, bool, str]:
    """Return the first word, whether a blank follows, and the rest."""
    for at, c in enumerate(line):
        if c in " \t":
            return line[:at], True, line[at + 1 :]
    return line, False, ""


def _strtoul(text: str) -> tuple[int | None, str]:
    """Return the number at the start of *text* as strtoul(3) with base 0 does, and what follows."""
    body = text.lstrip()
    base, digits = 10, "0123456789"
    if body[:2].lower() == "0x" and body[2:3].lower() in tuple("0123456789abcdef"):
        body, base, digits = body[2:], 16, "0123456789abcdefABCDEF"
    elif body[:1] == "0":
        base, digits = 8, "01234567"
    end = 0
    while end < len(body) and body[end] in digits:
        end += 1
    if end == 0:
        return None, text
    return int(body[:end], base) & 0xFFFFFFFF, body[end:]


def _address(text: str) -> bytes | None:
    """Return the octets of an IPv4 or IPv6 address in numbers, or None."""
    from ipaddress import ip_address

    try:
        return ip_address(text).packed
    except ValueError:
        return None
