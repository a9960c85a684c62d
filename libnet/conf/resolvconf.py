"""How names are looked up: resolv.conf(5), nsswitch.conf(5), and the string _CS_RESOLVE.

Lines that make no sense are passed over, as the resolver does.
"""

from __future__ import annotations

from typing import Final

from libnet.addr import inet_pton
from libnet.record import Struct

MAX_TEXT: Final = 1 << 16
MAXNS: Final = 3
MAXDNSRCH: Final = 6
FILES: Final = "files"
DNS: Final = "dns"

_KEYWORDS: Final = ("domain", "nameserver", "search", "lookup", "options", "sortlist")
_SOURCES: Final = {"file": FILES, "files": FILES, "bind": DNS, "dns": DNS}


class ResolvConf(Struct):
    """What resolv.conf says.

    servers    addresses, host integers             search   domains to append, in order
    lookup     FILES and DNS in order, () for not said
    ndots      dots that make a name be tried as it is first
    timeout_s  for the first try                    attempts  rounds over the servers
    """

    servers: tuple[int, ...] = ()
    search: tuple[str, ...] = ()
    lookup: tuple[str, ...] = ()
    ndots: int = 1
    timeout_s: float = 5.0
    attempts: int = 2


def parse_resolv(text: str) -> ResolvConf:
    r"""Read resolv.conf(5).

    >>> parse_resolv("domain a.net\nnameserver 10.0.0.1\nlookup bind file").lookup
    ('dns', 'files')
    """
    conf = ResolvConf()
    for line in text[:MAX_TEXT].splitlines():
        words = line.partition("#")[0].partition(";")[0].split()
        if len(words) > 1:
            _take(conf, words[0], words[1:])
    return conf


def parse_cs_resolve(text: str) -> ResolvConf:
    """Read _CS_RESOLVE: the same with underscores for blanks and for the ends of lines.

    >>> hex(parse_cs_resolve("nameserver_10.0.0.2_nameserver_10.0.0.3_lookup_file").servers[1])
    '0xa000003'
    """
    conf = ResolvConf()
    keyword, words = "", []
    for word in [*text[:MAX_TEXT].replace("_", " ").split(), ""]:
        if word not in _KEYWORDS and word:
            words.append(word)
            continue
        if keyword and words:
            _take(conf, keyword, words)
        keyword, words = word, []
    return conf


def _take(conf: ResolvConf, keyword: str, words: list[str]) -> None:
    if keyword == "domain":
        conf.search = (words[0].strip("."),)
    elif keyword == "search":
        conf.search = tuple(word.strip(".") for word in words[:MAXDNSRCH])
    elif keyword == "lookup":
        conf.lookup = tuple(dict.fromkeys(_SOURCES[word] for word in words if word in _SOURCES))
    elif keyword == "nameserver":
        try:
            addr = inet_pton(words[0])
        except ValueError:
            return  # an IPv6 one, or a slip
        if len(conf.servers) < MAXNS:
            conf.servers = (*conf.servers, addr)
    elif keyword == "options":
        for word in words:
            name, _, value = word.partition(":")
            if not (value.isascii() and value.isdigit()) or len(value) > 2:
                continue
            if name == "ndots":
                conf.ndots = min(int(value), 15)
            elif name == "timeout":
                conf.timeout_s = float(min(max(int(value), 1), 30))
            elif name == "attempts":
                conf.attempts = min(max(int(value), 1), 5)


def parse_nsswitch(text: str) -> tuple[str, ...]:
    r"""Return the sources for hosts in nsswitch.conf(5); () when it does not say.

    >>> parse_nsswitch("group: files\nhosts: dns [notfound=return] files  # so")
    ('dns', 'files')
    """
    for line in text[:MAX_TEXT].splitlines():
        name, colon, rest = line.partition("#")[0].partition(":")
        if colon and name.strip() == "hosts":
            return tuple(dict.fromkeys(word for word in rest.split() if word in (FILES, DNS)))
    return ()


def order(conf: ResolvConf, nsswitch: tuple[str, ...]) -> tuple[str, ...]:
    """Return where to look hosts up: what `lookup` says, unless it says only what is usual.

    >>> order(ResolvConf(lookup=(FILES, DNS)), (FILES,))
    ('files',)
    """
    usual = (FILES, DNS)
    if conf.lookup and conf.lookup != usual:
        return conf.lookup
    return nsswitch or usual


def candidates(conf: ResolvConf, name: str) -> list[str]:
    """Return the full names to try for *name*, in order.

    >>> candidates(ResolvConf(search=("a.net",)), "www"), candidates(ResolvConf(), "x.")
    (['www.a.net', 'www'], ['x'])
    """
    if name.endswith("."):
        return [name[:-1]]
    appended = [f"{name}.{domain}" for domain in conf.search if domain]
    if name.count(".") >= conf.ndots:
        return [name, *appended]
    return [*appended, name]
