"""Multicast forwarding: what a static router tells, and what happens to packets meanwhile."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libnet.addr import IpMreq, SockaddrIn, inet_pton
from libnet.clock import Clock
from libnet.engine.kern.socket import SOCK_RAW, Cred
from libnet.engine.stack import Stack
from libnet.errors import NetError
from libnet.ioctl import mroute as r
from libnet.ioctl.mroute import MfcCtl, SiocSgReq, SiocVifReq, VifCtl
from libnet.text.netstat import mroute
from libnet.wire.cksum import in_cksum

GROUP = inet_pton("239.1.2.3")
SRC = inet_pton("10.0.0.9")
MAC = b"\x01\x00\x5e\x01\x02\x03"


def packet(src="10.0.0.9", dst=GROUP, ttl=8, body=bytes(8), options=b"", proto=17):
    head = bytearray(20) + options
    head[0] = 0x40 | len(head) >> 2
    head[2:4] = (len(head) + len(body)).to_bytes(2, "big")
    head[8], head[9] = ttl, proto
    head[12:16] = inet_pton(src).to_bytes(4, "big")
    head[16:20] = dst.to_bytes(4, "big")
    head[10:12] = in_cksum(bytes(head)).to_bytes(2, "big")
    return bytes(head) + body


class Router:
    """A host with three nets that routes multicasts between them."""

    def __init__(self, host):
        self.host = host
        self.nics = [host.nic(f"wm{n}", f"10.{n}.0.1/24") for n in range(3)]
        self.so = host.raw(2)
        self.opt(r.MRT_INIT, 1)
        for n in range(3):
            self.opt(r.MRT_ADD_VIF, VifCtl(n, lcl_addr=inet_pton(f"10.{n}.0.1")))
        self.take()

    def opt(self, name, value):
        self.so.setopt(0, name, value)

    def rx(self, n, octets):
        self.nics[n].rx(MAC + b"\2\0\0\0\0\x99\x08\x00" + octets)
        return self.take()

    def take(self):
        return [nic.take() for nic in self.nics]

    @property
    def stat(self):
        return self.host.stack.stats["mrt"]

    def upcalls(self):
        got = [(rec.data[8], rec.data[10], rec.frm.addr) for rec in self.so.rcv.records]
        self.so.rcv.flush()
        return got


@pytest.fixture
def router(host):
    return Router(host(1))


def refuses(symbol, func, *args):
    with pytest.raises(NetError) as caught:
        func(*args)
    assert caught.value.symbol == symbol


def test_a_packet_leaves_by_the_vifs_that_are_named_one_hop_older(router):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1, 7]))
    sent = router.rx(0, packet(ttl=8))
    assert [len(s) for s in sent] == [0, 1, 1]
    out = sent[1][0]
    assert out[:6] == MAC
    assert out[14 + 8] == 7
    assert in_cksum(out[14:34]) == 0
    assert [len(s) for s in router.rx(0, packet(ttl=7))] == [0, 1, 0]  # the threshold of vif 2 is 7
    cred = Cred()
    got = router.host.stack.ioctl(r.SIOCGETSGCNT, SiocSgReq(SRC, GROUP), cred)
    assert (got.pktcnt, got.bytecnt, got.wrong_if) == (2, 16, 0)
    vif = router.host.stack.ioctl(r.SIOCGETVIFCNT, SiocVifReq(1), cred)
    assert (vif.ocount, vif.obytes) == (2, 16)
    assert router.host.stack.stats["ip"]["forward"] == 2


def test_packets_wait_for_the_routers_answer(router):
    for _ in range(6):
        assert router.rx(0, packet()) == [[], [], []]
    assert router.upcalls() == [(r.IGMPMSG_NOCACHE, 0, SRC)]
    assert router.stat["upq_ovflw"] == 2
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1]))
    assert [len(s) for s in router.take()] == [0, 4, 0]


def test_an_answer_that_does_not_come_is_not_waited_for(router):
    router.rx(0, packet())
    router.host.run(2)
    assert router.stat["cache_cleanups"] == 1
    assert router.host.stack.mroute.mfc == {}
    router.rx(0, packet())
    assert len(router.upcalls()) == 2


def test_the_wrong_way_is_counted_and_told_when_asked(router):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1, 1]))
    assert router.rx(1, packet()) == [[], [], []]
    assert router.stat["wrong_if"] == 1
    assert router.upcalls() == []
    router.opt(r.MRT_ASSERT, 1)
    assert router.so.getopt(0, r.MRT_ASSERT) == 1
    router.rx(1, packet())
    router.rx(1, packet())
    assert router.upcalls() == [(r.IGMPMSG_WRONGVIF, 1, SRC)]
    router.host.run(3)
    router.rx(1, packet())
    assert len(router.upcalls()) == 1


@pytest.mark.parametrize(("ttl", "dst"), [(1, "239.1.2.3"), (0, "239.1.2.3"), (8, "224.0.0.5")])
def test_what_is_not_to_leave_its_net_does_not(router, ttl, dst):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, inet_pton(dst), 0, [0, 1, 1]))
    assert router.rx(0, packet(ttl=ttl, dst=inet_pton(dst))) == [[], [], []]
    assert router.upcalls() == []


def test_the_routers_program_hears_igmp_of_all_groups(router):
    report = bytearray(b"\x16\0\0\0" + GROUP.to_bytes(4, "big"))
    report[2:4] = in_cksum(bytes(report)).to_bytes(2, "big")
    router.rx(0, packet(ttl=1, proto=2, body=bytes(report)))
    assert [rec.data[9] for rec in router.so.rcv.records] == [2]


def test_what_the_box_itself_sends_is_forwarded_too(router):
    ours = inet_pton("10.0.0.1")
    router.opt(r.MRT_ADD_MFC, MfcCtl(ours, GROUP, 0, [0, 1]))
    so = router.host.udp(5000)
    so.setopt(0, 9, ours)
    so.setopt(0, 10, 8)
    so.send(b"body", SockaddrIn(GROUP, 7))
    assert [len(s) for s in router.take()] == [1, 1, 0]
    # With a member on the way out the copy that is looped back is what is forwarded, once.
    so.setopt(0, 12, IpMreq(GROUP, ours))
    router.take()
    so.send(b"body", SockaddrIn(GROUP, 7))
    router.host.run()
    sent = router.take()
    assert [sum(f[23] == 17 for f in s) for s in sent] == [1, 1, 0]
    assert router.host.stack.ioctl(r.SIOCGETVIFCNT, SiocVifReq(0), Cred()).ocount == 2


def test_local_members_on_the_way_out_hear_what_is_forwarded(router):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1]))
    so = router.host.udp(7)
    so.setopt(0, 12, IpMreq(GROUP, inet_pton("10.1.0.1")))
    router.take()
    sent = router.rx(0, packet(body=bytes.fromhex("00090007000c0000") + b"body"))
    assert len(sent[1]) == 1
    router.host.run()
    assert [rec.data for rec in so.rcv.records] == [b"body"]
    assert router.stat["wrong_if"] == 0


def test_a_tunnel_carries_multicasts_both_ways(router):
    far = inet_pton("10.2.0.9")
    router.nics[2].neighbour("10.2.0.9", b"\2\0\0\0\xcc\x09")
    router.opt(r.MRT_ADD_VIF, VifCtl(5, r.VIFF_TUNNEL, 1, 0, inet_pton("10.2.0.1"), far))
    router.take()
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 0, 0, 0, 0, 1]))
    sent = router.rx(0, packet())
    (outer,) = [frame[14:] for frame in sent[2]]
    assert (outer[8], outer[9]) == (64, 4)
    assert outer[16:20] == far.to_bytes(4, "big")
    assert outer[20 + 8] == 7
    assert in_cksum(outer[20:40]) == 0
    router.opt(r.MRT_ADD_MFC, MfcCtl(inet_pton("192.0.2.7"), GROUP, 5, [1]))
    inside = packet("192.0.2.7")
    wrapped = packet("10.2.0.9", inet_pton("10.2.0.1"), 64, inside, proto=4)
    router.nics[2].rx_ip(wrapped)
    router.host.run()
    sent = router.take()
    assert [len(s) for s in sent] == [1, 0, 0]
    router.opt(r.MRT_DEL_VIF, 5)
    assert (2, 4) not in router.host.stack.protosw


def test_a_rate_limit_spreads_and_drops(router):
    router.opt(r.MRT_DEL_VIF, 1)
    router.opt(r.MRT_ADD_VIF, VifCtl(1, rate_limit=80, lcl_addr=inet_pton("10.1.0.1")))
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1]))
    router.host.run(0.05)  # 10,000 octets a second: 500 are there
    sent = 0
    for _ in range(20):
        sent += len(router.rx(0, packet(body=bytes(80)))[1])
    assert sent == 5
    assert router.stat["q_overflow"] == 5
    for _ in range(200):
        router.host.run(0.01)
        sent += len(router.take()[1])
    assert sent == 15
    router.rx(0, packet(body=bytes(11000)))
    assert router.stat["pkt2large"] == 1


def test_an_interface_that_leaves_takes_its_vif_along(router):
    router.rx(0, packet())
    router.nics[0].ifp.detach()
    assert sorted(router.host.stack.mroute.vifs) == [1, 2]
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1]))
    assert router.take()[1] == []


def test_closing_the_socket_ends_it_all(router):
    router.rx(0, packet())
    router.opt(r.MRT_ADD_MFC, MfcCtl(1, GROUP, 0, [0, 1]))
    ifp = router.nics[0].ifp
    assert ifp.flags & 0x200
    router.so.close()
    assert not ifp.flags & 0x200
    assert router.host.stack.ip.mforward is None
    assert router.host.stack.mroute.mfc == {}
    so = router.host.raw(2)
    so.setopt(0, r.MRT_INIT, 1)


def test_a_full_socket_of_the_router_loses_upcalls_and_packets(router):
    while router.so.sbappendaddr(None, bytes(20)):
        continue
    assert router.rx(0, packet()) == [[], [], []]
    assert router.stat["upq_sockfull"] == 1
    assert router.host.stack.mroute.mfc == {}


def test_source_routed_tunnels_of_old_are_refused(router):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1]))
    old = bytes((1, 131, 11, 12)) + bytes(8)
    from libnet.engine.kern.mbuf import Mbuf

    m = Mbuf(packet(options=old), router.nics[0].ifp)
    router.host.stack.ip.reparse(m)
    assert router.host.stack.mroute.forward(m, router.nics[0].ifp)


@pytest.mark.parametrize(
    ("name", "value", "symbol"),
    [
        (r.MRT_INIT, 1, "EADDRINUSE"),
        (r.MRT_INIT, 2, "EINVAL"),
        (r.MRT_ADD_VIF, 3, "EINVAL"),
        (r.MRT_ADD_VIF, VifCtl(32, lcl_addr=1), "EINVAL"),
        (r.MRT_ADD_VIF, VifCtl(9), "EADDRNOTAVAIL"),
        (r.MRT_ADD_VIF, VifCtl(9, lcl_addr=0x0A630001), "EADDRNOTAVAIL"),
        (r.MRT_ADD_VIF, VifCtl(0, lcl_addr=0x0A000001), "EADDRINUSE"),
        (r.MRT_ADD_VIF, VifCtl(9, r.VIFF_REGISTER, lcl_addr=0x0A000001), "EOPNOTSUPP"),
        (r.MRT_ADD_VIF, VifCtl(9, r.VIFF_SRCRT, lcl_addr=0x0A000001), "EOPNOTSUPP"),
        (r.MRT_ADD_VIF, VifCtl(9, lcl_addr=0x7F000001), "OK"),
        (r.MRT_DEL_VIF, 9, "EINVAL"),
        (r.MRT_DEL_VIF, -1, "EINVAL"),
        (r.MRT_DEL_VIF, "x", "EINVAL"),
        (r.MRT_ADD_MFC, MfcCtl(1, 1), "EINVAL"),
        (r.MRT_ADD_MFC, MfcCtl(1, GROUP, 0, [256]), "EINVAL"),
        (r.MRT_ADD_MFC, MfcCtl(1, GROUP, 0, [1] * 33), "EINVAL"),
        (r.MRT_DEL_MFC, MfcCtl(1, GROUP), "EADDRNOTAVAIL"),
        (r.MRT_ASSERT, None, "EINVAL"),
        (r.MRT_API_CONFIG, 1, "EPERM"),
        (r.MRT_ADD_BW_UPCALL, 0, "EOPNOTSUPP"),
        (108, 0, "ENOPROTOOPT"),
    ],
)
def test_requests_that_are_refused(router, name, value, symbol):
    if symbol == "OK":
        router.opt(name, value)
    else:
        refuses(symbol, router.opt, name, value)


def test_only_the_router_may_ask_and_only_a_raw_igmp_socket_may_route(router):
    other = router.host.raw(2)
    refuses("ENOPROTOOPT", other.setopt, 0, r.MRT_ADD_VIF, VifCtl(9, lcl_addr=1))
    refuses("ENOPROTOOPT", other.getopt, 0, r.MRT_VERSION)
    assert router.so.getopt(0, r.MRT_VERSION) == 0x305
    assert router.so.getopt(0, r.MRT_API_SUPPORT) == 0
    router.opt(r.MRT_DONE, 1)
    refuses("EOPNOTSUPP", router.host.raw(1).setopt, 0, r.MRT_INIT, 1)
    refuses("EINVAL", router.host.stack.ioctl, r.SIOCGETSGCNT, SiocSgReq(1, GROUP), Cred())
    refuses("EINVAL", router.host.stack.ioctl, r.SIOCGETVIFCNT, SiocVifReq(0), Cred())


def test_the_reduced_variant_routes_no_multicasts():
    stack = Stack(Clock(), random.Random(1), variant="v4")
    so = stack.socreate(2, SOCK_RAW, 2, Cred())
    refuses("ENOPROTOOPT", so.setopt, 0, r.MRT_INIT, 1)
    refuses("ENOTTY", stack.ioctl, r.SIOCGETVIFCNT, SiocVifReq(0), Cred())


def test_what_netstat_shows(router):
    router.opt(r.MRT_ADD_MFC, MfcCtl(SRC, GROUP, 0, [0, 1, 7]))
    router.rx(0, packet())
    tree = router.host.stack.sysctl
    tables = [
        tree.call(tree.mib(f"net.inet.mroute.{n}"), None, Cred()) for n in ("viftable", "mfctable")
    ]
    assert mroute(*tables) == (
        "\nVirtual Interface Table\n"
        " Vif  Thresh  Limit  Local-Address    Remote-Address   Pkt_in  Pkt_out\n"
        "   0       1      0  10.0.0.1                               1        0\n"
        "   1       1      0  10.1.0.1                               0        1\n"
        "   2       1      0  10.2.0.1                               0        1\n"
        "\nMulticast Forwarding Cache\n"
        " Hash  Origin           Mcastgroup       Traffic  In-Vif  Out-Vifs/Forw-ttl\n"
        "   26  10.0.0.9         239.1.2.3             1        0  1/1 2/7\n"
        "\nTotal no. of entries in cache: 1\n\n"
    )
    assert mroute([], []) == (
        "\nVirtual Interface Table is empty\n\nMulticast Forwarding Cache is empty\n\n"
    )


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(r.MRT_ALL),
            st.none()
            | st.integers(-2, 1 << 33)
            | st.binary(max_size=4)
            | st.builds(VifCtl, st.integers(-1, 40), st.integers(0, 7), st.integers(-1, 300),
                        st.integers(-1, 9), st.sampled_from((0, 0x0A000001, 0x0A010001)))
            | st.builds(MfcCtl, st.sampled_from((SRC, 0, 1 << 40)), st.sampled_from((GROUP, 1)),
                        st.integers(-1, 70000), st.lists(st.integers(-1, 300), max_size=34)),
        ),
        max_size=12,
    )
)  # fmt: skip
def test_any_options_and_packets_are_survived(options):
    import importlib.util
    import pathlib

    spec = importlib.util.spec_from_file_location(
        "engine_conftest_m", pathlib.Path(__file__).parents[1] / "conftest.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    router = Router(module.Host(1))
    for name, value in options:
        try:
            router.opt(name, value)
        except NetError:
            continue
        router.rx(0, packet())
        router.host.run(0.1)
