"""Tables: longest prefix, feedback, counters, transactions."""

from __future__ import annotations

import ipaddress
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import AF_INET, AF_INET6
from libnet.engine.pf.table import Kentry, Prefixes
from libnet.errors import NetError
from libnet.ioctl import pf as p
from tests.engine.pf.pflab import A, B, PfLab, echo

PREFIX = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.booleans())


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(PREFIX, max_size=30), st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_lookup_agrees_with_a_plain_search(prefixes, probes):
    table, plain = Prefixes(), {}
    for addr, length, neg in prefixes:
        net = ipaddress.ip_network((addr, length), strict=False)
        table.put((AF_INET, int(net.network_address), length), Kentry(neg, 0.0))
        plain[net] = neg
    assert table.count == len(plain)
    for probe in [*probes, *(a for a, _l, _n in prefixes)]:
        holders = [n for n in plain if ipaddress.ip_address(probe) in n]
        best = max(holders, key=lambda n: n.prefixlen, default=None)
        got = table.lookup(AF_INET, probe)
        assert (got is None) == (best is None)
        if got is not None:
            assert got.neg == plain[best]
    for net in list(plain):
        table.remove((AF_INET, int(net.network_address), net.prefixlen))
    assert table.count == 0
    assert all(table.lookup(AF_INET, probe) is None for probe in probes)


def test_the_most_specific_entry_decides(lab):
    lab.rules("table <t> { 10/8 !10.0.0/24 10.0.0.9 }\nblock in\npass in from <t> no state")
    for src, passing in ((A, True), (A + 1, False), (0x0A010101, True), (0x0B000001, False)):
        lab.left.send(echo(src, B, 1))
        assert bool(lab.right.take()) == passing, hex(src)


def test_addresses_added_and_deleted_count_at_once(lab):
    lab.rules("table <t> persist\nblock in\npass in from <t> no state")
    lab.left.send(echo(A, B, 1))
    assert lab.right.none()
    assert "1/1 addresses added." in lab.run("pfctl -t t -T add 10.0.0.9", err=True)
    lab.left.send(echo(A, B, 1))
    lab.right.one()
    assert "1/1 addresses match." in lab.run("pfctl -t t -T test 10.0.0.9", err=True)
    lab.run("pfctl -t t -T test 10.0.0.8", status=2, err=True)
    assert "1/1 addresses deleted." in lab.run("pfctl -t t -T delete 10.0.0.9", err=True)
    lab.left.send(echo(A, B, 1))
    assert lab.right.none()


def test_a_reload_keeps_a_table_that_names_no_addresses(lab):
    lab.rules("table <t> persist\npass from <t>")
    lab.run("pfctl -t t -T add 10.0.0.9 10.0.0.10", err=True)
    lab.rules("table <t> persist\npass from <t>")
    assert len(lab.run("pfctl -t t -T show").split()) == 2
    lab.rules("table <t> persist { }\npass from <t>")
    assert lab.run("pfctl -t t -T show") == ""


def test_a_table_that_nobody_uses_goes_with_the_load(lab):
    lab.rules("table <t> { 10.0.0.9 }\npass from <t>")
    assert lab.run("pfctl -s Tables").split() == ["t"]
    lab.rules("pass")
    assert lab.run("pfctl -s Tables") == ""


def test_a_constant_table_is_constant(lab):
    lab.rules("table <t> const { 10.0.0.9 }\npass from <t>")
    assert "Operation not permitted" in lab.run("pfctl -t t -T add 1.2.3.4", status=255, err=True)


def test_a_table_in_an_anchor_shadows_the_main_one_only_when_it_is_there(lab):
    lab.rules('table <t> persist\nblock in\nanchor "x"')
    lab.run("pfctl -a x -f -", text="pass in from <t> no state\n", err=True)
    lab.run("pfctl -t t -T add 10.0.0.9", err=True)
    lab.left.send(echo(A, B, 1))
    lab.right.one()
    lab.run("pfctl -a x -f -", text="table <t> persist { 10.0.0.10 }\npass in from <t> no state\n",
            err=True)  # fmt: skip
    lab.left.send(echo(A, B, 1), echo(A + 1, B, 1))
    assert [q.src for q in lab.right.take()] == [A + 1]
    lab.run("pfctl -a x -t t -T add 10.0.0.9", err=True)
    lab.left.send(echo(A, B, 1))
    lab.right.one()


def counters(lab: PfLab) -> dict[str, int]:
    text = lab.run("pfctl -t t -vT show")
    found = {}
    for line in text.splitlines():
        words = line.split()
        if words and words[0].rstrip(":") in ("In/Block", "In/Pass", "Out/Block", "Out/Pass"):
            found[words[0].rstrip(":")] = int(words[words.index("Packets:") + 1])
    return found


def test_addresses_count_what_they_decided(lab):
    lab.rules("table <t> { 10.0.0.9 }\nblock in on wm0 from any\npass in on wm0 from <t>\n"
              "pass out no state\npass in on wm1 no state")  # fmt: skip
    for _ in range(3):
        lab.left.send(echo(A, B, 1))
        lab.right.send(echo(B, A, 1, reply=True))
    assert counters(lab) == {"In/Block": 0, "In/Pass": 3, "Out/Block": 0, "Out/Pass": 3}
    lab.run("pfctl -t t -T zero", err=True)
    assert counters(lab)["In/Pass"] == 0
    lab.rules("table <t> { 10.0.0.9 }\nblock in on wm0 from <t>")
    lab.run("pfctl -F states", err=True)
    lab.left.send(echo(A, B, 1))
    assert counters(lab)["In/Block"] == 1


def test_eight_like_rules_become_one_table_and_still_pass(lab):
    hosts = "\n".join(f"pass in from 10.0.0.{n} no state" for n in range(5, 13))
    lab.rules("block in\n" + hosts)
    assert "__automatic_" in lab.run("pfctl -sr")
    lab.left.send(echo(A, B, 1))
    lab.right.one()


def test_a_failed_load_leaves_rules_and_tables_as_they_were(lab):
    lab.rules("table <t> { 10.0.0.9 }\nblock in\npass in from <t> no state")
    before = lab.run("pfctl -sr") + lab.run("pfctl -t t -T show")
    lab.box.write("/etc/bad.conf", "table <t> { 1.2.3.4 }\npass in\nthis is no rule\n")
    lab.run("pfctl -f /etc/bad.conf", status=1, err=True)
    assert lab.run("pfctl -sr") + lab.run("pfctl -t t -T show") == before
    lab.left.send(echo(A, B, 1))
    lab.right.one()


# -- the requests themselves


def control():
    from libnet.clock import Clock
    from libnet.engine.kern.socket import Cred
    from libnet.engine.pf.pf import Pf
    from libnet.engine.pf.pf_ioctl import PfControl
    from libnet.engine.stack import Stack

    ctl = PfControl(Pf(Stack(Clock(epoch=1e9), random.Random(1))))
    return lambda row, arg=None: ctl.ioctl(row, arg, Cred())


def addrs(*texts: str, fback: int = 0) -> bytes:
    out = b""
    for text in texts:
        neg = text.startswith("!")
        net = ipaddress.ip_network(text.lstrip("!"))
        af = AF_INET if net.version == 4 else AF_INET6
        out += p.pack_addr(af, int(net.network_address), net.prefixlen, int(neg), fback)
    return out


def request(*texts: str, flags: int = 0, **kw) -> p.PfIocTable:
    table = p.PfrTable("", "t", kw.pop("tflags", 0))
    return p.PfIocTable(table=table, addrs=addrs(*texts), flags=flags, **kw)


@pytest.fixture
def ioctl():
    call = control()
    call(p.DIOCRADDTABLES, p.PfIocTable(tables=[p.PfrTable("", "t", p.PFR_TFLAG_PERSIST)]))
    return call


def feedback(got: p.PfIocTable) -> list[int]:
    return [row[4] for row in p.unpack_addrs(got.addrs)]


def test_feedback_of_add_delete_and_replace(ioctl):
    flags = p.PFR_FLAG_FEEDBACK
    got = ioctl(
        p.DIOCRADDADDRS, request("1.1.1.1", "1.1.1.1", "!1.1.1.1", "2001:db8::/32", flags=flags)
    )
    assert got.nadd == 2
    assert feedback(got) == [
        p.PFR_FB_ADDED, p.PFR_FB_DUPLICATE, p.PFR_FB_CONFLICT, p.PFR_FB_ADDED,
    ]  # fmt: skip
    got = ioctl(p.DIOCRADDADDRS, request("1.1.1.1", "!1.1.1.1", flags=flags))
    assert feedback(got) == [p.PFR_FB_NONE, p.PFR_FB_CONFLICT]
    got = ioctl(p.DIOCRSETADDRS, request("!1.1.1.1", "3.3.3.3", flags=flags))
    assert (got.nadd, got.ndel, got.nchange, got.size2) == (1, 1, 1, 1)
    assert feedback(got) == [p.PFR_FB_CHANGED, p.PFR_FB_ADDED, p.PFR_FB_DELETED]
    got = ioctl(p.DIOCRDELADDRS, request("3.3.3.3", "3.3.3.3", "9.9.9.9", "1.1.1.1", flags=flags))
    assert got.ndel == 1
    assert feedback(got) == [
        p.PFR_FB_DELETED, p.PFR_FB_DUPLICATE, p.PFR_FB_NONE, p.PFR_FB_CONFLICT,
    ]  # fmt: skip


def test_a_dummy_changes_nothing(ioctl):
    got = ioctl(p.DIOCRADDADDRS, request("1.1.1.1", flags=p.PFR_FLAG_DUMMY))
    assert got.nadd == 1
    assert ioctl(p.DIOCRGETADDRS, request()).size == 0


def test_test_says_which_entry_matched(ioctl):
    ioctl(p.DIOCRADDADDRS, request("10.0.0.0/8", "!10.1.0.0/16"))
    got = ioctl(
        p.DIOCRTSTADDRS, request("10.2.0.1", "10.1.0.1", "11.0.0.1", flags=p.PFR_FLAG_REPLACE)
    )
    assert got.nadd == 1
    rows = p.unpack_addrs(got.addrs)
    assert [(r[2], r[4]) for r in rows[:2]] == [(8, p.PFR_FB_MATCH), (16, p.PFR_FB_NOTMATCH)]
    with pytest.raises(NetError) as caught:
        ioctl(p.DIOCRTSTADDRS, request("10.0.0.0/8"))
    assert caught.value.symbol == "EINVAL"


def test_limits_hold_for_a_call_as_a_whole(ioctl):
    ioctl(p.DIOCSETLIMIT, p.PfIocLimit(p.PF_LIMIT_TABLE_ENTRIES, 3))
    with pytest.raises(NetError) as caught:
        ioctl(p.DIOCRADDADDRS, request("1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4"))
    assert caught.value.symbol == "ENOMEM"
    assert ioctl(p.DIOCRGETADDRS, request()).size == 0


def test_a_hundred_thousand_addresses_are_found_by_few_comparisons(ioctl):
    dice = random.Random(5)
    rows = {dice.getrandbits(32) for _ in range(100_000)}
    packed = b"".join(p.pack_addr(AF_INET, a, 32) for a in rows)
    req = p.PfIocTable(table=p.PfrTable("", "t"), addrs=packed)
    assert ioctl(p.DIOCRADDADDRS, req).nadd == len(rows)
    got = ioctl(p.DIOCRGETASTATS, request(first=99_990))
    assert got.size == len(rows)
    assert len(p.unpack_astats(got.astats)) == len(rows) - 99_990


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=120), st.text(max_size=40), st.integers(-5, 300))
def test_garbage_is_refused_not_fatal(octets, name, flags):
    call = control()
    for row in (p.DIOCRADDADDRS, p.DIOCRSETADDRS, p.DIOCRTSTADDRS, p.DIOCRDELADDRS, p.DIOCRINADEFINE,
                p.DIOCRGETADDRS, p.DIOCRADDTABLES, p.DIOCRCLRASTATS, p.DIOCRSETTFLAGS):  # fmt: skip
        req = p.PfIocTable(table=p.PfrTable("", name, flags), tables=[p.PfrTable("", name, flags)],
                           addrs=octets, flags=flags, first=flags)  # fmt: skip
        try:
            call(row, req)
        except NetError as exc:
            assert exc.symbol in ("EINVAL", "ESRCH", "EPERM", "ENOMEM", "EBUSY")


def test_the_tables_of_interfaces_follow_them_and_nobody_else_changes_them(lab):
    lab.rules("block in\npass in from any to (wm1:network) no state")
    show = "pfctl -a _pf -t wm1:network -T show"
    assert lab.run(show) == "   10.0.1.0/24\n"
    lab.left.send(echo(A, B, 1))
    lab.right.one()
    lab.run("ifconfig wm1 10.0.2.1/24 alias")
    assert lab.run(show) == "   10.0.1.0/24\n   10.0.2.0/24\n"
    lab.left.send(echo(A, 0x0A000209, 1))
    lab.left.send(echo(A, 0x0A000309, 1))
    for command in ("add 10.9.9.9", "delete 10.0.1.0/24", "replace 10.9.9.9", "flush", "kill"):
        told = lab.run(f"pfctl -a _pf -t wm1:network -T {command}", status=255, err=True)
        assert told == "pfctl: Invalid argument.\n"
    assert lab.run("pfctl -a _pf -sT") == "wm1:network\n"
    lab.run("ifconfig wm1 10.0.2.1 -alias")
    assert lab.run(show) == "   10.0.1.0/24\n"
    lab.run("pfctl -Fr", err=True)
    assert "Table does not exist" in lab.run(show, status=255, err=True)
    assert lab.run("pfctl -sA -v") == ""


def test_a_group_and_self_have_tables_too(lab):
    lab.rules("block in\npass in from any to { (wm), (self), (wm1)/28 } no state")
    assert lab.run("pfctl -a _pf -t wm -T show") == "   10.0.0.1\n   10.0.1.1\n"
    assert lab.run("pfctl -a _pf -t self -T show") == "   10.0.0.1\n   10.0.1.1\n   127.0.0.1\n"
    assert lab.run("pfctl -a _pf -t wm1/28 -T show") == "   10.0.1.0/28\n"
    lab.left.send(echo(A, 0x0A000001, 1))
    assert lab.left.one()
