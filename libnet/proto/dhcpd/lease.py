"""One address that the server may give, and how it stands in dhcpd.leases(5).

Times here are seconds of the server's own calendar, which never jumps; in the file they are those of
the host's clock, `skew` seconds later (see libnet.proto.dhcpd.server).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from libnet.addr import inet_ntoa
from libnet.conf import leases as file
from libnet.conf.leases import NEVER

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import HostDecl, Subnet
    from libnet.proto.dhcpd.pool import Pool
    from libnet.proto.dhcpd.request import Value

FREE: Final = "free"
ACTIVE: Final = "active"
ABANDONED: Final = "abandoned"
UNSUITABLE: Final = "Hostname Unsuitable for Printing"  # what stands in the log for such a one
# States of other servers' files that come to one of ours.
_AS_FREE: Final = frozenset(("expired", "released", "reset", "backup"))
_AGENT_NAMES: Final = {1: "circuit-id", 2: "remote-id", 3: "agent-id", 4: "DOCSIS-device-class"}
_AGENT_CODES: Final = {name.lower(): code for code, name in _AGENT_NAMES.items()}

Hardware = tuple[int, bytes]  # type and octets


class Lease:
    """One address.

    addr, subnet, pool  where it belongs; pool is None for a fixed address
    state      FREE, ACTIVE or ABANDONED
    starts, ends, cltt  seconds; ends may be NEVER. 0: it was never given
    promised   no client has been told a later end than this
    hardware, uid  of the client it is, or was last, given to
    hostname   what the client calls itself
    variables  what `set` has left
    agent      suboptions of the relay that the client came by
    billing    name of the class it counts for, and the octets of the subclass or None
    bootp      given to a BOOTP client
    offered    the client it is held for, (hardware, uid), until `offer_ends`; None for nobody
    pinged     when the address was last found unused, or None
    host       declaration of a fixed address, or of the client
    due        when the table will look at it again, None for never
    """

    __slots__ = (
        *("addr", "agent", "billing", "bootp", "cltt", "due", "ends", "hardware", "host"),
        *("hostname", "offer_ends", "offered", "pinged", "pool", "promised", "reserved"),
        *("starts", "state", "static", "subnet", "uid", "variables"),
    )

    def __init__(self, addr: int, subnet: Subnet, pool: Pool | None) -> None:
        self.addr, self.subnet, self.pool = addr, subnet, pool
        self.state = FREE
        self.starts = self.ends = self.cltt = self.promised = 0
        self.hardware: Hardware | None = None
        self.uid: bytes | None = None
        self.hostname = ""
        self.variables: dict[str, Value] = {}
        self.agent: dict[int, bytes] = {}
        self.billing: tuple[str, bytes | None] | None = None
        self.bootp = self.reserved = self.static = False
        self.offered: tuple[Hardware, bytes | None] | None = None
        self.offer_ends = 0.0
        self.pinged: float | None = None
        self.host: HostDecl | None = None
        self.due: float | None = None

    def held(self) -> bool:
        """Tell whether somebody has it, or may take it up."""
        return self.state == ACTIVE or self.offered is not None

    def belongs_to(self, hardware: Hardware, uid: bytes | None) -> bool:
        """Tell whether it is, or was last, that client's: the identifier counts before the hardware."""
        mine_hardware, mine_uid = self.offered or (self.hardware, self.uid)
        if mine_uid is not None:
            return mine_uid == uid
        return mine_hardware == hardware

    def until(self) -> float | None:
        """Return when its state ends by itself, None for never."""
        if self.state == ACTIVE:
            latest = max(self.ends, self.promised)
            return None if latest >= NEVER else latest
        if self.offered is not None:
            return self.offer_ends
        if self.state == ABANDONED:
            return None if self.ends >= NEVER else self.ends
        return None

    def text(self, skew: int) -> str:
        """Return the entry of the file."""
        entry = file.Lease(self.addr)
        times = entry.times
        times["starts"] = _shifted(self.starts, skew)
        times["ends"] = ends = _shifted(self.ends, skew)
        if self.state != ACTIVE:
            times["tstp"] = ends
        if self.cltt:
            times["cltt"] = _shifted(self.cltt, skew)
        entry.state = self.state
        entry.next_state = FREE if self.state != FREE else ""
        entry.billing = self.billing
        entry.hardware, entry.uid = self.hardware, self.uid
        entry.hostname = "" if self.hostname == UNSUITABLE else self.hostname
        entry.bootp, entry.reserved = self.bootp, self.reserved
        for name, value in self.variables.items():
            entry.sets[name] = _value_text(value)
        for code, octets in self.agent.items():
            entry.options[f"agent.{_AGENT_NAMES.get(code, f'unknown-{code}')}"] = _data_text(octets)
        return entry.text()

    def load(self, entry: file.Lease, now: int) -> None:
        """Become what an entry of the file says; *now* tells what of it is over.

        A lease without an end or a client is none: it is free, as an unreadable one would be.
        """
        self.starts = entry.times.get("starts", 0)
        self.ends = entry.times.get("ends", 0)
        self.cltt = entry.times.get("cltt", 0)
        self.hardware, self.uid, self.hostname = entry.hardware, entry.uid, entry.hostname
        self.bootp, self.reserved = entry.bootp, entry.reserved
        self.billing = entry.billing
        self.state = FREE if entry.state in _AS_FREE else entry.state
        if self.state in ("bootp", "reserved"):
            self.state, self.ends = ACTIVE, NEVER
        self.variables = {
            name: value
            for name, text in entry.sets.items()
            if (value := _parse_value(text)) is not None
        }
        for name, text in entry.options.items():
            code = _agent_code(name)
            octets = _parse_value(text)
            if code is not None and type(octets) is bytes:
                self.agent[code] = octets
        if self.state == ACTIVE and self.hardware is None and self.uid is None:
            self.state = FREE
        if self.state == FREE:
            self.ends = min(self.ends, now)
        elif self.starts > now and self.ends < NEVER:
            # The host's clock has been set back since: no more can be left than was given.
            self.ends = now + max(self.ends - self.starts, 0)
            self.starts = self.cltt = now
        self.promised = self.ends if self.state == ACTIVE else 0

    def __repr__(self) -> str:
        return f"<Lease {inet_ntoa(self.addr)} {self.state} {self.ends}>"


def _shifted(when: int, skew: int) -> int:
    return when if when >= NEVER else min(max(when + skew, 0), NEVER - 1)


def _data_text(octets: bytes) -> str:
    """Return octets as a string where they are text, in hexadecimal elsewhere."""
    if octets and not all(32 <= octet < 127 for octet in octets):
        return file.hex_text(octets)
    return file.quoted(octets.decode("latin-1"))


def _value_text(value: Any) -> str:
    if value is None:
        return '""'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"%{value}"
    return file.quoted(value.decode("latin-1"))


def _parse_value(text: str) -> Value:
    """Return what a value in the file says, None when it makes no sense."""
    if text in ("true", "false"):
        return text == "true"
    if text.startswith("%"):
        digits = text[1:].strip()
        sign = digits.startswith("-")
        body = digits[1:] if sign else digits
        if not (body.isascii() and body.isdigit() and len(body) < 12):
            return None
        return -int(body) if sign else int(body)
    if text.startswith('"'):
        from libnet.conf.dhcpdconf.lexer import STRING, Lexer

        token = Lexer(text, "").next()
        return token.text.encode("latin-1", "replace") if token.kind == STRING else None
    try:
        return bytes(int(part, 16) for part in text.split(":"))
    except ValueError:
        return None


def _agent_code(name: str) -> int | None:
    space, _dot, option = name.lower().partition(".")
    if space != "agent":
        return None
    code = _AGENT_CODES.get(option)
    digits = option.removeprefix("unknown-")
    if code is None and digits.isascii() and digits.isdigit() and int(digits) < 256:
        code = int(digits)
    return code
