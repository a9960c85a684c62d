"""dhcpd.conf(5): text to a Config. See the package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from libnet.addr import inet_ntoa
from libnet.conf.dhcpdconf.expression import Reader, Skip
from libnet.conf.dhcpdconf.lexer import EOF, NAME, NUMBER, STRING, Token
from libnet.conf.dhcpdconf.options import (
    OptionDef,
    Space,
    encode_domain,
    encode_number,
    standard_spaces,
)
from libnet.conf.dhcpdconf.tree import (
    ClassDecl,
    Config,
    Expr,
    HostDecl,
    Network,
    Permit,
    Pool,
    Range,
    Scope,
    Stmt,
    Subnet,
)

MAX_INCLUDES: Final = 16  # files inside files

# Parameters: T and n numbers of which T is a time, f flag, t data, I address or name, w a word,
# s a quoted string.
PARAMS: Final = {
    word: row.split()[-1]
    for row in """default-lease-time T|max-lease-time T|min-lease-time T|offer-lease-time T
dynamic-bootp-lease-length T|dynamic-bootp-lease-cutoff T|min-secs n
get-lease-hostnames f|use-host-decl-names f
one-lease-per-client f|use-lease-addr-for-default-route f|always-reply-rfc1048 f|always-broadcast f
ddns-updates f|update-optimization f|update-static-leases f|do-forward-updates f|ping-check f
stash-agent-options f|boot-unknown-clients f|ping-timeout T|ddns-ttl T|omapi-port n|local-port n
remote-port n|filename t|server-name t|next-server I|server-identifier I|local-address I
limited-broadcast-address I|ddns-domainname t|ddns-hostname t|ddns-rev-domainname t
lease-file-name s|pid-file-name s|ddns-update-style w|log-facility w|omapi-key w|site-option-space s
vendor-option-space w|abandon-lease-time T|server-id-check f|adaptive-lease-time-threshold n
max-ack-delay n|delayed-ack n|infinite-is-reserved f|ignore-client-uids f|echo-client-id f
update-conflict-detection f|db-time-format w|dhcp-cache-threshold n
check-secs-byte-order f|ping-cltt-secs T|dont-use-fsync f|fqdn-reply f
log-threshold-low n|log-threshold-high n
ddns-local-address4 I|ddns-guard-id-must-match f|ddns-other-guard-is-dynamic f|use-eui-64 f
release-on-roam f|local-address6 w|bind-local-address6 f|persist-eui-64-leases f
dynamic-bootp f|allow-bootp f|allow-booting f|duplicates f|declines f|client-updates f""".replace(
        "\n", "|"
    ).split("|")
    for word in (row.split()[0],)
}

_ALLOW: Final = {
    "unknown-clients": "boot-unknown-clients",
    "bootp": "allow-bootp",
    "booting": "allow-booting",
    "dynamic-bootp": "dynamic-bootp",
    "duplicates": "duplicates",
    "declines": "declines",
    "client-updates": "client-updates",
    "leasequery": "leasequery",
    "known-clients": "allow-known-clients",
}
_STYLES: Final = {
    "ddns-update-style": ("none", "ad-hoc", "interim", "standard"),
    "db-time-format": ("default", "local"),
    "log-facility": (
        *("kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron"),
        *("authpriv", "ftp"),
        *(f"local{n}" for n in range(8)),
    ),
}
_TRUE: Final = ("true", "on")
_FALSE: Final = ("false", "off")
_HTYPES: Final = {"ethernet": 1, "token-ring": 6, "fddi": 8, "infiniband": 32}
_CHANGE: Final = ("supersede", "default", "append", "prepend", "send")
_PEER_NUMBERS: Final = (
    *("port", "max-response-delay", "max-unacked-updates", "mclt", "split"),
    *("max-lease-misbalance", "max-lease-ownership", "min-balance", "max-balance"),
    *("auto-partner-down", "max-transmit-idle"),
)
_PLAIN: Final = ("option", "authoritative", "not", "no")
# Words of the language that begin no statement, where any other word is taken for a variable.
_RESERVED: Final = (
    *(
        "domain-name",
        "text",
        "string",
        "integer",
        "boolean",
        "array",
        "of",
        "elsif",
        "else",
        "case",
    ),
    *("netmask", "and", "or", "if", "code", "space", "width", "members", "clients", "peer"),
)
# Declarations behind which no parameters are looked for.
_DECLARES: Final = (
    *(
        "host",
        "group",
        "shared-network",
        "subnet",
        "class",
        "subclass",
        "vendor-class",
        "user-class",
    ),
    *("include", "key", "zone"),
)
_EVENTS: Final = ("commit", "release", "expiry", "transmission")


def parse(text: str, file: str, opener: Callable[[str], str] | None = None) -> Config:
    """Read a configuration.

    file    its name, for complaints
    opener  returns the text of an included file; raises OSError. Without it nothing is included

    Never raises; see Config.errors.
    """
    config = Config(standard_spaces())
    parser = Parser(text, file, config, opener)
    parser.file_body(config.top)
    return config


class Parser(Reader):
    """The declarations and statements of one file."""

    def __init__(
        self,
        text: str,
        file: str,
        config: Config,
        opener: Callable[[str], str] | None,
        level: int = 0,
    ) -> None:
        super().__init__(text, file, config)
        self._opener, self._level = opener, level
        self._executable = False  # the statement at hand is not a declaration
        self._declared = False  # there has been a declaration in the block at hand

    # -- blocks

    def file_body(self, scope: Scope) -> None:
        """Read statements up to the end of the file."""
        while True:
            token = self.lex.peek()
            if token.kind == EOF:
                return
            if token.word == "}":
                self.lex.next()
                self.warn("expecting a declaration")
                continue
            self._guarded(scope, scope.statements)

    def _guarded(self, scope: Scope, into: list[Stmt]) -> None:
        """Read one statement; after a complaint go on behind it."""
        try:
            self._statement(scope, into)
        except Skip as exc:
            if not exc.done:
                self._skip(scope.kind == "top")
            if self._executable and not exc.said:
                # The original comes back from such a statement with nothing, finds that odd, and
                # passes over the next one too.
                self.warn(self._odd())
                self._skip(scope.kind == "top")

    def _odd(self) -> str:
        """Return what is wrong with a word that begins nothing."""
        return f"expecting a {'' if self._declared else 'parameter or '}declaration"

    def _skip(self, top: bool) -> None:
        """Pass over what is left of a statement: to a semicolon, or over one block."""
        depth = 0
        while True:
            token = self.lex.peek()
            if token.kind == EOF:
                return
            if token.word == "}":
                if depth == 0 and not top:
                    return
                depth -= 1
                self.lex.next()
                if depth <= 0:
                    return
                continue
            self.lex.next()
            if token.word == "{":
                depth += 1
            elif token.word == ";" and depth == 0:
                return

    def _block(self, scope: Scope, into: list[Stmt]) -> None:
        """Read statements up to a brace; the opening one has been taken."""
        self.deeper()
        declared, self._declared = self._declared, False
        try:
            while True:
                token = self.lex.peek()
                if token.word == "}":
                    self.lex.next()
                    return
                if token.kind == EOF:
                    self.lex.next()
                    self.warn("unexpected end of file")
                    return
                self._guarded(scope, into)
        finally:
            self._declared = declared
            self.shallower()

    def _open(self, text: str = "expecting left brace.") -> None:
        if not self.taken("{"):
            self.lex.next()
            self.bad(text)

    # -- one statement

    def _statement(self, scope: Scope, into: list[Stmt]) -> None:
        token = self.lex.peek()
        word = token.word
        self._executable = False
        declare = getattr(self, "_d_" + word.replace("-", "_"), None)
        if token.kind == NAME and declare is not None:
            self.lex.next()
            try:
                declare(scope)
            finally:
                self._declared = self._declared or word in _DECLARES
            return
        if token.kind == NAME:
            perform = getattr(self, "_s_" + word.replace("-", "_"), None)
            if perform is not None:
                self.lex.next()
                self._executable = word not in _PLAIN
                perform(scope, into)
                return
            if word in PARAMS:
                self.lex.next()
                self._executable = True
                self._param(word, into)
                return
            if word in _CHANGE:
                self.lex.next()
                self._change(word, into)
                return
            if word in _RESERVED or self.is_operator(token):
                self.bad(self._odd())
            self.lex.next()
            if self.lex.peek().word == "(":
                self.lex.next()
                into.append(Stmt("eval", Expr("any", "call", token.text, self._arguments())))
                self.semi()
                return
            if self.taken(";"):  # a variable, looked at
                into.append(Stmt("eval", Expr("any", "variable", token.text)))
                return
            self.lex.next()
            self.bad("semicolon expected.")
        self.bad(self._odd())

    # -- declarations

    def _d_include(self, scope: Scope) -> None:
        name = self.string("filename string expected.")
        if self._level >= MAX_INCLUDES:
            self.bad("too many files included.")
        try:
            if self._opener is None:
                raise FileNotFoundError(2, "No such file or directory")
            text = self._opener(name)
        except OSError as exc:
            self.bad(f"Can't open {name}: {exc.strerror}")
        inner = Parser(text, name, self.config, self._opener, self._level + 1)
        inner.file_body(scope)
        self.semi()

    def _d_shared_network(self, scope: Scope) -> None:
        if scope.kind not in ("top", "group"):
            self.bad("shared-network parameters not allowed here.")
        token = self.lex.next()
        if token.kind == STRING:
            if not token.text:
                self.bad("zero-length shared network name")
            name = token.text
        elif token.kind in (NAME, NUMBER):
            name = token.text
            while self.taken("."):
                name += "." + self.lex.next().text
        else:
            self.bad("expecting a name for shared-network")
        self._open()
        network = Network(name, scope)
        self._block(network, network.statements)
        if not network.subnets:
            self.warn("empty shared-network decl")
            return
        self.config.networks.append(network)

    def _d_subnet(self, scope: Scope) -> None:
        if not isinstance(scope, Network) and scope.kind not in ("top", "group"):
            self.bad("subnet declarations not allowed here.")
        net = self.address("")
        self.expect("netmask", "Expecting netmask")
        mask = self.address("")
        if net & ~mask & 0xFFFFFFFF or (~mask & 0xFFFFFFFF) & ((~mask & 0xFFFFFFFF) + 1):
            text = f"subnet {inet_ntoa(net)} netmask {inet_ntoa(mask)}"
            self.bad(f"{text}: bad subnet number/mask combination.")
        name = f"{inet_ntoa(net)}/{mask.bit_count()}"
        network = scope if isinstance(scope, Network) else Network(inet_ntoa(net), scope)
        subnet = Subnet(net, mask, network, network, name)
        for other in self.config.subnets:
            common = min(mask, other.mask)
            if net & common == other.net & common:
                self.config.warnings.append(f"Warning: subnet {name} overlaps subnet {other.name}")
                break
        self._open()
        network.subnets.append(subnet)
        self.config.subnets.append(subnet)
        self._block(subnet, subnet.statements)
        if network is not scope:
            self.config.networks.append(network)

    def _d_group(self, scope: Scope) -> None:
        if scope.kind in ("host", "class", "subclass", "pool"):
            self.bad("group declarations not allowed here.")
        name = ""
        if self.lex.peek().word != "{":
            token = self.lex.next()
            if token.kind not in (NAME, STRING, NUMBER):
                self.bad("expecting string or identifier.")
            name = token.text
        self._open()
        group = Group(name, scope)
        if name:
            self.config.groups[name] = group
        self._block(group, group.statements)

    def _d_host(self, scope: Scope) -> None:
        if scope.kind in ("host", "class", "subclass", "pool"):
            self.bad("host declarations not allowed here.")
        if self.lex.peek().kind not in (NAME, NUMBER, STRING):
            self.bad("expecting a name for host declaration.")
        if self.lex.peek().kind == STRING:
            name = self.lex.next().text
        else:
            name = self.host_name("expecting a name for host declaration.")
        self._open()
        host = HostDecl(name, scope)
        self._block(host, host.statements)
        self.config.hosts.append(host)

    def _d_hardware(self, scope: Scope) -> None:
        if not isinstance(scope, HostDecl):
            self.bad("hardware address parameter not allowed here.")
        token = self.lex.next()
        kind = _HTYPES.get(token.word)
        if kind is None and token.word.startswith("unknown-"):
            digits = token.word[8:]
            kind = (
                int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 4 else None
            )
        if kind is None:
            self.bad("expecting a network hardware type")
        octets = self.octets(text="expecting numeric value.")
        if len(octets) > 16:
            self.bad("hardware address too long")
        if scope.hardware is not None:
            self.warn("Host hardware address already configured.")
        else:
            scope.hardware = (kind, octets)
        self.expect(";", "expecting semicolon.")

    def _d_fixed_address(self, scope: Scope) -> None:
        if not isinstance(scope, HostDecl):
            self.bad("fixed-address parameter not allowed here.")
        if scope.fixed:
            self.warn("Only one fixed address declaration per host.")
        while True:
            scope.fixed.append(self._address_or_name())
            if not self.taken(","):
                break
        self.semi()

    def _d_uid(self, scope: Scope) -> None:
        if not isinstance(scope, HostDecl):
            self.bad("uid parameter not allowed here.")
        token = self.lex.next()
        if token.kind == STRING:
            scope.uid = token.text.encode("latin-1", "replace")
        else:
            scope.uid = self.octets(token)
        self.semi()

    def _d_dynamic(self, scope: Scope) -> None:
        if not isinstance(scope, HostDecl):
            self.bad("expecting a parameter or declaration")
        scope.dynamic = True
        self.semi()

    def _d_deleted(self, scope: Scope) -> None:
        if not isinstance(scope, HostDecl):
            self.bad("expecting a parameter or declaration")
        scope.deleted = True
        self.semi()

    def _d_pool(self, scope: Scope) -> None:
        if not isinstance(scope, (Subnet, Network)):
            self.bad("pool declared outside of network")
        self._open()
        pool = Pool(scope)
        network = scope.network if isinstance(scope, Subnet) else scope
        network.pools.append(pool)
        self._block(pool, pool.statements)
        if not any(one.pool is pool for one in network.ranges):
            self.warn("Pool declaration with no address range.")

    def _d_range(self, scope: Scope) -> None:
        if not isinstance(scope, (Subnet, Pool)):
            self.bad("range declaration not allowed here.")
        holder: Scope | None = scope
        while not isinstance(holder, (Subnet, Network)):
            assert holder is not None
            holder = holder.outer
        bootp = self.taken("dynamic-bootp")
        first = self.address("")
        last = first if self.lex.peek().word == ";" else self.address("")
        if last < first:
            first, last = last, first
        network = holder.network if isinstance(holder, Subnet) else holder
        subnets = [holder] if isinstance(holder, Subnet) else network.subnets
        subnet = next((one for one in subnets if one.has(first)), None)
        if subnet is None or not subnet.has(last):
            wrong = last if subnet is not None else first
            near = subnet or subnets[0] if subnets else None
            if near is None or (isinstance(holder, Network) and subnet is None):
                self.bad(f"address range not on network {network.name}")
            self.warn(f"address range not on network {network.name}")
            self.config.fatal = self.config.fatal or (
                f"bad range, address {inet_ntoa(wrong)} not in subnet {inet_ntoa(near.net)}"
                f" netmask {inet_ntoa(near.mask)}"
            )
            self.semi()
            return
        network.ranges.append(Range(first, last, bootp, subnet, scope))
        self.semi()

    def _d_class(self, scope: Scope) -> None:
        if scope.kind in ("host", "class", "subclass", "pool"):
            self.bad("class declarations not allowed here.")
        token = self.lex.next()
        if token.kind != STRING:
            self.bad("Expecting class name")
        known = self.config.classes.get(token.text)
        self._open()
        found = known or ClassDecl(token.text, self.config.top)
        self.config.classes[token.text] = found
        self._block(found, found.statements)

    def _d_subclass(self, scope: Scope) -> None:
        if scope.kind in ("host", "class", "subclass", "pool"):
            self.bad("class declarations not allowed here.")
        name = self.string("Expecting class name")
        found = self.config.classes.get(name)
        if found is None:
            self.bad(f"no class named {name}")
        token = self.lex.next()
        if token.kind == STRING:
            value = token.text.encode("latin-1", "replace")
        elif token.kind in (NAME, NUMBER):
            value = self.octets(token)
        else:
            self.bad("Expecting string or hex list.")
        inner = ClassDecl(name, found)
        inner.kind, inner.value = "subclass", value
        found.subclasses[value] = inner
        if self.taken(";"):
            return
        self._open()
        self._block(inner, inner.statements)

    _d_vendor_class = _d_class
    _d_user_class = _d_class

    def _d_match(self, scope: Scope) -> None:
        if not isinstance(scope, ClassDecl):
            self.bad("expecting a parameter or declaration")
        if self.taken("if"):
            scope.match_if = self.boolean("expecting boolean expr.", said=True)
        else:
            scope.match = self.data("expecting data expr.")
        self.semi()

    def _d_spawn(self, scope: Scope) -> None:
        if not isinstance(scope, ClassDecl):
            self.bad("expecting a parameter or declaration")
        self.expect("with", "expecting with after spawn")
        scope.match = self.data("expecting data expr.")
        scope.spawn = True
        self.semi()

    def _d_lease(self, scope: Scope) -> None:
        if not isinstance(scope, ClassDecl):
            self.bad("expecting a parameter or declaration")
        self.expect("limit", 'expecting "limit"')
        scope.limit = self.number("expecting a number")
        self.semi()

    def _d_failover(self, scope: Scope) -> None:
        self.expect("peer", 'expecting "peer"')
        token = self.lex.next()
        if token.kind not in (STRING, NAME):
            self.bad("expecting a peer name")
        if isinstance(scope, Pool):
            self._use_peer(token)
            return
        if scope.kind not in ("top", "group", "shared-network"):
            self.bad("failover peers may not be defined here.")
        self.taken("state")
        self._open()
        self.config.peers.append(token.text)
        while not self.taken("}"):
            if self.lex.peek().kind == EOF:
                self.bad("unexpected end of file")
            self._peer_line()

    def _use_peer(self, token: Token) -> None:
        if token.text not in self.config.peers:
            self.bad(f"no such failover peer: {token.text}")
        self.semi()

    def _peer_line(self) -> None:
        token = self.lex.next()
        word = token.word
        if word in ("primary", "secondary"):
            self.semi()
            return
        if word == "peer":
            word = self.lex.next().word
        if word == "address":
            self._address_or_name()
        elif word in _PEER_NUMBERS:
            self.number("expecting number")
        elif word == "hba":
            if len(self.octets()) != 32:
                self.bad("HBA must be exactly 32 bytes.")
        elif word == "load":
            self.expect("balance", "expecting 'balance'")
            self.expect("max", "expecting 'max'")
            self.expect("seconds", "expecting 'secs'")
            self.number("expecting number")
        else:
            self.bad("invalid statement in peer declaration")
        self.semi()

    def _d_key(self, scope: Scope) -> None:
        if scope.kind != "top":
            self.bad("key declarations not allowed here.")
        token = self.lex.peek()
        name = (
            self.lex.next().text if token.kind == STRING else self.host_name("expecting key name.")
        )
        self._open()
        rows = self.config.keys[name] = {}
        while not self.taken("}"):
            word = self.lex.next().word
            if word == "algorithm":
                rows[word] = self.host_name("expecting key algorithm name.")
            elif word == "secret":
                if self.lex.peek().kind == STRING:
                    rows[word] = self.lex.next().text
                else:
                    rows[word] = self._base64()
            else:
                self.bad("unknown key statement" if word else "unexpected end of file")
            self.semi()
        self.taken(";")

    def _base64(self) -> str:
        out = ""
        while self.lex.peek().word != ";" and self.lex.peek().kind != EOF:
            token = self.lex.next()
            if token.kind == STRING or not (token.word.isalnum() or token.word in "+/="):
                self.bad("expecting base64-encoded data.")
            out += token.text
        if not out:
            self.bad("expecting base64-encoded data.")
        return out

    def _d_zone(self, scope: Scope) -> None:
        if scope.kind != "top":
            self.bad("zone declarations not allowed here.")
        token = self.lex.peek()
        name = (
            self.lex.next().text if token.kind == STRING else self.host_name("expecting hostname.")
        )
        self._open()
        rows = self.config.zones[name] = {}
        while not self.taken("}"):
            word = self.lex.next().word
            if word in ("primary", "secondary", "primary6", "secondary6"):
                value = self._address_or_name()
                rows[word] = inet_ntoa(value) if isinstance(value, int) else value
            elif word == "key":
                string = self.lex.peek().kind == STRING
                rows[word] = (
                    self.lex.next().text if string else self.host_name("expecting key name.")
                )
                if rows[word] not in self.config.keys:
                    self.bad(f"unknown key {rows[word]}")
            else:
                self.bad(
                    "expecting primary, secondary or key." if word else "unexpected end of file"
                )
            self.semi()
        self.taken(";")

    # -- permits and flags

    def _allow(self, how: str, scope: Scope, into: list[Stmt]) -> None:
        if isinstance(scope, Pool) and self._permit(how == "allow", scope):
            return
        token = self.lex.next()
        word = token.word
        if word in ("unknown", "known", "dynamic") and self.lex.peek().kind == NAME:
            second = self.lex.next().word
            if word == "dynamic" and second == "bootp":
                word = "dynamic-bootp"
                self.taken("clients")
            else:
                word = f"{word}-{second}"
        key = _ALLOW.get(word)
        if key is None:
            self.bad("expecting allow/deny key")
        into.append(Stmt("param", key, how if how != "allow" else True))
        if how == "deny":
            into[-1] = Stmt("param", key, False)
        self.semi()

    def _permit(self, allow: bool, pool: Pool) -> bool:
        token = self.lex.peek()
        word = token.word
        if word in ("bootp", "booting", "duplicates", "declines", "client-updates"):
            return False
        self.lex.next()
        name = ""
        if word in ("unknown-clients", "known-clients"):
            what = word
        elif word in ("unknown", "known", "authenticated", "unauthenticated", "all"):
            self.expect("clients", 'expecting "clients"')
            what = f"{word}-clients"
        elif word == "dynamic":
            self.expect("bootp", 'expecting "bootp"')
            self.expect("clients", 'expecting "clients"')
            what = "dynamic-bootp-clients"
        elif word == "members":
            self.expect("of", 'expecting "of"')
            name = self.string("expecting class name.")
            if name not in self.config.classes:
                self.warn(f"no such class: {name}")
            what = "members"
        elif word == "after":
            self.bad("permits that begin at a date are not supported.")
        else:
            self.bad("expecting permit type.")
        pool.permits.append(Permit(allow, what, name))
        self.semi()
        return True

    def _s_allow(self, scope: Scope, into: list[Stmt]) -> None:
        self._allow("allow", scope, into)

    def _s_deny(self, scope: Scope, into: list[Stmt]) -> None:
        self._allow("deny", scope, into)

    def _s_ignore(self, scope: Scope, into: list[Stmt]) -> None:
        self._allow("ignore", scope, into)

    def _s_authoritative(self, scope: Scope, into: list[Stmt]) -> None:
        self._authority(True, scope, into)

    def _s_not(self, scope: Scope, into: list[Stmt]) -> None:
        self.expect("authoritative", "expecting assertion")
        self._authority(False, scope, into)

    def _authority(self, value: bool, scope: Scope, into: list[Stmt]) -> None:
        if scope.kind == "host":
            self.warn("authority makes no sense here.")
        into.append(Stmt("param", "authoritative", value))
        self.semi()

    def _s_no(self, scope: Scope, into: list[Stmt]) -> None:
        if not isinstance(scope, Pool):
            self.bad("expecting a parameter or declaration")
        self.expect("failover", 'expecting "failover"')
        self.taken("peer")
        self.semi()

    # -- parameters

    def _param(self, name: str, into: list[Stmt]) -> None:
        kind = PARAMS[name]
        value: object
        if self.taken("="):
            value = self.expression(self._odd(), said=True)
            if value.kind == "bool":
                self.bad("Expecting a data expression.")
        elif kind in ("T", "n"):
            token = self.lex.peek()
            if token.word == ";":  # taken for the value; it is the next word that is complained of
                self.lex.next()
                self.semi()
                return
            if kind == "T" and self.taken("infinite"):
                value = 0xFFFFFFFF
            elif token.kind == NAME and self.is_operator(token):
                self.lex.next()
                self.bad("expecting number.")
            else:
                value = self.number()
            if not 0 <= value <= 0xFFFFFFFF:
                self.bad(f"{value} exceeds max (4294967295) for precision.")
        elif kind == "f":
            value = self._flag()
        elif kind == "t":
            value = self._text()
        elif kind == "I":
            value = self._address_data()
        elif kind == "s":
            value = self.string("expecting a string.")
        else:
            token = self.lex.next()
            if token.word == ";":
                if self.lex.peek().word != ";":
                    self.bad("semicolon expected.")
                self.lex.next()
                return
            if token.kind not in (NAME, STRING, NUMBER):
                self.bad("expecting identifier.")
            value = token.word if token.kind == NAME else token.text
            if name in _STYLES and value not in _STYLES[name]:
                self.bad("unknown value")
            if self.lex.peek().word != ";":
                self.bad("semicolon expected.")  # of an enumeration's word, not of what follows
        if name == "server-identifier":
            option = self.config.find_option("dhcp", "dhcp-server-identifier")
            into.append(Stmt("option", "=", option, value))
        else:
            into.append(Stmt("param", name, value))
        self.semi()

    def _flag(self) -> bool:
        token = self.lex.next()
        if token.word not in (*_TRUE, *_FALSE, "ignore"):
            self.bad("expecting boolean.")
        return token.word in _TRUE

    def _address_or_name(self) -> int | str:
        token = self.lex.peek()
        if token.kind == NUMBER and token.text.isdigit():
            return self.address()
        if token.kind == NAME:
            return self.host_name("expecting IP address or hostname")
        self.lex.next()
        number = ord(token.text) if len(token.text) == 1 else 262
        self.bad(f"{token.text or 'end of file'} ({number}): expecting IP address or hostname")

    def _address_data(self) -> Expr:
        value = self._address_or_name()
        if isinstance(value, int):
            return Expr("data", "const", value.to_bytes(4, "big"))
        return Expr("data", "host", value)

    # -- options

    def _s_option(self, scope: Scope, into: list[Stmt]) -> None:
        if self.lex.peek().word == "space":
            self.lex.next()
            self._space(scope)
            return
        first = self.lex.next()
        if first.kind != NAME:
            self.bad("expecting identifier after option keyword.")
        space, name, at = "dhcp", first.text, first
        if self.taken("."):
            at = self.lex.next()
            if at.kind not in (NAME, NUMBER):
                self.bad("expecting identifier after '.'")
            space, name = first.text.lower(), at.text
        follows = self.lex.peek()
        if space == "server":  # a parameter, as some write it
            if name.lower() not in PARAMS:
                self.bad(f"no option named {name} in space {space}", at)
            self._param(name.lower(), into)
            return
        if space not in self.config.spaces:
            self.bad(f"no option space named {space}.", at)
        if follows.word == "code":
            self.lex.next()
            self._define(self.config.spaces[space], name, scope)
            return
        option = self.config.spaces[space].find(name)
        if option is None:
            self.bad(f"unknown option {first.text if at is not first else space}.{name}", at)
        self._option_value("=", option, into)
        if isinstance(scope, HostDecl) and option.full_name() == "dhcp-client-identifier":
            stmt = into.pop()  # tells who the client is, not what it is told
            if stmt.args[2].op != "const":
                self.bad("expecting string or hexadecimal data.")
            scope.uid = stmt.args[2].args[0]

    def _change(self, how: str, into: list[Stmt]) -> None:
        self.taken("option")
        self._option_value(how, self.option_name(), into)

    def _option_value(self, how: str, option: OptionDef, into: list[Stmt]) -> None:
        if self.taken("="):
            value = self.data(self._odd())
        elif self.lex.peek().word == ";":  # taken for the value; what follows is complained of
            self.lex.next()
            self.semi()
            return
        else:
            value = self._values(option)
        into.append(Stmt("option", how, option, value))
        self.semi()

    def _space(self, scope: Scope) -> None:
        if scope.kind not in ("top", "group"):
            self.bad("option space definitions may not be scoped.")
        name = self.name("expecting identifier.").lower()
        if name in self.config.spaces:
            self.bad(f"option space {name} already exists.")
        widths = {"code": 1, "length": 1}
        while self.lex.peek().word in ("code", "length", "hash"):
            word = self.lex.next().word
            self.expect("size" if word == "hash" else "width", "expecting width.")
            value = self.number("expecting number.")
            if word == "code" and value not in (1, 2, 4):
                self.bad("invalid code width, must be 1, 2 or 4.")
            if word == "length" and value not in (0, 1, 2):
                self.bad("invalid length width, must be 1 or 2.")
            if word != "hash":
                widths[word] = value
        self.config.spaces[name] = Space(name, widths["code"], widths["length"])
        self.semi()

    def _define(self, space: Space, name: str, scope: Scope) -> None:
        if scope.kind not in ("top", "group"):
            self.bad("option definitions may not be scoped.")
        code = self.number("expecting option code number.")
        if not 0 <= code < 256**space.code_width:
            self.bad(f"code {code} too large for space {space.name}.")
        self.expect("=", 'expecting "="')
        shape, inner = self._shape()
        space.define(name, code, shape, inner)
        self.semi()

    def _shape(self) -> tuple[str, str]:
        array = False
        if self.taken("array"):
            self.expect("of", 'expecting "of".')
            array = True
        if self.taken("{"):
            shape = ""
            while True:
                repeat = False
                if self.taken("array"):
                    self.expect("of", 'expecting "of".')
                    repeat = True
                letter, _ = self._base(record=True)
                shape += letter
                if repeat:
                    shape += "a"
                    self.expect("}", "no fields may follow an array.")
                    break
                if self.taken("}"):
                    break
                self.expect(",", "expecting comma or right brace.")
            return (shape + "A" if array and not shape.endswith("a") else shape), ""
        letter, inner = self._base(record=array)
        return (letter + "A" if array else letter), inner

    def _base(self, *, record: bool) -> tuple[str, str]:
        token = self.lex.next()
        word = token.word
        if word in ("unsigned", "signed"):
            self.expect("integer", 'expecting "integer" keyword.')
            return self._integer(signed=word == "signed"), ""
        if word == "integer":
            return self._integer(signed=False), ""
        if word == "encapsulate":
            name = self.name("expecting option space identifier").lower()
            if record:
                self.bad("arrays of encapsulations don't make sense.")
            if name not in self.config.spaces:
                self.bad(f"unknown option space {name}")
            return "E", name
        letter = {
            "boolean": "f",
            "ip-address": "I",
            "text": "t",
            "string": "X",
            "domain-name": "d",
            "domain-list": "D",
        }.get(word)
        if letter is None:
            self.bad("unknown data type " + token.text)
        if word == "domain-list" and self.taken("compressed"):
            return letter, "compressed"
        return letter, ""

    def _integer(self, *, signed: bool) -> str:
        bits = self.number("expecting numeric value.")
        letter = {8: "b", 16: "s", 32: "l"}.get(bits)
        if letter is None:
            self.bad(f"{bits} bit precision is not supported.")
        return letter if signed else letter.upper()

    def _values(self, option: OptionDef) -> Expr:
        """Read the values of an option by its shape."""
        shape = option.shape
        parts: list[Expr] = []
        repeat = shape[-1:] if shape[-1:] in ("A", "a") else ""
        letters = shape[:-1] if repeat else shape
        while True:
            for index, letter in enumerate(letters):
                if index:
                    self.taken(",")  # between the fields of a record a comma may stand
                parts.append(self._one(letter))
            if not repeat or not self.taken(","):
                break
            if repeat == "a":
                letters = letters[-1]
        if len(parts) == 1:
            return parts[0]
        if all(part.op == "const" for part in parts):
            return Expr("data", "const", b"".join(part.args[0] for part in parts))
        return Expr("data", "concat", *parts)

    def _one(self, letter: str) -> Expr:
        if letter == "I":
            return self._address_data()
        if letter == "t":
            return self._text()
        if letter == "f":
            token = self.lex.next()
            if token.word not in _TRUE and token.word not in _FALSE:
                self.bad("expecting boolean.")
            return Expr("data", "const", bytes((token.word in _TRUE,)))
        if letter in "BSLbsl":
            value = self.number()
            octets = encode_number(letter, value)
            if octets is None:
                top = {"b": 255, "s": 65535, "l": 4294967295}[letter.lower()]
                self.bad(f"{value} exceeds max ({top}) for precision.")
            return Expr("data", "const", octets)
        if letter == "d":
            return self._domain()
        if letter == "D":
            parts = [self._domain()]
            while self.taken(","):
                parts.append(self._domain())
            return Expr("data", "const", b"".join(part.args[0] for part in parts))
        return self._free()

    def _text(self) -> Expr:
        token = self.lex.next()
        if token.kind == STRING:
            return Expr("data", "const", token.text.encode("latin-1", "replace"))
        if token.kind not in (NAME, NUMBER):
            self.bad("expecting string.")
        if self.lex.peek().word == ":":
            return Expr("data", "const", self.octets(token))
        return Expr("data", "const", token.text.encode("latin-1", "replace"))

    def _domain(self) -> Expr:
        token = self.lex.peek()
        name = (
            self.lex.next().text
            if token.kind == STRING
            else self.host_name("not a valid domain name.")
        )
        octets = encode_domain(name)
        if octets is None:
            self.bad("not a valid domain name.")
        return Expr("data", "const", octets)

    def _free(self) -> Expr:
        """Read a string or a list of octets, or a word that names nothing but itself."""
        token = self.lex.next()
        if token.kind == STRING:
            return Expr("data", "const", token.text.encode("latin-1", "replace"))
        if token.kind not in (NAME, NUMBER):
            self.bad("expecting string or hexadecimal data.")
        return Expr("data", "const", self.octets(token))

    # -- executable statements

    def _body(self, scope: Scope, missing: str = "left brace expected.") -> list[Stmt]:
        """Read the block of an `if` or of an event: statements, no declarations."""
        self.expect("{", missing, said=True)
        body: list[Stmt] = []
        self.deeper()
        try:
            while not self.taken("}"):
                self._inner(scope, body)
        finally:
            self.shallower()
        return body

    def _inner(self, scope: Scope, into: list[Stmt]) -> None:
        """Read one statement of such a block; a mistake in it ends the block and what it belongs to."""
        token = self.lex.peek()
        if token.kind != NAME or hasattr(self, "_d_" + token.word.replace("-", "_")):
            self.lex.next()
            self.bad("right brace expected.")
        executable = self._executable
        try:
            self._statement(scope, into)
        except Skip as exc:
            if not exc.done:
                self._skip(top=False)
            if exc.said:
                self._close()
                raise Skip(said=True, done=True) from None
            if self.lex.peek().word != "}":
                self.lex.next()
                self.bad("right brace expected.")
        finally:
            self._executable = executable

    def _close(self) -> None:
        """Pass over what is left of a block."""
        while self.lex.peek().kind != EOF and not self.taken("}"):
            self.lex.next()

    def _s_if(self, scope: Scope, into: list[Stmt]) -> None:
        branches: list[tuple[Expr | None, list[Stmt]]] = [(self._test(), self._body(scope))]
        while True:
            if self.taken("elsif"):
                branches.append((self._test(), self._body(scope)))
            elif self.taken("else"):
                if self.taken("if"):
                    branches.append((self._test(), self._body(scope)))
                    continue
                branches.append((None, self._body(scope, "left brace or if expected.")))
                break
            else:
                break
        into.append(Stmt("if", branches))

    def _test(self) -> Expr:
        try:
            return self.boolean()
        except Skip as exc:
            raise Skip(done=exc.done) from None

    def _s_switch(self, scope: Scope, into: list[Stmt]) -> None:
        self.expect("(", "expecting left brace.", said=True)
        what = self.expression("expecting data or numeric expression.", said=True)
        self.expect(")", "right paren expected.", said=True)
        self.expect("{", "left brace expected.", said=True)
        branches: list[tuple[Expr | None, list[Stmt]]] = []
        self.deeper()
        try:
            while not self.taken("}"):
                self._case(scope, branches, numeric=what.kind == "number")
        except Skip as exc:
            if not exc.said:
                raise
            if not exc.done:
                self._skip(top=False)
                self._close()
            raise Skip(said=True, done=True) from None
        finally:
            self.shallower()
        into.append(Stmt("switch", what, branches))

    def _case(
        self, scope: Scope, branches: list[tuple[Expr | None, list[Stmt]]], *, numeric: bool
    ) -> None:
        token = self.lex.peek()
        if token.word == "case":
            self.lex.next()
            if numeric and self.lex.peek().kind == NUMBER:  # `2:` begins no list of octets here
                label = Expr("number", "const", self.value_of(self.lex.next()))
            else:
                label = self.expression("expecting data expression.", said=True)
            self.expect(":", "colon expected.", said=True)
            branches.append((label, []))
        elif token.word == "default":
            self.lex.next()
            self.expect(":", "colon expected.")
            branches.append((None, []))
        elif token.kind == EOF:
            self.bad("unexpected end of file")
        elif not branches:
            self.lex.next()
            self.bad("right brace expected.")
        else:
            self._inner(scope, branches[-1][1])

    def _s_break(self, _scope: Scope, into: list[Stmt]) -> None:
        into.append(Stmt("break"))
        self.semi()

    def _s_on(self, scope: Scope, into: list[Stmt]) -> None:
        events: list[str] = []
        while True:
            word = self.lex.next().word
            if word not in _EVENTS:
                self.bad("expecting a lease event type", said=True)
            events.append(word)
            if not self.taken("or"):
                break
        into.append(Stmt("on", tuple(events), self._body(scope)))

    def _s_set(self, _scope: Scope, into: list[Stmt]) -> None:
        name = self.variable()
        self.expect("=", "expecting '=' in set statement.", said=True)
        into.append(Stmt("set", name, self.expression()))
        self.semi()

    def _s_define(self, scope: Scope, into: list[Stmt]) -> None:
        name = self.variable()
        if self.taken("="):
            into.append(Stmt("set", name, self.expression()))
            self.semi()
            return
        self.expect("(", "expecting '=' in define statement.")
        names: list[str] = []
        if not self.taken(")"):
            while True:
                names.append(self.name("expecting argument name"))
                if self.taken(")"):
                    break
                self.expect(",", "expecting comma in argument list.")
        self.config.functions[name] = (names, self._body(scope))

    def _s_unset(self, _scope: Scope, into: list[Stmt]) -> None:
        into.append(Stmt("unset", self.variable()))
        self.semi()

    def _s_log(self, _scope: Scope, into: list[Stmt]) -> None:
        self.expect("(", "left parenthesis expected.", said=True)
        priority = "info"
        if self.lex.peek().word in ("fatal", "error", "info", "debug"):
            priority = self.lex.next().word
            self.expect(",", "comma expected.", said=True)
        what = self.expression("expecting data expression.", said=True)
        if what.kind == "bool":
            self.bad("Expecting a data expression.", said=True)
        self.expect(")", "right parenthesis expected.", said=True)
        into.append(Stmt("log", priority, what))
        self.semi()

    def _s_add(self, _scope: Scope, into: list[Stmt]) -> None:
        token = self.lex.next()
        if token.kind != STRING:
            self.bad("expecting class name.", said=True)
        name = token.text
        if name not in self.config.classes:
            self.bad(f"class {name}: not found", said=True)
        into.append(Stmt("add", name))
        self.semi()

    def _s_return(self, _scope: Scope, into: list[Stmt]) -> None:
        into.append(Stmt("return", self.expression("expecting data expression.")))
        self.semi()

    def _s_eval(self, _scope: Scope, into: list[Stmt]) -> None:
        into.append(Stmt("eval", self.expression("expecting data expression.")))
        self.semi()

    def _s_execute(self, _scope: Scope, _into: list[Stmt]) -> None:
        self.expect("(", "left parenthesis expected.")
        self._arguments()
        self.bad("execute() is not supported: no program is run for a lease.")


class Group(Scope):
    """A group, named or not."""

    __slots__ = ()

    def __init__(self, name: str, outer: Scope) -> None:
        super().__init__("group", name, outer)
