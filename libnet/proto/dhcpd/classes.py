"""Which classes a client is in, which pools it may have an address of, and limits on leases."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from libnet.conf.dhcpdconf.tree import ClassDecl
from libnet.proto.dhcpd.expr import ERROR
from libnet.proto.dhcpd.request import Request

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, Permit
    from libnet.proto.dhcpd.scope import Resolver

MAX_CLASSES: Final = 5  # of one client
MAX_SPAWNED: Final = 65_536  # subclasses of one class; their values are made up by strangers


def match(
    config: Config, request: Request, resolver: Resolver, log: list[tuple[str, str]] | None = None
) -> list[ClassDecl]:
    """Find the classes a client is in; leave them in request.classes too.

    A class with subclasses is there as the subclass. Where `spawn with` says so, a subclass is made
    for a value that has none.
    """
    found: list[ClassDecl] = []
    request.classes = found
    if not config.classes:
        return found
    lines = log if log is not None else []
    machine = resolver.machine(request, lines)
    for one in config.classes.values():
        if one.match_if is not None:
            if not machine.boolean(one.match_if):
                continue
            if one.match is None:
                _enter(found, one, lines)
                continue
        if one.match is None:
            continue
        value = machine.data(one.match)
        if not value:
            continue
        inner = one.subclasses.get(value)
        if inner is None and one.spawn:
            inner = spawned(one, value)
            if inner is None:
                lines.append((ERROR, f"too many subclasses of {one.name}."))
        if inner is not None:
            _enter(found, inner, lines)
    return found


def spawned(one: ClassDecl, value: bytes) -> ClassDecl | None:
    """Return the subclass of a value, made if need be; None when there are too many."""
    inner = one.subclasses.get(value)
    if inner is None and len(one.subclasses) < MAX_SPAWNED:
        inner = ClassDecl(one.name, one)
        inner.kind, inner.value = "subclass", value
        one.subclasses[value] = inner
    return inner


def _enter(found: list[ClassDecl], one: ClassDecl, log: list[tuple[str, str]]) -> None:
    if len(found) < MAX_CLASSES:
        found.append(one)
    else:
        log.append((ERROR, f"too many classes for packet: {one.name}"))


def permits(
    rules: Sequence[Permit], request: Request, matched: Sequence[ClassDecl] | None = None
) -> bool:
    """Tell whether a pool with these rules is open to a client.

    What is denied is denied; where something is allowed, nothing else is.
    """
    classes = request.classes if matched is None else matched
    allowed = [rule for rule in rules if rule.allow]
    if any(_applies(rule, request, classes) for rule in rules if not rule.allow):
        return False
    return not allowed or any(_applies(rule, request, classes) for rule in allowed)


def _applies(rule: Permit, request: Request, classes: Sequence[ClassDecl]) -> bool:
    what = rule.what
    if what == "unknown-clients":
        return not request.known
    if what == "known-clients":
        return request.known
    if what == "members":
        return any(one.name == rule.name for one in classes)
    if what == "dynamic-bootp-clients":
        return request.message.type == 0
    if what == "authenticated-clients":
        return False  # nobody is
    return what in ("unauthenticated-clients", "all-clients")


class Billing:
    """How many leases each class with a limit has out."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._count: dict[int, int] = {}

    def find(self, name: str, value: bytes | None) -> ClassDecl | None:
        """Return the class or subclass that a lease is written to count for; None if it is gone."""
        one = self._config.classes.get(name)
        if one is None or value is None:
            return one
        return spawned(one, value) if one.spawn else one.subclasses.get(value)

    def choose(
        self, matched: Sequence[ClassDecl], held: ClassDecl | None
    ) -> tuple[bool, ClassDecl | None]:
        """Return whether a client may have a lease, and the class it is to count for.

        held  what the lease counts for already; it stays so while the client is in that class
        """
        limited = [one for one in matched if limit_of(one)]
        if not limited:
            return True, None
        if held is not None and any(one is held for one in limited):
            return True, held
        for one in limited:
            if self._count.get(id(one), 0) < limit_of(one):
                return True, one
        return False, limited[-1]

    def add(self, one: ClassDecl) -> None:
        """Count a lease for a class."""
        self._count[id(one)] = self._count.get(id(one), 0) + 1

    def remove(self, one: ClassDecl) -> None:
        """Count a lease no longer."""
        left = self._count.get(id(one), 0) - 1
        if left > 0:
            self._count[id(one)] = left
        else:
            self._count.pop(id(one), None)

    def count(self, one: ClassDecl) -> int:
        """Return how many leases count for a class."""
        return self._count.get(id(one), 0)


def limit_of(one: ClassDecl) -> int:
    """Return how many leases a class may have, 0 for any number; a subclass has its class's."""
    if one.limit:
        return one.limit
    return one.outer.limit if isinstance(one.outer, ClassDecl) else 0
