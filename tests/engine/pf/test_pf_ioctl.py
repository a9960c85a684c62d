"""/dev/pf itself: transactions, tickets, pages, and whatever a program may send."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import AF_INET
from libnet.clock import Clock
from libnet.engine.kern.socket import Cred
from libnet.engine.pf.pf import Pf
from libnet.engine.pf.pf_ioctl import PfControl, pf_open
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl import pf as p
from libnet.ioctl.registry import ROWS


class Filter:
    """A filter on a stack with lo0 alone."""

    def __init__(self) -> None:
        self.stack = Stack(Clock(epoch=1e9), random.Random(1))
        self.pf = Pf(self.stack, cloners=self.stack.cloners)
        self.control = PfControl(self.pf)

    def __call__(self, row, arg=None):
        return self.control.ioctl(row, arg, Cred(uid=0, pid=77))

    def begin(self, *rulesets: int, anchor: str = "") -> p.PfIocTrans:
        return self(p.DIOCXBEGIN, p.PfIocTrans([p.PfIocTransE(n, anchor) for n in rulesets]))

    def add(self, trans: p.PfIocTrans, rule: p.PfRule, anchor: str = "", call: str = "") -> None:
        pool = self(p.DIOCBEGINADDRS, p.PfIocPoolAddr()).ticket
        ticket = trans.array[0].ticket
        self(p.DIOCADDRULE, p.PfIocRule(0, ticket, pool, 0, anchor, call, rule))

    def load(self, *rules: p.PfRule, anchor: str = "") -> None:
        trans = self.begin(p.PF_RULESET_FILTER, anchor=anchor)
        for rule in rules:
            self.add(trans, rule, anchor)
        self(p.DIOCXCOMMIT, trans)


@pytest.fixture
def filt():
    return Filter()


def error(func, *args) -> str:
    with pytest.raises(NetError) as caught:
        func(*args)
    return caught.value.symbol


def test_start_and_stop(filt):
    filt(p.DIOCSTART)
    assert error(filt, p.DIOCSTART) == "EEXIST"
    assert filt(p.DIOCGETSTATUS, p.PfStatus()).running
    filt(p.DIOCSTOP)
    assert error(filt, p.DIOCSTOP) == "ENOENT"
    head = filt.stack.pfil.head(AF_INET)
    assert (head.hooks_in, head.hooks_out) == ((), ())


def test_a_commit_is_all_or_nothing(filt):
    filt.load(p.PfRule(action=p.PF_DROP))
    good = filt.begin(p.PF_RULESET_FILTER)
    filt.add(good, p.PfRule(action=p.PF_PASS))
    stale = p.PfIocTrans([*good.array, p.PfIocTransE(p.PF_RULESET_NAT, "", 999)])
    assert error(filt, p.DIOCXCOMMIT, stale) == "EBUSY"
    assert [r.action for r in filt.pf.main(p.PF_RULESET_FILTER)] == [p.PF_DROP]
    filt(p.DIOCXCOMMIT, good)
    assert [r.action for r in filt.pf.main(p.PF_RULESET_FILTER)] == [p.PF_PASS]


def test_a_second_begin_takes_the_ticket_from_the_first(filt):
    first = filt.begin(p.PF_RULESET_FILTER)
    filt.begin(p.PF_RULESET_FILTER)
    assert error(filt.add, first, p.PfRule()) == "EBUSY"
    assert error(filt, p.DIOCXCOMMIT, first) == "EBUSY"


def test_a_rollback_leaves_no_trace(filt):
    trans = filt.begin(p.PF_RULESET_FILTER, p.PF_RULESET_TABLE, anchor="x/y")
    rule = p.PfRule(action=p.PF_PASS, ifname="tun3")
    rule.src.addr.type, rule.src.addr.tblname = p.PF_ADDR_TABLE, "t"
    filt.add(trans, rule, "x/y")
    assert filt.pf.tables.tables
    filt(p.DIOCXROLLBACK, trans)
    assert filt.pf.tables.tables == {}
    assert filt.pf.rulesets.root.children == {}
    assert "tun3" not in filt.pf.kifs.by_name


def test_rules_come_back_as_they_went(filt):
    rule = p.PfRule(action=p.PF_PASS, direction=p.PF_IN, quick=1, ifname="lo0", label="x", log=1,
                    keep_state=1, proto=6, af=AF_INET, flags=2, flagset=18)  # fmt: skip
    rule.dst.addr.addr, rule.dst.addr.mask = 0x0A000000, 0xFF000000
    rule.dst.port, rule.dst.port_op = [22, 0], p.PF_OP_EQ
    filt.load(rule)
    got = filt(p.DIOCGETRULES, p.PfIocRule(rule=p.PfRule(action=p.PF_PASS)))
    assert got.nr == 1
    one = filt(p.DIOCGETRULE, p.PfIocRule(ticket=got.ticket, nr=0))
    assert (one.rule.cuid, one.rule.cpid, one.rule.nr) == (0, 77, 0)
    assert one.rule.skip == [-1] * 8
    for name in ("label", "quick", "ifname", "flags", "dst", "keep_state", "log"):
        assert getattr(one.rule, name) == getattr(rule, name)
    assert error(filt, p.DIOCGETRULE, p.PfIocRule(ticket=got.ticket, nr=1)) == "EBUSY"
    assert error(filt, p.DIOCGETRULE, p.PfIocRule(ticket=got.ticket + 1)) == "EBUSY"


def test_anchor_calls_are_told_as_they_were_made(filt):
    trans = filt.begin(p.PF_RULESET_FILTER, anchor="a/b")
    for call in ("c", "../c", "/top", "d/*"):
        filt.add(trans, p.PfRule(), "a/b", call)
    assert error(filt.add, trans, p.PfRule(), "a/b", "../../../c") == "EINVAL"
    filt(p.DIOCXCOMMIT, trans)
    got = filt(p.DIOCGETRULES, p.PfIocRule(anchor="a/b"))
    calls = [filt(p.DIOCGETRULE, p.PfIocRule(ticket=got.ticket, nr=n, anchor="a/b")).anchor_call
             for n in range(4)]  # fmt: skip
    assert calls == ["c", "../c", "/top", "d/*"]
    assert filt(p.DIOCGETRULESETS, p.PfIocRuleset()).nr == 2
    assert [filt(p.DIOCGETRULESET, p.PfIocRuleset(n, "")).name for n in (0, 1)] == ["a", "top"]


def test_an_anchor_that_calls_itself_ends(filt):
    from libnet.engine.kern.mbuf import Mbuf
    from tests.engine.pf.pflab import A, B, udp

    trans = filt.begin(p.PF_RULESET_FILTER, anchor="x")
    filt.add(trans, p.PfRule(), "x", "/x")
    filt(p.DIOCXCOMMIT, trans)
    trans = filt.begin(p.PF_RULESET_FILTER)
    filt.add(trans, p.PfRule(), "", "x")
    filt(p.DIOCXCOMMIT, trans)
    m = Mbuf(udp(A, 1, B, 2))
    filt.stack.ip.reparse(m)
    assert filt.pf.hook(m, filt.stack.ifunit("lo0"), p.PF_IN) is m


def test_changerule_puts_one_rule_in_and_takes_one_out(filt):
    filt.load(p.PfRule(label="one"), p.PfRule(label="two"))

    def change(action, nr=0, **kw):
        ticket = filt(p.DIOCCHANGERULE, p.PfIocRule(action=p.PF_CHANGE_GET_TICKET)).ticket
        pool = filt(p.DIOCBEGINADDRS, p.PfIocPoolAddr()).ticket
        filt(p.DIOCCHANGERULE, p.PfIocRule(action, ticket, pool, nr, rule=p.PfRule(**kw)))

    change(p.PF_CHANGE_ADD_HEAD, label="head")
    change(p.PF_CHANGE_ADD_AFTER, 1, label="after")
    change(p.PF_CHANGE_REMOVE, 3)
    assert [r.spec.label for r in filt.pf.main(1)] == ["head", "one", "after"]
    assert error(change, p.PF_CHANGE_REMOVE, 9) == "EINVAL"


def test_pools_are_read_and_changed(filt):
    trans = filt.begin(p.PF_RULESET_NAT)
    pool = filt(p.DIOCBEGINADDRS, p.PfIocPoolAddr()).ticket
    for addr in (1, 2):
        row = p.PfPoolAddr(p.PfAddrWrap(0, addr, 0xFFFFFFFF))
        filt(p.DIOCADDADDR, p.PfIocPoolAddr(ticket=pool, addr=row))
    rule = p.PfRule(action=p.PF_NAT, af=AF_INET, ifname="lo0")
    rule.rpool.opts = p.PF_POOL_ROUNDROBIN
    filt(p.DIOCADDRULE, p.PfIocRule(0, trans.array[0].ticket, pool, rule=rule))
    filt(p.DIOCXCOMMIT, trans)
    ticket = filt(p.DIOCGETRULES, p.PfIocRule(rule=p.PfRule(action=p.PF_NAT))).ticket
    ask = p.PfIocPoolAddr(ticket=ticket, r_action=p.PF_NAT)
    assert filt(p.DIOCGETADDRS, ask).nr == 2
    ask.nr = 1
    assert filt(p.DIOCGETADDR, ask).addr.addr.addr == 2
    ask.action, ask.nr = p.PF_CHANGE_REMOVE, 0
    filt(p.DIOCCHANGEADDR, ask)
    ask.nr = 0
    assert filt(p.DIOCGETADDR, ask).addr.addr.addr == 2
    trans = filt.begin(p.PF_RULESET_NAT)
    assert error(filt.add, trans, p.PfRule(action=p.PF_NAT, af=AF_INET)) == "EINVAL"


def test_states_in_pages_added_looked_up_and_killed(filt):
    for n in range(5):
        state = p.PfState(af=AF_INET, proto=17, direction=p.PF_OUT, ifname="all", timeout=8)
        state.lan = p.PfStateHost(0x0A000001, 1000 + n)
        state.gwy = p.PfStateHost(0xC0000201, 2000 + n)
        state.ext = p.PfStateHost(0xC6336401, 53)
        filt(p.DIOCADDSTATE, p.PfIocState(0, state))
    assert error(filt, p.DIOCADDSTATE, p.PfIocState(0, state)) == "EEXIST"
    page = filt(p.DIOCGETSTATES, p.PfIocStates(first=3, count=10))
    assert (page.total, [s.lan.port for s in page.states]) == (5, [1003, 1004])
    assert filt(p.DIOCGETSTATE, p.PfIocState(4)).state.gwy.port == 2004
    assert error(filt, p.DIOCGETSTATE, p.PfIocState(5)) == "EBUSY"
    look = p.PfIocNatlook(saddr=0xC0000201, sport=2002, daddr=0xC6336401, dport=53, af=AF_INET,
                          proto=17, direction=p.PF_IN)  # fmt: skip
    got = filt(p.DIOCNATLOOK, look)
    assert (got.rsaddr, got.rsport, got.rdport) == (0x0A000001, 1002, 53)
    look.sport = 9
    assert error(filt, p.DIOCNATLOOK, look) == "ENOENT"
    kill = p.PfIocStateKill(src=p.PfRuleAddr(port=[1001, 0], port_op=p.PF_OP_EQ))
    assert filt(p.DIOCKILLSTATES, kill).af == 1
    assert filt(p.DIOCCLRSTATES, p.PfIocStateKill(ifname="em0")).af == 0
    assert filt(p.DIOCCLRSTATES, p.PfIocStateKill()).af == 4


def test_limits_and_timeouts_give_the_old_value_back(filt):
    assert filt(p.DIOCSETTIMEOUT, p.PfIocTm(p.PFTM_UDP_SINGLE, 5)).seconds == 30
    assert filt(p.DIOCGETTIMEOUT, p.PfIocTm(p.PFTM_UDP_SINGLE)).seconds == 5
    assert error(filt, p.DIOCSETTIMEOUT, p.PfIocTm(20, 1)) == "EINVAL"
    assert filt(p.DIOCSETLIMIT, p.PfIocLimit(p.PF_LIMIT_STATES, 7)).limit == 10000
    assert filt(p.DIOCGETLIMIT, p.PfIocLimit(p.PF_LIMIT_STATES)).limit == 7
    state = p.PfState(af=AF_INET, proto=17, direction=1, ifname="all", timeout=8)
    filt(p.DIOCADDSTATE, p.PfIocState(0, state))
    assert error(filt, p.DIOCSETLIMIT, p.PfIocLimit(p.PF_LIMIT_STATES, 0)) == "EBUSY"


def test_interfaces_and_their_flag(filt):
    names = [k.name for k in filt(p.DIOCIGETIFACES, p.PfIocIface()).ifaces]
    assert {"all", "lo", "lo0", "pflog0"} <= set(names)
    filt(p.DIOCSETIFFLAG, p.PfIocIface("lo", flags=p.PFI_IFLAG_SKIP))
    (lo0,) = filt(p.DIOCIGETIFACES, p.PfIocIface("lo0")).ifaces
    assert lo0.flags == p.PFI_IFLAG_SKIP
    assert filt.pf.kifs.get("lo0").skip
    filt(p.DIOCCLRIFFLAG, p.PfIocIface(flags=p.PFI_IFLAG_SKIP))
    assert not filt.pf.kifs.get("lo0").skip


def test_the_device_is_the_superusers(filt):
    with pytest.raises(NetError) as caught:
        pf_open(filt.control, Cred(suser=False, uid=5))
    assert caught.value.symbol == "EACCES"
    device = pf_open(filt.control, Cred())
    assert not device.readable()
    with pytest.raises(NetError):
        device.read(10)
    from libnet.ioctl.sockio import SIOCGIFFLAGS

    assert error(device.ioctl, SIOCGIFFLAGS, None) == "ENOTTY"
    device.close()


def test_a_descriptor_for_reading_only_reads(filt):
    filt.load(p.PfRule(action=p.PF_PASS))
    device = pf_open(filt.control, Cred(), writing=False)
    head = device.ioctl(p.DIOCGETRULES, p.PfIocRule())
    asked = p.PfIocRule(ticket=head.ticket)
    assert device.ioctl(p.DIOCGETRULE, asked).rule.action == p.PF_PASS
    asked.action = p.PF_GET_CLR_CNTR
    assert error(device.ioctl, p.DIOCGETRULE, asked) == "EACCES"
    table = p.PfIocTable(tables=[p.PfrTable("", "t", p.PFR_TFLAG_PERSIST)])
    assert error(device.ioctl, p.DIOCRADDTABLES, table) == "EACCES"
    table.flags = p.PFR_FLAG_DUMMY
    assert device.ioctl(p.DIOCRADDTABLES, table).nadd == 1
    assert filt.pf.tables.find("", "t") is None
    for name, row in ROWS.items():
        if row.group == "D" and name not in p.READING | p.DRY_RUNS:
            assert error(device.ioctl, row, 0) == "EACCES", name


def test_each_dialect_lacks_what_the_other_one_has(filt):
    assert filt(p.DIOCKILLSRCNODES, p.PfIocSrcNodeKill()).af == 0
    assert error(filt, p.DIOCICLRISTATS, p.PfIocIface()) == "ENOTTY"
    filt.pf.dialect = 37
    assert error(filt, p.DIOCKILLSRCNODES, p.PfIocSrcNodeKill()) == "ENOTTY"
    assert filt(p.DIOCICLRISTATS, p.PfIocIface("lo0")).nzero == 1


def test_every_diocs_row_has_a_handler(filt):
    rows = {name for name, row in ROWS.items() if row.group == "D"}
    assert rows == set(filt.control.handlers)


NUMBERS = (*range(-3, 21), 255, 65536, 2**31, 2**32 - 1, 2**40, -(2**40))
TEXTS = ("", "", "lo0", "x", "a/b", "*", "/", "..", "../x", "lo", "all", "y" * 70, "\0", "\udcff")


def fill(dice, cls):
    """Make a struct whose fields are anything of their type."""
    values = {}
    for name, kind in zip(cls._fields, cls._types, strict=True):
        if kind == "int":
            values[name] = dice.choice(NUMBERS)
        elif kind == "str":
            values[name] = dice.choice(TEXTS)
        elif kind == "bytes":
            values[name] = dice.randbytes(dice.choice((0, 16, 20, 40, 93)))
        elif kind == "list[int]":
            size = dice.choice((0, 2, 2, 2, 3, 20))
            values[name] = [dice.choice(NUMBERS) for _ in range(size)]
        elif kind.startswith("list["):
            inner = getattr(p, kind[5:-1])
            values[name] = [fill(dice, inner) for _ in range(dice.randrange(3))]
        else:
            values[name] = fill(dice, getattr(p, kind))
    return cls(**values)


def sane(dice, rule):
    """Have most of a rule be possible, so that what is odd gets further than the first check."""
    for name in ("timeout",):
        setattr(rule, name, [0] * p.PFTM_MAX)
    for name in ("src", "dst"):
        getattr(rule, name).port = [dice.randrange(65536), dice.randrange(65536)]
    rule.action, rule.af, rule.proto = (
        dice.randrange(10),
        dice.choice((0, 2, 24)),
        dice.choice((0, 6, 17)),
    )
    rule.direction, rule.rt, rule.prob = dice.randrange(3), dice.randrange(3), 0
    rule.logif = rule.return_icmp = 0
    rule.rtableid = -1
    rule.max_src_conn_rate, rule.uid.uid, rule.gid.uid = [0, 0], [0, 0], [0, 0]
    rule.rpool.key, rule.rpool.opts = bytes(16), dice.randrange(5)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(0, 2**32))
def test_no_request_does_less_than_answer(seed):
    dice = random.Random(seed)
    filt = Filter()
    trans = filt.begin(p.PF_RULESET_FILTER, p.PF_RULESET_NAT, p.PF_RULESET_ALTQ, p.PF_RULESET_TABLE)
    names = sorted(filt.control.handlers)
    for _ in range(8):
        row = ROWS[dice.choice((*names, "DIOCADDRULE", "DIOCADDALTQ"))]
        if row.arg is None:
            arg = None
        elif row.arg is int:
            arg = dice.choice(NUMBERS)
        else:
            arg = fill(dice, row.arg)
            if hasattr(arg, "ticket") and dice.random() < 0.7:
                arg.ticket = 1
            if hasattr(arg, "pool_ticket"):
                arg.pool_ticket = filt.control.ticket_pabuf
                arg.anchor = ""
                if dice.random() < 0.7:
                    sane(dice, arg.rule)
        try:
            filt(row, arg)
        except NetError:
            continue
    try:
        filt(p.DIOCXCOMMIT, trans)
    except NetError:
        filt(p.DIOCXROLLBACK, trans)
    # Whatever was loaded: packets are judged, and time passes.
    from libnet.engine.kern.mbuf import Mbuf
    from tests.engine.pf.pflab import A, B, udp

    for _ in range(3):
        m = Mbuf(udp(A, 1, B, 2))
        filt.stack.ip.reparse(m)
        m.rcvif = filt.stack.ifunit("lo0")
        filt.pf.hook(m, m.rcvif, p.PF_IN)
    filt.stack.clock.run(50.0)
