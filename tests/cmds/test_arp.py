"""arp(8) against a real routing table."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.arp import Asked, atosdl, entry_line, file_lines, main
from libnet.addr import SockaddrDl, SockaddrIn, inet_pton
from libnet.wire.rtsock import (
    RTF_ANNOUNCE,
    RTF_HOST,
    RTF_LLINFO,
    RTF_STATIC,
    RTF_UP,
    SIN_PROXY,
    RtAddrs,
    RtMetrics,
    RtMsg,
    SockaddrInarp,
)
from tests.engine.route.routelab import EPOCH, Shell

USAGE = """\
Usage: arp [-n] hostname
       arp [-nv] -a
       arp [-v] -d -a
       arp [-v] -d hostname [pro [iface_name]]
       arp -s hostname ether_addr [temp] [pub [pro [iface_name]]]
       arp -f filename
"""
MAC = "0:50:56:aa:1:2"


@pytest.fixture
def sh(tmp_path):
    made = Shell(tmp_path)
    (made.etc / "hosts").write_text("10.0.0.9 printer\n")
    return made


def ok(sh, line):
    status, out, err = sh.run(main, line)
    assert (status, err) == (0, "")
    return out


def route(sh, addr, mask=None):
    return sh.stack.route.exact(inet_pton(addr), mask)[0]


def test_a_permanent_entry(sh):
    assert ok(sh, f"-s 10.0.0.9 {MAC}") == ""
    assert ok(sh, "-a") == "printer (10.0.0.9) at 00:50:56:aa:01:02 on wm0 permanent\n"
    assert ok(sh, "-an") == "? (10.0.0.9) at 00:50:56:aa:01:02 on wm0 permanent\n"
    assert ok(sh, "-n printer") == "? (10.0.0.9) at 00:50:56:aa:01:02 on wm0 permanent\n"
    assert route(sh, "10.0.0.9").flags == RTF_UP | RTF_HOST | RTF_STATIC | RTF_LLINFO
    assert sh.run(main, f"-s printer {MAC}") == (
        1,
        "",
        "arp: writing to routing socket: File exists\n",
    )
    assert ok(sh, "-v -d printer") == "printer (10.0.0.9) deleted\n"
    assert ok(sh, "-a") == ""


def test_a_learned_entry_is_replaced_and_an_incomplete_one_shown(sh):
    learned = sh.stack.route.rtalloc(inet_pton("10.0.0.9"))
    learned.expire = EPOCH + 20
    assert ok(sh, "-an") == "? (10.0.0.9) at (incomplete) on wm0\n"
    assert ok(sh, f"-v -s printer {MAC} temp") == f"printer ({MAC}) added\n"
    assert route(sh, "10.0.0.9").expire == EPOCH + 1200
    assert ok(sh, "-an") == "? (10.0.0.9) at 00:50:56:aa:01:02 on wm0\n"


def test_published_and_proxy_only(sh):
    ok(sh, f"-s 10.0.0.20 {MAC} pub")
    entry = route(sh, "10.0.0.20", 0xFFFFFFFF)
    assert entry.flags & (RTF_ANNOUNCE | RTF_HOST) == RTF_ANNOUNCE
    ok(sh, f"-s 10.0.0.21 {MAC} temp pub pro")
    ok(sh, f"-s 192.168.7.7 {MAC} pub pro wm1")
    assert ok(sh, "-an") == (
        "? (10.0.0.20) at 00:50:56:aa:01:02 on wm0 permanent published\n"
        "? (10.0.0.21) at 00:50:56:aa:01:02 on wm0 published (proxy only)\n"
        "? (192.168.7.7) at 00:50:56:aa:01:02 on wm1 permanent published (proxy only)\n"
    )
    assert sh.stack.route.proxy(inet_pton("10.0.0.21")).flags & RTF_ANNOUNCE
    assert sh.run(main, "-d 192.168.7.7 pro wm0")[0] == 1
    assert ok(sh, "-v -d 192.168.7.7 pro wm1") == "192.168.7.7 (192.168.7.7) deleted\n"
    assert ok(sh, "-v -d 10.0.0.21") == "10.0.0.21 (10.0.0.21) deleted\n"
    assert ok(sh, "-v -d 10.0.0.20") == "10.0.0.20 (10.0.0.20) deleted\n"
    assert ok(sh, "-a") == ""


def test_a_host_with_a_route_of_its_own_can_only_be_proxied_for(sh):
    rt = sh.stack.route
    rt.rtrequest("add", inet_pton("10.0.0.30"), None, SockaddrIn(inet_pton("10.0.0.1")), 0x806)
    assert sh.run(main, f"-s 10.0.0.30 {MAC}") == (
        1,
        "",
        "arp: set: can only proxy for 10.0.0.30\n",
    )
    status, _out, err = sh.run(main, f"-s 10.0.0.30 {MAC} pub")
    assert (status, err) == (1, "arp: set: proxy entry exists for non 802 device\n")
    ok(sh, f"-s 10.0.0.30 {MAC} pub pro wm0")
    assert "published (proxy only)" in ok(sh, "-an")


def test_delete_all(sh):
    for n in (1, 2, 3):
        sh.stack.route.rtalloc(inet_pton(f"10.0.0.{n}"))
    ok(sh, f"-s 10.0.0.50 {MAC} pub")
    ok(sh, f"-s 10.0.0.51 {MAC} pub pro")
    assert ok(sh, "-v -d -a").count("deleted") == 5
    assert ok(sh, "-a") == ""


def test_what_is_not_there(sh):
    assert sh.run(main, "printer") == (1, "", "arp: printer (10.0.0.9) -- no entry\n")
    assert sh.run(main, "-d printer") == (1, "", "arp: delete: can't locate printer\n")
    assert sh.run(main, "nobody") == (1, "", "arp: nobody: Unknown host\n")
    assert sh.run(main, f"-s nobody {MAC}") == (1, "", "arp: nobody: Unknown host\n")
    assert sh.run(main, "-d nobody") == (1, "", "arp: nobody: Unknown host\n")
    assert sh.run(main, f"-s 8.8.8.8 {MAC}") == (
        1,
        "",
        "arp: writing to routing socket: No such process\narp: 8.8.8.8: No such process\n",
    )
    assert sh.run(main, f"-s printer {MAC} pub pro wm9") == (
        1,
        "",
        "arp: cannot intuit interface index and type for printer\n",
    )


def test_a_host_beyond_a_router_has_no_interface_to_be_on(sh):
    sh.stack.route.rtrequest("add", 0, 0, SockaddrIn(inet_pton("10.0.0.1")), 0x803)
    assert sh.run(main, f"-s 8.8.8.8 {MAC}") == (
        1,
        "",
        "arp: cannot intuit interface index and type for 8.8.8.8\n",
    )


@pytest.mark.parametrize(
    ("line", "err"),
    [
        ("-s printer wm0", "arp: invalid link-level address 'wm0'\n"),
        (f"-s printer {MAC} sometimes", "arp: sometimes: not one of temp, pub and pro\n"),
        ("-d printer sometimes", "arp: sometimes: not one of pub and pro\n"),
        ("-f /etc/none", "arp: cannot open /etc/none: No such file or directory\n"),
        ("", USAGE),
        ("-s printer", USAGE),
        ("-d", USAGE),
        ("-d -a printer", USAGE),
        ("-ds printer", USAGE),
        ("-f", USAGE),
        ("one two", USAGE),
        ("-x", "arp: unknown option -- x\n" + USAGE),
    ],
)
def test_what_makes_no_sense(sh, line, err):
    assert sh.run(main, line) == (1, "", err)


def test_trailers_are_history(sh):
    assert sh.run(main, f"-s printer {MAC} trail") == (
        0,
        "",
        "arp: printer: Sending trailers is no longer supported\n",
    )


def test_a_file_of_entries(sh):
    (sh.etc / "ethers").write_text(
        f"# known hosts\n\nprinter {MAC}\n10.0.0.8 0:0:0:0:0:8 pub temp\nlonely\n10.0.0.7 zz\n"
    )
    assert sh.run(main, "-f /etc/ethers") == (
        1,
        "",
        "arp: bad line: lonely\narp: invalid link-level address 'zz'\n",
    )
    assert ok(sh, "-an") == (
        "? (10.0.0.8) at 00:00:00:00:00:08 on wm0 published\n"
        "? (10.0.0.9) at 00:50:56:aa:01:02 on wm0 permanent\n"
    )


def test_rights_and_stacks_that_are_missing(tmp_path):
    sh = Shell(tmp_path, root=False)
    assert sh.run(main, f"-s 10.0.0.9 {MAC}") == (
        1,
        "",
        "arp: writing to routing socket: Permission denied\n",
    )
    sh.dead = True
    text = "Address family not supported by protocol family\n"
    assert sh.run(main, f"-s 10.0.0.9 {MAC}") == (1, "", "arp: socket: " + text)
    assert sh.run(main, "-a") == (1, "", "arp: route-sysctl-estimate: " + text)


@pytest.mark.parametrize(
    ("dst", "lladdr", "expire", "mask", "line"),
    [
        (SockaddrIn(0x0A000009), "", 1, None, "h (10.0.0.9) at (incomplete) on wm0"),
        (SockaddrIn(0x0A000009), "02", 0, None, "h (10.0.0.9) at 2 on wm0 permanent"),
        (SockaddrIn(0x0A000009), "02", 1, 0xFFFFFF00, "h (10.0.0.9) at 2 on wm0(weird)"),
        (
            SockaddrInarp(0x0A000009, other=SIN_PROXY),
            "020000000001",
            0,
            0xFFFFFFFF,
            "h (10.0.0.9) at 02:00:00:00:00:01 on wm0 permanent published (proxy only) published",
        ),
    ],
)
def test_the_line_of_an_entry(dst, lladdr, expire, mask, line):
    gate = SockaddrDl(2, 6, "", bytes.fromhex(lladdr))
    msg = RtMsg(4, addrs=RtAddrs(dst, gate, mask), rmx=RtMetrics(expire=expire))
    assert entry_line(msg, "h", "wm0") == line


@given(st.text(max_size=60))
def test_any_text_is_a_link_address_or_none(text):
    got = atosdl(text)
    assert got is None or 1 <= len(got) <= 12


@given(st.lists(st.text(max_size=8), max_size=5))
def test_any_words_are_understood_or_refused(words):
    try:
        Asked(words)
    except ValueError as exc:
        assert exc.args[0] in words


@given(st.text(max_size=80))
def test_any_text_is_lines(text):
    assert all("#" not in line for line in file_lines(text))
