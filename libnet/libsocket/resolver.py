"""The resolver of a box: names asked of its name servers, over its own UDP (RFC 1035 section 7).

Lookup is the core: told the time and fed datagrams, it says what to send where, and when it wants to
be called again. Resolver drives it with sockets of the stack, which is where a program waits.

A server that refuses, fails or cannot be reached is followed by the next one; when all were asked in
vain, none is asked again for a while, so that a table of many addresses does not wait for each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from libnet.addr import AF_INET, SockaddrIn
from libnet.conf.resolvconf import (
    DNS,
    MAX_TEXT,
    ResolvConf,
    candidates,
    order,
    parse_cs_resolve,
    parse_nsswitch,
    parse_resolv,
)
from libnet.errors import NetError
from libnet.libsocket.confstr import confstr
from libnet.libsocket.sock import SOCK_DGRAM, Socket
from libnet.wire import Malformed, Truncated
from libnet.wire.dns import (
    C_IN,
    NOERROR,
    NXDOMAIN,
    QR,
    T_A,
    T_CNAME,
    T_PTR,
    Message,
    query,
    reverse_name,
)

if TYPE_CHECKING:
    from libnet.libsocket.ctx import Ctx

PORT: Final = 53
DEAD_S: Final = 30.0  # for which servers that did not answer are left alone
MAX_CHAIN: Final = 8  # aliases followed
_DRAIN: Final = 16

FOUND: Final = "found"
NOT_FOUND: Final = "not found"
FAILED: Final = "failed"
_HOSTNAME: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


class Lookup:
    """One question, asked of one server after the other.

    ident   16 bits                       kind    T_A or T_PTR
    state   "" while it goes on, then FOUND, NOT_FOUND or FAILED
    addr    the address of a T_A, a host integer
    target  the name of a T_PTR

    Raises ValueError for a name that cannot be asked for.
    """

    def __init__(self, conf: ResolvConf, name: str, kind: int, ident: int) -> None:
        self.state = ""
        self.addr = 0
        self.target = ""
        self._conf, self._name, self._kind, self._ident = conf, name, kind, ident
        self._octets = query(ident, name, kind)
        self._turn = -1
        self._due = 0.0

    def start(self, now: float) -> None:
        """Ask the first server."""
        self._advance(now)

    @property
    def server(self) -> int:
        """The server to ask, and the only one to listen to."""
        return self._conf.servers[self._turn % len(self._conf.servers)]

    @property
    def octets(self) -> bytes:
        """The datagram to send."""
        return self._octets

    @property
    def turn(self) -> int:
        """How often a server was asked: a change means that it is time to send."""
        return self._turn

    def next_due(self) -> float:
        """Return when to call run() at the latest."""
        return self._due

    def run(self, now: float) -> None:
        """Ask the next server if this one took too long."""
        if not self.state and now >= self._due:
            self._advance(now)

    def unreachable(self, now: float) -> None:
        """Be told that the server cannot be reached."""
        if not self.state:
            self._advance(now)

    def _advance(self, now: float) -> None:
        count = len(self._conf.servers)
        self._turn += 1
        tries = self._turn // count if count else self._conf.attempts
        if tries >= self._conf.attempts:
            self.state = FAILED
            return
        # Twice as long in each round, shared among the servers of one that is not the first.
        wait = self._conf.timeout_s * (1 << tries)
        self._due = now + max(wait / count if tries else wait, 1.0)

    def input(self, octets: bytes, now: float) -> None:
        """Take a datagram of the server; what is no answer to this question is passed over."""
        if self.state:
            return
        try:
            message = Message.parse(octets)
        except (Truncated, Malformed):
            return
        if message.ident != self._ident or not message.flags & QR or len(message.questions) != 1:
            return
        asked = message.questions[0]
        if (asked.name.lower(), asked.type, asked.qclass) != (self._name.lower(), self._kind, C_IN):
            return
        if message.rcode == NXDOMAIN:
            self.state = NOT_FOUND
        elif message.rcode != NOERROR:
            self._advance(now)
        else:
            self._take(message)

    def _take(self, message: Message) -> None:
        """Find the answer, by way of aliases."""
        name = self._name.lower()
        for _ in range(MAX_CHAIN):
            alias = ""
            for record in message.answers:
                if record.name.lower() != name or record.rclass != C_IN:
                    continue
                if record.type == self._kind and self._answer(record.data, record.target):
                    self.state = FOUND
                    return
                if record.type == T_CNAME:
                    alias = record.target.lower()
            if not alias:
                break
            name = alias
        self.state = NOT_FOUND

    def _answer(self, data: bytes, target: str) -> bool:
        if self._kind == T_A:
            self.addr = int.from_bytes(data, "big")
            return len(data) == 4
        # What goes to a terminal and into tables has to look like a name.
        self.target = target
        return bool(target) and set(target) <= _HOSTNAME


class Resolver:
    """Asks the name servers of one box on behalf of one program."""

    def __init__(self, ctx: Ctx) -> None:
        self._ctx = ctx
        self._dead_until = 0.0
        self._names: dict[int, str | None] = {}

    def _text(self, path: str) -> str:
        try:
            with open(self._ctx.file(path), encoding="utf-8", errors="replace") as file:
                return file.read(MAX_TEXT)
        except OSError:
            return ""

    def conf(self) -> ResolvConf:
        """Return how to look names up now; the configuration string goes before the file."""
        said = confstr(self._ctx.box, "_CS_RESOLVE")
        conf = parse_cs_resolve(said) if said else parse_resolv(self._text("/etc/resolv.conf"))
        if not conf.search:
            domain = confstr(self._ctx.box, "_CS_DOMAIN")
            if domain:
                conf.search = (domain.strip("."),)
        return conf

    def sources(self, conf: ResolvConf) -> tuple[str, ...]:
        """Return FILES and DNS in the order in which to look."""
        sources = order(conf, parse_nsswitch(self._text("/etc/nsswitch.conf")))
        return sources if conf.servers else tuple(one for one in sources if one != DNS)

    def gethostbyname(self, name: str, conf: ResolvConf) -> int | None:
        """Return the address of a name, a host integer, or None."""
        for full in candidates(conf, name):
            found = self._ask(conf, full, T_A)
            if found is not None and found.state == FOUND:
                return found.addr
            if found is not None and found.state == FAILED:
                break  # another name would not be answered either
        return None

    def gethostbyaddr(self, addr: int, conf: ResolvConf) -> str | None:
        """Return the name of an address, or None; what was asked once is not asked again."""
        if addr == 0 or addr >> 24 == 127:
            return None
        if addr not in self._names:
            found = self._ask(conf, reverse_name(addr), T_PTR)
            if found is None:
                return None
            self._names[addr] = found.target if found.state == FOUND else None
        return self._names[addr]

    def _ask(self, conf: ResolvConf, name: str, kind: int) -> Lookup | None:
        """Put one question; None when it cannot be put, or nobody would answer."""
        if self._ctx.now() < self._dead_until:
            return None
        try:
            lookup = Lookup(conf, name, kind, self._ctx.host.dice.getrandbits(16))
        except ValueError:
            return None  # no name for a server: too long, or an empty label
        lookup.start(self._ctx.now())
        while not lookup.state:
            self._ask_server(lookup)
        if lookup.state == FAILED:
            self._dead_until = self._ctx.now() + DEAD_S
        return lookup

    def _ask_server(self, lookup: Lookup) -> None:
        """Ask the server whose turn it is until it answers or its time is over."""
        ctx, turn = self._ctx, lookup.turn
        try:
            sock = ctx.socket(AF_INET, SOCK_DGRAM)
        except NetError:
            lookup.unreachable(ctx.now())
            return
        with sock:
            try:
                # Connected, so that an ICMP error is told and strangers are not heard.
                sock.connect(SockaddrIn(lookup.server, PORT))
                sock.send(lookup.octets)
                while not lookup.state and lookup.turn == turn:
                    left = max(lookup.next_due() - ctx.now(), 0.0)
                    if ctx.wait((sock,), left):
                        for octets in _datagrams(sock):
                            lookup.input(octets, ctx.now())
                    lookup.run(ctx.now())
            except NetError:
                if lookup.turn == turn:
                    lookup.unreachable(ctx.now())


def _datagrams(sock: Socket) -> list[bytes]:
    """Return what the socket has. Raises NetError when the server cannot be reached."""
    got: list[bytes] = []
    for _ in range(_DRAIN):
        try:
            got.append(sock.recvfrom()[0])
        except NetError as exc:
            if exc.symbol not in ("EAGAIN", "EINTR") and not got:
                raise
            break
    return got
