"""The other primitives: lengths, octets, direction, LLC, 802.11 types, pflog fields."""

from __future__ import annotations

from typing import Final

from libnet.conf.pcapfilter import wlan
from libnet.conf.pcapfilter.graph import Stmt, Test, and_, jump, not_
from libnet.conf.pcapfilter.link import (
    DLT_ATM_RFC1483,
    DLT_EN10MB,
    DLT_FDDI,
    DLT_IEEE802,
    DLT_LINUX_SLL,
    DLT_LINUX_SLL2,
    DLT_PFLOG,
    DLT_PPP_PPPD,
    DLT_SLIP,
    ETHERMTU,
    WLAN,
    WLAN_PPI,
    Link,
)
from libnet.conf.pcapfilter.program import FilterError
from libnet.ioctl.bpf import (
    BPF_ALU,
    BPF_AND,
    BPF_B,
    BPF_H,
    BPF_JEQ,
    BPF_JGE,
    BPF_JGT,
    BPF_JSET,
    BPF_LD,
    BPF_LEN,
    BPF_OR,
    BPF_W,
)
from libnet.ioctl.dlt import dlt_description

_ATM: Final = [
    "lane",
    "metac",
    "bcc",
    "oam",
    "oamf4",
    "oamf4ec",
    "oamf4sc",
    "sc",
    "ilmic",
    "connectmsg",
    "metaconnect",
    "vpi",
    "vci",
]
_MTP2: Final = {"fisu": "MTP2", "lssu": "MTP2", "msu": "MTP2"}
_HSL: Final = {"hfisu": "MTP2_HSL", "hlssu": "MTP2_HSL", "hmsu": "MTP2_HSL"}
_SS7: Final = ["sio", "opc", "dpc", "sls", "hsio", "hopc", "hdpc", "hsls"]
FIELDS: Final = frozenset(("vpi", "vci", *_SS7))
PRIMITIVES: Final = frozenset(
    (
        *[
            "less",
            "greater",
            "byte",
            "inbound",
            "outbound",
            "ifindex",
            "vlan",
            "mpls",
            "pppoed",
            "pppoes",
            "geneve",
            "llc",
        ],
        *["ifname", "ruleset", "rnr", "srnr", "reason", "action"],
        *_ATM,
        *_MTP2,
        *_HSL,
        *_SS7,
    )
)

_SLL_OUTGOING: Final = 4

# pflog header of the common form (61 octets and padding): offsets.
_PF_ACTION, _PF_REASON, _PF_IFNAME, _PF_RULESET, _PF_RNR, _PF_SRNR, _PF_DIR = (
    2,
    3,
    4,
    20,
    36,
    40,
    60,
)
_PF_NAME_LEN: Final = 16
_PF_REASONS: Final = (
    *("match", "bad-offset", "fragment", "short", "normalize", "memory", "bad-timestamp"),
    *("congestion", "ip-option", "proto-cksum", "state-mismatch", "state-insert"),
    *("state-limit", "src-limit", "synproxy"),
)
_PF_ACTIONS: Final = {
    "pass": 0,
    "accept": 0,
    "drop": 1,
    "block": 1,
    "scrub": 2,
    "noscrub": 3,
    "nat": 4,
    "nonat": 5,
    "binat": 6,
    "nobinat": 7,
    "rdr": 8,
    "nordr": 9,
    "synproxy-drop": 10,
}
_LLC_S: Final = {"rr": 0x01, "rnr": 0x05, "rej": 0x09}
_LLC_U: Final = {
    "ui": 0x03,
    "ua": 0x63,
    "disc": 0x43,
    "dm": 0x0F,
    "sabme": 0x6F,
    "test": 0xE3,
    "xid": 0xAF,
    "frmr": 0x87,
}


def refusal(word: str) -> str:
    """Return what the compiler says of a primitive of ATM or SS7 elsewhere."""
    if word in _ATM:
        return f"'{word}' supported only on raw ATM"
    if word in _SS7:
        return f"'{word.removeprefix('h')}' supported only on SS7"
    return f"'{word}' supported only on {_MTP2.get(word) or _HSL[word]}"


def length(octets: int, word: str) -> Test:
    """Return the test of `less` (at most) or `greater` (at least) *octets* on the wire."""
    stmts = [Stmt(BPF_LD | BPF_LEN)]
    if word == "greater":
        return jump(BPF_JGE, octets, stmts)
    return not_(jump(BPF_JGT, octets, stmts))


def byte(link: Link, op: str, at: int, value: int) -> Test:
    """Return the test of octet *at* of the link header: `byte 12 = 8`.

    The two that combine bits test whatever was loaded last, as they always have.
    """
    match op:
        case "=":
            return link.cmp("linkhdr", at, BPF_B, value)
        case "<":
            return not_(link.cmp("linkhdr", at, BPF_B, value, op=BPF_JGE))
        case ">":
            return link.cmp("linkhdr", at, BPF_B, value, op=BPF_JGT)
        case _:
            code = BPF_OR if op == "|" else BPF_AND
            return not_(jump(BPF_JEQ, 0, [Stmt(BPF_ALU | code, value)]))


def direction(link: Link, *, out: bool) -> Test:
    """Return the test for packets sent (*out*) or received. Raises FilterError."""
    match link.type:
        case _ if link.type == DLT_SLIP:
            test = link.cmp("linkhdr", 0, BPF_B, 0)
            return not_(test) if out else test
        case _ if link.type == DLT_LINUX_SLL:
            test = link.cmp("linkhdr", 0, BPF_H, _SLL_OUTGOING)
            return test if out else not_(test)
        case _ if link.type == DLT_LINUX_SLL2:
            test = link.cmp("linkhdr", 10, BPF_B, _SLL_OUTGOING)
            return test if out else not_(test)
        case _ if link.type == DLT_PFLOG:
            return link.cmp("linkhdr", _PF_DIR, BPF_B, 2 if out else 1)
        case _ if link.type == DLT_PPP_PPPD:
            return link.cmp("linkhdr", 0, BPF_B, 1 if out else 0)
    where = " when reading savefiles" if link.savefile else ""
    raise FilterError(f"inbound/outbound not supported on {dlt_description(link.type)}{where}")


def ifindex(link: Link, index: int) -> Test:
    """Return the test of the interface's index. Raises FilterError where packets do not have it."""
    if link.type == DLT_LINUX_SLL2:
        return link.cmp("linkhdr", 4, BPF_W, index)
    where = " when reading savefiles" if link.savefile else ""
    raise FilterError(f"ifindex not supported on {dlt_description(link.type)}{where}")


# -- IEEE 802.2


def _is_llc(link: Link) -> Test:
    if link.type == DLT_EN10MB:
        is_length = not_(link.cmp("linktype", 0, BPF_H, ETHERMTU, op=BPF_JGT))
        # NetWare puts its packets into 802.3 frames without LLC; they begin with ones.
        return and_(is_length, not_(link.cmp("llc", 0, BPF_H, 0xFFFF)))
    if link.type in (DLT_IEEE802, DLT_FDDI, DLT_ATM_RFC1483):
        return link.always(True)
    if link.type in WLAN_PPI:
        return link.data_frame()
    raise FilterError(f"'llc' not supported for {dlt_description(link.type)}")


def llc(link: Link, name: str) -> Test:
    """Return the test for LLC frames: all, of a format (i, s, u) or of a type. Raises FilterError."""
    word = name.lower()
    if word and word not in ("i", "s", "u") and word not in _LLC_S and word not in _LLC_U:
        raise FilterError(f'unknown LLC type name "{name}"')
    test = _is_llc(link)
    match word:
        case "":
            return test
        case "i":
            return and_(test, not_(jump(BPF_JSET, 0x01, link.load("llc", 2, BPF_B))))
        case "s":
            return and_(test, link.cmp("llc", 2, BPF_B, 0x01, 0x03))
        case "u":
            return and_(test, link.cmp("llc", 2, BPF_B, 0x03, 0x03))
        case _ if word in _LLC_S:
            return and_(test, link.cmp("llc", 2, BPF_B, _LLC_S[word], 0x0F))
        case _:
            return and_(test, link.cmp("llc", 2, BPF_B, _LLC_U[word], 0xEF))


# -- 802.11


def wlan_type(link: Link, value: int, *, subtype: bool) -> Test:
    """Return the test of an 802.11 frame's type, or of type and subtype. Raises FilterError."""
    if link.type not in WLAN:
        raise FilterError("802.11 link-layer types supported only on 802.11")
    mask = wlan.TYPE_MASK | (wlan.SUBTYPE_MASK if subtype else 0)
    return link.cmp("linkhdr", 0, BPF_B, value, mask)


def wlan_direction(link: Link, value: int) -> Test:
    """Return the test of the To DS and From DS bits. Raises FilterError."""
    if link.type not in WLAN:
        raise FilterError("frame direction supported only with 802.11 headers")
    return link.cmp("linkhdr", 1, BPF_B, value, wlan.DIR_MASK)


# -- pflog


def _pflog(link: Link, word: str) -> None:
    if link.type != DLT_PFLOG:
        raise FilterError(f"{word} supported only on PF linktype")


def pf_name(link: Link, word: str, name: str) -> Test:
    """Return the test of the interface (`ifname`) or the rule set (`ruleset`). Raises FilterError."""
    _pflog(link, word)
    octets = name.encode("utf-8", "surrogateescape")
    if len(octets) >= _PF_NAME_LEN:
        what = "ifname interface names" if word == "ifname" else "ruleset names"
        raise FilterError(f"{what} can only be {_PF_NAME_LEN - 1} characters")
    at = _PF_IFNAME if word == "ifname" else _PF_RULESET
    test = link.octets("linkhdr", at, octets)
    assert test is not None
    return test


def pf_number(link: Link, word: str, number: int) -> Test:
    """Return the test of the rule's number (`rnr`) or that in its anchor (`srnr`)."""
    _pflog(link, word)
    return link.cmp("linkhdr", _PF_RNR if word == "rnr" else _PF_SRNR, BPF_W, number)


def pf_reason(link: Link, reason: int | str) -> Test:
    """Return the test of why pf decided so. Raises FilterError."""
    if isinstance(reason, str):
        if reason.lower() not in _PF_REASONS:
            raise FilterError(f'unknown PF reason "{reason}"')
        reason = _PF_REASONS.index(reason.lower())
    _pflog(link, "reason")
    return link.cmp("linkhdr", _PF_REASON, BPF_B, reason)


def pf_action(link: Link, action: str) -> Test:
    """Return the test of what pf decided. Raises FilterError."""
    number = _PF_ACTIONS.get(action.lower())
    if number is None:
        raise FilterError(f'unknown PF action "{action}"')
    _pflog(link, "action")
    return link.cmp("linkhdr", _PF_ACTION, BPF_B, number)
