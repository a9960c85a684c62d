"""Pieces of a statement before it is expanded into rules."""

from __future__ import annotations

from libnet.addr import AF_INET
from libnet.conf.pfconf.addr6 import prefix_mask
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_DYNIFTL,
    PFI_AFLAG_NOALIAS,
    PfAddrWrap,
    PfPoolAddr,
)


class Host:
    """One address word.

    type     PF_ADDR_*                      neg     1 when negated
    af       family, 0 for any              addr    integer of that family
    bits     prefix length as written, 0 to 128 even for AF_INET (checked when the rule is made)
    ifindex  scope of a link-local address  ifname  of a next hop
    dyn, iflags   interface and PFI_AFLAG_* of (if)
    name     of a table or a route label
    """

    __slots__ = ("addr", "af", "bits", "dyn", "ifindex", "iflags", "ifname", "name", "neg", "type")

    def __init__(
        self,
        type: int = PF_ADDR_ADDRMASK,
        *,
        af: int = 0,
        addr: int = 0,
        bits: int = 0,
        dyn: str = "",
        iflags: int = 0,
        ifindex: int = 0,
        name: str = "",
    ) -> None:
        self.type, self.af, self.dyn, self.iflags = type, af, dyn, iflags
        self.ifindex, self.name, self.ifname, self.neg = ifindex, name, "", 0
        self.addr = addr
        self.bits = bits
        self.set_ipmask(bits)

    def set_ipmask(self, bits: int) -> None:
        """Set the prefix length and clear the bits of the address that it leaves out."""
        self.bits = bits
        if self.type == PF_ADDR_ADDRMASK and self.addr:
            width = 32 if self.af == AF_INET else 128
            if bits < width:
                self.addr &= prefix_mask(self.af, bits)

    def wrap(self, af: int) -> PfAddrWrap:
        """Return what goes into a rule of the family *af*."""
        width = 32 if af == AF_INET else 128
        return PfAddrWrap(
            self.type,
            self.addr,
            prefix_mask(af, min(self.bits, width)),
            self.dyn,
            self.iflags,
            self.name if self.type == 3 else "",
            self.name if self.type == 4 else "",
            0,
        )

    def pool(self, af: int) -> PfPoolAddr:
        """Return what goes into a pool."""
        return PfPoolAddr(self.wrap(af), self.ifname)

    def multiaddr(self) -> bool:
        """Tell whether this is an interface in parentheses that may have several addresses."""
        if self.type != PF_ADDR_DYNIFTL:
            return False
        return not self.iflags & PFI_AFLAG_NOALIAS or not self.dyn[-1:].isdigit()


class Iface:
    """One interface word; dynamic when it stood in parentheses (antispoof)."""

    __slots__ = ("dynamic", "flags", "name", "neg")

    def __init__(self, name: str, flags: int = 0) -> None:
        self.name, self.flags, self.neg, self.dynamic = name, flags, 0, False


class Range:
    """Ports or ids with an operator: PF_OP_*, and for a redirection whether ":*" was written."""

    __slots__ = ("a", "b", "op", "star")

    def __init__(self, a: int = 0, b: int = 0, op: int = 0, star: int = 0) -> None:
        self.a, self.b, self.op, self.star = a, b, op, star


class Icmp:
    """An ICMP type and code, each plus one (0: any), and the protocol they need."""

    __slots__ = ("code", "proto", "type")

    def __init__(self, type: int = 0, code: int = 0, proto: int = 0) -> None:
        self.type, self.code, self.proto = type, code, proto


class Peer:
    """Addresses and ports of one end; an empty list is "any"."""

    __slots__ = ("hosts", "ports")

    def __init__(self) -> None:
        self.hosts: list[Host] = []
        self.ports: list[Range] = []


class FromTo:
    """Both ends, and the operating systems of the source."""

    __slots__ = ("dst", "oses", "src")

    def __init__(self) -> None:
        self.src, self.dst = Peer(), Peer()
        self.oses: list[str] = []


class Bw:
    """A bandwidth: bits per second, or percent of what is above."""

    __slots__ = ("absolute", "percent")

    def __init__(self, absolute: int = 0, percent: int = 0) -> None:
        self.absolute, self.percent = absolute, percent

    def of(self, reference: int) -> int:
        """Return bits per second, given what 100 % is."""
        if self.absolute > 0:
            return self.absolute
        return reference // 100 * self.percent if self.percent > 0 else 0


class ServiceCurve:
    """One service curve of hfsc: m1 for d milliseconds, then m2."""

    __slots__ = ("d", "m1", "m2", "used")

    def __init__(self) -> None:
        self.m1, self.d, self.m2, self.used = Bw(), 0, Bw(), False


class QueueOpts:
    """Options of altq and queue statements; the scheduler is ALTQT_*."""

    __slots__ = ("bw", "curves", "flags", "given", "priority", "qlimit", "scheduler", "tbrsize")

    def __init__(self) -> None:
        self.bw = Bw(percent=100)
        self.given: set[str] = set()
        self.scheduler = 0
        self.flags = 0
        self.priority = 1
        self.tbrsize = 0
        self.qlimit = 50
        self.curves: dict[str, ServiceCurve] = {}


class QueueName:
    """A queue that some altq or queue statement has announced."""

    __slots__ = ("ifname", "parent", "queue", "scheduler")

    def __init__(self, queue: str, parent: str, ifname: str, scheduler: int) -> None:
        self.queue, self.parent, self.ifname, self.scheduler = queue, parent, ifname, scheduler


class Anchor:
    """A ruleset while the file is parsed.

    name   what is printed: the last component (with its slash, for one only named)
    path   the whole name
    match  how many rules were counted in it
    rules  by PF_RULESET_*
    """

    __slots__ = ("match", "name", "path", "rules")

    def __init__(self, name: str = "", path: str = "") -> None:
        self.name, self.path, self.match = name, path, 0
        self.rules: list[list[object]] = [[], [], [], [], []]
