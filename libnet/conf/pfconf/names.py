"""Words of pf.conf(5): keywords, timeouts, limits, ICMP types and codes, TCP flags."""

from __future__ import annotations

from typing import Final

from libnet.addr import AF_INET6

# Words that are tokens of their own unless they stand in quotes.
KEYWORDS: Final = frozenset(
    {
        "all", "allow-opts", "altq", "anchor", "antispoof", "any", "bandwidth", "binat",
        "binat-anchor", "bitmask", "block", "block-policy", "cbq", "code", "crop", "debug",
        "drop", "drop-ovl", "dup-to", "fastroute", "file", "fingerprints", "flags",
        "floating", "flush", "for", "fragment", "from", "global", "group", "hfsc", "hostid",
        "icmp-type", "icmp6-type", "if-bound", "in", "inet", "inet6", "keep", "label",
        "limit", "linkshare", "load", "log", "loginterface", "max", "max-mss",
        "max-src-conn", "max-src-conn-rate", "max-src-nodes", "max-src-states", "min-ttl",
        "modulate", "nat", "nat-anchor", "no", "no-df", "no-route", "no-sync", "on",
        "optimization", "os", "out", "overload", "pass", "port", "priority", "priq",
        "probability", "proto", "qlimit", "queue", "quick", "random", "random-id", "rdr",
        "rdr-anchor", "realtime", "reassemble", "reply-to", "require-order", "return",
        "return-icmp", "return-icmp6", "return-rst", "round-robin", "route", "route-to",
        "rtable", "rule", "ruleset-optimization", "scrub", "set", "skip", "source-hash",
        "source-track", "state", "state-policy", "static-port", "sticky-address",
        "synproxy", "table", "tag", "tagged", "tbrsize", "timeout", "to", "tos", "ttl",
        "upperlimit", "urpf-failed", "user",
    }
)  # fmt: skip
KEYWORDS37: Final = (KEYWORDS | {"group-bound", "log-all"}) - {
    "rtable",
    "ruleset-optimization",
    "urpf-failed",
}

# Name and PFTM_* index, in the order that "pfctl -s timeouts" lists them.
TIMEOUTS: Final = (
    ("tcp.first", 0),
    ("tcp.opening", 1),
    ("tcp.established", 2),
    ("tcp.closing", 3),
    ("tcp.finwait", 4),
    ("tcp.closed", 5),
    ("tcp.tsdiff", 19),
    ("udp.first", 6),
    ("udp.single", 7),
    ("udp.multiple", 8),
    ("icmp.first", 9),
    ("icmp.error", 10),
    ("other.first", 11),
    ("other.single", 12),
    ("other.multiple", 13),
    ("frag", 14),
    ("interval", 15),
    ("adaptive.start", 16),
    ("adaptive.end", 17),
    ("src.track", 18),
)
TIMEOUT_INDEX: Final = dict(TIMEOUTS)
TIMEOUT_NAME: Final = {index: name for name, index in TIMEOUTS}

# Name and PF_LIMIT_* index; the older dialect has the first three.
LIMITS: Final = (
    ("states", 0),
    ("src-nodes", 1),
    ("frags", 2),
    ("tables", 3),
    ("table-entries", 4),
)

_HINTED: Final = (
    "tcp.first",
    "tcp.opening",
    "tcp.established",
    "tcp.closing",
    "tcp.finwait",
    "tcp.closed",
    "tcp.tsdiff",
)
_SATELLITE: Final = (180, 35, 86400, 905, 50, 95, 60)
# "set optimization": seconds for each of the hinted timeouts.
HINTS: Final = {
    name: tuple(zip(_HINTED, seconds, strict=True))
    for name, seconds in (
        ("normal", (120, 30, 86400, 900, 45, 90, 30)),
        ("satellite", _SATELLITE),
        ("high-latency", _SATELLITE),
        ("conservative", (3600, 900, 432000, 3600, 600, 180, 60)),
        ("aggressive", (30, 5, 18000, 60, 30, 30, 10)),
    )
}

DEBUG_LEVELS: Final = ("none", "urgent", "misc", "loud")

ICMP_TYPES: Final = (
    ("echoreq", 8),
    ("echorep", 0),
    ("unreach", 3),
    ("squench", 4),
    ("redir", 5),
    ("althost", 6),
    ("routeradv", 9),
    ("routersol", 10),
    ("timex", 11),
    ("paramprob", 12),
    ("timereq", 13),
    ("timerep", 14),
    ("inforeq", 15),
    ("inforep", 16),
    ("maskreq", 17),
    ("maskrep", 18),
)
ICMP6_TYPES: Final = (
    ("unreach", 1),
    ("toobig", 2),
    ("timex", 3),
    ("paramprob", 4),
    ("echoreq", 128),
    ("echorep", 129),
    ("groupqry", 130),
    ("listqry", 130),
    ("grouprep", 131),
    ("listenrep", 131),
    ("groupterm", 132),
    ("listendone", 132),
    ("routersol", 133),
    ("routeradv", 134),
    ("neighbrsol", 135),
    ("neighbradv", 136),
    ("redir", 137),
    ("routrrenum", 138),
    ("wrureq", 139),
    ("wrurep", 140),
    ("fqdnreq", 139),
    ("fqdnrep", 140),
    ("niqry", 139),
    ("nirep", 140),
    ("mtraceresp", 200),
    ("mtrace", 201),
)
ICMP_CODES: Final = (
    ("net-unr", 3, 0),
    ("host-unr", 3, 1),
    ("proto-unr", 3, 2),
    ("port-unr", 3, 3),
    ("needfrag", 3, 4),
    ("srcfail", 3, 5),
    ("net-unk", 3, 6),
    ("host-unk", 3, 7),
    ("isolate", 3, 8),
    ("net-prohib", 3, 9),
    ("host-prohib", 3, 10),
    ("net-tos", 3, 11),
    ("host-tos", 3, 12),
    ("filter-prohib", 3, 13),
    ("host-preced", 3, 14),
    ("cutoff-preced", 3, 15),
    ("redir-net", 5, 0),
    ("redir-host", 5, 1),
    ("redir-tos-net", 5, 2),
    ("redir-tos-host", 5, 3),
    ("normal-adv", 9, 0),
    ("common-adv", 9, 16),
    ("transit", 11, 0),
    ("reassemb", 11, 1),
    ("badhead", 12, 0),
    ("optmiss", 12, 1),
    ("badlen", 12, 2),
)
ICMP6_CODES: Final = (
    ("admin-unr", 1, 1),
    ("noroute-unr", 1, 0),
    ("notnbr-unr", 1, 2),
    ("beyond-unr", 1, 2),
    ("addr-unr", 1, 3),
    ("port-unr", 1, 4),
    ("transit", 3, 0),
    ("reassemb", 3, 1),
    ("badhead", 4, 0),
    ("nxthdr", 4, 1),
    ("redironlink", 137, 0),
    ("redirrouter", 137, 1),
)

# Bit n of a TCP flags octet is letter n.
TCPFLAGS: Final = "FSRPAUEW"

IPTOS: Final = {"lowdelay": 0x10, "throughput": 0x08, "reliability": 0x04}


def icmp_type_number(name: str, af: int) -> int | None:
    """Return the ICMP type called *name* in the family, or None."""
    for row in ICMP6_TYPES if af == AF_INET6 else ICMP_TYPES:
        if row[0] == name:
            return row[1]
    return None


def icmp_type_name(number: int, af: int) -> str | None:
    """Return the first name of an ICMP type, or None."""
    for row in ICMP6_TYPES if af == AF_INET6 else ICMP_TYPES:
        if row[1] == number:
            return row[0]
    return None


def icmp_code_number(type_: int, name: str, af: int) -> int | None:
    """Return the code called *name* of an ICMP type, or None."""
    for row in ICMP6_CODES if af == AF_INET6 else ICMP_CODES:
        if row[0] == name and row[1] == type_:
            return row[2]
    return None


def icmp_code_name(type_: int, code: int, af: int) -> str | None:
    """Return the name of a code of an ICMP type, or None."""
    for row in ICMP6_CODES if af == AF_INET6 else ICMP_CODES:
        if row[1] == type_ and row[2] == code:
            return row[0]
    return None


def parse_flags(text: str) -> int | None:
    """Return the octet of TCP flag letters, all flags for none; None for another letter.

    >>> parse_flags("SA"), parse_flags(""), parse_flags("X")
    (18, 255, None)
    """
    value = 0
    for letter in text:
        bit = TCPFLAGS.find(letter)
        if bit < 0:
            return None
        value |= 1 << bit
    return value or 0xFF


def flag_letters(value: int) -> str:
    """Return the letters of a TCP flags octet.

    >>> flag_letters(0x17)
    'FSRA'
    """
    return "".join(letter for bit, letter in enumerate(TCPFLAGS) if value >> bit & 1)
