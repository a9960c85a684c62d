"""Packet filter ioctls, group 'D' on /dev/pf: pf(4) of OpenBSD 4.2 as NetBSD 5 has it.

Addresses are host integers, 32 bits with AF_INET and 128 bits with AF_INET6; ports, ids and times
are host integers too. Where C passes a pointer to a buffer, the buffer itself travels: a list of
structs, or, for the addresses of tables, packed octets in C's own layout (a table may have 100,000
of them). A dump that can be long is asked for in pages: `first` says how many entries to leave out.
"""

from __future__ import annotations

import builtins
from struct import Struct as Packer
from typing import Any, ClassVar, Final, Self

from libnet.addr import AF_INET, AF_INET6
from libnet.ioctl.registry import INOUT, VOID, Ioctl, declare
from libnet.record import Struct

# Directions of rules, states and packets.
PF_INOUT: Final = 0
PF_IN: Final = 1
PF_OUT: Final = 2

# Actions of rules, and verdicts.
PF_PASS: Final = 0
PF_DROP: Final = 1
PF_SCRUB: Final = 2
PF_NOSCRUB: Final = 3
PF_NAT: Final = 4
PF_NONAT: Final = 5
PF_BINAT: Final = 6
PF_NOBINAT: Final = 7
PF_RDR: Final = 8
PF_NORDR: Final = 9
PF_SYNPROXY_DROP: Final = 10

# Rulesets of an anchor, and the two that a transaction has besides.
PF_RULESET_SCRUB: Final = 0
PF_RULESET_FILTER: Final = 1
PF_RULESET_NAT: Final = 2
PF_RULESET_BINAT: Final = 3
PF_RULESET_RDR: Final = 4
PF_RULESET_MAX: Final = 5
PF_RULESET_ALTQ: Final = 5
PF_RULESET_TABLE: Final = 6

# Operators of ports, users and groups: a:b, =, !=, <, <=, >, >=, a<>b, a><b ("RRG": target range).
PF_OP_NONE: Final = 0
PF_OP_IRG: Final = 1
PF_OP_EQ: Final = 2
PF_OP_NE: Final = 3
PF_OP_LT: Final = 4
PF_OP_LE: Final = 5
PF_OP_GT: Final = 6
PF_OP_GE: Final = 7
PF_OP_XRG: Final = 8
PF_OP_RRG: Final = 9

PF_DEBUG_NONE: Final = 0
PF_DEBUG_URGENT: Final = 1
PF_DEBUG_MISC: Final = 2
PF_DEBUG_NOISY: Final = 3

# PfIocRule.action of DIOCCHANGERULE and DIOCCHANGEADDR; of DIOCGETRULE.
PF_CHANGE_NONE: Final = 0
PF_CHANGE_ADD_HEAD: Final = 1
PF_CHANGE_ADD_TAIL: Final = 2
PF_CHANGE_ADD_BEFORE: Final = 3
PF_CHANGE_ADD_AFTER: Final = 4
PF_CHANGE_REMOVE: Final = 5
PF_CHANGE_GET_TICKET: Final = 6
PF_GET_NONE: Final = 0
PF_GET_CLR_CNTR: Final = 1

# Indices of timeouts (PfRule.timeout, PfIocTm.timeout).
PFTM_TCP_FIRST_PACKET: Final = 0
PFTM_TCP_OPENING: Final = 1
PFTM_TCP_ESTABLISHED: Final = 2
PFTM_TCP_CLOSING: Final = 3
PFTM_TCP_FIN_WAIT: Final = 4
PFTM_TCP_CLOSED: Final = 5
PFTM_UDP_FIRST_PACKET: Final = 6
PFTM_UDP_SINGLE: Final = 7
PFTM_UDP_MULTIPLE: Final = 8
PFTM_ICMP_FIRST_PACKET: Final = 9
PFTM_ICMP_ERROR_REPLY: Final = 10
PFTM_OTHER_FIRST_PACKET: Final = 11
PFTM_OTHER_SINGLE: Final = 12
PFTM_OTHER_MULTIPLE: Final = 13
PFTM_FRAG: Final = 14
PFTM_INTERVAL: Final = 15
PFTM_ADAPTIVE_START: Final = 16
PFTM_ADAPTIVE_END: Final = 17
PFTM_SRC_NODE: Final = 18
PFTM_TS_DIFF: Final = 19
PFTM_MAX: Final = 20

# Defaults of the timeouts by index, in seconds (the adaptive two: states).
PFTM_DEFAULTS: Final = (
    120, 30, 86400, 900, 45, 90, 60, 30, 60, 20, 10, 60, 30, 60, 30, 10, 6000, 12000, 0, 30,
)  # fmt: skip

PF_NOPFROUTE: Final = 0
PF_FASTROUTE: Final = 1
PF_ROUTETO: Final = 2
PF_DUPTO: Final = 3
PF_REPLYTO: Final = 4

PF_LIMIT_STATES: Final = 0
PF_LIMIT_SRC_NODES: Final = 1
PF_LIMIT_FRAGS: Final = 2
PF_LIMIT_TABLES: Final = 3
PF_LIMIT_TABLE_ENTRIES: Final = 4
PF_LIMIT_MAX: Final = 5

# Defaults of the limits by index.
PF_LIMIT_DEFAULTS: Final = (10000, 10000, 5000, 1000, 200000)
PF_LIMIT_UNLIMITED: Final = 0xFFFFFFFF

# Kinds of pools (PfPool.opts & PF_POOL_TYPEMASK) and its one flag.
PF_POOL_TYPEMASK: Final = 0x0F
PF_POOL_NONE: Final = 0
PF_POOL_BITMASK: Final = 1
PF_POOL_RANDOM: Final = 2
PF_POOL_SRCHASH: Final = 3
PF_POOL_ROUNDROBIN: Final = 4
PF_POOL_STICKYADDR: Final = 0x20

# PfAddrWrap.type.
PF_ADDR_ADDRMASK: Final = 0
PF_ADDR_NOROUTE: Final = 1
PF_ADDR_DYNIFTL: Final = 2
PF_ADDR_TABLE: Final = 3
PF_ADDR_RTLABEL: Final = 4
PF_ADDR_URPFFAILED: Final = 5

# PfAddrWrap.iflags: (if:network), (if:broadcast), (if:peer), (if:0).
PFI_AFLAG_NETWORK: Final = 0x01
PFI_AFLAG_BROADCAST: Final = 0x02
PFI_AFLAG_PEER: Final = 0x04
PFI_AFLAG_MODEMASK: Final = 0x07
PFI_AFLAG_NOALIAS: Final = 0x08

# PfRule.log: bits.
PF_LOG: Final = 0x01
PF_LOG_ALL: Final = 0x02
PF_LOG_SOCKET_LOOKUP: Final = 0x04  # log (user) and log (group) are one thing

# PfRule.rule_flag.
PFRULE_DROP: Final = 0x0000
PFRULE_RETURNRST: Final = 0x0001
PFRULE_FRAGMENT: Final = 0x0002
PFRULE_RETURNICMP: Final = 0x0004
PFRULE_RETURN: Final = 0x0008
PFRULE_NOSYNC: Final = 0x0010
PFRULE_SRCTRACK: Final = 0x0020
PFRULE_RULESRCTRACK: Final = 0x0040
PFRULE_NODF: Final = 0x0100
PFRULE_FRAGCROP: Final = 0x0200
PFRULE_FRAGDROP: Final = 0x0400
PFRULE_RANDOMID: Final = 0x0800
PFRULE_REASSEMBLE_TCP: Final = 0x1000
PFRULE_IFBOUND: Final = 0x00010000
# The older dialect's "group-bound": the state belongs to the interfaces of the rule's group.
PFRULE_GRBOUND: Final = 0x00020000

# PfRule.keep_state.
PF_STATE_NORMAL: Final = 1
PF_STATE_MODULATE: Final = 2
PF_STATE_SYNPROXY: Final = 3

# PfRule.flush: what "overload <t> flush [global]" asks.
PF_FLUSH: Final = 0x01
PF_FLUSH_GLOBAL: Final = 0x02

# PfRule.skip: what the eight numbers are about.
PF_SKIP_IFP: Final = 0
PF_SKIP_DIR: Final = 1
PF_SKIP_AF: Final = 2
PF_SKIP_PROTO: Final = 3
PF_SKIP_SRC_ADDR: Final = 4
PF_SKIP_SRC_PORT: Final = 5
PF_SKIP_DST_ADDR: Final = 6
PF_SKIP_DST_PORT: Final = 7
PF_SKIP_COUNT: Final = 8

# Reasons: names of PfStatus.counters, in order; PFRES_MATCH is 0 and so on.
PFRES_NAMES: Final = (
    "match",
    "bad-offset",
    "fragment",
    "short",
    "normalize",
    "memory",
    "bad-timestamp",
    "congestion",
    "ip-option",
    "proto-cksum",
    "state-mismatch",
    "state-insert",
    "state-limit",
    "src-limit",
    "synproxy",
)
# Names of PfStatus.lcounters.
LCNT_NAMES: Final = (
    "max states per rule",
    "max-src-states",
    "max-src-nodes",
    "max-src-conn",
    "max-src-conn-rate",
    "overload table insertion",
    "overload flush states",
)
# Names of PfStatus.fcounters (states) and PfStatus.scounters (source nodes).
FCNT_NAMES: Final = ("searches", "inserts", "removals")

# PfState.src.state and PfState.dst.state of TCP, by number; the last two are synproxy's.
TCPS_NAMES: Final = (
    "CLOSED",
    "LISTEN",
    "SYN_SENT",
    "SYN_RCVD",
    "ESTABLISHED",
    "CLOSE_WAIT",
    "FIN_WAIT_1",
    "CLOSING",
    "LAST_ACK",
    "FIN_WAIT_2",
    "TIME_WAIT",
    "PROXY:SRC",
    "PROXY:DST",
)
PF_TCPS_PROXY_SRC: Final = 11
PF_TCPS_PROXY_DST: Final = 12
# ... and of UDP and all others.
PFUDPS_NAMES: Final = ("NO_TRAFFIC", "SINGLE", "MULTIPLE")

# PfState.sync_flags.
PFSTATE_NOSYNC: Final = 0x01
PFSYNC_FLAG_SRCNODE: Final = 0x04
PFSYNC_FLAG_NATSRCNODE: Final = 0x08

# Rule numbers that are none.
PF_RULE_NONE: Final = 0xFFFFFFFF

# PfRule.os_fingerprint: 0 is any; one operating system is packed as in PF_OSFP_*.
PF_OSFP_ANY: Final = 0
PF_OSFP_UNKNOWN: Final = 0xFFFFFFFF
PF_OSFP_NOMATCH: Final = 0xFFFFFFFE
# A packed one: class << 20 | version << 10 | subtype, ten bits each; a part of 0 is any.
PF_OSFP_CLASS_SHIFT: Final = 20
PF_OSFP_VERSION_SHIFT: Final = 10
PF_OSFP_PART_MASK: Final = 0x3FF

# PfOsfp.enflags.
PF_OSFP_EXPANDED: Final = 0x1
PF_OSFP_GENERIC: Final = 0x2
PF_OSFP_NODETAIL: Final = 0x4
# PfOsfp.flags.
PF_OSFP_WSIZE_MOD: Final = 0x0001  # %n
PF_OSFP_WSIZE_DC: Final = 0x0002  # *
PF_OSFP_WSIZE_MSS: Final = 0x0004  # Sn
PF_OSFP_WSIZE_MTU: Final = 0x0008  # Tn
PF_OSFP_PSIZE_MOD: Final = 0x0010
PF_OSFP_PSIZE_DC: Final = 0x0020
PF_OSFP_WSCALE: Final = 0x0040  # the option is there
PF_OSFP_WSCALE_MOD: Final = 0x0080
PF_OSFP_WSCALE_DC: Final = 0x0100
PF_OSFP_MSS: Final = 0x0200
PF_OSFP_MSS_MOD: Final = 0x0400
PF_OSFP_MSS_DC: Final = 0x0800
PF_OSFP_DF: Final = 0x1000
PF_OSFP_TS0: Final = 0x2000
PF_OSFP_INET6: Final = 0x4000
PF_OSFP_MAXTTL_OFFSET: Final = 40
# PfOsfp.tcpopts: three bits an option, the first option on top.
PF_OSFP_TCPOPT_NOP: Final = 0
PF_OSFP_TCPOPT_WSCALE: Final = 1
PF_OSFP_TCPOPT_MSS: Final = 2
PF_OSFP_TCPOPT_SACK: Final = 3
PF_OSFP_TCPOPT_TS: Final = 4
PF_OSFP_TCPOPT_BITS: Final = 3
PF_OSFP_MAX_OPTS: Final = 21

# PfrTable.flags, in the order of "cpairh".
PFR_TFLAG_PERSIST: Final = 0x01
PFR_TFLAG_CONST: Final = 0x02
PFR_TFLAG_ACTIVE: Final = 0x04
PFR_TFLAG_INACTIVE: Final = 0x08
PFR_TFLAG_REFERENCED: Final = 0x10
PFR_TFLAG_REFDANCHOR: Final = 0x20
PFR_TFLAG_USRMASK: Final = 0x03
PFR_TFLAG_ALLMASK: Final = 0x3F

# Feedback of one address (the fback octet) or table.
PFR_FB_NONE: Final = 0
PFR_FB_MATCH: Final = 1
PFR_FB_ADDED: Final = 2
PFR_FB_DELETED: Final = 3
PFR_FB_CHANGED: Final = 4
PFR_FB_CLEARED: Final = 5
PFR_FB_DUPLICATE: Final = 6
PFR_FB_NOTMATCH: Final = 7
PFR_FB_CONFLICT: Final = 8
PFR_FB_MAX: Final = 9

# Counters of table statistics are flat: direction * 3 + operation (of addresses: * 2).
PFR_DIR_IN: Final = 0
PFR_DIR_OUT: Final = 1
PFR_OP_BLOCK: Final = 0
PFR_OP_PASS: Final = 1
PFR_OP_XPASS: Final = 2
PFR_OP_ADDR_MAX: Final = 2
PFR_OP_TABLE_MAX: Final = 3

# PfIocTable.flags.
PFR_FLAG_ATOMIC: Final = 0x01
PFR_FLAG_DUMMY: Final = 0x02
PFR_FLAG_FEEDBACK: Final = 0x04
PFR_FLAG_CLSTATS: Final = 0x08
PFR_FLAG_ADDRSTOO: Final = 0x10
PFR_FLAG_REPLACE: Final = 0x20
PFR_FLAG_ALLRSETS: Final = 0x40

PFI_IFLAG_SKIP: Final = 0x0100

# Disciplines (PfAltq.scheduler), numbers of <altq/altq.h>.
ALTQT_NONE: Final = 0
ALTQT_CBQ: Final = 1
ALTQT_HFSC: Final = 8
ALTQT_PRIQ: Final = 11

# PfAltq.optflags of each discipline.
CBQCLF_RED: Final = 0x0001
CBQCLF_ECN: Final = 0x0002
CBQCLF_RIO: Final = 0x0004
CBQCLF_FLOWVALVE: Final = 0x0008
CBQCLF_CLEARDSCP: Final = 0x0010
CBQCLF_BORROW: Final = 0x0020
CBQCLF_WRR: Final = 0x0100
CBQCLF_EFFICIENT: Final = 0x0200
CBQCLF_ROOTCLASS: Final = 0x1000
CBQCLF_DEFCLASS: Final = 0x2000
PRCF_RED: Final = 0x0001
PRCF_ECN: Final = 0x0002
PRCF_RIO: Final = 0x0004
PRCF_CLEARDSCP: Final = 0x0010
PRCF_DEFAULTCLASS: Final = 0x1000
HFCF_RED: Final = 0x0001
HFCF_ECN: Final = 0x0002
HFCF_RIO: Final = 0x0004
HFCF_CLEARDSCP: Final = 0x0010
HFCF_DEFAULTCLASS: Final = 0x1000

# Where the tables of dynamic interface addresses are; nobody else may change them.
PF_RESERVED_ANCHOR: Final = "_pf"

PF_TABLE_NAME_SIZE: Final = 32
PF_RULE_LABEL_SIZE: Final = 64
PF_TAG_NAME_SIZE: Final = 64
PF_QNAME_SIZE: Final = 64
PF_ANCHOR_NAME_SIZE: Final = 64
PF_OSFP_LEN: Final = 32
MAXPATHLEN: Final = 1024

# Most entries that one page of a dump may have.
PAGE_STATES: Final = 2048
PAGE_ASTATS: Final = 20000


class PfStruct(Struct):
    """A Struct whose nested defaults are made anew for every value, and that can be copied."""

    _nested: ClassVar[tuple[str, ...]] = ()
    _lists: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls._nested = tuple(n for n, v in cls._defaults.items() if isinstance(v, PfStruct))
        cls._lists = tuple(n for n, v in cls._defaults.items() if type(v) is list)

    def __init__(self, *args: Any, **kw: Any) -> None:
        super().__init__(*args, **kw)
        if len(args) < len(self._fields):
            for name in self._nested:
                if getattr(self, name) is self._defaults[name]:
                    setattr(self, name, self._defaults[name].copy())

    def copy(self) -> Self:
        """Return a copy that shares nothing that can change."""
        new = object.__new__(type(self))
        table = new.__dict__
        table.update(self.__dict__)
        for name in self._nested:
            table[name] = table[name].copy()
        for name in self._lists:
            value = table[name]
            if value and isinstance(value[0], PfStruct):
                table[name] = [one.copy() for one in value]
            else:
                table[name] = value[:]
        return new


class PfAddrWrap(PfStruct):
    """struct pf_addr_wrap: what one address word of a rule says.

    type         PF_ADDR_*; ADDRMASK with mask 0 is "any"
    addr, mask   integers of the rule's family; of a DYNIFTL the mask holds its /len
    ifname       of a DYNIFTL         iflags  PFI_AFLAG_* of it
    tblname      of a TABLE
    rtlabelname  of an RTLABEL
    cnt          out: addresses of the interface or table, -1 when it is not there (prints "*")
    """

    type: int = 0
    addr: int = 0
    mask: int = 0
    ifname: str = ""
    iflags: int = 0
    tblname: str = ""
    rtlabelname: str = ""
    cnt: int = 0


class PfRuleAddr(PfStruct):
    """struct pf_rule_addr: an address word, whether it is negated, and the port or ports."""

    addr: PfAddrWrap = PfAddrWrap()
    port: list[int] = [0, 0]
    neg: int = 0
    port_op: int = 0


class PfPoolAddr(PfStruct):
    """struct pf_pooladdr: an address of a pool, or a next hop with its interface."""

    addr: PfAddrWrap = PfAddrWrap()
    ifname: str = ""


class PfPool(PfStruct):
    """struct pf_pool.

    list        its addresses: empty in DIOCADDRULE and DIOCGETRULE, where they travel by
                DIOCADDADDR and DIOCGETADDR
    key         of source-hash, 16 octets (key32 in network order, one after the other)
    proxy_port  range of nat (0, 0: static-port), target port or ports of rdr (second 0: one)
    opts        PF_POOL_* kind and flag
    """

    list: list[PfPoolAddr] = []
    key: bytes = b"\0" * 16
    proxy_port: builtins.list[int] = [0, 0]  # the field above hides the short name
    port_op: int = 0
    opts: int = 0


class PfRuleUid(PfStruct):
    """struct pf_rule_uid (and pf_rule_gid): one or two ids and PF_OP_*; -1 is "unknown"."""

    uid: list[int] = [0, 0]
    op: int = 0


class PfRule(PfStruct):
    """struct pf_rule: one rule of any kind, with its counters.

    skip       out: by PF_SKIP_*, number of the first later rule that differs, -1 for none
    packets, bytes   [in, out]
    prob       0 for always; else the rule matches a random 32-bit number below it
    return_icmp, return_icmp6  type << 8 | code
    type, code of ICMP plus one; 0 for any
    flags, flagset   of TCP: (packet & flagset) == flags; flagset 0 for any
    max_src_conn_rate  [connections, seconds]
    rtableid   -1 for none
    allow_opts, quick, ifnot, natpass, match_tag_not   0 or 1
    timeout    by PFTM_*, 0 for the global value
    return_ttl of return-rst; 0 for the default
    anchor_relative   out: 0 for an absolute name, else 1 + how many "../"
    anchor_wildcard   out: 1 for "name/*"
    cuid, cpid out: who loaded it
    tag, match_tag    out: numbers of the names; what is set is tagname and match_tagname
    """

    src: PfRuleAddr = PfRuleAddr()
    dst: PfRuleAddr = PfRuleAddr()
    skip: list[int] = []
    label: str = ""
    ifname: str = ""
    qname: str = ""
    pqname: str = ""
    tagname: str = ""
    match_tagname: str = ""
    overload_tblname: str = ""
    rpool: PfPool = PfPool()
    evaluations: int = 0
    packets: list[int] = [0, 0]
    bytes: list[int] = [0, 0]
    os_fingerprint: int = 0
    rtableid: int = -1
    timeout: list[int] = [0] * PFTM_MAX
    states: int = 0
    max_states: int = 0
    src_nodes: int = 0
    max_src_nodes: int = 0
    max_src_states: int = 0
    max_src_conn: int = 0
    max_src_conn_rate: list[int] = [0, 0]
    qid: int = 0
    pqid: int = 0
    nr: int = 0
    prob: int = 0
    cuid: int = 0
    cpid: int = 0
    return_icmp: int = 0
    return_icmp6: int = 0
    max_mss: int = 0
    tag: int = 0
    match_tag: int = 0
    uid: PfRuleUid = PfRuleUid()
    gid: PfRuleUid = PfRuleUid()
    rule_flag: int = 0
    action: int = 0
    direction: int = 0
    log: int = 0
    logif: int = 0
    quick: int = 0
    ifnot: int = 0
    match_tag_not: int = 0
    natpass: int = 0
    keep_state: int = 0
    af: int = 0
    proto: int = 0
    type: int = 0
    code: int = 0
    flags: int = 0
    flagset: int = 0
    min_ttl: int = 0
    allow_opts: int = 0
    rt: int = 0
    return_ttl: int = 0
    tos: int = 0
    anchor_relative: int = 0
    anchor_wildcard: int = 0
    flush: int = 0


class PfIocRule(PfStruct):
    """struct pfioc_rule.

    anchor       path of the ruleset that the rule is in
    anchor_call  of an anchor rule: the name it calls, "" for other rules
    rule.action  in DIOCGETRULES tells which ruleset: PF_PASS, PF_SCRUB, PF_NAT, PF_BINAT, PF_RDR
    """

    action: int = 0
    ticket: int = 0
    pool_ticket: int = 0
    nr: int = 0
    anchor: str = ""
    anchor_call: str = ""
    rule: PfRule = PfRule()


class PfIocPoolAddr(PfStruct):
    """struct pfioc_pooladdr: add to the buffer, or read the pool of rule r_num."""

    action: int = 0
    ticket: int = 0
    nr: int = 0
    r_num: int = 0
    r_action: int = 0
    r_last: int = 0
    af: int = 0
    anchor: str = ""
    addr: PfPoolAddr = PfPoolAddr()


class PfStateHost(PfStruct):
    """struct pfsync_state_host: address and port."""

    addr: int = 0
    port: int = 0


class PfStatePeer(PfStruct):
    """struct pfsync_state_peer: one side. wscale has PF_WSCALE_FLAG 0x80 when it was offered."""

    seqlo: int = 0
    seqhi: int = 0
    seqdiff: int = 0
    max_win: int = 0
    mss: int = 0
    state: int = 0
    wscale: int = 0


class PfState(PfStruct):
    """struct pfsync_state: a state as it is shown.

    ifname    interface it is bound to, "all" for a floating one
    rule, anchor, nat_rule   numbers, PF_RULE_NONE for none
    creation  age in seconds       expire  seconds that it has left
    packets, bytes   [in the state's direction, the other way]
    timeout   PFTM_* it is on      sync_flags  PFSTATE_NOSYNC, PFSYNC_FLAG_*
    """

    id: int = 0
    creatorid: int = 0
    ifname: str = ""
    lan: PfStateHost = PfStateHost()
    gwy: PfStateHost = PfStateHost()
    ext: PfStateHost = PfStateHost()
    src: PfStatePeer = PfStatePeer()
    dst: PfStatePeer = PfStatePeer()
    rt_addr: int = 0
    rule: int = PF_RULE_NONE
    anchor: int = PF_RULE_NONE
    nat_rule: int = PF_RULE_NONE
    creation: int = 0
    expire: int = 0
    packets: list[int] = [0, 0]
    bytes: list[int] = [0, 0]
    af: int = 0
    proto: int = 0
    direction: int = 0
    log: int = 0
    allow_opts: int = 0
    timeout: int = 0
    sync_flags: int = 0


class PfIocState(PfStruct):
    """struct pfioc_state: DIOCGETSTATE by number, DIOCADDSTATE."""

    nr: int = 0
    state: PfState = PfState()


class PfIocStates(PfStruct):
    """struct pfioc_states, a page of the table.

    first   in: how many to leave out       count  in: at most so many (PAGE_STATES); 0: none
    total   out: how many there are         states out
    """

    first: int = 0
    count: int = PAGE_STATES
    total: int = 0
    states: list[PfState] = []


class PfIocStateKill(PfStruct):
    """struct pfioc_state_kill: which states; the number of those killed comes back in *af*."""

    af: int = 0
    proto: int = 0
    src: PfRuleAddr = PfRuleAddr()
    dst: PfRuleAddr = PfRuleAddr()
    ifname: str = ""


class PfIocIf(PfStruct):
    """struct pfioc_if: the log interface, "" for none."""

    ifname: str = ""


class PfStatus(PfStruct):
    """struct pf_status.

    counters   by reason           lcounters  limits          fcounters, scounters  FCNT_NAMES
    pcounters  packets of the log interface, flat: family (0 IPv4, 1 IPv6) * 6 + direction (0 in,
               1 out) * 3 + action (PF_PASS 0, PF_DROP 1, other 2)
    bcounters  octets of it: family * 2 + direction
    since      seconds since 1970 of the last start or stop, 0 for never
    dialect    ours: 42, or 37 if the module was loaded so
    """

    counters: list[int] = [0] * 15
    lcounters: list[int] = [0] * 7
    fcounters: list[int] = [0] * 3
    scounters: list[int] = [0] * 3
    pcounters: list[int] = [0] * 12
    bcounters: list[int] = [0] * 4
    stateid: int = 0
    running: int = 0
    states: int = 0
    src_nodes: int = 0
    since: int = 0
    debug: int = 0
    hostid: int = 0
    ifname: str = ""
    chksum: bytes = b"\0" * 16
    dialect: int = 42


class PfIocNatlook(PfStruct):
    """struct pfioc_natlook: both ends of a connection in, both ends before translation out."""

    saddr: int = 0
    daddr: int = 0
    rsaddr: int = 0
    rdaddr: int = 0
    sport: int = 0
    dport: int = 0
    rsport: int = 0
    rdport: int = 0
    af: int = 0
    proto: int = 0
    direction: int = 0


class PfIocTm(PfStruct):
    """struct pfioc_tm: PFTM_* and seconds; setting gives back the value before."""

    timeout: int = 0
    seconds: int = 0


class PfIocLimit(PfStruct):
    """struct pfioc_limit: PF_LIMIT_* and the limit; setting gives back the value before."""

    index: int = 0
    limit: int = 0


class PfAltq(PfStruct):
    """struct pf_altq: an interface's discipline (qname "") or one queue.

    tbrsize     octets               ifbandwidth, bandwidth  bits per second
    optflags    CBQCLF_*, PRCF_* or HFCF_*
    cbq         [minburst, maxburst, pktsize, maxpktsize, ns_per_byte, maxidle, minidle, offtime]
    hfsc        [rtsc m1, d, m2, lssc m1, d, m2, ulsc m1, d, m2]; m in bits per second, d in ms
    qid         out of DIOCADDALTQ and DIOCGETALTQ
    """

    ifname: str = ""
    scheduler: int = 0
    tbrsize: int = 0
    ifbandwidth: int = 0
    qname: str = ""
    parent: str = ""
    parent_qid: int = 0
    bandwidth: int = 0
    priority: int = 0
    qlimit: int = 0
    flags: int = 0
    optflags: int = 0
    cbq: list[int] = [0] * 8
    hfsc: list[int] = [0] * 9
    qid: int = 0


class PfIocAltq(PfStruct):
    """struct pfioc_altq: nr out of DIOCGETALTQS; ticket and nr into DIOCGETALTQ."""

    action: int = 0
    ticket: int = 0
    nr: int = 0
    altq: PfAltq = PfAltq()


class PfQueueStats(PfStruct):
    """What class_stats_t of cbq, priq and hfsc have in common, and what cbq has besides."""

    handle: int = 0
    xmit_packets: int = 0
    xmit_bytes: int = 0
    drop_packets: int = 0
    drop_bytes: int = 0
    qlength: int = 0
    qlimit: int = 0
    period: int = 0
    borrows: int = 0
    delays: int = 0
    qtype: int = 0
    marked_packets: int = 0


class PfIocQstats(PfStruct):
    """struct pfioc_qstats: ticket and nr as for DIOCGETALTQ; stats out."""

    ticket: int = 0
    nr: int = 0
    scheduler: int = 0
    stats: PfQueueStats = PfQueueStats()


class PfIocRuleset(PfStruct):
    """struct pfioc_ruleset: number of children of the anchor *path*, or the name of one."""

    nr: int = 0
    path: str = ""
    name: str = ""


class PfIocTransE(PfStruct):
    """One ruleset of a transaction: PF_RULESET_*, anchor path, ticket (out of DIOCXBEGIN)."""

    rs_num: int = 0
    anchor: str = ""
    ticket: int = 0


class PfIocTrans(PfStruct):
    """struct pfioc_trans."""

    array: list[PfIocTransE] = []


class PfrTable(PfStruct):
    """struct pfr_table: a table by anchor path and name; PFR_TFLAG_*; feedback."""

    anchor: str = ""
    name: str = ""
    flags: int = 0
    fback: int = 0


class PfrTstats(PfStruct):
    """struct pfr_tstats.

    packets, bytes   flat: PFR_DIR_* * PFR_OP_TABLE_MAX + PFR_OP_*
    tzero   seconds since 1970       cnt  addresses       refcnt  [rules, anchors]
    """

    t: PfrTable = PfrTable()
    packets: list[int] = [0] * 6
    bytes: list[int] = [0] * 6
    match: int = 0
    nomatch: int = 0
    tzero: int = 0
    cnt: int = 0
    refcnt: list[int] = [0, 0]


class PfIocTable(PfStruct):
    """struct pfioc_table: any DIOCR*.

    table    the table, or the filter of those that are listed (anchor, name may be "")
    tables   of RADDTABLES, RDELTABLES, RCLRTSTATS, RSETTFLAGS in; of RGETTABLES out
    tstats   of RGETTSTATS out
    addrs    addresses, see pack_addrs(): in, and out with PFR_FLAG_FEEDBACK; of RGETADDRS out
    astats   of RGETASTATS out, see pack_astats(), from the address *first* on, PAGE_ASTATS of them
    size     how many addresses are in *addrs*; of RGETADDRS and RGETASTATS out: how many there are
    size2    of RSETADDRS out: deleted addresses that follow in addrs with PFR_FLAG_FEEDBACK;
             of RINADEFINE out: how many addresses
    nadd, ndel, nchange   out; nadd is also nmatch of RTSTADDRS, nzero of RCLRTSTATS and
             RCLRASTATS, and "exists"
    setflag, clrflag      of RSETTFLAGS
    flags    PFR_FLAG_*              ticket  of the transaction, for RINADEFINE
    """

    table: PfrTable = PfrTable()
    tables: list[PfrTable] = []
    tstats: list[PfrTstats] = []
    addrs: bytes = b""
    astats: bytes = b""
    first: int = 0
    size: int = 0
    size2: int = 0
    nadd: int = 0
    ndel: int = 0
    nchange: int = 0
    setflag: int = 0
    clrflag: int = 0
    flags: int = 0
    ticket: int = 0


class PfOsfp(PfStruct):
    """struct pf_osfp_ioctl: one fingerprint.

    os          packed class, version and subtype        enflags  PF_OSFP_EXPANDED and kin
    tcpopts     PF_OSFP_TCPOPT_*, three bits each        optcnt   how many
    getnum      of DIOCOSFPGET in: which one; EBUSY past the end
    """

    os: int = 0
    enflags: int = 0
    class_nm: str = ""
    version_nm: str = ""
    subtype_nm: str = ""
    tcpopts: int = 0
    wsize: int = 0
    psize: int = 0
    mss: int = 0
    flags: int = 0
    optcnt: int = 0
    wscale: int = 0
    ttl: int = 0
    getnum: int = 0


class PfSrcNode(PfStruct):
    """struct pf_src_node as it is shown.

    rule      number, PF_RULE_NONE for a global node      ruletype  PF_PASS, PF_NAT or PF_RDR
    conn_rate [limit, seconds, count]: count is scaled by 1000 as in the C struct
    creation, expire  age and seconds left
    """

    addr: int = 0
    raddr: int = 0
    rule: int = PF_RULE_NONE
    bytes: list[int] = [0, 0]
    packets: list[int] = [0, 0]
    states: int = 0
    conn: int = 0
    conn_rate: list[int] = [0, 0, 0]
    creation: int = 0
    expire: int = 0
    af: int = 0
    ruletype: int = 0


class PfIocSrcNodes(PfStruct):
    """struct pfioc_src_nodes, a page as in PfIocStates."""

    first: int = 0
    count: int = PAGE_STATES
    total: int = 0
    nodes: list[PfSrcNode] = []


class PfIocSrcNodeKill(PfStruct):
    """struct pfioc_src_node_kill; the number of those killed comes back in *af*."""

    af: int = 0
    src: PfRuleAddr = PfRuleAddr()
    dst: PfRuleAddr = PfRuleAddr()


class PfiKif(PfStruct):
    """struct pfi_kif: an interface or group that pf knows.

    packets, bytes   flat: family (0 IPv4, 1 IPv6) * 4 + direction (0 in, 1 out) * 2 + (0 pass,
                     1 block)
    flags   PFI_IFLAG_SKIP        states, rules  references       tzero  seconds since 1970
    group   whether it stands for a group     attached  whether the interface exists
    """

    name: str = ""
    packets: list[int] = [0] * 8
    bytes: list[int] = [0] * 8
    tzero: int = 0
    flags: int = 0
    states: int = 0
    rules: int = 0
    group: int = 0
    attached: int = 0


class PfIocIface(PfStruct):
    """struct pfioc_iface: a name ("" for all) and a flag, or the list that comes back by name."""

    name: str = ""
    ifaces: list[PfiKif] = []
    nzero: int = 0
    flags: int = 0


_ADDR = Packer("!16sBBBB")  # struct pfr_addr: address (IPv4 in front), af, net, not, fback
PFR_ADDR_SIZE: Final = _ADDR.size
_ASTATS = Packer("!16sBBBB9Q")  # struct pfr_astats with a 64-bit time
PFR_ASTATS_SIZE: Final = _ASTATS.size

PfrAddr = tuple[int, int, int, int, int]
_PAD = b"\0" * 12


def pack_addr(af: int, addr: int, net: int, neg: int = 0, fback: int = 0) -> bytes:
    """Return struct pfr_addr: family, address, prefix length, whether negated, feedback.

    >>> pack_addr(2, 0x0a000001, 32).hex()
    '0a00000100000000000000000000000002200000'
    """
    if af == AF_INET:
        return _ADDR.pack(addr.to_bytes(4, "big") + _PAD, af, net, neg, fback)
    return _ADDR.pack(addr.to_bytes(16, "big"), af, net, neg, fback)


def unpack_addrs(octets: bytes) -> list[PfrAddr]:
    """Return (af, addr, net, not, fback) of each struct pfr_addr.

    Raises ValueError when the length, a family or a prefix length is wrong.
    """
    if len(octets) % PFR_ADDR_SIZE:
        raise ValueError("not whole structs")
    found = []
    for raw, af, net, neg, fback in _ADDR.iter_unpack(octets):
        if af == AF_INET and net <= 32:
            addr = int.from_bytes(raw[:4], "big")
        elif af == AF_INET6 and net <= 128:
            addr = int.from_bytes(raw, "big")
        else:
            raise ValueError("no address")
        found.append((af, addr, net, neg, fback))
    return found


def pack_astats(addr: bytes, packets: list[int], octets: list[int], tzero: int) -> bytes:
    """Return struct pfr_astats: a packed address, 4 + 4 counters (direction * 2 + op), time."""
    return addr + b"".join(v.to_bytes(8, "big") for v in (*packets, *octets, tzero))


def unpack_astats(octets: bytes) -> list[tuple[PfrAddr, list[int], list[int], int]]:
    """Return (address, packets, bytes, tzero) of each; ValueError as unpack_addrs()."""
    if len(octets) % PFR_ASTATS_SIZE:
        raise ValueError("not whole structs")
    found = []
    for at in range(0, len(octets), PFR_ASTATS_SIZE):
        (addr,) = unpack_addrs(octets[at : at + PFR_ADDR_SIZE])
        numbers = _ASTATS.unpack_from(octets, at)[5:]
        found.append((addr, list(numbers[:4]), list(numbers[4:8]), int(numbers[8])))
    return found


def _d(name: str, num: int, arg: type[Struct] | type[int] | None, size: int = 0) -> Ioctl:
    way = VOID if arg is None else INOUT
    return declare(Ioctl(name, "D", num, way, arg, size=size, suser=True, man="pf.4"))


DIOCSTART = _d("DIOCSTART", 1, None)
DIOCSTOP = _d("DIOCSTOP", 2, None)
DIOCADDRULE = _d("DIOCADDRULE", 4, PfIocRule, 2888)
DIOCGETRULES = _d("DIOCGETRULES", 6, PfIocRule, 2888)
DIOCGETRULE = _d("DIOCGETRULE", 7, PfIocRule, 2888)
DIOCCLRSTATES = _d("DIOCCLRSTATES", 18, PfIocStateKill, 120)
DIOCGETSTATE = _d("DIOCGETSTATE", 19, PfIocState, 8)
DIOCSETSTATUSIF = _d("DIOCSETSTATUSIF", 20, PfIocIf, 16)
DIOCGETSTATUS = _d("DIOCGETSTATUS", 21, PfStatus, 416)
DIOCCLRSTATUS = _d("DIOCCLRSTATUS", 22, None)
DIOCNATLOOK = _d("DIOCNATLOOK", 23, PfIocNatlook, 76)
DIOCSETDEBUG = _d("DIOCSETDEBUG", 24, int, 4)
DIOCGETSTATES = _d("DIOCGETSTATES", 25, PfIocStates, 8)
DIOCCHANGERULE = _d("DIOCCHANGERULE", 26, PfIocRule, 2888)
DIOCSETTIMEOUT = _d("DIOCSETTIMEOUT", 29, PfIocTm, 8)
DIOCGETTIMEOUT = _d("DIOCGETTIMEOUT", 30, PfIocTm, 8)
DIOCADDSTATE = _d("DIOCADDSTATE", 37, PfIocState, 8)
DIOCCLRRULECTRS = _d("DIOCCLRRULECTRS", 38, None)
DIOCGETLIMIT = _d("DIOCGETLIMIT", 39, PfIocLimit, 8)
DIOCSETLIMIT = _d("DIOCSETLIMIT", 40, PfIocLimit, 8)
DIOCKILLSTATES = _d("DIOCKILLSTATES", 41, PfIocStateKill, 120)
DIOCSTARTALTQ = _d("DIOCSTARTALTQ", 42, None)
DIOCSTOPALTQ = _d("DIOCSTOPALTQ", 43, None)
DIOCADDALTQ = _d("DIOCADDALTQ", 45, PfIocAltq, 236)
DIOCGETALTQS = _d("DIOCGETALTQS", 47, PfIocAltq, 236)
DIOCGETALTQ = _d("DIOCGETALTQ", 48, PfIocAltq, 236)
DIOCCHANGEALTQ = _d("DIOCCHANGEALTQ", 49, PfIocAltq, 236)
DIOCGETQSTATS = _d("DIOCGETQSTATS", 50, PfIocQstats, 20)
DIOCBEGINADDRS = _d("DIOCBEGINADDRS", 51, PfIocPoolAddr, 1112)
DIOCADDADDR = _d("DIOCADDADDR", 52, PfIocPoolAddr, 1112)
DIOCGETADDRS = _d("DIOCGETADDRS", 53, PfIocPoolAddr, 1112)
DIOCGETADDR = _d("DIOCGETADDR", 54, PfIocPoolAddr, 1112)
DIOCCHANGEADDR = _d("DIOCCHANGEADDR", 55, PfIocPoolAddr, 1112)
DIOCGETRULESETS = _d("DIOCGETRULESETS", 58, PfIocRuleset, 1092)
DIOCGETRULESET = _d("DIOCGETRULESET", 59, PfIocRuleset, 1092)
DIOCRCLRTABLES = _d("DIOCRCLRTABLES", 60, PfIocTable, 1100)
DIOCRADDTABLES = _d("DIOCRADDTABLES", 61, PfIocTable, 1100)
DIOCRDELTABLES = _d("DIOCRDELTABLES", 62, PfIocTable, 1100)
DIOCRGETTABLES = _d("DIOCRGETTABLES", 63, PfIocTable, 1100)
DIOCRGETTSTATS = _d("DIOCRGETTSTATS", 64, PfIocTable, 1100)
DIOCRCLRTSTATS = _d("DIOCRCLRTSTATS", 65, PfIocTable, 1100)
DIOCRCLRADDRS = _d("DIOCRCLRADDRS", 66, PfIocTable, 1100)
DIOCRADDADDRS = _d("DIOCRADDADDRS", 67, PfIocTable, 1100)
DIOCRDELADDRS = _d("DIOCRDELADDRS", 68, PfIocTable, 1100)
DIOCRSETADDRS = _d("DIOCRSETADDRS", 69, PfIocTable, 1100)
DIOCRGETADDRS = _d("DIOCRGETADDRS", 70, PfIocTable, 1100)
DIOCRGETASTATS = _d("DIOCRGETASTATS", 71, PfIocTable, 1100)
DIOCRCLRASTATS = _d("DIOCRCLRASTATS", 72, PfIocTable, 1100)
DIOCRTSTADDRS = _d("DIOCRTSTADDRS", 73, PfIocTable, 1100)
DIOCRSETTFLAGS = _d("DIOCRSETTFLAGS", 74, PfIocTable, 1100)
DIOCRINADEFINE = _d("DIOCRINADEFINE", 77, PfIocTable, 1100)
DIOCOSFPFLUSH = _d("DIOCOSFPFLUSH", 78, None)
DIOCOSFPADD = _d("DIOCOSFPADD", 79, PfOsfp, 132)
DIOCOSFPGET = _d("DIOCOSFPGET", 80, PfOsfp, 132)
DIOCXBEGIN = _d("DIOCXBEGIN", 81, PfIocTrans, 12)
DIOCXCOMMIT = _d("DIOCXCOMMIT", 82, PfIocTrans, 12)
DIOCXROLLBACK = _d("DIOCXROLLBACK", 83, PfIocTrans, 12)
DIOCGETSRCNODES = _d("DIOCGETSRCNODES", 84, PfIocSrcNodes, 8)
DIOCCLRSRCNODES = _d("DIOCCLRSRCNODES", 85, None)
DIOCSETHOSTID = _d("DIOCSETHOSTID", 86, int, 4)
DIOCIGETIFACES = _d("DIOCIGETIFACES", 87, PfIocIface, 36)
# What the older dialect cleared an interface's statistics with; the newer one has no such call.
DIOCICLRISTATS = _d("DIOCICLRISTATS", 88, PfIocIface, 36)
DIOCSETIFFLAG = _d("DIOCSETIFFLAG", 89, PfIocIface, 36)
DIOCCLRIFFLAG = _d("DIOCCLRIFFLAG", 90, PfIocIface, 36)
DIOCKILLSRCNODES = _d("DIOCKILLSRCNODES", 91, PfIocSrcNodeKill, 100)

# Those that work on a descriptor opened for reading only: DIOCGETRULE with PF_GET_NONE alone.
READING: Final = frozenset(
    {
        "DIOCGETRULES", "DIOCGETRULE", "DIOCGETADDRS", "DIOCGETADDR", "DIOCGETSTATE",
        "DIOCGETSTATES", "DIOCGETSTATUS", "DIOCGETTIMEOUT", "DIOCGETLIMIT", "DIOCGETALTQS",
        "DIOCGETALTQ", "DIOCGETQSTATS", "DIOCGETRULESETS", "DIOCGETRULESET", "DIOCNATLOOK",
        "DIOCRGETTABLES", "DIOCRGETTSTATS", "DIOCRGETADDRS", "DIOCRGETASTATS", "DIOCRTSTADDRS",
        "DIOCOSFPGET", "DIOCGETSRCNODES", "DIOCIGETIFACES",
    }
)  # fmt: skip
# ... and those that do with PFR_FLAG_DUMMY.
DRY_RUNS: Final = frozenset(
    {
        "DIOCRCLRTABLES", "DIOCRADDTABLES", "DIOCRDELTABLES", "DIOCRCLRTSTATS", "DIOCRCLRADDRS",
        "DIOCRADDADDRS", "DIOCRDELADDRS", "DIOCRSETADDRS", "DIOCRSETTFLAGS",
    }
)  # fmt: skip
