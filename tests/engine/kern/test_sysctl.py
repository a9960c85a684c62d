"""The sysctl tree: names and numbers, rights and ranges, and nothing but NetError for any request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libnet.addr import SockaddrIn
from libnet.clock import Clock
from libnet.engine.kern.base import StackBase
from libnet.engine.kern.socket import SO_RCVBUF, SOL_SOCKET, Cred, Record, Socket
from libnet.engine.kern.stat import Stat
from libnet.engine.kern.sysctl import SysctlTree, kern_nodes, tcp_nodes
from libnet.errors import NetError
from libnet.ioctl.sysctl import (
    CTL_CREATE,
    CTL_DESCRIBE,
    CTL_QUERY,
    CTLFLAG_READWRITE,
    CTLTYPE_INT,
    CTLTYPE_NODE,
    PcbInfo,
)
from libnet.rpc.codec import decode, encode

ROOT = Cred(suser=True)
USER = Cred(suser=False, uid=1000)


class Ip:
    def __init__(self):
        self.forwarding = 0
        self.ttl = 64


class Dice:
    def getrandbits(self, k):
        return 0

    def random(self):
        return 0.0


def make():
    stack = StackBase(Clock(100.0, 1_700_000_000.25), Dice(), hostname="a")
    tree = SysctlTree()
    kern_nodes(stack, tree)
    tcp_nodes(tree)
    ip = Ip()
    tree.int_node("net.inet.ip.forwarding", 1, ip, "forwarding", lo=0, hi=1, desc="Forward")
    tree.int_node("net.inet.ip.ttl", 3, ip, "ttl", lo=1, hi=255)
    tree.struct_node("net.inet.ip.stats", 24, lambda: Stat(badsum=3))
    tree.struct_node("net.inet.udp.pcblist", None, lambda: [PcbInfo("udp", lport=68)])
    tree.quad_node("net.inet.arp.calls", None, ip, "ttl", ro=False)
    tree.func_node("net.route.rtable", 0, lambda tail, new, cred: bytes(len(tail)))
    return stack, tree, ip


STACK, TREE, IP = make()


def symbol(tree, mib, new=None, cred=ROOT):
    with pytest.raises(NetError) as caught:
        tree.call(mib, new, cred)
    return caught.value.symbol


def test_names_have_netbsds_numbers():
    assert TREE.mib("net.inet.ip.forwarding") == [4, 2, 0, 1]
    assert TREE.mib("net.inet.tcp.do_loopback_cksum") == [4, 2, 6, 29]
    assert TREE.mib("kern.hostname") == [1, 10]
    assert TREE.mib("kern.mbuf.msize") == [1, 39, 1]
    assert TREE.mib("net.inet.arp")[:2] == [4, 2]
    assert TREE.mib("net.inet.arp")[2] >= 1024


def test_a_set_returns_the_old_value_and_changes_the_attribute():
    _, tree, ip = make()
    assert tree.call([4, 2, 0, 1], 1, ROOT) == 0
    assert ip.forwarding == 1
    assert tree.call([4, 2, 0, 1], None, USER) == 1


def test_changed_is_called_after_the_set():
    tree, ip, seen = SysctlTree(), Ip(), []
    tree.int_node("net.x", None, ip, "ttl", changed=lambda: seen.append(ip.ttl))
    tree.call(tree.mib("net.x"), 7, ROOT)
    assert seen == [7]


@pytest.mark.parametrize(
    ("mib", "new", "cred", "want"),
    [
        ([4, 2, 0, 1], 1, USER, "EPERM"),  # not the superuser
        ([1, 1], "Linux", ROOT, "EPERM"),  # read-only
        ([4, 2, 0, 1], 2, ROOT, "EINVAL"),  # range
        ([4, 2, 0, 3], 0, ROOT, "EINVAL"),
        ([4, 2, 0, 1], "1", ROOT, "EINVAL"),  # type
        ([4, 2, 0, 1], True, ROOT, "EINVAL"),
        ([4, 2, 0, 3], 1 << 32, ROOT, "EINVAL"),
        ([1, 10], "h" * 256, ROOT, "EINVAL"),
        ([1, 10], "a\0b", ROOT, "EINVAL"),
        ([1, 10], "\udcff", ROOT, "EINVAL"),  # octets that are no UTF-8
        ([4, 2, 0, 99], None, ROOT, "ENOENT"),
        ([4, 2, 0, 1, 5], None, ROOT, "ENOTDIR"),
        ([4, 2, 0, 1, CTL_QUERY], None, ROOT, "ENOTDIR"),
        ([4, 2], None, ROOT, "EINVAL"),  # a node has no value
        ([4, 2, CTL_CREATE], None, ROOT, "EOPNOTSUPP"),
        ([4, CTL_DESCRIBE], 1, ROOT, "EPERM"),
        ([], None, ROOT, "EINVAL"),
        ([1] * 13, None, ROOT, "EINVAL"),
        ("kern", None, ROOT, "EINVAL"),
        ([4, "2"], None, ROOT, "EINVAL"),
    ],
)
def test_errors(mib, new, cred, want):
    assert symbol(TREE, mib, new, cred) == want


def test_a_32_bit_number_is_stored_as_a_c_int():
    tree, ip = SysctlTree(), Ip()
    tree.int_node("net.debug", None, ip, "ttl")
    tree.call(tree.mib("net.debug"), 0xFFFFFFFF, ROOT)
    assert ip.ttl == -1


def test_query_lists_children_in_ascending_number():
    names = [(n.num, n.name) for n in TREE.call([4, 2, CTL_QUERY], None, USER)]
    assert [num for num, _ in names] == sorted(num for num, _ in names)
    assert [name for _, name in names][:3] == ["ip", "tcp", "udp"]
    top = TREE.call([CTL_QUERY], None, USER)
    assert top[0].name == "kern"
    assert all(n.type == CTLTYPE_NODE and n.children for n in top)


def test_query_tells_type_and_flags():
    node = TREE.call([4, 2, 0, CTL_QUERY], None, USER)[0]
    assert (node.name, node.type, node.size) == ("forwarding", CTLTYPE_INT, 4)
    assert node.flags & CTLFLAG_READWRITE


def test_describe_gives_the_text_of_each_child():
    assert [1, "Forward"] in TREE.call([4, 2, 0, CTL_DESCRIBE], None, USER)


def test_every_leaf_of_the_kernel_is_described_and_readable():
    def walk(mib):
        texts = dict(TREE.call([*mib, CTL_DESCRIBE], None, USER))
        for child in TREE.call([*mib, CTL_QUERY], None, USER):
            at = [*mib, child.num]
            if child.type == CTLTYPE_NODE:
                assert texts[child.num], child.name
                walk(at)
            else:
                assert texts[child.num], child.name
                assert TREE.call(at, None, USER) is not None

    walk([1])
    walk([6])


def test_a_func_node_gets_the_rest_of_the_mib():
    assert TREE.call([4, 17, 0, 2, 1, 0], None, USER) == b"\0\0\0"
    assert TREE.call([4, 17, 0, CTL_QUERY], None, USER) == []


def test_hostname_sbmax_and_droptrace_change_the_stack():
    stack, tree, _ = make()
    assert tree.call(tree.mib("kern.hostname"), "router", ROOT) == "a"
    tree.call(tree.mib("kern.sbmax"), 1000, ROOT)
    assert tree.call(tree.mib("net.iopkt.droptrace"), 1, ROOT) == 0
    assert (stack.hostname, stack.sbmax, bool(stack.droptrace)) == ("router", 1000, True)
    assert symbol(tree, tree.mib("net.iopkt.droptrace"), 2) == "EINVAL"


def test_boottime_is_when_the_stack_was_made():
    assert TREE.call(TREE.mib("kern.boottime"), None, USER) == {
        "sec": 1_700_000_100,
        "usec": 250_000,
    }


def test_values_survive_the_codec():
    for path in ("net.inet.ip.stats", "net.inet.udp.pcblist", "kern.mbuf.stats"):
        value = TREE.call(TREE.mib(path), None, ROOT)
        assert decode(encode(value)) == value
    query = TREE.call([1, CTL_QUERY], None, ROOT)
    assert decode(encode(query)) == query


def test_remove_uproots_a_node():
    _, tree, _ = make()
    tree.remove("net.inet.ip")
    assert tree.find("net.inet.ip.ttl") is None
    assert symbol(tree, [4, 2, 0, 3]) == "ENOENT"
    with pytest.raises(NetError):
        tree.remove("net.inet.ip")


@pytest.mark.parametrize(("path", "num"), [("net.inet.ip.ttl", 77), ("net.inet.ip.x", 3)])
def test_a_name_or_number_may_be_planted_once(path, num):
    _, tree, ip = make()
    with pytest.raises(ValueError, match="sysctl"):
        tree.int_node(path, num, ip, "ttl")


_number = st.sampled_from([0, 1, 2, 3, 4, 6, 10, 17, 21, 24, 39, 58, 1024, -1, -2, -3, -7])
_mib = st.lists(_number | st.integers(), max_size=13) | st.lists(st.text(max_size=2), max_size=3)
_new = (
    st.none()
    | st.integers()
    | st.text(max_size=300)
    | st.binary(max_size=8)
    | st.floats()
    | st.lists(st.integers(), max_size=2)
)


@given(_mib | st.integers() | st.none(), _new, st.booleans())
def test_any_request_is_answered_or_a_neterror(mib, new, suser):
    _, tree, _ = make()
    try:
        value = tree.call(mib, new, Cred(suser=suser))
    except NetError:
        return
    assert decode(encode(value)) == value


class Ifp:
    def __init__(self, *sizes):
        self.snd = [bytes(size) for size in sizes]


def test_mbufs_count_what_waits_in_send_queues_and_sockets():
    stack = StackBase(Clock(), Dice())
    stack.ifnets = {1: Ifp(60, 1500)}
    so = Socket(stack, 2, 2, 0, None, ROOT)
    so.rcv.append(Record(SockaddrIn(1, 2), None, bytes(3000)))
    tree = SysctlTree()
    kern_nodes(stack, tree, sockets=lambda: [so])
    got = tree.call(tree.mib("kern.mbuf.stats"), None, ROOT)
    assert (got["header"], got["soname"], got["data"], got["clusters"]) == (3, 1, 1, 3)
    assert (got["mbufs_total"], got["clusters_total"]) == (16, 4)


def test_the_cluster_size_is_the_stacks():
    stack = StackBase(Clock(), Dice())
    stack.mclbytes = 8192
    tree = SysctlTree()
    kern_nodes(stack, tree)
    assert tree.call(tree.mib("kern.mbuf.mclbytes"), None, ROOT) == 8192


def test_a_smaller_sbmax_refuses_larger_buffers():
    stack = StackBase(Clock(), Dice())
    tree = SysctlTree()
    kern_nodes(stack, tree)
    so = Socket(stack, 2, 2, 0, None, ROOT)
    so.setopt(SOL_SOCKET, SO_RCVBUF, 5000)
    tree.call(tree.mib("kern.sbmax"), 4000, ROOT)
    with pytest.raises(NetError) as caught:
        so.setopt(SOL_SOCKET, SO_RCVBUF, 5000)
    assert caught.value.symbol == "ENOBUFS"


def test_a_room_may_describe_a_node_that_appeared_by_itself():
    _, tree, _ = make()
    tree.node("net.inet.ip", 0, "Mine")
    assert [0, "Mine"] in tree.call([4, 2, CTL_DESCRIBE], None, USER)
    with pytest.raises(ValueError, match="is 0, not 5"):
        tree.node("net.inet.ip", 5)
    with pytest.raises(ValueError, match="not a node"):
        tree.node("net.inet.ip.ttl.x")
