"""ifconfig against a stack that answers from a table and writes down what it is asked."""

from __future__ import annotations

import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmds.ifconfig import USAGE, main
from cmds.ifconfig.keywords import KEYWORDS
from libnet.addr import Sockaddr, SockaddrDl, SockaddrIn
from libnet.errors import NetError
from libnet.ioctl.ieee80211 import Ieee80211Nwkey
from libnet.ioctl.ifvlan import AgrPortInfo
from libnet.ioctl.sockio import IfCloneReq, IfData
from libnet.libsocket.box import BoxPaths
from libnet.libsocket.ctx import Ctx
from libnet.libsocket.transport import LocalTransport
from libnet.wire.rtsock import RTM_NEWADDR, IfaMsg, IfMsg, IfStats, RtAddrs

IP = 0x0A2A0714


class Nic:
    """What the fake stack knows of one interface."""

    def __init__(self, flags, mtu=1500, mac=b"", addrs=(), media=None):
        self.flags, self.mtu, self.mac, self.addrs, self.media = flags, mtu, mac, addrs, media
        self.metric, self.cap, self.prefs = 0, (0, 0, 0, 0), {}


class Fake:
    """A stack by table.

    asked  [ioctl name, argument] in order      fails  error symbol by ioctl name
    """

    def __init__(self):
        self.asked, self.fails, self.extra = [], {}, {}
        self.nics = {
            "lo0": Nic(0x8049, 33192, addrs=[(0x7F000001, 0xFF000000, 0)]),
            "wm0": Nic(
                0x8802,
                mac=bytes.fromhex("000c293a41b7"),
                media=(0x20, 0x20, 1, [0x22, 0x23, 0x100023, 0x26, 0x100026, 0x20]),
            ),
            "ppp0": Nic(0x8010),
        }
        self.families = {2}

    def serve(self, op, args):
        if op == "socket":
            if args[0] not in self.families:
                raise NetError("EAFNOSUPPORT")
            return None
        if op == "close":
            return None
        if op == "sysctl":
            assert args == [[4, 17, 0, 0, 4, 0], None]
            self.asked.append(("NET_RT_IFLIST", None))
            if op in self.fails:
                raise NetError(self.fails[op])
            return b"".join(self.iflist())
        assert op == "ioctl"
        name, arg = args
        self.asked.append((name, arg))
        if name in self.fails:
            raise NetError(self.fails[name])
        if name == "SIOCIFGCLONERS":
            return IfCloneReq(3, ["pppoe", "lo", "vlan"])
        if name == "SIOCIFCREATE":
            self.nics[arg.name] = Nic(0)
            return None
        nic = self.nics.get(arg.name)
        if nic is None:
            raise NetError("ENXIO")
        if name in self.extra:
            return self.extra[name](arg)
        handler = getattr(self, name, None)
        if handler is None:
            raise NetError("ENOTTY")
        return handler(nic, arg)

    def iflist(self):
        for index, (name, nic) in enumerate(self.nics.items(), 1):
            dl = RtAddrs(ifp=SockaddrDl(index, 6, name, nic.mac))
            yield IfMsg(index=index, flags=nic.flags, data=IfStats(), addrs=dl).build()
            for addr, mask, _dst in nic.addrs:
                addrs = RtAddrs(netmask=mask, ifa=SockaddrIn(addr))
                yield IfaMsg(RTM_NEWADDR, index=index, addrs=addrs).build()

    def SIOCGIFFLAGS(self, nic, arg):
        arg.value = nic.flags
        return arg

    def SIOCSIFFLAGS(self, nic, arg):
        nic.flags = arg.value

    def SIOCGIFMTU(self, nic, arg):
        arg.value = nic.mtu
        return arg

    def SIOCGIFMETRIC(self, nic, arg):
        arg.value = nic.metric
        return arg

    def SIOCGIFCAP(self, nic, arg):
        (arg.capabilities_rx, arg.capabilities_tx, arg.capenable_rx, arg.capenable_tx) = nic.cap
        return arg

    def SIOCGIFADDR(self, nic, arg):
        if not nic.addrs:
            raise NetError("EADDRNOTAVAIL")
        arg.addr = SockaddrIn(nic.addrs[0][0])
        return arg

    def SIOCGIFALIAS(self, nic, arg):
        _addr, mask, dst = next(row for row in nic.addrs if row[0] == arg.addr.addr)
        arg.mask, arg.dstaddr = SockaddrIn(mask), SockaddrIn(dst)
        return arg

    def SIOCGIFADDRPREF(self, nic, arg):
        arg.preference = nic.prefs.get(arg.addr.addr, 0)
        return arg

    def SIOCGIFMEDIA(self, nic, arg):
        if nic.media is None:
            raise NetError("EINVAL")
        arg.current, arg.active, arg.status, words = nic.media
        arg.ulist = words if arg.count else []
        arg.count = len(words)
        return arg

    def accept(self, nic, arg):
        return None

    SIOCAIFADDR = SIOCDIFADDR = SIOCSIFMTU = SIOCSIFMETRIC = SIOCSIFCAP = SIOCSIFMEDIA = accept
    SIOCSIFADDRPREF = SIOCIFDESTROY = accept


class Run:
    """The outcome of one command."""

    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err


@pytest.fixture
def fake():
    return Fake()


@pytest.fixture
def ifconfig(fake, tmp_path):
    return runner(fake, tmp_path)


def runner(fake, tmp_path):
    etc = tmp_path / "boxes" / "BoxA" / "root" / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "hosts").write_text("10.42.0.9 BoxB\n")
    (etc / "networks").write_text("lab-mask 255.255.240\nten 10\n")

    def run(*argv, codec=True):
        out, err = io.StringIO(), io.StringIO()
        ctx = Ctx(
            "ifconfig",
            stdin=io.StringIO(),
            stdout=out,
            stderr=err,
            environ={},
            host=None,
            box=BoxPaths(str(tmp_path), "BoxA"),
            connect=lambda prefix: LocalTransport(fake.serve, codec=codec),
        )
        fake.asked.clear()
        return Run(main(list(argv), ctx), out.getvalue(), err.getvalue())

    return run


def names(fake):
    return [name for name, _arg in fake.asked]


INFO = ["SIOCGIFFLAGS", "SIOCGIFMETRIC", "SIOCGIFMTU", "SIOCGIFCAP"]


def after_info(fake):
    """Return what was asked after the four questions that come first."""
    assert names(fake)[:4] == INFO
    return names(fake)[4:]


# Listing.


def test_a_listing_asks_in_the_order_of_the_original(ifconfig, fake):
    fake.nics["wm0"].addrs = [(IP, 0xFFFFFF00, IP | 255)]
    assert ifconfig("wm0").status == 0
    assert names(fake) == [
        *INFO,
        "NET_RT_IFLIST",
        "SIOCG80211NWID",
        "SIOCGVH",
        "SIOCGLIFPHYADDR",
        "SIOCGIFMEDIA",
        "SIOCGIFMEDIA",
        "SIOCGIFADDR",
        "SIOCGIFALIAS",
        "SIOCGIFADDRPREF",
    ]


WM0 = """\
wm0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500
\tcapabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>
\tcapabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>
\tenabled=0
\taddress: 00:0c:29:3a:41:b7
\tmedia: Ethernet autoselect (1000baseT full-duplex)
\tstatus: active
\tinet 10.42.7.20 netmask 0xffffff00 broadcast 10.42.7.255
\tinet alias 10.42.8.20 netmask 0xffffff00 broadcast 10.42.8.255
"""

LO0 = """\
lo0: flags=8049<UP,LOOPBACK,RUNNING,MULTICAST> mtu 33192
\tinet 127.0.0.1 netmask 0xff000000
"""

PPP0 = "ppp0: flags=8010<POINTOPOINT,MULTICAST> mtu 1500\n"


def up(fake):
    nic = fake.nics["wm0"]
    nic.flags, nic.cap, nic.media = 0x8843, (7, 0x3F, 0, 0), (0x20, 0x100030, 3, [0x20])
    nic.addrs = [(IP, 0xFFFFFF00, IP | 0xFF), (IP + 256, 0xFFFFFF00, IP + 256 | 0xFF)]


def test_the_sample_of_the_reference(ifconfig, fake):
    up(fake)
    got = ifconfig("wm0")
    assert (got.status, got.out, got.err) == (0, WM0, "")


@pytest.mark.parametrize("argv", [(), ("-a",), ("-a", "inet"), ("-A",)])
def test_no_operand_lists_everything(ifconfig, fake, argv):
    up(fake)
    got = ifconfig(*argv)
    assert (got.status, got.out) == (0, LO0 + WM0 + PPP0)
    assert got.err == ("ifconfig: -A is deprecated\n" if argv == ("-A",) else "")


def test_the_supported_media_of_an_interface_that_is_down(ifconfig):
    assert ifconfig("-m", "wm0").out == (
        "wm0: flags=8802<BROADCAST,SIMPLEX,MULTICAST> mtu 1500\n"
        "\taddress: 00:0c:29:3a:41:b7\n"
        "\tmedia: Ethernet autoselect\n"
        "\tstatus: no carrier\n"
        "\tsupported Ethernet media:\n"
        "\t\tmedia none\n"
        "\t\tmedia 10baseT\n"
        "\t\tmedia 10baseT mediaopt full-duplex\n"
        "\t\tmedia 100baseTX\n"
        "\t\tmedia 100baseTX mediaopt full-duplex\n"
        "\t\tmedia autoselect\n"
    )


@pytest.mark.parametrize(
    ("argv", "out"),
    [
        ("-l", "lo0 wm0 ppp0\n"),
        ("-lu", "lo0\n"),
        ("-l -d", "wm0 ppp0\n"),
        ("-lb", "wm0\n"),
        ("-ls", "lo0 ppp0\n"),
        ("-lbu", "\n"),
        ("-C", "pppoe lo vlan\n"),
        ("-ub", ""),
        ("-d ppp0", PPP0),
        ("-u ppp0", ""),
    ],
)
def test_lists_and_their_filters(ifconfig, argv, out):
    got = ifconfig(*argv.split())
    assert (got.status, got.out, got.err) == (0, out, "")


@pytest.mark.parametrize(
    "argv",
    [
        "-l -a",
        "-lm",
        "-lv",
        "-lz",
        "-lL",
        "-l wm0",
        "-lC",
        "-C wm0",
        "-C -b",
        "-C -s",
        "-a wm0",
        "-a inet wm0",
        "-x",
        "-s wm0 up",
    ],
)
def test_what_does_not_go_together_shows_the_usage(ifconfig, argv):
    got = ifconfig(*argv.split())
    assert (got.status, got.out) == (1, "")
    assert got.err.endswith(USAGE)
    assert got.err.removesuffix(USAGE) == (
        "ifconfig: unknown option -- x\n" if argv == "-x" else ""
    )


def test_the_usage_begins_and_ends_as_the_original():
    assert USAGE.startswith("usage: ifconfig [-h] [-m] [-v] [-z] [-L] interface\n")
    assert USAGE.endswith(
        "       ifconfig -a [-b] [-h] [-m] [-d] [-u] [-v] [-z] [ af ]\n"
        "       ifconfig -l [-b] [-d] [-u] [-s]\n"
        "       ifconfig -C\n"
        "       ifconfig interface create\n"
        "       ifconfig interface destroy\n"
    )


@pytest.mark.parametrize(
    ("media", "status"),
    [((0x20, 0x20, 3, [0]), 0), ((0x20, 0x20, 1, [0]), 1), ((0x20, 0x20, 0, [0]), 0), (None, 0)],
)
def test_dash_s_tells_the_carrier_and_prints_nothing(ifconfig, fake, media, status):
    fake.nics["wm0"].media = media
    got = ifconfig("-s", "wm0")
    assert (got.status, got.out, got.err) == (status, "", "")


def test_an_interface_that_is_not_there(ifconfig):
    for argv in (("wm9",), ("wm9", "up"), ("-s", "wm9")):
        got = ifconfig(*argv)
        assert (got.status, got.out) == (1, "")
        assert got.err == "ifconfig: SIOCGIFFLAGS wm9: No such device or address\n"


def test_without_a_stack(ifconfig, fake):
    fake.families = set()
    for argv in ((), ("-l",), ("-C",), ("wm0",), ("wm0", "up"), ("lo1", "create")):
        got = ifconfig(*argv)
        assert (got.status, got.out) == (1, "")
        assert got.err == ("ifconfig: socket: Address family not supported by protocol family\n")


def test_a_stack_that_does_not_list_its_interfaces(ifconfig, fake):
    fake.fails["sysctl"] = "ENOENT"
    got = ifconfig("-l")
    assert (got.status, got.err) == (1, "ifconfig: getifaddrs: No such file or directory\n")


def test_inet6_on_a_stack_without_it(ifconfig):
    for argv in (("wm0", "inet6", "::1"), ("wm0", "inet6"), ("-a", "inet6")):
        got = ifconfig(*argv)
        assert (got.status, got.out) == (1, "")
        assert got.err == ("ifconfig: socket: Address family not supported by protocol family\n")


def test_metric_and_capabilities_that_are_on(ifconfig, fake):
    fake.nics["ppp0"].metric = 3
    fake.nics["ppp0"].mtu = 0
    fake.nics["ppp0"].cap = (7, 0x3F, 0, 0x21)
    assert ifconfig("ppp0").out == (
        "ppp0: flags=8010<POINTOPOINT,MULTICAST> metric 3\n"
        "\tcapabilities rx=7<IP4CSUM,TCP4CSUM,UDP4CSUM>\n"
        "\tcapabilities tx=3f<IP4CSUM,TCP4CSUM,UDP4CSUM,TCP6CSUM,UDP6CSUM,TSO4>\n"
        "\tenabled rx=0\n"
        "\tenabled tx=21<IP4CSUM,TSO4>\n"
    )


def test_peer_and_preference(ifconfig, fake):
    fake.nics["ppp0"].addrs = [(IP, 0xFFFFFFFF, IP + 1), (IP + 2, 0xFFFFFFFF, IP + 3)]
    fake.nics["ppp0"].prefs = {IP: 40000 - 65536}
    assert ifconfig("ppp0").out == PPP0 + (
        "\tinet 10.42.7.20 -> 10.42.7.21 netmask 0xffffffff preference 40000\n"
        "\tinet alias 10.42.7.22 -> 10.42.7.23 netmask 0xffffffff preference 0\n"
    )


def data(**counts):
    def answer(arg):
        arg.data = IfData(**counts)
        return arg

    return answer


@pytest.mark.parametrize(
    ("flags", "ioctl", "counts", "lines"),
    [
        (
            "-v",
            "SIOCGIFDATA",
            {
                "ipackets": 1204,
                "ibytes": 118230,
                "imcasts": 12,
                "ierrors": 3,
                "iqdrops": 1,
                "noproto": 4,
                "opackets": 998,
                "obytes": 90211,
                "omcasts": 5,
                "oerrors": 2,
                "collisions": 1,
            },
            "\tinput: 1204 packets, 118230 bytes, 12 multicasts, 3 errors, 1 queue drop,"
            " 4 unknown protocol\n"
            "\toutput: 998 packets, 90211 bytes, 5 multicasts, 2 errors, 1 collision\n",
        ),
        (
            "-z",
            "SIOCZIFDATA",
            {"ipackets": 1, "ibytes": 1, "noproto": 1},
            "\tinput: 1 packet, 1 byte, 1 unknown protocol\n\toutput: 0 packets, 0 bytes\n",
        ),
        (
            "-vh",
            "SIOCGIFDATA",
            {"ibytes": 118230, "obytes": 1024},
            "\tinput: 0 packets, 115K bytes\n\toutput: 0 packets, 1.0K byte\n",
        ),
    ],
)
def test_statistics(ifconfig, fake, flags, ioctl, counts, lines):
    fake.extra[ioctl] = data(**counts)
    assert ifconfig(flags, "ppp0").out == PPP0 + lines
    assert ioctl in names(fake)


def test_statistics_that_cannot_be_had(ifconfig):
    got = ifconfig("-v", "ppp0")
    assert got.status == 1
    assert got.err == "ifconfig: SIOCGIFDATA: Inappropriate I/O control operation\n"


def test_an_interface_without_media_types(ifconfig, fake):
    fake.nics["wm0"].media = (0x20, 0x20, 3, [])
    got = ifconfig("wm0")
    assert got.status == 0
    assert got.err == "ifconfig: wm0: no media types?\n"
    assert "media:" not in got.out


def answer(**fields):
    def fill(arg):
        for name, value in fields.items():
            setattr(arg, name, value)
        return arg

    return fill


def test_the_lines_of_virtual_interfaces(ifconfig, fake):
    fake.nics = {"vlan3": Nic(0), "agr0": Nic(0), "carp0": Nic(0), "gif0": Nic(0x8010, 1280)}
    fake.extra = {
        "SIOCGETVLAN": answer(tag=10, parent="wm0"),
        "SIOCGETAGR": answer(ports=[AgrPortInfo("wm0", 3), AgrPortInfo("wm1", 0)]),
    }
    assert "\tvlan: 10 parent: wm0\n" in ifconfig("vlan3").out
    assert "\tagrport: wm0, flags=0x3<COLLECTING,DISTRIBUTING>\n\tagrport: wm1, flags=0\n" in (
        ifconfig("agr0").out
    )
    fake.extra["SIOCGETVLAN"] = answer(tag=10)
    assert "\tvlan: 10 parent: <none>\n" in ifconfig("vlan3").out
    fake.extra["SIOCGVH"] = answer(state=2, vhid=7, advbase=1, advskew=100)
    assert "\tcarp: MASTER carpdev none vhid 7 advbase 1 advskew 100\n" in ifconfig("carp0").out
    fake.extra["SIOCGVH"] = answer(vhid=0)
    assert "carp:" not in ifconfig("carp0").out
    fake.extra["SIOCGLIFPHYADDR"] = answer(addr=SockaddrIn(IP), dstaddr=SockaddrIn(IP + 1, 4500))
    assert "\ttunnel inet 10.42.7.20 --> 10.42.7.21,4500\n" in ifconfig("gif0").out


def radio(fake):
    fake.nics = {"abc0": Nic(0x8843, mac=b"\0\xab\xcd\xef\xd7\xac", media=(0x80, 0x80, 1, [0x80]))}
    fake.extra = {
        "SIOCG80211NWID": answer(nwid=b"MY_NET"),
        "SIOCG80211POWER": answer(enabled=0),
        "SIOCG80211BSSID": answer(bssid=bytes.fromhex("00124c56a78c")),
        "SIOCG80211CHANNEL": answer(channel=11),
    }


def keys(wepon=1, defkid=1, key=()):
    def fill(arg):
        return Ieee80211Nwkey(arg.name, wepon, defkid, [len(k) for k in key], list(key))

    return fill


def test_a_client_of_the_guide(ifconfig, fake):
    radio(fake)
    nic = fake.nics["abc0"]
    nic.media = (0x80, 0x91 | 0x30000, 3, [0x80])
    nic.addrs = [(0x0A2AA1E9, 0xFFFFFC00, 0x0A2AA0FC)]
    fake.extra["SIOCG80211NWKEY"] = keys(key=[b"My_Net_Key234", b"", b"", b""])
    assert ifconfig("abc0").out == (
        "abc0: flags=8843<UP,BROADCAST,RUNNING,SIMPLEX,MULTICAST> mtu 1500\n"
        "\tssid MY_NET nwkey My_Net_Key234\n"
        "\tpowersave off\n"
        "\tbssid 00:12:4c:56:a7:8c chan 11\n"
        "\taddress: 00:ab:cd:ef:d7:ac\n"
        "\tmedia: IEEE802.11 autoselect (OFDM54 mode 11g)\n"
        "\tstatus: active\n"
        "\tinet 10.42.161.233 netmask 0xfffffc00 broadcast 10.42.160.252\n"
    )


def test_an_unset_radio_of_the_guide(ifconfig, fake):
    radio(fake)
    fake.extra["SIOCG80211NWID"] = answer(nwid=b"")
    fake.extra["SIOCG80211BSSID"] = answer()
    fake.extra["SIOCG80211CHANNEL"] = answer(channel=0xFFFF)
    assert ifconfig("abc0").out.split("\n")[1:3] == ['\tssid ""', "\tpowersave off"]
    assert "chan" not in ifconfig("abc0").out
    fake.extra["SIOCG80211CHANNEL"] = answer(channel=6)
    assert "\tchan 6\n" in ifconfig("abc0").out


def test_an_access_point_of_the_guide(ifconfig, fake):
    radio(fake)
    fake.nics["abc0"].media = (0x91 | 0x200, 0x91 | 0x30200, 3, [0x80])
    values = {29: 0, 30: 1, 12: 2346, 73: 2346}
    fake.extra["SIOCG80211"] = lambda arg: answer(val=values[arg.type])(arg)
    fake.extra["SIOCG80211NWID"] = answer(nwid=b"my lan")
    fake.extra["SIOCG80211NWKEY"] = keys(defkid=2, key=[b"", b"\x49\xe2", b"\0\0", b""])
    out = ifconfig("abc0").out
    assert '\tssid "my lan" apbridge nwkey 2:"",0x49e2,0x0000,""\n' in out
    assert "\tmedia: IEEE802.11 OFDM54 hostap (OFDM54 mode 11g hostap)\n" in out
    values.update({29: 1, 30: 0, 12: 100})
    fake.fails["SIOCG80211STATS"] = "EINVAL"
    fake.extra["SIOCGIFDATA"] = data()
    assert '\tssid "my lan" [hidden] -apbridge rts 100 -frag nwkey' in ifconfig("-v", "abc0").out


def test_keys_are_for_root(ifconfig, fake):
    radio(fake)

    def refuse(arg):
        if arg.keylen:
            raise NetError("EPERM")
        return Ieee80211Nwkey(arg.name, 1)

    fake.extra["SIOCG80211NWKEY"] = refuse
    assert "\tssid MY_NET nwkey *****\n" in ifconfig("abc0").out


def test_radio_statistics_keep_their_labels(ifconfig, fake):
    radio(fake)
    fake.extra["SIOCGIFDATA"] = data()
    fake.extra["SIOCG80211STATS"] = answer(stats={"rx_badversion": 2})
    out = ifconfig("-v", "abc0").out
    assert "\trx frame with bad version: 2\n\trx frame too short: 0\n" in out
    assert "\trx required element missin: 0\n" in out
    assert "\trx frame ssid mismatch : 0\n" in out
    assert out.count("\n\t") > 80


# Setting.


def last(fake, name):
    return [arg for row, arg in fake.asked if row == name][-1]


def test_an_address_replaces_the_first_and_brings_the_interface_up(ifconfig, fake):
    fake.nics["wm0"].addrs = [(IP, 0xFFFFFF00, 0)]
    assert ifconfig("wm0", "10.0.0.1", "netmask", "255.255.255.0").status == 0
    assert after_info(fake) == [
        "SIOCGIFADDR",
        "SIOCDIFADDR",
        "SIOCAIFADDR",
        "SIOCGIFFLAGS",
        "SIOCSIFFLAGS",
    ]
    assert last(fake, "SIOCDIFADDR").addr == SockaddrIn(IP)
    assert last(fake, "SIOCAIFADDR").addr == SockaddrIn(0x0A000001)
    assert last(fake, "SIOCAIFADDR").mask == SockaddrIn(0xFFFFFF00)
    assert last(fake, "SIOCAIFADDR").dstaddr == Sockaddr()
    assert last(fake, "SIOCSIFFLAGS").value == 0x8803


def test_the_first_address_has_nothing_to_delete(ifconfig, fake):
    ifconfig("wm0", "10.0.0.1/20")
    assert after_info(fake) == ["SIOCGIFADDR", "SIOCAIFADDR", "SIOCGIFFLAGS", "SIOCSIFFLAGS"]
    assert last(fake, "SIOCAIFADDR").mask == SockaddrIn(0xFFFFF000)


def test_an_interface_that_is_up_already_is_left_so(ifconfig, fake):
    fake.nics["wm0"].flags |= 1
    ifconfig("wm0", "10.0.0.1")
    assert after_info(fake) == ["SIOCGIFADDR", "SIOCAIFADDR", "SIOCGIFFLAGS"]
    assert last(fake, "SIOCAIFADDR").mask == Sockaddr()


@pytest.mark.parametrize("words", ["10.0.0.1 down", "down 10.0.0.1"])
def test_down_on_the_line_keeps_it_down(ifconfig, fake, words):
    ifconfig("wm0", *words.split())
    assert sorted(after_info(fake)) == sorted(
        ["SIOCGIFADDR", "SIOCAIFADDR", "SIOCGIFFLAGS", "SIOCSIFFLAGS"]
    )
    assert last(fake, "SIOCSIFFLAGS").value == 0x8802


@pytest.mark.parametrize(
    ("words", "calls"),
    [
        ("10.0.0.2 alias", ["SIOCGIFADDR", "SIOCAIFADDR", "SIOCGIFFLAGS"]),
        ("alias 10.0.0.2", ["SIOCAIFADDR", "SIOCGIFFLAGS"]),
        ("10.0.0.2 delete", ["SIOCGIFADDR", "SIOCDIFADDR"]),
        ("10.0.0.2 -alias", ["SIOCGIFADDR", "SIOCDIFADDR"]),
        ("delete 10.0.0.2", ["SIOCDIFADDR"]),
        ("-alias 10.0.0.2", ["SIOCDIFADDR"]),
        ("delete", ["SIOCDIFADDR"]),
        ("inet delete", ["SIOCDIFADDR"]),
    ],
)
def test_alias_and_delete_stand_before_or_after(ifconfig, fake, words, calls):
    up(fake)
    assert ifconfig("wm0", *words.split()).status == 0
    assert after_info(fake) == calls
    if "SIOCDIFADDR" in calls:
        given = Sockaddr() if "10" not in words else SockaddrIn(0x0A000002)
        assert last(fake, "SIOCDIFADDR").addr == given
    else:
        assert last(fake, "SIOCAIFADDR").addr == SockaddrIn(0x0A000002)


def test_everything_at_once_is_applied_in_order(ifconfig, fake):
    up(fake)
    fake.nics["wm0"].flags &= ~1
    ifconfig(
        "wm0",
        *[
            "tso4",
            "media",
            "100baseTX",
            "mediaopt",
            "fdx",
            "10.0.0.1",
            "mtu",
            "1400",
            "preference",
            "7",
            "metric",
            "2",
        ],
    )
    assert after_info(fake) == [
        "SIOCGIFMEDIA",
        "SIOCGIFADDR",
        "SIOCSIFMTU",
        "SIOCSIFMETRIC",
        "SIOCSIFMEDIA",
        "SIOCDIFADDR",
        "SIOCAIFADDR",
        "SIOCSIFADDRPREF",
        "SIOCSIFCAP",
        "SIOCGIFFLAGS",
        "SIOCSIFFLAGS",
    ]
    assert last(fake, "SIOCSIFMEDIA").value == 0x100026
    assert last(fake, "SIOCSIFADDRPREF").preference == 7
    assert last(fake, "SIOCSIFADDRPREF").addr == SockaddrIn(0x0A000001)
    cap = last(fake, "SIOCSIFCAP")
    assert (cap.capenable_rx, cap.capenable_tx) == (0, 0x20)


@pytest.mark.parametrize(
    ("words", "rx", "tx"),
    [
        ("ip4csum tcp4csum udp4csum", 7, 7),
        ("ip4csum-rx", 1, 0),
        ("ip4csum-tx tcp4csum-rx", 2, 1),
        ("tcp6csum udp6csum", 0x18, 0x18),
        ("tso4 tso6", 0, 0x60),
        ("ip4csum -ip4csum-rx", 0, 1),
        ("udp4csum -udp4csum", 0, 0),
    ],
)
def test_capability_words(ifconfig, fake, words, rx, tx):
    ifconfig("wm0", *words.split())
    assert after_info(fake) == ["SIOCSIFCAP"]
    cap = last(fake, "SIOCSIFCAP")
    assert (cap.capenable_rx, cap.capenable_tx) == (rx, tx)


@pytest.mark.parametrize(
    ("word", "flags"),
    [
        ("up", 0x8803),
        ("down", 0x8802),
        ("arp", 0x8802),
        ("-arp", 0x8882),
        ("debug", 0x8806),
        ("link0", 0x9802),
        ("link1", 0xA802),
        ("link2", 0xC802),
    ],
)
def test_flag_words(ifconfig, fake, word, flags):
    ifconfig("wm0", word)
    assert after_info(fake) == ["SIOCGIFFLAGS", "SIOCSIFFLAGS"]
    assert last(fake, "SIOCSIFFLAGS").value == flags
    if word[0] != "-" and f"-{word}" in KEYWORDS and word != "arp":
        ifconfig("wm0", f"-{word}")
        assert last(fake, "SIOCSIFFLAGS").value == 0x8802


def test_trailers(ifconfig):
    note = "Note: trailers are no longer sent, but always received\n"
    assert ifconfig("wm0", "trailers").out == note
    assert ifconfig("wm0", "-trailers").out == note


def test_names_of_hosts_and_networks(ifconfig, fake):
    ifconfig("wm0", "boxb", "netmask", "lab-mask", "broadcast", "ten")
    req = last(fake, "SIOCAIFADDR")
    assert (req.addr, req.mask, req.dstaddr) == (
        SockaddrIn(0x0A2A0009),
        SockaddrIn(0xFFFFF000),
        SockaddrIn(0x0A000000),
    )


def test_a_peer_needs_a_point_to_point_link(ifconfig, fake):
    assert ifconfig("ppp0", "10.0.0.1", "10.0.0.2").status == 0
    assert last(fake, "SIOCAIFADDR").dstaddr == SockaddrIn(0x0A000002)
    got = ifconfig("wm0", "10.0.0.1", "10.0.0.2")
    assert got.status == 1
    assert got.err == ("ifconfig: can't set destination address on non-point-to-point link\n")
    assert "SIOCAIFADDR" not in names(fake)


@pytest.mark.parametrize(
    "text", ["netmask 255.255.240.0", "netmask 0xfffff000", "netmask 4294963200", "prefixlen 20"]
)
def test_the_forms_of_a_mask(ifconfig, fake, text):
    ifconfig("wm0", "10.0.0.1", *text.split())
    assert last(fake, "SIOCAIFADDR").mask == SockaddrIn(0xFFFFF000)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("10.0.0.1/33", "33: bad value"),
        ("prefixlen 33", "33: bad value"),
        ("prefixlen x", "x: bad value"),
        ("10.0.0.256", "10.0.0.256: bad value"),
        ("nobody", "nobody: bad value"),
        ("netmask nobody", "nobody: bad value"),
        ("broadcast nobody", "nobody: bad value"),
        ("delete nobody", "nobody: bad value"),
        ("mtu 1500x", "1500x: invalid mtu"),
        ("metric x", "x: invalid metric"),
        ("netmask", "'netmask' requires argument"),
        ("tunnel 10.0.0.1", "'tunnel' requires 2 arguments"),
        ("alias delete", "Only one use of alias, -alias or delete is valid."),
        ("alias 10.0.0.1 alias", "Only one use of alias, -alias or delete is valid."),
        ("preference 5", "set address preference: first specify an address"),
        ("10.0.0.1 preference 65536", "invalid preference 65536"),
        ("10.0.0.1 preference x", "invalid preference x"),
        ("media 100baseZZ", "unknown Ethernet media subtype: 100baseZZ"),
        ("mediaopt hostap", "unknown Ethernet media option: hostap"),
        ("-mediaopt fdx,nope", "unknown Ethernet media option: nope"),
        ("mode 11g", "unknown Ethernet media mode: 11g"),
        ("media 10baseT media 10baseT", "only one `media' command may be issued"),
        ("mediaopt fdx mediaopt fdx", "only one `mediaopt' command may be issued"),
        ("-mediaopt fdx -mediaopt fdx", "only one `-mediaopt' command may be issued"),
        ("mode auto mode auto", "only one `mode' command may be issued"),
        ("media auto inst 1 instance 1", "only one `instance' command may be issued"),
        ("mode auto media auto", "may not issue `media' after `mode' commands"),
        ("mediaopt fdx media auto", "may not issue `media' after `mediaopt' commands"),
        ("-mediaopt fdx media auto", "may not issue `media' after `mediaopt' commands"),
        ("media auto inst 1 mediaopt fdx", "may not issue `mediaopt' after `instance'"),
        ("media auto -mediaopt fdx", "may not issue both `media' and `-mediaopt'"),
        ("instance 1", "must specify `media' before `instance'"),
        ("media auto instance 16", "invalid media instance: 16"),
        ("vlan 3", "valid only with vlan(4) interfaces"),
        ("vlanif wm1", "valid only with vlan(4) interfaces"),
        ("-vlanif", "valid only with vlan(4) interfaces"),
        ("agrport wm1", "valid only with agr(4) interfaces"),
        ("-agrport wm1", "valid only with agr(4) interfaces"),
        ("vhid 256", "vhid: 256: must be between 0 and 255"),
        ("advbase x", "advbase: x: must be between 0 and 255"),
        ("advskew 255", "advskew: 255: must be between 0 and 254"),
        ("anycast", "anycast not allowed for the AF"),
        ("-tentative", "-tentative not allowed for the AF"),
        ("deprecated", "deprecated not allowed for the AF"),
        ("eui64", "eui64 not allowed for the AF"),
        ("pltime 5", "pltime not allowed for the AF"),
        ("vltime x", "invalid vltime"),
        ("frag 10", "invalid fragmentation threshold: 10"),
        ("rts 0", "invalid RTS threshold: 0"),
        ("list ap", "ap: bad value"),
        ("scan", "The interface must be up before scanning."),
        (
            "tunnel nobody 10.0.0.1",
            "error in parsing address string: hostname nor servname provided, or not known",
        ),
        (
            "tunnel 10.0.0.1 10.0.0.1,x",
            "error in parsing address string: servname not supported for ai_socktype",
        ),
        (
            "tunnel 10.0.0.1 10.0.0.1,65536",
            "error in parsing address string: servname not supported for ai_socktype",
        ),
    ],
)
def test_errors_end_the_program(ifconfig, fake, words, text):
    got = ifconfig("wm0", *words.split())
    assert (got.status, got.out, got.err) == (1, "", f"ifconfig: {text}\n")
    assert not any(name.startswith(("SIOCS", "SIOCA", "SIOCD")) for name in names(fake))


def test_an_interface_without_a_link_type(ifconfig, fake):
    fake.nics["wm0"].media = (0, 0, 0, [])
    assert ifconfig("wm0", "media", "auto").err == "ifconfig: wm0: no link type?\n"
    got = ifconfig("ppp0", "media", "auto")
    assert (got.status, got.err) == (1, "ifconfig: SGIOCGIFMEDIA: Invalid argument\n")


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("media 100baseTX", 0x26),
        ("media 100baseTX-FDX", 0x100026),
        ("media 1000BASET mediaopt full-duplex,flow", 0x500030),
        ("media 10baseT instance 2", 0x20000023),
        ("mediaopt loop", 0x08000020),
        ("-mediaopt fdx", 0x20),
        ("mediaopt hdx -mediaopt fdx", 0x200020),
        ("mode auto", 0x20),
    ],
)
def test_media_words_make_one_word(ifconfig, fake, words, value):
    assert ifconfig("wm0", *words.split()).status == 0
    assert after_info(fake) == ["SIOCGIFMEDIA", "SIOCSIFMEDIA"]
    assert last(fake, "SIOCSIFMEDIA").value == value


def test_mediaopt_keeps_the_rest_of_the_word(ifconfig, fake):
    radio(fake)
    fake.nics["abc0"].media = (0x30091, 0, 0, [0x80])
    ifconfig("abc0", "mediaopt", "hostap")
    assert last(fake, "SIOCSIFMEDIA").value == 0x30291
    ifconfig("abc0", "mode", "11a")
    assert last(fake, "SIOCSIFMEDIA").value == 0x10091


FATAL = [
    ("up", "SIOCSIFFLAGS"),
    ("up", "SIOCGIFFLAGS"),
    ("10.0.0.1", "SIOCGIFADDR"),
    ("delete", "SIOCDIFADDR"),
    ("media auto", "SIOCSIFMEDIA"),
    ("tso4", "SIOCSIFCAP"),
    ("destroy", "SIOCIFDESTROY"),
    ("hidessid", "SIOCS80211"),
    ("-apbridge", "SIOCS80211"),
    ("frag 500", "SIOCS80211"),
    ("-rts", "SIOCS80211"),
    ("deletetunnel", "SIOCDIFPHYADDR"),
    ("vhid 3", "SIOCGVH"),
    ("pass secret", "SIOCGVH"),
    ("carpdev wm1", "SIOCGVH"),
    ("-carpdev", "SIOCGVH"),
    ("state MASTER", "SIOCGVH"),
    ("ipdst 10.0.0.1", "SIOCSIFPHYADDR"),
]

WARNINGS = [
    ("10.0.0.1", "SIOCAIFADDR"),
    ("mtu 9000", "SIOCSIFMTU"),
    ("metric 1", "SIOCSIFMETRIC"),
    ("10.0.0.1 preference 3", "SIOCSIFADDRPREF"),
    ("ssid net", "SIOCS80211NWID"),
    ("nwid net", "SIOCS80211NWID"),
    ("nwkey abcde", "SIOCS80211NWKEY"),
    ("-nwkey", "SIOCS80211NWKEY"),
    ("bssid 0:1:2:3:4:5", "SIOCS80211BSSID"),
    ("-bssid", "SIOCS80211BSSID"),
    ("chan 3", "SIOCS80211CHANNEL"),
    ("-chan", "SIOCS80211CHANNEL"),
    ("powersave", "SIOCG80211POWER"),
    ("-powersave", "SIOCG80211POWER"),
    ("powersavesleep 10", "SIOCG80211POWER"),
    ("tunnel 10.0.0.1 10.0.0.2", "SIOCSLIFPHYADDR"),
]


@pytest.mark.parametrize(("words", "ioctl"), FATAL)
def test_a_refusal_that_ends_the_program(ifconfig, fake, words, ioctl):
    fake.fails[ioctl] = "EINVAL"
    got = ifconfig("wm0", *words.split())
    assert got.status == 1
    what = "SIOCGIFFLAGS wm0" if ioctl == "SIOCGIFFLAGS" else ioctl
    assert got.err == f"ifconfig: {what}: Invalid argument\n"


@pytest.mark.parametrize(("words", "ioctl"), WARNINGS)
def test_a_refusal_that_is_only_a_warning(ifconfig, fake, words, ioctl):
    fake.fails[ioctl] = "EINVAL"
    got = ifconfig("wm0", *words.split(), "down")
    assert got.status == 0
    assert got.err == f"ifconfig: {ioctl}: Invalid argument\n"
    assert names(fake)[-1] in ("SIOCSIFFLAGS", ioctl, "SIOCSIFADDRPREF", "SIOCAIFADDR")


def test_an_address_that_was_refused_does_not_bring_the_interface_up(ifconfig, fake):
    fake.fails["SIOCAIFADDR"] = "EEXIST"
    got = ifconfig("wm0", "10.0.0.1")
    assert (got.status, got.err) == (0, "ifconfig: SIOCAIFADDR: File exists\n")
    assert after_info(fake) == ["SIOCGIFADDR", "SIOCAIFADDR"]


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("bssid 1:2:3", "malformed BSSID: 1:2:3"),
        ("chan 65536", "invalid channel: 65536"),
        ("chan x", "invalid channel: x"),
        ("ssid 0xabc", "bad hexadecimal digits"),
        ("ssid " + "x" * 33, "strings too long"),
        ("nwkey 0x" + "00" * 17, "hexadecimal digits too long"),
        ("nwkey 1:a,b,c,d,e", "SIOCS80211NWKEY: too many keys."),
    ],
)
def test_bad_words_of_the_radio_are_warnings(ifconfig, fake, words, text):
    got = ifconfig("wm0", *words.split())
    assert (got.status, got.err) == (0, f"ifconfig: {text}\n")
    assert after_info(fake) == []


@pytest.mark.parametrize(
    ("text", "wepon", "defkid", "key"),
    [
        ("corpseckey456", 1, 1, [b"corpseckey456", b"", b"", b""]),
        ("0x0102030405", 1, 1, [b"\1\2\3\4\5", b"", b"", b""]),
        ("3:a,0x62,,d", 1, 3, [b"a", b"b", b"", b"d"]),
        ("persist:2:a,b,c,d", 0x101, 2, [b"a", b"b", b"c", b"d"]),
    ],
)
def test_the_grammar_of_keys(ifconfig, fake, text, wepon, defkid, key):
    ifconfig("wm0", "nwkey", text)
    req = last(fake, "SIOCS80211NWKEY")
    assert (req.wepon, req.defkid, req.key) == (wepon, defkid, key)
    assert req.keylen == [len(k) for k in key]


def test_persistent_keys_and_none(ifconfig, fake):
    ifconfig("wm0", "nwkey", "PERSIST")
    req = last(fake, "SIOCS80211NWKEY")
    assert (req.wepon, req.defkid, req.keylen) == (0x101, 0, [-1] * 4)
    ifconfig("wm0", "-nwkey")
    req = last(fake, "SIOCS80211NWKEY")
    assert (req.wepon, req.defkid, req.keylen) == (0, 1, [0] * 4)


def test_radio_words_ask_for_what_they_say(ifconfig, fake):
    fake.extra["SIOCG80211POWER"] = answer(enabled=0, maxsleep=100)
    fake.extra["SIOCS80211POWER"] = fake.extra["SIOCS80211"] = lambda arg: None
    ifconfig("wm0", "powersave")
    assert last(fake, "SIOCS80211POWER").enabled == 1
    assert last(fake, "SIOCS80211POWER").maxsleep == 100
    ifconfig("wm0", "powersavesleep", "250ms")
    assert last(fake, "SIOCS80211POWER").maxsleep == 250
    for words, kind, val in (
        ("hidessid", 29, 1),
        ("-hidessid", 29, 0),
        ("apbridge", 30, 1),
        ("-apbridge", 30, 0),
        ("frag 256", 73, 256),
        ("-frag", 73, 2346),
        ("rts 1", 12, 1),
        ("-rts", 12, 2346),
    ):
        assert ifconfig("wm0", *words.split()).status == 0
        assert (last(fake, "SIOCS80211").type, last(fake, "SIOCS80211").val) == (kind, val)
    ifconfig("wm0", "ssid", "", "-bssid", "-chan")
    assert last(fake, "SIOCS80211NWID").nwid == b""
    assert last(fake, "SIOCS80211BSSID").bssid == b"\0" * 6
    assert last(fake, "SIOCS80211CHANNEL").channel == 0xFFFF


def test_vlan_needs_its_tag_before_its_parent(ifconfig, fake):
    fake.nics["vlan10"] = Nic(0)
    fake.extra["SIOCGETVLAN"], fake.extra["SIOCSETVLAN"] = answer(), lambda arg: None
    got = ifconfig("vlan10", "vlanif", "wm0")
    assert got.err == "ifconfig: must specify both ``vlan'' and ``vlanif''\n"
    assert ifconfig("vlan10", "vlan", "10", "vlanif", "wm0").status == 0
    assert after_info(fake) == ["SIOCGETVLAN", "SIOCSETVLAN"] * 2
    assert (last(fake, "SIOCSETVLAN").tag, last(fake, "SIOCSETVLAN").parent) == (10, "wm0")
    fake.extra["SIOCGETVLAN"] = answer(tag=10, parent="wm0")
    ifconfig("vlan10", "-vlanif")
    assert (last(fake, "SIOCSETVLAN").tag, last(fake, "SIOCSETVLAN").parent) == (0, "")


def test_carp_agr_and_tunnel_words(ifconfig, fake):
    fake.nics |= {"carp0": Nic(0), "agr0": Nic(0), "gif0": Nic(0x8010)}
    fake.extra["SIOCGVH"] = answer(vhid=1, carpdev="wm0")
    fake.extra |= dict.fromkeys(
        ("SIOCSVH", "SIOCSETAGR", "SIOCSLIFPHYADDR", "SIOCDIFPHYADDR"), lambda arg: None
    )
    words = "vhid 9 advbase 2 advskew 254 pass aVeryLongSecretPhrase state backup carpdev wm1"
    assert ifconfig("carp0", *words.split()).status == 0
    sent = [arg for row, arg in fake.asked if row == "SIOCSVH"]
    assert [sent[0].vhid, sent[1].advbase, sent[2].advskew] == [9, 2, 254]
    assert sent[3].key == b"aVeryLongSecretPhra"
    assert (sent[4].state, sent[5].carpdev) == (1, "wm1")
    ifconfig("carp0", "-carpdev", "state", "NOWHERE")
    sent = [arg for row, arg in fake.asked if row == "SIOCSVH"]
    assert (sent[0].carpdev, sent[1].state) == ("", 0)
    ifconfig("agr0", "agrport", "wm0", "-agrport", "wm1")
    ports = [(a.version, a.cmd, a.port) for row, a in fake.asked if row == "SIOCSETAGR"]
    assert ports == [(2, 1, "wm0"), (2, 2, "wm1")]
    ifconfig("gif0", "tunnel", "10.0.0.1", "boxb,99", "deletetunnel")
    req = last(fake, "SIOCSLIFPHYADDR")
    assert (req.addr, req.dstaddr) == (SockaddrIn(0x0A000001), SockaddrIn(0x0A2A0009, 99))
    assert names(fake)[-1] == "SIOCDIFPHYADDR"


def test_create_is_the_first_word_and_the_rest_goes_on(ifconfig, fake):
    assert ifconfig("lo1", "create").status == 0
    assert names(fake) == ["SIOCIFCREATE"]
    ifconfig("lo2", "create", "10.0.0.1", "up")
    assert names(fake)[:5] == ["SIOCIFCREATE", *INFO]
    assert "SIOCAIFADDR" in names(fake)
    assert ifconfig("wm0", "up", "create").err == "ifconfig: create: bad value\n"
    fake.fails["SIOCIFCREATE"] = "EINVAL"
    got = ifconfig("nix0", "create")
    assert (got.status, got.err) == (1, "ifconfig: SIOCIFCREATE: Invalid argument\n")


def test_a_name_is_at_most_fifteen_characters(ifconfig):
    got = ifconfig("interface0123456", "up")
    assert got.status == 1
    assert got.err == "ifconfig: interface name 'interface0123456' too long\n"


def test_what_stood_before_a_mistake_has_been_done(ifconfig, fake):
    assert ifconfig("wm0", "up", "10.0.0.1", "mtu", "x").status == 1
    assert "SIOCSIFFLAGS" in names(fake)
    assert "SIOCAIFADDR" not in names(fake)


def test_numbers_that_fit_no_int_reach_the_stack_as_one(ifconfig, fake):
    ifconfig("wm0", "mtu", "9" * 5000, "metric", "4294967295")
    assert last(fake, "SIOCSIFMTU").value == last(fake, "SIOCSIFMETRIC").value == -1


ARGUMENTS = ["10.0.0.1", "10.0.0.1/8", "1500", "100baseTX", "fdx", "1:a,b", "0x12", "inet", "x"]
WORDS = st.one_of(
    st.sampled_from(sorted(KEYWORDS)),
    st.sampled_from(
        ["10.0.0.1", "10.0.0.1/8", "1500", "100baseTX", "fdx", "1:a,b", "0x12", "wm0", "inet", "x"]
    ),
    st.text(alphabet=st.characters(codec="utf-8"), max_size=12),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["wm0", "ppp0", "vlan0"]), st.lists(WORDS, max_size=6))
def test_any_words_end_in_a_status(tmp_path_factory, name, words):
    fake = Fake()
    fake.nics["vlan0"] = Nic(0)
    run = runner(fake, tmp_path_factory.getbasetemp())
    got = run(name, *words)
    assert got.status in (0, 1)
    assert got.status == 0 or got.err.startswith(("ifconfig: ", "usage: "))
