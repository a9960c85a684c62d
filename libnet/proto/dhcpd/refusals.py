"""What a configuration may say but this server does not do: said before it starts, not found out later."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config, Scope, Stmt

_OMAPI: Final = "OMAPI is not supported."
_REFUSED: Final = {
    "omapi-port": _OMAPI,
    "omapi-key": _OMAPI,
}


def refusals(config: Config) -> list[str]:
    """Return a line for each thing that is switched on and not supported."""
    found = [f"failover peer {name}: No failover support." for name in config.peers]
    for name, value in params(config):
        text = ""
        if name == "ddns-update-style" and value != "none":
            text = f"ddns-update-style {value}: dynamic DNS updates are not supported."
        elif name == "leasequery" and value is True:
            text = "allow leasequery: lease queries are not answered."
        elif name == "db-time-format" and value != "default":
            text = f"db-time-format {value}: leases are written in UTC only."
        elif name in _REFUSED:
            text = f"{name}: {_REFUSED[name]}"
        if text and text not in found:
            found.append(text)
    return found


def params(config: Config) -> Iterator[tuple[str, object]]:
    """Yield name and value of every parameter, wherever it stands."""
    scopes: dict[int, Scope] = {id(config.top): config.top}
    inner: list[Scope] = [*config.groups.values(), *config.networks, *config.subnets]
    inner += [pool for network in config.networks for pool in network.pools]
    inner += [*config.hosts, *config.classes.values()]
    inner += [one for found in config.classes.values() for one in found.subclasses.values()]
    for scope in inner:
        for one in scope.chain():
            scopes[id(one)] = one
    for scope in scopes.values():
        yield from _params(scope.statements)


def _params(statements: list[Stmt]) -> Iterator[tuple[str, object]]:
    for stmt in statements:
        if stmt.op == "param":
            yield stmt.args[0], stmt.args[1]
        elif stmt.op == "if":
            for _test, body in stmt.args[0]:
                yield from _params(body)
        elif stmt.op == "switch":
            for _label, body in stmt.args[1]:
                yield from _params(body)
        elif stmt.op == "on":
            yield from _params(stmt.args[1])
