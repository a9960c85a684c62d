"""The optimizer: the same verdict for every packet, before and after, on a model of evaluation."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import AF_INET
from libnet.conf.pfconf.base import OPTIMIZE_BASIC, OPTIMIZE_PROFILE, Loaded
from libnet.conf.pfconf.nodes import Anchor
from libnet.conf.pfconf.optimize import TABLE_THRESHOLD, optimize
from libnet.ioctl.pf import (
    PF_ADDR_ADDRMASK,
    PF_ADDR_TABLE,
    PF_DROP,
    PF_IN,
    PF_OP_EQ,
    PF_OUT,
    PF_PASS,
    PfAddrWrap,
    PfRule,
    PfRuleAddr,
)

IFACES = ("wm0", "wm1", "lo")
MASKS = (0xFFFFFFFF, 0xFFFFFFFC, 0)
ADDRS = range(0x0A000000, 0x0A000010)


def host(addr, mask=0xFFFFFFFF):
    return PfAddrWrap(addr=addr & mask, mask=mask)


def rule(action=PF_PASS, *, src=None, dst=None, port=0, **fields):
    made = PfRule(action=action, af=AF_INET, **fields)
    if src is not None:
        made.src = PfRuleAddr(addr=src)
    if dst is not None:
        made.dst = PfRuleAddr(addr=dst)
    if port:
        made.proto = 6
        made.dst.port, made.dst.port_op = [port, 0], PF_OP_EQ
    return Loaded(made, None)


class Tables:
    def __init__(self):
        self.made = {}

    def __call__(self, number, addrs):
        name = f"t{number}"
        self.made[name] = [(wrap.addr, wrap.mask) for _af, wrap in addrs]
        return name


def run(rules, level=OPTIMIZE_BASIC, **kw):
    tables = Tables()
    return optimize(rules, level, tables, **kw), tables.made


def matches(end, addr, tables):
    wrap = end.addr
    if wrap.type == PF_ADDR_TABLE:
        hit = any(addr & mask == base for base, mask in tables[wrap.tblname])
    else:
        assert wrap.type == PF_ADDR_ADDRMASK
        hit = addr & wrap.mask == wrap.addr
    return hit != bool(end.neg)


def verdict(rules, tables, packet):
    """Return what the last matching rule does: its action, and what it leaves behind."""
    iface, direction, proto, src, dst, port = packet
    last = None
    for one in rules:
        r = one.rule
        if r.ifname and (not iface.startswith(r.ifname)) != bool(r.ifnot):
            continue
        if r.direction not in (0, direction) or r.proto not in (0, proto):
            continue
        if not matches(r.src, src, tables) or not matches(r.dst, dst, tables):
            continue
        if r.dst.port_op and r.dst.port[0] != port:
            continue
        last = (r.action, r.quick, r.tagname, r.log)
        if r.quick:
            break
    return last


ends = st.builds(host, st.sampled_from(ADDRS), st.sampled_from(MASKS))
made_rules = st.builds(
    rule,
    st.sampled_from([PF_PASS, PF_DROP]),
    src=ends,
    dst=ends,
    port=st.sampled_from([0, 0, 22, 80]),
    ifname=st.sampled_from(["", *IFACES]),
    ifnot=st.just(0),
    direction=st.sampled_from([0, PF_IN, PF_OUT]),
    quick=st.sampled_from([0, 0, 1]),
    tagname=st.sampled_from(["", "", "", "T"]),
    log=st.sampled_from([0, 0, 0, 1]),
)
packets = st.tuples(
    st.sampled_from(["wm0", "wm1", "lo0"]),
    st.sampled_from([PF_IN, PF_OUT]),
    st.sampled_from([6, 17]),
    st.sampled_from(ADDRS),
    st.sampled_from(ADDRS),
    st.sampled_from([22, 80, 443]),
)


@given(st.lists(made_rules, max_size=25), st.lists(packets, min_size=20, max_size=20))
def test_every_packet_gets_the_same_verdict(rules, sent):
    before = [verdict(rules, {}, packet) for packet in sent]
    copies = [Loaded(one.rule.copy(), one.anchor) for one in rules]
    after, tables = run(copies)
    assert [verdict(after, tables, packet) for packet in sent] == before
    assert [one.rule.nr for one in after] == list(range(len(after)))
    assert len(after) <= len(rules)


@given(st.lists(made_rules, max_size=12))
def test_what_is_optimized_stays_as_it_is(rules):
    once, _ = run([Loaded(one.rule.copy(), None) for one in rules])
    twice, _ = run([Loaded(one.rule.copy(), None) for one in once])
    assert len(twice) == len(once)


def test_a_rule_that_a_wider_one_covers_goes():
    narrow, wide = rule(src=host(0x0A000001)), rule(src=host(0x0A000000, 0xFFFFFF00))
    assert run([narrow, wide])[0] == [wide]


def test_of_equal_rules_the_first_stays():
    one, other = rule(ifname="wm0"), rule(ifname="wm0")
    (left,), _ = run([one, other])
    assert left is one


def test_six_hosts_become_one_table_and_five_do_not():
    def pass_from(count):
        return [rule(src=host(0x0A000000 + n), ifname="wm0") for n in range(count)]

    assert len(run(pass_from(TABLE_THRESHOLD - 1))[0]) == TABLE_THRESHOLD - 1
    (one,), tables = run(pass_from(TABLE_THRESHOLD))
    assert one.rule.src.addr == PfAddrWrap(type=PF_ADDR_TABLE, tblname="t0")
    assert len(tables["t0"]) == TABLE_THRESHOLD


def test_rules_that_are_alike_come_together():
    rules = [rule(src=host(0x0A000000 + n), ifname=f"wm{n % 2}", port=100 + n) for n in range(6)]
    after, _ = run(rules)
    assert [one.rule.ifname for one in after] == ["wm0"] * 3 + ["wm1"] * 3


def test_a_label_keeps_a_rule_where_it_is():
    rules = [
        rule(ifname="wm0", port=1),
        rule(ifname="wm1", port=2),
        rule(ifname="wm0", port=3, label="x"),
        rule(ifname="wm1", port=4),
    ]
    assert [one.rule.dst.port[0] for one in run(rules)[0]] == [1, 2, 3, 4]


def test_a_group_of_interfaces_and_its_members_are_never_reordered():
    rules = [rule(ifname="wm", port=1), rule(ifname="wm0", port=2), rule(ifname="wm", port=3)]
    assert [one.rule.dst.port[0] for one in run(rules)[0]] == [1, 2, 3]


def test_an_anchor_keeps_its_place():
    call = rule()
    call.anchor = Anchor("a", "a")
    rules = [rule(port=1), call, rule(port=2)]
    assert run(rules)[0] == rules


def test_a_profile_puts_busy_quick_rules_first():
    rules = [rule(quick=1, port=port) for port in (1, 2, 3)]
    running = [Loaded(one.rule.copy(), None) for one in rules]
    for one, packets_in in zip(running, (5, 50, 20), strict=True):
        one.rule.packets = [packets_in, 0]
    after, _ = run(rules, OPTIMIZE_BASIC | OPTIMIZE_PROFILE, profile=running)
    assert [one.rule.dst.port[0] for one in after] == [2, 3, 1]
