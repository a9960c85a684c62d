"""route(8) against a real routing table: what is typed, what is printed, what is left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.route import main
from cmds.route.addrs import (
    WITH_ARGUMENT,
    WITHOUT_ARGUMENT,
    BadValue,
    Request,
    UsageError,
    atoi,
    hex_octets,
    link_addr,
    network_of,
)
from cmds.route.messages import MessageText, bprintf
from libnet.addr import SockaddrDl, SockaddrIn, inet_pton
from libnet.ioctl.ifflags import LINK_STATE_DOWN, LINK_STATE_UP
from libnet.wire.rtsock import (
    RTF_BLACKHOLE,
    RTF_CLONED,
    RTF_GATEWAY,
    RTF_HOST,
    RTF_PROTO1,
    RTF_REJECT,
    RTF_STATIC,
    RTF_UP,
    RTM_IEEE80211,
    IfanMsg,
    RtAddrs,
    RtMsg,
)
from tests.engine.route.routelab import Shell

USAGE = "Usage: route [ -fnqSsv ] cmd [[ -<qualifers> ] args ]\n"


@pytest.fixture
def sh(tmp_path):
    return Shell(tmp_path)


def ok(sh, line):
    status, out, err = sh.run(main, line)
    assert (status, err) == (0, "")
    return out


def test_a_default_route_comes_and_goes(sh):
    assert ok(sh, "add default 10.0.0.1") == "add net default: gateway 10.0.0.1\n"
    assert ok(sh, "change default 10.0.0.2") == "change net default: gateway 10.0.0.2\n"
    assert ok(sh, "delete default") == "delete net default\n"
    status, out, err = sh.run(main, "delete default 10.0.0.1")
    assert status == 1
    assert out == "delete net default: gateway 10.0.0.1: not in table\n"
    assert err == "route: writing to routing socket: not in table\n"


def test_a_second_route_by_another_gateway_is_taken_and_the_same_is_not(sh):
    ok(sh, "add default 10.0.0.1")
    ok(sh, "add default 10.1.0.1")
    status, out, err = sh.run(main, "add default 10.0.0.1")
    assert (status, out) == (1, "add net default: gateway 10.0.0.1: File exists\n")
    assert err == "route: writing to routing socket: File exists\n"
    assert sh.run(main, "delete default")[1] == "delete net default: not in table\n"
    ok(sh, "delete default 10.0.0.1")
    assert "10.1.0.1" in ok(sh, "-n show")


def test_a_gateway_out_of_reach(sh):
    status, out, _err = sh.run(main, "add -net 9.0.0.0 192.168.1.1")
    assert (status, out) == (1, "add net 9.0.0.0: gateway 192.168.1.1: Network is unreachable\n")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("10.9.9.9 10.0.0.1", "add host 10.9.9.9: gateway 10.0.0.1"),
        ("10.2.0.0/16 10.0.0.1", "add net 10.2.0.0: gateway 10.0.0.1"),
        ("-net 10.2 -netmask 255.255.0.0 10.0.0.1", "add net 10.2: gateway 10.0.0.1"),
        ("-host 10.9.9.9 -gateway 10.0.0.1", "add host 10.9.9.9"),
        ("-net 224.0.0.0/4 10.0.0.5", "add net 224.0.0.0: gateway 10.0.0.5"),
        ("128.32 10.0.0.1", "add host 128.32: gateway 10.0.0.1"),
        ("-net 128.32 10.0.0.1", "add net 128.32: gateway 10.0.0.1"),
        ("far 10.0.0.1", "add host far: gateway 10.0.0.1"),
        ("lab-net near", "add net lab-net: gateway near"),
        ("-dst 9.1.1.1 10.0.0.1", "add host 9.1.1.1: gateway 10.0.0.1"),
    ],
)
def test_the_line_of_an_added_route(sh, words, line):
    (sh.etc / "hosts").write_text("192.0.2.7 far\n10.0.0.1 near\n")
    (sh.etc / "networks").write_text("lab-net 192.168.7\n")
    assert ok(sh, f"add {words}") == line + "\n"


@pytest.mark.parametrize(
    ("words", "dst", "mask", "flags"),
    [
        ("default 10.0.0.1", "0.0.0.0", 0, RTF_GATEWAY),
        ("0.0.0.0 10.0.0.1", "0.0.0.0", 0, RTF_GATEWAY),
        ("10.2.3.4 10.0.0.1", "10.2.3.4", None, RTF_GATEWAY | RTF_HOST),
        ("11.0.0.0 10.0.0.1", "11.0.0.0", 0xFF000000, RTF_GATEWAY),
        ("172.16.0.0 10.0.0.1", "172.16.0.0", 0xFFFF0000, RTF_GATEWAY),
        ("-net 128.32 10.0.0.1", "128.32.0.0", 0xFFFF0000, RTF_GATEWAY),
        ("-net 192.168.7 10.0.0.1", "192.168.7.0", 0xFFFFFF00, RTF_GATEWAY),
        ("-net 9.9.9.9 10.0.0.1", "9.9.9.9", 0xFFFFFFFF, RTF_GATEWAY),
        ("9.8.0.0/13 10.0.0.1", "9.8.0.0", 0xFFF80000, RTF_GATEWAY),
        ("9.8.7.6/32 10.0.0.1", "9.8.7.6", None, RTF_GATEWAY | RTF_HOST),
        ("-net 9.8/16 10.0.0.1", "9.8.0.0", 0xFFFF0000, RTF_GATEWAY),
        ("9.8.0.0 10.0.0.1 255.255.0.0", "9.8.0.0", 0xFFFF0000, RTF_GATEWAY),
        ("9.8.0.0 10.0.0.1 -prefixlen 16", "9.8.0.0", 0xFFFF0000, RTF_GATEWAY),
        ("-host 9.0.0.0 10.0.0.1", "9.0.0.0", None, RTF_GATEWAY | RTF_HOST),
        ("9.1.1.1 10.0.0.1 -reject", "9.1.1.1", None, RTF_GATEWAY | RTF_HOST | RTF_REJECT),
        ("9.1.1.1 10.0.0.1 -blackhole", "9.1.1.1", None, RTF_GATEWAY | RTF_HOST | RTF_BLACKHOLE),
        (
            "9.1.1.1 10.0.0.1 -proto1 -cloned -nocloned",
            "9.1.1.1",
            None,
            RTF_GATEWAY | RTF_HOST | RTF_PROTO1,
        ),
        ("9.1.1.1 10.0.0.5 -iface", "9.1.1.1", None, RTF_HOST),
        ("9.1.1.1 10.0.0.5 -interface -genmask default", "9.1.1.1", None, RTF_HOST),
    ],
)
def test_what_the_words_make(sh, words, dst, mask, flags):
    ok(sh, f"add {words}")
    (found,) = sh.stack.route.exact(inet_pton(dst), mask)
    assert found.flags & ~0x400 == flags | RTF_UP | RTF_STATIC


def test_a_link_gateway_and_an_interface_by_name(sh):
    ok(sh, "add -net 9.0.0.0 -link wm1 -iface")
    assert sh.stack.route.rtlookup(inet_pton("9.1.1.1")).ifp.name == "wm1"
    ok(sh, "add 8.1.1.1 10.0.0.1 -ifp wm0 -ifa 10.0.0.5")
    assert sh.run(main, "add 8.1.1.2 10.0.0.1 -ifp wm9")[0] == 1


def test_metrics_locked_or_not(sh):
    ok(sh, "add 9.1.1.1 10.0.0.1 -lock -mtu 1400 -hopcount 3 -lockrest -rtt 250000 -expire 9")
    out = ok(sh, "get 9.1.1.1")
    head, line = out.splitlines()[-2:]
    assert head == (
        " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire"
    )
    assert line == (
        "       0         0         0       250L        0         3      1400L "
        f"{9 - 1_000_000_000:>8}L"
    )


def test_get(sh):
    ok(sh, "add default 10.0.0.1")
    assert ok(sh, "get 10.9.9.9") == (
        "   route to: 10.9.9.9\n"
        "destination: default\n"
        "       mask: default\n"
        "    gateway: 10.0.0.1\n"
        " local addr: 10.0.0.5\n"
        "  interface: wm0\n"
        "      flags: <UP,GATEWAY,DONE,STATIC>\n"
        "\n"
        " recvpipe  sendpipe  ssthresh  rtt,msec    rttvar  hopcount      mtu     expire\n"
        "       0         0         0         0         0         0      1500         0 \n"
    )
    assert ok(sh, "-s get 10.9.9.9") == "10.0.0.1\n"
    assert "destination: 10.0.0.0\n       mask: 255.255.255.0\n local addr" in ok(
        sh, "get 10.0.0.77"
    )
    verbose = ok(sh, "-v get 10.9.9.9")
    assert verbose.startswith(
        "so_dst: inet 10.9.9.9; so_ifp: link ; \nRTM_GET: Report Metrics: len "
    )
    assert verbose.endswith(
        "\nlocks:  inits: \nsockaddrs: <DST,GATEWAY,NETMASK,IFP,IFA>\n"
        " default 10.0.0.1 default wm0:0.c.29.3a.41.b7 10.0.0.5\n"
    )


def test_get_of_what_is_nowhere(sh):
    status, out, err = sh.run(main, "get 10.9.9.9")
    assert (status, out) == (1, "")
    assert err == "route: writing to routing socket: not in table\n"


def test_names_are_used_unless_numbers_are_asked_for(sh):
    (sh.etc / "hosts").write_text("10.9.9.9 far\n10.0.0.1 near\n")
    ok(sh, "add far near")
    assert "   route to: far\ndestination: far\n    gateway: near\n" in ok(sh, "get far")
    assert "   route to: 10.9.9.9\ndestination: 10.9.9.9\n    gateway: 10.0.0.1\n" in ok(
        sh, "-n get far"
    )


def test_show_is_the_table_of_netstat(sh):
    ok(sh, "add default 10.0.0.1")
    ok(sh, "add -net 127.0.0.0/8 127.0.0.1 -reject")
    sh.stack.route.rtlookup(1 << 31).use = 340
    sh.stack.route.rtlookup(inet_pton("10.0.0.1")).gateway.lladdr = bytes.fromhex("005056aa0102")
    assert ok(sh, "show") == (
        "Routing tables\n"
        "\n"
        "Internet:\n"
        "Destination        Gateway            Flags    Refs      Use    Mtu  Interface\n"
        "default            10.0.0.1           UGS         0      340      -  wm0\n"
        "10.0.0/24          link#2             UC          1        0      -  wm0\n"
        "10.0.0.1           00:50:56:aa:01:02  UHLc        1        0      -  wm0\n"
        "10.1/16            link#3             UC          0        0      -  wm1\n"
        "127/8              127.0.0.1          UGRS        0        0  33192  lo0\n"
        "127.0.0.1          127.0.0.1          UH          1        0  33192  lo0\n"
    )
    assert ok(sh, "show -inet -host").splitlines()[-2:] == [
        "10.0.0.1           00:50:56:aa:01:02  UHLc        1        0      -  wm0",
        "127.0.0.1          127.0.0.1          UH          1        0  33192  lo0",
    ]
    assert ok(sh, "show -inet6") == "Routing table\n"
    assert ok(sh, "-S show").splitlines()[3:5] == [
        "Destination        Gateway            Flags              Refs      Use    Mtu  Interface",
        "default            10.0.0.1           UG          S         0      340      -  wm0",
    ]


def test_flush_leaves_what_interfaces_brought_and_flushall_does_not(sh):
    ok(sh, "add default 10.0.0.1")
    ok(sh, "add -net 9.0.0.0 10.1.0.1")
    assert ok(sh, "flush") == (
        "default              10.0.0.1             done\n"
        "9.0.0.0              10.1.0.1             done\n"
        "10.0.0.1                                  done\n"
        "10.1.0.1                                  done\n"
    )
    assert [rt.plen for rt in sh.stack.route.routes()] == [24, 16, 32]
    sh.stack.route.rtalloc(inet_pton("10.0.0.9"))
    assert "127.0.0.1" in ok(sh, "flushall")
    assert len(sh.stack.route) == 0


def test_flush_options(sh):
    ok(sh, "add default 10.0.0.1")
    assert ok(sh, "-d flush") == ""
    assert ok(sh, "flush -inet6") == ""
    assert "RTM_GET: Report Metrics: len" in ok(sh, "-vd flush -inet")
    assert ok(sh, "-fq add default 10.0.0.2") == ""
    assert "10.0.0.1 " not in ok(sh, "-n show")
    assert ok(sh, "-f").endswith("done\n")


def test_verbose_shows_the_message(sh):
    assert ok(sh, "-v add -net 9.0.0.0/8 10.0.0.1") == (
        "so_dst: inet 9.0.0.0; so_gate: inet 10.0.0.1; so_mask: inet 255.0.0.0; \n"
        "RTM_ADD: Add Route: len 116, pid 0, seq 1, errno 0, flags: <UP,GATEWAY,STATIC>\n"
        "locks:  inits: \n"
        "sockaddrs: <DST,GATEWAY,NETMASK>\n"
        " 9.0.0.0 10.0.0.1 255.0.0.0\n"
        "add net 9.0.0.0: gateway 10.0.0.1\n"
    )


def test_debug_and_null_write_nothing(sh):
    assert ok(sh, "-d add default 10.0.0.1") == "add net default: gateway 10.0.0.1\n"
    assert ok(sh, "-t add default 10.0.0.1") == "add net default: gateway 10.0.0.1\n"
    assert sh.stack.route.rtlookup(1 << 31) is None
    assert sh.run(main, "-t monitor") == (
        1,
        "",
        "route: read from routing socket: Bad file descriptor\n",
    )


def test_monitor_tells_what_happens(sh):
    stack = sh.stack

    def things_happen(descriptors, timeout):
        if sh.host.tired == 3:
            stack.wm0.link_state_change(LINK_STATE_UP)
            stack.wm0.link_state_change(LINK_STATE_DOWN)
            stack.addr(stack.wm0, "10.9.0.5", 16)
            stack.route.rtalloc(1 << 31)
            stack.tunnel("ppp0", "172.31.0.1", "172.31.0.2")
        sh.host.tired -= 1
        if not sh.host.tired:
            raise KeyboardInterrupt
        return descriptors

    sh.host.wait = things_happen
    import io

    from libnet.libsocket.ctx import Ctx

    out = io.StringIO()
    ctx = Ctx(
        "route",
        stdin=io.StringIO(),
        stdout=out,
        stderr=io.StringIO(),
        environ={"IOPKT_BOX": "BoxA"},
        host=sh.host,
        box=sh.box,
        connect=sh._connect,
    )
    with pytest.raises(KeyboardInterrupt):
        main(["-n", "monitor"], ctx)
    text = out.getvalue()
    messages = text.split("got message of size ")[1:]
    assert all(m.split("\n")[0].endswith(" 2001") for m in messages)
    assert messages[0].split("\n", 1)[1] == (
        "RTM_IFINFO: iface status change: len 144, if# 2, carrier: active, "
        "flags: <UP,BROADCAST,SIMPLEX,MULTICAST>\n"
    )
    assert "carrier: no carrier" in messages[1]
    assert messages[2].split("\n", 1)[1] == (
        "RTM_NEWADDR: address being added to iface: len 80, metric 0, flags: \n"
        "sockaddrs: <NETMASK,IFP,IFA,BRD>\n"
        " 255.255.0.0 wm0:0.c.29.3a.41.b7 10.9.0.5 10.9.255.255\n"
    )
    assert messages[3].split("\n", 1)[1] == (
        "RTM_ADD: Add Route: len 112, pid 0, seq 0, errno 0, flags: <UP,CLONING>\n"
        "locks:  inits: \n"
        "sockaddrs: <DST,GATEWAY,NETMASK>\n"
        " 10.9.0.0  255.255.0.0\n"
    ).replace("112", messages[3].split(" ", 1)[0])
    assert messages[4].split("\n", 1)[1] == (
        "RTM_MISS: Lookup failed on this address: len 92, pid 0, seq 0, errno 0, flags: <DONE>\n"
        "locks:  inits: \n"
        "sockaddrs: <DST>\n"
        " 128.0.0.0\n"
    )
    assert messages[5].split("\n", 1)[1] == (
        "RTM_IFANNOUNCE: iface arrival/departure: len 24, if# 4, what: arrival\n"
    )


def test_monitor_debug_shows_the_interfaces(sh):
    out = ok(sh, "-d monitor")
    assert out.count("RTM_IFINFO: iface status change") == 3
    assert out.count("RTM_NEWADDR: address being added to iface") == 3


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ((100, b""), "associate"),
        ((105, b""), "scan complete"),
        ((103, bytes(range(6))), "join mac 00:01:02:03:04:05"),
        ((104, b"\0"), "leave (truncated)"),
        (
            (107, bytes(range(12)) + b"\x03\x01"),
            "michael src 00:01:02:03:04:05 dst 06:07:08:09:0a:0b cipher 3 keyix 1",
        ),
        (
            (106, bytes(12) + b"\x03\x01" + bytes(2) + b"\x10" + bytes(15)),
            "replay src 00:00:00:00:00:00 dst 00:00:00:00:00:00 cipher 3 keyix 1 "
            "key rsc 0x10 frame rsc 0",
        ),
        ((77, b""), "#77"),
    ],
)
def test_wireless_events(event, text):
    msg = IfanMsg(RTM_IEEE80211, index=2, name="wm0", what=event[0], data=event[1], size=24)
    assert MessageText().message(msg) == (
        f"RTM_IEEE80211: IEEE80211 wireless event: len 24, if# 2, what: {text}\n"
    )


@pytest.mark.parametrize(
    ("line", "err"),
    [
        ("", USAGE),
        ("-n", USAGE),
        ("-x", "route: unknown option -- x\n" + USAGE),
        ("frobnicate", "route: botched keyword: frobnicate\n" + USAGE),
        ("add -frob 1.1.1.1", "route: botched keyword: frob\n" + USAGE),
        ("add default -mtu", "route: botched keyword: mtu\n" + USAGE),
        ("add default 10.0.0.1 x", USAGE),
        ("show 10.0.0.1", "route: botched keyword: 10.0.0.1\n" + USAGE),
        ("show -link", "route: botched keyword: -link\n" + USAGE),
        ("flush -frob", "route: botched keyword: -frob\n" + USAGE),
        ("add -host -net 1.1.1.1 10.0.0.1", "route: -host and -net conflict\n"),
        ("add nowhere 10.0.0.1", "route: nowhere: bad value\n"),
        ("add 1.1.1.1 nowhere", "route: nowhere: bad value\n"),
        ("add 1.1.1.1/33 10.0.0.1", "route: 33: bad value\n"),
        ("add 1.1.1.1 10.0.0.1 -netmask x", "route: x: bad value\n"),
        ("add -link wm0 -prefixlen 3", "route: prefixlen is not supported with af 18\n"),
        ("add -inet6 zz ::1", "route: zz: bad value\n"),
        ("add -atalk 70000.1 1.1", "route: bad address: 70000.1\n"),
        ("add -link wm0 -netmask 1", "route: netmask is not supported with af 18\n"),
    ],
)
def test_what_makes_no_sense(sh, line, err):
    assert sh.run(main, line) == (1, "", err)


@pytest.mark.parametrize(
    ("words", "warning", "flags"),
    [
        ("9.1.1.1 10.0.0.5 0", "old usage of trailing 0, assuming route to if", 0),
        (
            "9.1.1.1 10.0.0.1 1",
            "old usage of trailing digit, assuming route via gateway",
            RTF_GATEWAY,
        ),
    ],
)
def test_old_usage_is_understood(sh, words, warning, flags):
    status, _out, err = sh.run(main, f"add {words}")
    assert (status, err) == (0, f"route: {warning}\n")
    (found,) = sh.stack.route.exact(inet_pton("9.1.1.1"), None)
    assert found.flags & RTF_GATEWAY == flags
    assert sh.run(main, f"-q delete {words}") == (0, "", "")


@pytest.mark.parametrize(
    ("line", "out"),
    [
        ("add -inet6 ::2 ::1", "add host ::2: gateway ::1: not in table\n"),
        ("add -inet6 2001:db8::/32 ::1", "add net 2001:db8::/32: gateway ::1: not in table\n"),
        ("add -inet6 default ::1", "add net default: gateway ::1: not in table\n"),
        ("change -atalk 1.1 2.2", "change host 1.1: gateway 2.2: Address family not supported by "
         "protocol family\n"),
        ("add -iso 47.0005 47.0006", "add host 47.0005: gateway 47.0006: not in table\n"),
        ("add -sa 18.1 18.2", "add host 18.1: gateway 18.2: not in table\n"),
    ],
)  # fmt: skip
def test_families_without_a_table(sh, line, out):
    status, got, err = sh.run(main, line)
    assert (status, got) == (1, out)
    assert err.startswith("route: writing to routing socket: ")


def test_without_the_right(tmp_path):
    sh = Shell(tmp_path, root=False)
    status, out, err = sh.run(main, "add default 10.0.0.1")
    assert (status, out) == (1, "add net default: gateway 10.0.0.1: Permission denied\n")
    assert err == "route: writing to routing socket: Permission denied\n"
    assert sh.run(main, "get 10.0.0.9")[0] == 0


def test_without_a_stack(sh):
    sh.dead = True
    text = "Address family not supported by protocol family\n"
    assert sh.run(main, "show") == (1, "", "route: socket: " + text)
    assert sh.run(main, "-t show") == (1, "", "route: route-sysctl-estimate: " + text)


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(sh):
    sh.host.tired = 99
    sh.stack.rtsock.tell = lambda *args: None
    ok(sh, "add default 10.0.0.1")
    assert sh.run(main, "get default") == (
        1,
        "",
        "route: read from routing socket: Connection timed out\n",
    )


WORDS = (
    *("default", "10.0.0.1", "10.1/16", "0", "1", "255.255.0.0", "::1", "wm0", "-net", "-host"),
    *("-netmask", "-inet6", "-link", "-iface", "-mtu", "-lock", "-ifp", "-ifa", "-dst", "-gateway"),
    *("-genmask", "-prefixlen", "-sa", "-iso", "-atalk", "-reject", "-lockrest", "-expire"),
)

words = st.lists(
    st.one_of(
        st.sampled_from(WORDS),
        st.text(max_size=12),
    ),
    max_size=8,
)


class NoNames:
    """A box without files."""

    def gethostbyname(self, text):
        from cmds._names import HostNotFound
        from libnet.addr import inet_aton

        try:
            return inet_aton(text)
        except ValueError:
            raise HostNotFound(text) from None

    def getnetbyname(self, text):
        from cmds._names import HostNotFound

        raise HostNotFound(text)


@given(words, st.sampled_from(("add", "get")))
def test_any_words_are_a_request_or_a_complaint(words, command):
    request = Request(command, NoNames(), quiet=True, warn=lambda text: None)
    try:
        request.parse(words)
    except (UsageError, BadValue):
        return
    assert request.msg(1).build()


@given(st.text(max_size=40))
def test_any_text_is_a_link_address(text):
    assert len(link_addr(text).name) <= 15
    assert len(hex_octets(text)) <= 20
    atoi(text)


@given(st.integers(0, 0xFFFFFFFF))
def test_a_network_number_has_an_address_under_its_mask(net):
    addr, mask = network_of(net)
    assert 0 <= addr <= 0xFFFFFFFF
    assert addr & mask == addr or mask in (0xF0000000, 0xFFFFFF00, 0xFFFF0000)


def test_the_manual_names_every_keyword_and_option():
    page = (Path(__file__).parents[2] / "man/man8/route.8").read_text()
    words = set(page.replace(",", " ").split())
    assert {*WITH_ARGUMENT, *WITHOUT_ARGUMENT} <= words
    assert set("dfnqSstv") == set(page.split(".Op Fl ")[1].split("\n")[0])
    assert {"add", "change", "delete", "get", "show", "flush", "flushall", "monitor"} <= words


def test_flags_without_a_name_print_nothing():
    assert bprintf(0x10000, ()) == ""
    msg = RtMsg(1, flags=RTF_CLONED, addrs=RtAddrs(SockaddrIn(1), SockaddrDl(2)), size=9)
    assert "flags: <CLONED>" in MessageText().message(msg)
