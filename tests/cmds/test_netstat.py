"""netstat against a sysctl tree and hand-made dumps; samples are those of the reference."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmds.netstat import atoi, main
from libnet.addr import SockaddrDl, SockaddrIn
from libnet.engine.kern.socket import Cred
from libnet.engine.kern.sysctl import SysctlTree
from libnet.errors import NetError
from libnet.ioctl.sockio import IfData, IfDataReq
from libnet.ioctl.sysctl import BpfPeer, PcbInfo
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport
from libnet.text.netstat import STATS, Sideways, mbufs, stats, tcpcb
from libnet.wire.rtsock import IfaMsg, IfMsg, RtAddrs, RtMetrics, RtMsg

HOSTS = "10.42.7.20 box boxa.lan\n10.42.7.1 gate.lan\n127.0.0.1 localhost\n"
NETWORKS = "loopback 127\noffice 10.42.7\n"
SERVICES = "ssh 22/tcp\nbootpc 68/udp\nftp 21/tcp\n"
PROTOCOLS = "ip 0 IP\nicmp 1 ICMP\nigmp 2 IGMP\ntcp 6 TCP\nudp 17 UDP\n"


class Ifaces:
    ipq_len, ipq_max, ipq_drops = 3, 256, 7


def _if(index, name, mac, mtu, up=True, **counts):
    return IfMsg(
        index=index,
        flags=0x8843 if up else 0x8802,
        data=IfData(type=6, mtu=mtu, **counts),
        addrs=RtAddrs(ifp=SockaddrDl(index, 6 if mac else 24, name, bytes.fromhex(mac))),
    ).build()


def _ifa(index, addr, mask):
    addrs = RtAddrs(netmask=mask, ifa=SockaddrIn(addr))
    return IfaMsg(12, index=index, addrs=addrs).build()


IFLIST = [
    _if(1, "lo0", "", 33192, ipackets=84, opackets=84, ibytes=9000, obytes=9000),
    _ifa(1, 0x7F000001, 0xFF000000),
    _if(2, "wm0", "000c293a41b7", 1500, ipackets=1204, opackets=998, ibytes=123456, obytes=65432),
    _ifa(2, 0x0A2A0714, 0xFFFFFF00),
    _if(3, "abc0", "00abcdefd7ac", 1500, up=False),
]


def _rt(dst, mask, gateway, flags, index, refs, use, mtu=0):
    return RtMsg(
        4,
        flags=flags,
        index=index,
        seq=refs,
        use=use,
        rmx=RtMetrics(mtu=mtu),
        addrs=RtAddrs(dst=SockaddrIn(dst), gateway=gateway, netmask=mask),
    ).build()


ROUTES = [
    _rt(0, 0, SockaddrIn(0x0A2A0701), 0x803, 2, 1, 340),
    _rt(0x0A2A0700, 0xFFFFFF00, SockaddrDl(2, 6), 0x101, 2, 2, 0),
    _rt(0x0A2A0701, None, SockaddrDl(2, 6, "", bytes.fromhex("005056aa0102")), 0x2405, 2, 1, 12),
    _rt(0x7F000000, 0xFF000000, SockaddrIn(0x7F000001), 0x80B, 1, 0, 0, 33192),
    _rt(0x7F000001, None, SockaddrIn(0x7F000001), 0x5, 1, 1, 84, 33192),
]

PCBS = {
    "tcp": [
        PcbInfo("tcp", 0x0A2A0714, 22, 0x0A2A0701, 51022, 0, 0, 4, 0xC0FFEE),
        PcbInfo("tcp", 0, 21, 0, 0, 0, 0, 1, 0xBEEF00),
    ],
    "udp": [PcbInfo("udp", 0, 68, 0, 0)],
}


class Host:
    """A clock that a test owns; the program ends when it has slept *naps* times."""

    dice = None

    def __init__(self, machine, naps):
        self.machine, self.naps, self.time = machine, naps, 0.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        if not self.naps:
            raise KeyboardInterrupt
        self.naps -= 1
        self.time += seconds
        self.machine.tick()


class Machine:
    def __init__(self, root):
        self.iflist, self.routes = list(IFLIST), list(ROUTES)
        self.tree = tree = SysctlTree()
        self.multicast = {"wm0": [0xE0000001, 0xE0000005]}
        self.drops = {"lo0": 0, "wm0": 5, "abc0": 0}
        self.stats = {
            "ip": {"total": 2, "badsum": 1, "forward": 4, "fastforward": 1, "localout": 9},
            "icmp": {"error": 1, "outhist.8": 4, "inhist.0": 4, "inhist.3": 1},
            "igmp": {"rcv_queries": 1, "snd_reports": 2},
            "udp": {"ipackets": 10, "badsum": 1, "noport": 2, "opackets": 1},
            "arp": {"sndtotal": 3, "sndrequest": 2, "sndreply": 1, "rcvtotal": 1},
        }
        for name, counters in self.stats.items():
            tree.struct_node(f"net.inet.{name}.stats", None, lambda c=counters: c)
        for name, rows in PCBS.items():
            tree.struct_node(f"net.inet.{name}.pcblist", None, lambda r=rows: r)
        tree.struct_node("net.inet.multicast", None, lambda: self.multicast)
        tree.struct_node("net.route.stats", None, lambda: {"dynamic": 1, "wildcard": 2})
        tree.struct_node("kern.mbuf.stats", 6, lambda: {"header": 2, "soname": 1, "clusters": 1,
                         "mbufs_total": 16, "clusters_total": 2, "drops": 4})  # fmt: skip
        tree.func_node("net.route.rtable", 0, self.rtable)
        for n, name in enumerate(("len", "max", "drops"), 1):
            leaf = "maxlen" if name == "max" else name
            tree.int_node(f"net.inet.ip.ifq.{leaf}", n, Ifaces, f"ipq_{name}", ro=True)
        self.box = BoxPaths(str(root), "A")
        etc = root / "boxes/A/root/etc"
        etc.mkdir(parents=True, exist_ok=True)
        for name, text in (
            ("hosts", HOSTS),
            ("networks", NETWORKS),
            ("services", SERVICES),
            ("protocols", PROTOCOLS),
        ):
            (etc / name).write_text(text)
        self.up = True
        self.naps = 0

    def rtable(self, tail, new, cred):
        return b"".join(self.routes if tail[1] == 1 else self.iflist)

    def tick(self):
        self.iflist[2] = _if(2, "wm0", "000c293a41b7", 1500, ipackets=1214, opackets=1000)
        self.drops["wm0"] = 6

    def serve(self, op, args):
        match op:
            case "sysctl":
                return self.tree.call(*args, Cred(suser=False))
            case "ioctl":
                assert args[0] == "SIOCGIFDATA"
                data = IfData(odrops=self.drops[args[1].name])
                return IfDataReq(args[1].name, data)
            case _:
                return None

    def connect(self, prefix):
        if not self.up:
            raise NetError("EAFNOSUPPORT")
        return LocalTransport(self.serve, codec=True)

    def sh(self, *argv):
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "netstat",
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={},
            host=Host(self, self.naps),
            box=self.box,
            connect=self.connect,
        )
        try:
            status = main(list(argv), ctx)
        except KeyboardInterrupt:
            status = 130
        return status, out.getvalue(), err.getvalue()

    def shown(self, *argv):
        status, out, err = self.sh(*argv)
        assert (status, err) == (0, "")
        return out


@pytest.fixture
def a(tmp_path):
    return Machine(tmp_path)


def test_interfaces(a):
    assert a.shown("-in") == (
        "Name  Mtu   Network       Address              Ipkts Ierrs    Opkts Oerrs Colls\n"
        "lo0   33192 <Link>                                84     0       84     0     0\n"
        "lo0   33192 127/8         127.0.0.1               84     0       84     0     0\n"
        "wm0   1500  <Link>        00:0c:29:3a:41:b7     1204     0      998     0     0\n"
        "wm0   1500  10.42.7/24    10.42.7.20            1204     0      998     0     0\n"
        "abc0* 1500  <Link>        00:ab:cd:ef:d7:ac        0     0        0     0     0\n"
    )


def test_interfaces_by_name(a):
    lines = a.shown("-I", "wm0").splitlines()
    assert [line[12:43].split() for line in lines[1:]] == [
        ["<Link>", "00:0c:29:3a:41:b7"],
        ["office", "box"],
    ]


def test_octets_drops_and_timer_columns(a):
    assert a.shown("-nbdtI", "wm0") == (
        "Name  Mtu   Network       Address               Ibytes     Obytes Time Drops\n"
        "wm0   1500  <Link>        00:0c:29:3a:41:b7     123456      65432    0     5\n"
        "wm0   1500  10.42.7/24    10.42.7.20            123456      65432    0     5\n"
    )


def test_multicast_addresses_follow_the_interfaces_first_address(a):
    assert a.shown("-aniI", "wm0").splitlines()[2:] == [
        "wm0   1500  10.42.7/24    10.42.7.20        ",
        f"{'':25} 224.0.0.1         ",
        f"{'':25} 224.0.0.5             1204     0      998     0     0",
    ]


def test_no_headings(a):
    assert a.shown("-inQ").startswith("lo0   33192 <Link>  ")


def test_verbose_cuts_nothing(a):
    a.iflist = [_if(1, "averylongname0", "", 1500)]
    assert a.shown("-in").splitlines()[1].startswith("avery 1500  <Link>")
    assert a.shown("-inv").splitlines()[1].startswith("averylongname0 1500  <Link>")


def test_the_running_display(a):
    a.naps = 1
    status, out, err = a.sh("-I", "wm0", "-w", "5")
    assert (status, err) == (130, "")
    assert out == (
        "  wm0 in        wm0 out              total in      total out            \n"
        " packets  errs  packets  errs colls   packets  errs  packets  errs colls\n"
        "    1204     0      998     0     0      1288     0     1082     0     0\n"
        "      10     0        2     0     0        10     0        2     0     0\n"
    )


def test_the_running_display_shows_the_first_interface_and_takes_a_bare_number(a):
    status, out, _err = a.sh("-bd", "2")
    assert status == 130
    assert out == (
        "    lo0 in             lo0 out              "
        "  total in           total out            \n"
        "     bytes               bytes       drops"
        "       bytes               bytes       drops\n"
        "      9000                9000           0"
        "      132456               74432           5\n"
    )


def test_a_banner_every_21_lines_and_totals_after_it():
    display = Sideways("a")
    text = [display.sample({"a": {"ipackets": 5 * n}}) for n in range(1, 24)]
    assert [n for n, piece in enumerate(text) if piece.count("\n") == 3] == [0, 21]
    assert text[1].split()[0] == "5"
    assert text[21].splitlines()[2].split()[0] == "110"


def test_sockets(a):
    assert a.shown("-an") == (
        "Active Internet connections (including servers)\n"
        "Proto Recv-Q Send-Q  Local Address          Foreign Address        State\n"
        "tcp        0      0  10.42.7.20.22          10.42.7.1.51022        ESTABLISHED\n"
        "tcp        0      0  *.21                   *.*                    LISTEN\n"
        "udp        0      0  *.68                   *.*                   \n"
    )


def test_servers_are_left_out_without_a(a):
    assert a.shown("-n") == (
        "Active Internet connections\n"
        "Proto Recv-Q Send-Q  Local Address          Foreign Address        State\n"
        "tcp        0      0  10.42.7.20.22          10.42.7.1.51022        ESTABLISHED\n"
    )


def test_names_of_hosts_and_ports(a):
    out = a.shown("-a")
    assert "tcp        0      0  box.ssh                gate.lan.51022         ESTAB" in out
    assert "udp        0      0  *.bootpc               *.*" in out
    assert "10.42.7.20.ssh " in a.shown("-aS")


def test_our_own_domain_is_not_shown(a):
    class Kern:
        hostname = "boxa.lan"

    a.tree.str_node("kern.hostname", 10, Kern, "hostname")
    assert " gate.51022 " in a.shown("-a")


def test_pcb_addresses(a):
    assert a.shown("-A").splitlines() == [
        "Active Internet connections",
        "PCB      Proto Recv-Q Send-Q  Local Address      Foreign Address    State",
        "  c0ffee tcp        0      0  box.ssh            gate.lan.51022     ESTABLISHED",
    ]
    assert a.shown("-Aan").splitlines()[2:4] == [
        "  c0ffee tcp        0      0 10.42.7.20.22         10.42.7.1.51022       ESTABL",
        "  beef00 tcp        0      0 *.21                  *.*                   LISTEN",
    ]


def test_a_strange_tcp_state_is_a_number(a):
    a.tree.remove("net.inet.tcp.pcblist")
    a.tree.struct_node("net.inet.tcp.pcblist", None, lambda: [PcbInfo("tcp", 0x0A000001, state=77)])
    assert a.shown("-n").endswith(" 77\n")


@pytest.mark.parametrize("family", ["inet6", "arp", "pfkey", "iso", "atalk"])
def test_families_without_sockets_show_none(a, family):
    assert a.shown("-af", family) == ""


def test_local_sockets_have_only_a_heading(a):
    want = (
        "Active UNIX domain sockets\n"
        "Address  Type   Recv-Q Send-Q    Inode     Conn     Refs  Nextref Addr\n"
    )
    assert [a.shown("-f", "local"), a.shown("-f", "unix"), a.shown("-u")] == [want] * 3


ROUTE_TABLE = (
    "Routing tables\n"
    "\n"
    "Internet:\n"
    "Destination        Gateway            Flags    Refs      Use    Mtu  Interface\n"
    "default            10.42.7.1          UGS         1      340      -  wm0\n"
    "10.42.7/24         link#2             UC          2        0      -  wm0\n"
    "10.42.7.1          00:50:56:aa:01:02  UHLc        1       12      -  wm0\n"
    "127/8              127.0.0.1          UGRS        0        0  33192  lo0\n"
    "127.0.0.1          127.0.0.1          UH          1       84  33192  lo0\n"
)


def test_routes(a):
    assert a.shown("-rn") == ROUTE_TABLE
    assert a.shown("-rn", "-f", "inet") == ROUTE_TABLE
    assert a.shown("-rn", "-f", "inet6") == "Routing tables\n"


def test_routes_without_link_level_entries(a):
    assert "UHLc" not in a.shown("-rnL")


def test_routes_with_names_and_metrics(a):
    out = a.shown("-r")
    assert "office             link#2             UC" in out
    assert "gate.lan           00:50:56" in out
    assert "\thopcount          0 \n" in a.shown("-rv")
    assert a.shown("-rF", "a") == a.shown("-rv") == a.shown("-rF", "0")


def test_route_statistics(a):
    assert a.shown("-rs") == (
        "routing:\n"
        "\t0 bad routing redirects\n"
        "\t1 dynamically created route\n"
        "\t0 new gateways due to redirects\n"
        "\t0 destinations found unreachable\n"
        "\t2 uses of a wildcard route\n"
    )


def test_statistics_come_in_the_order_of_etc_protocols(a):
    heads = [line for line in a.shown("-s").splitlines() if not line.startswith("\t")]
    assert heads == ["ip:", "icmp:", "igmp:", "udp:", "arp:"]
    assert a.shown("-s", "-f", "arp").startswith("arp:\n\t3 packets sent\n\t\t1 reply packet\n")


def test_forwarded_packets_share_a_line(a):
    out = a.shown("-p", "ip")
    assert "\n\t4 packets forwarded (1 packet fast forwarded)\n\t0 packets not forw" in out
    assert out.startswith("ip:\n\t2 total packets received\n\t1 bad header checksum\n\t0 with size")
    assert len(out.splitlines()) == 30


def test_zero_counters_are_left_out_with_s_twice(a):
    assert a.shown("-ssp", "ip") == (
        "ip:\n"
        "\t2 total packets received\n"
        "\t1 bad header checksum\n"
        "\t4 packets forwarded (1 packet fast forwarded)\n"
        "\t9 packets sent from this host\n"
    )
    a.stats["ip"]["fastforward"] = 0
    assert "\t4 packets forwarded\n\t9" in a.shown("-ssp", "ip")
    a.stats["ip"].clear()
    assert a.shown("-ssp", "ip") == "ip:\n"


def test_icmp_histograms(a):
    assert a.shown("-p", "icmp") == (
        "icmp:\n"
        "\t1 call to icmp_error\n"
        "\t0 errors not generated because old message was icmp\n"
        "\tOutput histogram:\n"
        "\t\techo: 4\n"
        "\t0 messages with bad code fields\n"
        "\t0 messages < minimum length\n"
        "\t0 bad checksums\n"
        "\t0 messages with bad length\n"
        "\tInput histogram:\n"
        "\t\techo reply: 4\n"
        "\t\tdestination unreachable: 1\n"
        "\t0 message responses generated\n"
        "\t0 path MTU changes\n"
    )


def test_udp_delivered_is_what_was_not_dropped(a):
    out = a.shown("-p", "udp")
    assert "\t10 datagrams received\n" in out
    assert "\t7 delivered\n\t0 PCB hash misses\n\t1 datagram output\n" in out


def test_igmp_queries_have_their_plural(a):
    out = a.shown("-p", "igmp")
    assert "\t1 membership query received\n" in out
    assert "\t0 membership queries received with invalid field(s)\n" in out


def test_protocols_may_be_named_by_alias(a):
    assert a.shown("-p", "UDP") == a.shown("-p", "udp")


def test_mbufs(a):
    assert a.shown("-m") == (
        "3 mbufs in use:\n"
        "\t2 mbufs allocated to packet headers\n"
        "\t1 mbufs allocated to socket names and addresses\n"
        "1/2 mapped pages in use\n"
        "8 Kbytes allocated to network (34% in use)\n"
        "4 requests for memory denied\n"
        "0 requests for memory delayed\n"
        "0 calls to protocol drain routines\n"
    )


def test_mbufs_of_nothing():
    assert "0 Kbytes allocated to network (0% in use)" in mbufs({})


def test_queues(a):
    assert a.shown("-q") == (
        "ipintrq:\n\tqueue length: 3\n\tmaximum queue length: 256\n\tpackets dropped: 7\n"
    )


def test_multicast_routing_is_absent(a):
    assert a.shown("-g") == "no multicast routing compiled into this system\n"
    assert a.shown("-gs") == "no multicast routing compiled into this system\n"


def test_packet_filter_descriptors(a):
    peers = [
        BpfPeer(12, "wm0", 1, True, True, False, True, 32768, 7, 0, 5, "tcpdump"),
        BpfPeer(13, bufsize=4096),
    ]
    a.tree.struct_node("net.bpf.peers", None, lambda: peers)
    a.tree.struct_node("net.bpf.stats", None, lambda: {"recv": 7, "capt": 5})
    assert a.shown("-B") == (
        "Active BPF peers\n"
        "PID\tInt\tRecv     Drop     Capt     Flags  Bufsize  Comm\n"
        "12      wm0     7        0        5        WPR-H  32768    tcpdump\n"
        "13      -       0        0        0        I----  4096     -\n"
    )
    assert len(a.shown("-BI", "wm0").splitlines()) == 3
    assert a.shown("-Bs") == (
        "bpf:\n\t7 total packets received\n\t5 total packets captured\n\t0 total packets dropped\n"
    )


def test_a_tcp_control_block(a):
    a.tree.func_node("net.inet.tcp.pcb", None, lambda tail, new, cred: {"state": 4, "iss": tail[1]})
    out = a.shown("-P", "0xc0ffee")
    assert out.startswith("TCP Protocol Control Block at 0x00c0ffee:\n\nTimers:\n\tREXMT: 0\t")
    assert "\nState: ESTABLISHED, flags 0x0, inpcb" in out
    assert f"iss {0xC0FFEE}, snd_wnd 0\n" in out
    assert tcpcb(1, {"state": 99}).count("State: 99,") == 1


def test_a_protocol_without_dump(a):
    assert a.shown("-p", "udp", "-P", "1f") == "udp: no PCB dump routine\n"


@pytest.mark.parametrize(
    ("argv", "err"),
    [
        (["-f", "ns"], "ns: unknown address family"),
        (["-p", "bogus"], "bogus: unknown or uninstrumented protocol"),
        (["-I", "wm9"], "wm9: unknown interface"),
        (["-I", "wm9", "-w", "1"], "wm9: unknown interface"),
        (["-P", "xyz"], "invalid PCB address xyz"),
        (["-P", "1"], "net.inet.tcp.pcb: No such file or directory"),
        (["-p", "tcp"], "net.inet.tcp.stats: No such file or directory"),
        (["-B"], "net.bpf.peers: No such file or directory"),
        (["-rF", "3"], "FIB 3: this stack has one routing table, 0"),
        (["-rF", "16"], "16: invalid FIB, give 0 to 15 or a"),
        (
            ["-M", "/dev/mem"],
            "there is no kernel memory to read: the stack is asked through /dev/socket",
        ),
    ],
)
def test_errors(a, argv, err):
    assert a.sh(*argv) == (1, "", f"netstat: {err}\n")


@pytest.mark.parametrize("proto", ["carp", "pim"])
def test_some_protocols_are_silently_absent(a, proto):
    assert a.shown("-p", proto) == ""


@pytest.mark.parametrize("argv", [["-z"], ["-h"], ["-w"], ["0"]])
def test_wrong_use_prints_the_usage(a, argv):
    status, out, err = a.sh(*argv)
    assert (status, out) == (1, "")
    assert "usage: netstat [-AanT] [-f address_family]\n       netstat [-dgiLmnrsTv]" in err


def test_without_a_stack(a):
    a.up = False
    assert a.sh("-i") == (
        1,
        "",
        "netstat: socket: Address family not supported by protocol family\n",
    )


def test_a_broken_dump_is_told(a):
    a.iflist.append(b"\x09\0\3")
    status, _out, err = a.sh("-i")
    assert status == 1
    assert err.startswith("netstat: sysctl of interface list: ")


@given(st.sampled_from(sorted(STATS)), st.dictionaries(st.text(max_size=9), st.integers(0)))
def test_every_table_prints_any_counters(name, counters):
    text = stats(name, counters)
    assert text.startswith(f"{name}:\n")
    assert "%" not in text
    assert stats(name, {}, nonzero=True) == f"{name}:\n"


def test_every_template_has_as_many_counters_as_it_names():
    for lines in STATS.values():
        for template, *keys in lines:
            if template != "histogram":
                assert template.count("%d") == len(keys), template


@given(st.integers(-(10**9), 10**9), st.text(alphabet="x. ", max_size=3))
def test_atoi_reads_the_front(number, rest):
    assert atoi(f" {number}{rest}") == number


_WORDS = st.sampled_from(
    ["-a", "-i", "-I", "wm0", "-s", "-r", "-n", "-f", "inet", "-p", "ip", "-F", "-P", "-B", "-m"]
)


@given(st.lists(_WORDS | st.text(max_size=6), max_size=4))
def test_any_words_end_in_a_status(tmp_path_factory, words):
    machine = Machine(tmp_path_factory.getbasetemp())
    status, _out, err = machine.sh(*words)
    assert status in (0, 1, 130)
    assert status != 1 or err
