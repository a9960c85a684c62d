"""Words of a filter expression. The longest match counts; of two equally long, the more special one."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from libnet.conf.pcapfilter.program import FilterError

_N: Final = r"(?:0[xX][0-9A-Fa-f]+|[0-9]+)"
_B: Final = r"[0-9A-Fa-f]{1,2}"
_B2: Final = r"(?:[0-9A-Fa-f]{4})"
_W: Final = r"[0-9A-Fa-f]{1,4}"
_DOTTED: Final = rf"{_N}(?:\.{_N}){{3}}"

_SPACE: Final = re.compile(r"[ \r\n\t]+")
_SYMBOL: Final = re.compile(r">=|<=|!=|==|<<|>>|&&|\|\||[-+*/%:\[\]!<>()&|^=]")
_AID: Final = re.compile(rf"\${_B}")
_MACS: Final = tuple(
    re.compile(text)
    for text in (
        rf"{_B}(?::{_B}){{5}}",
        rf"{_B}(?:-{_B}){{5}}",
        rf"{_B}(?:\.{_B}){{5}}",
        rf"{_B2}\.{_B2}\.{_B2}",
        rf"{_B2}{{3}}",
    )
)
_NUMBER: Final = re.compile(_N)
_HID: Final = re.compile(rf"{_N}(?:\.{_N}){{1,3}}")
_BOGUS_MAC: Final = re.compile(rf"{_B}:+(?:{_B}:+)+")
_ID: Final = re.compile(r"[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?")
_ESCAPED: Final = re.compile(r"\\[^ !()\n\t]+")
_MAX_V6: Final = 64
_MAYBE_V6: Final = re.compile(r"[0-9A-Fa-f]{0,4}:")


def _v6_forms() -> tuple[re.Pattern[str], ...]:
    """Return the forms of an IPv6 address (RFC 4291 section 2.2), one of each number of leading words."""
    forms = [rf"(?:{_W}:){{7}}{_W}", rf"(?:{_W}:){{6}}{_DOTTED}"]
    for before in range(8):
        head = rf"{_W}(?::{_W}){{{before - 1}}}" if before else ""
        if before < 7:
            forms.append(rf"{head}::(?:{_W}(?::{_W}){{0,{6 - before}}})?")
        else:
            forms.append(rf"{head}::")
        if before < 6:
            forms.append(rf"{head}::(?:{_W}:){{0,{5 - before}}}{_DOTTED}")
    return tuple(re.compile(form) for form in forms)


class Token(NamedTuple):
    """A word. kind: itself for keywords and symbols, else NUM, ID, EID, HID, HID6, AID, END, BAD."""

    kind: str
    text: str
    value: int = 0


_PROTOCOLS: Final = (
    "arp rarp ip sctp tcp udp icmp igmp igrp pim vrrp carp radio ip6 icmp6 ah esp atalk aarp decnet "
    "lat sca moprc mopdl iso esis isis l1 l2 iih lsp snp csnp psnp clnp stp ipx netbeui"
)
_PLAIN: Final = (
    "dst src host net mask port portrange proto protochain gateway type subtype ra ta less greater "
    "byte broadcast multicast and or inbound outbound ifindex vlan mpls pppoed pppoes geneve lane llc "
    "metac bcc oam oamf4 oamf4ec oamf4sc sc ilmic vpi vci connectmsg metaconnect reason action fisu "
    "lssu msu hfisu hlssu hmsu sio opc dpc sls hsio hopc hdpc hsls"
)
_ALIASES: Final = (
    "link=link ether=link ppp=link slip=link fddi=link tr=link wlan=link es-is=esis is-is=isis "
    "dir=dir direction=dir addr1=addr1 address1=addr1 addr2=addr2 address2=addr2 addr3=addr3 "
    "address3=addr3 addr4=addr4 address4=addr4 not=! len=len length=len on=ifname ifname=ifname "
    "rset=ruleset ruleset=ruleset rnr=rnr rulenum=rnr srnr=srnr subrulenum=srnr lsu=lssu"
)
PROTOCOLS: Final = frozenset((*_PROTOCOLS.split(), "link"))
KEYWORDS: Final[dict[str, str]] = {
    **{word: word for word in (*_PROTOCOLS.split(), *_PLAIN.split())},
    **dict(pair.split("=") for pair in _ALIASES.split()),
}
_SYMBOLS: Final = {"&&": "and", "||": "or", "==": "="}

_ICMP6: Final = (
    "1=destinationunreach 2=packettoobig 3=timeexceeded 4=parameterproblem 128=echo 129=echoreply "
    "130=multicastlistenerquery 131=multicastlistenerreportv1 132=multicastlistenerdone "
    "133=routersolicit 134=routeradvert 135=neighborsolicit 136=neighboradvert 137=redirect "
    "138=routerrenum 139=nodeinformationquery 140=nodeinformationresponse "
    "141=ineighbordiscoverysolicit 142=ineighbordiscoveryadvert 143=multicastlistenerreportv2 "
    "144=homeagentdiscoveryrequest 145=homeagentdiscoveryreply 146=mobileprefixsolicit "
    "147=mobileprefixadvert 148=certpathsolicit 149=certpathadvert 151=multicastrouteradvert "
    "152=multicastroutersolicit 153=multicastrouterterm"
)
_ICMP: Final = (
    "0=echoreply 3=unreach 4=sourcequench 5=redirect 8=echo 9=routeradvert 10=routersolicit "
    "11=timxceed 12=paramprob 13=tstamp 14=tstampreply 15=ireq 16=ireqreply 17=maskreq 18=maskreply"
)
_TCP: Final = "1=fin 2=syn 4=rst 8=push 16=ack 32=urg 64=ece 128=cwr"


def _named(prefix: str, table: str) -> dict[str, int]:
    pairs = (pair.split("=") for pair in table.split())
    return {f"{prefix}-{name}": int(value) for value, name in pairs}


NUMBERS: Final[dict[str, int]] = {
    "icmptype": 0,
    "icmpcode": 1,
    "icmp6type": 0,
    "icmp6code": 1,
    "tcpflags": 13,
    **_named("icmp", _ICMP),
    **_named("icmp6", _ICMP6),
    **_named("tcp", _TCP),
}


def _to_number(text: str) -> int:
    """Return the value of decimal, octal (0…) or hexadecimal (0x…) digits. Raises FilterError."""
    if text[:2] in ("0x", "0X"):
        base = 16
    elif text[0] == "0":
        base = 8
        if not set(text) <= set("01234567"):
            raise FilterError(f"number {text} contains non-octal digit")
    else:
        base = 10
    digits = text[2:] if base == 16 else text
    value = int(digits, base) if len(digits.lstrip("0")) <= 12 else 1 << 32
    if value > 0xFFFFFFFF:
        raise FilterError(f"number {text} overflows 32 bits")
    return value


def parse_ipv6(text: str) -> bytes | None:
    """Return the 16 octets of an address that has one of the forms; None for a wrong dotted tail."""
    head, _gap, tail = text.partition("::")
    dotted = b""
    words = [part.split(":") if part else [] for part in (head, tail)]
    for part in reversed(words):
        if part and "." in part[-1]:
            numbers = part.pop().split(".")
            if any(not n.isdigit() or int(n) > 255 or n != str(int(n)) for n in numbers):
                return None
            dotted = bytes(map(int, numbers))
            break
    before, after = (b"".join(int(w, 16).to_bytes(2, "big") for w in part) for part in words)
    if not _gap:
        return before + dotted
    return before + bytes(16 - len(before) - len(after) - len(dotted)) + after + dotted


def ipv6_octets(text: str) -> bytes | None:
    """Return the 16 octets of an IPv6 address; None for any other text."""
    if not 0 < len(text) <= _MAX_V6 or _longest(_v6_forms(), text, 0) != len(text):
        return None
    return parse_ipv6(text)


class Lexer:
    """The words of one expression, looked at one ahead."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._next: Token | None = None
        self._v6: tuple[re.Pattern[str], ...] | None = None

    def peek(self) -> Token:
        """Return the next word and leave it there. Raises FilterError for a bad number or address."""
        if self._next is None:
            self._next = self._scan()
        return self._next

    def take(self) -> Token:
        """Return the next word and go on. Raises FilterError."""
        token = self.peek()
        self._next = None
        return token

    def _ipv6_end(self) -> int:
        if self._v6 is None:
            self._v6 = _v6_forms()
        return _longest(self._v6, self._text, self._at)

    def _scan(self) -> Token:
        text = self._text
        space = _SPACE.match(text, self._at)
        if space:
            self._at = space.end()
        at = self._at
        if at >= len(text):
            return Token("END", "")
        # Candidates as (length, rank): the longer wins, then the rule that comes first.
        best = 0
        kind = "BAD"

        def offer(end: int, name: str) -> None:
            nonlocal best, kind
            if end - at > best:
                best, kind = end - at, name

        identifier = _ID.match(text, at)
        word = identifier.group() if identifier else ""
        if word in KEYWORDS:
            offer(at + len(word), "keyword")
        if symbol := _SYMBOL.match(text, at):
            offer(symbol.end(), "symbol")
        if arc := _AID.match(text, at):
            offer(arc.end(), "AID")
        offer(_longest(_MACS, text, at), "EID")
        if number := _NUMBER.match(text, at):
            offer(number.end(), "NUM")
        if dotted := _HID.match(text, at):
            offer(dotted.end(), "HID")
        if _MAYBE_V6.match(text, at):
            offer(self._ipv6_end(), "HID6")
            if bogus := _BOGUS_MAC.match(text, at):
                offer(bogus.end(), "bogus")
        if word in NUMBERS:
            offer(at + len(word), "named")
        if word:
            offer(at + len(word), "ID")
        if escaped := _ESCAPED.match(text, at):
            offer(escaped.end(), "escaped")
        if kind == "BAD":
            return Token("BAD", text[at])
        found = text[at : at + best]
        self._at = at + best
        return _token(kind, found)


def _token(kind: str, found: str) -> Token:
    match kind:
        case "keyword":
            return Token(KEYWORDS[found], found)
        case "symbol":
            return Token(_SYMBOLS.get(found, found), found)
        case "NUM":
            return Token("NUM", found, _to_number(found))
        case "named":
            return Token("NUM", found, NUMBERS[found])
        case "escaped":
            return Token("ID", found[1:])
        case "HID6":
            if parse_ipv6(found) is None:
                raise FilterError(f"bogus IPv6 address {found}")
            return Token("HID6", found)
        case "bogus":
            raise FilterError(f"bogus ethernet address {found}")
        case _:
            return Token(kind, found)


def _longest(patterns: tuple[re.Pattern[str], ...], text: str, at: int) -> int:
    """Return where the longest match ends; *at* when there is none."""
    end = at
    for pattern in patterns:
        if found := pattern.match(text, at):
            end = max(end, found.end())
    return end
