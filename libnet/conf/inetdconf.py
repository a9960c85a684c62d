"""inetd.conf(5): a service a line.

    [address:]service  socktype  protocol[,sndbuf=N][,rcvbuf=N]  wait|nowait[:max]  user[:group]
    server [argument ...]

A line that begins with a blank goes on with the one before. `address:` alone is the address of the
lines that follow. `tcpmux/NAME` and `tcpmux/+NAME` are services behind tcpmux (RFC 1078). The server
`internal` is a service of the daemon itself.
"""

from __future__ import annotations

from typing import Final

from libnet.record import Struct

MAX_TEXT: Final = 1 << 20
MAXARGV: Final = 20
TOOMANY: Final = 40

STREAM: Final = "stream"
DGRAM: Final = "dgram"
SOCKTYPES: Final = (STREAM, DGRAM, "rdm", "seqpacket", "raw")
INTERNAL: Final = "internal"
# Services of the daemon itself, and whether one of them may last.
BUILTINS: Final[dict[tuple[str, str], bool]] = {
    ("echo", STREAM): True,
    ("echo", DGRAM): False,
    ("discard", STREAM): True,
    ("discard", DGRAM): False,
    ("time", STREAM): False,
    ("time", DGRAM): False,
    ("daytime", STREAM): False,
    ("daytime", DGRAM): False,
    ("chargen", STREAM): True,
    ("chargen", DGRAM): False,
    ("tcpmux", STREAM): True,
}


class BadConfig(ValueError):
    """A line lacks a field; the original ends at once. The message is "FILE: syntax error"."""


class Service(Struct):
    """One service.

    host      address to listen on, "*" for any      name    of the service, or a port
    socktype  STREAM, DGRAM or what else stood there  proto   "tcp", "udp4", "unix", …
    wait      whether the server gets the socket that listens
    limit     servers started in a minute, at most   user, group  "" for no group
    server    its path, or INTERNAL                  argv    its words, its name first
    mux       0, 1 behind tcpmux, 2 behind it and told "+Go"
    sndbuf, rcvbuf  octets, 0 for the stack's choice
    """

    host: str
    name: str
    socktype: str
    proto: str
    wait: bool = False
    limit: int = TOOMANY
    user: str = ""
    group: str = ""
    server: str = INTERNAL
    argv: tuple[str, ...] = ()
    mux: int = 0
    sndbuf: int = 0
    rcvbuf: int = 0

    @property
    def internal(self) -> bool:
        """Whether the daemon itself serves."""
        return self.server == INTERNAL

    @property
    def label(self) -> str:
        """The name that messages have."""
        return f"{self.name}/{self.proto}"


class _Bad(ValueError):
    """A line that is told and left out."""


def parse(text: str, name: str) -> tuple[list[Service], list[str]]:
    """Return the services of a file and what is wrong with other lines. Raises BadConfig.

    name  of the file, for messages
    """
    services: list[Service] = []
    problems: list[str] = []
    default = "*"
    for line in _lines(text[:MAX_TEXT]):
        words = split(line)
        if not words:
            continue
        host, word = default, words[0]
        if ":" in word:
            host, _, word = word.rpartition(":")
            host = host.removeprefix("[").removesuffix("]")
            words[0] = word
            if not word:
                words = words[1:]
                if not words:
                    default = host
                    continue
        try:
            services.append(_service(host, words, name))
        except _Bad as exc:
            problems.append(str(exc))
    return services, problems


def _lines(text: str) -> list[str]:
    """Return the lines without comments, those that begin with a blank joined to the one before."""
    joined: list[str] = []
    for line in text.split("\n"):
        if line.startswith("#") or not line.strip(" \t\r"):
            continue
        if line[0] in " \t" and joined:
            joined[-1] += " " + line
        else:
            joined.append(line)
    return joined


def split(line: str) -> list[str]:
    """Return the words of a line; blanks in quotes belong to the word.

    >>> split("a  'b c'd")
    ['a', 'b cd']
    """
    words: list[str] = []
    current: str | None = None
    quote = ""
    for char in line.rstrip("\r"):
        if quote:
            if char == quote:
                quote = ""
            else:
                current = (current or "") + char
        elif char in "'\"":
            quote = char
            current = current or ""
        elif char in " \t":
            if current is not None:
                words.append(current)
            current = None
        else:
            current = (current or "") + char
    if current is not None:
        words.append(current)
    return words


def _service(host: str, words: list[str], name: str) -> Service:
    if len(words) < 6:
        raise BadConfig(f"{name}: syntax error")
    service, socktype, proto, wait, user, server, *argv = words
    made = Service(host, service, socktype, proto)
    made.server, made.argv = server, tuple(argv[:MAXARGV])
    if service.startswith("tcpmux/"):
        made.mux, made.name = 1, service.removeprefix("tcpmux/")
        if made.name.startswith("+"):
            made.mux, made.name = 2, made.name[1:]
    _protocol(made)
    word, found, limit = wait.partition(":") if ":" in wait else wait.partition(".")
    made.wait = word == "wait"
    if found:
        made.limit = int(limit) if limit.isascii() and limit.isdigit() and len(limit) < 9 else 0
    if made.mux:
        made.wait = False
        if not made.proto.startswith("tcp"):
            raise _Bad(f"{name}: bad protocol for tcpmux service {made.name}")
        if socktype != STREAM:
            raise _Bad(f"{name}: bad socket type for tcpmux service {made.name}")
    made.user, _, made.group = user.partition(":") if ":" in user else user.partition(".")
    if made.internal:
        if (made.name, socktype) not in BUILTINS or made.mux:
            raise _Bad(f"internal service {made.name} unknown")
        made.wait = False
    return made


def _protocol(made: Service) -> None:
    """Take the buffer sizes off the protocol."""
    proto, comma, rest = made.proto.partition(",")
    made.proto = proto
    if comma:
        if made.mux:
            raise _Bad(f"{made.name}: can't specify buffer sizes for tcpmux services")
        settings = rest.split(",")
        if len(settings) > 2:
            raise _Bad(f"{made.name}: too many buffer sizes")
        for setting in settings:
            key, equals, value = setting.partition("=")
            if not equals or key not in ("sndbuf", "rcvbuf"):
                raise _Bad(f"{made.name}: malformed buffer size option `{key or setting}'")
            setattr(made, key, _size(made.name, value))
    if not proto:
        raise _Bad(f"{made.name}: invalid protocol specified")
    if proto.startswith("rpc/"):
        raise _Bad(f"{made.name}: rpc services not suported")  # the misspelling is the original's


def _size(name: str, text: str) -> int:
    digits, unit = text.rstrip("km"), {"k": 1024, "m": 1024 * 1024}.get(text[-1:], 1)
    if (
        not (digits.isascii() and digits.isdigit())
        or len(digits) > 8
        or len(text) - len(digits) > 1
    ):
        raise _Bad(f"{name}: malformed buffer size option `{text}'")
    if int(digits) < 1:
        raise _Bad(f"{name}: invalid buffer size `{text}'")
    return int(digits) * unit
