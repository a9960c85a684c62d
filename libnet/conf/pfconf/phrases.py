"""Phrases that several statements of pf.conf(5) share: interfaces, hosts, ports, logging."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.base import ParserBase
from libnet.conf.pfconf.hosts import contradictory, split_modifiers, strtol
from libnet.conf.pfconf.lex import PORTBINARY, STRING
from libnet.conf.pfconf.nodes import FromTo, Host, Iface, Peer, Range
from libnet.ioctl.pf import (
    PF_ADDR_DYNIFTL,
    PF_ADDR_NOROUTE,
    PF_ADDR_RTLABEL,
    PF_ADDR_TABLE,
    PF_ADDR_URPFFAILED,
    PF_IN,
    PF_LOG,
    PF_LOG_ALL,
    PF_LOG_SOCKET_LOOKUP,
    PF_OP_EQ,
    PF_OP_GE,
    PF_OP_GT,
    PF_OP_IRG,
    PF_OP_LE,
    PF_OP_LT,
    PF_OP_NE,
    PF_OP_RRG,
    PF_OP_XRG,
    PF_OUT,
    PF_TABLE_NAME_SIZE,
)

T = TypeVar("T")

IFNAMSIZ = 16
RTLABEL_LEN = 32
RT_TABLEID_MAX = 255
ULONG_MAX = (1 << 32) - 1
UID_MAX = 0xFFFFFFFF

_AFTER_LOGOPT = frozenset({",", ")", "all", "user", "group", "to"})
# What may stand behind a word in a list of addresses.
_IN_LIST37 = frozenset({",", "}", "!", "(", "<", "no-route", "route", STRING})
_IN_LIST = _IN_LIST37 | {"{", "any", "urpf-failed"}
# Some of what makes no sense behind addresses; the rest is found out by whoever comes next.
_NOT_AFTER_HOSTS = frozenset(
    {",", "}", ")", "(", "<", ">", "=", "/", "from", "to", "all", "any", "port", "os", "on", "in",
     "out", "quick", "log", "proto", "inet", "inet6", "pass", "block"}
)  # fmt: skip


class Phrases(ParserBase):
    """The shared phrases, each a method that takes its tokens and returns its meaning."""

    def items(self, item: Callable[[], T]) -> list[T]:
        """Take `{ item, item item }` with its closing brace, the opening one being gone."""
        self.deeper()
        found = [item()]
        while self.peek() != "}":
            if self.peek() == ",":
                self.shift()
            found.append(item())
        self.shift()
        self.leave()
        return found

    def one_or_list(self, item: Callable[[], T]) -> list[T]:
        """Take one item, or several in braces."""
        if self.accept("{"):
            return self.items(item)
        return [item()]

    # -- numbers

    def atoul(self, text: str) -> int | None:
        """Return the unsigned number that a word is, or None."""
        value = strtol(text)
        if value is None:
            return None
        return value & ULONG_MAX if value < 0 else value

    def number(self) -> int:
        """Take a number."""
        text = self.word()
        value = self.atoul(text)
        if value is None or value > 0xFFFFFFFFFFFFFFFF:
            self.give_up(f"{text} is not a number")
        return value & ULONG_MAX

    def rtable(self) -> int:
        """Take `rtable N` if it is there; return the number or -1."""
        if self.old or not self.accept("rtable"):
            return -1
        return self.rtable_number()

    def rtable_number(self) -> int:
        """Take the number after rtable."""
        number = self.number()
        if number > RT_TABLEID_MAX:
            self.give_up("invalid rtable id")
        return number

    # -- where

    def direction(self) -> int:
        """Take in or out; return PF_IN, PF_OUT or 0."""
        kind = self.peek()
        if kind == "in":
            self.shift()
            return PF_IN
        if kind == "out":
            self.shift()
            return PF_OUT
        return 0

    def log(self) -> tuple[int, int]:
        """Take `log (…)`, log being there; return PF_LOG bits and the number of pflog."""
        if self.old:
            return (PF_LOG | PF_LOG_ALL if self.shift() == "log-all" else PF_LOG), 0
        self.shift()
        bits, unit = PF_LOG, 0
        if self.accept("("):
            while True:
                more, number = self._logopt()
                bits |= more
                unit = number or unit
                if self.accept(")"):
                    break
                self.accept(",")
        return bits, unit

    def _logopt(self) -> tuple[int, int]:
        kind = self.peek()
        if kind == "all":
            self.shift()
            return PF_LOG_ALL, 0
        if kind in ("user", "group"):
            self.shift()
            return PF_LOG_SOCKET_LOOKUP, 0
        self.expect("to")
        name = self.words()
        if self.peek() not in _AFTER_LOGOPT:
            self.syntax_error()
        if not name.startswith("pflog"):
            self.give_up(f"{name}: should be a pflog interface")
        digits = name[5:]
        if not (digits.isascii() and digits.lstrip("+-").isdigit()):
            self.give_up(f"{name}: invalid")
        if int(digits) < 0:
            self.give_up(f"{name}: too small")
        if int(digits) > 255:
            self.give_up(f"{name}: too large")
        return 0, int(digits)

    def log_here(self) -> bool:
        """Tell whether the next token starts a log phrase."""
        kind = self.peek()
        return kind == "log" or kind == "log-all"

    def logquick(self) -> tuple[int, int, int]:
        """Take log and quick in either order; return (log, logif, quick)."""
        log = logif = quick = 0
        if self.log_here():
            log, logif = self.log()
            quick = int(self.accept("quick"))
        elif self.accept("quick"):
            quick = 1
            if self.log_here():
                log, logif = self.log()
        return log, logif, quick

    def interface(self) -> list[Iface]:
        """Take `on …` if it is there."""
        if not self.accept("on"):
            return []
        return self.one_or_list(self._if_item_not)

    def _if_item_not(self) -> Iface:
        neg = int(self.accept("!"))
        item = self.if_item()
        item.neg = neg
        return item

    def if_item(self) -> Iface:
        """Take an interface's name."""
        name = self.word()
        if len(name) >= IFNAMSIZ:
            self.give_up("interface name too long")
        known = self.hosts.interface(name)
        return Iface(name, known.flags if known else 0)

    def af(self) -> int:
        """Take inet or inet6; return the family or 0."""
        kind = self.peek()
        if kind == "inet":
            self.shift()
            return AF_INET
        if kind == "inet6":
            self.shift()
            return AF_INET6
        return 0

    def proto(self) -> list[int]:
        """Take `proto …` if it is there; return the numbers."""
        if not self.accept("proto"):
            return []
        return self.one_or_list(self._proto_item)

    def _proto_item(self) -> int:
        text = self.word()
        number = self.atoul(text)
        if number is None:
            found = self.env.protocols.by_name.get(text)
            if found is None:
                self.give_up(f"unknown protocol {text}")
            number = found
        elif number > 255:
            self.give_up("protocol outside range")
        if number == 0:
            self.give_up("proto 0 cannot be used")
        return number

    # -- from and to

    def fromto(self) -> FromTo:
        """Take `all`, or from, os and to, each of which may be missing."""
        both = FromTo()
        if self.accept("all"):
            return both
        if self.accept("from"):
            both.src = self._ipportspec()
        if self.accept("os"):
            both.oses = self.one_or_list(self.word)
        if self.accept("to"):
            both.dst = self._ipportspec()
            if self.peek() in _NOT_AFTER_HOSTS:
                self.syntax_error()
            self.disallow_urpf(
                both.dst.hosts, '"urpf-failed" is not permitted in a destination address'
            )
        return both

    def disallow_urpf(self, hosts: list[Host], message: str) -> None:
        """Give up if an address is urpf-failed."""
        if any(one.type == PF_ADDR_URPFFAILED for one in hosts):
            self.give_up(message)

    def _ipportspec(self) -> Peer:
        peer = Peer()
        if self.peek() != "port":
            peer.hosts = self.ipspec()
        if self.accept("port"):
            peer.ports = self.one_or_list(self._port_item)
        return peer

    def ipspec(self) -> list[Host]:
        """Take any, an address, or a list; "any" is an empty list."""
        kind = self.peek()
        if kind == "any":
            self.shift()
            return []
        if kind == "{":
            self.shift()
            return self.host_list()
        return self.xhost()

    def host_list(self) -> list[Host]:
        """Take the addresses of a list and its closing brace."""
        item = self.xhost if self.old else self.ipspec
        found: list[Host] = []
        self._listing += 1
        try:
            for hosts in self.items(item):
                found += hosts
        finally:
            self._listing -= 1
        return found

    def xhost(self) -> list[Host]:
        """Take an address, perhaps negated."""
        neg = int(self.accept("!"))
        kind = self.peek()
        if kind == "no-route" and not (neg and self.old):
            self.shift()
            hosts = [Host(PF_ADDR_NOROUTE)]
        elif kind == "urpf-failed":
            self.shift()
            hosts = [Host(PF_ADDR_URPFFAILED)]
        else:
            hosts = self.host()
        for one in hosts:
            one.neg = neg
        return hosts

    def host(self) -> list[Host]:
        """Take an address word, (interface), <table> or route label."""
        kind = self.peek()
        if kind == STRING:
            text = self.shift()
            if self.accept("/"):
                text = f"{text}/{self.number()}"
            if self._listing and self.peek() not in (_IN_LIST37 if self.old else _IN_LIST):
                self.syntax_error()  # before the word is looked up
            hosts = self.hosts.host(text)
            if not hosts:
                self.give_up("could not parse host specification")
            return hosts
        if kind == "(":
            one = self._dynaddr()
            if self.accept("/"):
                one.set_ipmask(min(self.number() & 0xFF, 128))
            return [one]
        if kind == "<":
            self.shift()
            name = self.word()
            self.expect(">")
            if len(name) >= PF_TABLE_NAME_SIZE:
                self.give_up(f"table name '{name}' too long")
            return [Host(PF_ADDR_TABLE, name=name)]
        self.expect("route")
        name = self.word()
        if len(name) >= RTLABEL_LEN:
            self.give_up(f"route label too long, max {RTLABEL_LEN - 1} chars")
        return [Host(PF_ADDR_RTLABEL, name=name)]

    def _dynaddr(self) -> Host:
        self.expect("(")
        text = self.word()
        self.expect(")")
        if not (text[:1].isascii() and text[:1].isalpha()):
            self.give_up(f"invalid interface name '{text}'")
        split = split_modifiers(text)
        if split is None:
            # What is left when the bad modifier is met: those behind it are gone.
            while text.rpartition(":")[2] in ("network", "broadcast", "peer", "0"):
                text = text.rpartition(":")[0]
            self.give_up(f"interface {text} has bad modifier")
        name, flags = split
        if contradictory(flags):
            self.give_up("illegal combination of interface modifiers")
        if len(name) >= IFNAMSIZ:
            self.give_up("interface name too long")
        return Host(PF_ADDR_DYNIFTL, dyn=name, iflags=flags, bits=128)

    # -- ports

    def service(self, text: str) -> int:
        """Return the port that a word names."""
        number = self.atoul(text)
        if number is not None:
            if number > 65535:
                self.give_up(f"illegal port value {number}")
            return number
        table = self.env.services.by_name
        port = table.get((text, "tcp"), table.get((text, "udp")))
        if port is None:
            self.give_up(f"unknown port {text}")
        return port

    def _port(self) -> tuple[int, int, bool]:
        """Take a port or `a:b`; return both and whether it is a range."""
        text = self.word()
        first, colon, second = text.partition(":")
        low = self.service(first)
        return (low, self.service(second), True) if colon else (low, 0, False)

    def unaryop(self) -> int:
        """Take =, !=, <, <=, > or >= if it is there; return PF_OP_* or 0."""
        kind = self.peek()
        if kind == "=":
            self.shift()
            return PF_OP_EQ
        if kind == "!":
            self.shift()
            self.expect("=")
            return PF_OP_NE
        if kind in ("<", ">"):
            self.shift()
            equal = self.accept("=")
            if kind == "<":
                return PF_OP_LE if equal else PF_OP_LT
            return PF_OP_GE if equal else PF_OP_GT
        return 0

    def _binary(self) -> int:
        return PF_OP_XRG if self.shift() == "<>" else PF_OP_IRG

    def _port_item(self) -> Range:
        op = self.unaryop()
        low, high, ranged = self._port()
        if op:
            if ranged:
                self.give_up("':' cannot be used with an other port operator")
            return Range(low, high, op)
        if self.peek() != PORTBINARY:
            return Range(low, high, PF_OP_RRG if ranged else PF_OP_EQ)
        op = self._binary()
        second, _, ranged2 = self._port()
        if ranged or ranged2:
            self.give_up("':' cannot be used with an other port operator")
        return Range(low, second, op)

    # -- users and groups

    def ids(self, what: str) -> list[Range]:
        """Take the users or groups of a rule; *what* is "user" or "group"."""
        return self.one_or_list(lambda: self._id_item(what))

    def _id_item(self, what: str) -> Range:
        op = self.unaryop()
        first = self._id(what)
        if op:
            if first == UID_MAX and op not in (PF_OP_EQ, PF_OP_NE):
                self.give_up(f"{what} unknown requires operator = or !=")
            return Range(first, first, op)
        if self.peek() != PORTBINARY:
            return Range(first, first, PF_OP_EQ)
        op = self._binary()
        second = self._id(what)
        if UID_MAX in (first, second):
            self.give_up(f"{what} unknown requires operator = or !=")
        return Range(first, second, op)

    def _id(self, what: str) -> int:
        text = self.word()
        number = self.atoul(text)
        if number is not None:
            if number >= UID_MAX:
                self.give_up(f"illegal {what[0]}id value {number}")
            return number
        if text == "unknown":
            return UID_MAX
        table = self.env.users if what == "user" else self.env.groups
        if text not in table:
            self.give_up(f"unknown {what} {text}")
        return table[text]

    # -- tags

    def tagged(self) -> tuple[int, str]:
        """Take `[!] tagged T` if it is there; return (negated, tag)."""
        if self.accept("!"):
            self.expect("tagged")
            return 1, self.words()
        if self.accept("tagged"):
            return 0, self.words()
        return 0, ""


def decide_af(hosts: list[Host], af: int, *, old: bool) -> int:
    """Return the family that all addresses share, if the rule has none."""
    if af or not hosts:
        return af
    if old:
        found = {one.af for one in hosts if one.af}
        return found.pop() if len(found) == 1 else 0
    first = hosts[0].af
    return first if all(one.af == first for one in hosts) else 0
