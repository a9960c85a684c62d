"""Rules, tables, queues and addresses as pfctl(8) prints them."""

from __future__ import annotations

from libnet.addr import AF_INET, AF_INET6
from libnet.conf.hosts import Protocols, Services
from libnet.conf.pfconf.addr6 import mask_len, ntop
from libnet.conf.pfconf.fp import Fingerprints
from libnet.conf.pfconf.names import TIMEOUT_NAME, flag_letters, icmp_code_name, icmp_type_name
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_DYNIFTL,
    PF_ADDR_NOROUTE,
    PF_ADDR_RTLABEL,
    PF_ADDR_TABLE,
    PF_ADDR_URPFFAILED,
    PF_BINAT,
    PF_DROP,
    PF_FASTROUTE,
    PF_FLUSH_GLOBAL,
    PF_IN,
    PF_LOG,
    PF_LOG_ALL,
    PF_LOG_SOCKET_LOOKUP,
    PF_NAT,
    PF_NORDR,
    PF_OP_EQ,
    PF_OP_GE,
    PF_OP_GT,
    PF_OP_IRG,
    PF_OP_LE,
    PF_OP_LT,
    PF_OP_NE,
    PF_OP_RRG,
    PF_OP_XRG,
    PF_OSFP_ANY,
    PF_OUT,
    PF_PASS,
    PF_POOL_STICKYADDR,
    PF_POOL_TYPEMASK,
    PF_RDR,
    PF_SCRUB,
    PFI_AFLAG_BROADCAST,
    PFI_AFLAG_NETWORK,
    PFI_AFLAG_NOALIAS,
    PFI_AFLAG_PEER,
    PFRULE_FRAGCROP,
    PFRULE_FRAGDROP,
    PFRULE_FRAGMENT,
    PFRULE_GRBOUND,
    PFRULE_IFBOUND,
    PFRULE_NODF,
    PFRULE_NOSYNC,
    PFRULE_RANDOMID,
    PFRULE_REASSEMBLE_TCP,
    PFRULE_RETURN,
    PFRULE_RETURNICMP,
    PFRULE_RETURNRST,
    PFRULE_RULESRCTRACK,
    PFRULE_SRCTRACK,
    PfAddrWrap,
    PfPool,
    PfRule,
    PfRuleAddr,
)

NAT_PORT_LOW = 50001
NAT_PORT_HIGH = 65535
UID_MAX = 0xFFFFFFFF  # stands for "unknown"

_ACTIONS = (
    "pass",
    "block",
    "scrub",
    "no scrub",
    "nat",
    "no nat",
    "binat",
    "no binat",
    "rdr",
    "no rdr",
)
_ANCHORS = ("anchor",) * 4 + ("nat-anchor",) * 2 + ("binat-anchor",) * 2 + ("rdr-anchor",) * 2
_OPS = {
    PF_OP_IRG: " {} >< {}",
    PF_OP_XRG: " {} <> {}",
    PF_OP_EQ: " = {}",
    PF_OP_NE: " != {}",
    PF_OP_LT: " < {}",
    PF_OP_LE: " <= {}",
    PF_OP_GT: " > {}",
    PF_OP_GE: " >= {}",
    PF_OP_RRG: " {}:{}",
}
_ROUTES = ("", " fastroute", " route-to", " dup-to", " reply-to")
_POOLS = ("", " bitmask", " random", "", " round-robin")
_STATES = ("", " keep state", " modulate state", " synproxy state")
IPPROTO_TCP = 6


def addr_text(wrap: PfAddrWrap, af: int, verbose: bool) -> str:
    """Return an address word; with *verbose* how many addresses a table or interface has."""
    kind = wrap.type
    if kind == PF_ADDR_ADDRMASK:
        if not wrap.addr and not wrap.mask:
            return "any"
        text = ntop(af, wrap.addr) if af in (AF_INET, AF_INET6) else "?"
    elif kind == PF_ADDR_TABLE:
        if not verbose:
            return f"<{wrap.tblname}>"
        return f"<{wrap.tblname}:{'*' if wrap.cnt == -1 else wrap.cnt}>"
    elif kind == PF_ADDR_DYNIFTL:
        text = _dyn_text(wrap, verbose)
    elif kind == PF_ADDR_NOROUTE:
        return "no-route"
    elif kind == PF_ADDR_URPFFAILED:
        return "urpf-failed"
    elif kind == PF_ADDR_RTLABEL:
        return f'route "{wrap.rtlabelname}"'
    else:
        return "?"
    bits = mask_len(af, wrap.mask)
    return text if bits == (32 if af == AF_INET else 128) else f"{text}/{bits}"


def _dyn_text(wrap: PfAddrWrap, verbose: bool) -> str:
    flags = wrap.iflags
    text = f"({wrap.ifname}"
    if flags & PFI_AFLAG_NETWORK:
        text += ":network"
    if flags & PFI_AFLAG_BROADCAST:
        text += ":broadcast"
    if flags & PFI_AFLAG_PEER:
        text += ":peer"
    if flags & PFI_AFLAG_NOALIAS:
        text += ":0"
    if verbose:
        text += f":{wrap.cnt}" if wrap.cnt > 0 else ":*"
    return text + ")"


def op_text(op: int, first: object, second: object) -> str:
    """Return " = 1", " 1 >< 2" and the like."""
    return _OPS[op].format(first, second) if op in _OPS else ""


class Printer:
    """Prints rules with the names that a host has.

    dialect 37 prints the older forms: no "flags any", no "no state", log-all
    """

    def __init__(
        self, services: Services, protocols: Protocols, fps: Fingerprints, *, dialect: int = 42
    ) -> None:
        self._services, self._protocols, self._fps = services, protocols, fps
        self.dialect = dialect

    def proto(self, number: int) -> str:
        """Return a protocol's name, or its number."""
        return self._protocols.by_number.get(number) or str(number)

    def _port(self, one: PfRuleAddr, proto: int) -> str:
        low, high = one.port
        name = None
        if one.port_op in (PF_OP_EQ, PF_OP_NE):
            table = "tcp" if proto == IPPROTO_TCP else "udp"
            name = self._services.by_port.get((low, table))
        return " port" + op_text(one.port_op, name or low, high)

    def _fromto(self, rule: PfRule, verbose: bool) -> str:
        src, dst, os = rule.src, rule.dst, rule.os_fingerprint
        if os == PF_OSFP_ANY and _is_any(src) and _is_any(dst):
            return " all"
        text = " from "
        if src.neg:
            text += "! "
        text += addr_text(src.addr, rule.af, verbose)
        if src.port_op:
            text += self._port(src, rule.proto)
        if os != PF_OSFP_ANY:
            text += f' os "{self._fps.name(os)}"'
        text += " to "
        if dst.neg:
            text += "! "
        text += addr_text(dst.addr, rule.af, verbose)
        if dst.port_op:
            text += self._port(dst, rule.proto)
        return text

    def rule(self, rule: PfRule, anchor_call: str = "", verbose: bool = False) -> str:
        """Return a rule's line without newline.

        anchor_call  name of the anchor that it calls, "" for none
        verbose      with the rule's number in front and counts in tables
        """
        out = [f"@{rule.nr} "] if verbose else []
        out.append(self._action(rule, anchor_call))
        if rule.direction == PF_IN:
            out.append(" in")
        elif rule.direction == PF_OUT:
            out.append(" out")
        if rule.log:
            out.append(self._log(rule))
        if rule.quick:
            out.append(" quick")
        if rule.ifname:
            out.append(f" on ! {rule.ifname}" if rule.ifnot else f" on {rule.ifname}")
        if rule.rt:
            out.append(_ROUTES[rule.rt] if rule.rt < len(_ROUTES) else "")
            if rule.rt != PF_FASTROUTE:
                out.append(" " + pool_text(rule.rpool, rule.af, PF_PASS))
        if rule.af:
            out.append(" inet" if rule.af == AF_INET else " inet6")
        if rule.proto:
            out.append(f" proto {self.proto(rule.proto)}")
        out.append(self._fromto(rule, verbose))
        out.append(self._packet_tests(rule, anchor_call))
        out.append(self._state(rule, anchor_call))
        out.append(_scrub_and_flags(rule))
        out.append(_tail(rule))
        if not anchor_call and rule.action in (PF_NAT, PF_BINAT, PF_RDR):
            out.append(" -> " + pool_text(rule.rpool, rule.af, rule.action))
        return "".join(out)

    def _action(self, rule: PfRule, anchor_call: str) -> str:
        action = rule.action
        if action > PF_NORDR:
            text = f"action({action})"
        elif anchor_call:
            text = _ANCHORS[action]
            if anchor_call[0] != "_" or self.dialect == 37:
                text += f' "{anchor_call}"'
        else:
            text = _ACTIONS[action] + (" pass" if rule.natpass else "")
        if action != PF_DROP:
            return text
        flags = rule.rule_flag
        if flags & PFRULE_RETURN:
            return text + " return"
        if flags & PFRULE_RETURNRST:
            ttl = rule.return_ttl
            return text + (f" return-rst(ttl {ttl})" if ttl else " return-rst")
        if flags & PFRULE_RETURNICMP:
            return text + _return_icmp(rule)
        return text + " drop"

    def _log(self, rule: PfRule) -> str:
        if self.dialect == 37:
            return " log-all" if rule.log & PF_LOG_ALL else " log"
        words = []
        if rule.log & PF_LOG_ALL:
            words.append("all")
        if rule.log & PF_LOG_SOCKET_LOOKUP:
            words.append("user")
        if rule.logif:
            words.append(f"to pflog{rule.logif}")
        more = rule.log & ~PF_LOG or rule.logif
        return f" log ({', '.join(words)})" if more else " log"

    def _packet_tests(self, rule: PfRule, anchor_call: str) -> str:
        text = ""
        for word, ids in (("user", rule.uid), ("group", rule.gid)):
            if ids.op:
                first: object = ids.uid[0]
                if first == UID_MAX and ids.op in (PF_OP_EQ, PF_OP_NE):
                    first = "unknown"
                text += f" {word}" + op_text(ids.op, first, ids.uid[1])
        if rule.flags or rule.flagset:
            text += f" flags {flag_letters(rule.flags)}/{flag_letters(rule.flagset)}"
        elif (
            self.dialect != 37
            and rule.action == PF_PASS
            and rule.proto in (0, IPPROTO_TCP)
            and not rule.rule_flag & PFRULE_FRAGMENT
            and not anchor_call
            and rule.keep_state
        ):
            text += " flags any"
        if rule.type:
            text += _icmp(rule)
        if rule.tos:
            text += f" tos 0x{rule.tos:02x}"
        return text

    def _state(self, rule: PfRule, anchor_call: str) -> str:
        text = ""
        if rule.keep_state:
            text = _STATES[rule.keep_state] if rule.keep_state < len(_STATES) else ""
        elif rule.action == PF_PASS and not anchor_call and self.dialect != 37:
            text = " no state"
        if rule.prob:
            text += f" probability {probability_text(rule.prob)}%"
        if (
            rule.max_states
            or rule.max_src_nodes
            or rule.max_src_states
            or rule.rule_flag & (PFRULE_NOSYNC | PFRULE_SRCTRACK | PFRULE_IFBOUND | PFRULE_GRBOUND)
            or any(rule.timeout)
        ):
            text += _state_options(rule)
        return text


def _is_any(one: PfRuleAddr) -> bool:
    wrap = one.addr
    return (
        wrap.type == PF_ADDR_ADDRMASK
        and not wrap.addr
        and not wrap.mask
        and not one.neg
        and not one.port_op
    )


def _return_icmp(rule: PfRule) -> str:
    code4, code6 = rule.return_icmp & 255, rule.return_icmp6 & 255
    name4 = icmp_code_name(rule.return_icmp >> 8, code4, AF_INET) or str(code4)
    name6 = icmp_code_name(rule.return_icmp6 >> 8, code6, AF_INET6) or str(code6)
    if rule.af == AF_INET:
        return f" return-icmp({name4})"
    if rule.af == AF_INET6:
        return f" return-icmp6({name6})"
    return f" return-icmp({name4}, {name6})"


def _icmp(rule: PfRule) -> str:
    type_ = rule.type - 1
    name = icmp_type_name(type_, rule.af) or str(type_)
    text = f" icmp6-type {name}" if rule.af == AF_INET6 else f" icmp-type {name}"
    if rule.code:
        code = rule.code - 1
        text += f" code {icmp_code_name(type_, code, rule.af) or code}"
    return text


def probability_text(prob: int) -> str:
    """Return a stored probability in percent, without zeros at the end.

    >>> probability_text(1 << 31), probability_text(42949673)
    ('50', '1')
    """
    text = f"{prob * 100.0 / 4294967296.0:f}"
    return text.rstrip("0").removesuffix(".") if "." in text else text


def _state_options(rule: PfRule) -> str:
    words = []
    flags = rule.rule_flag
    if rule.max_states:
        words.append(f"max {rule.max_states}")
    if flags & PFRULE_NOSYNC:
        words.append("no-sync")
    if flags & PFRULE_SRCTRACK:
        words.append(f"source-track {'rule' if flags & PFRULE_RULESRCTRACK else 'global'}")
    if rule.max_src_states:
        words.append(f"max-src-states {rule.max_src_states}")
    if rule.max_src_conn:
        words.append(f"max-src-conn {rule.max_src_conn}")
    if rule.max_src_conn_rate[0]:
        limit, seconds = rule.max_src_conn_rate
        words.append(f"max-src-conn-rate {limit}/{seconds}")
    if rule.max_src_nodes:
        words.append(f"max-src-nodes {rule.max_src_nodes}")
    if rule.overload_tblname:
        text = f"overload <{rule.overload_tblname}>"
        if rule.flush:
            text += " flush"
        if rule.flush & PF_FLUSH_GLOBAL:
            text += " global"
        words.append(text)
    if flags & PFRULE_IFBOUND:
        words.append("if-bound")
    if flags & PFRULE_GRBOUND:
        words.append("group-bound")
    for index, seconds in enumerate(rule.timeout):
        if seconds:
            words.append(f"{TIMEOUT_NAME.get(index, 'inv.timeout')} {seconds}")
    return f" ({', '.join(words)})"


def _scrub_and_flags(rule: PfRule) -> str:
    text = ""
    flags = rule.rule_flag
    if flags & PFRULE_FRAGMENT:
        text += " fragment"
    if flags & PFRULE_NODF:
        text += " no-df"
    if flags & PFRULE_RANDOMID:
        text += " random-id"
    if rule.min_ttl:
        text += f" min-ttl {rule.min_ttl}"
    if rule.max_mss:
        text += f" max-mss {rule.max_mss}"
    if rule.allow_opts:
        text += " allow-opts"
    if rule.action == PF_SCRUB:
        if flags & PFRULE_REASSEMBLE_TCP:
            text += " reassemble tcp"
        if flags & PFRULE_FRAGDROP:
            text += " fragment drop-ovl"
        elif flags & PFRULE_FRAGCROP:
            text += " fragment crop"
        else:
            text += " fragment reassemble"
    return text


def _tail(rule: PfRule) -> str:
    text = ""
    if rule.label:
        text += f' label "{rule.label}"'
    if rule.qname and rule.pqname:
        text += f" queue({rule.qname}, {rule.pqname})"
    elif rule.qname:
        text += f" queue {rule.qname}"
    if rule.tagname:
        text += f" tag {rule.tagname}"
    if rule.match_tagname:
        text += f"{' !' if rule.match_tag_not else ''} tagged {rule.match_tagname}"
    if rule.rtableid != -1:
        text += f" rtable {rule.rtableid}"
    return text


def pool_text(pool: PfPool, af: int, action: int) -> str:
    """Return a pool: addresses or next hops, port, kind, sticky-address, static-port."""
    parts = []
    for one in pool.list:
        wrap = one.addr
        if action != PF_PASS:
            parts.append(addr_text(wrap, af, False))
        elif wrap.type == PF_ADDR_ADDRMASK and not wrap.addr:
            parts.append(one.ifname)
        else:
            parts.append(f"({one.ifname} {addr_text(wrap, af, False)})")
    text = ", ".join(parts)
    if len(parts) > 1:
        text = f"{{ {text} }}"
    low, high = pool.proxy_port
    if action == PF_NAT and (low, high) not in ((NAT_PORT_LOW, NAT_PORT_HIGH), (0, 0)):
        text += f" port {low}" if low == high else f" port {low}:{high}"
    if action == PF_RDR and low:
        text += f" port {low}"
        if high and high != low:
            text += f":{high}"
    kind = pool.opts & PF_POOL_TYPEMASK
    if kind == 3:
        text += f" source-hash 0x{pool.key.hex()}"
    elif kind < len(_POOLS):
        text += _POOLS[kind]
    if pool.opts & PF_POOL_STICKYADDR:
        text += " sticky-address"
    if action == PF_NAT and low == 0 and high == 0:
        text += " static-port"
    return text
