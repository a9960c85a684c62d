"""What a dhcpd.conf(5) says: scopes, networks, hosts, classes, statements and expressions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.lexer import Complaint
    from libnet.conf.dhcpdconf.options import OptionDef, Space


class Expr:
    """One expression: what it is, and its parts.

    kind  "bool", "data" or "number"
    op    the word of the language ("substring", "and", "="), or "const"
    args  Exprs, octets, numbers, OptionDefs
    """

    __slots__ = ("args", "kind", "op")

    def __init__(self, kind: str, op: str, *args: Any) -> None:
        self.kind, self.op, self.args = kind, op, args

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Expr) and (self.kind, self.op, self.args) == (
            other.kind,
            other.op,
            other.args,
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Expr({self.kind!r}, {self.op!r}, *{self.args!r})"


class Stmt:
    """One statement: op and args by op.

    option   how ("=", "supersede", "default", "append", "prepend", "send"), OptionDef, Expr
    param    name, value (int, str, bool, Expr)
    if       list of (Expr or None, list of Stmt)
    switch   Expr, list of (Expr or None, list of Stmt)
    on       events, list of Stmt        set name, Expr     unset name
    log      priority, Expr              add class name     return Expr
    break    nothing                     eval Expr
    space    how, name of an option space for `vendor-option-space`
    """

    __slots__ = ("args", "op")

    def __init__(self, op: str, *args: Any) -> None:
        self.op, self.args = op, args

    def __repr__(self) -> str:
        return f"Stmt({self.op!r}, *{self.args!r})"


class Scope:
    """A block whose statements count inside it.

    kind   "top", "group", "shared-network", "subnet", "pool", "host", "class", "subclass"
    outer  the block it stands in, None at the top
    """

    __slots__ = ("kind", "name", "outer", "statements")

    def __init__(self, kind: str, name: str, outer: Scope | None) -> None:
        self.kind, self.name, self.outer = kind, name, outer
        self.statements: list[Stmt] = []

    def chain(self) -> list[Scope]:
        """Return this block and those around it, innermost first."""
        found: list[Scope] = []
        at: Scope | None = self
        while at is not None:
            found.append(at)
            at = at.outer
        return found


class Permit:
    """One `allow` or `deny` of a pool; what is as written, *name* the class of `members of`."""

    __slots__ = ("allow", "name", "what")

    def __init__(self, allow: bool, what: str, name: str = "") -> None:
        self.allow, self.what, self.name = allow, what, name


class Range:
    """Addresses first to last, host integers, both included."""

    __slots__ = ("bootp", "first", "last", "pool", "subnet")

    def __init__(self, first: int, last: int, bootp: bool, subnet: Subnet, pool: Scope) -> None:
        self.first, self.last, self.bootp, self.subnet, self.pool = first, last, bootp, subnet, pool


class Network(Scope):
    """A shared network, or the one a lone subnet is."""

    __slots__ = ("pools", "ranges", "subnets")

    def __init__(self, name: str, outer: Scope | None) -> None:
        super().__init__("shared-network", name, outer)
        self.subnets: list[Subnet] = []
        self.pools: list[Pool] = []
        self.ranges: list[Range] = []


class Subnet(Scope):
    """One subnet; net and mask are host integers."""

    __slots__ = ("mask", "net", "network")

    def __init__(self, net: int, mask: int, network: Network, outer: Scope, name: str) -> None:
        super().__init__("subnet", name, outer)
        self.net, self.mask, self.network = net, mask, network

    def has(self, addr: int) -> bool:
        """Tell whether *addr* lies in the subnet."""
        return addr & self.mask == self.net


class Pool(Scope):
    """A pool and who may have its addresses."""

    __slots__ = ("permits",)

    def __init__(self, outer: Scope) -> None:
        super().__init__("pool", "", outer)
        self.permits: list[Permit] = []


class HostDecl(Scope):
    """A host declaration.

    hardware  type and octets of its address, or None
    uid       client identifier, or None        fixed  addresses, host integers or names
    """

    __slots__ = ("deleted", "dynamic", "fixed", "group", "hardware", "uid")

    def __init__(self, name: str, outer: Scope | None) -> None:
        super().__init__("host", name, outer)
        self.hardware: tuple[int, bytes] | None = None
        self.uid: bytes | None = None
        self.fixed: list[int | str] = []
        self.group: str = ""
        self.dynamic = self.deleted = False


class ClassDecl(Scope):
    """A class; `match if`, or `match` or `spawn with` and the subclasses by value.

    value  of a subclass, what is matched; None for a class
    """

    __slots__ = ("limit", "match", "match_if", "spawn", "subclasses", "value")

    def __init__(self, name: str, outer: Scope | None) -> None:
        super().__init__("class", name, outer)
        self.match_if: Expr | None = None
        self.match: Expr | None = None
        self.value: bytes | None = None
        self.spawn = False
        self.limit = 0
        self.subclasses: dict[bytes, ClassDecl] = {}


class Config:
    """A configuration whole.

    subnets, networks, hosts, classes in the order of the text; groups by name
    spaces    the option spaces, standard ones included
    peers     names of failover peers that are declared
    keys, zones  those of dynamic DNS, by name: what stands in their blocks
    errors    what is wrong; warnings  what is odd
    """

    def __init__(self, spaces: dict[str, Space]) -> None:
        self.top = Scope("top", "", None)
        self.networks: list[Network] = []
        self.subnets: list[Subnet] = []
        self.hosts: list[HostDecl] = []
        self.groups: dict[str, Scope] = {}
        self.classes: dict[str, ClassDecl] = {}
        self.peers: list[str] = []
        self.keys: dict[str, dict[str, str]] = {}
        self.zones: dict[str, dict[str, str]] = {}
        self.functions: dict[str, tuple[list[str], list[Stmt]]] = {}
        self.spaces = spaces
        self.errors: list[Complaint] = []
        self.warnings: list[str] = []
        self.fatal: str | None = None  # said instead of the complaints' closing line

    def find_option(self, space: str, name: str) -> OptionDef | None:
        """Return an option of a space, None when there is none."""
        found = self.spaces.get(space)
        return found.find(name) if found is not None else None

    def find_subnet(self, addr: int) -> Subnet | None:
        """Return the narrowest subnet that has *addr*."""
        best: Subnet | None = None
        for subnet in self.subnets:
            if subnet.has(addr) and (best is None or subnet.mask > best.mask):
                best = subnet
        return best
