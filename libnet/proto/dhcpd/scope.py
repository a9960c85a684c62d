"""Scopes of dhcpd.conf(5) to what one client is told: parameters, options, and their order in a reply.

The statements of the scopes around a client are executed from the outermost to the innermost; what is
said later wins. Values are worked out when they are asked for, so that an expression sees everything
that has been set, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from libnet.conf.dhcpdconf.options import OptionDef, Space, encapsulate
from libnet.conf.dhcpdconf.tree import ClassDecl, Expr, HostDecl, Scope, Stmt
from libnet.proto.dhcpd.expr import MAX_DATA, Machine, Tools, build_fqdn
from libnet.proto.dhcpd.request import Request, Value
from libnet.wire import Malformed
from libnet.wire.dhcp import (
    DHO_DHCP_AGENT_OPTIONS,
    DHO_DHCP_LEASE_TIME,
    DHO_DHCP_MESSAGE,
    DHO_DHCP_MESSAGE_TYPE,
    DHO_DHCP_OPTION_OVERLOAD,
    DHO_DHCP_PARAMETER_REQUEST_LIST,
    DHO_DHCP_REBINDING_TIME,
    DHO_DHCP_RENEWAL_TIME,
    DHO_DHCP_REQUESTED_ADDRESS,
    DHO_DHCP_SERVER_IDENTIFIER,
    DHO_DOMAIN_NAME_SERVERS,
    DHO_END,
    DHO_FQDN,
    DHO_HOST_NAME,
    DHO_PAD,
    DHO_ROUTERS,
    DHO_SUBNET_MASK,
    DHO_SUBNET_SELECTION,
    DHO_VENDOR_ENCAPSULATED_OPTIONS,
    Dhcp,
)

if TYPE_CHECKING:
    from libnet.conf.dhcpdconf.tree import Config

MAX_TEMPLATES: Final = 4096  # chains of scopes whose outcome is remembered
MAX_NESTING: Final = 8  # of option spaces in option spaces
PRIORITY_COUNT: Final = 300  # options of one reply
SITE_FIRST: Final = 224  # RFC 3942: the codes that a site may use as it likes
LEGACY_SITE_FIRST: Final = 128  # and those of before
DHO_ASSOCIATED_IP: Final = 92

_FIRST: Final = (
    DHO_DHCP_MESSAGE_TYPE,
    DHO_DHCP_SERVER_IDENTIFIER,
    DHO_DHCP_LEASE_TIME,
    DHO_DHCP_MESSAGE,
    DHO_DHCP_REQUESTED_ADDRESS,
    DHO_ASSOCIATED_IP,
)
_TIMES: Final = (DHO_DHCP_RENEWAL_TIME, DHO_DHCP_REBINDING_TIME)
_NEXT: Final = (DHO_SUBNET_MASK, DHO_ROUTERS, DHO_DOMAIN_NAME_SERVERS, DHO_HOST_NAME, DHO_FQDN)
_NEVER: Final = (DHO_PAD, DHO_END, DHO_DHCP_OPTION_OVERLOAD, DHO_DHCP_AGENT_OPTIONS)
_STATIC: Final = ("option", "param", "on")  # statements that do the same for every packet

Piece = bytes | Expr  # of a value; `append` and `prepend` make values of several
_Pieces = tuple[Piece, ...]


class _Template:
    """What statements have set: pieces of options by space and code, parameters, events."""

    __slots__ = ("events", "options", "params")

    def __init__(self) -> None:
        self.options: dict[str, dict[int, _Pieces]] = {}
        self.params: dict[str, object] = {}
        self.events: dict[str, list[Stmt]] = {}

    def copy(self) -> _Template:
        """Return one that can be changed alone."""
        made = _Template()
        made.options = {space: dict(rows) for space, rows in self.options.items()}
        made.params = dict(self.params)
        made.events = dict(self.events)
        return made

    def set_option(self, how: str, option: OptionDef, value: object) -> None:
        """Set, add to, or leave alone the value of an option."""
        piece = _piece(value)
        rows = self.options.setdefault(option.space, {})
        present = rows.get(option.code)
        if present is None or how in ("=", "supersede", "send"):
            rows[option.code] = (piece,)
        elif how == "append":
            rows[option.code] = (*present, piece)
        elif how == "prepend":
            rows[option.code] = (piece, *present)


class Settings:
    """What one client is to be told, and how it is to be treated.

    log        (priority, line) in order      variables  what `set` has set
    events     statements by event ("commit", "release", "expiry")
    """

    __slots__ = ("_busy", "_known", "_machine", "_own", "_template", "events", "log", "variables")

    def __init__(
        self, template: _Template, tools: Tools, request: Request, variables: dict[str, Value]
    ) -> None:
        self._template, self._own = template, False
        self.variables = variables
        self.events = template.events
        self.log: list[tuple[str, str]] = []
        self._machine = Machine(tools, request, self, variables, self.log)
        self._busy: set[tuple[str, int]] = set()
        self._known: dict[tuple[str, int], bytes | None] = {}

    # -- what the server asks

    def param(self, name: str, default: object = None) -> object:
        """Return a parameter: int, bool, str, octets, or "ignore"; *default* when null or not set."""
        value = self._template.params.get(name)
        if isinstance(value, Expr):
            if value.kind == "number":
                value = self._machine.number(value)
            elif value.kind == "bool":
                value = self._machine.boolean(value)
            else:
                value = self._machine.eval(value)
        return default if value is None else value

    def flag(self, name: str, default: bool) -> bool:
        """Return a parameter that is on or off; "ignore" is off."""
        value = self.param(name, default)
        return value is not False and value != "ignore" and value != 0

    def number(self, name: str, default: int) -> int:
        """Return a parameter that is a number; octets are taken for one when they can be."""
        value = self.param(name, default)
        if isinstance(value, bytes):
            return int.from_bytes(value, "big") if 1 <= len(value) <= 4 else default
        return value if isinstance(value, int) else default

    def data(self, name: str) -> bytes | None:
        """Return a parameter that is octets, None when null or not set."""
        value = self.param(name)
        return value if isinstance(value, bytes) else None

    def option(self, code: int, space: str = "dhcp") -> bytes | None:
        """Return the value of an option, None for null; encapsulated spaces are not in it."""
        key = (space, code)
        if key not in self._known:
            self._known[key] = self._evaluate(key)
        return self._known[key]

    def options(self, space: str = "dhcp") -> dict[int, bytes]:
        """Return the options of a space that have a value."""
        found = {code: self.option(code, space) for code in self._template.options.get(space, {})}
        return {code: value for code, value in found.items() if value is not None}

    def codes(self, space: str = "dhcp") -> list[int]:
        """Return the codes that were set in a space, in order of their setting."""
        return list(self._template.options.get(space, ()))

    def put(self, code: int, value: bytes, space: str = "dhcp") -> None:
        """Set an option."""
        self._mine().options.setdefault(space, {})[code] = (value,)
        self._known.clear()  # other values may be made of this one

    def put_default(self, code: int, value: bytes, space: str = "dhcp") -> None:
        """Set an option that has not been set."""
        if code not in self._template.options.get(space, ()):
            self.put(code, value, space)

    def remove(self, code: int, space: str = "dhcp") -> None:
        """Forget an option."""
        if code in self._template.options.get(space, ()):
            del self._mine().options[space][code]
            self._known.clear()

    # -- what statements do (expr.Sink)

    def set_option(self, how: str, option: OptionDef, value: object) -> None:
        """See expr.Sink."""
        self._mine().set_option(how, option, value)
        self._known.clear()

    def set_param(self, name: str, value: object) -> None:
        """See expr.Sink."""
        self._mine().params[name] = value

    def set_event(self, events: Sequence[str], body: list[Stmt]) -> None:
        """See expr.Sink; a later block for the same event replaces an earlier one."""
        self._mine()
        for event in events:
            self.events[event] = body

    def add_class(self, name: str) -> None:
        """See expr.Sink."""
        machine = self._machine
        found = machine.tools.config.classes.get(name)
        if found is not None and found not in machine.request.classes:
            machine.request.classes.append(found)

    def configured(self, option: OptionDef) -> bytes | None:
        """See expr.Sink; what is being worked out already is null to itself."""
        return self._evaluate((option.space, option.code))

    def execute(self, scopes: Sequence[Scope]) -> None:
        """Execute the statements of scopes in order."""
        for scope in scopes:
            self._machine.run(scope.statements)

    def _mine(self) -> _Template:
        if not self._own:
            self._template, self._own = self._template.copy(), True
            self.events = self._template.events
        return self._template

    def _evaluate(self, key: tuple[str, int]) -> bytes | None:
        pieces = self._template.options.get(key[0], {}).get(key[1])
        if pieces is None or key in self._busy:
            return None
        self._busy.add(key)
        try:
            out = b""
            for piece in pieces:
                value = piece if isinstance(piece, bytes) else self._machine.data(piece)
                if value is None:
                    return None
                out = out + value if out else value
                if len(out) > MAX_DATA:
                    return None
            return out
        finally:
            self._busy.discard(key)


class Resolver:
    """One configuration at work.

    lookup  addresses of a host name as octets, None when there are none; asked whenever the value of
            an option is a name
    """

    def __init__(self, config: Config, lookup: Callable[[str], bytes | None] | None = None) -> None:
        self.config = config
        self.tools = Tools(config, lookup)
        self._static: dict[int, bool] = {}
        self._templates: dict[tuple[int, ...], _Template] = {}

    def chain(
        self, where: Scope, classes: Sequence[ClassDecl] = (), host: HostDecl | None = None
    ) -> list[Scope]:
        """Return the scopes around a client, outermost first.

        where    pool, subnet, shared network, or the top
        classes  those the client is in; the first of them has the last word

        Blocks around a class or a host count only as far as they are not around *where* too.
        """
        scopes = where.chain()[::-1]
        limit = {id(scope) for scope in scopes}
        inner: list[Scope | None] = [*reversed(classes), host]
        for scope in inner:
            if scope is None:
                continue
            own: list[Scope] = []
            for one in scope.chain():
                if id(one) in limit:
                    break
                own.append(one)
            if isinstance(scope, HostDecl) and scope.group:
                group = self.config.groups.get(scope.group)
                if group is not None and group not in own:
                    own.insert(1, group)
            scopes += own[::-1]
        return scopes

    def resolve(
        self,
        chain: Sequence[Scope],
        request: Request,
        variables: dict[str, Value] | None = None,
    ) -> Settings:
        """Execute the statements of scopes, outermost first, for one packet.

        variables  those the client has; those of its lease unless given. They are copied
        """
        head = 0
        while head < len(chain) and self._is_static(chain[head]):
            head += 1
        if variables is None:
            variables = dict(request.lease.variables) if request.lease is not None else {}
        else:
            variables = dict(variables)
        settings = Settings(self._template(chain[:head]), self.tools, request, variables)
        if head < len(chain):
            settings.execute(chain[head:])
        return settings

    def run(
        self, statements: Sequence[Stmt], request: Request, variables: dict[str, Value]
    ) -> list[tuple[str, str]]:
        """Execute what is to be done at an event; change *variables*; return lines for the log."""
        log: list[tuple[str, str]] = []
        Machine(self.tools, request, None, variables, log).run(statements)
        return log

    def machine(self, request: Request, log: list[tuple[str, str]]) -> Machine:
        """Return what evaluates single expressions for a packet."""
        variables = dict(request.lease.variables) if request.lease is not None else {}
        return Machine(self.tools, request, None, variables, log)

    def answer(
        self,
        settings: Settings,
        request: Request,
        *,
        requested: bytes | None = None,
        terminate: bool = False,
    ) -> list[tuple[int, bytes]]:
        """Return the options of a reply, the most important first, without option 82.

        requested  option codes asked for, instead of those of the request
        terminate  put a NUL behind text, as the client does

        An option list of the configuration goes before the client's. Without any, everything that
        is set is sent.
        """
        wanted = settings.option(DHO_DHCP_PARAMETER_REQUEST_LIST)
        if not wanted:
            wanted = request.requested if requested is None else requested
        site = self._site(settings)
        vendor = self._vendor_space(settings)
        codes = self._order(settings, request, wanted, site)
        answer: list[tuple[int, bytes]] = []
        done: set[int] = set(_NEVER)
        for code in codes[:PRIORITY_COUNT]:
            if code in done or not 0 < code < DHO_END:
                continue
            done.add(code)
            value = self._value(settings, code, site, vendor)
            if not value:
                continue  # null, or nothing to say
            if terminate and self._is_text(code, site):
                value += b"\0"
            answer.append((code, value))
        return answer

    # -- inner parts

    def _is_static(self, scope: Scope) -> bool:
        key = id(scope)
        if key not in self._static:
            if scope.kind == "subclass":
                return all(stmt.op in _STATIC for stmt in scope.statements)  # they come and go
            self._static[key] = all(stmt.op in _STATIC for stmt in scope.statements)
        return self._static[key]

    def _template(self, scopes: Sequence[Scope]) -> _Template:
        # A scope without statements changes nothing, and those of spawned subclasses come and go.
        scopes = [scope for scope in scopes if scope.statements]
        key = tuple(id(scope) for scope in scopes)
        made = self._templates.get(key)
        if made is None:
            made = _Template()
            for scope in scopes:
                for stmt in scope.statements:
                    if stmt.op == "option":
                        made.set_option(*stmt.args)
                    elif stmt.op == "param":
                        made.params[stmt.args[0]] = stmt.args[1]
                    else:
                        made.events |= dict.fromkeys(stmt.args[0], stmt.args[1])
            if len(self._templates) >= MAX_TEMPLATES:
                self._templates.clear()
            self._templates[key] = made
        return made

    def _site(self, settings: Settings) -> tuple[Space, int] | None:
        """Return the space of the site's own options and the lowest code that is theirs."""
        name = settings.param("site-option-space")
        if not isinstance(name, str):
            return None
        space = self.config.spaces.get(name.lower())
        if space is None:
            return None
        own = [code for code in space.by_code if LEGACY_SITE_FIRST <= code < SITE_FIRST]
        return space, min(own, default=SITE_FIRST)

    def _vendor_space(self, settings: Settings) -> str:
        name = settings.param("vendor-option-space", "")
        return name.lower() if isinstance(name, str) else ""

    def _order(
        self,
        settings: Settings,
        request: Request,
        wanted: bytes | None,
        site: tuple[Space, int] | None,
    ) -> list[int]:
        codes = list(_FIRST)
        codes += [code for code in _TIMES if not wanted or code in wanted]
        if wanted:
            if DHO_SUBNET_SELECTION in settings.codes():
                codes.append(DHO_SUBNET_SELECTION)
            codes += wanted[: PRIORITY_COUNT - len(codes)]
            if DHO_FQDN in request.message.options:
                codes.append(DHO_FQDN)
            # Some clients rely on the mask without asking for it; routers may not come before it
            # (RFC 2132 3.3), so the two change places.
            codes.append(DHO_SUBNET_MASK)
            mask = codes.index(DHO_SUBNET_MASK)
            if DHO_ROUTERS in codes and (routers := codes.index(DHO_ROUTERS)) < mask:
                codes[routers], codes[mask] = DHO_SUBNET_MASK, DHO_ROUTERS
            return codes
        codes += _NEXT
        if site is not None:
            own, first = site
            codes += [code for code in _hash_order(settings.codes()) if code < first]
            codes += [code for code in _hash_order(settings.codes(own.name)) if code >= first]
        else:
            codes += _hash_order(settings.codes())
        space = self.config.spaces["dhcp"]
        codes += [one.code for one in space.by_code.values() if one.shape == "E" and one.inner]
        codes.append(DHO_VENDOR_ENCAPSULATED_OPTIONS)
        return codes

    def _value(
        self, settings: Settings, code: int, site: tuple[Space, int] | None, vendor: str
    ) -> bytes | None:
        if site is not None and code >= site[1]:
            return self._whole(settings, site[0].by_code.get(code), code, site[0].name, vendor, 0)
        option = self.config.spaces["dhcp"].by_code.get(code)
        return self._whole(settings, option, code, "dhcp", vendor, 0)

    def _whole(
        self,
        settings: Settings,
        option: OptionDef | None,
        code: int,
        space: str,
        vendor: str,
        depth: int,
    ) -> bytes | None:
        """Return the value of an option, or without one the options inside it; None for neither."""
        value = settings.option(code, space)
        if value:
            pointers = option is not None and option.shape == "D" and option.inner
            return _compressed(value) if pointers else value
        if option is None or option.shape != "E" or depth >= MAX_NESTING:
            return value
        inner = option.inner or (vendor if space == "dhcp" else "")
        found = self.config.spaces.get(inner)
        if found is None:
            return value
        if inner == "fqdn":
            return build_fqdn(settings.options(inner))
        rows: dict[int, bytes] = {}
        holders = [one.code for one in found.by_code.values() if one.shape == "E"]
        for number in dict.fromkeys(settings.codes(inner) + holders):
            holder = found.by_code.get(number)
            part = self._whole(settings, holder, number, inner, vendor, depth + 1)
            if part:
                rows[number] = part
        return encapsulate(found, rows)

    def _is_text(self, code: int, site: tuple[Space, int] | None) -> bool:
        space = site[0] if site is not None and code >= site[1] else self.config.spaces["dhcp"]
        option = space.by_code.get(code)
        return option is not None and option.shape.startswith("t")


def fit(message: Dhcp, limit: int) -> bytes:
    """Return the octets of a message of at most *limit*; options that find no room are left out.

    The options stand in order of importance; option 82 is kept even so (RFC 3046 2.2).
    """
    try:
        return message.build(limit=limit)
    except Malformed:
        kept = {
            code: value
            for code, value in message.options.items()
            if code in (DHO_DHCP_MESSAGE_TYPE, DHO_DHCP_SERVER_IDENTIFIER, DHO_DHCP_LEASE_TIME)
        }
    agent = message.options.get(DHO_DHCP_AGENT_OPTIONS)
    tail = {} if agent is None else {DHO_DHCP_AGENT_OPTIONS: agent}
    best = message._replace(options=kept).build()
    for code, value in message.options.items():
        if code in kept or code in tail:
            continue
        try:
            best = message._replace(options={**kept, code: value, **tail}).build(limit=limit)
        except Malformed:
            continue
        kept[code] = value
    return best


def _piece(value: object) -> Piece:
    if isinstance(value, Expr):
        if value.op == "const" and isinstance(value.args[0], bytes):
            return value.args[0]
        return value
    assert isinstance(value, bytes)
    return value


def _hash_order(codes: Sequence[int]) -> list[int]:
    """Return codes as the original's table of them is walked: by its 17 chains, newest first."""
    chains: list[list[int]] = [[] for _ in range(17)]
    for code in codes:
        chains[((code & 31) + (code >> 5 & 31)) % 17].insert(0, code)
    return [code for chain in chains for code in chain]


def _compressed(value: bytes | None) -> bytes | None:
    """Return a list of domain names with repeated ends as pointers (RFC 3397, RFC 1035 4.1.4)."""
    if not value:
        return value
    out = bytearray()
    ends: dict[tuple[bytes, ...], int] = {}
    at = 0
    while at < len(value):
        labels: list[bytes] = []
        while at < len(value) and value[at]:
            labels.append(value[at + 1 : at + 1 + value[at]])
            at += 1 + value[at]
        at += 1
        for index, label in enumerate(labels):
            tail = tuple(part.lower() for part in labels[index:])
            if tail in ends:
                out += (0xC000 | ends[tail]).to_bytes(2, "big")
                break
            if len(out) < 0x4000:
                ends[tail] = len(out)
            out += bytes((len(label),)) + label
        else:
            out.append(0)
    return bytes(out)
