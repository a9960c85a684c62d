"""Address words of pf.conf(5) to addresses: interface, IPv4, IPv6, name, in this order."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.pfconf.addr6 import aton, net_pton, pton6
from libnet.conf.pfconf.env import Env, IfAddr, Interface
from libnet.conf.pfconf.nodes import Host
from libnet.ioctl.ifflags import IFF_BROADCAST, IFF_LINK1, IFF_LOOPBACK, IFF_POINTOPOINT
from libnet.ioctl.pf import (
    PFI_AFLAG_BROADCAST,
    PFI_AFLAG_MODEMASK,
    PFI_AFLAG_NETWORK,
    PFI_AFLAG_NOALIAS,
    PFI_AFLAG_PEER,
    pack_addr,
)

MODIFIERS = {
    "network": PFI_AFLAG_NETWORK,
    "broadcast": PFI_AFLAG_BROADCAST,
    "peer": PFI_AFLAG_PEER,
    "0": PFI_AFLAG_NOALIAS,
}


class BadAddress(ValueError):
    """An address word that a table or test does not take (EINVAL)."""


def split_modifiers(word: str) -> tuple[str, int] | None:
    """Return (name, PFI_AFLAG_*) of "lo0:network:0", or None for an unknown modifier."""
    flags = 0
    while ":" in word:
        word, _, modifier = word.rpartition(":")
        flag = MODIFIERS.get(modifier)
        if flag is None:
            return None
        flags |= flag
    return word, flags


def contradictory(flags: int) -> bool:
    """Tell whether more than one of network, broadcast and peer is asked for."""
    return bool(flags & (flags - 1) & PFI_AFLAG_MODEMASK)


def strtol(text: str) -> int | None:
    """Return the number that strtol(3) with base 0 reads of the whole *text*, or None.

    >>> strtol("0x10"), strtol("010"), strtol("1x"), strtol("")
    (16, 8, None, None)
    """
    digits = text.lstrip(" \t\n\v\f\r")
    sign = -1 if digits[:1] == "-" else 1
    digits = digits[1:] if digits[:1] in ("-", "+") else digits
    if not digits.isascii() or not digits.isalnum():
        return None
    try:
        if digits[:2] in ("0x", "0X"):
            return sign * int(digits, 16)
        if digits[0] == "0":
            return sign * int(digits, 8)
        return sign * int(digits, 10) if digits.isdigit() else None
    except ValueError:
        return None


class HostReader:
    """Reads address words; *say* gets the messages that have no line number."""

    def __init__(self, env: Env, say: Callable[[str], None]) -> None:
        self._env = env
        self._say = say
        self._known: dict[str, Interface] | None = None

    def interface(self, name: str) -> Interface | None:
        """Return the interface of exactly this name."""
        if self._known is None:
            self._known = {i.name: i for i in self._env.interfaces}
        return self._known.get(name[:15])

    def index_of(self, name: str) -> int:
        """Return the index of an interface, 0 if there is none (if_nametoindex(3))."""
        found = self.interface(name)
        return found.index if found else 0

    def name_of(self, index: int) -> str:
        """Return the name of an interface by index, or "" (if_indextoname(3))."""
        if index:
            for one in self._env.interfaces:
                if one.index == index:
                    return one.name
        return ""

    def host(self, word: str) -> list[Host]:
        """Return what an address word stands for; nothing after a message."""
        base, slash, mask = word.rpartition("/")
        bits: int | None = None
        if slash:
            bits = strtol(mask)
            if bits is None or bits > 128 or bits < 0:
                self._say(f"invalid netmask '/{mask}'")
                return []
        else:
            base = word
        found = self._interface_addrs(base, bits)
        if not found:
            one = self._v4(word) or self._v6(base, 128 if bits is None else bits)
            found = [one] if one else self._names(base, bits)
        if not found:
            self._say(f"no IP address found for {word}")
        return found

    def _interface_addrs(self, word: str, bits: int | None) -> list[Host]:
        split = split_modifiers(word)
        if split is None:
            return []
        name, flags = split
        if contradictory(flags):
            self._say("illegal combination of interface modifiers")
            return []
        if flags & (PFI_AFLAG_NETWORK | PFI_AFLAG_BROADCAST) and bits is not None:
            self._say("network or broadcast lookup, but extra netmask given")
            return []
        if name != "self" and self.interface(name) is None:
            return []
        found = self.lookup(name, flags)
        if bits is not None:
            for one in found:
                one.set_ipmask(bits)
        return found

    def lookup(self, name: str, flags: int) -> list[Host]:
        """Return the addresses of an interface ("self": of all), or what *flags* make of them."""
        found = []
        for interface in self._env.interfaces:
            if name != "self" and not _stands_for(name, interface.name):
                continue
            got: set[int] = set()
            for one in interface.addrs:
                if _left_out(one, interface, flags):
                    continue
                if flags & PFI_AFLAG_NOALIAS and one.af in got:
                    continue
                got.add(one.af)
                found.append(_from_ifaddr(one, interface, flags))
        return found

    def _v4(self, word: str) -> Host | None:
        if "/" in word:
            net = net_pton(word)
            if net is None:
                return None
            return Host(af=AF_INET, addr=net[0], bits=net[1])
        parts = word.split(".")
        if len(parts) != 4 or not all(p.isascii() and p.isdigit() and len(p) < 4 for p in parts):
            return None
        values = [int(p) for p in parts]
        if max(values) > 255:
            return None
        addr = values[0] << 24 | values[1] << 16 | values[2] << 8 | values[3]
        return Host(af=AF_INET, addr=addr, bits=32)

    def _v6(self, word: str, bits: int) -> Host | None:
        if ":" not in word:
            return None
        text, percent, scope = word.partition("%")
        addr = pton6(text)
        if addr is None:
            return None
        index = 0
        if percent:
            index = self.index_of(scope)
            if not index:
                if not scope.isdigit() or not 0 < int(scope[:6]) < 65536:
                    return None
                index = int(scope)
        return Host(af=AF_INET6, addr=addr, bits=bits, ifindex=index)

    def _names(self, word: str, bits: int | None) -> list[Host]:
        noalias = word.endswith(":0")
        word = word.removesuffix(":0") if noalias else word
        number = aton(word)
        if number is not None:
            return [Host(af=AF_INET, addr=number, bits=32 if bits is None else bits)]
        found = []
        got: set[int] = set()
        for af, addr in self._env.resolve(word) if word else ():
            if noalias and af in got:
                continue
            got.add(af)
            width = 32 if af == AF_INET else 128
            found.append(Host(af=af, addr=addr, bits=width if bits is None else bits))
        return found

    def append(self, word: str, *, test: bool) -> list[bytes]:
        """Return the packed addresses that a table's word means ("!" in front negates).

        test  only single addresses, without "!"
        Raises BadAddress; returns nothing after a message.
        """
        rest = word.lstrip("!")
        neg = (len(word) - len(rest)) & 1
        return list(packed(self.host(rest), neg=neg, test=test))


def packed(hosts: list[Host], *, neg: int = 0, test: bool = False) -> Iterator[bytes]:
    """Yield the packed struct pfr_addr of each address. Raises BadAddress."""
    for one in hosts:
        if one.af not in (AF_INET, AF_INET6):
            raise BadAddress
        width = 32 if one.af == AF_INET else 128
        if one.bits > width or (test and (neg or one.bits != width)):
            raise BadAddress
        yield pack_addr(one.af, one.addr, one.bits, one.neg ^ neg)


def _stands_for(word: str, name: str) -> bool:
    """Tell whether an interface word means *name*: exactly, or "lo" for all its units."""
    if name == word:
        return True
    if not 0 < len(word) < 16 or word[-1].isdigit() or not name.startswith(word):
        return False
    return name[len(word) : len(word) + 1].isdigit()


def _left_out(one: IfAddr, interface: Interface, flags: int) -> bool:
    if flags & PFI_AFLAG_BROADCAST and (one.af != AF_INET or not interface.flags & IFF_BROADCAST):
        return True
    if flags & PFI_AFLAG_PEER and not interface.flags & IFF_POINTOPOINT:
        return True
    return bool(flags & PFI_AFLAG_NETWORK and one.scope)


def _from_ifaddr(one: IfAddr, interface: Interface, flags: int) -> Host:
    addr = one.addr
    if flags & PFI_AFLAG_BROADCAST:
        addr = one.bcast
    elif flags & PFI_AFLAG_PEER:
        addr = one.peer
    bits = 32 if one.af == AF_INET else 128
    if flags & PFI_AFLAG_NETWORK:
        bits = one.bits
    found = Host(af=one.af, addr=addr, bits=bits, ifindex=one.scope)
    if one.af == AF_INET and interface.flags & IFF_LOOPBACK and interface.flags & IFF_LINK1:
        # A loopback with LINK1 answers for its whole network: the mask counts, the address stays.
        found.bits = one.bits
    return found


def table_words(text: str) -> Iterator[str]:
    r"""Yield the words of a table file: blanks part them, "#" starts a comment to the line's end.

    As in the original a "#" inside a word belongs to it.

    >>> list(table_words("10.0.0.1 # one\n!10/8 a#b"))
    ['10.0.0.1', '!10/8', 'a#b']
    """
    for line in text.split("\n"):
        for word in line.split():
            if word[0] == "#":
                break
            yield word
